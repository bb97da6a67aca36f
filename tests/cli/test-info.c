#include "tests/cli/cli-run.h"
#include "tests/schema/sample-recording.h"

#include <glib/gstdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *text;
} capture_files[] = {
	{ "snapshot.ini", "[snapshot]\nversion=1.0\n[device_list]\nd0=cpu.ini\nd1=etm.ini\n"
	                  "[trace]\nmetadata=trace.ini\n" },
	{ "cpu.ini", "[device]\nname=cpu_0\nclass=core\ntype=Cortex-A53\n" },
	{ "etm.ini", "[device]\nname=ETM_0\nclass=trace_source\ntype=ETM4\n[regs]\n"
	             "TRCCONFIGR=0x8D1\nTRCTRACEIDR=0x10\nTRCIDR0=0x28000EA1\nTRCIDR2=0x488\n"
	             "TRCVICTLR=0x400201\nTRCSYNCPR=12\nTRCSTALLCTLR=0\n" },
	{ "trace.ini", "[trace_buffers]\nbuffers=b0\n[b0]\nname=ETB\nfile=t.bin\n"
	               "format=coresight\n[source_buffers]\nETM_0=ETB\n[core_trace_sources]\n"
	               "cpu_0=ETM_0\n" },
	{ "t.bin", "0123456789abcdef" },
	{ "capture.ini", "[capture]\ntimestamp_hz=62500000\ntime=modelled\n" },
};

struct fixture {
	char *directory;
};

static void setup(struct fixture *self, gconstpointer data)
{
	(void)data;
	self->directory = g_dir_make_tmp("hvscope-info-XXXXXX", NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(capture_files); i++) {
		g_autofree char *path =
			g_build_filename(self->directory, capture_files[i].name, NULL);

		g_assert_true(g_file_set_contents(path, capture_files[i].text, -1, NULL));
	}
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	for (gsize i = 0; i < G_N_ELEMENTS(capture_files); i++) {
		g_autofree char *path =
			g_build_filename(self->directory, capture_files[i].name, NULL);

		g_unlink(path);
	}
	g_assert_cmpint(g_rmdir(self->directory), ==, 0);
	g_free(self->directory);
}

static void test_capture(struct fixture *self, gconstpointer data)
{
	static const char *const phrases[] = {
		"a capture of 1 core, 16 bytes of trace",
		"Timestamps tick at 62.5 MHz",
		"Time is modelled",
		"Cortex-A53",
		"0x10",
		"timestamps, cycle counts, VMID, context ID",
		"timestamp 64 bits, address 64, context ID 32, VMID 8, cycle count 12",
		"filtered out: non-secure EL2",
		"every 4096 bytes",
		"never stalled",
	};
	g_autoptr(JsonObject) root = NULL;
	struct cli_run run;

	(void)data;
	cli_run(&run, "info", self->directory, NULL);
	g_assert_cmpint(run.code, ==, 0);
	g_assert_cmpstr(run.err, ==, "");
	for (gsize i = 0; i < G_N_ELEMENTS(phrases); i++) {
		g_test_message("%s", phrases[i]);
		g_assert_nonnull(strstr(run.out, phrases[i]));
	}
	g_assert_null(strstr(run.out, "beware"));
	cli_run_clear(&run);
	cli_run(&run, "info", "--registers", self->directory, NULL);
	g_assert_nonnull(strstr(run.out, "0x000008d1"));
	cli_run_clear(&run);
	cli_run(&run, "info", "--json", self->directory, NULL);
	root = cli_run_json(&run);
	g_assert_cmpstr(json_object_get_string_member(root, "kind"), ==, "capture");
	g_assert_cmpint(json_object_get_int_member(root, "trace_bytes"), ==, 16);
	cli_run_clear(&run);
}

static void test_recording(struct fixture *self, gconstpointer data)
{
	g_autofree char *path = g_build_filename(self->directory, "a.hvs", NULL);
	g_autoptr(JsonObject) root = NULL;
	struct cli_run run;

	(void)data;
	sample_recording_write(path, "measured");
	cli_run(&run, "info", path, NULL);
	g_assert_cmpint(run.code, ==, 0);
	g_assert_nonnull(strstr(run.out, "1.000 ms of 3 cores"));
	g_assert_nonnull(strstr(run.out, "etm_1: 2 resync"));
	cli_run_clear(&run);
	cli_run(&run, "info", "--json", path, NULL);
	root = cli_run_json(&run);
	g_assert_cmpstr(json_object_get_string_member(root, "kind"), ==, "recording");
	g_assert_cmpint(json_object_get_int_member(root, "window_ns"), ==, SAMPLE_WINDOW_NS);
	cli_run_clear(&run);
	g_unlink(path);
}

static void test_refused(struct fixture *self, gconstpointer data)
{
	g_autofree char *trace = g_build_filename(self->directory, "t.bin", NULL);
	g_autofree char *cpu = g_build_filename(self->directory, "cpu.ini", NULL);
	struct cli_run run;

	(void)data;
	cli_run(&run, "info", NULL);
	cli_run_assert_failed(&run, 2, "*no capture or recording given*");
	cli_run_clear(&run);
	cli_run(&run, "info", trace, NULL);
	cli_run_assert_failed(&run, 1, "*no hvscope recording*");
	cli_run_clear(&run);
	cli_run(&run, "info", "/", NULL);
	cli_run_assert_failed(&run, 1, "*");
	cli_run_clear(&run);
	g_unlink(cpu);
	cli_run(&run, "info", self->directory, NULL);
	cli_run_assert_failed(&run, 1, "*cpu.ini*");
	cli_run_clear(&run);
}

static void add(const char *name, void (*test)(struct fixture *, gconstpointer))
{
	g_test_add(name, struct fixture, NULL, setup, test, teardown);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/cli/info/capture", test_capture);
	add("/cli/info/recording", test_recording);
	add("/cli/info/refused", test_refused);
	return g_test_run();
}
