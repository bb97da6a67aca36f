/* The kernel's tree, as files: what is switched on, in which order it is undone, and what the
 * capture holds. */
#include "capture/session-sysfs.h"
#include "capture/snapshot.h"

#include <glib/gstdio.h>
#include <string.h>

static char *put(const char *root, const char *path, const char *text)
{
	char *file = g_build_filename(root, path, NULL);
	g_autofree char *dir = g_path_get_dirname(file);

	g_assert_cmpint(g_mkdir_with_parents(dir, 0700), ==, 0);
	g_assert_true(g_file_set_contents(file, text, -1, NULL));
	return file;
}

static void assert_has(const char *root, const char *path, const char *text)
{
	g_autofree char *file = g_build_filename(root, path, NULL);
	g_autofree char *found = NULL;

	g_assert_true(g_file_get_contents(file, &found, NULL, NULL));
	g_assert_cmpstr(found, ==, text);
}

static void remove_tree(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		if (g_file_test(child, G_FILE_TEST_IS_DIR))
			remove_tree(child);
		else
			g_remove(child);
	}
	g_clear_pointer(&dir, g_dir_close);
	g_rmdir(path);
}

static const char devices[] = "sys/bus/coresight/devices";

static void add_etm(const char *root, guint cpu)
{
	static const struct {
		const char *file, *text;
	} files[] = {
		{ "enable_source", "0\n" },           { "mode", "80\n" },
		{ "mgmt/trcconfig", "0x18d1\n" },     { "mgmt/trcauthstatus", "0xff\n" },
		{ "trcidr/trcidr0", "0x28000ea1\n" }, { "trcidr/trcidr1", "0x4100f402\n" },
		{ "trcidr/trcidr2", "0x488\n" },      { "trcidr/trcidr8", "0x0\n" },
	};
	g_autofree char *cpu_text = g_strdup_printf("%u\n", cpu);
	g_autofree char *id_text = g_strdup_printf("0x%x\n", 0x10 + cpu);
	g_autofree char *cpu_file = g_strdup_printf("%s/etm%u/cpu", devices, cpu);
	g_autofree char *id_file = g_strdup_printf("%s/etm%u/mgmt/trctraceid", devices, cpu);

	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_strdup_printf("%s/etm%u/%s", devices, cpu, files[i].file);

		g_free(put(root, path, files[i].text));
	}
	g_free(put(root, cpu_file, cpu_text));
	g_free(put(root, id_file, id_text));
}

static char *make_tree(void)
{
	char *root = g_dir_make_tmp("hvscope-sysfs-XXXXXX", NULL);
	g_autofree char *trace = g_strnfill(4096, 'x');

	g_assert_nonnull(root);
	for (guint cpu = 0; cpu < 3; cpu++)
		add_etm(root, cpu);
	g_free(put(root, "sys/bus/coresight/devices/tmc_etr0/enable_sink", "0\n"));
	g_free(put(root, "sys/bus/coresight/devices/tmc_etr0/buffer_size", "0x100000\n"));
	g_free(put(root, "dev/tmc_etr0", trace));
	return root;
}

struct watch {
	const char *root;
	gboolean seen_on;
};

static void watch_progress(gpointer data, enum session_phase phase, guint64 done, guint64 total)
{
	struct watch *watch = data;

	(void)done;
	(void)total;
	if (phase != SESSION_RUN)
		return;
	assert_has(watch->root, "sys/bus/coresight/devices/tmc_etr0/enable_sink", "1");
	assert_has(watch->root, "sys/bus/coresight/devices/tmc_etr0/buffer_size", "0x400000");
	assert_has(watch->root, "sys/bus/coresight/devices/etm2/enable_source", "1");
	assert_has(watch->root, "sys/bus/coresight/devices/etm2/mode", "0x18d0");
	watch->seen_on = TRUE;
}

static void test_capture(void)
{
	g_autofree char *root = make_tree();
	g_autofree char *out = g_build_filename(root, "out", NULL);
	struct session_sysfs_config config = { .root = root,
		                               .sink = "etr",
		                               .cores = 5,
		                               .for_us = 30000,
		                               .buffer_bytes = 4 << 20,
		                               .out_dir = out };
	struct watch watch = { root, FALSE };
	struct session_result result;
	g_autoptr(GError) error = NULL;

	session_sysfs_run(&config, NULL, watch_progress, &watch, &result, &error);
	g_assert_no_error(error);
	g_assert_true(watch.seen_on);
	g_assert_cmpuint(result.trace_bytes, ==, 4096);
	assert_has(root, "sys/bus/coresight/devices/tmc_etr0/enable_sink", "0");
	assert_has(root, "sys/bus/coresight/devices/tmc_etr0/buffer_size", "0x100000");
	assert_has(root, "sys/bus/coresight/devices/etm0/enable_source", "0");
	assert_has(root, "sys/bus/coresight/devices/etm0/mode", "0x80");
	assert_has(root, "sys/bus/coresight/devices/etm1/mode", "80\n");
	g_autoptr(Snapshot) snapshot = snapshot_open(out, &error);
	guint64 value;

	g_assert_no_error(error);
	g_assert_cmpuint(snapshot->n_cores, ==, 2);
	g_assert_cmpstr(snapshot->sources[1].device->name, ==, "ETM_2");
	g_assert_true(snapshot_device_reg(snapshot->sources[1].device, "TRCTRACEIDR", &value));
	g_assert_cmphex(value, ==, 0x12);
	session_result_clear(&result);
	remove_tree(root);
}

static void assert_fails(const char *root, const char *sink, const char *says)
{
	g_autofree char *out = g_build_filename(root, "out", NULL);
	struct session_sysfs_config config = {
		.root = root, .sink = sink, .for_us = 1000, .out_dir = out
	};
	struct session_result result;
	g_autoptr(GError) error = NULL;

	g_assert_false(session_sysfs_run(&config, NULL, NULL, NULL, &result, &error));
	if (strstr(error->message, says) == NULL)
		g_error("'%s' is not in '%s'", says, error->message);
	g_assert_false(g_file_test(out, G_FILE_TEST_EXISTS));
	session_result_clear(&result);
}

static void test_faults(void)
{
	g_autofree char *root = make_tree();
	g_autofree char *file = NULL;

	assert_fails(root, "tmc_etf7", "no sink tmc_etf7");
	file = g_build_filename(root, "dev/tmc_etr0", NULL);
	g_remove(file);
	assert_fails(root, "etr", "No such file");
	assert_has(root, "sys/bus/coresight/devices/etm1/enable_source", "0");
	assert_has(root, "sys/bus/coresight/devices/tmc_etr0/enable_sink", "0");
	g_free(put(root, "sys/bus/coresight/devices/etm1/enable_source", "1\n"));
	assert_fails(root, "etr", "etm1 is on already");
	remove_tree(root);
	assert_fails("/nonexistent", "etr", "");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/session-sysfs/capture", test_capture);
	g_test_add_func("/capture/session-sysfs/faults", test_faults);
	return g_test_run();
}
