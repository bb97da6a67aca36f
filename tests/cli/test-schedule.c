/* report sched and its kin, query and compare, as a user or a script sees them. */
#include "tests/cli/cli-run.h"
#include "tests/schema/sample-recording.h"

#include <glib/gstdio.h>
#include <string.h>

struct fixture {
	char *directory, *plain, *sample;
};

/* `plain` has no guest's exits, `sample` is the capture of ./run demo. */
static void setup(struct fixture *self, gconstpointer data)
{
	g_autofree char *capture =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "samples", "overcommit", NULL);
	g_autofree char *system = g_build_filename(capture, "system.ini", NULL);
	struct cli_run run;

	(void)data;
	self->directory = g_dir_make_tmp("hvscope-cli-schedule-XXXXXX", NULL);
	self->plain = g_build_filename(self->directory, "plain.hvs", NULL);
	self->sample = g_build_filename(self->directory, "sample.hvs", NULL);
	sample_recording_write(self->plain, "measured");
	cli_run(&run, "decode", capture, "--system", system, "-o", self->sample, NULL);
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	g_unlink(self->plain);
	g_unlink(self->sample);
	g_rmdir(self->directory);
	g_free(self->directory);
	g_free(self->plain);
	g_free(self->sample);
}

static const char *const report_names[] = { "sched",   "exits",   "overhead",
	                                    "latency", "backend", "all" };

static void test_reports_json(struct fixture *self, gconstpointer data)
{
	(void)data;
	for (gsize i = 0; i < G_N_ELEMENTS(report_names); i++) {
		g_autoptr(JsonObject) nothing = NULL, full = NULL;
		struct cli_run run;

		cli_run(&run, "report", report_names[i], "--json", self->plain, NULL);
		g_assert_cmpint(run.code, ==, 0);
		nothing = cli_run_json(&run);
		cli_run_clear(&run);
		g_assert_true(json_object_has_member(nothing, "coverage"));
		if (strcmp(report_names[i], "all") != 0)
			g_assert_cmpuint(json_array_get_length(
						 json_object_get_array_member(nothing, "rows")),
			                 ==, 0);
		cli_run(&run, "report", report_names[i], "--json", self->sample, NULL);
		full = cli_run_json(&run);
		cli_run_clear(&run);
		g_assert_cmpuint(json_array_get_length(json_object_get_array_member(full, "rows")),
		                 >, 4);
	}
}

static gint64 member(JsonArray *rows, guint i, const char *name)
{
	return json_object_get_int_member(json_array_get_object_element(rows, i), name);
}

/* The sample's frontend marks its requests: what the tables say of them fits together. */
static void test_backend(struct fixture *self, gconstpointer data)
{
	g_autoptr(JsonObject) report = NULL;
	JsonArray *rows, *pairs, *requests;
	gint64 stages_ns = 0, total_ns = 0, spikes = 0;
	struct cli_run run;

	(void)data;
	cli_run(&run, "report", "backend", "--json", "--threshold", "1ms", self->sample, NULL);
	g_assert_cmpint(run.code, ==, 0);
	report = cli_run_json(&run);
	cli_run_clear(&run);
	rows = json_object_get_array_member(report, "rows");
	pairs = json_object_get_array_member(report, "pairs");
	requests = json_object_get_array_member(report, "requests");
	g_assert_cmpuint(json_array_get_length(pairs), ==, 1);
	g_assert_cmpint(member(pairs, 0, "requests"), ==, json_array_get_length(requests));
	g_assert_cmpint(member(pairs, 0, "requests"), >=, 39);
	g_assert_cmpint(member(pairs, 0, "exact"), ==, member(pairs, 0, "requests"));
	for (guint i = 0; i < json_array_get_length(requests); i++) {
		JsonObject *request = json_array_get_object_element(requests, i);

		if (json_object_get_int_member(request, "censored") == 0) {
			total_ns += json_object_get_int_member(request, "total_ns");
			spikes += json_object_get_int_member(request, "total_ns") > 1000000;
		}
	}
	g_assert_cmpint(member(pairs, 0, "spikes"), ==, spikes);
	for (guint i = 0; i < json_array_get_length(rows); i++) {
		JsonObject *row = json_array_get_object_element(rows, i);
		const double sum_ns = json_object_get_double_member(row, "mean_ns") *
		                      (double)json_object_get_int_member(row, "count");
		const char *stage = json_object_get_string_member(row, "stage");

		g_assert_cmpstr(json_object_get_string_member(row, "known"), ==, "exact");
		if (strcmp(stage, "total") != 0 && strcmp(stage, "scheduling") != 0)
			stages_ns += (gint64)(sum_ns + 0.5);
	}
	g_assert_cmpint(ABS(stages_ns - total_ns), <=, json_array_get_length(rows));
}

static void expect(int status, const char *wanted, struct cli_run *run)
{
	g_assert_cmpint(run->code, ==, status);
	if (wanted != NULL && strstr(status == 0 ? run->out : run->err, wanted) == NULL)
		g_error("'%s' is not in: %s%s", wanted, run->out, run->err);
	cli_run_clear(run);
}

static void test_filters(struct fixture *self, gconstpointer data)
{
	struct cli_run run;

	(void)data;
	cli_run(&run, "report", "sched", "--csv", "--domain", "linux1", "--vcpu", "1", self->sample,
	        NULL);
	g_assert_nonnull(strstr(run.out, "linux1/1"));
	g_assert_null(strstr(run.out, "linux1/0"));
	expect(0, "domain,vcpu,guest_ns", &run);
	cli_run(&run, "report", "exits", "--domain", "nobody", self->sample, NULL);
	expect(1, "no domain 'nobody'", &run);
	cli_run(&run, "report", "exits", "--from", "soon", self->sample, NULL);
	expect(2, "1.5ms", &run);
}

static void test_backend_text(struct fixture *self, gconstpointer data)
{
	struct cli_run run;

	(void)data;
	cli_run(&run, "report", "backend", "--csv", "--domain", "back", self->sample, NULL);
	expect(0, "front,back,service,exact,", &run);
	cli_run(&run, "report", "backend", "--domain", "linux1", self->sample, NULL);
	expect(0, "Requests: how long after t0 each time was: none", &run);
	cli_run(&run, "query", "--csv", self->sample,
	        "SELECT count(*) AS n FROM v_request WHERE known <> 'exact' OR total_ns <> "
	        "t8_ns - t0_ns OR missing <> 't1 t3 t6'",
	        NULL);
	expect(0, "n\n0\n", &run);
}

static void test_query(struct fixture *self, gconstpointer data)
{
	static const char *const refused[] = { "DELETE FROM span", "PRAGMA user_version = 9",
		                               "ATTACH '/tmp/x' AS x", "SELECT load_extension('x')",
		                               "CREATE TABLE t (a)" };
	struct cli_run run;

	(void)data;
	cli_run(&run, "query", "--csv", self->sample,
	        "SELECT count(*) AS n FROM v_exit WHERE ended = 'lost' AND NOT censored", NULL);
	expect(0, "n\n0\n", &run);
	cli_run(&run, "query", "--json", self->sample, "SELECT DISTINCT domain FROM v_schedule",
	        NULL);
	expect(0, "\"linux1\"", &run);
	for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
		cli_run(&run, "query", self->sample, refused[i], NULL);
		expect(1, "hvscope query", &run);
	}
	cli_run(&run, "query", self->sample, "SELECT 1; SELECT 2", NULL);
	expect(2, "exactly one", &run);
}

static void test_compare(struct fixture *self, gconstpointer data)
{
	struct cli_run run;

	(void)data;
	cli_run(&run, "compare", self->sample, self->sample, NULL);
	expect(0, "0 metrics differ", &run);
	cli_run(&run, "compare", self->sample, self->sample, "--fail-if", "exits.p99 > 1.2x",
	        "--fail-if", "overhead.ratio > 0.9", NULL);
	expect(0, NULL, &run);
	cli_run(&run, "compare", self->sample, self->sample, "--fail-if", "exits.p99 > 0.9x", NULL);
	expect(3, "exits.p99", &run);
	cli_run(&run, "compare", self->sample, self->sample, "--fail-if", "exits.p99", NULL);
	expect(1, "no condition", &run);
	cli_run(&run, "compare", self->sample, self->plain, "--fail-if", "exits.p99 > 1.2x", NULL);
	expect(1, "both recordings", &run);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/cli/schedule/json", struct fixture, NULL, setup, test_reports_json, teardown);
	g_test_add("/cli/schedule/filters", struct fixture, NULL, setup, test_filters, teardown);
	g_test_add("/cli/schedule/backend", struct fixture, NULL, setup, test_backend, teardown);
	g_test_add("/cli/schedule/backend-text", struct fixture, NULL, setup, test_backend_text,
	           teardown);
	g_test_add("/cli/schedule/query", struct fixture, NULL, setup, test_query, teardown);
	g_test_add("/cli/schedule/compare", struct fixture, NULL, setup, test_compare, teardown);
	return g_test_run();
}
