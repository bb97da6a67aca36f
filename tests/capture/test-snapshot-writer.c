#include "capture/snapshot-writer.h"

#include <glib/gstdio.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/capture/snapshot-copy.h"
#include "tests/capture/snapshot-text.h"

static char *folder_new(void)
{
	char *dir = g_dir_make_tmp("hvscope-writer-XXXXXX", NULL);

	g_assert_nonnull(dir);
	return dir;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in `dir`, sorted, with spaces between them. */
static char *names_in(const char *dir)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(list)) != NULL)
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_names);
	g_ptr_array_add(names, NULL);
	return g_strjoinv(" ", (char **)names->pdata);
}

static void remove_all(const char *dir)
{
	g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(list)) != NULL) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		if (g_file_test(path, G_FILE_TEST_IS_DIR))
			remove_all(path);
		else
			g_assert_cmpint(g_unlink(path), ==, 0);
	}
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void add_etm4_regs(struct snapshot_writer *writer, guint etm, guint trace_id)
{
	snapshot_writer_reg(writer, etm, "TRCCONFIGR", 0x8D1);
	snapshot_writer_reg(writer, etm, "TRCTRACEIDR", trace_id);
	snapshot_writer_reg(writer, etm, "TRCIDR0", 0x28000EA1);
	snapshot_writer_reg(writer, etm, "TRCIDR2", 0x488);
}

/* Two cores with their ETMs, an STM, a memory, two buffers, dumps and all of capture.ini. */
static void write_everything(struct snapshot_writer *writer)
{
	g_autofree char *streamed = NULL;
	guint cores[2];
	guint etm[2];
	guint stm;
	guint buffers[2];

	for (guint i = 0; i < 2; i++) {
		g_autofree char *core_name = g_strdup_printf("cpu_%u", i);
		g_autofree char *etm_name = g_strdup_printf("ETM %u", i);

		cores[i] = snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, core_name,
		                                  "Cortex-A53");
		etm[i] = snapshot_writer_device(writer, SNAPSHOT_CLASS_TRACE_SOURCE, etm_name,
		                                "ETM4");
		add_etm4_regs(writer, etm[i], 0x10 + i);
		snapshot_writer_reg(writer, etm[i], "TRCACVR0", 0xFFFFFFC000081000);
		snapshot_writer_link_core(writer, cores[i], etm[i]);
	}
	stm = snapshot_writer_device(writer, SNAPSHOT_CLASS_TRACE_SOURCE, "trace", "STM");
	snapshot_writer_reg(writer, stm, "STMTCSR", 0xA00007);
	snapshot_writer_device(writer, SNAPSHOT_CLASS_OTHER, "ahb", "AHB");
	snapshot_writer_dump(writer, cores[0], "mem/ram.bin", 0x80000000, 2, 4, "EL2");
	snapshot_writer_dump(writer, cores[0], "mem/ram.bin", 0x90000000, 0, 0, NULL);
	buffers[0] =
		snapshot_writer_buffer(writer, "ETB_0", "cstrace.bin", SNAPSHOT_FORMAT_CORESIGHT);
	buffers[1] =
		snapshot_writer_buffer(writer, "ETB_1", "stm.bin", SNAPSHOT_FORMAT_SOURCE_DATA);
	snapshot_writer_link_buffer(writer, etm[0], buffers[0]);
	snapshot_writer_link_buffer(writer, etm[1], buffers[0]);
	snapshot_writer_link_buffer(writer, stm, buffers[1]);
	snapshot_writer_cluster(writer, "Cluster 0", cores, 2);
	snapshot_writer_rates(writer, 62500000, 250000000);
	snapshot_writer_time(writer, SNAPSHOT_TIME_MEASURED);
	snapshot_writer_property(writer, "board", "zcu102");
	snapshot_writer_file(writer, "cstrace.bin", "0123456789abcdef", 16);
	snapshot_writer_file(writer, "stm.bin", "01234567", 8);
	streamed = snapshot_writer_path(writer, "mem/ram.bin");
	g_assert_true(g_file_set_contents(streamed, "abcdefgh", 8, NULL));
}

static void test_everything(void)
{
	g_autofree char *folder = folder_new();
	g_autofree char *dir = g_build_filename(folder, "run1", NULL);
	g_autofree char *with_slash = g_strconcat(dir, "/", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(SnapshotWriter) writer = snapshot_writer_new(with_slash, &error);
	g_autoptr(Snapshot) snapshot = NULL;
	g_autofree char *text = NULL;
	g_autofree char *names = NULL;
	guint64 value;

	g_assert_no_error(error);
	write_everything(writer);
	g_assert_false(g_file_test(dir, G_FILE_TEST_EXISTS));
	g_assert_true(snapshot_writer_finish(writer, &error));
	g_assert_no_error(error);
	g_clear_pointer(&writer, snapshot_writer_free);

	names = names_in(folder);
	g_assert_cmpstr(names, ==, "run1");
	snapshot = snapshot_open(dir, &error);
	g_assert_no_error(error);
	text = snapshot_text(snapshot);
	g_assert_cmpstr(text, ==,
	                "core 0 cpu_0 Cortex-A53 regs 0 dumps 2\n"
	                "core 1 cpu_1 Cortex-A53 regs 0 dumps 0\n"
	                "source ETM 0 ETMv4 \"ETM4\" id 0x10 core 0 cpu_0 in ETB_0 regs 12\n"
	                "source ETM 1 ETMv4 \"ETM4\" id 0x11 core 1 cpu_1 in ETB_0 regs 12\n"
	                "source trace STM \"STM\" id 0x20 in ETB_1 regs 1\n"
	                "buffer ETB_0 cstrace.bin coresight 16 bytes from ETM 0 ETM 1\n"
	                "buffer ETB_1 stm.bin source_data 8 bytes from trace\n"
	                "cluster Cluster 0: cpu_0 cpu_1\n"
	                "timestamp_hz 62500000\ncore_hz 250000000\ntime measured\n"
	                "property board=zcu102\n");
	g_assert_true(snapshot_device_reg(snapshot->sources[1].device, "TRCACVR0", &value));
	g_assert_cmphex(value, ==, 0xFFFFFFC000081000);
	g_assert_cmphex(snapshot->cores[0]->dumps[0].address, ==, 0x80000000);
	g_assert_cmpuint(snapshot->cores[0]->dumps[0].length, ==, 4);
	g_assert_cmpuint(snapshot->cores[0]->dumps[0].offset, ==, 2);
	remove_all(folder);
}

/* A full disk, played by a limit on the size of files: an error, and nothing stays. */
static void test_no_space(void)
{
	g_autofree char *folder = folder_new();
	g_autofree char *dir = g_build_filename(folder, "run1", NULL);
	g_autofree guint8 *bytes = g_malloc0(65536);
	struct snapshot_writer *writer = snapshot_writer_new(dir, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *names = NULL;
	struct rlimit before;
	struct rlimit small;

	g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
	small = before;
	small.rlim_cur = 16384;
	signal(SIGXFSZ, SIG_IGN);
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
	write_everything(writer);
	snapshot_writer_file(writer, "big.bin", bytes, 65536);
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
	signal(SIGXFSZ, SIG_DFL);
	g_assert_false(snapshot_writer_finish(writer, &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_IO);
	g_assert_nonnull(strstr(error->message, "big.bin failed: File too large"));
	snapshot_writer_free(writer);
	names = names_in(folder);
	g_assert_cmpstr(names, ==, "");
	remove_all(folder);
}

/* Dropped before the end: nothing stays. */
static void test_dropped(void)
{
	g_autofree char *folder = folder_new();
	g_autofree char *dir = g_build_filename(folder, "run1", NULL);
	struct snapshot_writer *writer = snapshot_writer_new(dir, NULL);
	g_autofree char *names = NULL;

	snapshot_writer_file(writer, "deep/er/a.bin", "x", 1);
	snapshot_writer_free(writer);
	names = names_in(folder);
	g_assert_cmpstr(names, ==, "");
	remove_all(folder);
}

static void test_target(void)
{
	g_autofree char *folder = folder_new();
	g_autofree char *full = g_build_filename(folder, "full", NULL);
	g_autofree char *file = g_build_filename(full, "x", NULL);
	g_autofree char *empty = g_build_filename(folder, "empty", NULL);
	g_autofree char *orphan = g_build_filename(folder, "no", "run1", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(SnapshotWriter) writer = NULL;

	g_assert_cmpint(g_mkdir(full, 0755), ==, 0);
	g_assert_cmpint(g_mkdir(empty, 0755), ==, 0);
	g_assert_true(g_file_set_contents(file, "x", 1, NULL));
	g_assert_null(snapshot_writer_new(full, &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_EXISTS);
	g_clear_error(&error);
	g_assert_null(snapshot_writer_new(file, &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_EXISTS);
	g_clear_error(&error);
	g_assert_null(snapshot_writer_new(orphan, &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_IO);
	g_clear_error(&error);
	writer = snapshot_writer_new(empty, &error);
	g_assert_no_error(error);
	snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, "cpu_0", "Cortex-A53");
	g_assert_true(snapshot_writer_finish(writer, &error));
	g_assert_no_error(error);
	remove_all(folder);
}

/* A target that appears meanwhile is left as it is. */
static void test_race(void)
{
	g_autofree char *folder = folder_new();
	g_autofree char *dir = g_build_filename(folder, "run1", NULL);
	g_autofree char *file = g_build_filename(dir, "x", NULL);
	struct snapshot_writer *writer = snapshot_writer_new(dir, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *names = NULL;

	snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, "cpu_0", "Cortex-A53");
	g_assert_cmpint(g_mkdir(dir, 0755), ==, 0);
	g_assert_true(g_file_set_contents(file, "x", 1, NULL));
	g_assert_false(snapshot_writer_finish(writer, &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_EXISTS);
	snapshot_writer_free(writer);
	names = names_in(dir);
	g_assert_cmpstr(names, ==, "x");
	remove_all(folder);
}

enum bad_input {
	BAD_DEVICE_NAME,
	BAD_DEVICE_TWICE,
	BAD_TYPE,
	BAD_REG_NAME,
	BAD_REG_TWICE,
	BAD_REG_MISSING,
	BAD_FILE_OUTSIDE,
	BAD_FILE_INI,
	BAD_FILE_MISSING,
	BAD_DUMP_SHORT,
	BAD_HANDLE,
	BAD_BUFFER_HANDLE,
	BAD_PROPERTY,
	BAD_RATE,
	BAD_NO_DEVICE,
	N_BAD_INPUTS,
};

static const char *const bad_messages[N_BAD_INPUTS] = {
	[BAD_DEVICE_NAME] = "expected as device name text without any of",
	[BAD_DEVICE_TWICE] = "expected each device name once, found 'CPU_0' again",
	[BAD_TYPE] = "expected as device type text without any of",
	[BAD_REG_NAME] = "expected as register name text without any of",
	[BAD_REG_TWICE] = "cpu_0.ini:8: expected each key of [regs] once, found 'pc' again",
	[BAD_REG_MISSING] = "expected register TRCCONFIGR in [regs] of ETM4 source 'ETM_0'",
	[BAD_FILE_OUTSIDE] = "found '../x.bin', which leaves the capture",
	[BAD_FILE_INI] = "found 'x.ini', which ends in .ini",
	[BAD_FILE_MISSING] = "trace.ini:6: expected the file",
	[BAD_DUMP_SHORT] = "expected 5 bytes from byte 0 for [dump0], found 4 bytes in all",
	[BAD_HANDLE] = "expected the handle of a device, found 77",
	[BAD_BUFFER_HANDLE] = "expected the handle of a buffer, found 0",
	[BAD_PROPERTY] = "expected as value in capture.ini text without any of",
	[BAD_RATE] = "expected 1 to 1000000000000 Hz",
	[BAD_NO_DEVICE] = "expected 1 to 1024 devices",
};

static void write_bad(struct snapshot_writer *writer, enum bad_input input)
{
	guint core = 0;

	if (input != BAD_NO_DEVICE)
		core = snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, "cpu_0", "Cortex-A53");
	switch (input) {
	case BAD_DEVICE_NAME:
		snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, "a=b", "x");
		break;
	case BAD_DEVICE_TWICE:
		snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, "CPU_0", "x");
		break;
	case BAD_TYPE:
		snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, "cpu_1", "x\n[regs]");
		break;
	case BAD_REG_NAME:
		snapshot_writer_reg(writer, core, "PC(size:64)", 1);
		break;
	case BAD_REG_TWICE:
		snapshot_writer_reg(writer, core, "PC", 1);
		snapshot_writer_reg(writer, core, "pc", 1);
		break;
	case BAD_REG_MISSING:
		snapshot_writer_device(writer, SNAPSHOT_CLASS_TRACE_SOURCE, "ETM_0", "ETM4");
		break;
	case BAD_FILE_OUTSIDE:
		g_assert_null(snapshot_writer_path(writer, "../x.bin"));
		break;
	case BAD_FILE_INI:
		snapshot_writer_file(writer, "x.ini", "", 0);
		break;
	case BAD_FILE_MISSING:
		snapshot_writer_buffer(writer, "B", "b.bin", SNAPSHOT_FORMAT_CORESIGHT);
		break;
	case BAD_DUMP_SHORT:
		snapshot_writer_file(writer, "m.bin", "1234", 4);
		snapshot_writer_dump(writer, core, "m.bin", 0, 0, 5, NULL);
		break;
	case BAD_HANDLE:
		snapshot_writer_reg(writer, 77, "PC", 1);
		break;
	case BAD_BUFFER_HANDLE:
		snapshot_writer_link_buffer(writer, core, 0);
		break;
	case BAD_PROPERTY:
		snapshot_writer_property(writer, "board", "a;b");
		break;
	case BAD_RATE:
		snapshot_writer_rates(writer, G_MAXUINT64, 0);
		break;
	case BAD_NO_DEVICE:
	case N_BAD_INPUTS:
		break;
	}
}

/* Nothing that is wrong comes out as a capture, and nothing is left behind. */
static void test_bad_input(void)
{
	for (guint i = 0; i < N_BAD_INPUTS; i++) {
		g_autofree char *folder = folder_new();
		g_autofree char *dir = g_build_filename(folder, "run1", NULL);
		struct snapshot_writer *writer = snapshot_writer_new(dir, NULL);
		g_autoptr(GError) error = NULL;
		g_autofree char *names = NULL;

		write_bad(writer, (enum bad_input)i);
		g_assert_false(snapshot_writer_finish(writer, &error));
		g_assert_nonnull(error);
		if (strstr(error->message, bad_messages[i]) == NULL)
			g_assert_cmpstr(error->message, ==, bad_messages[i]);
		snapshot_writer_free(writer);
		names = names_in(folder);
		g_assert_cmpstr(names, ==, "");
		remove_all(folder);
	}
}

/* Whatever a capture of the real ones says, its copy says too. */
static void copy_and_compare(const char *original)
{
	g_autofree char *folder = folder_new();
	g_autofree char *dir = g_build_filename(folder, "copy", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(original, &error);
	g_autoptr(SnapshotWriter) writer = snapshot_writer_new(dir, NULL);
	g_autoptr(Snapshot) copy = NULL;

	g_assert_no_error(error);
	snapshot_copy(writer, snapshot);
	g_assert_true(snapshot_writer_finish(writer, &error));
	g_assert_no_error(error);
	copy = snapshot_open(dir, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(copy->n_devices, ==, snapshot->n_devices);
	for (guint i = 0; i < copy->n_devices; i++) {
		g_assert_cmpuint(copy->devices[i].n_regs, ==, snapshot->devices[i].n_regs);
		for (guint j = 0; j < copy->devices[i].n_regs; j++)
			g_assert_cmphex(copy->devices[i].regs[j].value, ==,
			                snapshot->devices[i].regs[j].value);
	}
	if (snapshot->notes[0] == NULL) {
		g_autofree char *text = snapshot_text(snapshot);
		g_autofree char *copy_text = snapshot_text(copy);

		g_assert_cmpstr(copy_text, ==, text);
	}
	remove_all(folder);
}

static void test_copies(void)
{
	const char *data = g_getenv("HVSCOPE_DATA");
	g_autofree char *captures =
		data != NULL ? g_build_filename(data, "captures", NULL)
			     : g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "..", "shared",
	                                        "data", "captures", NULL);
	g_autoptr(GDir) list = g_dir_open(captures, 0, NULL);
	const char *name;
	guint n_copied = 0;

	if (list == NULL) {
		g_test_skip("no directory of real captures");
		return;
	}
	while ((name = g_dir_read_name(list)) != NULL) {
		g_autofree char *original = g_build_filename(captures, name, NULL);
		g_autofree char *ini = g_build_filename(original, "snapshot.ini", NULL);

		if (g_file_test(ini, G_FILE_TEST_EXISTS)) {
			copy_and_compare(original);
			n_copied++;
		}
	}
	g_assert_cmpuint(n_copied, >, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/snapshot-writer/everything", test_everything);
	g_test_add_func("/snapshot-writer/no-space", test_no_space);
	g_test_add_func("/snapshot-writer/dropped", test_dropped);
	g_test_add_func("/snapshot-writer/target", test_target);
	g_test_add_func("/snapshot-writer/race", test_race);
	g_test_add_func("/snapshot-writer/bad-input", test_bad_input);
	g_test_add_func("/snapshot-writer/copies", test_copies);
	return g_test_run();
}
