/* Every real capture opens, and says what tests/capture/captures.expected says of it. */
#include "capture/snapshot.h"

#include <string.h>

#include "tests/capture/snapshot-text.h"

static char *captures_dir(void)
{
	const char *data = g_getenv("HVSCOPE_DATA");

	if (data != NULL)
		return g_build_filename(data, "captures", NULL);
	return g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "..", "shared", "data", "captures",
	                        NULL);
}

static char *opened_text(const char *dir)
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
	return g_string_free(g_steal_pointer(&relative), FALSE);
}

static void test_capture(gconstpointer data)
{
	char **expected = (char **)data;
	g_autofree char *captures = captures_dir();
	g_autofree char *dir = g_build_filename(captures, expected[0], NULL);
	g_autofree char *text = NULL;

	if (!g_file_test(dir, G_FILE_TEST_IS_DIR)) {
		g_autofree char *why = g_strdup_printf("no capture %s", dir);

		g_test_skip(why);
		return;
	}
	text = opened_text(dir);
	g_assert_cmpstr(text, ==, expected[1]);
}

/* A capture that came after captures.expected opens too. */
static void test_all_open(void)
{
	g_autofree char *captures = captures_dir();
	g_autoptr(GDir) list = g_dir_open(captures, 0, NULL);
	const char *name;
	guint n_opened = 0;

	if (list == NULL) {
		g_test_skip("no directory of real captures");
		return;
	}
	while ((name = g_dir_read_name(list)) != NULL) {
		g_autofree char *dir = g_build_filename(captures, name, NULL);
		g_autofree char *ini = g_build_filename(dir, "snapshot.ini", NULL);

		if (g_file_test(ini, G_FILE_TEST_EXISTS)) {
			g_autofree char *text = opened_text(ini);

			g_assert_cmpuint(strlen(text), >, 0);
			n_opened++;
		}
	}
	g_assert_cmpuint(n_opened, >, 0);
}

/* The trace bytes of xen-1s without loading them. */
static void test_map(void)
{
	g_autofree char *captures = captures_dir();
	g_autofree char *dir = g_build_filename(captures, "xen-1s", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;
	GMappedFile *map;

	if (!g_file_test(dir, G_FILE_TEST_IS_DIR)) {
		g_test_skip("no capture xen-1s");
		return;
	}
	snapshot = snapshot_open(dir, &error);
	g_assert_no_error(error);
	map = snapshot_buffer_map(&snapshot->buffers[0], &error);
	g_assert_no_error(error);
	g_clear_pointer(&snapshot, snapshot_free);
	g_assert_cmpuint(g_mapped_file_get_length(map), ==, 9191472);
	g_assert_cmpuint(g_mapped_file_get_length(map) % 16, ==, 0);
	g_mapped_file_unref(map);
}

int main(int argc, char **argv)
{
	g_autofree char *path = g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "tests",
	                                         "capture", "captures.expected", NULL);
	g_autofree char *all = NULL;
	g_auto(GStrv) parts = NULL;
	g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

	g_test_init(&argc, &argv, NULL);
	g_assert_true(g_file_get_contents(path, &all, NULL, NULL));
	parts = g_strsplit(all, "== ", -1);
	for (guint i = 1; parts[i] != NULL; i++) {
		char **pair = g_strsplit(parts[i], "\n", 2);
		g_autofree char *name = g_strdup_printf("/snapshot/captures/%s", pair[0]);

		g_ptr_array_add(pairs, pair);
		g_test_add_data_func(name, pair, test_capture);
	}
	g_test_add_func("/snapshot/captures/all-open", test_all_open);
	g_test_add_func("/snapshot/captures/map", test_map);
	return g_test_run();
}
