/* The whole of system_file_parse, and the look-ups on what it gives. */
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
	return 0;
}
