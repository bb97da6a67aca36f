/* schedule.h: what every vCPU did, and what every exit was
 *
 * Takes the pieces and visits of all cores (exits.h), has each domain's vCPUs told apart
 * (vcpu-identity.h), and makes the recording's rows of them: vCPUs, their runs with the run
 * states between, and exits. Pure: writes nothing. Owns the rows it makes.
 */
#pragma once

#include "base/system-file.h"
#include "decode/exits.h"
#include "decode/hypervisor-image.h"
#include "decode/vcpu-identity.h"

struct schedule {
	GArray *vcpus;     /* struct row_vcpu */
	GArray *runs;      /* struct row_vcpu_run, by vCPU and start */
	GArray *exits;     /* struct row_exit, in the order of the visits */
	GArray *functions; /* struct row_function, those that exits and calls name */
	GArray *calls;     /* struct row_hypervisor_call, by core and time */
};

/* What is known besides the trace. */
struct schedule_given {
	const struct system_file
		*system; /* numbers of vCPUs, bound tasks, the scheduler; NULL: none */
	/* Code of guests and names of the hypervisor's functions; must outlive the schedule. */
	const struct hypervisor_image *image;
	GArray *markers; /* struct schedule_marker, in any order; NULL: none */
	/* The window in ticks of the trace timestamp, where it has those. */
	gboolean has_ticks;
	gint64 begin_ticks, end_ticks;
	guint64 timestamp_hz;
};

/* The hypervisor's own word that a core goes to a vCPU (docs/instrument). */
struct schedule_marker {
	guint core;
	gint64 time_ns; /* as the pieces count time */
	gint64 vmid;
	gint number;
};

/* Fills all but the time. FALSE where the message is no such marker. */
gboolean schedule_marker_parse(guint32 channel, guint64 value, struct schedule_marker *marker);

/* `origin_ns` is the window's start as the pieces count time, `window_ns` its length. */
void schedule_init(struct schedule *self, const struct exit_list *list,
                   const struct schedule_given *given, gint64 origin_ns, gint64 window_ns);
void schedule_deinit(struct schedule *self);
