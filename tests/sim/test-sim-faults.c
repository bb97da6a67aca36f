/* What goes wrong on a board, one at a time: each is one clear error that names the component
 * and the register, and leaves every register as it was. */
#include "capture/probe.h"
#include "capture/session.h"
#include "capture/snapshot.h"
#include "tests/sim/recordings.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

enum {
	ANY_BYTES = 100000,
};

struct run {
	struct fixture f;
	struct session_config config;
	char *dir;
	char *before;
	struct session_result result;
	GCancellable *stop;
	GError *error;
	gboolean ok;
	/* Called at a phase, with the model's lock held unless the hook says otherwise. */
	enum session_phase when;
	guint64 when_done; /* in SESSION_DRAIN: not before so many bytes */
	void (*hook)(struct run *run);
	gboolean hooked;
	GThread *thread;
};

static void progress(gpointer data, enum session_phase phase, guint64 done, guint64 total)
{
	struct run *run = data;

	(void)total;
	if (run->hook == NULL || run->hooked || phase != run->when || done < run->when_done)
		return;
	run->hooked = TRUE;
	run->hook(run);
}

static gboolean run_init(struct run *run)
{
	memset(run, 0, sizeof *run);
	run->config = (struct session_config) { .preset = SESSION_PRESET_FULL,
		                                .sink = "etf2",
		                                .stop_core = -1,
		                                .for_us = 60000,
		                                .buffer = { 0x60000000, 1 << 20 } };
	run->stop = g_cancellable_new();
	if (!fixture_init(&run->f, NULL))
		return FALSE;
	if (!recordings_feed(&run->f, ANY_BYTES)) {
		fixture_deinit(&run->f);
		return FALSE;
	}
	run->dir = g_build_filename(run->f.dir, "out", NULL);
	run->config.out_dir = run->dir;
	return TRUE;
}

static char *state(struct run *run)
{
	char *text;

	g_mutex_lock(&run->f.soc->lock);
	text = sim_soc_state(run->f.soc);
	g_mutex_unlock(&run->f.soc->lock);
	return text;
}

static void run_go(struct run *run)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_load("zynqmp", &error);
	g_autoptr(SessionPlan) plan = session_plan_new(board, &run->config, &error);

	g_assert_no_error(error);
	struct link *link = fixture_link(&run->f);

	run->before = state(run);
	run->ok = session_run(plan, &run->config, link, run->stop, progress, run, &run->result,
	                      &run->error);
	link_close(link);
	if (run->error != NULL)
		g_test_message("%s", run->error->message);
	for (guint i = 0; i < run->result.notes->len; i++)
		g_test_message("%s", (const char *)g_ptr_array_index(run->result.notes, i));
}

static void run_deinit(struct run *run)
{
	session_result_clear(&run->result);
	g_clear_error(&run->error);
	g_free(run->before);
	g_free(run->dir);
	g_object_unref(run->stop);
	fixture_deinit(&run->f);
}

static void assert_says(const struct run *run, GQuark domain, gint code, const char *const *words)
{
	g_assert_false(run->ok);
	g_assert_error(run->error, domain, code);
	for (guint i = 0; words[i] != NULL; i++) {
		if (strstr(run->error->message, words[i]) == NULL)
			g_error("'%s' is not in '%s'", words[i], run->error->message);
	}
}

static void assert_restored(struct run *run)
{
	g_autofree char *after = state(run);

	g_assert_cmpstr(after, ==, run->before);
}

static void assert_nothing_written(const struct run *run)
{
	g_assert_false(g_file_test(run->dir, G_FILE_TEST_EXISTS));
	g_assert_null(run->result.incomplete);
}

struct fault {
	const char *name;
	void (*set)(struct sim_soc *soc);
	gint code;
	const char *words[5];
};

static void set_niden(struct sim_soc *soc)
{
	soc->non_secure_debug = FALSE;
}

static void set_clock_off(struct sim_soc *soc)
{
	soc->clock_fpd &= ~(1u << 24);
}

static void set_wrong_part(struct sim_soc *soc)
{
	sim_soc_find(soc, "funnel2")->regs[0xFE0 / 4] = 0x123;
}

static void set_garbage(struct sim_soc *soc)
{
	sim_soc_find(soc, "etf1")->regs[0xFF0 / 4] = 0x5A;
}

static void set_stuck_lock(struct sim_soc *soc)
{
	sim_soc_find(soc, "etf2")->stuck_lock = TRUE;
}

static void set_never_ready(struct sim_soc *soc)
{
	sim_soc_find(soc, "etf1")->never_ready = TRUE;
}

static void set_no_power(struct sim_soc *soc)
{
	sim_soc_find(soc, "etm2")->regs[0x314 / 4] = 0;
}

static void set_in_use(struct sim_soc *soc)
{
	sim_soc_find(soc, "etm1")->regs[0x4 / 4] = 1;
}

static void set_sticky(struct sim_soc *soc)
{
	sim_soc_find(soc, "funnel1")->n_bus_errors = 1;
}

static const struct fault faults[] = {
	{ "niden-low",
	  set_niden,
	  CORESIGHT_ERROR_PROHIBITED,
	  { "etm0", "TRCAUTHSTATUS (0xFB8)", "0xBB", "NIDEN" } },
	{ "clock-off",
	  set_clock_off,
	  CORESIGHT_ERROR_PROHIBITED,
	  { "dbg_fpd", "0xfd1a0068", "0x00000200", "boot loader" } },
	{ "wrong-part",
	  set_wrong_part,
	  CORESIGHT_ERROR_IDENTITY,
	  { "funnel2", "0x123", "0x908", "board" } },
	{ "garbage",
	  set_garbage,
	  CORESIGHT_ERROR_IDENTITY,
	  { "etf1", "0x5A5A5A5A", "no CoreSight component" } },
	{ "locked",
	  set_stuck_lock,
	  CORESIGHT_ERROR_LOCKED,
	  { "etf2", "LAR (0xFB0)", "LSR (0xFB4)" } },
	{ "never-ready",
	  set_never_ready,
	  CORESIGHT_ERROR_TIMEOUT,
	  { "etf1.STS (0x00C)", "last read", "power-cycle" } },
	{ "no-power",
	  set_no_power,
	  CORESIGHT_ERROR_PROHIBITED,
	  { "etm2", "TRCPDSR (0x314)", "cpuidle.off=1" } },
	{ "in-use", set_in_use, CORESIGHT_ERROR_IN_USE, { "etm1", "TRCPRGCTLR", "--take" } },
	{ "sticky-error",
	  set_sticky,
	  CORESIGHT_ERROR_ACCESS,
	  { "funnel1.CIDR0 (0xFF0)", "0x80120ff0", "clock" } },
};

static void test_fault(gconstpointer data)
{
	const struct fault *fault = data;
	struct run run;

	if (!run_init(&run))
		return;
	g_mutex_lock(&run.f.soc->lock);
	fault->set(run.f.soc);
	g_mutex_unlock(&run.f.soc->lock);
	run_go(&run);
	assert_says(&run, CORESIGHT_ERROR, fault->code, fault->words);
	assert_restored(&run);
	assert_nothing_written(&run);
	run_deinit(&run);
}

static void hook_wait_storm(struct run *run)
{
	g_mutex_lock(&run->f.soc->lock);
	run->f.soc->dap.wait_forever = TRUE;
	g_mutex_unlock(&run->f.soc->lock);
}

/* Longer than OpenOCD's patience of a second. */
static gpointer end_storm(gpointer data)
{
	struct run *run = data;

	g_usleep(2500000);
	g_mutex_lock(&run->f.soc->lock);
	run->f.soc->dap.wait_forever = FALSE;
	g_mutex_unlock(&run->f.soc->lock);
	return NULL;
}

static void hook_passing_storm(struct run *run)
{
	hook_wait_storm(run);
	run->thread = g_thread_new("storm", end_storm, run);
}

/* The chip answers WAIT for longer than OpenOCD is patient, then comes back. */
static void test_wait_storm(void)
{
	static const char *const words[] = { "etf2", "CTRL/STAT", NULL };
	struct run run;

	if (!run_init(&run))
		return;
	run.when = SESSION_STOP;
	run.hook = hook_passing_storm;
	run_go(&run);
	g_thread_join(run.thread);
	assert_says(&run, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS, words);
	assert_restored(&run);
	run_deinit(&run);
}

/* It never comes back: no endless row of timeouts. */
static void test_wait_forever(void)
{
	static const char *const words[] = { "etf2", "power-cycle", NULL };
	struct run run;
	gint64 start_us;

	if (!run_init(&run))
		return;
	run.when = SESSION_STOP;
	run.hook = hook_wait_storm;
	start_us = g_get_monotonic_time();
	run_go(&run);
	assert_says(&run, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS, words);
	g_assert_cmpint(g_get_monotonic_time() - start_us, <, (gint64)60 * G_USEC_PER_SEC);
	run_deinit(&run);
}

/* What OpenOCD itself had set up goes as well: as it was is as it is now. */
static void hook_power_cycle(struct run *run)
{
	g_mutex_lock(&run->f.soc->lock);
	sim_soc_power_cycle(run->f.soc);
	g_free(run->before);
	run->before = sim_soc_state(run->f.soc);
	g_mutex_unlock(&run->f.soc->lock);
}

static void test_power_cycle(void)
{
	static const char *const words[] = { "power", NULL };
	struct run run;

	if (!run_init(&run))
		return;
	run.when = SESSION_STOP;
	run.hook = hook_power_cycle;
	run_go(&run);
	assert_says(&run, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS, words);
	assert_restored(&run);
	assert_nothing_written(&run);
	run_deinit(&run);
}

static void hook_reset(struct run *run)
{
	struct dap dap;

	g_mutex_lock(&run->f.soc->lock);
	dap = run->f.soc->dap;
	sim_soc_power_cycle(run->f.soc);
	run->f.soc->dap = dap;
	g_free(run->before);
	run->before = sim_soc_state(run->f.soc);
	g_mutex_unlock(&run->f.soc->lock);
}

/* The debug port keeps its power: only the registers tell. */
static void test_reset(void)
{
	static const char *const words[] = { "etf2.CTL (0x020)", "reset or power-cycled", NULL };
	struct run run;

	if (!run_init(&run))
		return;
	run.when = SESSION_STOP;
	run.hook = hook_reset;
	run_go(&run);
	assert_says(&run, CORESIGHT_ERROR, CORESIGHT_ERROR_IGNORED, words);
	assert_restored(&run);
	assert_nothing_written(&run);
	run_deinit(&run);
}

static void assert_kept(const struct run *run, const char *why)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(run->dir, &error);
	gboolean marked = FALSE;

	g_assert_no_error(error);
	g_assert_cmpuint(snapshot->buffers[0].size_bytes, ==, run->result.trace_bytes);
	g_assert_cmpuint(run->result.trace_bytes, >, 0);
	g_assert_cmpuint(run->result.trace_bytes % 16, ==, 0);
	for (guint i = 0; i < snapshot->n_properties; i++) {
		if (strcmp(snapshot->properties[i].key, "incomplete") == 0)
			marked = strstr(snapshot->properties[i].value, why) != NULL;
	}
	g_assert_true(marked);
}

static void hook_kill(struct run *run)
{
	fixture_kill_openocd(&run->f);
}

static void test_killed_in_drain(void)
{
	static const char *const words[] = { "went away", "log", NULL };
	struct run run;

	if (!run_init(&run))
		return;
	run.config.sink = "etr";
	run.when = SESSION_DRAIN;
	run.when_done = 1;
	run.hook = hook_kill;
	run_go(&run);
	assert_says(&run, LINK_ERROR, LINK_ERROR_LOST, words);
	assert_kept(&run, "went away");
	run_deinit(&run);
}

static void test_memory_fault_in_drain(void)
{
	static const char *const words[] = { "draining etr", "CTRL/STAT", NULL };
	struct run run;

	if (!run_init(&run))
		return;
	run.config.sink = "etr";
	g_mutex_lock(&run.f.soc->lock);
	run.f.soc->fail_memory_after = 20000;
	g_mutex_unlock(&run.f.soc->lock);
	run_go(&run);
	assert_says(&run, LINK_ERROR, LINK_ERROR_FAULT, words);
	assert_restored(&run);
	assert_kept(&run, "bytes");
	run_deinit(&run);
}

static void test_memory_error(void)
{
	static const char *const words[] = { "etr", "STS (0x00C)", "memory error", "SMMU", NULL };
	struct run run;

	if (!run_init(&run))
		return;
	run.config.sink = "etr";
	g_mutex_lock(&run.f.soc->lock);
	sim_soc_find(run.f.soc, "etr")->mem_error = TRUE;
	g_mutex_unlock(&run.f.soc->lock);
	run_go(&run);
	assert_says(&run, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS, words);
	assert_restored(&run);
	assert_nothing_written(&run);
	run_deinit(&run);
}

/* A limit on the size of files stands for a full disk. */
static void test_disk_full(void)
{
	struct rlimit old, low;
	struct run run;

	if (!run_init(&run))
		return;
	run.config.sink = "etr";
	getrlimit(RLIMIT_FSIZE, &old);
	low = old;
	low.rlim_cur = 100000;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &low);
	run_go(&run);
	setrlimit(RLIMIT_FSIZE, &old);
	g_assert_false(run.ok);
	g_assert_true(run.error->domain == G_FILE_ERROR);
	g_assert_cmpuint(run.result.trace_bytes, ==, 100000);
	assert_restored(&run);
	assert_kept(&run, "writing");
	run_deinit(&run);
}

static void hook_cancel(struct run *run)
{
	g_cancellable_cancel(run->stop);
}

/* Before and after the run: nothing is made, everything is as before. */
static void test_cancel_early(void)
{
	static const enum session_phase phases[] = { SESSION_CHECK, SESSION_PROGRAM, SESSION_STOP };
	static const char *const words[] = { "ended by the user", NULL };

	for (gsize i = 0; i < G_N_ELEMENTS(phases); i++) {
		struct run run;

		if (!run_init(&run))
			return;
		run.when = phases[i];
		run.hook = hook_cancel;
		run_go(&run);
		assert_says(&run, CORESIGHT_ERROR, CORESIGHT_ERROR_CANCELLED, words);
		assert_restored(&run);
		assert_nothing_written(&run);
		run_deinit(&run);
	}
}

/* In the run it is how a user ends it; later it has no say. */
static void test_cancel_late(void)
{
	static const enum session_phase phases[] = { SESSION_RUN, SESSION_RESTORE, SESSION_WRITE };

	for (gsize i = 0; i < G_N_ELEMENTS(phases); i++) {
		struct run run;

		if (!run_init(&run))
			return;
		run.when = phases[i];
		run.hook = hook_cancel;
		if (phases[i] == SESSION_RUN) {
			run.config.for_us = 0;
			run.when_done = 50000;
		}
		run_go(&run);
		g_assert_no_error(run.error);
		assert_restored(&run);
		g_assert_true(g_file_test(run.dir, G_FILE_TEST_IS_DIR));
		run_deinit(&run);
	}
}

static void test_cancel_in_drain(void)
{
	struct run run;

	if (!run_init(&run))
		return;
	run.config.sink = "etr";
	run.when = SESSION_DRAIN;
	run.when_done = 1;
	run.hook = hook_cancel;
	run_go(&run);
	g_assert_false(run.ok);
	assert_restored(&run);
	assert_kept(&run, "user");
	run_deinit(&run);
}

/* The probe names what is wrong and changes nothing. */
static void test_probe(void)
{
	struct run run;
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_load("zynqmp", &error);

	if (!run_init(&run))
		return;
	struct link *link = fixture_link(&run.f);
	guint n_writes = run.f.soc->writes->len; /* OpenOCD's own, when it examined the cores */
	g_autoptr(Probe) good = probe_new(link, board, &error);

	g_assert_no_error(error);
	g_assert_cmpuint(good->n_problems, ==, 0);
	/* All of the board file but the table itself, and the FTM that it does not have. */
	g_assert_nonnull(good->rom);
	g_assert_cmpuint(good->rom->entries->len, ==, board->components->len - 1 + 2);
	g_assert_cmpuint(good->rom->notes->len, ==, 2);
	g_mutex_lock(&run.f.soc->lock);
	sim_soc_find(run.f.soc, "rom")->regs[0x008 / 4] = 0xDEADBEEF;
	sim_soc_find(run.f.soc, "a53rom")->regs[0x004 / 4] = 0x30000003;
	sim_soc_find(run.f.soc, "a53rom")->regs[0x008 / 4] = 0xFFC00003;
	set_niden(run.f.soc);
	set_wrong_part(run.f.soc);
	run.f.soc->clock_trace = 0;
	g_mutex_unlock(&run.f.soc->lock);
	g_autoptr(Probe) bad = probe_new(link, board, &error);

	g_assert_no_error(error);
	/* Funnel2, four trace units, the trace clock; in the ROM tables what is no entry, what
	 * points out of the window, a table that lists the one above it, and funnel2 again. */
	g_assert_cmpuint(bad->n_problems, ==, 10);
	g_assert_cmpuint(bad->rom->problems->len, ==, 4);
	g_assert_nonnull(strstr(g_ptr_array_index(bad->rom->problems, 0), "0xDEADBEEF"));
	g_assert_cmpuint(run.f.soc->writes->len, ==, n_writes);
	link_close(link);
	run_deinit(&run);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
		g_autofree char *name = g_strdup_printf("/sim/faults/%s", faults[i].name);

		g_test_add_data_func(name, &faults[i], test_fault);
	}
	g_test_add_func("/sim/faults/wait-storm", test_wait_storm);
	g_test_add_func("/sim/faults/wait-forever", test_wait_forever);
	g_test_add_func("/sim/faults/power-cycle", test_power_cycle);
	g_test_add_func("/sim/faults/reset", test_reset);
	g_test_add_func("/sim/faults/killed-in-drain", test_killed_in_drain);
	g_test_add_func("/sim/faults/memory-fault-in-drain", test_memory_fault_in_drain);
	g_test_add_func("/sim/faults/memory-error", test_memory_error);
	g_test_add_func("/sim/faults/disk-full", test_disk_full);
	g_test_add_func("/sim/faults/cancel-early", test_cancel_early);
	g_test_add_func("/sim/faults/cancel-late", test_cancel_late);
	g_test_add_func("/sim/faults/cancel-in-drain", test_cancel_in_drain);
	g_test_add_func("/sim/faults/probe", test_probe);
	return g_test_run();
}
