/* names_collect() on the frozen Xen of the data, against what a verified walk of it found. */
#include "awareness/names.h"
#include "tests/awareness/dump-data.h"

#include <glib/gstdio.h>
#include <string.h>

static struct system_file *collect(const struct dump_data *data, GPtrArray *gaps)
{
	const struct names_options options = { .target = data->target };
	g_autoptr(GError) error = NULL;
	g_autoptr(system_file) told = system_file_load(data->system, &error);
	struct target *target;
	struct system *system;
	struct system_file *file;

	g_assert_no_error(error);
	target = target_open(data->target, &error);
	g_assert_no_error(error);
	system = system_new(target, told, &error);
	g_assert_no_error(error);
	file = names_collect(system, told, &options, gaps, &error);
	g_assert_no_error(error);
	system_free(system);
	target_free(target);
	return file;
}

/* "  d1v0 pcpu1 state=runnable live=True pc=0x400900 ttbr1=.. vbar=.. ctxid=39" */
static gboolean check_vcpu(const struct system_file *file, const char *line)
{
	unsigned domain, number, pcpu;
	guint64 pc, context_id;
	char live[8];
	const struct system_machine *machine;
	const struct system_vcpu *vcpu;

	if (sscanf(line,
	           "  d%uv%u pcpu%u state=%*s live=%7s pc=%" G_GINT64_MODIFIER
	           "x ttbr1=%*s vbar=%*s ctxid=%" G_GINT64_MODIFIER "u",
	           &domain, &number, &pcpu, live, &pc, &context_id) != 6)
		return FALSE;
	machine = system_file_machine_of_vmid(file, domain + 1);
	g_assert_cmpuint(number, <, machine->vcpu_states->len);
	vcpu = &g_array_index(machine->vcpu_states, struct system_vcpu, number);
	g_assert_cmpuint(vcpu->number, ==, number);
	g_assert_cmpint(vcpu->pcpu, ==, (gint)pcpu);
	g_assert_true(vcpu->live == g_str_equal(live, "True"));
	g_assert_true(vcpu->has_pc);
	g_assert_cmphex(vcpu->pc_va, ==, pc);
	g_assert_cmpint(vcpu->context_id, ==, (gint64)context_id);
	return TRUE;
}

/* "  39 tasks; user: [(1, 'init'), (45, 'dom0_calc')]" */
static gboolean check_tasks(const struct system_machine *machine, const char *line)
{
	const char *user = strstr(line, " tasks; user: [");
	guint n_user = 0, n_processes = 0;

	if (user == NULL)
		return FALSE;
	for (const char *at = strchr(user, '('); at != NULL; at = strchr(at + 1, '(')) {
		unsigned pid;
		char name[32];

		g_assert_cmpint(sscanf(at, "(%u, '%31[^']')", &pid, name), ==, 2);
		g_assert_cmpstr(system_machine_task(machine, pid), ==, name);
		n_user++;
	}
	for (guint i = 0; i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);
		const gboolean is_process = task->pid == task->context_id;

		n_processes += is_process ? 1 : 0;
		n_user -= is_process && !task->is_kernel ? 1 : 0;
	}
	/* Both count the idle task. */
	g_assert_cmpuint(n_processes, ==, strtoul(line, NULL, 10));
	g_assert_cmpuint(n_user, ==, 0);
	return TRUE;
}

/* Linux names its per-CPU threads after their CPU. */
static void check_bound(const struct system_machine *machine)
{
	guint n_bound = 0;

	for (guint i = 0; i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);
		const char *slash = strchr(task->name, '/');

		if (g_str_has_prefix(task->name, "ksoftirqd/") ||
		    g_str_has_prefix(task->name, "migration/")) {
			g_assert_cmpint(task->cpu, ==, atoi(slash + 1));
			n_bound++;
		}
		g_assert_true(task->is_kernel || task->cpu == SYSTEM_NO_VALUE ||
		              machine->vcpus == 1);
	}
	g_assert_cmpuint(n_bound, >=, machine->vcpus);
}

/* In order of number, tasks started in order of time, all before the dump. */
static void check_starts(const struct system_file *file, const struct system_machine *machine)
{
	const struct system_look *look = &g_array_index(file->looks, struct system_look, 0);
	gint64 last_ticks = 0;

	g_assert_true(look->has_taken);
	for (guint i = 0; i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);

		if (task->context_id == 0)
			continue;
		g_assert_true(task->has_start && task->start_key != 0);
		g_assert_cmpint(task->started_ticks, >=, last_ticks);
		g_assert_cmpint(task->started_ticks, <=, look->taken_ticks);
		last_ticks = task->started_ticks;
	}
}

static void test_expected(void)
{
	struct dump_data data = { 0 };
	g_autoptr(GPtrArray) gaps = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(system_file) file = NULL;
	const struct system_machine *machine = NULL;
	g_auto(GStrv) lines = NULL;
	guint n_vcpus = 0, n_lists = 0;

	if (!dump_data_init(&data))
		return;
	file = collect(&data, gaps);
	lines = g_strsplit(data.expected, "\n", -1);
	for (gsize i = 0; lines[i] != NULL; i++) {
		unsigned domain;

		if (sscanf(lines[i], "DOM%u @", &domain) == 1) {
			machine = system_file_machine_of_vmid(file, domain + 1);
			g_assert_nonnull(machine);
		}
		n_vcpus += check_vcpu(file, lines[i]) ? 1 : 0;
		n_lists += check_tasks(machine, lines[i]) ? 1 : 0;
	}
	g_assert_cmpuint(n_vcpus, ==, 7);
	g_assert_cmpuint(n_lists, ==, 3);
	for (guint i = 0; i < file->machines->len; i++) {
		machine = file->machines->pdata[i];
		if (machine->kind != MACHINE_KIND_LINUX)
			continue;
		g_assert_true(machine->writes_context_ids && !machine->partial);
		check_bound(machine);
		check_starts(file, machine);
	}
	for (guint i = 0; i < gaps->len; i++)
		g_test_message("%s", (char *)g_ptr_array_index(gaps, i));
	g_assert_cmpuint(gaps->len, ==, 0);
	dump_data_deinit(&data);
}

/* What is written is what is read. */
static void test_written(void)
{
	struct dump_data data = { 0 };
	g_autoptr(system_file) file = NULL;
	g_autoptr(system_file) again = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = NULL;

	if (!dump_data_init(&data))
		return;
	file = collect(&data, NULL);
	path = g_build_filename(data.dir, "names.ini", NULL);
	g_assert_true(system_file_write_names(file, "a\nb", path, &error));
	again = system_file_load(path, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(again->machines->len, ==, file->machines->len);
	g_assert_cmpint(g_array_index(again->looks, struct system_look, 0).taken_ticks, ==,
	                g_array_index(file->looks, struct system_look, 0).taken_ticks);
	for (guint i = 1; i < file->machines->len; i++) {
		const struct system_machine *machine = again->machines->pdata[i];
		const struct system_machine *old = system_file_machine_of_vmid(file, machine->vmid);

		g_assert_cmpuint(machine->tasks->len, ==, old->tasks->len);
		g_assert_cmpuint(machine->vcpu_states->len, ==, old->vcpu_states->len);
		g_assert_cmpstr(machine->build_id, ==, old->build_id);
		for (guint k = 0; k < old->tasks->len; k++) {
			const struct system_task *task =
				&g_array_index(old->tasks, struct system_task, k);
			const struct system_task *read =
				system_machine_task_at(machine, task->context_id, G_MAXINT64);

			g_assert_cmpstr(read->name, ==, task->name);
			g_assert_cmpint(read->pid, ==, task->pid);
			g_assert_cmpint(read->cpu, ==, task->cpu);
			g_assert_cmpint(read->from_ticks, ==, task->from_ticks);
			g_assert_cmpuint(read->start_key, ==, task->start_key);
		}
	}
	g_unlink(path);
	dump_data_deinit(&data);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/names/expected", test_expected);
	g_test_add_func("/awareness/names/written", test_written);
	return g_test_run();
}
