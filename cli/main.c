#include "cli/verb.h"

#include "base/suggest.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

/* One a line, so that branches merge. */
/* clang-format off */
static const struct verb *const verbs[] = {
	&verb_decode,
	&verb_capture,
	&verb_import,
	&verb_info,
	&verb_report,
	&verb_compare,
	&verb_query,
	&verb_export,
	&verb_debug,
	&verb_names,
	&verb_profile,
	&verb_version,
};
/* clang-format on */

int verb_fail(const char *verb, const GError *error)
{
	g_printerr("hvscope %s: %s\n", verb, error != NULL ? error->message : "failed");
	return EXIT_CODE_FAILED;
}

int verb_usage(const char *verb, const char *format, ...)
{
	va_list args;
	g_autofree char *message = NULL;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_printerr("hvscope %s: %s; see 'hvscope %s --help'\n", verb, message, verb);
	return EXIT_CODE_USAGE;
}

gboolean verb_parse(int *argc, char ***argv, const char *positional, const char *description,
                    const GOptionEntry *entries)
{
	g_autoptr(GOptionContext) context = g_option_context_new(positional);
	g_autofree char *verb = g_strdup((*argv)[0]);
	g_autofree char *program = g_strconcat("hvscope ", verb, NULL);
	g_autoptr(GError) error = NULL;

	g_set_prgname(program);
	g_option_context_set_summary(context, description);
	if (entries != NULL)
		g_option_context_add_main_entries(context, entries, NULL);
	if (g_option_context_parse(context, argc, argv, &error))
		return TRUE;
	verb_usage(verb, "%s", error->message);
	return FALSE;
}

static void print_help(void)
{
	g_print("Usage: hvscope VERB [OPTIONS] ...\n\n"
	        "Shows what a hypervisor system does with its processors, from the outside.\n\n");
	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
		g_print("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	g_print("\n'hvscope VERB --help' says more. Exit status: 0 done, 1 failed, 2 wrong "
	        "usage.\n");
}

static int unknown_verb(const char *name)
{
	const char *known[G_N_ELEMENTS(verbs) + 1] = { NULL };
	const char *nearest;

	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
		known[i] = verbs[i]->name;
	nearest = suggest_nearest(name, known);
	g_printerr("hvscope: no verb '%s'", name);
	if (nearest != NULL)
		g_printerr(", did you mean '%s'?", nearest);
	g_printerr(" 'hvscope --help' lists them\n");
	return EXIT_CODE_USAGE;
}

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	/* Numbers in files and reports have a point, whatever the user's locale. */
	setlocale(LC_NUMERIC, "C");
	if (argc < 2) {
		print_help();
		return EXIT_CODE_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help();
		return EXIT_CODE_DONE;
	}
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = (char *)"version";
	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
		if (strcmp(argv[1], verbs[i]->name) == 0)
			return verbs[i]->run(argc - 1, argv + 1);
	}
	return unknown_verb(argv[1]);
}
