/* The whole of snapshot_open: an input holds the ini files of one capture. A line
 * "@@ NAME" begins file NAME, one of the six below; a.bin (16 bytes) and b.bin (8) are
 * always there. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/snapshot.h"
#include "tests/capture/snapshot-text.h"

static const char *const ini_names[] = { "snapshot.ini", "trace.ini", "cpu.ini",
	                                 "etm.ini",      "stm.ini",   "capture.ini" };

static char *dir;

static void dir_remove(void)
{
	static const char *const others[] = { "a.bin", "b.bin" };

	for (gsize i = 0; i < G_N_ELEMENTS(ini_names) + G_N_ELEMENTS(others); i++) {
		g_autofree char *path = g_build_filename(
			dir,
			i < G_N_ELEMENTS(ini_names) ? ini_names[i]
						    : others[i - G_N_ELEMENTS(ini_names)],
			NULL);

		g_unlink(path);
	}
	g_rmdir(dir);
	g_clear_pointer(&dir, g_free);
}

static void write_whole(const char *name, const void *bytes, gsize len_bytes)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(write(fd, bytes, len_bytes), ==, (gint64)len_bytes);
	close(fd);
}

static void dir_make(void)
{
	/* Memory, where there is one: the files are written anew for each input. */
	const gboolean shm = g_access("/dev/shm", W_OK | X_OK) == 0;

	dir = shm ? g_mkdtemp(g_strdup("/dev/shm/hvscope-fuzz-XXXXXX"))
	          : g_dir_make_tmp("hvscope-fuzz-XXXXXX", NULL);
	g_assert_nonnull(dir);
	write_whole("a.bin", "0123456789abcdef", 16);
	write_whole("b.bin", "01234567", 8);
	atexit(dir_remove);
}

/* The next "@@ " at the beginning of a line, or the end. */
static const char *next_mark(const char *bytes, const char *end)
{
	while (bytes < end) {
		const char *newline;

		if (end - bytes >= 3 && memcmp(bytes, "@@ ", 3) == 0)
			return bytes;
		newline = memchr(bytes, '\n', (gsize)(end - bytes));
		bytes = newline != NULL ? newline + 1 : end;
	}
	return end;
}

static void write_files(const char *bytes, gsize len_bytes)
{
	const char *end = bytes + len_bytes;

	for (gsize i = 0; i < G_N_ELEMENTS(ini_names); i++) {
		g_autofree char *path = g_build_filename(dir, ini_names[i], NULL);

		g_unlink(path);
	}
	for (bytes = next_mark(bytes, end); bytes < end;) {
		const char *name = bytes + 3;
		const char *newline = memchr(name, '\n', (gsize)(end - name));
		const char *text = newline != NULL ? newline + 1 : end;
		const char *stop = next_mark(text, end);

		for (gsize i = 0; i < G_N_ELEMENTS(ini_names); i++) {
			if ((gsize)(text - name) > strlen(ini_names[i]) &&
			    strncmp(name, ini_names[i], strlen(ini_names[i])) == 0)
				write_whole(ini_names[i], text, (gsize)(stop - text));
		}
		bytes = stop;
	}
}

/* Every index leads somewhere, and links are there from both ends. */
static void check_links(const struct snapshot *snapshot)
{
	guint n_source_links = 0;
	guint n_buffer_links = 0;

	g_assert_cmpuint(snapshot->n_devices, >, 0);
	for (guint i = 0; i < snapshot->n_sources; i++) {
		const struct snapshot_source *source = &snapshot->sources[i];

		g_assert_true(source->device->device_class == SNAPSHOT_CLASS_TRACE_SOURCE);
		g_assert_cmpint(source->core, >=, -1);
		g_assert_cmpint(source->core, <, (gint)snapshot->n_cores);
		for (guint j = 0; j < source->n_buffers; j++)
			g_assert_cmpuint(source->buffers[j], <, snapshot->n_buffers);
		n_source_links += source->n_buffers;
	}
	for (guint i = 0; i < snapshot->n_buffers; i++) {
		const struct snapshot_buffer *buffer = &snapshot->buffers[i];

		for (guint j = 0; j < buffer->n_sources; j++)
			g_assert_cmpuint(buffer->sources[j], <, snapshot->n_sources);
		g_assert_true(buffer->format != SNAPSHOT_FORMAT_SOURCE_DATA ||
		              buffer->n_sources <= 1);
		n_buffer_links += buffer->n_sources;
	}
	g_assert_cmpuint(n_source_links, ==, n_buffer_links);
}

static void check_regs(const struct snapshot *snapshot)
{
	static const char *const wanted[] = { "TRCCONFIGR", "TRCTRACEIDR", "TRCIDR0", "TRCIDR1",
		                              "TRCIDR2",    "TRCIDR8",     "TRCIDR13" };

	for (guint i = 0; i < snapshot->n_sources; i++) {
		for (gsize j = 0; j < G_N_ELEMENTS(wanted); j++) {
			guint64 value;

			if (snapshot->sources[i].protocol != SNAPSHOT_PROTOCOL_ETM4)
				continue;
			g_assert_true(snapshot_device_reg(snapshot->sources[i].device, wanted[j],
			                                  &value));
			g_assert_cmpuint(value, <=, G_MAXUINT32);
		}
	}
}

static void check_files(const struct snapshot *snapshot)
{
	for (guint i = 0; i < snapshot->n_buffers; i++) {
		GMappedFile *map = snapshot_buffer_map(&snapshot->buffers[i], NULL);

		g_assert_nonnull(map);
		g_assert_cmpuint(g_mapped_file_get_length(map), ==,
		                 snapshot->buffers[i].size_bytes);
		g_mapped_file_unref(map);
	}
	for (guint i = 0; i < snapshot->n_devices; i++) {
		for (guint j = 0; j < snapshot->devices[i].n_dumps; j++) {
			const struct snapshot_dump *dump = &snapshot->devices[i].dumps[j];
			g_autoptr(GBytes) bytes = snapshot_dump_map(dump, NULL);

			g_assert_true(g_str_has_prefix(dump->path, dir));
			g_assert_true(bytes == NULL || !dump->has_length ||
			              g_bytes_get_size(bytes) == dump->length);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;
	g_autofree char *text = NULL;

	if (dir == NULL)
		dir_make();
	write_files((const char *)bytes, len_bytes);
	snapshot = snapshot_open(dir, &error);
	g_assert_true((snapshot == NULL) == (error != NULL));
	if (snapshot == NULL) {
		g_assert_true(error->domain == SNAPSHOT_ERROR);
		g_assert_true(g_utf8_validate(error->message, -1, NULL));
		return 0;
	}
	check_links(snapshot);
	check_regs(snapshot);
	check_files(snapshot);
	text = snapshot_text(snapshot);
	g_assert_true(g_utf8_validate(text, -1, NULL));
	return 0;
}
