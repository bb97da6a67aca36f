/* The lab's live Xen, halted at random: at each halt every task that lives is listed,
 * none that was never forked, and every chain ends at a root. Then breakpoints of one machine and
 * one task. */
#include "awareness/backtrace.h"
#include "awareness/breakpoints.h"
#include "awareness/system.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HALTS = 100,
};

/* The machine that boots, and where its files are. */
struct lab {
	char *dir;
	char *socket;
	GSubprocess *boot;
	struct target *target;
	struct system_file *file;
	struct system *system;
};

/* One machine serves all tests: booting it is what takes the time. */
static struct lab lab;
static gboolean lab_tried, lab_runs;

static gboolean boot(struct lab *self)
{
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "tests", "lab", "boot", NULL);
	g_autofree char *gdb = NULL;
	g_autofree char *spec = NULL;
	g_autofree char *system_path = NULL;
	g_autofree char *line = NULL;
	g_autoptr(GDataInputStream) output = NULL;
	g_autoptr(GError) error = NULL;

	self->dir = g_dir_make_tmp("hvscope-live-XXXXXX", NULL);
	self->socket = g_build_filename(self->dir, "gdb", NULL);
	gdb = g_strconcat("unix:", self->socket, NULL);
	spec = g_strconcat("gdb:", gdb, NULL);
	self->boot = g_subprocess_new(
		G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
		"/usr/bin/python3", program, "demo", "--gdb", gdb, "--dir", self->dir, NULL);
	g_assert_no_error(error);
	output = g_data_input_stream_new(g_subprocess_get_stdout_pipe(self->boot));
	line = g_data_input_stream_read_line(output, NULL, NULL, NULL);
	if (line == NULL || !g_str_has_prefix(line, "ready"))
		return FALSE;
	system_path = g_build_filename(self->dir, "system.ini", NULL);
	self->file = system_file_load(system_path, &error);
	g_assert_no_error(error);
	self->target = target_open(spec, &error);
	g_assert_no_error(error);
	self->system = system_new(self->target, self->file, &error);
	g_assert_no_error(error);
	return TRUE;
}

/* FALSE after g_test_skip() where the lab cannot run. */
static gboolean lab_need(void)
{
	if (!lab_tried)
		lab_runs = boot(&lab);
	lab_tried = TRUE;
	if (!lab_runs)
		g_test_skip("the lab cannot run here");
	return lab_runs;
}

static void lab_deinit(struct lab *self)
{
	g_autofree char *quoted = g_shell_quote(self->dir);
	g_autofree char *command = g_strconcat("rm -rf -- ", quoted, NULL);

	system_free(self->system);
	target_free(self->target);
	g_clear_pointer(&self->file, system_file_free);
	g_output_stream_close(g_subprocess_get_stdin_pipe(self->boot), NULL, NULL);
	g_subprocess_wait(self->boot, NULL, NULL);
	g_object_unref(self->boot);
	g_assert_cmpint(system(command), ==, 0);
	g_free(self->dir);
	g_free(self->socket);
}

static void run_for(struct lab *self, unsigned us)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(target_continue(self->target, &error));
	g_usleep(us);
	g_assert_true(target_halt(self->target, &error));
	g_assert_no_error(error);
	g_assert_true(system_refresh(self->system, &error));
	g_assert_no_error(error);
}

/* The lines of the console that tell of forks, and of tasks at the start. */
static GHashTable *known_pids(struct lab *self, const char *machine)
{
	g_autofree char *path = g_build_filename(self->dir, "console.log", NULL);
	g_autofree char *text = NULL;
	g_autofree char *pattern = g_strdup_printf(
		"(?:fork %s_\\w+ \\d+ -> |task %s \\S+ pid )(\\d+)", machine, machine);
	g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
	g_autoptr(GMatchInfo) info = NULL;
	GHashTable *pids = g_hash_table_new(g_direct_hash, g_direct_equal);

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	for (g_regex_match(regex, text, 0, &info); g_match_info_matches(info);
	     g_match_info_next(info, NULL)) {
		g_autofree char *pid = g_match_info_fetch(info, 1);

		g_hash_table_add(pids, GINT_TO_POINTER(atoi(pid)));
	}
	return pids;
}

/* What was seen over all halts. */
struct seen {
	GHashTable *user[3];   /* pids of processes, a machine each */
	GHashTable *steady[3]; /* tids that were there at the first halt */
	unsigned n_tasks, n_chains, n_incomplete, n_gaps;
};

static const char *const guests[] = { "dom0", "linux1", "linux2" };

/* Tasks that come and go: what is forked, and the kernel's workers. */
static gboolean is_steady(const struct task *task)
{
	return !g_str_has_prefix(task->name, "kworker") && strstr(task->name, "fork") == NULL &&
	       strcmp(task->name, "child") != 0;
}

static void look_at_guest(struct lab *self, struct seen *seen, unsigned index, gboolean first)
{
	struct machine *machine = system_find_machine(self->system, guests[index], NULL);
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter iter;
	gpointer key;
	GPtrArray *tasks;

	g_assert_nonnull(machine);
	tasks = system_tasks(self->system, machine);
	seen->n_gaps += machine->gaps->len;
	for (guint i = 0; i < machine->gaps->len; i++)
		g_test_message("%s: %s", machine->name, (char *)machine->gaps->pdata[i]);
	for (guint i = 0; i < tasks->len; i++) {
		const struct task *task = g_ptr_array_index(tasks, i);

		seen->n_tasks++;
		g_hash_table_add(names, g_strdup_printf("%" G_GINT64_FORMAT, task->tid));
		if (!task->is_kernel && task->pid == task->tid)
			g_hash_table_add(seen->user[index], GINT_TO_POINTER((int)task->pid));
		if (first && is_steady(task))
			g_hash_table_add(seen->steady[index],
			                 g_strdup_printf("%" G_GINT64_FORMAT, task->tid));
	}
	if (machine->gaps->len > 0)
		return;
	g_hash_table_iter_init(&iter, seen->steady[index]);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		if (!g_hash_table_contains(names, key))
			g_test_message("%s lacks task %s", guests[index], (char *)key);
		g_assert_true(g_hash_table_contains(names, key));
	}
}

static void check_chains(struct lab *self, struct seen *seen)
{
	GPtrArray *machines = system_machines(self->system);

	for (guint i = 0; i < machines->len; i++) {
		struct machine *machine = g_ptr_array_index(machines, i);
		GPtrArray *tasks = system_tasks(self->system, machine);

		for (guint n = 0; n < tasks->len; n++) {
			const struct task *task = g_ptr_array_index(tasks, n);
			struct backtrace chain;

			seen->n_chains++;
			if (!backtrace_task(self->system, machine, task, &chain, NULL)) {
				seen->n_incomplete++;
				continue;
			}
			if (!chain.whole) {
				seen->n_incomplete++;
				g_test_message("%s %s (%" G_GINT64_FORMAT "): %s", machine->name,
				               task->name, task->tid, chain.end);
			}
			backtrace_deinit(&chain);
		}
	}
}

/* Every process that was seen is one that the console tells of, or one of the two that
 * were there before it could tell (init and its shell). */
static void check_against_log(struct lab *self, struct seen *seen)
{
	for (unsigned g = 0; g < G_N_ELEMENTS(guests); g++) {
		g_autoptr(GHashTable) known = known_pids(self, guests[g]);
		GHashTableIter iter;
		gpointer pid;
		unsigned n_unknown = 0;

		g_hash_table_iter_init(&iter, seen->user[g]);
		while (g_hash_table_iter_next(&iter, &pid, NULL)) {
			if (!g_hash_table_contains(known, pid) && GPOINTER_TO_INT(pid) != 1) {
				n_unknown++;
				g_test_message("%s: pid %d is not in the log", guests[g],
				               GPOINTER_TO_INT(pid));
			}
		}
		/* The shell that init starts for the console. */
		g_assert_cmpuint(n_unknown, <=, 1);
		g_test_message("%s: %u processes seen, %u in the log", guests[g],
		               g_hash_table_size(seen->user[g]), g_hash_table_size(known));
	}
}

static void test_halts(void)
{
	struct seen seen = { 0 };
	GRand *rand = g_rand_new_with_seed(100);

	if (!lab_need())
		return;
	for (unsigned g = 0; g < G_N_ELEMENTS(guests); g++) {
		seen.user[g] = g_hash_table_new(g_direct_hash, g_direct_equal);
		seen.steady[g] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	}
	/* The shells of the guests' boot are still coming and going. */
	run_for(&lab, 3000000);
	for (unsigned i = 0; i < HALTS; i++) {
		run_for(&lab, (unsigned)g_rand_int_range(rand, 500, 60000));
		for (unsigned g = 0; g < G_N_ELEMENTS(guests); g++)
			look_at_guest(&lab, &seen, g, i == 0);
		check_chains(&lab, &seen);
	}
	/* What was forked last is logged a little later. */
	run_for(&lab, 2000000);
	check_against_log(&lab, &seen);
	g_test_message("%u halts: %u tasks, %u gaps, %u chains, %u of them incomplete", HALTS,
	               seen.n_tasks, seen.n_gaps, seen.n_chains, seen.n_incomplete);
	/* Lists that were being changed at the halt are named, and few. */
	g_assert_cmpuint(seen.n_gaps, <=, HALTS / 10);
	g_assert_cmpuint(seen.n_incomplete * 200, <=, seen.n_chains);
	for (unsigned g = 0; g < G_N_ELEMENTS(guests); g++) {
		g_hash_table_unref(seen.user[g]);
		g_hash_table_unref(seen.steady[g]);
	}
	g_rand_free(rand);
}

static int64_t tid_named(struct lab *self, struct machine *machine, const char *name)
{
	const struct task *task = system_find_task(self->system, machine, name, NULL);

	g_assert_nonnull(task);
	return task->tid;
}

static void test_breakpoint(void)
{
	struct breakpoints *points;
	struct breakpoint point = { .text = (char *)"kernel_clone",
		                    .kind = TARGET_BREAK_HARDWARE,
		                    .len_bytes = 4 };
	struct place place;
	g_autoptr(GError) error = NULL;

	if (!lab_need())
		return;
	g_assert_true(system_find_place(lab.system, "linux2:::kernel_clone", NULL, &place, &error));
	g_assert_no_error(error);
	point.va = place.va;
	point.machine = (int)place.machine->number;
	point.tid = tid_named(&lab, place.machine, "linux2_fork");
	points = breakpoints_new(lab.system);
	breakpoints_add(points, &point);
	for (unsigned i = 0; i < 3; i++) {
		struct stop_place at;

		g_assert_true(breakpoints_run(points, 60000, &at, &error));
		g_assert_no_error(error);
		g_test_message("stop %d at 0x%" G_GINT64_MODIFIER "x after %" G_GUINT64_FORMAT
		               " stops of others",
		               at.stop.reason, at.pc.value, at.skipped);
		g_assert_nonnull(at.hit);
		g_assert_cmpstr(at.machine->name, ==, "linux2");
		g_assert_cmpint(at.task->tid, ==, point.tid);
		g_assert_cmphex(at.pc.value, ==, point.va.value);
	}
	breakpoints_free(points);
}

/* The tutorial's script, as a user runs it. The server takes one client, so ours goes. */
static void test_tutorial(void)
{
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "hvscope", NULL);
	g_autofree char *script = g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "docs",
	                                           "tutorials", "interrupt.dbg", NULL);
	g_autofree char *spec = NULL;
	g_autofree char *system_path = NULL;
	g_autofree char *out = NULL;
	g_autoptr(GSubprocess) process = NULL;
	g_autoptr(GError) error = NULL;

	if (!lab_need())
		return;
	spec = g_strconcat("gdb:unix:", lab.socket, NULL);
	system_path = g_build_filename(lab.dir, "system.ini", NULL);
	g_clear_pointer(&lab.system, system_free);
	g_clear_pointer(&lab.target, target_free);
	process =
		g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program, "debug",
	                         "--target", spec, "--system", system_path, "script", script, NULL);
	g_assert_no_error(error);
	g_assert_true(g_subprocess_communicate_utf8(process, NULL, NULL, &out, NULL, &error));
	g_assert_cmpint(g_subprocess_get_exit_status(process), ==, 0);
	for (unsigned i = 1; i <= 6; i++) {
		g_autofree char *hit = g_strdup_printf("breakpoint %u (", i);

		g_assert_nonnull(strstr(out, hit));
	}
}

int main(int argc, char **argv)
{
	int code;

	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/live/halts", test_halts);
	g_test_add_func("/awareness/live/breakpoint", test_breakpoint);
	g_test_add_func("/awareness/live/tutorial", test_tutorial);
	code = g_test_run();
	if (lab_tried)
		lab_deinit(&lab);
	return code;
}
