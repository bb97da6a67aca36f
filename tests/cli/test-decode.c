#include "tests/cli/cli-run.h"
#include "tests/decode/data.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

struct fixture {
	char *directory;
	char *recording;
};

static void setup(struct fixture *self, gconstpointer data)
{
	(void)data;
	self->directory = g_dir_make_tmp("hvscope-decode-XXXXXX", NULL);
	self->recording = g_build_filename(self->directory, "a.hvs", NULL);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	g_unlink(self->recording);
	g_assert_cmpint(g_rmdir(self->directory), ==, 0);
	g_free(self->directory);
	g_free(self->recording);
}

/* Text for one (core, EL, VMID, context ID), or for an EL2 sum without the last. */
static char *owner_key(gint64 core, gint64 el, gint64 vmid, gint64 context_id)
{
	return g_strdup_printf("%d %d %d %d", (int)core, (int)el, (int)vmid, (int)context_id);
}

static void add_to(GHashTable *sums, char *key, double value)
{
	double *sum = g_hash_table_lookup(sums, key);

	if (sum != NULL) {
		*sum += value;
		g_free(key);
		return;
	}
	sum = g_new(double, 1);
	*sum = value;
	g_hash_table_insert(sums, key, sum);
}

/* Both tables hold the rows by owner and, with context ID -2, the EL2 sums by VMID. */
static void add_row(GHashTable *sums, gint64 core, gint64 el, gint64 vmid, gint64 context_id,
                    double value)
{
	add_to(sums, owner_key(core, el, vmid, context_id), value);
	if (el == 2)
		add_to(sums, owner_key(core, el, vmid, -2), value);
}

static GHashTable *truth_read(const char *capture)
{
	GHashTable *sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autofree char *path = g_build_filename(capture, "truth.csv", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (guint i = 1; lines[i] != NULL && *lines[i] != '\0'; i++) {
		g_auto(GStrv) cells = g_strsplit(lines[i], ",", -1);

		g_assert_cmpuint(g_strv_length(cells), ==, 5);
		add_row(sums, g_ascii_strtoll(cells[0], NULL, 10),
		        g_ascii_strtoll(cells[1], NULL, 10), g_ascii_strtoll(cells[2], NULL, 10),
		        g_ascii_strtoll(cells[3], NULL, 10), g_ascii_strtod(cells[4], NULL));
	}
	return sums;
}

static gint64 member(JsonObject *row, const char *name)
{
	return json_object_get_null_member(row, name) ? -1 : json_object_get_int_member(row, name);
}

static GHashTable *report_read(JsonObject *root)
{
	GHashTable *sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	JsonArray *rows = json_object_get_array_member(root, "rows");

	for (guint i = 0; i < json_array_get_length(rows); i++) {
		JsonObject *row = json_array_get_object_element(rows, i);

		add_row(sums, member(row, "core"), member(row, "el"), member(row, "vmid"),
		        member(row, "context_id"), (double)member(row, "cycles"));
	}
	return sums;
}

static double value_of(GHashTable *sums, const char *key)
{
	const double *value = g_hash_table_lookup(sums, key);

	return value != NULL ? *value : 0;
}

/* Cycles per (core, EL, VMID, context ID) against the full decode: a row within 1 % or
 * 2,000 cycles, an EL2 sum within 0.15 % or 1,000, and nothing that truth has not. */
static void test_truth(struct fixture *self, gconstpointer data)
{
	g_autofree char *capture = data_capture("xen-1s");
	g_autoptr(GHashTable) truth = NULL;
	g_autoptr(GHashTable) report = NULL;
	g_autoptr(JsonObject) root = NULL;
	struct cli_run run;
	GHashTableIter iter;
	gpointer key, value;
	double worst = 0;

	(void)data;
	if (capture == NULL)
		return;
	cli_run(&run, "decode", capture, "-o", self->recording, NULL);
	g_assert_cmpstr(run.err, ==, "");
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
	cli_run(&run, "report", "time", "--json", self->recording, NULL);
	root = cli_run_json(&run);
	cli_run_clear(&run);
	truth = truth_read(capture);
	report = report_read(root);
	g_hash_table_iter_init(&iter, truth);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const double want = *(double *)value;
		const gboolean is_sum = g_str_has_suffix(key, " -2");
		const double limit = is_sum ? MAX(want * 0.0015, 1000) : MAX(want * 0.01, 2000);
		const double off = fabs(value_of(report, key) - want) / limit;

		worst = MAX(worst, off);
		if (off > 1)
			g_test_message("%s: %.0f, truth %.0f", (char *)key, value_of(report, key),
			               want);
	}
	g_test_message("largest difference: %.2f of what is allowed", worst);
	g_assert_cmpfloat(worst, <=, 1);
	g_hash_table_iter_init(&iter, report);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		if (!g_hash_table_contains(truth, key))
			g_assert_cmpfloat(*(double *)value, <=, 1000);
	}
}

/* Names of the system file reach the report. */
static void test_names(struct fixture *self, gconstpointer data)
{
	g_autofree char *capture = data_capture("xen-1s");
	g_autofree char *system = g_build_filename(self->directory, "system.ini", NULL);
	struct cli_run run;

	(void)data;
	if (capture == NULL)
		return;
	g_assert_true(g_file_set_contents(system,
	                                  "[system]\nhypervisor=xen\ncore_names=left;right\n"
	                                  "[machine 0]\nname=Xen 4.17\nkind=xen\n"
	                                  "[machine 2]\nname=control\ntasks=95:calc\n",
	                                  -1, NULL));
	cli_run(&run, "decode", capture, "-o", self->recording, "--system", system, NULL);
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
	cli_run(&run, "report", "time", self->recording, NULL);
	g_assert_cmpint(run.code, ==, 0);
	g_assert_nonnull(strstr(run.out, "  left "));
	g_assert_nonnull(strstr(run.out, "Xen 4.17"));
	g_assert_nonnull(strstr(run.out, "control   calc"));
	g_assert_nonnull(strstr(run.out, "domain 0  context"));
	g_assert_nonnull(strstr(run.out, "domain 2"));
	cli_run_clear(&run);
	g_assert_true(g_file_set_contents(system, "[system]\nhypervsior=xen\n", -1, NULL));
	cli_run(&run, "decode", capture, "-o", self->recording, "--system", system, NULL);
	cli_run_assert_failed(&run, 1, "*unknown key 'hypervsior', did you mean 'hypervisor'*");
	cli_run_clear(&run);
	g_unlink(system);
}

static void test_usage(struct fixture *self, gconstpointer data)
{
	struct cli_run run;

	(void)data;
	cli_run(&run, "decode", "-o", self->recording, NULL);
	cli_run_assert_failed(&run, 2, "*no capture given*");
	cli_run_clear(&run);
	cli_run(&run, "decode", self->directory, NULL);
	cli_run_assert_failed(&run, 2, "*no -o REC.hvs given*");
	cli_run_clear(&run);
	cli_run(&run, "decode", self->directory, "-o", self->recording, "--jobs=-1", NULL);
	cli_run_assert_failed(&run, 2, "*--jobs takes 0 to 256*");
	cli_run_clear(&run);
	cli_run(&run, "decode", self->directory, "-o", self->recording, NULL);
	cli_run_assert_failed(&run, 1, "*snapshot.ini*");
	cli_run_clear(&run);
	cli_run(&run, "decode", "/nonexistent", "-o", self->recording, NULL);
	cli_run_assert_failed(&run, 1, "*/nonexistent*");
	cli_run_clear(&run);
	g_assert_false(g_file_test(self->recording, G_FILE_TEST_EXISTS));
	cli_run(&run, "decode", "--help", NULL);
	g_assert_cmpint(run.code, ==, 0);
	g_assert_nonnull(strstr(run.out, "--system"));
	cli_run_clear(&run);
}

static void add(const char *name, void (*test)(struct fixture *, gconstpointer))
{
	g_test_add(name, struct fixture, NULL, setup, test, teardown);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/cli/decode/truth", test_truth);
	add("/cli/decode/names", test_names);
	add("/cli/decode/usage", test_usage);
	return g_test_run();
}
