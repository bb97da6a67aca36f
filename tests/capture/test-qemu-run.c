/* test-qemu-run.c: QEMU's command line for a capture */
#include "capture/qemu-run.h"

#include <glib/gstdio.h>
#include <string.h>

static const char *const machine[] = { "-M", "virt", NULL };

static struct qemu_run_config config_of_full(void)
{
	return (struct qemu_run_config) {
		.program = "qemu-system-aarch64",
		.plugin = "/lib/etm.so",
		.arguments = machine,
		.out_dir = "/x/run,1",
		.icount_shift = 2,
		.give_icount = TRUE,
		.etm = { .config = ETM4_CYCLE_COUNT | ETM4_VMID,
		         .view_inst = ETM4_VIEW_ALL_NS,
		         .sync_log2 = 12,
		         .cycle_threshold = 64 },
		.start = { .kind = QEMU_EDGE_ADDRESS_VA, .value = 4096, .el = 2 },
		.stop = { .kind = QEMU_EDGE_TIME_NS, .value = 100, .relative = TRUE, .el = -1 },
	};
}

static void test_command(void)
{
	const struct qemu_run_config config = config_of_full();
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) command = qemu_run_command(&config, &error);
	g_autofree char *line = g_strjoinv(" ", command);

	g_assert_no_error(error);
	g_assert_cmpstr(line, ==,
	                "qemu-system-aarch64 -M virt -icount shift=2,sleep=off -plugin "
	                "/lib/etm.so,out=/x/run,,1,shift=2,exit=on,configr=0x91,victlr=0xb0201,"
	                "syncpr=12,ccctlr=64,start=va:4096@2,stop=+time:100");
}

static void test_filters(void)
{
	struct qemu_run_config config = config_of_full();
	g_autoptr(GError) error = NULL;
	g_autofree char *domain = NULL, *range = NULL;

	config.etm.filter = ETM4_FILTER_VMID;
	config.etm.filter_value = 2;
	domain = qemu_run_plugin_option(&config, &error);
	g_assert_no_error(error);
	g_assert_nonnull(strstr(domain, ",acvr0=0x0,acvr1=0xffffffffffffffff,acatr0=8,acatr1=8,"
	                                "viiectlr=1,vmidcvr=2"));
	config.etm.filter = ETM4_FILTER_NONE;
	config.etm.n_ranges = 2;
	config.etm.ranges[1] = (struct etm4_range) { 0x1000, 0x1FFC };
	range = qemu_run_plugin_option(&config, &error);
	g_assert_nonnull(strstr(range, ",acvr2=0x1000,acvr3=0x1ffc,acatr2=0,acatr3=0,viiectlr=3"));
	config.etm.n_ranges = 5;
	g_assert_null(qemu_run_plugin_option(&config, &error));
	g_assert_error(error, QEMU_RUN_ERROR, QEMU_RUN_ERROR_CONFIG);
}

/* A QEMU that cannot be started, one that fails, and one that leaves no capture. */
static void test_failures(void)
{
	g_autofree char *folder = g_dir_make_tmp("hvscope-qemu-XXXXXX", NULL);
	g_autofree char *out = g_build_filename(folder, "out", NULL);
	static const struct {
		const char *program;
		enum qemu_run_error code;
	} cases[] = { { "/no/such/program", QEMU_RUN_ERROR_START },
		      { "false", QEMU_RUN_ERROR_FAILED },
		      { "true", QEMU_RUN_ERROR_FAILED } };

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct qemu_run_config config = config_of_full();
		g_autoptr(GError) error = NULL;

		config.program = cases[i].program;
		config.out_dir = out;
		g_assert_false(qemu_run(&config, &error));
		g_assert_error(error, QEMU_RUN_ERROR, (gint)cases[i].code);
	}
	g_rmdir(folder);
}

/* Where the machine is looked at behind the window, the plugin must not end QEMU, and its
 * gdb server stands at our socket. */
static void test_names_command(void)
{
	struct qemu_run_config config = config_of_full();
	g_autoptr(GError) error = NULL;
	g_autofree char *line = NULL;
	g_auto(GStrv) command = NULL;

	config.at_end = g_free;
	config.gdb_socket = "/x/a,b/gdb";
	command = qemu_run_command(&config, &error);
	g_assert_no_error(error);
	line = g_strjoinv(" ", command);
	g_assert_nonnull(strstr(line, " -gdb unix:/x/a,,b/gdb,server=on,wait=off -plugin "));
	g_assert_nonnull(strstr(line, ",exit=off,"));
	g_assert_null(strstr(line, "exit=on"));
}

static void count_end(gpointer data)
{
	++*(guint *)data;
}

/* Something that leaves a capture and stays, as QEMU does then. */
static void test_at_end(void)
{
	g_autofree char *folder = g_dir_make_tmp("hvscope-qemu-XXXXXX", NULL);
	g_autofree char *out = g_build_filename(folder, "out", NULL);
	g_autofree char *program = g_build_filename(folder, "program", NULL);
	g_autofree char *snapshot = g_build_filename(out, "snapshot.ini", NULL);
	g_autofree char *script = g_strdup_printf("#!/bin/sh\nmkdir '%s'\n: >'%s'\n"
	                                          "exec sleep 600\n",
	                                          out, snapshot);
	struct qemu_run_config config = config_of_full();
	g_autoptr(GError) error = NULL;
	guint n_ends = 0;

	g_assert_true(g_file_set_contents_full(program, script, -1, G_FILE_SET_CONTENTS_NONE, 0700,
	                                       NULL));
	config.program = program;
	config.out_dir = out;
	config.at_end = count_end;
	config.at_end_data = &n_ends;
	g_assert_true(qemu_run(&config, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(n_ends, ==, 1);
	/* One that ends by itself is never looked at. */
	config.program = "true";
	g_unlink(snapshot);
	g_assert_false(qemu_run(&config, &error));
	g_assert_cmpuint(n_ends, ==, 1);
	g_rmdir(out);
	g_unlink(program);
	g_rmdir(folder);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/qemu-run/command", test_command);
	g_test_add_func("/capture/qemu-run/filters", test_filters);
	g_test_add_func("/capture/qemu-run/failures", test_failures);
	g_test_add_func("/capture/qemu-run/names-command", test_names_command);
	g_test_add_func("/capture/qemu-run/at-end", test_at_end);
	return g_test_run();
}
