/* system-file-private.h: shared by the files system-*.c only
 *
 * Reading values out of one group of a key file, with messages that say where.
 */
#pragma once

#include "base/system-file.h"

enum {
	SYSTEM_VMID_MAX = 65535,
	SYSTEM_VCPUS_MAX = 4096,
	SYSTEM_MACHINES_MAX = 65535
};

/* Where a value stands, for messages and for reading it. */
struct place {
	const struct system_file *file;
	GKeyFile *keys;
	const char *group;
};

/* "FILE: [GROUP] KEY: ..."; `key` may be NULL. Always FALSE. */
gboolean place_fail(const struct place *at, const char *key, enum system_file_error code,
                    GError **error, const char *format, ...) G_GNUC_PRINTF(5, 6);

/* "did you mean 'x'?" or the list of what is known. Free the result. */
char *place_hint(const char *word, const char *const *known);

/* Whether all keys of the group are known ones. */
gboolean place_keys_check(const struct place *at, const char *const *known, GError **error);

/* Decimal, or hexadecimal after 0x. */
gboolean place_number_parse(const char *text, guint64 max, guint64 *out);

/* Each is TRUE with *out untouched where the key is absent. An empty value is an error. */
gboolean place_number(const struct place *at, const char *key, guint64 min, guint64 max,
                      guint64 *out, GError **error);
gboolean place_text(const struct place *at, const char *key, char **out, GError **error);
gboolean place_choice(const struct place *at, const char *key, const char *const *known, char **out,
                      GError **error);
gboolean place_path(const struct place *at, const char *key, char **out, GError **error);

/* TRUE with *out NULL where the key is absent. */
gboolean place_list(const struct place *at, const char *key, char ***out, GError **error);

/* system-file-backend.c: who serves whose requests. */
void system_machine_backend_init(struct system_machine *machine);
void system_machine_backend_deinit(struct system_machine *machine);
void system_machine_backend_copy(struct system_machine *machine, const struct system_machine *from);
gboolean system_machine_backend_read(const struct place *at, struct system_machine *machine,
                                     GError **error);

/* Once all machines are read: whether its backend is one of them. */
gboolean system_machine_backend_check(const struct place *at, const struct system_machine *machine,
                                      GError **error);

/* By context ID, then time. */
gint system_task_compare(gconstpointer a, gconstpointer b);

/* system-names.c: the groups of a names file. */
gboolean names_read(const struct place *at, struct system_file *self, GError **error);
gboolean names_tasks_read(const struct place *at, struct system_machine *machine, GError **error);
gboolean names_vcpus_read(const struct place *at, struct system_machine *machine, GError **error);

/* Once all groups are read: what each task and vCPU has from [names]. */
void names_finish(struct system_file *self);
