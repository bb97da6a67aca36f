/* Every malformed file gives an error that names the file, the line and what was expected. */
#include "capture/snapshot.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/capture/snapshot-fixture.h"

static void test_no_capture(void)
{
	g_autofree char *dir = snapshot_fixture_new();
	g_autofree char *none = g_build_filename(dir, "none", NULL);
	g_autofree char *below = g_build_filename(dir, "a.bin", "x", NULL);
	g_autofree char *file = g_build_filename(dir, "a.bin", NULL);
	g_autofree char *ini = g_build_filename(dir, "snapshot.ini", NULL);
	g_autofree char *empty = g_dir_make_tmp("hvscope-snapshot-XXXXXX", NULL);

	snapshot_fixture_assert_fails(dir, none, SNAPSHOT_ERROR_NOT_FOUND,
	                              "opening the capture none failed: No such");
	snapshot_fixture_assert_fails(dir, below, SNAPSHOT_ERROR_NOT_FOUND,
	                              "opening the capture a.bin/x failed: Not a");
	snapshot_fixture_assert_fails(
		dir, file, SNAPSHOT_ERROR_NOT_A_CAPTURE,
		"opening the capture a.bin failed: expected a directory with snapshot.ini in it, "
		"found a file");
	snapshot_fixture_assert_fails(empty, empty, SNAPSHOT_ERROR_NOT_A_CAPTURE,
	                              "opening the capture ");
	snapshot_fixture_assert_fails(dir, "", SNAPSHOT_ERROR_NOT_FOUND,
	                              "opening the capture  failed: No such");
	g_assert_cmpint(g_unlink(ini), ==, 0);
	g_assert_cmpint(g_mkdir(ini, 0755), ==, 0);
	snapshot_fixture_assert_fails(dir, dir, SNAPSHOT_ERROR_IO,
	                              "snapshot.ini: expected a text file, found a directory");
	g_assert_cmpint(g_rmdir(ini), ==, 0);
	/* A FIFO must not hang. */
	g_assert_cmpint(mkfifo(ini, 0600), ==, 0);
	snapshot_fixture_assert_fails(dir, dir, SNAPSHOT_ERROR_IO,
	                              "snapshot.ini: expected a text file, found a special file");
	snapshot_fixture_remove(dir);
	snapshot_fixture_remove(empty);
}

struct bad_case {
	const char *file;
	const char *from; /* replaced in the good file... */
	const char *to;   /* ...by this; NULL: `from` is put before the file */
	const char *expected;
};

static const struct bad_case bad_cases[] = {
	{ "snapshot.ini", "[snapshot]", "[snapshot",
	  "snapshot.ini:1: expected '[section]' with ']'" },
	{ "snapshot.ini", "[snapshot]", "[snapshot] x",
	  "snapshot.ini:1: expected '[section]' with" },
	{ "snapshot.ini", "[trace]", "[ ]", "snapshot.ini:7: expected a section name in brackets" },
	{ "snapshot.ini", "[snapshot]\n", "", "snapshot.ini:1: expected a '[section]' line first" },
	{ "snapshot.ini", "[snapshot]", "[other]",
	  "snapshot.ini:1: expected a section [snapshot]" },
	{ "snapshot.ini", "version=1.0", "version=0.1",
	  "snapshot.ini:2: expected snapshot version 1.0, found '0.1'" },
	{ "snapshot.ini", "version=1.0",
	  "version=", "snapshot.ini:2: expected a value for 'version'" },
	{ "snapshot.ini", "version=1.0", "x=1",
	  "snapshot.ini:1: expected 'version=' in [snapshot]" },
	{ "snapshot.ini", "version=1.0", "version 1.0",
	  "snapshot.ini:2: expected 'key=value' in [snapshot], found \"version 1.0\"" },
	{ "snapshot.ini", "version=1.0", "=1.0",
	  "snapshot.ini:2: expected 'key=value' in [snapshot]" },
	{ "snapshot.ini", "version=1.0", "version=1.0\nVERSION=1.0",
	  "snapshot.ini:3: expected each key of [snapshot] once, found 'VERSION' again" },
	{ "snapshot.ini", "[trace]", "[SnapShot]",
	  "snapshot.ini:7: expected one section [snapshot]" },
	{ "snapshot.ini", "[device_list]", "[devices]",
	  "snapshot.ini:1: expected a section [device_list], found none" },
	{ "snapshot.ini", "device0=cpu_0.ini\ndevice1=etm_0.ini\ndevice2=stm.ini\n", "",
	  "snapshot.ini:3: expected 1 to 1024 devices in [device_list], found 0" },
	{ "snapshot.ini",
	  "device1=", "device0=", "snapshot.ini:5: expected each key of [device_list]" },
	{ "snapshot.ini", "etm_0.ini", "cpu_0.ini",
	  "snapshot.ini:5: expected each device name once, found 'cpu_0' in cpu_0.ini and in" },
	{ "snapshot.ini", "etm_0.ini", "gone.ini", "snapshot.ini:5: expected the file gone.ini" },
	{ "snapshot.ini", "etm_0.ini", "../etm_0.ini",
	  "snapshot.ini:5: expected the name of a file inside the capture, found '../etm_0.ini', "
	  "which "
	  "leaves the capture" },
	{ "snapshot.ini", "etm_0.ini", "x/../../etm_0.ini",
	  "snapshot.ini:5: expected the name of a" },
	{ "snapshot.ini", "etm_0.ini", "/etc/passwd",
	  "snapshot.ini:5: expected the name of a file" },
	{ "snapshot.ini", "etm_0.ini", ".", "snapshot.ini:5: expected the name of a file inside" },
	{ "snapshot.ini", "etm_0.ini", "", "snapshot.ini:5: expected the name of a file inside" },
	{ "snapshot.ini", "metadata=trace.ini", "",
	  "snapshot.ini:7: expected 'metadata=' in [trace]" },
	{ "snapshot.ini", "trace.ini", "t.ini",
	  "snapshot.ini:8: expected the file t.ini, found none" },
	{ "snapshot.ini", "trace.ini", "etm_0.ini",
	  "etm_0.ini:1: expected a section [trace_buffers], found none" },
	{ "snapshot.ini", "\xff\xfe[", NULL,
	  "snapshot.ini:1: expected text in UTF-8, found UTF-16" },
	{ "snapshot.ini", "version", "ver\xffsion",
	  "snapshot.ini:2: expected text in UTF-8, found" },
	{ "snapshot.ini", "1.0", "1.0\x1b[2J", "snapshot.ini:2: expected text, found the control" },
	{ "snapshot.ini", "version", "\rversion",
	  "snapshot.ini:2: expected text, found the control" },
	{ "cpu_0.ini", "[device]", "[dev]",
	  "cpu_0.ini:1: expected a section [device], found none" },
	{ "cpu_0.ini", "name=cpu_0\n", "",
	  "cpu_0.ini:1: expected 'name=' in [device], found none" },
	{ "cpu_0.ini", "class=core", "class=trace_source", /* not ETM4: no registers wanted */
	  "trace.ini:15: expected the name of a device of class core, found 'cpu_0', which has "
	  "class" },
	{ "cpu_0.ini", "PC(", "(", "cpu_0.ini:6: expected a register name before '('" },
	{ "cpu_0.ini", "[dump]", "PC=1\n[dump]",
	  "cpu_0.ini:7: expected each register once, found 'PC'" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "0x1FFFFFFC000081000",
	  "cpu_0.ini:6: expected a number of at most 64 bits (123 or 0x7b) for 'PC(size:64)', "
	  "found" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "18446744073709551616",
	  "cpu_0.ini:6: expected a number" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "-1", "cpu_0.ini:6: expected a number of at most 64" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "0x", "cpu_0.ini:6: expected a number of at most 64" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "09", "cpu_0.ini:6: expected a number of at most 64" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "", "cpu_0.ini:6: expected a number of at most 64" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "0x10 20",
	  "cpu_0.ini:6: expected a number of at most" },
	{ "cpu_0.ini", "file=a.bin", "file=../a.bin", "cpu_0.ini:8: expected the name of a file" },
	{ "cpu_0.ini", "file=a.bin\n", "", "cpu_0.ini:7: expected 'file=' in [dump], found none" },
	{ "cpu_0.ini", "address=0x80000000", "length=4",
	  "cpu_0.ini:7: expected 'address=' in [dump]" },
	{ "cpu_0.ini", "address=0x80000000", "address=0xFFFFFFFFFFFFFFFF\nlength=2",
	  "cpu_0.ini:7: expected [dump] to end within 64 bits" },
	{ "cpu_0.ini", "address", "offset=0xFFFFFFFFFFFFFFFF\nlength=1\naddress",
	  "cpu_0.ini:7: expected [dump] to end within 64 bits" },
	{ "etm_0.ini", "type=ETM4\n", "", "etm_0.ini:1: expected 'type=' with the trace protocol" },
	{ "etm_0.ini", "TRCCONFIGR", "x",
	  "etm_0.ini:5: expected register TRCCONFIGR in [regs] of ETM4" },
	{ "etm_0.ini", "TRCTRACEIDR", "x", "etm_0.ini:5: expected register TRCTRACEIDR in [regs]" },
	{ "etm_0.ini", "TRCIDR0", "x", "etm_0.ini:5: expected register TRCIDR0 in [regs] of ETM4" },
	{ "etm_0.ini", "TRCIDR2", "x", "etm_0.ini:5: expected register TRCIDR2 in [regs] of ETM4" },
	{ "etm_0.ini", "[regs]", "[register]",
	  "etm_0.ini:1: expected register TRCCONFIGR in [regs]" },
	{ "etm_0.ini", "0x8D1", "0x1000008D1",
	  "etm_0.ini:5: expected 32 bits in TRCCONFIGR, found" },
	{ "stm.ini", "STMTCSR", "STMSPER",
	  "stm.ini:5: expected register STMTCSR in [regs] of STM" },
	{ "trace.ini", "buffers=b0,b1", "buffers=", "trace.ini:2: expected a value for" },
	{ "trace.ini", "buffers=b0,b1", "buffers=b0,,b1", "trace.ini:2: expected names with ','" },
	{ "trace.ini", "buffers=b0,b1", "buffers=b0,b2",
	  "trace.ini:2: expected a section [b2] for each name in 'buffers', found none" },
	{ "trace.ini", "buffers=b0,b1", "buffers=b0,b0",
	  "trace.ini:2: expected each buffer name once" },
	{ "trace.ini", "name=ETB_1", "name=etb_0", "trace.ini:2: expected each buffer name once" },
	{ "trace.ini", "name=ETB_1\n", "", "trace.ini:7: expected 'name=' in [b1], found none" },
	{ "trace.ini", "file=b.bin\n", "", "trace.ini:7: expected 'file=' in [b1], found none" },
	{ "trace.ini", "b.bin", "gone.bin",
	  "trace.ini:9: expected the file gone.bin, found none: copy" },
	{ "trace.ini", "b.bin", "../b.bin", "trace.ini:9: expected the name of a file inside" },
	{ "trace.ini", "b.bin", "./",
	  "trace.ini:9: expected the name of a file inside the capture" },
	{ "trace.ini", "coresight", "coresite",
	  "trace.ini:6: expected format coresight, source_data or dstream_coresight, found "
	  "'coresite'" },
	{ "trace.ini", "STM_0=ETB_1", "STM_0=ETB_1\nETM_0=ETB_1",
	  "trace.ini:1: expected one source in [source_buffers] for 'ETB_1', whose format is" },
	{ "trace.ini", "[source_buffers]", "[sources]",
	  "trace.ini:1: expected a section [source_buff" },
	{ "trace.ini", "ETM_0=ETB_0", "ETM_O=ETB_0",
	  "trace.ini:12: expected the name of a device of class trace_source, found 'ETM_O', which "
	  "no "
	  "device file has (did you mean 'ETM_0'?)" },
	{ "trace.ini", "ETM_0=ETB_0", "cpu_0=ETB_0",
	  "trace.ini:12: expected the name of a device of class trace_source, found 'cpu_0', which "
	  "has "
	  "class core" },
	{ "trace.ini", "ETM_0=ETB_0", "ETM_0=ETB_9",
	  "trace.ini:12: expected the name of a trace buffer for 'ETM_0', found 'ETB_9' (did you "
	  "mean" },
	{ "trace.ini", "cpu_0=ETM_0", "cpu_1=ETM_0",
	  "trace.ini:15: expected the name of a device of class core, found 'cpu_1', which no "
	  "device" },
	{ "trace.ini", "cpu_0=ETM_0", "cpu_0=@address:1",
	  "trace.ini:15: expected the name of a device of class trace_source, found '@address:1'" },
	{ "trace.ini", "cpu_0=ETM_0",
	  "cpu_0=", "trace.ini:15: expected the name of a device of class" },
};

static void test_malformed(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(bad_cases); i++) {
		const struct bad_case *bad = &bad_cases[i];
		g_autofree char *dir = snapshot_fixture_new();
		g_autoptr(GString) text = g_string_new(snapshot_fixture_file(bad->file));
		const gboolean not_found = strstr(bad->expected, "expected the file") != NULL;

		if (bad->to == NULL)
			g_string_prepend(text, bad->from);
		else
			g_assert_cmpuint(g_string_replace(text, bad->from, bad->to, 1), ==, 1);
		snapshot_fixture_write(dir, bad->file, text->str, (gssize)text->len);
		snapshot_fixture_assert_fails(
			dir, dir, not_found ? SNAPSHOT_ERROR_NOT_FOUND : SNAPSHOT_ERROR_MALFORMED,
			bad->expected);
		snapshot_fixture_remove(dir);
	}
}

static void test_two_cores_one_source(void)
{
	g_autofree char *dir = snapshot_fixture_new();

	snapshot_fixture_write(dir, "stm.ini", "[device]\nname=cpu_1\nclass=core\n", -1);
	snapshot_fixture_write(
		dir, "trace.ini",
		"[trace_buffers]\nbuffers=b\n[b]\nname=B\nfile=a.bin\nformat=coresight\n"
		"[core_trace_sources]\ncpu_0=ETM_0\ncpu_0=ETM_0\ncpu_1=ETM_0\n",
		-1);
	snapshot_fixture_assert_fails(
		dir, dir, SNAPSHOT_ERROR_MALFORMED,
		"trace.ini:10: expected source 'ETM_0' at one core, found it at 'cpu_0' and "
		"'cpu_1'");
	snapshot_fixture_remove(dir);
}

static void test_bad_capture_ini(void)
{
	static const char *const cases[][2] = {
		{ "time=modelled\n", "capture.ini:1: expected a '[section]' line first" },
		{ "[captur]\n", "capture.ini:1: expected a section [capture], found none" },
		{ "[capture]\ntime=guessed\n",
		  "capture.ini:2: expected 'measured' or 'modelled' for 'time', found 'guessed'" },
		{ "[capture]\ntime=unstated\n",
		  "capture.ini:2: expected 'measured' or 'modelled'" },
		{ "[capture]\ntimestamp_hz=0\n", "capture.ini:2: expected 1 to 1000000000000 Hz" },
		{ "[capture]\ncore_hz=1000000000001\n",
		  "capture.ini:2: expected 1 to 1000000000000 Hz" },
		{ "[capture]\ncore_hz=1.5e9\n",
		  "capture.ini:2: expected a number of at most 64 bits" },
		{ "[capture]\ncore_hz=1\ncore_hz=2\n",
		  "capture.ini:3: expected each key of [capture]" },
	};
	g_autofree char *dir = snapshot_fixture_new();

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		snapshot_fixture_write(dir, "capture.ini", cases[i][0], -1);
		snapshot_fixture_assert_fails(dir, dir, SNAPSHOT_ERROR_MALFORMED, cases[i][1]);
	}
	snapshot_fixture_remove(dir);
}

static void test_nul_and_huge(void)
{
	g_autofree char *dir = snapshot_fixture_new();
	g_autofree char *path = g_build_filename(dir, "cpu_0.ini", NULL);

	snapshot_fixture_write(dir, "cpu_0.ini", "[device]\nname=a\0b\n", 18);
	snapshot_fixture_assert_fails(
		dir, dir, SNAPSHOT_ERROR_MALFORMED,
		"cpu_0.ini:2: expected text, found the control character 0x00 at column 7: is "
		"this a binary file?");
	g_assert_cmpint(truncate(path, 4 * 1024 * 1024 + 1), ==, 0);
	snapshot_fixture_assert_fails(
		dir, dir, SNAPSHOT_ERROR_IO,
		"cpu_0.ini: expected an ini file of at most 4194304 bytes, found 4194305");
	snapshot_fixture_write(dir, "cpu_0.ini", "", 0);
	snapshot_fixture_assert_fails(dir, dir, SNAPSHOT_ERROR_MALFORMED,
	                              "cpu_0.ini:1: expected a section [device], found none");
	snapshot_fixture_remove(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/snapshot/no-capture", test_no_capture);
	g_test_add_func("/snapshot/malformed", test_malformed);
	g_test_add_func("/snapshot/two-cores-one-source", test_two_cores_one_source);
	g_test_add_func("/snapshot/bad-capture-ini", test_bad_capture_ini);
	g_test_add_func("/snapshot/nul-and-huge", test_nul_and_huge);
	return g_test_run();
}
