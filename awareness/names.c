#include "awareness/names.h"

#include <math.h>

struct collector {
	struct system *system;
	const struct system_file *told;
	const struct names_options *options;
	GPtrArray *gaps; /* may be NULL */
	struct system_file *out;
	gboolean has_taken, is_exact;
	uint64_t taken_ticks; /* of the counter */
};

static void add_gap(struct collector *self, const struct machine *machine, const char *text)
{
	if (self->gaps != NULL)
		g_ptr_array_add(self->gaps, g_strdup_printf("%s: %s", machine->name, text));
}

/* The system was still running at `ticks`. */
static void taken_after(struct collector *self, uint64_t ticks)
{
	if (self->is_exact || ticks > G_MAXINT64)
		return;
	self->taken_ticks = self->has_taken ? MAX(self->taken_ticks, ticks) : ticks;
	self->has_taken = TRUE;
}

static gboolean core_register(struct collector *self, unsigned cpu, const char *name,
                              uint64_t *value)
{
	struct target_register found;

	if (!target_register_get(system_target(self->system), cpu, name, &found, NULL))
		return FALSE;
	*value = found.low;
	return TRUE;
}

/* A timer whose condition is met proves that its time has come: CNTx_CTL.ISTATUS, with
 * ENABLE (Arm ARM DDI 0487, D13.8). */
static void taken_from_timer(struct collector *self, unsigned cpu, const char *ctl_name,
                             const char *cval_name, uint64_t offset_ticks)
{
	uint64_t ctl, cval;

	if (core_register(self, cpu, ctl_name, &ctl) && (ctl & 5) == 5 &&
	    core_register(self, cpu, cval_name, &cval))
		taken_after(self, cval + offset_ticks);
}

static void taken_from_core(struct collector *self, unsigned cpu)
{
	uint64_t ticks;

	if (!self->is_exact && core_register(self, cpu, "CNTPCT_EL0", &ticks)) {
		taken_after(self, ticks);
		self->is_exact = TRUE;
	}
	taken_from_timer(self, cpu, "CNTHP_CTL_EL2", "CNTHP_CVAL_EL2", 0);
	taken_from_timer(self, cpu, "CNTP_CTL_EL0", "CNTP_CVAL_EL0", 0);
	if (core_register(self, cpu, "CNTVOFF_EL2", &ticks))
		taken_from_timer(self, cpu, "CNTV_CTL_EL0", "CNTV_CVAL_EL0", ticks);
}

/* What a guest's counter is behind the system's. */
static gboolean counter_offset(struct collector *self, const struct machine *machine,
                               uint64_t *ticks)
{
	struct xen *xen = system_xen(self->system);

	if (xen != NULL)
		return xen_counter_offset(xen, machine, ticks);
	if (!core_register(self, 0, "CNTVOFF_EL2", ticks))
		*ticks = 0;
	return TRUE;
}

/* A guest's clock in terms of the system's counter. */
struct clock {
	gboolean is_known;
	struct guest_clock guest;
	uint64_t offset_ticks;
};

static struct clock clock_of(struct collector *self, struct machine *machine)
{
	struct clock clock = { 0 };
	g_autoptr(GError) error = NULL;

	if (machine->os == NULL || machine->os->clock == NULL)
		return clock;
	if (!machine->os->clock(machine->os, machine, &clock.guest, &error))
		add_gap(self, machine, error->message);
	else if (!counter_offset(self, machine, &clock.offset_ticks))
		add_gap(self, machine,
		        "the offset of its counter is not known, so when its tasks "
		        "started is not either");
	else
		clock.is_known = TRUE;
	if (clock.is_known)
		taken_after(self, clock.guest.ticks + clock.offset_ticks);
	return clock;
}

/* FALSE where the start lies before the counter's. */
static gboolean started_at(const struct clock *clock, uint64_t start_ns, gint64 *ticks)
{
	const double since_ns = (double)(gint64)(start_ns - clock->guest.ns);
	const gint64 since_ticks = (gint64)llround(since_ns / clock->guest.ns_per_tick);

	*ticks = (gint64)(clock->guest.ticks + clock->offset_ticks) + since_ticks;
	return *ticks >= 0;
}

static struct system_task make_task(const struct collector *self, const struct task *task,
                                    const struct task_detail *detail, const struct clock *clock)
{
	struct system_task out = {
		.context_id = (guint32)task->tid,
		.name = g_strdup(task->name),
		.pid = task->pid,
		.cpu = detail->only_cpu >= 0 ? detail->only_cpu : SYSTEM_NO_VALUE,
		.is_kernel = task->is_kernel,
		.start_key = detail->has_start ? detail->start_ns : 0,
		.from_ticks = G_MININT64,
		.to_ticks = G_MAXINT64,
	};

	out.has_start = !self->options->other_clock && clock->is_known && detail->has_start &&
	                started_at(clock, detail->start_ns, &out.started_ticks);
	if (out.has_start) {
		out.started_ticks += self->options->offset_ticks;
		out.has_start = out.started_ticks >= 0;
		out.from_ticks = out.has_start ? out.started_ticks : G_MININT64;
	}
	return out;
}

static void add_task(struct system_machine *out, GHashTable *seen, struct system_task task)
{
	if (g_hash_table_add(seen, GUINT_TO_POINTER(task.context_id)))
		g_array_append_val(out->tasks, task);
	else
		g_free(task.name);
}

/* Context ID 0 is what an idle CPU runs, and is in no list. */
static void add_idle(struct system_machine *out, GHashTable *seen)
{
	const struct system_task idle = {
		.name = g_strdup("swapper"),
		.pid = 0,
		.cpu = SYSTEM_NO_VALUE,
		.is_kernel = TRUE,
		.from_ticks = G_MININT64,
		.to_ticks = G_MAXINT64,
	};

	add_task(out, seen, idle);
}

static void collect_tasks(struct collector *self, struct machine *machine,
                          struct system_machine *out)
{
	const guint n_gaps = machine->gaps->len;
	GPtrArray *tasks = system_tasks(self->system, machine);
	g_autofree struct task_detail *details = g_new0(struct task_detail, tasks->len + 1);
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	const struct clock clock = clock_of(self, machine);

	out->partial = machine->gaps->len > n_gaps;
	out->writes_context_ids = machine->os->writes_context_ids != NULL &&
	                          machine->os->writes_context_ids(machine->os, machine);
	if (machine->kind == MACHINE_KIND_LINUX && !out->writes_context_ids) {
		add_gap(self, machine,
		        "its kernel does not write CONTEXTIDR_EL1 (CONFIG_PID_IN_CONTEXTIDR is "
		        "off): no context ID names a task");
		return;
	}
	for (guint i = 0; i < tasks->len; i++)
		details[i].only_cpu = -1;
	if (machine->os->detail != NULL)
		machine->os->detail(machine->os, machine, tasks, details);
	if (machine->kind == MACHINE_KIND_LINUX)
		add_idle(out, seen);
	for (guint i = 0; i < tasks->len; i++) {
		const struct task *task = g_ptr_array_index(tasks, i);

		if (task->tid >= 0 && task->tid <= G_MAXINT32)
			add_task(out, seen, make_task(self, task, &details[i], &clock));
	}
}

static void collect_vcpu(const struct vcpu *vcpu, GArray *out)
{
	const struct register_value *pc = register_set_find(&vcpu->registers, "pc");
	uint64_t cpsr, context_id;
	struct system_vcpu state = {
		.number = vcpu->id,
		.live = vcpu->live,
		.pcpu = vcpu->live        ? (gint)vcpu->live_cpu
		        : vcpu->pcpu >= 0 ? vcpu->pcpu
		                          : SYSTEM_NO_VALUE,
		.el = SYSTEM_NO_VALUE,
		.context_id = SYSTEM_NO_VALUE,
	};

	/* What is being changed at this very moment is no evidence. */
	if (pc != NULL && !pc->doubtful) {
		state.has_pc = TRUE;
		state.pc_va = pc->value;
		if (register_set_get(&vcpu->registers, "cpsr", &cpsr))
			state.el = (gint)(cpsr >> 2 & 3);
		if (register_set_get(&vcpu->registers, "CONTEXTIDR_EL1", &context_id))
			state.context_id = (gint64)(guint32)context_id;
	}
	if (state.el > 1)
		state.el = SYSTEM_NO_VALUE;
	g_array_append_val(out, state);
}

static void collect_machine(struct collector *self, struct machine *machine)
{
	struct system_machine *out = system_file_add_machine(self->out, machine->number);
	const struct system_machine *words = system_file_machine(self->told, machine->number);
	struct xen *xen = system_xen(self->system);
	uint64_t ticks;

	out->name = g_strdup(machine->name);
	out->kind = machine->kind;
	if (machine->number != 0) {
		out->vmid = (gint)machine->vmid;
		out->vcpus = machine->vcpus->len;
	}
	if (machine->has_program)
		out->build_id = g_strdup(image_build_id(machine->program.image));
	if (words != NULL && words->symbols != NULL)
		out->symbols = g_canonicalize_filename(words->symbols, NULL);
	if (machine->number != 0) {
		for (guint i = 0; i < machine->vcpus->len; i++)
			collect_vcpu(g_ptr_array_index(machine->vcpus, i), out->vcpu_states);
	}
	if (xen != NULL && machine->va.value != 0 && xen_last_change(xen, machine, &ticks))
		taken_after(self, ticks);
	if (machine->os != NULL)
		collect_tasks(self, machine, out);
	for (guint i = 0; i < machine->gaps->len; i++)
		add_gap(self, machine, g_ptr_array_index(machine->gaps, i));
}

static void collect_time(struct collector *self)
{
	const unsigned n_cpus = target_cpu_count(system_target(self->system));
	struct system_look look = { .path = g_strdup(self->out->path) };

	for (unsigned cpu = 0; cpu < n_cpus; cpu++)
		taken_from_core(self, cpu);
	look.target = g_strdup(self->options->target);
	if (self->options->has_taken) {
		look.has_taken = TRUE;
		look.taken_ticks = self->options->taken_ticks;
	} else if (self->has_taken && !self->options->other_clock) {
		look.taken_ticks = (gint64)self->taken_ticks + self->options->offset_ticks;
		look.has_taken = look.taken_ticks >= 0;
	}
	g_array_append_val(self->out->looks, look);
}

struct system_file *names_collect(struct system *system, const struct system_file *told,
                                  const struct names_options *options, GPtrArray *gaps,
                                  GError **error)
{
	struct collector self = {
		.system = system,
		.told = told,
		.options = options,
		.gaps = gaps,
	};
	GPtrArray *machines = system_machines(system);

	if (machines->len == 0) {
		g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
		            "no machine was found in the target: there is nothing to name");
		return NULL;
	}
	self.out = system_file_new("names.ini");
	if (system_xen(system) != NULL)
		self.out->hypervisor = g_strdup("xen");
	for (guint i = 0; i < machines->len; i++)
		collect_machine(&self, g_ptr_array_index(machines, i));
	collect_time(&self);
	system_file_sort(self.out);
	return self.out;
}
