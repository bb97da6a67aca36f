/* linux-discover.h: a Linux guest of which nothing is known
 *
 * Finds the kernel through the guest's own page tables (what is mapped executable in
 * the upper half), then reads its symbols and types from its own memory. Nothing is
 * needed but the vCPUs' registers.
 */
#pragma once

#include "awareness/os/machine.h"
#include "awareness/symbols/symbol-cache.h"

struct discovery {
	struct image *image;        /* the caller frees it */
	char *banner;               /* the caller's */
	struct space *kernel;       /* the space it was found in; the caller's */
	uint64_t reads, bytes_read; /* what the search asked for, before the page cache */
	gboolean from_cache;
};

/* Errors: OS_ERROR_NOT_FOUND, with what was looked at. */
gboolean linux_discover(struct machine *machine, struct pagecache *cache,
                        struct symbol_cache *remembered, struct discovery *out, GError **error);
