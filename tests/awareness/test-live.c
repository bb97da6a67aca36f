/* The lab's live Xen, halted at random: at each halt the tasks are those that the guests'
 * own /proc shows just before and just after, processes' memory reads as it must, and
 * every chain ends at a root. Then breakpoints of one machine and one task, and the
 * tutorials.
 *
 *   test-live SCENARIO       HVSCOPE_LIVE_HALTS and HVSCOPE_LIVE_SEED change the halts
 */
#include "awareness/backtrace.h"
#include "awareness/breakpoints.h"
#include "tests/awareness/live-lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	N_GUESTS = 3,
	HALTS = 40,
	/* The guests' listings are waited for, however slow the machine is. */
	LISTING_TRIES = 1200,
};

static const char *scenario = "live";
static const char *const guests[N_GUESTS] = { "dom0", "linux1", "linux2" };
static const unsigned n_workers[N_GUESTS] = { 5, 5, 6 }; /* as the scenarios have them */

/* One machine serves all tests: booting it is what takes the time. */
static struct live_lab lab;
static gboolean lab_tried, lab_runs;
static char *lab_skip;

/* FALSE after g_test_skip() where the lab cannot run. */
static gboolean lab_need(void)
{
	if (!lab_tried)
		lab_runs = live_lab_init(&lab, scenario, &lab_skip);
	lab_tried = TRUE;
	if (!lab_runs)
		g_test_skip(lab_skip);
	return lab_runs;
}

static unsigned number_from(const char *variable, unsigned otherwise)
{
	const char *text = g_getenv(variable);

	return text != NULL ? (unsigned)atoi(text) : otherwise;
}

/* What one guest showed at one halt. */
struct look {
	GHashTable *tids; /* of every task listed, to whether it is a process's */
	int last_listing; /* the last one of which the console had anything */
	gboolean has_gaps;
};

struct halts {
	GPtrArray *looks[N_GUESTS]; /* of struct look *, one a halt */
	struct image *worker;       /* the program of the guests' workers */
	uint64_t marker;            /* its variable of that name */
	GHashTable *incomplete;     /* chains that end early, each place once */
	unsigned n_tasks, n_gaps, n_chains, n_markers, n_workers, n_compared;
};

static void free_look(gpointer data)
{
	struct look *look = data;

	g_hash_table_unref(look->tids);
	g_free(look);
}

/* Reads the marker of one of the lab's workers, which says whose it is. A child that
 * has only just been forked still holds its parent's. */
static void check_marker(struct halts *halts, struct machine *machine, const struct task *task)
{
	g_autofree char *text = NULL;
	g_autofree char *own =
		g_strdup_printf("LABXEN-MARKER:%s:%" G_GINT64_FORMAT, task->name, task->pid);
	g_autoptr(GError) error = NULL;
	struct space *space = linux_process_space(machine, task, &error);

	g_assert_no_error(error);
	text = space_read_string(space, (struct va) { halts->marker }, 64, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(text, ==, own);
	halts->n_markers++;
	space_free(space);
}

/* A worker and not its child: its own line on the console names it. */
static gboolean is_worker(unsigned domain, const struct task *task)
{
	static const char *const kinds[] = { "calc",  "io",   "threads", "fork",
		                             "sleep", "proc", "version" };

	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *name = g_strdup_printf("%s_%s", guests[domain], kinds[i]);

		if (task->pid == task->tid && strcmp(task->name, name) == 0 &&
		    live_lab_task(&lab, domain, kinds[i]) == task->pid)
			return TRUE;
	}
	return FALSE;
}

static void look_at_guest(struct halts *halts, unsigned domain)
{
	struct machine *machine = system_find_machine(lab.system, guests[domain], NULL);
	struct look *look = g_new0(struct look, 1);
	GPtrArray *tasks;

	g_assert_nonnull(machine);
	tasks = system_tasks(lab.system, machine);
	look->tids = g_hash_table_new(g_direct_hash, g_direct_equal);
	look->last_listing = live_lab_last_listing(&lab, domain);
	look->has_gaps = machine->gaps->len > 0;
	for (guint i = 0; i < machine->gaps->len; i++)
		g_test_message("%s: %s", machine->name, (char *)machine->gaps->pdata[i]);
	halts->n_gaps += machine->gaps->len;
	halts->n_workers += look->has_gaps ? 0 : n_workers[domain];
	halts->n_tasks += tasks->len;
	for (guint i = 0; i < tasks->len; i++) {
		const struct task *task = g_ptr_array_index(tasks, i);

		g_assert_true(g_hash_table_insert(look->tids, GINT_TO_POINTER((int)task->tid),
		                                  GINT_TO_POINTER(!task->is_kernel)));
		if (is_worker(domain, task))
			check_marker(halts, machine, task);
	}
	/* Also while Xen changes from one vCPU of a guest to another. */
	if (machine->vcpus->len == 2) {
		const struct task *first = system_current_task(
			lab.system, machine, g_ptr_array_index(machine->vcpus, 0));
		const struct task *second = system_current_task(
			lab.system, machine, g_ptr_array_index(machine->vcpus, 1));

		g_assert_true(first == NULL || first != second);
	}
	g_ptr_array_add(halts->looks[domain], look);
}

/* On a machine under load a guest may stand at the same place for many halts: that is one
 * incomplete chain. Takes `what`. */
static void note_incomplete(struct halts *halts, char *what)
{
	g_hash_table_add(halts->incomplete, what);
}

static void check_chains(struct halts *halts)
{
	GPtrArray *machines = system_machines(lab.system);

	for (guint i = 0; i < machines->len; i++) {
		struct machine *machine = g_ptr_array_index(machines, i);
		GPtrArray *tasks = system_tasks(lab.system, machine);

		for (guint n = 0; n < tasks->len; n++) {
			const struct task *task = g_ptr_array_index(tasks, n);
			struct backtrace chain;

			halts->n_chains++;
			if (!backtrace_task(lab.system, machine, task, &chain, NULL)) {
				note_incomplete(halts, g_strdup_printf("%s %" G_GINT64_FORMAT,
				                                       machine->name, task->tid));
				continue;
			}
			if (!chain.whole) {
				const struct backtrace_frame *last =
					&g_array_index(chain.frames, struct backtrace_frame,
				                       chain.frames->len - 1);

				note_incomplete(halts, g_strdup_printf("%s %" G_GINT64_FORMAT
				                                       " %" G_GINT64_MODIFIER "x",
				                                       machine->name, task->tid,
				                                       last->pc));
				g_test_message("%s %s (%" G_GINT64_FORMAT
				               "): %s, %u frames, the last in %s+0x%x",
				               machine->name, task->name, task->tid, chain.end,
				               chain.frames->len,
				               last->function != NULL ? last->function : "?",
				               (unsigned)last->offset);
			}
			backtrace_deinit(&chain);
		}
	}
}

/* Lets the guests run until each has begun `n_more` further listings of its /proc. */
static void wait_for_listings(int n_more)
{
	for (unsigned domain = 0; domain < N_GUESTS; domain++) {
		int until = live_lab_last_listing(&lab, domain) + n_more;
		unsigned tries = 0;

		while (live_lab_last_listing(&lab, domain) < until) {
			g_assert_cmpuint(tries++, <, LISTING_TRIES);
			live_lab_run(&lab, 100000);
		}
	}
}

/* The tids of everything that a guest ever told of: listed in /proc, or forked. */
static GHashTable *told_tids(unsigned domain, GArray *listings)
{
	g_autofree char *text = live_lab_console(&lab, domain);
	g_autoptr(GRegex) regex =
		g_regex_new("(?m)^(?:fork \\S+ \\d+ -> |task \\S+ \\S+ pid )(\\d+)", 0, 0, NULL);
	g_autoptr(GMatchInfo) info = NULL;
	GHashTable *tids = g_hash_table_new(g_direct_hash, g_direct_equal);

	for (g_regex_match(regex, text, 0, &info); g_match_info_matches(info);
	     g_match_info_next(info, NULL)) {
		g_autofree char *pid = g_match_info_fetch(info, 1);

		g_hash_table_add(tids, GINT_TO_POINTER(atoi(pid)));
	}
	for (guint i = 0; i < listings->len; i++) {
		GHashTableIter iter;
		gpointer tid;

		g_hash_table_iter_init(&iter, g_array_index(listings, struct proc_listing, i).tids);
		while (g_hash_table_iter_next(&iter, &tid, NULL))
			g_hash_table_add(tids, tid);
	}
	return tids;
}

/* What /proc showed in the last listing that was whole before the halt, and in the first
 * that certainly began after it, lived at the halt. What the console had of a listing may
 * lag behind the guest by a listing: so that is the second one after. */
static void check_against_proc(struct halts *halts, unsigned domain, const struct look *look,
                               GArray *listings)
{
	const struct proc_listing *before = NULL, *after = NULL;
	GHashTableIter iter;
	gpointer tid;

	for (guint i = 0; i < listings->len; i++) {
		const struct proc_listing *one = &g_array_index(listings, struct proc_listing, i);

		if (one->whole && (int)one->number < look->last_listing)
			before = one;
		if (one->whole && (int)one->number >= look->last_listing + 2 && after == NULL)
			after = one;
	}
	g_assert_nonnull(before);
	g_assert_nonnull(after);
	if (look->has_gaps)
		return;
	g_hash_table_iter_init(&iter, before->tids);
	while (g_hash_table_iter_next(&iter, &tid, NULL)) {
		if (!g_hash_table_contains(after->tids, tid))
			continue;
		if (!g_hash_table_contains(look->tids, tid))
			g_error("%s: %d is in /proc before (%u) and after (%u), and not listed",
			        guests[domain], GPOINTER_TO_INT(tid), before->number,
			        after->number);
		halts->n_compared++;
	}
}

static void check_against_told(unsigned domain, const struct look *look, GHashTable *told)
{
	GHashTableIter iter;
	gpointer tid;

	g_hash_table_iter_init(&iter, look->tids);
	while (g_hash_table_iter_next(&iter, &tid, NULL)) {
		if (!g_hash_table_contains(told, tid))
			g_error("%s: %d is listed, and the guest never told of it", guests[domain],
			        GPOINTER_TO_INT(tid));
	}
}

static void halts_init(struct halts *self)
{
	g_autofree char *worker = g_build_filename(lab.dir, "symbols", "worker", NULL);
	g_autoptr(GError) error = NULL;

	*self = (struct halts) { .worker = image_open(worker, NULL, &error) };
	g_assert_no_error(error);
	g_assert_true(symbols_address(image_symbols(self->worker, NULL), "marker", &self->marker));
	self->incomplete = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned domain = 0; domain < N_GUESTS; domain++)
		self->looks[domain] = g_ptr_array_new_with_free_func(free_look);
}

static void halts_deinit(struct halts *self)
{
	image_free(self->worker);
	g_hash_table_unref(self->incomplete);
	for (unsigned domain = 0; domain < N_GUESTS; domain++)
		g_ptr_array_unref(self->looks[domain]);
}

static void test_halts(void)
{
	GRand *rand = g_rand_new_with_seed(number_from("HVSCOPE_LIVE_SEED", 100));
	unsigned n_halts = number_from("HVSCOPE_LIVE_HALTS", HALTS);
	struct halts halts;

	if (!lab_need())
		return;
	halts_init(&halts);
	/* From then on every worker does what its name says. */
	wait_for_listings(3);
	for (unsigned i = 0; i < n_halts; i++) {
		live_lab_run(&lab, (unsigned)g_rand_int_range(rand, 500, 60000));
		for (unsigned domain = 0; domain < N_GUESTS; domain++)
			look_at_guest(&halts, domain);
		check_chains(&halts);
	}
	wait_for_listings(4);
	for (unsigned domain = 0; domain < N_GUESTS; domain++) {
		g_autoptr(GArray) listings = live_lab_listings(&lab, domain);
		g_autoptr(GHashTable) told = told_tids(domain, listings);

		for (guint i = 0; i < halts.looks[domain]->len; i++) {
			const struct look *look = g_ptr_array_index(halts.looks[domain], i);

			check_against_proc(&halts, domain, look, listings);
			check_against_told(domain, look, told);
		}
	}
	g_test_message("%u halts: %u tasks, %u compared with /proc, %u gaps, %u markers, "
	               "%u chains, %u of them incomplete",
	               n_halts, halts.n_tasks, halts.n_compared, halts.n_gaps, halts.n_markers,
	               halts.n_chains, g_hash_table_size(halts.incomplete));
	g_assert_cmpuint(halts.n_markers, >=, halts.n_workers);
	/* What was in the middle of something is named, and rare. */
	g_assert_cmpuint(halts.n_gaps, <=, n_halts / 4);
	g_assert_cmpuint(g_hash_table_size(halts.incomplete) * 200, <=, halts.n_chains);
	halts_deinit(&halts);
	g_rand_free(rand);
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
	point.tid = live_lab_task(&lab, 2, "fork");
	points = breakpoints_new(lab.system);
	breakpoints_add(points, &point);
	for (unsigned i = 0; i < 3; i++) {
		struct stop_place at;

		g_assert_true(breakpoints_run(points, 240000, &at, &error));
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

/* "400000-48a000 r-xp 00000000 /worker": a line of /proc/PID/maps without device and
 * inode. */
static char *maps_from_guest(unsigned domain)
{
	g_autofree char *text = live_lab_console(&lab, domain);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *out = g_string_new(NULL);

	for (gsize i = 0; lines[i] != NULL; i++) {
		char range[48], rights[8], offset[24], name[64] = "";

		/* The kernel's own data page has a name of its own kind. */
		if (sscanf(lines[i], "maps %*s %47s %7s %23s %*s %*s %63s", range, rights, offset,
		           name) >= 3)
			g_string_append_printf(out, "%s %s %s %s\n", range, rights, offset,
			                       strcmp(name, "[vvar]") == 0 ? "" : name);
	}
	return g_string_free(out, FALSE);
}

static char *maps_found(unsigned domain)
{
	struct machine *machine = system_find_machine(lab.system, guests[domain], NULL);
	g_autofree char *name = g_strdup_printf("%s_proc", guests[domain]);
	struct task *task = system_find_task(lab.system, machine, name, NULL);
	g_autoptr(GPtrArray) maps = NULL;
	GString *out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	g_assert_nonnull(task);
	maps = linux_task_maps(machine, task, &error);
	g_assert_no_error(error);
	for (guint i = 0; i < maps->len; i++) {
		const struct linux_mapping *m = g_ptr_array_index(maps, i);

		g_string_append_printf(
			out, "%08lx-%08lx %c%c%c%c %08lx %s\n", (unsigned long)m->start.value,
			(unsigned long)m->end.value, m->readable ? 'r' : '-',
			m->writable ? 'w' : '-', m->executable ? 'x' : '-', m->shared ? 's' : 'p',
			(unsigned long)m->offset_bytes, m->name != NULL ? m->name : "");
	}
	return g_string_free(out, FALSE);
}

static void test_maps(void)
{
	if (!lab_need())
		return;
	for (unsigned domain = 0; domain < N_GUESTS; domain++) {
		g_autofree char *expected = maps_from_guest(domain);
		g_autofree char *found = maps_found(domain);

		g_assert_cmpuint(strlen(expected), >, 0);
		g_assert_cmpstr(found, ==, expected);
	}
}

static void test_frozen(void)
{
	if (!lab_need())
		return;
	live_frozen_compare(&lab, guests, strcmp(scenario, "live") == 0 ? 0x40000000 : 0);
}

/* A tutorial's script, as a user runs it: what it printed, a new string. The server takes
 * one client, so ours goes. */
static char *run_tutorial(const char *name)
{
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "hvscope", NULL);
	g_autofree char *script =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "docs", "tutorials", name, NULL);
	g_autofree char *spec = g_strconcat("gdb:unix:", lab.socket, NULL);
	g_autofree char *system_path = g_build_filename(lab.dir, "system.ini", NULL);
	g_autoptr(GSubprocess) process = NULL;
	g_autoptr(GError) error = NULL;
	char *out = NULL;

	g_clear_pointer(&lab.system, system_free);
	g_clear_pointer(&lab.target, target_free);
	process =
		g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program, "debug",
	                         "--target", spec, "--system", system_path, "script", script, NULL);
	g_assert_no_error(error);
	g_assert_true(g_subprocess_communicate_utf8(process, NULL, NULL, &out, NULL, &error));
	g_test_message("%s", out);
	g_assert_cmpint(g_subprocess_get_exit_status(process), ==, 0);
	return out;
}

static void test_interrupt(void)
{
	g_autofree char *out = NULL;

	if (!lab_need())
		return;
	out = run_tutorial("interrupt.dbg");
	for (unsigned i = 1; i <= 6; i++) {
		g_autofree char *hit = g_strdup_printf("breakpoint %u (", i);

		g_assert_nonnull(strstr(out, hit));
	}
}

/* One chain from Xen's handler through the guest's kernel to the program's SVC. */
static void test_hypercall(void)
{
	static const char *const steps[] = { "\nbreakpoint 1 (linux2:::hyp_sysfs_show)",
		                             "\nbreakpoint 2 (linux2:::HYPERVISOR_xen_version)",
		                             "\nbreakpoint 3 (Xen:::do_xen_version)",
		                             " do_xen_version",
		                             " do_trap_hypercall",
		                             "--- guest of linux2 ---",
		                             " HYPERVISOR_xen_version",
		                             " hyp_sysfs_show",
		                             " el0_svc",
		                             "--- user code of linux2 ---",
		                             "\nbreakpoint 4 (here): " };
	g_autofree char *out = NULL;
	const char *at;

	if (!lab_need())
		return;
	out = run_tutorial("hypercall.dbg");
	at = out;
	for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
		at = strstr(at, steps[i]);
		if (at == NULL)
			g_error("no '%s' in its place", steps[i]);
	}
}

int main(int argc, char **argv)
{
	int code;

	g_test_init(&argc, &argv, NULL);
	if (argc > 1)
		scenario = argv[1];
	g_test_add_func("/awareness/live/halts", test_halts);
	g_test_add_func("/awareness/live/maps", test_maps);
	g_test_add_func("/awareness/live/frozen", test_frozen);
	if (strcmp(scenario, "live") == 0) {
		g_test_add_func("/awareness/live/breakpoint", test_breakpoint);
		g_test_add_func("/awareness/live/interrupt", test_interrupt);
		g_test_add_func("/awareness/live/hypercall", test_hypercall);
	}
	code = g_test_run();
	if (lab_runs)
		live_lab_deinit(&lab);
	g_free(lab_skip);
	return code;
}
