/* schedule.h: a hypervisor at work, simulated
 *
 * Runs the scenario's vCPUs and tasks on its cores as a type-1 hypervisor of Xen's kind
 * does: run queue with slices, exits, blocking on WFI, timers, notifications from task to
 * task, guests' own switches between EL0, EL1 and tasks. A plausible schedule, not a model
 * of any real scheduler. Cores that have script steps follow those instead.
 */
#pragma once

#include "tests/synth/core.h"

/* Simulates all of the scenario; trace and truth go to `output`. */
void schedule_run(const struct scenario *scenario, struct synth_output *output);
