/* schedule-wakes.h: when blocked vCPUs were woken
 *
 * The hypervisor's function that makes a vCPU runnable says when, and not whom: its argument
 * is not in the trace. A blocked vCPU is woken once; where all but one of the wakes in a time
 * in which it was blocked are others', the one left is its own. Only such ones are used: from
 * there on it is runnable. Pure.
 */
#pragma once

#include "decode/schedule.h"

/* Splits rows of `schedule->runs`; their order stays. Without calls it does nothing. */
void schedule_split_waits(struct schedule *schedule);
