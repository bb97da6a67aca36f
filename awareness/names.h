/* names.h: what a halted target knows that its trace does not say
 *
 * Puts the machines, vCPUs and tasks of a system (system.h) into the form of a names file
 * (base/system-file.h, docs/names.md): which domain a VMID is, which task a context ID is
 * and since when, what it is bound to, where each vCPU stood. Knows no trace: its times
 * are ticks of the system's counter, CNTPCT_EL0, which is the trace's timestamp on most
 * systems; whoever knows the difference says so in the options.
 */
#pragma once

#include "awareness/system.h"

struct names_options {
	const char *target; /* what was looked at, for the file; may be NULL */
	/* The counter when the target was halted, where the caller knows it. Otherwise the
	 * target's own CNTPCT_EL0 is taken where it can be read, else the latest moment that
	 * something in its memory proves to have passed. */
	gboolean has_taken;
	gint64 taken_ticks;
	/* Added to the counter to get the trace timestamp. */
	gint64 offset_ticks;
	/* The trace has another clock, and how far they are apart is not known: nothing is
	 * said of when tasks started, nor of when the target was halted unless the caller does. */
	gboolean other_clock;
};

/* Reads all tasks of all machines. The caller frees the result. What cannot be told is
 * left out, with a line in `gaps` (of char *, may be NULL). Error: OS_ERROR_NOT_FOUND
 * where there is no machine at all. */
struct system_file *names_collect(struct system *system, const struct system_file *told,
                                  const struct names_options *options, GPtrArray *gaps,
                                  GError **error);
