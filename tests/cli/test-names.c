/* Names files at work: a capture in which context IDs change hands, as a user decodes it. */
#include "base/system-file.h"
#include "tests/cli/cli-run.h"
#include "tests/synth/capture-dir.h"

#include <glib/gstdio.h>
#include <string.h>

/* One core, one guest. 312 is two tasks, one after the other; 400 is one that is seen once;
 * 500 is one that nobody saw. Ticks are 10 ns from 1,000,000 on. */
static const char scenario_text[] =
	"clock timestamp_hz=100000000 core_hz=1000000000\n"
	"duration 8ms\ncores 1\ntrace start=1000000\n"
	"domain 1 guest kind=linux\nvcpu v0 domain=1\n"
	"task a vcpu=v0 cid=312 burst=1ms\ntask b vcpu=v0 cid=312 burst=1ms\n"
	"task c vcpu=v0 cid=400 burst=1ms\ntask d vcpu=v0 cid=500 burst=1ms\n"
	"core 0 enter c el0\ncore 0 run 500us\ncore 0 exit irq\ncore 0 run 100us\n"
	"core 0 enter a el0\ncore 0 run 2ms\ncore 0 exit irq\ncore 0 run 100us\n"
	"core 0 enter b el0\ncore 0 run 3ms\ncore 0 exit irq\ncore 0 run 100us\n"
	"core 0 enter c el0\ncore 0 run 1ms\ncore 0 exit irq\ncore 0 run 100us\n"
	"core 0 enter d el0\ncore 0 run 500us\ncore 0 exit irq\ncore 0 run 100us\n";

static const char early[] = "[names]\ntaken=1100000\ntarget=core:early\n"
			    "[machine 2]\nname=control\nkind=linux\nvcpus=1\n"
			    "[tasks 2]\n312=alpha;start=500000;start_key=5\n"
			    "400=gamma;start=600000;start_key=6\n";
static const char late[] = "[names]\ntaken=1900000\ntarget=core:late\n"
			   "[machine 2]\nname=control\nkind=linux\nvcpus=1\n"
			   "[tasks 2]\n312=beta;start=1265000;start_key=7\n"
			   "600=other;start=1;start_key=1\n";

struct fixture {
	char *directory, *capture, *recording, *early, *late;
};

static void setup(struct fixture *self, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct scenario *scenario;

	(void)data;
	self->directory = g_dir_make_tmp("hvscope-names-XXXXXX", NULL);
	self->capture = g_build_filename(self->directory, "capture", NULL);
	self->recording = g_build_filename(self->directory, "a.hvs", NULL);
	self->early = g_build_filename(self->directory, "early.ini", NULL);
	self->late = g_build_filename(self->directory, "late.ini", NULL);
	g_assert_true(g_file_set_contents(self->early, early, -1, NULL));
	g_assert_true(g_file_set_contents(self->late, late, -1, NULL));
	scenario = scenario_parse(scenario_text, "names.scenario", &error);
	g_assert_no_error(error);
	g_assert_true(capture_dir_write(scenario, self->capture, &error));
	g_assert_no_error(error);
	scenario_free(scenario);
}

static void remove_all(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		remove_all(child);
	}
	if (dir != NULL)
		g_dir_close(dir);
	g_remove(path);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	remove_all(self->directory);
	g_free(self->directory);
	g_free(self->capture);
	g_free(self->recording);
	g_free(self->early);
	g_free(self->late);
}

/* "alpha 2.0, beta 3.0, ...", names and ms, as the report has them. */
static char *report_tasks(const struct fixture *self)
{
	g_autoptr(JsonObject) object = NULL;
	GString *text = g_string_new(NULL);
	struct cli_run run;
	JsonArray *rows;

	cli_run(&run, "report", "time", "--by", "task", "--json", self->recording, NULL);
	g_assert_cmpint(run.code, ==, 0);
	object = cli_run_json(&run);
	rows = json_object_get_array_member(object, "rows");
	for (guint i = 0; i < json_array_get_length(rows); i++) {
		JsonObject *row = json_array_get_object_element(rows, i);

		if (json_object_get_null_member(row, "task"))
			continue;
		g_assert_cmpstr(json_object_get_string_member(row, "domain"), ==, "control");
		g_string_append_printf(text, "%s%s %.1f", text->len > 0 ? ", " : "",
		                       json_object_get_string_member(row, "task"),
		                       (double)json_object_get_int_member(row, "time_ns") / 1e6);
	}
	cli_run_clear(&run);
	return g_string_free(text, FALSE);
}

static void test_lives(struct fixture *self, gconstpointer data)
{
	g_autofree char *tasks = NULL;
	struct cli_run run;

	(void)data;
	cli_run(&run, "decode", self->capture, "--names", self->late, "--names", self->early, "-o",
	        self->recording, NULL);
	g_assert_cmpstr(run.err, ==, "");
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
	tasks = report_tasks(self);
	g_assert_cmpstr(tasks, ==, "alpha 2.0, beta 3.0, gamma 0.5, gamma? 1.0, context 500 0.5");
}

/* A names file is one whichever option names it. */
static void test_one_look(struct fixture *self, gconstpointer option)
{
	g_autofree char *tasks = NULL;
	struct cli_run run;

	cli_run(&run, "decode", self->capture, option, self->late, "-o", self->recording, NULL);
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
	tasks = report_tasks(self);
	/* Before beta, 312 was nobody known. */
	g_assert_cmpstr(tasks, ==, "context 312 2.0, beta 3.0, context 400 1.5, context 500 0.5");
}

/* A capture brings its names along, and info says so. */
static void test_in_capture(struct fixture *self, gconstpointer data)
{
	g_autofree char *path = g_build_filename(self->capture, "names.ini", NULL);
	g_autofree char *tasks = NULL;
	g_autofree char *without = NULL;
	struct cli_run run;

	(void)data;
	g_assert_true(g_file_set_contents(path, late, -1, NULL));
	cli_run(&run, "info", self->capture, NULL);
	g_assert_nonnull(strstr(run.out, "names.ini"));
	g_assert_nonnull(strstr(run.out, "core:late"));
	cli_run_clear(&run);
	cli_run(&run, "decode", self->capture, "-o", self->recording, NULL);
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
	tasks = report_tasks(self);
	g_assert_true(g_str_has_prefix(tasks, "context 312 2.0, beta 3.0"));
	cli_run(&run, "info", self->recording, NULL);
	g_assert_nonnull(strstr(run.out, "core:late"));
	cli_run_clear(&run);
	cli_run(&run, "decode", self->capture, "--no-names", "-o", self->recording, NULL);
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
	cli_run(&run, "info", self->recording, NULL);
	g_assert_null(strstr(run.out, "core:late"));
	cli_run_clear(&run);
}

static void test_refused(struct fixture *self, gconstpointer data)
{
	struct cli_run run;

	(void)data;
	g_assert_true(g_file_set_contents(self->late, "[names]\ntakem=4\n", -1, NULL));
	cli_run(&run, "decode", self->capture, "--names", self->late, "-o", self->recording, NULL);
	cli_run_assert_failed(&run, 1, "*unknown key 'takem', did you mean 'taken'?*");
	cli_run_clear(&run);
	cli_run(&run, "names", "-o", self->late, NULL);
	cli_run_assert_failed(&run, 2, "*--target is missing*");
	cli_run_clear(&run);
	cli_run(&run, "names", "--target", "core:/nonexistent", "-o", self->late, NULL);
	cli_run_assert_failed(&run, 1, "*/nonexistent*");
	cli_run_clear(&run);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/cli/names/lives", struct fixture, NULL, setup, test_lives, teardown);
	g_test_add("/cli/names/one-look", struct fixture, "--names", setup, test_one_look,
	           teardown);
	g_test_add("/cli/names/as-system", struct fixture, "--system", setup, test_one_look,
	           teardown);
	g_test_add("/cli/names/in-capture", struct fixture, NULL, setup, test_in_capture, teardown);
	g_test_add("/cli/names/refused", struct fixture, NULL, setup, test_refused, teardown);
	return g_test_run();
}
