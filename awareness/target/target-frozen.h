/* target-frozen.h: a target that is a file
 *
 * What a raw image, an ELF core and the fake share: pieces of memory that lie in
 * this process, and a register file. It cannot run; it can be written only where
 * `writable` says so. The owner of the memory is the kind that put it there.
 */
#pragma once

#include "awareness/target/register-file.h"
#include "awareness/target/target-private.h"

struct frozen_segment {
	struct pa base;
	uint64_t len_bytes;
	uint8_t *bytes;
};

struct target_frozen {
	struct target target;
	GArray *segments; /* of struct frozen_segment; may touch, the first that fits serves */
	struct register_file registers;
	GPtrArray *maps; /* of GMappedFile; unmapped at the end */
};

/* `ops` is &target_frozen_ops or a table that begins like it. */
void target_frozen_init(struct target_frozen *self, const struct target_ops *ops,
                        const char *description);
void target_frozen_deinit(struct target_frozen *self);
extern const struct target_ops target_frozen_ops;

/* Makes [bytes, bytes+len_bytes) the memory at `base`. */
void target_frozen_add(struct target_frozen *self, struct pa base, uint8_t *bytes,
                       uint64_t len_bytes);

/* Takes over names and the number of cores from `registers`; call once, last. */
void target_frozen_seal(struct target_frozen *self);

gboolean target_frozen_read(struct target *target, struct target_transfer *transfers,
                            size_t n_transfers, GError **error);
gboolean target_frozen_write(struct target *target, struct target_transfer *transfers,
                             size_t n_transfers, GError **error);
gboolean target_frozen_register_get(struct target *target, unsigned cpu, const char *name,
                                    struct target_register *out, GError **error);
gboolean target_frozen_register_set(struct target *target, unsigned cpu, const char *name,
                                    const struct target_register *value, GError **error);

/* Maps a file for reading; .xz and .zst are unpacked first, by the program of that
 * name, into a file without a name. Errors: TARGET_ERROR_OPEN. */
GMappedFile *target_frozen_map(const char *path, GError **error);
