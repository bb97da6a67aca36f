/* breakpoints.h: stop when this machine, and this task, gets there
 *
 * A target's breakpoints are bare addresses, which hit on every core and in every
 * machine. Here each belongs to a machine (by VMID) and may belong to a task; a stop
 * that is meant by none of them is stepped over, counted, and the target goes on. At
 * EL0 and EL1 the VMID is VTTBR_EL2's, which the hardware itself translates by at that
 * moment; EL2 is machine 0's. Needs TARGET_CAN_RUN. One thread.
 */
#pragma once

#include "awareness/system.h"

struct breakpoint {
	unsigned id; /* from 1, never used again */
	char *text;  /* as the user wrote it */
	struct va va;
	unsigned len_bytes; /* of a watchpoint; 4 for a breakpoint */
	enum target_break_kind kind;
	int machine; /* its number, or -1 for any */
	int64_t tid; /* or -1 for any task */
	gboolean once;
	uint64_t hits;
	uint64_t skipped; /* stops at its address that it did not mean */
};

struct breakpoints;

/* `system` is borrowed. */
struct breakpoints *breakpoints_new(struct system *system);
void breakpoints_free(struct breakpoints *self);

/* Adds one; takes nothing. Returns its id. It reaches the target when that runs. */
unsigned breakpoints_add(struct breakpoints *self, const struct breakpoint *what);
gboolean breakpoints_remove(struct breakpoints *self, unsigned id);

/* Of struct breakpoint *. */
GPtrArray *breakpoints_list(struct breakpoints *self);

/* Where the target stopped. */
struct stop_place {
	struct target_stop stop;
	struct machine *machine; /* as the core stands: the hypervisor at EL2 */
	struct vcpu *vcpu;       /* of that machine; NULL where it is not known */
	struct task *task;       /* NULL where none is known */
	struct va pc;
	const struct breakpoint *hit; /* NULL where none of ours was meant; valid until
	                               * the next change */
	uint64_t skipped;             /* stops stepped over on the way */
};

/* Lets the target run until a breakpoint of ours is meant, another reason stops it, or
 * the time is up (then it is halted). The system is read anew at the stop. Errors:
 * the target's. */
gboolean breakpoints_run(struct breakpoints *self, unsigned timeout_ms, struct stop_place *out,
                         GError **error);

/* One instruction of one core. */
gboolean breakpoints_step(struct breakpoints *self, unsigned cpu, struct stop_place *out,
                          GError **error);

/* Where core `cpu` stands now. */
void stop_place_of(struct system *system, unsigned cpu, struct stop_place *out);
