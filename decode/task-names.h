/* task-names.h: which task bore a context ID, and when
 *
 * Takes the tasks of a description (base/system-file.h), whose periods count ticks, and
 * tells for an owner and a time of a recording which of them it was. Pure: reads nothing,
 * writes nothing. It owns what it makes; the strings of its rows are the description's,
 * which must outlive it.
 */
#pragma once

#include "base/system-file.h"
#include "decode/timebase.h"
#include "schema/rows.h"

struct task_names {
	GArray *rows; /* struct row_task_name, by machine, context ID and time */
	const struct system_file *system;
	GHashTable *first;   /* key of machine and context ID -> index of its first row + 1 */
	gboolean has_vmid_0; /* a machine claims VMID 0: the owner of class host */
};

/* `origin_ns` is the window's start, counted as `time` counts. Where the recording's time
 * does not rest on timestamps, periods mean nothing, and each context ID has its last
 * name throughout. `system` may be NULL. */
void task_names_init(struct task_names *self, const struct system_file *system,
                     const struct timebase_config *time, gint64 origin_ns);
void task_names_deinit(struct task_names *self);

/* What row_owner.task_name is for that owner in the middle of [begin_ns, end_ns) of the
 * window: clocks of guests are read at another time than the trace's, so that a change
 * between two tasks may seem a little off; no span belongs to two. */
guint task_names_find(const struct task_names *self, const struct row_owner *owner, gint64 begin_ns,
                      gint64 end_ns);
