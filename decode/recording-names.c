#include "decode/recording-names.h"

static gboolean write_machine(const struct system_machine *machine, struct recording_writer *writer,
                              GError **error)
{
	const struct row_machine row = {
		.machine = machine->machine,
		.name = machine->name,
		.kind = machine_kind_name(machine->kind),
		.vmid = machine->vmid,
		.vcpus = machine->vcpus,
	};

	if (!recording_writer_machine(writer, &row, error))
		return FALSE;
	for (guint i = 0; i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);
		const struct row_task task_row = { machine->machine, task->context_id, task->name };

		/* One name a context ID: its last. */
		if (i + 1 < machine->tasks->len && task[1].context_id == task->context_id)
			continue;
		if (!recording_writer_task(writer, &task_row, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean write_sources(const struct system_file *system, struct recording_writer *writer,
                              GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < system->looks->len; i++) {
		const struct system_look *look =
			&g_array_index(system->looks, struct system_look, i);
		g_autofree char *line = g_strdup_printf(
			"%s: %s", look->path, look->target != NULL ? look->target : "unknown");

		g_string_append_printf(text, "%s%s", i > 0 ? "\n" : "",
		                       g_strdelimit(line, "\n", ' '));
		if (look->has_taken)
			g_string_append_printf(text, ", taken at tick %" G_GINT64_FORMAT,
			                       look->taken_ticks);
	}
	return text->len == 0 || recording_writer_meta(writer, "names_sources", text->str, error);
}

gboolean recording_names_write(const struct system_file *system, const struct task_names *names,
                               struct recording_writer *writer, GError **error)
{
	if (system == NULL)
		return TRUE;
	if (!write_sources(system, writer, error))
		return FALSE;
	for (guint i = 0; i < system->machines->len; i++) {
		if (!write_machine(system->machines->pdata[i], writer, error))
			return FALSE;
	}
	for (guint i = 0; i < names->rows->len; i++) {
		if (!recording_writer_task_name(
			    writer, &g_array_index(names->rows, struct row_task_name, i), error))
			return FALSE;
	}
	return TRUE;
}

guint recording_names_owner(const struct task_names *names, const struct row_owner *owner,
                            gint64 begin_ns, gint64 end_ns, struct recording_writer *writer)
{
	struct row_owner named = *owner;

	named.task_name = task_names_find(names, owner, begin_ns, end_ns);
	return recording_writer_owner(writer, &named);
}
