/* The prompt of `hvscope debug`, and scripts: the same commands, one a line. */
#include "cli/debug.h"

#include <readline/history.h>
#include <readline/readline.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	SCRIPT_DEPTH_MAX = 8,
};

/* readline's completion takes no data. */
static struct debug *completing;

static void add_matches(GPtrArray *out, const char *const *names, const char *prefix)
{
	for (; *names != NULL; names++) {
		if (g_str_has_prefix(*names, prefix))
			g_ptr_array_add(out, g_strdup(*names));
	}
}

/* "machine:::" is kept; what follows is completed from the machine's symbols. */
static void add_symbols(GPtrArray *out, const char *text)
{
	const char *mark = g_strrstr(text, ":::");
	const char *prefix = mark != NULL ? mark + 3 : text;
	g_autofree char *name = mark != NULL ? g_strndup(text, (gsize)(mark - text)) : NULL;
	struct machine *machine = debug_machine(completing, name, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	if (machine == NULL || !machine->has_program || *prefix == '\0')
		return;
	symbols_complete(machine->program.symbols, prefix, 200, names);
	for (guint i = 0; i < names->len; i++)
		g_ptr_array_add(out, g_strdup_printf("%.*s%s", (int)(prefix - text), text,
		                                     (const char *)g_ptr_array_index(names, i)));
}

static void add_machines(GPtrArray *out, const char *text)
{
	GPtrArray *machines = system_machines(completing->system);

	for (guint i = 0; i < machines->len; i++) {
		const struct machine *machine = g_ptr_array_index(machines, i);

		if (g_str_has_prefix(machine->name, text))
			g_ptr_array_add(out, g_strconcat(machine->name, ":::", NULL));
	}
}

static char *next_match(const char *text, int state)
{
	static GPtrArray *matches;
	static guint at;

	if (state == 0 || matches == NULL) {
		g_clear_pointer(&matches, g_ptr_array_unref);
		matches = g_ptr_array_new_with_free_func(g_free);
		at = 0;
		if (rl_point == (int)strlen(text)) {
			g_auto(GStrv) names = debug_command_names();

			add_matches(matches, (const char *const *)names, text);
		} else {
			add_machines(matches, text);
			add_symbols(matches, text);
		}
	}
	/* readline frees it with free(), and GLib's allocator is malloc(). */
	return at < matches->len ? strdup(g_ptr_array_index(matches, at++)) : NULL;
}

/* One line: empty ones and those that begin with # do nothing. */
static gboolean run_line(struct debug *self, const char *line, GError **error)
{
	g_auto(GStrv) words = NULL;
	g_autofree char *stripped = g_strstrip(g_strdup(line));

	if (*stripped == '\0' || *stripped == '#')
		return TRUE;
	return g_shell_parse_argv(stripped, NULL, &words, error) && debug_run(self, words, error);
}

static char *history_path(void)
{
	g_autofree char *dir = g_build_filename(g_get_user_state_dir(), "hvscope", NULL);

	g_mkdir_with_parents(dir, 0700);
	return g_build_filename(dir, "debug-history", NULL);
}

gboolean debug_prompt(struct debug *self, GError **error)
{
	g_autofree char *history = history_path();
	char *line;

	(void)error;
	completing = self;
	rl_completion_entry_function = next_match;
	rl_completer_word_break_characters = (char *)" \t\n\"'";
	read_history(history);
	while ((line = readline("hvscope> ")) != NULL) {
		g_autoptr(GError) wrong = NULL;
		gboolean leave = strcmp(line, "quit") == 0 || strcmp(line, "exit") == 0;

		if (*line != '\0')
			add_history(line);
		if (!leave && !run_line(self, line, &wrong))
			g_printerr("%s\n", wrong->message);
		free(line);
		if (leave)
			break;
	}
	write_history(history);
	completing = NULL;
	return TRUE;
}

static gboolean run_file(struct debug *self, const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return FALSE;
	lines = g_strsplit(text, "\n", -1);
	for (gsize i = 0; lines[i] != NULL; i++) {
		if (!run_line(self, lines[i], error)) {
			g_prefix_error(error, "%s:%" G_GSIZE_FORMAT ": ", path, i + 1);
			return FALSE;
		}
		fflush(stdout);
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
	(void)self;
	(void)error;
	for (int i = 1; i < argc; i++)
		printf("%s%s", i > 1 ? " " : "", argv[i]);
	printf("\n");
	return TRUE;
}

const struct debug_command debug_commands_prompt[] = {
	{ "script", "FILE", "runs commands from a file, one a line, until one fails", run_script },
	{ "echo", "WORDS", "prints them", run_echo },
	{ NULL },
};
