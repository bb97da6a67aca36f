/* dwarf.h: a program's DWARF, read by libdwarf behind a wall
 *
 * Struct layouts, call frame information, lines and inlined functions, each found
 * when asked for. libdwarf 20210528 aborts or runs off the end on some damaged
 * input, and a debug file is untrusted: so it runs in a forked worker process that
 * shares only the file's mapping, with a limit on time and memory. If the worker
 * dies, the call fails with SYMBOL_ERROR_DAMAGED and the next one gets a new
 * worker, at most DWARF_RESTARTS times.
 *
 * One thread at a time. Not here: split DWARF (.dwo), dwz's supplementary files.
 */
#pragma once

#include "awareness/symbols/cfi.h"
#include "awareness/symbols/elf-file.h"
#include "awareness/symbols/types.h"

#include <glib.h>
#include <stdint.h>

enum dwarf_limits {
	DWARF_RESTARTS = 3,
	DWARF_TIMEOUT_MS = 30000, /* for one call; a whole kernel is indexed in one */
	DWARF_INLINE_MAX = 64,
};

struct symbol_cache;
struct dwarf;

/* Where an address lies in the source. A function that was inlined has the place
 * it was called from in the next entry. Strings belong to the struct. */
struct dwarf_frame {
	char *function; /* NULL where DWARF names none */
	char *file;     /* NULL where unknown */
	unsigned line;  /* 0 where unknown */
};

struct dwarf_frames {
	size_t count;
	/* [0] is the innermost inlined function, the last one the function that was
	 * really called. */
	struct dwarf_frame frames[DWARF_INLINE_MAX];
};

/* TRUE if the file has .debug_info. */
gboolean dwarf_is_present(const struct elf_file *file);

/* Starts nothing yet. `cache` may be NULL. Keeps a reference to the file. Errors:
 * SYMBOL_ERROR_NOT_FOUND where there is neither .debug_info nor frame
 * information. */
struct dwarf *dwarf_new(struct elf_file *file, struct symbol_cache *cache, GError **error);
void dwarf_free(struct dwarf *self);
typedef struct dwarf dwarf_t; /* for g_autoptr(dwarf_t) only */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(dwarf_t, dwarf_free)

/* Every name of one of C's name spaces (enum type_space), in no order: strings
 * (owned by the array). Indexes the whole file. */
GPtrArray *dwarf_names(struct dwarf *self, unsigned space, GError **error);

/* The file's types. Keeps using `self`, which must outlive it. */
struct types *dwarf_types(struct dwarf *self, GError **error);

/* The row of unwind rules for a linked address, from .debug_frame, else .eh_frame.
 * SYMBOL_ERROR_NOT_FOUND where no function with such information covers it. */
gboolean dwarf_cfi_row(struct dwarf *self, uint64_t address, struct cfi_row *row, GError **error);

/* The functions (inlined ones first) and lines at a linked address. Release with
 * dwarf_frames_clear(). */
gboolean dwarf_frames_at(struct dwarf *self, uint64_t address, struct dwarf_frames *frames,
                         GError **error);
void dwarf_frames_clear(struct dwarf_frames *frames);
