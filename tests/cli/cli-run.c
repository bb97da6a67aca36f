#include "tests/cli/cli-run.h"

#include <string.h>
#include <sys/wait.h>

void cli_run(struct cli_run *self, const char *first, ...)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	const char *root = g_getenv("HVSCOPE_BUILD_ROOT");
	int status = 0;
	va_list args;

	g_ptr_array_add(argv,
	                g_build_filename(root != NULL ? root : "build", "cli", "hvscope", NULL));
	va_start(args, first);
	for (const char *at = first; at != NULL; at = va_arg(args, const char *))
		g_ptr_array_add(argv, g_strdup(at));
	va_end(args);
	g_ptr_array_add(argv, NULL);
	g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, &self->out,
	             &self->err, &status, &error);
	g_assert_no_error(error);
	g_assert_true(WIFEXITED(status));
	self->code = WEXITSTATUS(status);
}

void cli_run_clear(struct cli_run *self)
{
	g_clear_pointer(&self->out, g_free);
	g_clear_pointer(&self->err, g_free);
}

void cli_run_assert_failed(const struct cli_run *self, int code, const char *pattern)
{
	g_test_message("%s", self->err);
	g_assert_cmpint(self->code, ==, code);
	g_assert_cmpstr(self->out, ==, "");
	g_assert_true(g_str_has_prefix(self->err, "hvscope"));
	g_assert_nonnull(strchr(self->err, '\n'));
	g_assert_cmpstr(strchr(self->err, '\n'), ==, "\n");
	g_assert_true(g_pattern_match_simple(pattern, self->err));
}

JsonObject *cli_run_json(const struct cli_run *self)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	g_autoptr(GError) error = NULL;

	g_assert_cmpstr(self->err, ==, "");
	g_assert_cmpint(self->code, ==, 0);
	json_parser_load_from_data(parser, self->out, -1, &error);
	g_assert_no_error(error);
	return json_object_ref(json_node_get_object(json_parser_get_root(parser)));
}
