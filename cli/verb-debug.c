#include "cli/debug.h"
#include "cli/json.h"
#include "cli/target-coresight.h"
#include "cli/verb.h"

#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

G_DEFINE_QUARK(hvscope - debug - error, debug_error)

static const struct debug_command *const command_tables[] = {
	debug_commands_list,   debug_commands_backtrace, debug_commands_memory,
	debug_commands_print,  debug_commands_registers, debug_commands_run,
	debug_commands_prompt,
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

void debug_json_print(JsonBuilder *builder)
{
	json_print(builder);
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

void debug_print_gaps(const struct machine *machine)
{
	fflush(stdout);
	for (guint i = 0; i < machine->gaps->len; i++)
		g_printerr("%s: %s\n", machine->name, (char *)g_ptr_array_index(machine->gaps, i));
}

static const struct debug_command *find_command(const char *name, GError **error)
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
	const struct debug_command *command = find_command(words[0], error);
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

static gboolean run_words(struct debug *self, char **words, GError **error)
{
	return words[0] != NULL ? debug_run(self, words, error) : debug_prompt(self, error);
}

static gboolean open_all(struct debug *self, const char *target, const char *system_path,
                         GError **error)
{
	if (system_path != NULL) {
		self->file = system_file_load(system_path, error);
		if (self->file == NULL)
			return FALSE;
	}
	self->target = target_open_any(target, error);
	if (self->target == NULL)
		return FALSE;
	self->system = system_new(self->target, self->file, error);
	return self->system != NULL;
}

static void close_all(struct debug *self)
{
	breakpoints_free(self->breakpoints);
	system_free(self->system);
	target_free(self->target);
	g_clear_pointer(&self->file, system_file_free);
	g_free(self->current);
}

static void print_cost(struct debug *self)
{
	struct target_cost cost = target_cost(self->target);

	fflush(stdout);
	g_printerr("%" G_GUINT64_FORMAT " reads, %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT
	           " of the reads failed, %" G_GUINT64_FORMAT " registers\n",
	           cost.reads, cost.bytes_read, cost.failed_reads, cost.register_reads);
}

static char *describe_commands(void)
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

static int run_debug(int argc, char **argv)
{
	g_autofree char *target = NULL;
	g_autofree char *system_path = NULL;
	gboolean cost = FALSE;
	struct debug self = { 0 };
	const GOptionEntry entries[] = {
		{ "target", 't', 0, G_OPTION_ARG_STRING, &target,
		  "gdb:HOST:PORT, gdb:unix:PATH, core:FILE, ram:FILE+STATE or "
		  "coresight:LINK+BOARD",
		  "TARGET" },
		{ "system", 's', 0, G_OPTION_ARG_FILENAME, &system_path,
		  "names and symbols of the machines (docs/system-file.md)", "FILE" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &self.json, "print JSON", NULL },
		{ "cost", 0, 0, G_OPTION_ARG_NONE, &cost,
		  "say what was read of the target, on stderr", NULL },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new("[COMMAND [ARGUMENTS]]");
	g_autofree char *commands = describe_commands();
	g_autoptr(GError) error = NULL;
	int code = EXIT_CODE_DONE;

	g_set_prgname("hvscope debug");
	g_option_context_set_strict_posix(context, TRUE);
	g_option_context_set_summary(
		context, "Looks at a halted target or a dump: every machine, every task. Without a "
			 "command it asks for them.");
	g_option_context_set_description(context, commands);
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		return verb_usage("debug", "%s", error->message);
	if (target == NULL)
		return verb_usage("debug", "--target is missing");
	if (argc > 1 && find_command(argv[1], &error) == NULL)
		return verb_usage("debug", "%s", error->message);
	if (!open_all(&self, target, system_path, &error) || !run_words(&self, argv + 1, &error))
		code = g_error_matches(error, DEBUG_ERROR, DEBUG_ERROR_USAGE) ||
		                       error->domain == G_OPTION_ERROR
		               ? verb_usage("debug", "%s", error->message)
		               : verb_fail("debug", error);
	if (cost && self.target != NULL)
		print_cost(&self);
	close_all(&self);
	return code;
}

const struct verb verb_debug = {
	.name = "debug",
	.summary = "look at a halted target or a dump: every machine, every task",
	.run = run_debug,
};
