#include "debugger/command.h"

#include "base/json.h"
#include "base/suggest.h"

#include <string.h>

G_DEFINE_QUARK(hvscope - debug - error, debug_error)

static const struct debug_command *const command_tables[] = {
	debug_commands_list,   debug_commands_backtrace, debug_commands_memory,
	debug_commands_print,  debug_commands_registers, debug_commands_run,
	debug_commands_script,
};

gboolean debug_parse(struct debug *self, int *argc, char ***argv, const GOptionEntry *entries,
                     int n_min, int n_max, GError **error)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	GOptionEntry common[] = {
		{ "json", 0, 0, G_OPTION_ARG_NONE, &self->json, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_autofree char *name = g_strdup((*argv)[0]);

	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_add_main_entries(context, common, NULL);
	if (entries != NULL)
		g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, argc, argv, error)) {
		g_prefix_error(error, "%s: ", name);
		return FALSE;
	}
	if (*argc > 1 && strcmp((*argv)[1], "--") == 0) {
		memmove(&(*argv)[1], &(*argv)[2], (gsize)(*argc - 1) * sizeof(**argv));
		(*argc)--;
	}
	if (*argc - 1 >= n_min && *argc - 1 <= n_max)
		return TRUE;
	g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
	            "%s takes %d to %d arguments, not %d; 'help' says which", name, n_min, n_max,
	            *argc - 1);
	return FALSE;
}

struct machine *debug_machine(struct debug *self, const char *name, GError **error)
{
	GPtrArray *machines = system_machines(self->system);

	if (name == NULL)
		name = self->current;
	if (name != NULL)
		return system_find_machine(self->system, name, error);
	return g_ptr_array_index(machines, 0);
}

void debug_json_hex(JsonBuilder *builder, const char *name, uint64_t value)
{
	char text[24];

	g_snprintf(text, sizeof(text), "0x%" G_GINT64_MODIFIER "x", value);
	json_add_text(builder, name, text);
}

void debug_json_gaps(JsonBuilder *builder, const struct machine *machine)
{
	json_builder_set_member_name(builder, "gaps");
	json_builder_begin_array(builder);
	for (guint i = 0; i < machine->gaps->len; i++)
		json_builder_add_string_value(builder, g_ptr_array_index(machine->gaps, i));
	json_builder_end_array(builder);
}

void debug_json_print(struct debug *self, JsonBuilder *builder)
{
	g_autofree char *text = json_text(builder);

	fprintf(self->out, "%s\n", text);
	g_object_unref(builder);
}

char *debug_describe_address(const struct machine *machine, struct va va)
{
	g_autofree char *name =
		machine->has_program ? program_name_address(&machine->program, va) : NULL;

	if (name == NULL)
		return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", va.value);
	return g_strdup_printf("0x%" G_GINT64_MODIFIER "x <%s>", va.value, name);
}

void debug_print_gaps(struct debug *self, const struct machine *machine)
{
	fflush(self->out);
	for (guint i = 0; i < machine->gaps->len; i++)
		fprintf(self->notes, "%s: %s\n", machine->name,
		        (char *)g_ptr_array_index(machine->gaps, i));
}

const struct debug_command *debug_find_command(const char *name, GError **error)
{
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	const char *nearest;

	for (gsize t = 0; t < G_N_ELEMENTS(command_tables); t++) {
		for (const struct debug_command *c = command_tables[t]; c->name != NULL; c++) {
			if (strcmp(c->name, name) == 0)
				return c;
			g_ptr_array_add(known, (char *)c->name);
		}
	}
	g_ptr_array_add(known, NULL);
	nearest = suggest_nearest(name, (const char *const *)known->pdata);
	g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE, "no command '%s'%s%s%s", name,
	            nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
	            nearest != NULL ? "'?" : "");
	return NULL;
}

/* Options are the command's own for the length of one command. */
gboolean debug_run(struct debug *self, char **words, GError **error)
{
	const struct debug_command *command = debug_find_command(words[0], error);
	gboolean json = self->json;
	int argc = (int)g_strv_length(words);
	g_autofree char **argv = NULL;
	gboolean done;

	if (command == NULL)
		return FALSE;
	argv = g_new0(char *, (gsize)argc + 1);
	memcpy(argv, words, (gsize)argc * sizeof(*argv));
	done = command->run(self, argc, argv, error);
	self->json = json;
	return done;
}

char **debug_command_names(void)
{
	GPtrArray *names = g_ptr_array_new();

	for (gsize t = 0; t < G_N_ELEMENTS(command_tables); t++) {
		for (const struct debug_command *c = command_tables[t]; c->name != NULL; c++)
			g_ptr_array_add(names, g_strdup(c->name));
	}
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_free(names, FALSE);
}

char *debug_describe_commands(void)
{
	GString *text = g_string_new("Commands:\n");

	for (gsize t = 0; t < G_N_ELEMENTS(command_tables); t++) {
		for (const struct debug_command *c = command_tables[t]; c->name != NULL; c++) {
			g_autofree char *left = g_strdup_printf("%s %s", c->name, c->arguments);

			g_string_append_printf(text, "  %-36s %s\n", left, c->summary);
		}
	}
	g_string_append(text,
	                "\nAddresses are machine:::space::address, ipa: and pa: in front of the "
	                "address name the other address spaces.");
	return g_string_free(text, FALSE);
}
