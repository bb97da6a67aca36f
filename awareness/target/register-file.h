/* register-file.h: the registers of all cores as JSON text
 *
 * What state.json beside a raw RAM image holds, and the vendor note of our ELF
 * cores too: {"ram_base": N, "ram_size": N, "cpus": [{"x0": N, ...}, ...]}. It is
 * read by hand and not by json-glib, which clamps integers to 64 bits: v0 to v31
 * are decimals of up to 128 bits. Values may also be strings ("0x1f"); members
 * that are not known are skipped. Knows no target.
 */
#pragma once

#include "awareness/target/target.h"

struct register_file {
	gboolean has_ram;
	struct target_region ram; /* where a raw image begins; meaningless without has_ram */
	GPtrArray *cpus;          /* of GHashTable: char * -> struct target_register * */
	GPtrArray *names;         /* of char *: core 0's, in the order of the file */
};

/* An empty one with no core. */
void register_file_init(struct register_file *self);
void register_file_deinit(struct register_file *self);

/* Adds a core without registers; returns its table, owned by `self`. */
GHashTable *register_file_add_cpu(struct register_file *self);

/* Sets a register of the core whose table is `cpu`. */
void register_file_set(struct register_file *self, GHashTable *cpu, const char *name,
                       const struct target_register *value);

/* Reads `text` into an empty `self`. Errors: TARGET_ERROR_OPEN, naming `what` and
 * the byte at which the text stopped making sense. */
gboolean register_file_parse(struct register_file *self, const char *text, gsize len_bytes,
                             const char *what, GError **error);

/* The same as text, with values as hexadecimal strings. */
char *register_file_format(const struct register_file *self);
