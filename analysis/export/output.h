/* output.h: the one file that an export writes
 *
 * Written beside its name and renamed when complete: on any failure, a full disk
 * included, the old file stays and nothing is left behind. What exists and is no
 * regular file (a pipe, a terminal) is written directly. Errors stick: the last
 * step reports the first. One output belongs to one thread.
 */
#pragma once

#include <gio/gio.h>

typedef struct output_file output_file;

output_file *output_new(const char *path, GError **error);

/* Drops what was written, unless finished. */
void output_free(output_file *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(output_file, output_free)

void output_write(output_file *self, gconstpointer data, gsize length);
void output_text(output_file *self, const char *text);
void output_printf(output_file *self, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* FALSE once a write has failed; to end a long loop early. */
gboolean output_ok(const output_file *self);

/* Completes the file under its name. `self` can then only be freed. */
gboolean output_finish(output_file *self, GError **error);
