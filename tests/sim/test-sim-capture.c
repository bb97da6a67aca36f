/* Whole captures of the simulated board through a real OpenOCD: what comes out is what the
 * trace units and the STM were given, byte for byte, and nothing stays changed. */
#include "capture/link-openocd.h"
#include "capture/session.h"
#include "capture/snapshot.h"
#include "tests/sim/fixture.h"
#include "tests/sim/recordings.h"
#include "tests/sim/streams.h"

#include <string.h>

enum {
	FIRST_ID = 0x10,
	ALL_BYTES = 200000,
	STM_ID = 0x30,
};

static void assert_suffix(const GByteArray *captured, const GByteArray *fed, gboolean wrapped)
{
	if (!wrapped)
		g_assert_cmpuint(captured->len, ==, fed->len);
	g_assert_cmpuint(captured->len, <=, fed->len);
	if (captured->len > 0)
		g_assert_cmpint(
			memcmp(captured->data, fed->data + fed->len - captured->len, captured->len),
			==, 0);
}

/* What is in the file, against what the model's sink wrote and its sources emitted. */
static void assert_same_trace(struct fixture *f, const struct session_config *config,
                              const struct session_result *result)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(config->out_dir, &error);
	struct sim_component *sink;
	struct streams streams;
	gboolean port = strcmp(config->sink, "tpiu") == 0;

	g_assert_no_error(error);
	g_assert_cmpuint(snapshot->n_buffers, ==, 1);
	g_autoptr(GMappedFile) file = snapshot_buffer_map(&snapshot->buffers[0], &error);
	const guint8 *bytes = (const guint8 *)g_mapped_file_get_contents(file);
	gsize len_bytes = g_mapped_file_get_length(file);

	g_assert_cmpuint(len_bytes, ==, result->trace_bytes);
	g_assert_cmpuint(len_bytes, >, 0);
	g_mutex_lock(&f->soc->lock);
	sink = sim_soc_find(f->soc, config->sink);
	g_assert_cmpuint(len_bytes, <=, sink->written->len);
	g_assert_cmpint(
		memcmp(bytes, sink->written->data + sink->written->len - len_bytes, len_bytes), ==,
		0);
	streams_init(&streams);
	if (port)
		streams_split_port(&streams, bytes, len_bytes);
	else
		streams_split(&streams, bytes, len_bytes);
	for (guint i = 0; i < SIM_N_CORES; i++) {
		if (config->preset != SESSION_PRESET_STM)
			assert_suffix(streams.of_id[FIRST_ID + i], f->soc->sources[i].emitted,
			              result->wrapped);
	}
	if (config->preset == SESSION_PRESET_STM)
		assert_suffix(streams.of_id[STM_ID], f->soc->sources[SIM_SOURCE_STM].emitted,
		              result->wrapped);
	streams_deinit(&streams);
	g_mutex_unlock(&f->soc->lock);
}

/* The analyser at the TPIU's pins. */
static void record_port(struct fixture *f, const char *path)
{
	struct sim_component *tpiu;

	g_mutex_lock(&f->soc->lock);
	tpiu = sim_soc_find(f->soc, "tpiu");
	g_assert_true(g_file_set_contents(path, (const char *)tpiu->written->data,
	                                  (gssize)tpiu->written->len, NULL));
	g_mutex_unlock(&f->soc->lock);
}

struct analyser {
	struct fixture *f;
	const char *path;
};

static void analyser_progress(gpointer data, enum session_phase phase, guint64 done, guint64 total)
{
	const struct analyser *analyser = data;

	(void)done;
	(void)total;
	if (phase == SESSION_DRAIN && analyser->path != NULL)
		record_port(analyser->f, analyser->path);
}

/* What was written is what the plan says, in its order: only the waits, and what a register held
 * before, are the target's. */
static void assert_planned(const struct session_plan *plan, const struct session_config *config,
                           const char *write_log)
{
	g_autofree char *planned = session_plan_text(plan, config);
	g_auto(GStrv) wanted = g_strsplit(planned, "\n", -1);
	g_auto(GStrv) written = g_strsplit(write_log, "\n", -1);
	guint at = 0, n = 0;

	for (guint i = 0; wanted[i] != NULL; i++) {
		char *value = strstr(wanted[i], " = ");

		if (value == NULL)
			continue;
		/* TSGEN's rate is read from the target. */
		if (strstr(value, "old") != NULL || strstr(wanted[i], "TSFREQR") != NULL)
			value[strlen(" = ")] = '\0';
		while (written[at] != NULL && !g_str_has_prefix(written[at], wanted[i]))
			at++;
		if (written[at] == NULL)
			g_error("'%s' of the plan was not written, or not in its place:\n%s",
			        wanted[i], write_log);
		at++;
		n++;
	}
	g_assert_cmpuint(n, >, 10);
}

static void capture_once(struct fixture *f, struct session_config *config, const char *name,
                         gboolean wraps)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_load("zynqmp", &error);
	g_autofree char *dir = g_build_filename(f->dir, name, NULL);
	g_autofree char *port_file = g_build_filename(f->dir, "port.bin", NULL);
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;
	struct analyser analyser = { f, NULL };
	struct session_result result;

	g_assert_no_error(error);
	config->out_dir = dir;
	if (strcmp(config->sink, "tpiu") == 0)
		config->tpiu_file = analyser.path = port_file;
	g_autoptr(SessionPlan) plan = session_plan_new(board, config, &error);

	g_assert_no_error(error);
	g_mutex_lock(&f->soc->lock);
	before = sim_soc_state(f->soc);
	g_mutex_unlock(&f->soc->lock);
	struct link *link = fixture_link(f);

	session_run(plan, config, link, NULL, analyser_progress, &analyser, &result, &error);
	link_close(link);
	g_assert_no_error(error);
	g_assert_null(result.incomplete);
	g_assert_cmpint(result.wrapped, ==, wraps);
	assert_planned(plan, config, result.write_log);
	assert_same_trace(f, config, &result);
	fixture_assert_no_violations(f);
	g_mutex_lock(&f->soc->lock);
	after = sim_soc_state(f->soc);
	g_mutex_unlock(&f->soc->lock);
	g_assert_cmpstr(after, ==, before);
	session_result_clear(&result);
}

struct sink_case {
	const char *sink;
	gsize feed_bytes;
	gsize buffer_bytes;
	enum session_preset preset;
	gboolean wraps;
};

/* Twice in a row without a reset in between. */
static void test_sink(gconstpointer data)
{
	const struct sink_case *c = data;
	struct session_config config = { .preset = c->preset,
		                         .sink = c->sink,
		                         .stop_core = -1,
		                         .for_us = 150000,
		                         .buffer = { 0x60000000, c->buffer_bytes } };
	struct fixture f;

	if (!fixture_init(&f, NULL))
		return;
	if (recordings_feed(&f, c->feed_bytes)) {
		capture_once(&f, &config, "first", c->wraps);
		capture_once(&f, &config, "second", c->wraps);
	}
	fixture_deinit(&f);
}

/* The AXI access port alone: the CPU's view, where the software lock holds. */
static void test_cpu_view(void)
{
	struct session_config config = {
		.preset = SESSION_PRESET_FULL, .sink = "etf2", .stop_core = -1, .for_us = 100000
	};
	struct fixture f;

	if (!fixture_init_view(&f, NULL, FALSE))
		return;
	if (recordings_feed(&f, 1500))
		capture_once(&f, &config, "cpu-view", FALSE);
	fixture_deinit(&f);
}

static gboolean all_emitted(struct sim_soc *soc)
{
	for (guint i = 0; i < SIM_N_CORES; i++) {
		if (soc->sources[i].emitted->len < g_bytes_get_size(soc->sources[i].feed))
			return FALSE;
	}
	return TRUE;
}

/* Core 1 halts; over the CTIs that stops the ETR long before the time is up. */
static gpointer halt_later(gpointer data)
{
	struct fixture *f = data;

	for (gboolean done = FALSE; !done;) {
		g_usleep(50000);
		g_mutex_lock(&f->soc->lock);
		done = all_emitted(f->soc);
		if (done)
			sim_soc_core_halted(f->soc, 1);
		g_mutex_unlock(&f->soc->lock);
	}
	return NULL;
}

static void test_stop_on_halt(void)
{
	struct session_config config = { .preset = SESSION_PRESET_EXITS,
		                         .sink = "etr",
		                         .stop_core = 1,
		                         .for_us = 30000000,
		                         .buffer = { 0x60000000, 1 << 20 } };
	struct fixture f;

	if (!fixture_init(&f, NULL))
		return;
	if (recordings_feed(&f, ALL_BYTES)) {
		GThread *thread = g_thread_new("halt", halt_later, &f);
		gint64 start_us = g_get_monotonic_time();

		capture_once(&f, &config, "halt", FALSE);
		g_assert_cmpint(g_get_monotonic_time() - start_us, <, 25000000);
		g_thread_join(thread);
	}
	fixture_deinit(&f);
}

static guint64 clocks(struct fixture *f)
{
	guint64 n;

	g_mutex_lock(&f->soc->lock);
	n = f->soc->n_clocks;
	g_mutex_unlock(&f->soc->lock);
	return n;
}

struct drain_clocks {
	struct fixture *f;
	guint64 start, end;
};

static void note_clocks(gpointer data, enum session_phase phase, guint64 done, guint64 total)
{
	struct drain_clocks *self = data;

	(void)total;
	if (phase == SESSION_DRAIN && done == 0)
		self->start = clocks(self->f);
	else if (phase == SESSION_RESTORE && self->end == 0)
		self->end = clocks(self->f);
}

/* JTAG clocks that OpenOCD's own bulk read of the same bytes takes. */
static guint64 own_clocks(struct fixture *f, guint64 addr_pa, gsize len_bytes)
{
	g_autoptr(GError) error = NULL;
	struct link *link = fixture_link(f);
	g_autofree char *command =
		g_strdup_printf("targets uscale.axi; dump_image %s/own.bin 0x%" G_GINT64_MODIFIER
	                        "x %" G_GSIZE_FORMAT,
	                        f->dir, addr_pa, len_bytes);
	guint64 start = clocks(f);
	g_autofree char *answer = link_openocd_eval(link, command, &error);
	guint64 n = clocks(f) - start;

	g_assert_no_error(error);
	link_close(link);
	return n;
}

/* A drain takes no more of the JTAG's time than OpenOCD's own bulk read of the same bytes, or
 * nearly. Clocks, not seconds: those are ./run bench drain's. */
static void test_drain_clocks(void)
{
	struct session_config config = { .preset = SESSION_PRESET_FULL,
		                         .sink = "etr",
		                         .stop_core = -1,
		                         .for_us = 150000,
		                         .buffer = { 0x60000000, 1 << 20 } };
	struct fixture f;
	struct session_result result;
	struct drain_clocks drain = { &f, 0, 0 };
	g_autoptr(GError) error = NULL;
	guint64 own;

	if (!fixture_init(&f, NULL))
		return;
	if (!recordings_feed(&f, ALL_BYTES)) {
		fixture_deinit(&f);
		return;
	}
	g_autoptr(Board) board = board_load("zynqmp", &error);
	g_autoptr(SessionPlan) plan = session_plan_new(board, &config, &error);
	g_autofree char *dir = g_build_filename(f.dir, "drain", NULL);

	g_assert_no_error(error);
	struct link *link = fixture_link(&f);

	config.out_dir = dir;
	session_run(plan, &config, link, NULL, note_clocks, &drain, &result, &error);
	g_assert_no_error(error);
	link_close(link);
	own = own_clocks(&f, config.buffer.start_pa, result.trace_bytes);
	g_test_message("%" G_GUINT64_FORMAT " bytes: %" G_GUINT64_FORMAT
	               " clocks, OpenOCD's dump_image %" G_GUINT64_FORMAT,
	               result.trace_bytes, drain.end - drain.start, own);
	g_assert_cmpuint(drain.end, >, drain.start);
	g_assert_cmpuint((drain.end - drain.start) * 9, <=, own * 10);
	session_result_clear(&result);
	fixture_deinit(&f);
}

static const struct sink_case cases[] = {
	{ "etf1", 700, 0, SESSION_PRESET_FULL, FALSE },
	{ "etf1", ALL_BYTES, 0, SESSION_PRESET_FULL, TRUE },
	{ "etf2", 1500, 0, SESSION_PRESET_FULL, FALSE },
	{ "etf2", ALL_BYTES, 0, SESSION_PRESET_FULL, TRUE },
	{ "etr", ALL_BYTES, 1 << 20, SESSION_PRESET_FULL, FALSE },
	{ "etr", ALL_BYTES, 16384, SESSION_PRESET_EXITS, TRUE },
	{ "tpiu", ALL_BYTES, 0, SESSION_PRESET_SCHEDULE, FALSE },
	{ "etf2", 4000, 0, SESSION_PRESET_STM, FALSE },
	{ "etr", ALL_BYTES, 16384, SESSION_PRESET_STM, TRUE },
};

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *name =
			g_strdup_printf("/sim/capture/%s-%s%s", cases[i].sink,
		                        cases[i].preset == SESSION_PRESET_STM ? "stm" : "etm",
		                        cases[i].wraps ? "-wrapped" : "");

		g_test_add_data_func(name, &cases[i], test_sink);
	}
	g_test_add_func("/sim/capture/cpu-view", test_cpu_view);
	g_test_add_func("/sim/capture/stop-on-halt", test_stop_on_halt);
	g_test_add_func("/sim/capture/drain-clocks", test_drain_clocks);
	return g_test_run();
}
