/* A frozen Xen with four guests, served by the simulated board: registers by inserted
 * instructions, memory over the AXI access port, all of it through a real OpenOCD. What
 * `hvscope debug` finds there is what it finds in the files, and what walk-expected.txt says. */
#include "awareness/target/register-file.h"
#include "capture/coresight/debug-registers.h"
#include "tests/awareness/dump-data.h"
#include "tests/sim/core.h"
#include "tests/sim/fixture.h"
#include "tests/sim/recordings.h"

#include <string.h>

enum {
	N_DUMPED_CORES = 2,
};

/* Standard output of hvscope with the words up to NULL. */
static char *hvscope(const char *verb, ...) G_GNUC_NULL_TERMINATED;

static char *hvscope(const char *verb, ...)
{
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "cli", "hvscope", NULL);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *err = NULL;
	char *out = NULL;
	gint status;
	va_list args;

	g_ptr_array_add(argv, program);
	va_start(args, verb);
	for (const char *word = verb; word != NULL; word = va_arg(args, const char *))
		g_ptr_array_add(argv, (char *)word);
	va_end(args);
	g_ptr_array_add(argv, NULL);
	g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err,
	             &status, &error);
	g_assert_no_error(error);
	if (status != 0)
		g_error("hvscope %s: %s%s", verb, out, err);
	return out;
}

static char *debug_command(const char *target, const char *system, const char *command)
{
	return hvscope("debug", "-t", target, "-s", system, command, NULL);
}

/* QEMU leaves the _EL1 of some names away. */
static void set_register(struct sim_core *core, const char *name, guint64 value)
{
	g_autofree char *full = g_strconcat(name, "_EL1", NULL);

	if (name[0] == 'x' && g_ascii_isdigit(name[1]))
		core->x[g_ascii_strtoull(name + 1, NULL, 10)] = value;
	else if (strcmp(name, "pc") == 0)
		core->pc = core->dlr = value;
	else if (strcmp(name, "cpsr") == 0)
		core->pstate = core->dspsr = value;
	else if (!sim_core_set(core, name, value))
		sim_core_set(core, full, value);
}

static void load_core(struct sim_core *core, GHashTable *registers)
{
	const struct target_register *sp = g_hash_table_lookup(registers, "sp");
	GHashTableIter iter;
	gpointer name, value;

	g_hash_table_iter_init(&iter, registers);
	while (g_hash_table_iter_next(&iter, &name, &value))
		set_register(core, name, ((const struct target_register *)value)->low);
	core->el = (guint)(core->pstate >> 2 & 3);
	core->sp_el[core->el] = sp->low;
	/* Halted as it was when it was frozen. */
	core->halted = TRUE;
	core->status = 0x13;
}

static void load_dump(struct sim_soc *soc, const struct dump_data *data)
{
	struct register_file registers;
	g_autofree char *text = NULL;
	g_autofree char *ram = NULL;
	g_autoptr(GError) error = NULL;
	gsize len;

	g_assert_true(g_file_get_contents(data->state, &text, &len, &error));
	register_file_init(&registers);
	g_assert_true(register_file_parse(&registers, text, len, data->state, &error));
	g_assert_true(g_file_get_contents(data->ram, &ram, &len, &error));
	g_mutex_lock(&soc->lock);
	sim_cores_attach(soc);
	sim_soc_memory_write(soc, registers.ram.base.value, (const guint8 *)ram, len);
	for (guint i = 0; i < N_DUMPED_CORES; i++)
		load_core(sim_core_of(soc, i), g_ptr_array_index(registers.cpus, i));
	for (guint i = N_DUMPED_CORES; i < SIM_N_CORES; i++) {
		g_autofree char *name = g_strdup_printf("dbg%u", i);

		sim_soc_find(soc, name)->regs[0x314 / 4] = 0;
	}
	g_mutex_unlock(&soc->lock);
	register_file_deinit(&registers);
}

/* Of each "dXvY ... pc=0x..." line, the pc is in the tree. */
static guint assert_expected_vcpus(const char *expected, const char *tree)
{
	g_auto(GStrv) lines = g_strsplit(expected, "\n", -1);
	guint n = 0;

	for (guint i = 0; lines[i] != NULL; i++) {
		const char *at = g_strrstr(lines[i], " pc=0x");
		g_autofree char *pc = NULL;

		if (at == NULL || strstr(lines[i], "live=") == NULL)
			continue;
		pc = g_strdup_printf("pc 0x%" G_GINT64_MODIFIER "x",
		                     g_ascii_strtoull(at + strlen(" pc="), NULL, 16));
		if (strstr(tree, pc) == NULL)
			g_error("'%s' of '%s' is not in:\n%s", pc, lines[i], tree);
		n++;
	}
	return n;
}

/* Of each "(pid, 'name')", the task is in the list. */
static guint assert_expected_tasks(const char *expected, const char *tasks)
{
	g_autoptr(GRegex) task = g_regex_new("\\((\\d+), '([^']+)'\\)", 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;
	guint n = 0;

	g_regex_match(task, expected, 0, &match);
	for (; g_match_info_matches(match); g_match_info_next(match, NULL)) {
		g_autofree char *pid = g_match_info_fetch(match, 1);
		g_autofree char *name = g_match_info_fetch(match, 2);
		g_autofree char *pattern =
			g_strdup_printf("(?m)^dom\\d +%s +%s .* %s$", pid, pid, name);

		if (!g_regex_match_simple(pattern, tasks, 0, 0))
			g_error("task %s %s is not in:\n%s", pid, name, tasks);
		n++;
	}
	return n;
}

static void test_walk(void)
{
	struct dump_data data;
	struct fixture f;
	gint64 start_us;

	if (!fixture_init(&f, NULL))
		return;
	if (!dump_data_init(&data)) {
		fixture_deinit(&f);
		return;
	}
	load_dump(f.soc, &data);
	g_autofree char *target = g_strdup_printf("coresight:openocd:127.0.0.1:%u+zynqmp", f.port);

	start_us = g_get_monotonic_time();
	g_autofree char *tree = debug_command(target, data.system, "tree");
	g_autofree char *tasks = debug_command(target, data.system, "tasks");

	g_test_message("through OpenOCD: %.1f s, %" G_GUINT64_FORMAT " instructions inserted, %.1f "
	               "MB of memory",
	               (double)(g_get_monotonic_time() - start_us) / 1e6,
	               sim_core_of(f.soc, 0)->n_inserted + sim_core_of(f.soc, 1)->n_inserted,
	               (double)f.soc->n_system_reads * 4 / 1e6);
	g_autofree char *tree_of_files = debug_command(data.target, data.system, "tree");
	g_autofree char *tasks_of_files = debug_command(data.target, data.system, "tasks");

	g_assert_cmpstr(tree, ==, tree_of_files);
	g_assert_cmpstr(tasks, ==, tasks_of_files);
	g_assert_cmpuint(assert_expected_vcpus(data.expected, tree), ==, 7);
	g_assert_cmpuint(assert_expected_tasks(data.expected, tasks), ==, 18);
	fixture_assert_no_violations(&f);
	dump_data_deinit(&data);
	fixture_deinit(&f);
}

/* A names file from its machines on, without what an end of a capture cannot know. */
static char *names_of(const char *path)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(GRegex) start = g_regex_new(";start(_key)?=[0-9]+", 0, 0, NULL);
	const char *machines;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	machines = strstr(text, "[system]");
	g_assert_nonnull(machines);
	return g_regex_replace_literal(start, machines, -1, 0, "", 0, NULL);
}

/* Trace of the board and, while it waits to be drained, the names of what runs there. */
static void test_names(void)
{
	struct dump_data data;
	struct fixture f;

	if (!fixture_init(&f, NULL))
		return;
	if (!dump_data_init(&data)) {
		fixture_deinit(&f);
		return;
	}
	load_dump(f.soc, &data);
	if (recordings_feed(&f, 4000)) {
		g_autofree char *link = g_strdup_printf("openocd:127.0.0.1:%u", f.port);
		g_autofree char *target = g_strdup_printf("coresight:%s+zynqmp", link);
		g_autofree char *dir = g_build_filename(f.dir, "capture", NULL);
		g_autofree char *taken = g_build_filename(dir, "names.ini", NULL);
		g_autofree char *wanted = g_build_filename(f.dir, "wanted.ini", NULL);
		g_autofree char *said =
			hvscope("capture", "--board", "zynqmp", "--link", link, "--sink", "etf2",
		                "--preset", "exits", "--cores", "0,1", "--for", "50ms", "--names",
		                target, "--system", data.system, "-o", dir, NULL);

		g_assert_nonnull(strstr(said, "bytes of trace"));
		g_assert_nonnull(strstr(said, "names    "));
		g_free(hvscope("names", "-t", data.target, "-s", data.system, "-o", wanted, NULL));
		g_autofree char *found = names_of(taken);
		g_autofree char *expected = names_of(wanted);

		g_assert_cmpstr(found, ==, expected);
		g_mutex_lock(&f.soc->lock);
		g_assert_false(sim_core_of(f.soc, 0)->halted);
		g_assert_false(sim_core_of(f.soc, 1)->halted);
		g_mutex_unlock(&f.soc->lock);
	}
	fixture_assert_no_violations(&f);
	dump_data_deinit(&data);
	fixture_deinit(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sim/walk/dump", test_walk);
	g_test_add_func("/sim/walk/names", test_names);
	return g_test_run();
}
