/* kernel-window.h: a stretch of a guest's virtual memory, copied as it is touched
 *
 * Lets code that searches a kernel's image use plain pointers. Pages are read at
 * most once, through the caller's callback, in runs; pages that are not there stay
 * holes. Private to awareness/symbols. One thread at a time.
 */
#pragma once

#include "awareness/symbols/kernel-finder.h"

#include <glib.h>
#include <stdint.h>

enum window_facts {
	WINDOW_PAGE = 4096,
	WINDOW_RUN_PAGES = 16, /* how many at most in one read */
};

struct kernel_window;

/* [start, end) rounded to pages; at most kernel_finder_span_max bytes. */
struct kernel_window *kernel_window_new(const struct kernel_reader *reader, uint64_t start,
                                        uint64_t end);
void kernel_window_free(struct kernel_window *self);

/* How many pages a read may take in at most, 1 to WINDOW_RUN_PAGES (the default). */
void kernel_window_set_run(struct kernel_window *self, unsigned pages);

uint64_t kernel_window_start(const struct kernel_window *self);
uint64_t kernel_window_end(const struct kernel_window *self);

/* `len_bytes` at `va`, or NULL where any of them is outside or unreadable. Valid
 * until kernel_window_free(). */
const uint8_t *kernel_window_get(struct kernel_window *self, uint64_t va, uint64_t len_bytes);

/* How many bytes from `va` on are readable without a hole, at most `max_bytes`. */
uint64_t kernel_window_readable(struct kernel_window *self, uint64_t va, uint64_t max_bytes);

/* What was asked of the callback. */
void kernel_window_cost(const struct kernel_window *self, uint64_t *reads, uint64_t *bytes);
