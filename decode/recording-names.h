/* recording-names.h: the names of a recording, as rows
 *
 * Machines, tasks and where their names come from. Decides nothing: task-names.h says
 * which name is whose.
 */
#pragma once

#include "decode/task-names.h"
#include "schema/writer.h"

/* Writes the machines, the tasks and the sources of their names. `names` was made of
 * `system`, which may be NULL. */
gboolean recording_names_write(const struct system_file *system, const struct task_names *names,
                               struct recording_writer *writer, GError **error);

/* The number of `owner`, with the name that it has then; times of the window. */
guint recording_names_owner(const struct task_names *names, const struct row_owner *owner,
                            gint64 begin_ns, gint64 end_ns, struct recording_writer *writer);
