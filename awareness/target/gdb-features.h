/* gdb-features.h: the registers that a gdb server describes
 *
 * Reads target.xml and the files that it includes (qXfer:features:read) into a table
 * of registers: name, number, width. `regnum` counts where it is given, else the
 * last number plus one (GDB manual, "Target Descriptions"). QEMU 7.2 writes
 * `xi:include` without declaring the prefix.
 */
#pragma once

#include "awareness/target/gdb-link.h"

struct gdb_register {
	char *name;
	unsigned number;
	unsigned n_bytes;
	unsigned g_offset; /* in the reply to `g`, if it is that long */
};

/* New array of struct gdb_register, in the order of numbers. Errors: TARGET_ERROR_LINK
 * where the server has no description, or a broken one. */
GArray *gdb_features_read(struct gdb_link *link, GError **error);
