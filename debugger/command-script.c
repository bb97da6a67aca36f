/* Lines of commands: scripts, and what prompt and console run. */
#include "debugger/command.h"

#include <string.h>

enum {
	SCRIPT_DEPTH_MAX = 8,
};

/* One line: empty ones and those that begin with # do nothing. */
gboolean debug_run_line(struct debug *self, const char *line, GError **error)
{
	g_auto(GStrv) words = NULL;
	g_autofree char *stripped = g_strstrip(g_strdup(line));

	if (*stripped == '\0' || *stripped == '#')
		return TRUE;
	return g_shell_parse_argv(stripped, NULL, &words, error) && debug_run(self, words, error);
}

static gboolean run_file(struct debug *self, const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return FALSE;
	lines = g_strsplit(text, "\n", -1);
	for (gsize i = 0; lines[i] != NULL; i++) {
		if (!debug_run_line(self, lines[i], error)) {
			g_prefix_error(error, "%s:%" G_GSIZE_FORMAT ": ", path, i + 1);
			return FALSE;
		}
		fflush(self->out);
	}
	return TRUE;
}

static gboolean run_script(struct debug *self, int argc, char **argv, GError **error)
{
	gboolean done;

	if (!debug_parse(self, &argc, &argv, NULL, 1, 1, error))
		return FALSE;
	if (self->depth >= SCRIPT_DEPTH_MAX) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_FAILED,
		            "scripts call each other too deeply");
		return FALSE;
	}
	self->depth++;
	done = run_file(self, argv[1], error);
	self->depth--;
	return done;
}

static gboolean run_echo(struct debug *self, int argc, char **argv, GError **error)
{
	(void)error;
	for (int i = 1; i < argc; i++)
		fprintf(self->out, "%s%s", i > 1 ? " " : "", argv[i]);
	fprintf(self->out, "\n");
	return TRUE;
}

static gboolean run_help(struct debug *self, int argc, char **argv, GError **error)
{
	g_autofree char *text = debug_describe_commands();

	if (!debug_parse(self, &argc, &argv, NULL, 0, 0, error))
		return FALSE;
	fprintf(self->out, "%s\n", text);
	return TRUE;
}

const struct debug_command debug_commands_script[] = {
	{ "help", "", "this list", run_help },
	{ "script", "FILE", "runs commands from a file, one a line, until one fails", run_script },
	{ "echo", "WORDS", "prints them", run_echo },
	{ NULL },
};
