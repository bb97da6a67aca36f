#include "tests/capture/snapshot-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#include "tests/capture/snapshot-text.h"

/* A small good capture. */
static const char snapshot_ini[] = "[snapshot]\n"
				   "version=1.0\n"
				   "[device_list]\n"
				   "device0=cpu_0.ini\n"
				   "device1=etm_0.ini\n"
				   "device2=stm.ini\n"
				   "[trace]\n"
				   "metadata=trace.ini\n";
static const char trace_ini[] = "[trace_buffers]\n"
				"buffers=b0,b1\n"
				"[b0]\n"
				"name=ETB_0\n"
				"file=a.bin\n"
				"format=coresight\n"
				"[b1]\n"
				"name=ETB_1\n"
				"file=b.bin\n"
				"format=source_data\n"
				"[source_buffers]\n"
				"ETM_0=ETB_0\n"
				"STM_0=ETB_1\n"
				"[core_trace_sources]\n"
				"cpu_0=ETM_0\n";
static const char cpu_ini[] = "[device]\n"
			      "name=cpu_0\n"
			      "class=core\n"
			      "type=Cortex-A53\n"
			      "[regs]\n"
			      "PC(size:64)=0xFFFFFFC000081000\n"
			      "[dump]\n"
			      "file=a.bin\n"
			      "address=0x80000000\n";
static const char etm_ini[] = "[device]\n"
			      "name=ETM_0\n"
			      "class=trace_source\n"
			      "type=ETM4\n"
			      "[regs]\n"
			      "TRCCONFIGR(0x004)=0x8D1\n"
			      "TRCTRACEIDR(0x010)=0x10\n"
			      "TRCIDR0(0x078)=0x28000EA1\n"
			      "TRCIDR2(0x07A)=0x488\n";
static const char stm_ini[] = "[device]\n"
			      "name=STM_0\n"
			      "class=trace_source\n"
			      "type=STM\n"
			      "[regs]\n"
			      "STMTCSR(0x3A0)=0x00A00007\n";

void snapshot_fixture_write(const char *dir, const char *file, const char *bytes, gssize len_bytes)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);

	g_assert_true(g_file_set_contents(path, bytes, len_bytes, NULL));
}

char *snapshot_fixture_new(void)
{
	char *dir = g_dir_make_tmp("hvscope-snapshot-XXXXXX", NULL);

	g_assert_nonnull(dir);
	snapshot_fixture_write(dir, "snapshot.ini", snapshot_ini, -1);
	snapshot_fixture_write(dir, "trace.ini", trace_ini, -1);
	snapshot_fixture_write(dir, "cpu_0.ini", cpu_ini, -1);
	snapshot_fixture_write(dir, "etm_0.ini", etm_ini, -1);
	snapshot_fixture_write(dir, "stm.ini", stm_ini, -1);
	snapshot_fixture_write(dir, "a.bin", "0123456789abcdef", 16);
	snapshot_fixture_write(dir, "b.bin", "01234567", 8);
	return dir;
}

void snapshot_fixture_remove(const char *dir)
{
	g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(list)) != NULL) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		g_assert_cmpint(g_remove(path), ==, 0);
	}
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

void snapshot_fixture_assert_text(const char *dir, const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(dir, &error);
	g_autofree char *prefix = g_strdup_printf("%s/", dir);
	g_autofree char *text = NULL;
	g_autoptr(GString) relative = NULL;

	g_assert_no_error(error);
	text = snapshot_text(snapshot);
	relative = g_string_new(text);
	g_string_replace(relative, prefix, "", 0);
	g_assert_cmpstr(relative->str, ==, expected);
}

/* Opening fails with an error of that code whose message, without the directory, begins so. */
void snapshot_fixture_assert_fails(const char *dir, const char *path, enum snapshot_error code,
                                   const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(path, &error);
	g_autofree char *prefix = g_strdup_printf("%s/", dir);
	g_autoptr(GString) message = NULL;

	g_assert_null(snapshot);
	g_assert_error(error, SNAPSHOT_ERROR, (gint)code);
	message = g_string_new(error->message);
	g_string_replace(message, prefix, "", 0);
	if (!g_str_has_prefix(message->str, expected))
		g_assert_cmpstr(message->str, ==, expected);
}

const char *snapshot_fixture_file(const char *file)
{
	return strcmp(file, "snapshot.ini") == 0 ? snapshot_ini
	       : strcmp(file, "trace.ini") == 0  ? trace_ini
	       : strcmp(file, "cpu_0.ini") == 0  ? cpu_ini
	       : strcmp(file, "etm_0.ini") == 0  ? etm_ini
	                                         : stm_ini;
}
