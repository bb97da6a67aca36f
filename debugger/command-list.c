/* The listings of `hvscope debug`: machines, tree, tasks, dmesg, modules. */
#include "debugger/command.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

static uint64_t value_of(const struct vcpu *vcpu, const char *name)
{
	uint64_t value = 0;

	register_set_get(&vcpu->registers, name, &value);
	return value;
}

static const char *kind_of(const struct machine *machine)
{
	const char *name = machine_kind_name(machine->kind);

	return name != NULL ? name : "unknown";
}

/* The hypervisor's version stands where a guest has its system's. */
static char *system_of(struct debug *self, const struct machine *machine)
{
	g_autofree char *version = NULL;

	if (machine->os != NULL)
		return g_strdup(machine->os->name);
	if (machine->kind != MACHINE_KIND_XEN || system_xen(self->system) == NULL)
		return NULL;
	version = xen_version(system_xen(self->system));
	return g_strdup_printf("Xen %s", version != NULL ? version : "of unknown version");
}

static void json_vcpu(JsonBuilder *b, const struct vcpu *vcpu)
{
	json_builder_begin_object(b);
	json_add_int(b, "id", vcpu->id);
	json_add_text(b, "state", vcpu_state_name(vcpu->state));
	json_add_bool(b, "live", vcpu->live);
	json_add_int(b, "pcpu", vcpu->pcpu);
	json_add_int(b, "el", (int64_t)(value_of(vcpu, "cpsr") >> 2 & 3));
	debug_json_hex(b, "pc", value_of(vcpu, "pc"));
	debug_json_hex(b, "ttbr0_el1", value_of(vcpu, "TTBR0_EL1"));
	debug_json_hex(b, "ttbr1_el1", value_of(vcpu, "TTBR1_EL1"));
	debug_json_hex(b, "vbar_el1", value_of(vcpu, "VBAR_EL1"));
	json_add_int(b, "contextidr_el1", (int64_t)value_of(vcpu, "CONTEXTIDR_EL1"));
	debug_json_hex(b, "address", vcpu->va.value);
	json_builder_end_object(b);
}

static void json_machine(struct debug *self, JsonBuilder *b, const struct machine *machine)
{
	g_autofree char *system = system_of(self, machine);

	json_builder_begin_object(b);
	json_add_int(b, "machine", machine->number);
	json_add_text(b, "name", machine->name);
	json_add_text(b, "kind", kind_of(machine));
	json_add_text(b, "system", system);
	json_add_text(b, "state", machine->state);
	if (machine->domain_id >= 0) {
		json_add_int(b, "domain", machine->domain_id);
		json_add_int(b, "vmid", machine->vmid);
		debug_json_hex(b, "vttbr", machine->vttbr);
		json_add_text(b, "uuid", machine->uuid);
		debug_json_hex(b, "address", machine->va.value);
	}
	if (machine->has_program)
		debug_json_hex(b, "slide", machine->program.slide);
	if (machine->os != NULL)
		json_add_text(b, "banner", machine->os->banner);
	json_builder_set_member_name(b, "vcpus");
	json_builder_begin_array(b);
	for (guint i = 0; i < machine->vcpus->len; i++)
		json_vcpu(b, g_ptr_array_index(machine->vcpus, i));
	json_builder_end_array(b);
	debug_json_gaps(b, machine);
	json_builder_end_object(b);
}

static void print_vcpu(struct debug *self, struct machine *machine, const struct vcpu *vcpu)
{
	struct va pc = { value_of(vcpu, "pc") };
	/* A core that runs a guest stands at no address of the hypervisor's. */
	gboolean elsewhere =
		machine->kind == MACHINE_KIND_XEN && (value_of(vcpu, "cpsr") >> 2 & 3) < 2;
	g_autofree char *where = elsewhere ? g_strdup_printf("0x%" G_GINT64_MODIFIER "x", pc.value)
	                                   : debug_describe_address(machine, pc);
	struct task *task = vcpu->live ? system_current_task(self->system, machine, vcpu) : NULL;

	fprintf(self->out, "  %s%u  %-8s %s EL%u pc %s", machine->number == 0 ? "core " : "vCPU ",
	        vcpu->id, machine->number == 0 ? "" : vcpu_state_name(vcpu->state),
	        vcpu->live ? "live    " : "not live", (unsigned)(value_of(vcpu, "cpsr") >> 2 & 3),
	        where);
	if (vcpu->pcpu >= 0 && machine->number != 0)
		fprintf(self->out, "  pCPU %d", vcpu->pcpu);
	if (task != NULL)
		fprintf(self->out, "  task %s (%" G_GINT64_FORMAT ")", task->name, task->tid);
	fprintf(self->out, "\n");
}

static void print_machine(struct debug *self, struct machine *machine)
{
	g_autofree char *system = system_of(self, machine);

	fprintf(self->out, "%u  %s  %s", machine->number, machine->name,
	        system != NULL ? system : kind_of(machine));
	if (machine->domain_id >= 0)
		fprintf(self->out, "  domain %d  VMID %u  %s", machine->domain_id, machine->vmid,
		        machine->state);
	fprintf(self->out, "\n");
	for (guint i = 0; i < machine->vcpus->len; i++)
		print_vcpu(self, machine, g_ptr_array_index(machine->vcpus, i));
}

static gboolean run_machines(struct debug *self, int argc, char **argv, GError **error)
{
	GPtrArray *machines = system_machines(self->system);
	JsonBuilder *b;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 0, error))
		return FALSE;
	if (!self->json) {
		for (guint i = 0; i < machines->len; i++)
			print_machine(self, g_ptr_array_index(machines, i));
		for (guint i = 0; i < machines->len; i++)
			debug_print_gaps(self, g_ptr_array_index(machines, i));
		return TRUE;
	}
	b = json_builder_new();
	json_builder_begin_array(b);
	for (guint i = 0; i < machines->len; i++)
		json_machine(self, b, g_ptr_array_index(machines, i));
	json_builder_end_array(b);
	debug_json_print(self, b);
	return TRUE;
}

static void json_task(JsonBuilder *b, const struct machine *machine, const struct task *task)
{
	json_builder_begin_object(b);
	json_add_text(b, "machine", machine->name);
	json_add_int(b, "machine_number", machine->number);
	json_add_int(b, "pid", task->pid);
	json_add_int(b, "tid", task->tid);
	json_add_text(b, "name", task->name);
	json_add_text(b, "state", task_state_letter(task->state));
	json_add_int(b, "parent", task->parent);
	json_add_bool(b, "kernel", task->is_kernel);
	json_add_bool(b, "on_cpu", task->on_cpu);
	json_add_int(b, "vcpu", task->vcpu);
	json_add_int(b, "priority", task->priority);
	debug_json_hex(b, "address", task->va.value);
	if (task->mm.value != 0)
		debug_json_hex(b, "mm", task->mm.value);
	if (task->has_table)
		debug_json_hex(b, "table_ipa", task->table.value);
	json_builder_end_object(b);
}

static void print_task(struct debug *self, const struct machine *machine, const struct task *task)
{
	fprintf(self->out,
	        "%-10s %7" G_GINT64_FORMAT " %7" G_GINT64_FORMAT " %7" G_GINT64_FORMAT
	        " %s%s %4d %5" G_GINT64_FORMAT "  %s%s%s\n",
	        machine->name, task->pid, task->tid, task->parent, task_state_letter(task->state),
	        task->on_cpu ? "*" : " ", task->vcpu, task->priority, task->is_kernel ? "[" : "",
	        task->name, task->is_kernel ? "]" : "");
}

static gboolean run_tasks(struct debug *self, int argc, char **argv, GError **error)
{
	GPtrArray *machines = system_machines(self->system);
	g_autofree char *only = NULL;
	const GOptionEntry entries[] = {
		{ "machine", 0, 0, G_OPTION_ARG_STRING, &only, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};
	struct machine *chosen = NULL;
	JsonBuilder *b;

	if (!debug_parse(self, &argc, &argv, entries, 0, 0, error))
		return FALSE;
	if (only != NULL && (chosen = debug_machine(self, only, error)) == NULL)
		return FALSE;
	b = json_builder_new();
	json_builder_begin_array(b);
	if (!self->json)
		fprintf(self->out, "%-10s %7s %7s %7s %s %5s %5s  %s\n", "machine", "pid", "tid",
		        "parent", "s", "vcpu", "prio", "name");
	for (guint i = 0; i < machines->len; i++) {
		struct machine *machine = g_ptr_array_index(machines, i);
		GPtrArray *tasks;

		if (chosen != NULL && machine != chosen)
			continue;
		tasks = system_tasks(self->system, machine);
		for (guint n = 0; n < tasks->len; n++) {
			if (self->json)
				json_task(b, machine, g_ptr_array_index(tasks, n));
			else
				print_task(self, machine, g_ptr_array_index(tasks, n));
		}
		debug_print_gaps(self, machine);
	}
	json_builder_end_array(b);
	if (self->json)
		debug_json_print(self, b);
	else
		g_object_unref(b);
	return TRUE;
}

/* Threads under their process, processes in the order of the list. */
static void print_tree_tasks(struct debug *self, GPtrArray *tasks)
{
	for (guint i = 0; i < tasks->len; i++) {
		const struct task *task = g_ptr_array_index(tasks, i);

		if (task->is_kernel)
			continue;
		fprintf(self->out, "    %s%" G_GINT64_FORMAT "  %s  %s%s\n",
		        task->pid == task->tid ? "" : "  thread ", task->tid, task->name,
		        task_state_name(task->state), task->on_cpu ? ", on a vCPU" : "");
	}
	for (guint i = 0, n = 0; i < tasks->len; i++) {
		n += ((const struct task *)g_ptr_array_index(tasks, i))->is_kernel ? 1 : 0;
		if (i + 1 == tasks->len && n > 0)
			fprintf(self->out, "    and %u kernel threads\n", n);
	}
}

static gboolean run_tree(struct debug *self, int argc, char **argv, GError **error)
{
	GPtrArray *machines = system_machines(self->system);
	JsonBuilder *b;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 0, error))
		return FALSE;
	b = json_builder_new();
	json_builder_begin_array(b);
	for (guint i = 0; i < machines->len; i++) {
		struct machine *machine = g_ptr_array_index(machines, i);
		GPtrArray *tasks = system_tasks(self->system, machine);

		if (!self->json) {
			print_machine(self, machine);
			print_tree_tasks(self, tasks);
			debug_print_gaps(self, machine);
			continue;
		}
		json_builder_begin_object(b);
		json_builder_set_member_name(b, "machine");
		json_machine(self, b, machine);
		json_builder_set_member_name(b, "tasks");
		json_builder_begin_array(b);
		for (guint n = 0; n < tasks->len; n++)
			json_task(b, machine, g_ptr_array_index(tasks, n));
		json_builder_end_array(b);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	if (self->json)
		debug_json_print(self, b);
	else
		g_object_unref(b);
	return TRUE;
}

static gboolean need_os(struct machine *machine, GError **error)
{
	if (machine->os != NULL)
		return TRUE;
	g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_FAILED,
	            "no operating system was found in %s: %s", machine->name,
	            machine->gaps->len > 0 ? (char *)g_ptr_array_index(machine->gaps, 0)
	                                   : "name its symbols in the system file");
	return FALSE;
}

static gboolean run_dmesg(struct debug *self, int argc, char **argv, GError **error)
{
	g_autofree char *text = NULL;
	struct machine *machine;
	JsonBuilder *b;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 1, error))
		return FALSE;
	machine = debug_machine(self, argc > 1 ? argv[1] : NULL, error);
	if (machine == NULL || !need_os(machine, error))
		return FALSE;
	if (machine->os->log == NULL) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_FAILED, "%s keeps no log",
		            machine->os->name);
		return FALSE;
	}
	text = machine->os->log(machine->os, machine, error);
	if (text == NULL)
		return FALSE;
	if (!self->json) {
		fputs(text, self->out);
		return TRUE;
	}
	{
		g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

		b = json_builder_new();
		json_builder_begin_array(b);
		for (gsize i = 0; lines[i] != NULL && (lines[i][0] != '\0' || lines[i + 1] != NULL);
		     i++)
			json_builder_add_string_value(b, lines[i]);
		json_builder_end_array(b);
		debug_json_print(self, b);
	}
	return TRUE;
}

static gboolean run_modules(struct debug *self, int argc, char **argv, GError **error)
{
	g_autoptr(GPtrArray) modules = NULL;
	struct machine *machine;
	JsonBuilder *b;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 1, error))
		return FALSE;
	machine = debug_machine(self, argc > 1 ? argv[1] : NULL, error);
	if (machine == NULL || !need_os(machine, error))
		return FALSE;
	modules = linux_modules(machine, error);
	if (modules == NULL)
		return FALSE;
	b = json_builder_new();
	json_builder_begin_array(b);
	for (guint i = 0; i < modules->len; i++) {
		const struct linux_module *module = g_ptr_array_index(modules, i);

		json_builder_begin_object(b);
		json_add_text(b, "name", module->name);
		debug_json_hex(b, "base", module->base.value);
		json_add_int(b, "bytes", (int64_t)module->len_bytes);
		json_builder_end_object(b);
		if (!self->json)
			fprintf(self->out, "0x%" G_GINT64_MODIFIER "x %8" G_GUINT64_FORMAT "  %s\n",
			        module->base.value, module->len_bytes, module->name);
	}
	json_builder_end_array(b);
	if (self->json)
		debug_json_print(self, b);
	else
		g_object_unref(b);
	return TRUE;
}

static void show_mapping(struct debug *self, JsonBuilder *b, const struct linux_mapping *one)
{
	char rights[] = { one->readable ? 'r' : '-', one->writable ? 'w' : '-',
		          one->executable ? 'x' : '-', one->shared ? 's' : 'p', '\0' };

	if (!self->json) {
		fprintf(self->out,
		        "0x%012" G_GINT64_MODIFIER "x 0x%012" G_GINT64_MODIFIER
		        "x %s %8" G_GINT64_MODIFIER "x %s\n",
		        one->start.value, one->end.value, rights, one->offset_bytes,
		        one->name != NULL ? one->name : "");
		return;
	}
	json_builder_begin_object(b);
	debug_json_hex(b, "start", one->start.value);
	debug_json_hex(b, "end", one->end.value);
	json_add_text(b, "rights", rights);
	debug_json_hex(b, "offset", one->offset_bytes);
	json_add_text(b, "name", one->name);
	json_builder_end_object(b);
}

static gboolean run_maps(struct debug *self, int argc, char **argv, GError **error)
{
	g_autoptr(GPtrArray) maps = NULL;
	struct machine *machine;
	struct task *task;
	JsonBuilder *b;

	if (!debug_parse(self, &argc, &argv, NULL, 1, 1, error))
		return FALSE;
	task = debug_find_task(self, argv[1], &machine, error);
	maps = task != NULL ? linux_task_maps(machine, task, error) : NULL;
	if (maps == NULL)
		return FALSE;
	b = json_builder_new();
	json_builder_begin_array(b);
	for (guint i = 0; i < maps->len; i++)
		show_mapping(self, b, g_ptr_array_index(maps, i));
	json_builder_end_array(b);
	if (self->json)
		debug_json_print(self, b);
	else
		g_object_unref(b);
	debug_print_gaps(self, machine);
	return TRUE;
}

const struct debug_command debug_commands_list[] = {
	{ "machines", "", "the hypervisor, its guests and their vCPUs", run_machines },
	{ "tree", "", "machines, vCPUs and tasks", run_tree },
	{ "tasks", "[--machine M]", "every task of every machine", run_tasks },
	{ "dmesg", "[MACHINE]", "a guest kernel's log", run_dmesg },
	{ "maps", "MACHINE:::TASK", "the memory map of a process", run_maps },
	{ "modules", "[MACHINE]", "a guest kernel's loaded modules", run_modules },
	{ NULL },
};
