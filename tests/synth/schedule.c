#include "tests/synth/schedule.h"

#include "tests/synth/script.h"
#include "tests/synth/world.h"

/* Steps are short enough that cores see each other's doings in time. */
static const guint64 step_us = 100;
static const guint64 idle_step_us = 5;

static struct synth_place guest_place(const struct world *w, const struct vcpu *v)
{
	return (struct synth_place) {
		.el = v->el,
		.vmid = v->domain->vmid,
		.context_id = v->task == SCENARIO_NONE ? 0 : w->tasks[v->task].spec->context_id,
		.vcpu = v->spec->name,
	};
}

/* Xen's own code, with the VMID and context ID that the registers still hold. */
static struct synth_place hypervisor_place(const struct cpu *cpu)
{
	struct synth_place place = cpu->core.place;

	place.el = 2;
	return place;
}

static guint64 guest_address(struct cpu *cpu, const struct vcpu *v,
                             const struct scenario_task *task)
{
	const guint64 offset = synth_core_random(&cpu->core, 0, 0x1FFF) * 4;

	if (v->el == 0)
		return 0x400000 + (guint64)task->context_id * 0x100000 + offset;
	return G_GUINT64_CONSTANT(0xFFFF800008020000) + offset * 16;
}

static void plan_segment(struct cpu *cpu, struct vcpu *v, const struct scenario_task *task)
{
	const guint percent = task->kernel_percent;

	if (percent >= 100 || task->syscall_ticks == 0)
		v->segment_ticks = G_MAXUINT64;
	else if (v->el == 0)
		v->segment_ticks = cpu_draw_mean(cpu, task->syscall_ticks);
	else
		v->segment_ticks =
			cpu_draw_mean(cpu, MAX(1, task->syscall_ticks * percent / (100 - percent)));
}

/* From the guest into EL2. */
static void leave(struct world *w, struct cpu *cpu, guint exception)
{
	struct vcpu *v = &w->vcpus[cpu->vcpu];
	const struct synth_place place = hypervisor_place(cpu);

	v->pc_va = cpu->core.pc_va + (exception == ETM4_EXCEPTION_CALL ? 4 : 0);
	v->halted = FALSE;
	synth_core_exception(&cpu->core, exception, &place);
	synth_core_run(&cpu->core, cpu_draw(cpu, &w->scenario->visit_ticks));
}

static void enter(struct world *w, struct cpu *cpu)
{
	const struct vcpu *v = &w->vcpus[cpu->vcpu];
	const struct synth_place place = guest_place(w, v);

	synth_core_return(&cpu->core, &place, v->pc_va);
}

/* In EL2: the core gets another vCPU, whose VMID and context ID go into the registers
 * halfway through. */
static void switch_to(struct world *w, struct cpu *cpu, guint index)
{
	struct vcpu *v = &w->vcpus[index];
	struct synth_place place = guest_place(w, v);
	const guint64 cost = cpu_draw(cpu, &w->scenario->switch_ticks);

	synth_core_run(&cpu->core, cost / 2);
	place.el = 2;
	synth_core_context(&cpu->core, &place);
	synth_core_run(&cpu->core, cost - cost / 2);
	v->state = VCPU_RUNNING;
	v->home = cpu->core.index;
	cpu->vcpu = (gint)index;
	cpu->slice_end_ticks = cpu->core.now_ticks + w->scenario->slice_ticks;
}

/* Goes idle: the registers keep what they held. */
static void go_idle(struct world *w, struct cpu *cpu)
{
	synth_core_serve(&cpu->core, "");
	synth_core_run(&cpu->core, cpu_draw(cpu, &w->scenario->switch_ticks));
	cpu->vcpu = SCENARIO_NONE;
}

/* In EL2: who is next. The present vCPU stays unless it cannot or its slice is over. */
static void reschedule(struct world *w, struct cpu *cpu)
{
	const gint next = cpu_next_queued(w, cpu);

	if (cpu->vcpu != SCENARIO_NONE) {
		struct vcpu *v = &w->vcpus[cpu->vcpu];
		const gboolean over = cpu->core.now_ticks >= cpu->slice_end_ticks;

		if (v->state == VCPU_RUNNING && (next == SCENARIO_NONE || !over)) {
			if (over)
				cpu->slice_end_ticks =
					cpu->core.now_ticks + w->scenario->slice_ticks;
			enter(w, cpu);
			return;
		}
		if (v->state == VCPU_RUNNING) {
			v->state = VCPU_QUEUED;
			v->queued_ticks = cpu->core.now_ticks;
		}
	}
	if (next == SCENARIO_NONE) {
		go_idle(w, cpu);
		return;
	}
	switch_to(w, cpu, (guint)next);
	enter(w, cpu);
}

static void mark(struct world *w, struct cpu *cpu, const struct task *task, gboolean begins)
{
	if (task->spec->stm_channel != SCENARIO_NONE)
		synth_output_stm(w->output, cpu->core.now_ticks, (guint)task->spec->stm_channel,
		                 (guint64)task->n_bursts << 1 | (begins ? 1 : 0));
}

/* In EL1: the guest's scheduler gives the vCPU to a task that is ready, or waits. */
static void guest_schedule(struct world *w, struct cpu *cpu)
{
	struct vcpu *v = &w->vcpus[cpu->vcpu];

	vcpu_end_sleeps(w, v, cpu->core.now_ticks);

	const gint next = vcpu_pick_task(w, v, cpu->core.now_ticks);

	v->in_task = next != SCENARIO_NONE;
	if (next == SCENARIO_NONE) {
		v->segment_ticks = G_MAXUINT64;
		if (!v->spec->traps_wfi) {
			v->halted = TRUE;
			return;
		}
		leave(w, cpu, ETM4_EXCEPTION_TRAP);
		v->state = VCPU_BLOCKED;
		reschedule(w, cpu);
		return;
	}

	struct task *task = &w->tasks[next];

	if (task->state == TASK_WAITING)
		task->n_notified--;
	task->state = TASK_READY;
	if (v->task != next) {
		v->task = next;

		const struct synth_place place = guest_place(w, v);

		synth_core_context(&cpu->core, &place);
	}
	if (task->left_ticks == 0) {
		task->left_ticks = cpu_draw(cpu, &task->spec->burst_ticks);
		task->n_bursts++;
		mark(w, cpu, task, TRUE);
	}
	if (task->spec->kernel_percent < 100) {
		v->el = 0;

		const struct synth_place place = guest_place(w, v);

		synth_core_return(&cpu->core, &place, guest_address(cpu, v, task->spec));
	}
	plan_segment(cpu, v, task->spec);
}

/* The guest takes an exception to its own EL1. */
static void guest_exception(struct world *w, struct cpu *cpu, guint exception)
{
	struct vcpu *v = &w->vcpus[cpu->vcpu];

	v->el = 1;

	const struct synth_place place = guest_place(w, v);

	synth_core_exception(&cpu->core, exception, &place);
}

/* After a virtual interrupt: the guest's handler, then its scheduler. */
static void take_interrupt(struct world *w, struct cpu *cpu)
{
	w->vcpus[cpu->vcpu].pending_irq = FALSE;
	guest_exception(w, cpu, ETM4_EXCEPTION_IRQ);
	synth_core_run(&cpu->core, world_ticks(w, 1));
	guest_schedule(w, cpu);
}

static void notify(struct world *w, struct cpu *cpu, guint target)
{
	struct task *task = &w->tasks[target];
	struct vcpu *v = &w->vcpus[task->spec->vcpu];

	leave(w, cpu, ETM4_EXCEPTION_CALL);
	task->n_notified++;
	v->pending_irq = TRUE;
	v->kicked = v->state == VCPU_RUNNING && v != &w->vcpus[cpu->vcpu];
	vcpu_queue(v, cpu->core.now_ticks);
	reschedule(w, cpu);
}

/* The burst is over: system call, perhaps a notification, then the next task. */
static void end_burst(struct world *w, struct cpu *cpu)
{
	struct vcpu *v = &w->vcpus[cpu->vcpu];
	struct task *task = &w->tasks[v->task];
	const struct scenario_task *spec = task->spec;

	mark(w, cpu, task, FALSE);
	if (v->el == 0)
		guest_exception(w, cpu, ETM4_EXCEPTION_CALL);
	synth_core_run(&cpu->core, world_ticks(w, 1));
	if (spec->waits) {
		task->state = TASK_WAITING;
	} else if (spec->sleep_ticks.max > 0) {
		task->state = TASK_SLEEPING;
		task->wake_ticks = cpu->core.now_ticks + cpu_draw(cpu, &spec->sleep_ticks);
	}
	v->in_task = FALSE;
	if (spec->notify_task != SCENARIO_NONE) {
		const gint before = cpu->vcpu;

		notify(w, cpu, (guint)spec->notify_task);
		if (cpu->vcpu != before)
			return; /* its scheduler runs when it is back */
	}
	guest_schedule(w, cpu);
}

static void toggle_el(struct world *w, struct cpu *cpu)
{
	struct vcpu *v = &w->vcpus[cpu->vcpu];
	const struct scenario_task *task = w->tasks[v->task].spec;

	if (v->el == 0) {
		guest_exception(w, cpu,
		                synth_core_random(&cpu->core, 0, 7) == 0 ? ETM4_EXCEPTION_DATA_FAULT
		                                                         : ETM4_EXCEPTION_CALL);
	} else {
		v->el = 0;

		const struct synth_place place = guest_place(w, v);

		synth_core_return(&cpu->core, &place, guest_address(cpu, v, task));
	}
	plan_segment(cpu, v, task);
}

static void interrupt(struct world *w, struct cpu *cpu)
{
	leave(w, cpu, ETM4_EXCEPTION_IRQ);
	cpu_wake_due(w, cpu);
	reschedule(w, cpu);
}

/* A vCPU that was entered: what it waited for comes first. */
static gboolean catch_up(struct world *w, struct cpu *cpu)
{
	struct vcpu *v = &w->vcpus[cpu->vcpu];

	if (v->kicked) {
		v->kicked = FALSE;
		interrupt(w, cpu);
		return TRUE;
	}
	if (v->pending_irq) {
		take_interrupt(w, cpu);
		return TRUE;
	}
	if (!v->in_task && !v->halted) {
		guest_schedule(w, cpu);
		return TRUE;
	}
	return FALSE;
}

static guint64 until(guint64 at, guint64 now)
{
	return at > now ? at - now : 0;
}

/* A guest in a WFI that does not trap. */
static void halted_step(struct world *w, struct cpu *cpu, guint64 limit)
{
	struct vcpu *v = &w->vcpus[cpu->vcpu];
	const guint64 now = cpu->core.now_ticks;
	const guint64 own = vcpu_wake_ticks(w, v);
	const guint64 wake = MIN(own, cpu_home_wake_ticks(w, cpu));

	if (wake > now && cpu_next_queued(w, cpu) == SCENARIO_NONE) {
		synth_core_halt(&cpu->core, MIN(until(wake, now), limit));
		return;
	}
	if (own <= now)
		v->pending_irq = TRUE;
	cpu->slice_end_ticks = MIN(cpu->slice_end_ticks, now);
	interrupt(w, cpu);
}

static void guest_step(struct world *w, struct cpu *cpu, guint64 limit)
{
	struct vcpu *v = &w->vcpus[cpu->vcpu];
	const guint64 now = cpu->core.now_ticks;

	if (catch_up(w, cpu))
		return;
	if (v->halted) {
		halted_step(w, cpu, limit);
		return;
	}

	struct task *task = &w->tasks[v->task];
	const guint64 timer = MIN(cpu_home_wake_ticks(w, cpu), vcpu_wake_ticks(w, v));
	const guint64 slice = cpu_next_queued(w, cpu) != SCENARIO_NONE
	                              ? until(cpu->slice_end_ticks, now)
	                              : G_MAXUINT64;
	const guint64 to_event = MIN(MIN(task->left_ticks, v->segment_ticks),
	                             MIN(v->exit_ticks, MIN(until(timer, now), slice)));
	const guint64 ticks = MIN(to_event, MIN(limit, world_ticks(w, step_us)));

	synth_core_run(&cpu->core, ticks);
	task->left_ticks -= ticks;
	v->segment_ticks -= v->segment_ticks == G_MAXUINT64 ? 0 : ticks;
	v->exit_ticks -= v->exit_ticks == G_MAXUINT64 ? 0 : ticks;
	if (ticks < to_event)
		return;
	if (timer <= cpu->core.now_ticks || slice == ticks) {
		if (vcpu_wake_ticks(w, v) <= cpu->core.now_ticks)
			v->pending_irq = TRUE;
		interrupt(w, cpu);
	} else if (task->left_ticks == 0) {
		end_burst(w, cpu);
	} else if (v->exit_ticks == 0) {
		v->exit_ticks = cpu_draw_mean(cpu, v->spec->exit_ticks);
		leave(w, cpu,
		      synth_core_random(&cpu->core, 0, 2) == 0 ? ETM4_EXCEPTION_TRAP
		                                               : ETM4_EXCEPTION_DATA_FAULT);
		reschedule(w, cpu);
	} else {
		toggle_el(w, cpu);
	}
}

static void idle_step(struct world *w, struct cpu *cpu, guint64 limit)
{
	const guint64 wake = cpu_home_wake_ticks(w, cpu);
	const struct synth_place place = hypervisor_place(cpu);

	if (cpu_next_queued(w, cpu) == SCENARIO_NONE && wake > cpu->core.now_ticks) {
		synth_core_halt(&cpu->core, MIN(until(wake, cpu->core.now_ticks), limit));
		return;
	}
	/* Xen's idle loop is woken by an interrupt that EL2 takes from itself. */
	synth_core_exception(&cpu->core, ETM4_EXCEPTION_IRQ, &place);
	synth_core_run(&cpu->core, cpu_draw(cpu, &w->scenario->visit_ticks));
	cpu_wake_due(w, cpu);
	reschedule(w, cpu);
}

/* How far `cpu` may go alone: to where the next core stands, or a little beyond; and to
 * the end. When every core halts, until something is due. */
static guint64 step_limit(const struct world *w, const struct cpu *cpu)
{
	const guint64 now = cpu->core.now_ticks;
	guint64 others = G_MAXUINT64;
	gboolean all_idle = TRUE;

	for (guint i = 0; i < w->scenario->n_cores; i++) {
		const struct cpu *other = &w->cpus[i];

		if (other == cpu || other->scripted)
			continue;
		others = MIN(others, other->core.now_ticks);
		all_idle &= other->vcpu == SCENARIO_NONE;
	}

	const guint64 least = world_ticks(w, idle_step_us);
	const guint64 ahead = others == G_MAXUINT64 ? G_MAXUINT64 : until(others, now);
	const guint64 limit = all_idle && cpu->vcpu == SCENARIO_NONE
	                              ? MAX(ahead, world_ticks(w, 20 * idle_step_us))
	                              : MAX(ahead, least);

	return MIN(limit, w->scenario->duration_ticks - now);
}

static struct cpu *earliest(struct world *w)
{
	struct cpu *best = NULL;

	for (guint i = 0; i < w->scenario->n_cores; i++) {
		struct cpu *cpu = &w->cpus[i];

		if (!cpu->scripted && cpu->core.now_ticks < w->scenario->duration_ticks &&
		    (best == NULL || cpu->core.now_ticks < best->core.now_ticks))
			best = cpu;
	}
	return best;
}

void schedule_run(const struct scenario *scenario, struct synth_output *output)
{
	const struct synth_place start = { .el = 2, .vcpu = "" };
	struct world w;
	struct cpu *cpu;

	world_init(&w, scenario, output);
	for (guint i = 0; i < scenario->n_cores; i++)
		synth_core_begin(&w.cpus[i].core, &start);
	for (guint i = 0; i < scenario->n_cores; i++) {
		if (w.cpus[i].scripted)
			script_run(scenario, &w.cpus[i].core, output);
	}
	while ((cpu = earliest(&w)) != NULL) {
		const guint64 limit = step_limit(&w, cpu);

		if (cpu->vcpu == SCENARIO_NONE)
			idle_step(&w, cpu, limit);
		else
			guest_step(&w, cpu, limit);
	}
	world_deinit(&w);
}
