/* core-file.h: writing everything that a target holds into one ELF core
 *
 * The file is an ordinary ELF core (one PT_LOAD a RAM region, NT_PRSTATUS for
 * each core, so that gdb opens it) plus one note of our own, owner "HVSCOPE",
 * whose text is a register file with every register of every core: QEMU's and
 * kdump's cores have no system registers, and without these no guest can be
 * walked. target.h's core: target reads it back.
 */
#pragma once

#include "awareness/target/target.h"

enum core_note_type {
	CORE_NOTE_REGISTERS = 1, /* with the owner CORE_NOTE_OWNER */
};
#define CORE_NOTE_OWNER "HVSCOPE"

/* Freezes the halted `target` into `path`. `regions` names the RAM where the
 * target does not know it (gdb); NULL takes the target's own. Memory that cannot
 * be read is left as a hole of zeros and counted in `unreadable_bytes`. Errors:
 * TARGET_ERROR_LINK, TARGET_ERROR_SPEC where no RAM is known, GIO's on writing;
 * then no file is left behind. */
gboolean core_file_write(struct target *target, const struct target_region *regions,
                         size_t n_regions, const char *path, uint64_t *unreadable_bytes,
                         GError **error);
