/* names-write.h: from a target to a names file
 *
 * What `hvscope names` and the end of `hvscope capture` share: opens the target, collects
 * (awareness/names.h), writes (base/system-file.h).
 */
#pragma once

#include <glib.h>

struct names_job {
	const char *target; /* as `hvscope debug` takes it */
	const char *system; /* system file; NULL: none */
	const char *output;
	gboolean run_on; /* let a live target run afterwards; else it stays halted */
	/* As in struct names_options. */
	gboolean has_taken;
	gint64 taken_ticks, offset_ticks;
	gboolean other_clock;
	GPtrArray *gaps; /* of char *: what could not be told; may be NULL */
};

/* What was written. */
struct names_counts {
	guint machines, tasks, vcpus, bound; /* bound: tasks that one CPU only may run */
	gboolean has_taken;
};

gboolean names_write(const struct names_job *job, struct names_counts *counts, GError **error);

/* The same at the end of a capture: into `dir`, with a line on stdout or, where it did not
 * work, on stderr: a capture is good without. `quiet` leaves out the good news. */
void names_write_to_capture(const struct names_job *job, const char *dir, gboolean quiet);

/* "4 machines, 80 tasks (12 bound to one CPU), 7 vCPUs". Free the result. */
char *names_counts_text(const struct names_counts *counts);
