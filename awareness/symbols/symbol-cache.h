/* symbol-cache.h: what was found in debug information, kept for the next run
 *
 * One SQLite file in the user's cache directory ($XDG_CACHE_HOME/hvscope), keyed
 * by build id; its name carries the version of its contents, so that two versions
 * of the program do not disturb each other. It is only ever a shortcut: nothing
 * that goes wrong with it is an error to anyone. A damaged file is put aside and
 * begun anew, every entry carries a checksum, several processes may use it at
 * once (WAL), and where it cannot be used at all everything is looked up again.
 *
 * One thread at a time. Entries wait in memory and are written in batches, the
 * last one when it is closed; until then symbol_cache_get() does not see them.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

enum symbol_cache_kind {
	SYMBOL_CACHE_NAME = 1, /* "SPACE NAME" -> id; empty: known not to be there */
	SYMBOL_CACHE_TYPE,     /* id -> type record */
	SYMBOL_CACHE_CFI,      /* address -> struct cfi_row */
	SYMBOL_CACHE_FRAMES,   /* address -> functions and lines */
	SYMBOL_CACHE_KERNEL,   /* what kernel-finder.h found */
};

enum symbol_cache_limits {
	SYMBOL_CACHE_VERSION = 2,
	SYMBOL_CACHE_BATCH = 512,
	SYMBOL_CACHE_MAX_MB = 512, /* above this it is emptied when it is opened */
};

struct symbol_cache;

/* `path` NULL means the user's own. Never NULL: one that cannot be used remembers
 * nothing, and symbol_cache_problem() says why. */
struct symbol_cache *symbol_cache_open(const char *path);
void symbol_cache_close(struct symbol_cache *self);
typedef struct symbol_cache symbol_cache_t; /* for g_autoptr(symbol_cache_t) only */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(symbol_cache_t, symbol_cache_close)

/* Why it does not work, or NULL. */
const char *symbol_cache_problem(const struct symbol_cache *self);

/* A new GBytes, or NULL where nothing is known. `self` or `build_id` may be NULL. */
GBytes *symbol_cache_get(struct symbol_cache *self, const char *build_id,
                         enum symbol_cache_kind kind, const char *key);
void symbol_cache_put(struct symbol_cache *self, const char *build_id, enum symbol_cache_kind kind,
                      const char *key, const void *value, size_t len_bytes);

/* Writes what is waiting. */
void symbol_cache_flush(struct symbol_cache *self);
