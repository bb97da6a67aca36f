/* The prompt of `hvscope debug`. */
#include "cli/debug.h"

#include <readline/history.h>
#include <readline/readline.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* readline's completion takes no data. */
static struct debug *completing;

static char *next_match(const char *text, int state)
{
	static GPtrArray *matches;
	static guint at;

	if (state == 0 || matches == NULL) {
		g_clear_pointer(&matches, g_ptr_array_unref);
		matches = debug_complete(completing, text, rl_point == (int)strlen(text));
		at = 0;
	}
	/* readline frees it with free(), and GLib's allocator is malloc(). */
	return at < matches->len ? strdup(g_ptr_array_index(matches, at++)) : NULL;
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
		if (!leave && !debug_run_line(self, line, &wrong))
			g_printerr("%s\n", wrong->message);
		free(line);
		if (leave)
			break;
	}
	write_history(history);
	completing = NULL;
	return TRUE;
}
