/* kernel-finder.h: a Linux kernel of which nothing is known
 *
 * Given a way to read a guest's virtual memory and the range that its page tables
 * map the kernel's image in, finds the banner, the build id, the symbols (its own
 * kallsyms) and the types (its own BTF): what awareness needs, without a file.
 * Pure but for the callback and the cache. It walks no page table.
 *
 * kallsyms has changed its form often; those of Linux 4.19 to 6.12 are read: with
 * 4- and 8-byte markers, lengths of one and two bytes, the tables before or (from
 * 6.4 on) after the tokens, with offsets from a base, absolute addresses, or the
 * absolute-percpu form (scripts/kallsyms.c of those versions).
 *
 * Everything read is untrusted. Time and memory are bounded by the range.
 */
#pragma once

#include "awareness/symbols/symbol-cache.h"
#include "awareness/symbols/symbols.h"
#include "awareness/symbols/types.h"

#include <glib.h>
#include <stdint.h>

struct kernel_reader {
	/* Reads guest virtual memory. FALSE where not all of it can be read; called
	 * with page-aligned ranges of up to 64 KiB, and again page by page where such
	 * a range fails. */
	gboolean (*read)(gpointer data, uint64_t va, void *buffer, size_t len_bytes);
	gpointer data;
};

static const uint64_t kernel_finder_span_max = UINT64_C(256) << 20;

/* What was found. Addresses are those of the running kernel, KASLR included. */
struct kernel_found {
	char *banner; /* "Linux version 6.1.0-..." without the newline */
	uint64_t banner_va;
	char *build_id;          /* NULL where no note was found */
	struct symbols *symbols; /* never NULL */
	struct types *types;     /* from BTF; NULL where the kernel carries none */
	gboolean from_cache;
	uint64_t reads; /* calls of the callback */
	uint64_t bytes_read;
};

/* Searches [start, end). `cache` may be NULL. `found` is written only on success,
 * then given back with kernel_found_clear(). Errors: SYMBOL_ERROR_NOT_FOUND (what
 * was and was not found is in the message), _MEMORY where nothing is readable. */
gboolean kernel_find(const struct kernel_reader *reader, uint64_t start, uint64_t end,
                     struct symbol_cache *cache, struct kernel_found *found, GError **error);
void kernel_found_clear(struct kernel_found *found);
