/* symbol-data.h: where the tests of awareness/symbols find their real inputs */
#pragma once

#include <glib.h>

/* The path of a file of the data set, or NULL after g_test_skip(). */
static inline char *symbol_data_path(const char *name)
{
	const char *data = g_getenv("HVSCOPE_DATA");
	const char *source = g_getenv("HVSCOPE_SOURCE_ROOT");
	g_autofree char *root = data != NULL ? g_strdup(data)
	                                     : g_build_filename(source != NULL ? source : ".", "..",
	                                                        "shared", "data", NULL);
	g_autofree char *path = g_build_filename(root, name, NULL);

	if (g_file_test(path, G_FILE_TEST_EXISTS))
		return g_steal_pointer(&path);
	g_test_skip("the data set (HVSCOPE_DATA) is not here");
	return NULL;
}
