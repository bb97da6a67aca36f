/* space.h: one address space, readable
 *
 * Translation registers bound to a page cache: the EL2 space of a hypervisor, a
 * guest's kernel or process under stage 2, a guest's physical (IPA) space, or plain
 * physical memory, according to which stages are on. It remembers translations for
 * the length of a stop. It knows no symbols and no tasks, and does not own the
 * cache. One thread.
 */
#pragma once

#include "awareness/mmu/pagecache.h"
#include "awareness/mmu/vmsa.h"

#define SPACE_ERROR (space_error_quark())
GQuark space_error_quark(void);

enum space_error {
	SPACE_ERROR_FAULT, /* no translation */
	SPACE_ERROR_MEMORY,
};

struct space_config {
	struct vmsa_stage1 stage1;
	struct vmsa_stage2 stage2;
	struct vmsa_features features;
};

struct space;

struct space *space_new(struct pagecache *cache, const struct space_config *config);
void space_free(struct space *self);

const struct space_config *space_config_of(const struct space *self);
struct pagecache *space_cache(const struct space *self);

/* The whole walk, with every step. Never fails: a fault is a result. */
void space_walk(struct space *self, struct va va, struct vmsa_walk *out);

/* Just the address. Errors: SPACE_ERROR_FAULT naming stage and level. */
gboolean space_translate(struct space *self, struct va va, struct pa *out, GError **error);

/* Reads all of [va, va+len_bytes), across pages. Errors: SPACE_ERROR_FAULT,
 * SPACE_ERROR_MEMORY; `out` then holds what came before the gap. `n_read` may be
 * NULL and is written in both cases. */
gboolean space_read(struct space *self, struct va va, void *out, size_t len_bytes, size_t *n_read,
                    GError **error);

/* Little-endian integers of 1, 2, 4 or 8 bytes. */
gboolean space_read_uint(struct space *self, struct va va, size_t len_bytes, uint64_t *out,
                         GError **error);

/* The bytes up to a zero, at most max_bytes; what is not ASCII text becomes '?'.
 * NULL with an error if not even the first byte can be read. */
char *space_read_string(struct space *self, struct va va, size_t max_bytes, GError **error);

/* Writes through the translation, with what the target allows. */
gboolean space_write(struct space *self, struct va va, const void *data, size_t len_bytes,
                     GError **error);

/* Fetches what is mapped of several ranges in one go. */
struct space_piece {
	struct va va;
	size_t len_bytes;
};
void space_prefetch(struct space *self, const struct space_piece *pieces, size_t n_pieces);

/* What a fault means in words: "translation fault, stage 2 level 1, on a stage 1
 * table". A new string. */
char *space_describe_fault(const struct vmsa_walk *walk);
