/* data.h: where the real captures are */
#pragma once

#include <glib.h>

/* Path of a capture under HVSCOPE_DATA, or NULL (and the test is skipped) where absent. */
static inline char *data_capture(const char *name)
{
	const char *data = g_getenv("HVSCOPE_DATA");
	g_autofree char *fallback =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "..", "shared", "data", NULL);
	char *path = g_build_filename(data != NULL ? data : fallback, "captures", name, NULL);

	if (g_file_test(path, G_FILE_TEST_IS_DIR))
		return path;
	g_test_skip("no such capture under HVSCOPE_DATA");
	g_free(path);
	return NULL;
}
