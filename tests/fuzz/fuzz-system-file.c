/* The whole of system_file_parse, the look-ups on what it gives, and system_file_merge. */
#include "tests/fuzz/fuzz.h"

#include "base/system-file.h"

static void check_machine(const struct system_file *file, guint at)
{
	const struct system_machine *machine = g_ptr_array_index(file->machines, at);
	g_autofree char *label = system_file_domain_label(file, machine->vmid);

	g_assert_true(system_file_machine(file, machine->machine) == machine);
	g_assert_true(machine->vmid == SYSTEM_NO_VALUE ||
	              system_file_machine_of_vmid(file, machine->vmid) == machine);
	g_assert_cmpint(machine->vmid, <=, 65535);
	g_assert_nonnull(label);
	for (guint i = 0; i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);

		g_assert_true(system_machine_task(machine, task->context_id) == task->name);
		g_assert_cmpstr(task->name, !=, "");
	}
}

/* With itself as the user's file and as a later look. */
static void check_merged(const struct system_file *file)
{
	const struct system_file *names[] = { file, file };
	g_autoptr(GError) error = NULL;
	g_autoptr(system_file) merged = system_file_merge(file, names, 2, &error);

	g_assert_true((merged == NULL) == (error != NULL));
	for (guint i = 0; merged != NULL && i < merged->machines->len; i++) {
		const struct system_machine *machine = g_ptr_array_index(merged->machines, i);

		for (guint k = 0; k < machine->tasks->len; k++) {
			const struct system_task *task =
				&g_array_index(machine->tasks, struct system_task, k);

			g_assert_cmpint(task->from_ticks, <, task->to_ticks);
			g_assert_true(k == 0 || task[-1].context_id != task->context_id ||
			              task[-1].to_ticks <= task->from_ticks);
			g_assert_true(system_machine_task_at(machine, task->context_id,
			                                     task->from_ticks) == task);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(system_file) file =
		system_file_parse((const char *)bytes, len_bytes, "system.ini", &error);

	g_assert_true((file == NULL) == (error != NULL));
	if (file == NULL)
		g_assert_true(g_str_has_prefix(error->message, "system.ini:"));
	for (guint i = 0; file != NULL && i < file->machines->len; i++)
		check_machine(file, i);
	if (file != NULL)
		check_merged(file);
	return 0;
}
