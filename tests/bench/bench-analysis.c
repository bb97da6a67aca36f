/* What vCPUs, runs and exits cost, on 60 s of trace at 10,000 changes of owner a second and core
 * (tests/synth/scenarios/big.scenario): decoding with them beside decoding without, CPU time,
 * and how long each report takes to print, from its start to its end.
 *
 * Usage: bench-analysis [SCENARIO]
 */
#include "decode/pipeline.h"
#include "tests/synth/capture-dir.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	ROUNDS = 3 /* the best counts */
};

static void check(gboolean done, const GError *error)
{
	if (done)
		return;
	g_printerr("bench-analysis: %s\n", error != NULL ? error->message : "failed");
	exit(1);
}

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double decode_seconds(const char *capture, const char *recording, gboolean spans_only)
{
	const struct decode_options options = { .jobs = 1, .spans_only = spans_only };
	double best = 0;

	for (guint i = 0; i < ROUNDS; i++) {
		g_autoptr(GError) error = NULL;
		const double before = cpu_seconds();
		double seconds;

		check(decode_capture(capture, recording, &options, &error), error);
		seconds = cpu_seconds() - before;
		best = best == 0 ? seconds : MIN(best, seconds);
	}
	return best;
}

/* The program that was built beside this one. */
static char *find_hvscope(void)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *dir = self != NULL ? g_path_get_dirname(self) : g_strdup(".");

	return g_build_filename(dir, "..", "..", "hvscope", NULL);
}

static double report_seconds(const char *hvscope, const char *report, const char *recording)
{
	const char *const argv[] = { hvscope, "report", report, recording, NULL };
	double best = 0;

	for (guint i = 0; i < ROUNDS; i++) {
		g_autoptr(GError) error = NULL;
		const gint64 before_us = g_get_monotonic_time();
		double seconds;
		gint status = 1;

		check(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL,
		                   NULL, NULL, NULL, &status, &error),
		      error);
		check(g_spawn_check_wait_status(status, &error), error);
		seconds = (double)(g_get_monotonic_time() - before_us) / 1e6;
		best = best == 0 ? seconds : MIN(best, seconds);
	}
	return best;
}

static void make_capture(const char *path, const char *dir)
{
	g_autofree char *text = NULL;
	g_autoptr(Scenario) scenario = NULL;
	g_autoptr(GError) error = NULL;

	check(g_file_get_contents(path, &text, NULL, &error), error);
	scenario = scenario_parse(text, path, &error);
	check(scenario != NULL, error);
	check(capture_dir_write(scenario, dir, &error), error);
}

static void remove_dir(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		g_remove(file);
	}
	g_rmdir(path);
}

int main(int argc, char **argv)
{
	static const char *const reports[] = { "time",     "quality", "sched",   "exits",
		                               "overhead", "latency", "backend", "all" };
	const char *path = argc > 1 ? argv[1] : "tests/synth/scenarios/big.scenario";
	g_autofree char *dir = g_dir_make_tmp("bench-analysis-XXXXXX", NULL);
	g_autofree char *recording = g_build_filename(dir, "recording.hvs", NULL);
	g_autofree char *hvscope = find_hvscope();
	double spans, all;

	make_capture(path, dir);
	spans = decode_seconds(dir, recording, TRUE);
	all = decode_seconds(dir, recording, FALSE);
	g_print("analysis: %s\n", path);
	g_print("  decode, spans alone              %6.2f s CPU\n", spans);
	g_print("  with vCPUs, runs and exits       %6.2f s CPU, +%.0f %%\n", all,
	        100 * (all / spans - 1));
	for (guint i = 0; i < G_N_ELEMENTS(reports); i++)
		g_print("  report %-10s %25.0f ms, %.3f of that decode\n", reports[i],
		        1000 * report_seconds(hvscope, reports[i], recording),
		        report_seconds(hvscope, reports[i], recording) / all);
	remove_dir(dir);
	return 0;
}
