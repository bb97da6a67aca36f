/* guest-os.h: what awareness of an operating system provides
 *
 * One interface for Linux and FreeRTOS, so that listings, registers and the
 * unwinder need not know which. Members may be NULL where the system has no such
 * thing. Each takes the machine it was made for; none keeps what it returns.
 */
#pragma once

#include "awareness/os/machine.h"

/* A guest's monotonic clock against its counter (CNTVCT_EL0). */
struct guest_clock {
	uint64_t ticks; /* the clock was set forward here last, */
	uint64_t ns;    /* to this, */
	double ns_per_tick;
};

/* What listings do not show of a task. */
struct task_detail {
	gboolean has_start;
	uint64_t start_ns; /* on the guest's monotonic clock */
	int only_cpu;      /* the one CPU that it may run on; -1: several, or not known */
};

struct guest_os {
	char *name;   /* "Linux 6.1.0", "FreeRTOS" */
	char *banner; /* what the system says of itself; NULL where it says nothing */
	/* Appends struct task *. What cannot be read becomes a gap of the machine and
	 * the list ends or goes on without it. */
	void (*list_tasks)(struct guest_os *self, struct machine *machine, GPtrArray *tasks);
	/* The task that runs on the vCPU, by the system's own word. */
	gboolean (*current)(struct guest_os *self, struct machine *machine, const struct vcpu *vcpu,
	                    struct va *task, GError **error);
	/* The number of the task at `task`. */
	gboolean (*tid_of)(struct guest_os *self, struct machine *machine, struct va task,
	                   int64_t *tid);
	/* The registers that the system saved of a task that does not run: what it
	 * does in the kernel, and what it will do in its own code. */
	gboolean (*saved_registers)(struct guest_os *self, struct machine *machine,
	                            const struct task *task, struct register_set *kernel,
	                            struct register_set *user, GError **error);
	/* The stack [low, high) of a task. */
	gboolean (*stack)(struct guest_os *self, struct machine *machine, const struct task *task,
	                  struct va *low, struct va *high, GError **error);
	/* The system's log, oldest first. A new string. */
	char *(*log)(struct guest_os *self, struct machine *machine, GError **error);
	/* Fills details[i] for tasks[i]; what cannot be read is not known. */
	void (*detail)(struct guest_os *self, struct machine *machine, GPtrArray *tasks,
	               struct task_detail *details);
	gboolean (*clock)(struct guest_os *self, struct machine *machine, struct guest_clock *out,
	                  GError **error);
	/* Whether its code writes the running thread's number into CONTEXTIDR_EL1. */
	gboolean (*writes_context_ids)(struct guest_os *self, struct machine *machine);
	void (*free)(struct guest_os *self);
};
