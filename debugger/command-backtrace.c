/* The call chains of `hvscope debug`: bt, waits. */
#include "debugger/command.h"
#include "base/json.h"

#include "awareness/backtrace.h"

#include <stdio.h>
#include <string.h>

static const char *border_text(enum backtrace_border border)
{
	return border == BACKTRACE_GUEST ? "guest" : border == BACKTRACE_USER ? "user code" : NULL;
}

static void json_chain(JsonBuilder *b, const struct backtrace *chain)
{
	json_add_array(b, "frames");
	for (guint i = 0; i < chain->frames->len; i++) {
		const struct backtrace_frame *f =
			&g_array_index(chain->frames, struct backtrace_frame, i);

		json_builder_begin_object(b);
		json_add_text(b, "border", border_text(f->border));
		json_add_text(b, "machine", f->machine->name);
		debug_json_hex(b, "pc", f->pc);
		debug_json_hex(b, "sp", f->sp);
		json_add_text(b, "function", f->function);
		json_add_int(b, "offset", (gint64)f->offset);
		json_add_text(b, "file", f->file);
		json_add_int(b, "line", f->line);
		json_add_bool(b, "inlined", f->inlined);
		json_add_text(b, "how", f->how);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_add_text(b, "end", chain->end);
	json_add_bool(b, "whole", chain->whole);
}

static void print_chain(struct debug *self, const struct backtrace *chain)
{
	for (guint i = 0; i < chain->frames->len; i++) {
		const struct backtrace_frame *f =
			&g_array_index(chain->frames, struct backtrace_frame, i);

		if (f->border != BACKTRACE_SAME)
			fprintf(self->out, "  --- %s of %s ---\n", border_text(f->border),
			        f->machine->name);
		fprintf(self->out, "  #%-2u 0x%016" G_GINT64_MODIFIER "x ", i, f->pc);
		if (f->function == NULL)
			fprintf(self->out, "??");
		else if (f->inlined)
			fprintf(self->out, "%s (inlined)", f->function);
		else
			fprintf(self->out, "%s+0x%" G_GINT64_MODIFIER "x", f->function, f->offset);
		if (f->file != NULL)
			fprintf(self->out, " at %s:%u", f->file, f->line);
		fprintf(self->out, "\n");
	}
	if (!chain->whole)
		fprintf(self->out, "  (ends: %s)\n", chain->end);
}

/* One chain to print, with what it is of. */
static void show_chain(struct debug *self, JsonBuilder *b, const char *title, int64_t tid,
                       const struct machine *machine, struct backtrace *chain, const GError *error)
{
	if (self->json) {
		json_builder_begin_object(b);
		json_add_text(b, "machine", machine->name);
		json_add_text(b, "of", title);
		json_add_int(b, "tid", tid);
		if (chain != NULL)
			json_chain(b, chain);
		json_add_text(b, "error", error != NULL ? error->message : NULL);
		json_builder_end_object(b);
		return;
	}
	fprintf(self->out, "%s: %s\n", machine->name, title);
	if (chain != NULL)
		print_chain(self, chain);
	else
		fprintf(self->out, "  (%s)\n", error->message);
}

static void show_task(struct debug *self, JsonBuilder *b, struct machine *machine,
                      const struct task *task)
{
	g_autofree char *title = g_strdup_printf("%s (%" G_GINT64_FORMAT ") %s", task->name,
	                                         task->tid, task_state_name(task->state));
	struct backtrace chain;
	g_autoptr(GError) error = NULL;
	gboolean done = backtrace_task(self->system, machine, task, &chain, &error);

	show_chain(self, b, title, task->tid, machine, done ? &chain : NULL, error);
	if (done)
		backtrace_deinit(&chain);
}

static void show_vcpu(struct debug *self, JsonBuilder *b, struct machine *machine,
                      const struct vcpu *vcpu)
{
	g_autofree char *title =
		g_strdup_printf("%s %u", machine->number == 0 ? "core" : "vCPU", vcpu->id);
	struct backtrace chain;
	g_autoptr(GError) error = NULL;
	gboolean done = backtrace_vcpu(self->system, machine, vcpu, &chain, &error);

	show_chain(self, b, title, -1, machine, done ? &chain : NULL, error);
	if (done)
		backtrace_deinit(&chain);
}

static void show_everything(struct debug *self, JsonBuilder *b)
{
	GPtrArray *machines = system_machines(self->system);

	for (guint i = 0; i < machines->len; i++) {
		struct machine *machine = g_ptr_array_index(machines, i);
		GPtrArray *tasks = system_tasks(self->system, machine);

		for (guint n = 0; n < machine->vcpus->len; n++)
			show_vcpu(self, b, machine, g_ptr_array_index(machine->vcpus, n));
		for (guint n = 0; n < tasks->len; n++)
			show_task(self, b, machine, g_ptr_array_index(tasks, n));
	}
}

/* The vCPU of the current machine that the core of the last stop has loaded, else its
 * first. */
static struct vcpu *find_stopped(struct debug *self, struct machine **machine, GError **error)
{
	struct machine *current = debug_machine(self, NULL, error);

	for (guint i = 0; current != NULL && i < current->vcpus->len; i++) {
		struct vcpu *vcpu = g_ptr_array_index(current->vcpus, i);

		if (vcpu->live && vcpu->live_cpu == self->cpu) {
			*machine = current;
			return vcpu;
		}
	}
	return current != NULL ? debug_find_vcpu(self, "0", machine, error) : NULL;
}

static gboolean run_bt(struct debug *self, int argc, char **argv, GError **error)
{
	gboolean all = FALSE;
	const GOptionEntry entries[] = {
		{ "all", 0, 0, G_OPTION_ARG_NONE, &all, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};
	struct machine *machine;
	JsonBuilder *b = NULL;

	if (!debug_parse(self, &argc, &argv, entries, 0, 1, error))
		return FALSE;
	if (self->json) {
		b = json_builder_new();
		json_builder_begin_array(b);
	}
	if (all) {
		show_everything(self, b);
	} else if (argc > 1 && strstr(argv[1], "::") != NULL) {
		const struct task *task = debug_find_task(self, argv[1], &machine, error);

		if (task != NULL)
			show_task(self, b, machine, task);
	} else {
		const struct vcpu *vcpu = argc > 1 ? debug_find_vcpu(self, argv[1], &machine, error)
		                                   : find_stopped(self, &machine, error);

		if (vcpu != NULL)
			show_vcpu(self, b, machine, vcpu);
	}
	if (b != NULL) {
		json_builder_end_array(b);
		if (*error == NULL)
			debug_json_print(self, b);
		else
			g_object_unref(b);
	}
	return *error == NULL;
}

/* Functions of the scheduler itself, which every waiting task stands in. */
static gboolean is_scheduler(const char *function)
{
	static const char *const names[] = { "__switch_to", "context_switch", "__schedule",
		                             "__sched_text_start" };

	if (function == NULL)
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		if (strcmp(function, names[i]) == 0)
			return TRUE;
	}
	return g_str_has_prefix(function, "schedule") || g_str_has_prefix(function, "io_schedule");
}

/* What one waiting task waits in: the first function outside the scheduler, and the
 * system call that led there (NULL for kernel threads). */
static void find_wait(const struct backtrace *chain, const char **in, const char **call)
{
	*in = NULL;
	*call = NULL;
	for (guint i = 0; i < chain->frames->len; i++) {
		const struct backtrace_frame *f =
			&g_array_index(chain->frames, struct backtrace_frame, i);

		if (f->border == BACKTRACE_USER)
			break;
		if (*in == NULL && f->function != NULL && !is_scheduler(f->function))
			*in = f->function;
		if (f->function != NULL && g_str_has_prefix(f->function, "__arm64_sys_"))
			*call = f->function + strlen("__arm64_sys_");
	}
}

static void show_wait(struct debug *self, JsonBuilder *b, struct machine *machine,
                      const struct task *task)
{
	struct backtrace chain;
	g_autoptr(GError) error = NULL;
	const char *in, *call;

	if (!backtrace_task(self->system, machine, task, &chain, &error)) {
		machine_add_gap(machine, "%s (%" G_GINT64_FORMAT "): %s", task->name, task->tid,
		                error->message);
		return;
	}
	find_wait(&chain, &in, &call);
	if (self->json) {
		json_builder_begin_object(b);
		json_add_text(b, "machine", machine->name);
		json_add_int(b, "pid", task->pid);
		json_add_int(b, "tid", task->tid);
		json_add_text(b, "name", task->name);
		json_add_text(b, "state", task_state_letter(task->state));
		json_add_text(b, "waits_in", in);
		json_add_text(b, "call", call);
		json_add_text(b, "waits_for", task->waits_for);
		json_builder_end_object(b);
	} else {
		fprintf(self->out, "%-10s %7" G_GINT64_FORMAT " %-16s %s  %s%s%s%s%s\n",
		        machine->name, task->tid, task->name, task_state_letter(task->state),
		        in != NULL ? in : "??", call != NULL ? "  in system call " : "",
		        call != NULL ? call : "", task->waits_for != NULL ? "  for " : "",
		        task->waits_for != NULL ? task->waits_for : "");
	}
	backtrace_deinit(&chain);
}

static gboolean run_waits(struct debug *self, int argc, char **argv, GError **error)
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

		for (guint n = 0; n < tasks->len; n++) {
			const struct task *task = g_ptr_array_index(tasks, n);

			if (task->state != TASK_RUNNING && !task->on_cpu)
				show_wait(self, b, machine, task);
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

const struct debug_command debug_commands_backtrace[] = {
	{ "bt", "[M:N | M:::TASK | --all]", "call chains across user, kernel and hypervisor",
	  run_bt },
	{ "waits", "", "what every waiting task of every machine waits in", run_waits },
	{ NULL },
};
