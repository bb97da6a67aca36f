/* schedule.h: what every vCPU did, and what every exit was
 *
 * Takes the pieces and visits of all cores (exits.h), has each domain's vCPUs told apart
 * (vcpu-identity.h), and makes the recording's rows of them: vCPUs, their runs with the run
 * states between, and exits. Pure: writes nothing. Owns the rows it makes.
 */
#pragma once

#include "base/system-file.h"
#include "decode/exits.h"
#include "decode/vcpu-identity.h"

struct schedule {
	GArray *vcpus; /* struct row_vcpu */
	GArray *runs;  /* struct row_vcpu_run, by vCPU and start */
	GArray *exits; /* struct row_exit, in the order of the visits */
};

/* `origin_ns` is the window's start as the pieces count time, `window_ns` its length. From
 * `system` (NULL: none) come the numbers of vCPUs, the bound tasks, and the scheduler. */
void schedule_init(struct schedule *self, const struct exit_list *list,
                   const struct system_file *system, gint64 origin_ns, gint64 window_ns);
void schedule_deinit(struct schedule *self);
