#include "tests/cli/cli-run.h"
#include "tests/schema/sample-recording.h"

#include <glib/gstdio.h>
#include <string.h>

struct fixture {
	char *directory;
	char *path;
};

static void setup(struct fixture *self, gconstpointer data)
{
	self->directory = g_dir_make_tmp("hvscope-report-XXXXXX", NULL);
	self->path = g_build_filename(self->directory, "a.hvs", NULL);
	sample_recording_write(self->path, data != NULL ? data : "measured");
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	g_unlink(self->path);
	g_rmdir(self->directory);
	g_free(self->directory);
	g_free(self->path);
}

/* The contract: disjoint and complete, to the nanosecond. */
static void test_json(struct fixture *self, gconstpointer data)
{
	static const char *const members[] = { "core",       "class",     "el",   "vmid",
		                               "context_id", "domain",    "task", "time_ns",
		                               "cycles",     "halted_ns", "spans" };
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) cores = g_hash_table_new(NULL, NULL);
	g_autoptr(JsonObject) root = NULL;
	struct cli_run run;
	JsonArray *rows;
	gint64 sum_ns = 0;

	(void)data;
	cli_run(&run, "report", "time", "--json", self->path, NULL);
	root = cli_run_json(&run);
	rows = json_object_get_array_member(root, "rows");
	for (guint i = 0; i < json_array_get_length(rows); i++) {
		JsonObject *row = json_array_get_object_element(rows, i);
		GString *key = g_string_new(NULL);

		for (gsize j = 0; j < G_N_ELEMENTS(members); j++)
			g_assert_true(json_object_has_member(row, members[j]));
		for (gsize j = 0; j < 5; j++) {
			g_autofree char *text =
				json_to_string(json_object_get_member(row, members[j]), FALSE);

			g_string_append_printf(key, "%s ", text);
		}
		g_assert_true(g_hash_table_add(seen, g_string_free(key, FALSE)));
		g_hash_table_add(cores,
		                 GINT_TO_POINTER(json_object_get_int_member(row, "core") + 1));
		sum_ns += json_object_get_int_member(row, "time_ns");
	}
	g_assert_cmpuint(g_hash_table_size(cores), ==, 3);
	sum_ns += json_object_get_int_member(root, "lost_ns");
	sum_ns += json_object_get_int_member(root, "untraced_ns");
	sum_ns += json_object_get_int_member(root, "unknown_ns");
	g_assert_cmpint(sum_ns, ==, 3 * json_object_get_int_member(root, "window_ns"));
	g_assert_cmpfloat(json_object_get_double_member(root, "coverage"), >, 0.5);
	g_assert_cmpfloat(json_object_get_double_member(root, "coverage"), <, 0.6);
	cli_run_clear(&run);
}

static void test_json_by(struct fixture *self, gconstpointer data)
{
	static const char *const by[] = { "core", "domain", "task", "el" };

	(void)data;
	for (gsize i = 0; i < G_N_ELEMENTS(by); i++) {
		g_autofree char *option = g_strconcat("--by=", by[i], NULL);
		g_autoptr(JsonObject) root = NULL;
		struct cli_run run;

		cli_run(&run, "report", "time", "--json", option, self->path, NULL);
		root = cli_run_json(&run);
		g_assert_cmpstr(json_object_get_string_member(root, "by"), ==, by[i]);
		g_assert_cmpuint(
			json_array_get_length(json_object_get_array_member(root, "groups")), >=, 4);
		cli_run_clear(&run);
	}
}

static void test_text(struct fixture *self, gconstpointer data)
{
	static const char *const phrases[] = {
		"1.000 ms of 3 cores, Xen, scheduler credit2",
		"A53-0",
		"control",
		"calc",
		"480,000",
		"EL2  hypervisor",
		"Coverage: traced 51.7% of 3 cores x 1.000 ms; untraced 6.7%, lost 1.7%, unknown "
		"40.0%",
	};
	struct cli_run run;

	(void)data;
	cli_run(&run, "report", "time", self->path, NULL);
	g_assert_cmpint(run.code, ==, 0);
	g_assert_cmpstr(run.err, ==, "");
	for (gsize i = 0; i < G_N_ELEMENTS(phrases); i++)
		g_assert_nonnull(strstr(run.out, phrases[i]));
	g_assert_null(strstr(run.out, "modelled"));
	cli_run_clear(&run);
}

static void test_modelled(struct fixture *self, gconstpointer data)
{
	struct cli_run run;

	(void)data;
	cli_run(&run, "report", "time", "--by=domain", self->path, NULL);
	g_assert_nonnull(strstr(run.out, "Time is modelled"));
	/* By cycles the hypervisor is ahead of idle, which has none. */
	g_assert_nonnull(strstr(strstr(run.out, "\n  Xen"), "\n  idle"));
	cli_run_clear(&run);
}

static void test_quality(struct fixture *self, gconstpointer data)
{
	g_autoptr(JsonObject) root = NULL;
	struct cli_run run;

	(void)data;
	cli_run(&run, "report", "quality", self->path, NULL);
	g_assert_cmpint(run.code, ==, 0);
	g_assert_nonnull(strstr(run.out, "overflow"));
	g_assert_nonnull(strstr(run.out, "Coverage: "));
	/* Nothing from a file reaches the terminal's escape codes. */
	g_assert_null(strchr(run.out, '\x1b'));
	cli_run_clear(&run);
	cli_run(&run, "report", "quality", "--json", self->path, NULL);
	root = cli_run_json(&run);
	g_assert_cmpuint(json_array_get_length(json_object_get_array_member(root, "gaps")), ==, 1);
	g_assert_cmpuint(json_array_get_length(json_object_get_array_member(root, "cores")), ==, 3);
	cli_run_clear(&run);
}

static void test_usage(struct fixture *self, gconstpointer data)
{
	struct cli_run run;

	(void)data;
	cli_run(&run, "report", NULL);
	cli_run_assert_failed(&run, 2, "*no report named*");
	cli_run_clear(&run);
	cli_run(&run, "report", "tiem", self->path, NULL);
	cli_run_assert_failed(&run, 2, "*did you mean 'time'*");
	cli_run_clear(&run);
	cli_run(&run, "report", "time", NULL);
	cli_run_assert_failed(&run, 2, "*no recording given*");
	cli_run_clear(&run);
	cli_run(&run, "report", "time", "--by=domian", self->path, NULL);
	cli_run_assert_failed(&run, 2, "*core, domain, task or el*");
	cli_run_clear(&run);
	cli_run(&run, "report", "time", "--jsn", self->path, NULL);
	cli_run_assert_failed(&run, 2, "*--jsn*");
	cli_run_clear(&run);
	cli_run(&run, "report", "time", "/nonexistent.hvs", NULL);
	cli_run_assert_failed(&run, 1, "*cannot open the recording*");
	cli_run_clear(&run);
	cli_run(&run, "report", "time", self->directory, NULL);
	cli_run_assert_failed(&run, 1, "*is a directory, not a recording*");
	cli_run_clear(&run);
	cli_run(&run, "report", "--help", NULL);
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
	cli_run(&run, "report", "time", "--help", NULL);
	g_assert_cmpint(run.code, ==, 0);
	g_assert_nonnull(strstr(run.out, "--by"));
	cli_run_clear(&run);
}

static void add(const char *name, const char *time, void (*test)(struct fixture *, gconstpointer))
{
	g_test_add(name, struct fixture, time, setup, test, teardown);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/cli/report/json", NULL, test_json);
	add("/cli/report/json-by", NULL, test_json_by);
	add("/cli/report/text", NULL, test_text);
	add("/cli/report/modelled", "modelled", test_modelled);
	add("/cli/report/quality", NULL, test_quality);
	add("/cli/report/usage", NULL, test_usage);
	return g_test_run();
}
