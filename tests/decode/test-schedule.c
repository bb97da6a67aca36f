/* vCPUs, their runs and exits of synthetic captures against the exact truth: which vCPU each
 * run was, exits and service time per domain, and that the account closes. */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "decode/pipeline.h"
#include "decode/vcpu-identity.h"
#include "tests/synth/capture-dir.h"

struct truth_row {
	guint core;
	gint64 start_ns, end_ns;
	char vcpu[16];
	gboolean guest;
};

struct run {
	gint64 vmid, number, start_ns, end_ns, guest_ns, known;
	guint core;
	double confidence;
	const char *truth; /* who it really was */
};

struct fixture {
	char *dir, *recording;
	GArray *truth; /* struct truth_row */
	sqlite3 *db;
};

static const char pair_scenario[] =
	"clock timestamp_hz=100000000 core_hz=1200000000\n"
	"duration 60ms\ncores 2\nhypervisor slice=700us visit=1us..4us switch=2us..5us\n"
	"domain 0 Dom0 kind=linux\ndomain 1 one kind=linux\n"
	"vcpu d0v0 domain=0 exits=300us\nvcpu d1v0 domain=1 exits=200us\n"
	"vcpu d1v1 domain=1 exits=250us\n"
	"task dom0 vcpu=d0v0 cid=412 burst=50us..300us sleep=400us..900us syscall=40us "
	"kernel=40%%\n"
	"task a vcpu=d1v0 cid=730 burst=100us..700us syscall=30us kernel=35%%\n"
	"task b vcpu=d1v1 cid=801 burst=300us..900us sleep=100us..300us syscall=30us kernel=35%%\n"
	"seed %u\n%s";

static void fixture_open(struct fixture *self, guint seed, const char *extra,
                         const char *system_extra)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = g_strdup_printf(pair_scenario, seed, extra);
	g_autoptr(Scenario) scenario = scenario_parse(text, "pair", &error);
	g_autoptr(system_file) system = NULL;
	g_autofree char *system_text = NULL, *system_path = NULL, *truth_path = NULL;
	g_autofree char *truth = NULL;
	struct decode_options options = { .jobs = 1 };

	g_assert_no_error(error);
	self->dir = g_dir_make_tmp("hvscope-schedule-XXXXXX", &error);
	self->recording = g_build_filename(self->dir, "recording.hvs", NULL);
	self->truth = g_array_new(FALSE, FALSE, sizeof(struct truth_row));
	g_assert_true(capture_dir_write(scenario, self->dir, &error));
	system_path = g_build_filename(self->dir, "system.ini", NULL);
	if (system_extra != NULL) {
		g_assert_true(g_file_get_contents(system_path, &system_text, NULL, NULL));
		truth = g_strconcat(system_text, system_extra, NULL);
		system = system_file_parse(truth, strlen(truth), system_path, &error);
		g_assert_no_error(error);
		options.system = system;
		g_clear_pointer(&truth, g_free);
	}
	g_assert_true(decode_capture(self->dir, self->recording, &options, &error));
	truth_path = g_build_filename(self->dir, "truth.csv", NULL);
	g_assert_true(g_file_get_contents(truth_path, &truth, NULL, NULL));

	g_auto(GStrv) lines = g_strsplit(truth, "\n", -1);

	for (guint i = 1; *lines[i] != '\0'; i++) {
		g_auto(GStrv) cells = g_strsplit(lines[i], ",", -1);
		struct truth_row row = { .core = (guint)g_ascii_strtoull(cells[0], NULL, 10),
			                 .start_ns = g_ascii_strtoll(cells[1], NULL, 10),
			                 .guest = strcmp(cells[4], "guest") == 0 };

		row.end_ns = row.start_ns + g_ascii_strtoll(cells[2], NULL, 10);
		g_strlcpy(row.vcpu, cells[8], sizeof row.vcpu);
		g_array_append_val(self->truth, row);
	}
	g_assert_cmpint(sqlite3_open_v2(self->recording, &self->db, SQLITE_OPEN_READONLY, NULL), ==,
	                SQLITE_OK);
}

static void fixture_close(struct fixture *self)
{
	g_autoptr(GDir) dir = g_dir_open(self->dir, 0, NULL);
	const char *name;

	sqlite3_close(self->db);
	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = g_build_filename(self->dir, name, NULL);

		g_remove(file);
	}
	g_rmdir(self->dir);
	g_free(self->dir);
	g_free(self->recording);
	g_array_unref(self->truth);
}

static gint64 query_int(const struct fixture *self, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	gint64 value;

	g_assert_cmpint(sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* Who really had the core for most of the run's guest time. The recording's window may begin
 * a little after the truth's first row. */
static const char *truth_of(const struct fixture *self, const struct run *run, gint64 offset_ns)
{
	const char *best = NULL;
	gint64 best_ns = 0;

	for (guint i = 0; i < self->truth->len; i++) {
		const struct truth_row *row = &g_array_index(self->truth, struct truth_row, i);
		const gint64 overlap_ns = MIN(row->end_ns, run->end_ns + offset_ns) -
		                          MAX(row->start_ns, run->start_ns + offset_ns);

		if (row->core == run->core && row->guest && overlap_ns > best_ns) {
			best = row->vcpu;
			best_ns = overlap_ns;
		}
	}
	return best;
}

static GArray *read_runs(const struct fixture *self)
{
	GArray *runs = g_array_new(FALSE, TRUE, sizeof(struct run));
	sqlite3_stmt *statement = NULL;
	const gint64 offset_ns =
		query_int(self, "SELECT value FROM meta WHERE key='window_start_ticks'") * 10;

	g_assert_cmpint(sqlite3_prepare_v2(self->db,
	                                   "SELECT vmid, coalesce(vcpu, -1), start_ns, start_ns + "
	                                   "duration_ns, guest_ns, core, confidence, known = "
	                                   "'exact' FROM v_schedule WHERE state = 'running'",
	                                   -1, &statement, NULL),
	                ==, SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		struct run run = { .vmid = sqlite3_column_int64(statement, 0),
			           .number = sqlite3_column_int64(statement, 1),
			           .start_ns = sqlite3_column_int64(statement, 2),
			           .end_ns = sqlite3_column_int64(statement, 3),
			           .guest_ns = sqlite3_column_int64(statement, 4),
			           .core = (guint)sqlite3_column_int(statement, 5),
			           .confidence = sqlite3_column_double(statement, 6),
			           .known = sqlite3_column_int(statement, 7) };

		run.truth = truth_of(self, &run, offset_ns);
		g_array_append_val(runs, run);
	}
	sqlite3_finalize(statement);
	return runs;
}

/* Numbers that are an order of our own may be the truth's in another order. */
static gboolean is_right(const struct run *run, gboolean swapped)
{
	g_autofree char *name =
		g_strdup_printf("d%dv%d", (int)run->vmid - 1,
	                        (int)(run->vmid == 2 && swapped ? 1 - run->number : run->number));

	return run->truth != NULL && strcmp(run->truth, name) == 0;
}

struct score {
	gint64 guest_ns, identified_ns, wrong_sure_ns;
	guint exact, exact_wrong;
};

static struct score score_runs(const GArray *runs, gboolean swapped)
{
	struct score score = { 0 };

	for (guint i = 0; i < runs->len; i++) {
		const struct run *run = &g_array_index(runs, struct run, i);
		const gboolean right = is_right(run, swapped);

		score.guest_ns += run->guest_ns;
		score.exact += run->known != 0;
		score.exact_wrong += run->known != 0 && !right;
		if (run->confidence >= 0.95) {
			score.identified_ns += run->guest_ns;
			score.wrong_sure_ns += right ? 0 : run->guest_ns;
		}
	}
	return score;
}

static void check(guint seed, const char *extra, const char *system_extra, gint64 permille)
{
	struct fixture fixture;
	g_autoptr(GArray) runs = NULL;
	struct score score, swapped;
	gint64 guest_ns;

	fixture_open(&fixture, seed, extra, system_extra);
	runs = read_runs(&fixture);
	score = score_runs(runs, FALSE);
	swapped = score_runs(runs, TRUE);
	if (swapped.wrong_sure_ns < score.wrong_sure_ns)
		score = swapped;
	g_test_message("seed %u: identified %.2f %%, sure and wrong %.3f %%, %u exact, %u wrong",
	               seed, 100.0 * (double)score.identified_ns / (double)score.guest_ns,
	               100.0 * (double)score.wrong_sure_ns / (double)score.guest_ns, score.exact,
	               score.exact_wrong);
	g_assert_cmpuint(score.exact_wrong, ==, 0);
	g_assert_cmpint(score.identified_ns * 1000, >=, score.guest_ns * permille);
	g_assert_cmpint(score.wrong_sure_ns * 20, <=, score.guest_ns);

	guest_ns = query_int(&fixture,
	                     "SELECT sum(duration_ns) FROM span_owner WHERE class = 'guest'");
	g_assert_cmpint(score.guest_ns, ==, guest_ns);
	fixture_close(&fixture);
}

static void test_from_trace_alone(void)
{
	for (guint seed = 1; seed <= 4; seed++)
		check(seed, "", NULL, 900);
}

static void test_with_names(void)
{
	for (guint seed = 1; seed <= 4; seed++)
		check(seed, "", "", 990);
}

static void test_with_bound_threads(void)
{
	static const char extra[] =
		"task ksoftirqd/0 vcpu=d1v0 cid=31 burst=10us..20us sleep=1ms..2ms kernel=100%\n"
		"task ksoftirqd/1 vcpu=d1v1 cid=32 burst=10us..20us sleep=1ms..2ms kernel=100%\n";
	struct fixture fixture;
	g_autoptr(GArray) runs = NULL;
	struct score score;

	for (guint seed = 1; seed <= 3; seed++)
		check(seed, extra, "", 990);
	fixture_open(&fixture, 1, extra, "");
	runs = read_runs(&fixture);
	score = score_runs(runs, FALSE);
	/* The guest's own numbers: nothing is swapped. */
	g_assert_cmpint(score.wrong_sure_ns, ==, 0);
	g_assert_cmpuint(score.exact, >, runs->len / 4);
	fixture_close(&fixture);
}

static void test_lost_trace(void)
{
	check(5, "at 20ms core 0 overflow 2ms\nat 35ms core 1 overflow 1ms\n", "", 0);
}

/* Every nanosecond of a core is a guest's, the hypervisor's, idle, or nobody's; and what runs
 * and exits say of it is what the spans say. */
static void test_account_closes(void)
{
	for (guint seed = 10; seed < 20; seed++) {
		struct fixture fixture;
		gint64 spans_ns, window_ns, exits_ns, hypervisor_ns, outside_ns;

		fixture_open(&fixture, seed, seed & 1 ? "at 30ms core 1 overflow 1ms\n" : "", "");
		window_ns = query_int(&fixture, "SELECT value FROM meta WHERE key='window_ns'");
		spans_ns = query_int(&fixture, "SELECT sum(duration_ns) FROM span");
		g_assert_cmpint(spans_ns, ==, 2 * window_ns);
		exits_ns = query_int(&fixture, "SELECT sum(hypervisor_ns) FROM exit");
		hypervisor_ns = query_int(
			&fixture,
			"SELECT sum(duration_ns) FROM span_owner WHERE class='hypervisor'");
		/* EL2 before a core's first guest, and after trace was lost in EL2. */
		outside_ns = query_int(
			&fixture,
			"SELECT coalesce(sum(duration_ns), 0) FROM span_owner AS s WHERE class = "
			"'hypervisor' AND NOT EXISTS (SELECT 1 FROM exit AS e WHERE e.core = "
			"s.core "
			"AND e.start_ns <= s.start_ns AND s.start_ns + s.duration_ns <= e.start_ns "
			"+ "
			"e.duration_ns)");
		g_assert_cmpint(exits_ns + outside_ns, ==, hypervisor_ns);
		g_assert_cmpint(query_int(&fixture, "SELECT count(*) FROM vcpu_run AS a JOIN "
		                                    "vcpu_run AS b ON a.vcpu = b.vcpu AND a.seq < "
		                                    "b.seq AND b.start_ns < a.start_ns + "
		                                    "a.duration_ns"),
		                ==, 0);
		fixture_close(&fixture);
	}
}

/* Guest exits are the truth's changes from a guest to EL2 for the same vCPU. */
static void test_exits_counted(void)
{
	for (guint seed = 20; seed < 23; seed++) {
		struct fixture fixture;
		gint64 want = 0, got, core_of_last = -1;
		gboolean was_guest = FALSE;

		fixture_open(&fixture, seed, "", "");
		for (guint i = 0; i < fixture.truth->len; i++) {
			const struct truth_row *row =
				&g_array_index(fixture.truth, struct truth_row, i);

			if (row->core != core_of_last)
				was_guest = FALSE;
			want += was_guest && !row->guest;
			was_guest = row->guest;
			core_of_last = row->core;
		}
		got = query_int(&fixture, "SELECT count(*) FROM exit");
		g_assert_cmpint(ABS(got - want), <=, 2);
		fixture_close(&fixture);
	}
}

static void test_task_names(void)
{
	g_assert_cmpint(identity_cpu_of_task("ksoftirqd/3"), ==, 3);
	g_assert_cmpint(identity_cpu_of_task("kworker/1:2"), ==, 1);
	g_assert_cmpint(identity_cpu_of_task("kworker/0:1H"), ==, 0);
	g_assert_cmpint(identity_cpu_of_task("kworker/u4:1"), ==, IDENTITY_NO_NUMBER);
	g_assert_cmpint(identity_cpu_of_task("migration/99"), ==, IDENTITY_NO_NUMBER);
	g_assert_cmpint(identity_cpu_of_task("bash"), ==, IDENTITY_NO_NUMBER);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/decode/schedule/task-names", test_task_names);
	g_test_add_func("/decode/schedule/from-trace-alone", test_from_trace_alone);
	g_test_add_func("/decode/schedule/with-names", test_with_names);
	g_test_add_func("/decode/schedule/with-bound-threads", test_with_bound_threads);
	g_test_add_func("/decode/schedule/lost-trace", test_lost_trace);
	g_test_add_func("/decode/schedule/account-closes", test_account_closes);
	g_test_add_func("/decode/schedule/exits-counted", test_exits_counted);
	return g_test_run();
}
