#include "debugger/command.h"

#include <string.h>

static void add_matches(GPtrArray *out, const char *const *names, const char *prefix)
{
	for (; *names != NULL; names++) {
		if (g_str_has_prefix(*names, prefix))
			g_ptr_array_add(out, g_strdup(*names));
	}
}

/* "machine:::" is kept; what follows is completed from the machine's symbols. */
static void add_symbols(struct debug *self, GPtrArray *out, const char *text)
{
	const char *mark = g_strrstr(text, ":::");
	const char *prefix = mark != NULL ? mark + 3 : text;
	g_autofree char *name = mark != NULL ? g_strndup(text, (gsize)(mark - text)) : NULL;
	struct machine *machine = debug_machine(self, name, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	if (machine == NULL || !machine->has_program || *prefix == '\0')
		return;
	symbols_complete(machine->program.symbols, prefix, 200, names);
	for (guint i = 0; i < names->len; i++)
		g_ptr_array_add(out, g_strdup_printf("%.*s%s", (int)(prefix - text), text,
		                                     (const char *)g_ptr_array_index(names, i)));
}

static void add_machines(struct debug *self, GPtrArray *out, const char *text)
{
	GPtrArray *machines = system_machines(self->system);

	for (guint i = 0; i < machines->len; i++) {
		const struct machine *machine = g_ptr_array_index(machines, i);

		if (g_str_has_prefix(machine->name, text))
			g_ptr_array_add(out, g_strconcat(machine->name, ":::", NULL));
	}
}

GPtrArray *debug_complete(struct debug *self, const char *text, gboolean is_first)
{
	GPtrArray *matches = g_ptr_array_new_with_free_func(g_free);

	if (is_first) {
		g_auto(GStrv) names = debug_command_names();

		add_matches(matches, (const char *const *)names, text);
	} else {
		add_machines(self, matches, text);
		add_symbols(self, matches, text);
	}
	return matches;
}
