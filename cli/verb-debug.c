#include "cli/debug.h"
#include "cli/verb.h"

#include "debugger/target-coresight.h"

#include <stdio.h>

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

static int run_debug(int argc, char **argv)
{
	g_autofree char *target = NULL;
	g_autofree char *system_path = NULL;
	gboolean cost = FALSE;
	struct debug self = { .out = stdout, .notes = stderr };
	const GOptionEntry entries[] = {
		{ "target", 't', 0, G_OPTION_ARG_STRING, &target,
		  "gdb:HOST:PORT, gdb:unix:PATH, openocd:HOST:PORT, core:FILE, ram:FILE+STATE or "
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
	g_autofree char *commands = debug_describe_commands();
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
	if (argc > 1 && debug_find_command(argv[1], &error) == NULL)
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
