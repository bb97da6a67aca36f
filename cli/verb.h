/* verb.h: what a subcommand is
 *
 * Each subcommand is one file, verb-NAME.c, that parses its own arguments and
 * prints; all work happens in the rooms below. main.c owns the table.
 */
#pragma once

#include <glib.h>

enum exit_code {
	EXIT_CODE_DONE = 0,
	EXIT_CODE_FAILED = 1, /* one clear line on stderr says why */
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_GATE = 3, /* `compare --fail-if` found what it was told to look for */
};

struct verb {
	const char *name;
	const char *summary; /* one line for `hvscope --help` */
	/* argv[0] is the verb's name. Returns an enum exit_code. */
	int (*run)(int argc, char **argv);
};

extern const struct verb verb_decode;
extern const struct verb verb_capture;
extern const struct verb verb_import;
extern const struct verb verb_info;
extern const struct verb verb_report;
extern const struct verb verb_export;
extern const struct verb verb_compare;
extern const struct verb verb_query;
extern const struct verb verb_debug;
extern const struct verb verb_names;
extern const struct verb verb_profile;
extern const struct verb verb_version;

/* Prints "hvscope VERB: MESSAGE" to stderr. Returns EXIT_CODE_FAILED. */
int verb_fail(const char *verb, const GError *error);

/* Prints the message and where help is to be had. Returns EXIT_CODE_USAGE. */
int verb_usage(const char *verb, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Parses argv with `entries` (a GOptionEntry table) in place; `positional` is
 * what --help shows after the options. On a bad option prints the error and
 * returns FALSE: the verb then returns EXIT_CODE_USAGE. --help exits with 0. */
gboolean verb_parse(int *argc, char ***argv, const char *positional, const char *description,
                    const GOptionEntry *entries);
