#include "tests/synth/world.h"

#include "tests/synth/script.h"

guint64 world_ticks(const struct world *w, guint64 us)
{
	return MAX(1, us * 1000 / w->scenario->ns_per_tick);
}

guint64 cpu_draw(struct cpu *cpu, const struct scenario_range *range)
{
	return MAX(1, synth_core_random(&cpu->core, range->min, range->max));
}

/* Around `mean`: half of it to one and a half. */
guint64 cpu_draw_mean(struct cpu *cpu, guint64 mean)
{
	return mean == 0 ? G_MAXUINT64
	                 : MAX(1, synth_core_random(&cpu->core, mean / 2, mean + mean / 2));
}

static gboolean task_is_ready(const struct task *task, guint64 now)
{
	switch (task->state) {
	case TASK_READY:
		return TRUE;
	case TASK_SLEEPING:
		return task->wake_ticks <= now;
	case TASK_WAITING:
		return task->n_notified > 0;
	}
	return FALSE;
}

/* When a timer of this vCPU is next due. */
guint64 vcpu_wake_ticks(const struct world *w, const struct vcpu *v)
{
	guint64 wake = G_MAXUINT64;

	for (guint i = 0; i < v->spec->tasks->len; i++) {
		const struct task *task = &w->tasks[g_array_index(v->spec->tasks, guint, i)];

		if (task->state == TASK_SLEEPING)
			wake = MIN(wake, task->wake_ticks);
	}
	return wake;
}

gboolean vcpu_has_work(const struct world *w, const struct vcpu *v, guint64 now)
{
	for (guint i = 0; i < v->spec->tasks->len; i++) {
		if (task_is_ready(&w->tasks[g_array_index(v->spec->tasks, guint, i)], now))
			return TRUE;
	}
	return FALSE;
}

/* The next task in turn that is ready, or NONE. */
gint vcpu_pick_task(const struct world *w, struct vcpu *v, guint64 now)
{
	const GArray *tasks = v->spec->tasks;

	for (guint i = 0; i < tasks->len; i++) {
		const guint at = (v->next_task + i) % tasks->len;
		const guint index = g_array_index(tasks, guint, at);

		if (task_is_ready(&w->tasks[index], now)) {
			v->next_task = at + 1;
			return (gint)index;
		}
	}
	return SCENARIO_NONE;
}

void vcpu_queue(struct vcpu *v, guint64 now)
{
	if (v->state != VCPU_BLOCKED)
		return;
	v->state = VCPU_QUEUED;
	v->queued_ticks = now;
}

/* The vCPU that waits longest among those that may run here, or NONE. */
gint cpu_next_queued(const struct world *w, const struct cpu *cpu)
{
	const guint64 bit = G_GUINT64_CONSTANT(1) << cpu->core.index;
	gint best = SCENARIO_NONE;

	for (guint i = 0; i < w->scenario->vcpus->len; i++) {
		const struct vcpu *v = &w->vcpus[i];

		if (v->state != VCPU_QUEUED || (v->spec->cores & bit) == 0 ||
		    v->queued_ticks > cpu->core.now_ticks)
			continue;
		if (best == SCENARIO_NONE || v->queued_ticks < w->vcpus[best].queued_ticks)
			best = (gint)i;
	}
	return best;
}

/* Timers of blocked vCPUs whose home this core is. */
guint64 cpu_home_wake_ticks(const struct world *w, const struct cpu *cpu)
{
	guint64 wake = G_MAXUINT64;

	for (guint i = 0; i < w->scenario->vcpus->len; i++) {
		const struct vcpu *v = &w->vcpus[i];

		if (v->state == VCPU_BLOCKED && v->home == cpu->core.index)
			wake = MIN(wake, vcpu_wake_ticks(w, v));
	}
	return wake;
}

void cpu_wake_due(struct world *w, const struct cpu *cpu)
{
	for (guint i = 0; i < w->scenario->vcpus->len; i++) {
		struct vcpu *v = &w->vcpus[i];

		if (v->state == VCPU_BLOCKED && v->home == cpu->core.index &&
		    vcpu_wake_ticks(w, v) <= cpu->core.now_ticks) {
			vcpu_queue(v, cpu->core.now_ticks);
			v->pending_irq = TRUE;
		}
	}
}

void vcpu_end_sleeps(struct world *w, const struct vcpu *v, guint64 now)
{
	for (guint i = 0; i < v->spec->tasks->len; i++) {
		struct task *task = &w->tasks[g_array_index(v->spec->tasks, guint, i)];

		if (task->state == TASK_SLEEPING && task->wake_ticks <= now)
			task->state = TASK_READY;
	}
}

/* A task that waits and that nobody would ever wake first starts by itself. */
static void start_tasks(struct world *w)
{
	for (guint i = 0; i < w->scenario->tasks->len; i++) {
		const struct scenario_task *spec =
			&g_array_index(w->scenario->tasks, struct scenario_task, i);

		if (spec->waits && spec->notify_task != SCENARIO_NONE &&
		    (guint)spec->notify_task > i &&
		    g_array_index(w->scenario->tasks, struct scenario_task, spec->notify_task)
		            .waits)
			w->tasks[i].n_notified = 1;
	}
}

static void start_vcpus(struct world *w)
{
	for (guint i = 0; i < w->scenario->vcpus->len; i++) {
		struct vcpu *v = &w->vcpus[i];

		v->spec = &g_array_index(w->scenario->vcpus, struct scenario_vcpu, i);
		v->domain = &g_array_index(w->scenario->domains, struct scenario_domain,
		                           v->spec->domain);
		v->home = (guint)g_bit_nth_lsf((gulong)v->spec->cores, -1);
		v->task = v->spec->tasks->len > 0 ? (gint)g_array_index(v->spec->tasks, guint, 0)
		                                  : SCENARIO_NONE;
		v->el = 1;
		v->pc_va = G_GUINT64_CONSTANT(0xFFFF800008020000);
		v->segment_ticks = G_MAXUINT64;
		v->exit_ticks = cpu_draw_mean(&w->cpus[v->home], v->spec->exit_ticks);
		v->state = vcpu_has_work(w, v, 0) ? VCPU_QUEUED : VCPU_BLOCKED;
	}
}

void world_init(struct world *w, const struct scenario *scenario, struct synth_output *output)
{
	*w = (struct world) { .scenario = scenario, .output = output };
	w->cpus = g_new0(struct cpu, scenario->n_cores);
	w->vcpus = g_new0(struct vcpu, scenario->vcpus->len + 1);
	w->tasks = g_new0(struct task, scenario->tasks->len + 1);
	for (guint i = 0; i < scenario->n_cores; i++) {
		synth_core_init(&w->cpus[i].core, scenario, i, output);
		w->cpus[i].vcpu = SCENARIO_NONE;
		w->cpus[i].scripted = script_has_core(scenario, i);
	}
	for (guint i = 0; i < scenario->tasks->len; i++) {
		w->tasks[i].spec = &g_array_index(scenario->tasks, struct scenario_task, i);
		w->tasks[i].state = w->tasks[i].spec->waits ? TASK_WAITING : TASK_READY;
	}
	start_tasks(w);
	start_vcpus(w);
}

void world_deinit(struct world *w)
{
	g_free(w->cpus);
	g_free(w->vcpus);
	g_free(w->tasks);
}
