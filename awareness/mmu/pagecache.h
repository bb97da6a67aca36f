/* pagecache.h: physical memory, read once a stop
 *
 * Stands before one target: what was read stays until the target's epoch moves
 * on, and what could not be read is not tried again. It fetches whole lines of
 * target_line_bytes() and never outside known RAM. It does not own the target, and
 * serves one thread. It has no notion of virtual addresses.
 */
#pragma once

#include "awareness/target/target.h"

struct pagecache;

struct pagecache *pagecache_new(struct target *target);
void pagecache_free(struct pagecache *self);

struct target *pagecache_target(const struct pagecache *self);

/* Reads all of [pa, pa+len_bytes) or nothing. Errors: TARGET_ERROR_MEMORY with the
 * first address that cannot be read; _LINK. */
gboolean pagecache_read(struct pagecache *self, struct pa pa, void *out, size_t len_bytes,
                        GError **error);

/* Fetches several pieces in one go, so that reads of them later cost nothing.
 * Pieces that cannot be read are left for that read to complain about. */
struct pagecache_piece {
	struct pa pa;
	size_t len_bytes;
};
void pagecache_prefetch(struct pagecache *self, const struct pagecache_piece *pieces,
                        size_t n_pieces);
