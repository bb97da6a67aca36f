#include "gui/debug/scene.h"

#include <glib/gi18n.h>

static uint64_t value_of(const struct vcpu *vcpu, const char *name)
{
	uint64_t value = 0;

	register_set_get(&vcpu->registers, name, &value);
	return value;
}

static void free_vcpu(gpointer data)
{
	struct scene_vcpu *self = data;

	g_free(self->state);
	g_free(self->where);
	g_free(self->task);
	g_free(self);
}

static void free_task(gpointer data)
{
	struct scene_task *self = data;

	g_free(self->name);
	g_free(self);
}

static void free_machine(gpointer data)
{
	struct scene_machine *self = data;

	g_free(self->name);
	g_free(self->system);
	g_free(self->state);
	g_ptr_array_unref(self->vcpus);
	g_ptr_array_unref(self->tasks);
	g_ptr_array_unref(self->gaps);
	g_free(self);
}

/* What comes from a target's memory may be no UTF-8. */
static char *valid(const char *text)
{
	return text != NULL ? g_utf8_make_valid(text, -1) : NULL;
}

static struct scene_vcpu *copy_vcpu(struct debug *debug, struct machine *machine,
                                    const struct vcpu *vcpu)
{
	struct scene_vcpu *self = g_new0(struct scene_vcpu, 1);
	const struct task *task = vcpu->live && machine->tasks != NULL
	                                  ? system_current_task(debug->system, machine, vcpu)
	                                  : NULL;

	self->id = vcpu->id;
	self->state = g_strdup(vcpu_state_name(vcpu->state));
	self->live = vcpu->live;
	self->pcpu = vcpu->pcpu;
	self->el = (guint)(value_of(vcpu, "cpsr") >> 2 & 3);
	self->pc = value_of(vcpu, "pc");
	if (machine->has_program)
		self->where = program_name_address(&machine->program, (struct va) { self->pc });
	self->tid = task != NULL ? task->tid : -1;
	self->task = valid(task != NULL ? task->name : NULL);
	return self;
}

static struct scene_task *copy_task(const struct task *task)
{
	struct scene_task *self = g_new0(struct scene_task, 1);

	self->pid = task->pid;
	self->tid = task->tid;
	self->parent = task->parent;
	self->name = valid(task->name != NULL ? task->name : "?");
	self->letter = task_state_letter(task->state);
	self->state = task_state_name(task->state);
	self->is_kernel = task->is_kernel;
	self->on_cpu = task->on_cpu;
	self->vcpu = task->vcpu;
	self->priority = task->priority;
	return self;
}

static char *system_of(struct debug *debug, const struct machine *machine)
{
	g_autofree char *version = NULL;

	if (machine->os != NULL)
		return g_strdup(machine->os->name);
	if (machine->kind != MACHINE_KIND_XEN || system_xen(debug->system) == NULL)
		return g_strdup(machine->kind == MACHINE_KIND_UNSAID
		                        ? _("unknown system")
		                        : machine_kind_name(machine->kind));
	version = xen_version(system_xen(debug->system));
	return g_strdup_printf("Xen %s", version != NULL ? version : "");
}

static struct scene_machine *copy_machine(struct debug *debug, struct machine *machine)
{
	struct scene_machine *self = g_new0(struct scene_machine, 1);

	self->number = machine->number;
	self->name = valid(machine->name);
	self->system = system_of(debug, machine);
	self->state = g_strdup(machine->state);
	self->domain = machine->domain_id;
	self->vmid = machine->vmid;
	self->listed = machine->tasks != NULL;
	self->vcpus = g_ptr_array_new_with_free_func(free_vcpu);
	self->tasks = g_ptr_array_new_with_free_func(free_task);
	self->gaps = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < machine->vcpus->len; i++) {
		const struct vcpu *vcpu = g_ptr_array_index(machine->vcpus, i);

		self->live = self->live || vcpu->live;
		g_ptr_array_add(self->vcpus, copy_vcpu(debug, machine, vcpu));
	}
	for (guint i = 0; machine->tasks != NULL && i < machine->tasks->len; i++)
		g_ptr_array_add(self->tasks, copy_task(g_ptr_array_index(machine->tasks, i)));
	for (guint i = 0; i < machine->gaps->len; i++)
		g_ptr_array_add(self->gaps, valid(g_ptr_array_index(machine->gaps, i)));
	return self;
}

struct scene_system *scene_new(struct debug *debug)
{
	GPtrArray *machines = system_machines(debug->system);
	struct scene_system *self = g_atomic_rc_box_new0(struct scene_system);

	self->machines = g_ptr_array_new_with_free_func(free_machine);
	for (guint i = 0; i < machines->len; i++)
		g_ptr_array_add(self->machines,
		                copy_machine(debug, g_ptr_array_index(machines, i)));
	return self;
}

struct scene_system *scene_ref(struct scene_system *self)
{
	return g_atomic_rc_box_acquire(self);
}

static void scene_clear(gpointer data)
{
	g_ptr_array_unref(((struct scene_system *)data)->machines);
}

void scene_unref(struct scene_system *self)
{
	g_atomic_rc_box_release_full(self, scene_clear);
}

const struct scene_machine *scene_machine(const struct scene_system *self, gint number)
{
	for (guint i = 0; self != NULL && i < self->machines->len; i++) {
		const struct scene_machine *machine = g_ptr_array_index(self->machines, i);

		if ((gint)machine->number == number)
			return machine;
	}
	return NULL;
}

const struct scene_task *scene_machine_task(const struct scene_machine *self, gint64 tid)
{
	for (guint i = 0; self != NULL && i < self->tasks->len; i++) {
		const struct scene_task *task = g_ptr_array_index(self->tasks, i);

		if (task->tid == tid)
			return task;
	}
	return NULL;
}

const struct scene_vcpu *scene_machine_vcpu(const struct scene_machine *self, gint id)
{
	for (guint i = 0; self != NULL && i < self->vcpus->len; i++) {
		const struct scene_vcpu *vcpu = g_ptr_array_index(self->vcpus, i);

		if ((gint)vcpu->id == id)
			return vcpu;
	}
	return NULL;
}

static char *reason_of(const struct stop_place *at)
{
	if (at->hit != NULL)
		return g_strdup_printf(at->stop.reason == TARGET_STOP_WATCH
		                               ? _("watchpoint %u (%s)")
		                               : _("breakpoint %u (%s)"),
		                       at->hit->id, at->hit->text);
	switch (at->stop.reason) {
	case TARGET_STOP_BREAK:
		return g_strdup(_("breakpoint"));
	case TARGET_STOP_WATCH:
		return g_strdup(_("watchpoint"));
	case TARGET_STOP_STEP:
		return g_strdup(_("stepped"));
	case TARGET_STOP_EXIT:
		return g_strdup(_("the target is gone"));
	case TARGET_STOP_NONE:
		return g_strdup(_("time is up"));
	case TARGET_STOP_HALT:
		break;
	}
	return g_strdup(_("halted"));
}

struct scene_stop *scene_stop_new(const struct stop_place *at)
{
	struct scene_stop *self = g_new0(struct scene_stop, 1);

	self->reason = reason_of(at);
	self->cpu = at->stop.cpu;
	self->machine = at->machine != NULL ? (gint)at->machine->number : -1;
	self->machine_name = valid(at->machine != NULL ? at->machine->name : NULL);
	self->vcpu = at->vcpu != NULL ? (gint)at->vcpu->id : -1;
	self->tid = at->task != NULL ? at->task->tid : -1;
	self->task = valid(at->task != NULL ? at->task->name : NULL);
	self->pc = at->pc.value;
	if (at->machine != NULL && at->machine->has_program)
		self->where = program_name_address(&at->machine->program, at->pc);
	self->skipped = at->skipped;
	return self;
}

void scene_stop_free(struct scene_stop *self)
{
	if (self == NULL)
		return;
	g_free(self->reason);
	g_free(self->machine_name);
	g_free(self->task);
	g_free(self->where);
	g_free(self);
}

char *scene_stop_text(const struct scene_stop *self)
{
	GString *text = g_string_new(NULL);

	g_string_append_printf(text, _("%s: core %u"), self->reason, self->cpu);
	if (self->machine_name != NULL)
		g_string_append_printf(text, ", %s", self->machine_name);
	if (self->machine > 0 && self->vcpu >= 0)
		g_string_append_printf(text, _(" vCPU %d"), self->vcpu);
	if (self->task != NULL)
		g_string_append_printf(text, _(", task %s (%" G_GINT64_FORMAT ")"), self->task,
		                       self->tid);
	if (self->where != NULL)
		g_string_append_printf(text, ", %s", self->where);
	return g_string_free(text, FALSE);
}
