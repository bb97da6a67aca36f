/* statement.h: one line of a scenario file
 *
 * Its words and its key=value options, and how they are read as numbers, times and
 * ranges. Knows no statement by name. The first error is kept in `error`; readers go on
 * with harmless values after it.
 */
#pragma once

#include "tests/synth/scenario.h"

struct statement {
	struct scenario *scenario; /* gives the length of a tick */
	const char *file;
	guint line;
	GPtrArray *words;    /* const char *; [0] is the keyword */
	GHashTable *options; /* key -> value */
	GPtrArray *known;    /* const char *: keys that were asked for */
	GError *error;
};

/* Keeps the error, with file and line, unless there is one. */
void statement_fail(struct statement *st, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Word `index`; "" and an error that it needs `what` where there is none. */
const char *statement_word(struct statement *st, guint index, const char *what);

guint64 statement_number(struct statement *st, const char *text);

/* "500us" in ticks, cut to whole ones. */
guint64 statement_ticks(struct statement *st, const char *text);

/* "5us..9us", or one time for both ends. */
struct scenario_range statement_range(struct statement *st, const char *text);

/* yes or no */
gboolean statement_bool(struct statement *st, const char *text);

/* The option's text, or NULL where it is not given. Valid until the statement ends. */
const char *statement_option(struct statement *st, const char *key);

/* The same, read; `value` stays as it is where the option is not given. */
void statement_option_ticks(struct statement *st, const char *key, guint64 *value);
void statement_option_range(struct statement *st, const char *key, struct scenario_range *value);
void statement_option_number(struct statement *st, const char *key, guint64 *value);
void statement_option_bool(struct statement *st, const char *key, gboolean *value);
void statement_option_percent(struct statement *st, const char *key, guint *value);

/* Fails where an option was given that nobody asked for. */
void statement_check_options(struct statement *st);
