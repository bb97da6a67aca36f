/* session-sysfs.h: a capture through Linux's own CoreSight drivers
 *
 * Runs on the target. The kernel programs; this switches its sources and its sink on
 * and off under /sys/bus/coresight/devices, reads the trace from /dev and the
 * registers from sysfs, and writes the same capture directory as session.h. It knows
 * no registers' addresses.
 *
 * A kernel that is not VHE always excludes EL2, so a guest or Dom0 cannot see Xen
 * this way; only what the kernel allows can be asked for (facts of Linux's
 * coresight-etm4x-sysfs.c).
 */
#pragma once

#include "capture/session.h"

struct session_sysfs_config {
	const char *root; /* "" on a target; tests have a tree of their own */
	const char *sink; /* the kernel's name, "tmc_etr0"; or etr, etf1, etf2 */
	guint64 cores;    /* bit mask; 0: all */
	guint64 for_us;
	guint64 buffer_bytes; /* of an ETR; 0: as it is */
	const char *out_dir;
};

/* `stop` ends the run, as in session_run. What was switched on is switched off again and `mode`
 * is put back, on failure too. */
gboolean session_sysfs_run(const struct session_sysfs_config *config, GCancellable *stop,
                           session_progress_fn progress, gpointer progress_data,
                           struct session_result *result, GError **error);
