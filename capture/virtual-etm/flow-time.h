/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow-time.h: the time of a flow, for flow.c alone
 *
 * -icount makes QEMU's clock go with the instructions of all cores, but for the jumps
 * when all of them wait. What others may ask is in flow.h.
 */
#pragma once

#include "capture/virtual-etm/flow.h"

/* ns when flow.insns was `insns`, as far as is known. */
uint64_t flow_ns_at(const struct flow *self, uint64_t insns);

/* A core read `counter` (CNTPCT) when flow.insns was `at_insns`. */
void flow_correct_time(struct flow *self, uint64_t counter, uint64_t at_insns);

/* `block` of the running core was executed whole. Where it ended with a WFI and all cores wait,
 * QEMU has moved its clock to the next timer, unseen. A WFI that traps waits for nothing. */
void flow_end_wait(struct flow *self, const struct flow_block *block);
