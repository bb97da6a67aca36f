/* schedule-identity.h: what is known besides the trace, for telling vCPUs apart
 *
 * Puts together what vcpu-identity.h takes: from the description of the system the number of
 * vCPUs, the scheduler, the tasks that are bound to one CPU and how a halted target's vCPUs
 * stood; from the STM the hypervisor's own markers of a switch (docs/instrument). Pure.
 */
#pragma once

#include "decode/schedule.h"

/* Per piece of the list the vCPU number that a marker in the visit before it names, else
 * IDENTITY_NO_NUMBER. To be freed. */
gint *schedule_marked(const struct schedule_given *given, const struct exit_list *list);

/* Tells one domain's vCPUs apart. `marked` is schedule_marked()'s. */
void schedule_tell_apart(const struct schedule_given *given, const struct exit_list *list,
                         const gint *marked, gint64 vmid, struct identity *identities,
                         struct identity_summary *summary);
