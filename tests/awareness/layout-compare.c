#include "tests/awareness/layout-compare.h"

#include <gio/gio.h>
#include <string.h>

/* Whether a line of dw-layouts is what the member is. */
static void member_compare(const char *line, const struct type_member *member)
{
	g_autofree char *want =
		g_strdup_printf("m %" G_GUINT64_FORMAT " %u %s", member->offset_bits,
	                        member->bit_size, member->name != NULL ? member->name : "-");

	g_assert_cmpstr(line, ==, want);
}

unsigned layouts_compare(const char *path, struct types *types)
{
	g_autofree char *program = g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "tests",
	                                            "awareness", "dw-layouts", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GSubprocess) process =
		g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program, path, NULL);
	g_autofree char *out = NULL;
	g_auto(GStrv) lines = NULL;
	const struct type *type = NULL;
	unsigned compared = 0;
	size_t n = 0;

	g_assert_no_error(error);
	g_assert_true(g_subprocess_communicate_utf8(process, NULL, NULL, &out, NULL, &error));
	g_assert_cmpint(g_subprocess_get_exit_status(process), ==, 0);
	lines = g_strsplit(out, "\n", -1);
	for (char **line = lines; *line != NULL && **line != '\0'; line++) {
		char *space;

		if (g_str_has_prefix(*line, "m ")) {
			g_assert_cmpuint(n, <, type->n_members);
			member_compare(*line, &type->members[n++]);
			continue;
		}
		g_assert_true(type == NULL || n == type->n_members);
		space = strrchr(*line, ' ');
		*space = '\0';
		type = types_find(types, *line, &error);
		g_assert_no_error(error);
		g_assert_cmpuint(g_ascii_strtoull(space + 1, NULL, 10), ==, type->size_bytes);
		n = 0;
		compared++;
	}
	return compared;
}
