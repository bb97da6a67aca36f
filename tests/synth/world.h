/* world.h: the state of the simulated system, and questions about it
 *
 * Cores, vCPUs and tasks with what they are doing, which of them is due and which waits. What
 * they do next is schedule.c's; this changes nothing but queues and clocks. The scenario and
 * the output outlive it.
 */
#pragma once

#include "tests/synth/core.h"

enum task_state {
	TASK_READY,
	TASK_SLEEPING,
	TASK_WAITING
};

struct task {
	const struct scenario_task *spec;
	enum task_state state;
	guint64 wake_ticks; /* SLEEPING: until then */
	guint64 left_ticks; /* of its burst; 0: none begun */
	guint n_notified;
	guint n_bursts;
};

enum vcpu_state {
	VCPU_QUEUED,
	VCPU_RUNNING,
	VCPU_BLOCKED
};

struct vcpu {
	const struct scenario_vcpu *spec;
	const struct scenario_domain *domain;
	enum vcpu_state state;
	guint64 queued_ticks; /* since when */
	guint home;           /* core that last ran it: takes its timers */
	gint task;            /* index of the task in its CONTEXTIDR */
	gboolean in_task;     /* it runs that task, else its kernel's idle loop */
	guint el;
	guint64 pc_va;
	guint64 segment_ticks; /* until it changes between EL0 and EL1 */
	guint64 exit_ticks;    /* until its next exit of its own */
	gboolean pending_irq;  /* a virtual interrupt for when it runs next */
	gboolean kicked;       /* runs, and another core wants it to take one */
	gboolean halted;       /* WFI that does not trap */
	guint next_task;       /* round robin */
};

struct cpu {
	struct synth_core core;
	gint vcpu; /* running, or NONE: idle */
	guint64 slice_end_ticks;
	gboolean scripted;
};

struct world {
	const struct scenario *scenario;
	struct synth_output *output;
	struct cpu *cpus;
	struct vcpu *vcpus;
	struct task *tasks;
};

void world_init(struct world *w, const struct scenario *scenario, struct synth_output *output);
void world_deinit(struct world *w);

/* Microseconds in ticks, at least 1. */
guint64 world_ticks(const struct world *w, guint64 us);

/* A length out of the range; around `mean` (half of it to one and a half; never where it
 * is 0). Drawn from the core's own random numbers, at least 1. */
guint64 cpu_draw(struct cpu *cpu, const struct scenario_range *range);
guint64 cpu_draw_mean(struct cpu *cpu, guint64 mean);

/* When a timer of this vCPU is next due, and whether any task of it is ready. */
guint64 vcpu_wake_ticks(const struct world *w, const struct vcpu *v);
gboolean vcpu_has_work(const struct world *w, const struct vcpu *v, guint64 now);

/* The next task in turn that is ready, or SCENARIO_NONE. */
gint vcpu_pick_task(const struct world *w, struct vcpu *v, guint64 now);

/* Sleeping tasks whose time has come are ready. */
void vcpu_end_sleeps(struct world *w, const struct vcpu *v, guint64 now);

/* A blocked vCPU waits for a core from `now` on; any other stays as it is. */
void vcpu_queue(struct vcpu *v, guint64 now);

/* The vCPU that waits longest among those that may run on `cpu`, or SCENARIO_NONE. */
gint cpu_next_queued(const struct world *w, const struct cpu *cpu);

/* Timers of blocked vCPUs whose home this core is: the next one, and queueing the due. */
guint64 cpu_home_wake_ticks(const struct world *w, const struct cpu *cpu);
void cpu_wake_due(struct world *w, const struct cpu *cpu);
