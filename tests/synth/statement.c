#include "tests/synth/statement.h"

#include <string.h>

#include "base/suggest.h"

void statement_fail(struct statement *st, const char *format, ...)
{
	if (st->error != NULL)
		return;

	va_list args;

	va_start(args, format);
	g_autofree char *message = g_strdup_vprintf(format, args);
	va_end(args);
	st->error = g_error_new(SCENARIO_ERROR, SCENARIO_ERROR_SYNTAX, "%s:%u: %s", st->file,
	                        st->line, message);
}

const char *statement_word(struct statement *st, guint index, const char *what)
{
	if (index < st->words->len)
		return st->words->pdata[index];
	statement_fail(st, "'%s' needs %s", (const char *)st->words->pdata[0], what);
	return "";
}

guint64 statement_number(struct statement *st, const char *text)
{
	char *end = NULL;
	const guint64 value = g_ascii_strtoull(text, &end, 0);

	if (end == text || *end != '\0')
		statement_fail(st, "expected a number, found '%s'", text);
	return value;
}

guint64 statement_ticks(struct statement *st, const char *text)
{
	static const struct {
		const char *name;
		guint64 ns;
	} units[] = { { "ns", 1 },
		      { "us", 1000 },
		      { "ms", 1000000 },
		      { "s", G_GUINT64_CONSTANT(1000000000) } };
	char *end = NULL;
	const guint64 value = g_ascii_strtoull(text, &end, 10);

	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		if (end != text && strcmp(end, units[i].name) == 0)
			return value * units[i].ns / st->scenario->ns_per_tick;
	}
	statement_fail(st, "expected a time such as 500us, found '%s'", text);
	return 0;
}

struct scenario_range statement_range(struct statement *st, const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, "..", 2);
	struct scenario_range range = { 0, 0 };

	if (parts[0] == NULL) {
		statement_fail(st, "expected a time or MIN..MAX");
		return range;
	}
	range.min = statement_ticks(st, parts[0]);
	range.max = parts[1] != NULL ? statement_ticks(st, parts[1]) : range.min;
	if (range.max < range.min)
		statement_fail(st, "'%s' ends before it begins", text);
	return range;
}

gboolean statement_bool(struct statement *st, const char *text)
{
	if (strcmp(text, "yes") == 0)
		return TRUE;
	if (strcmp(text, "no") != 0)
		statement_fail(st, "expected yes or no, found '%s'", text);
	return FALSE;
}

const char *statement_option(struct statement *st, const char *key)
{
	g_ptr_array_add(st->known, (gpointer)key);
	return g_hash_table_lookup(st->options, key);
}

void statement_option_ticks(struct statement *st, const char *key, guint64 *value)
{
	const char *text = statement_option(st, key);

	if (text != NULL)
		*value = statement_ticks(st, text);
}

void statement_option_range(struct statement *st, const char *key, struct scenario_range *value)
{
	const char *text = statement_option(st, key);

	if (text != NULL)
		*value = statement_range(st, text);
}

void statement_option_number(struct statement *st, const char *key, guint64 *value)
{
	const char *text = statement_option(st, key);

	if (text != NULL)
		*value = statement_number(st, text);
}

void statement_option_bool(struct statement *st, const char *key, gboolean *value)
{
	const char *text = statement_option(st, key);

	if (text != NULL)
		*value = statement_bool(st, text);
}

void statement_option_percent(struct statement *st, const char *key, guint *value)
{
	const char *text = statement_option(st, key);

	if (text == NULL)
		return;

	g_autofree char *number =
		g_strndup(text, strlen(text) - (g_str_has_suffix(text, "%") ? 1 : 0));

	*value = (guint)statement_number(st, number);
	if (*value > 100)
		statement_fail(st, "%s=%s is more than 100%%", key, text);
}

void statement_check_options(struct statement *st)
{
	GHashTableIter iter;
	gpointer key;

	g_ptr_array_add(st->known, NULL);
	g_hash_table_iter_init(&iter, st->options);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		if (g_strv_contains((const char *const *)st->known->pdata, key))
			continue;

		const char *near = suggest_nearest(key, (const char *const *)st->known->pdata);

		statement_fail(st, "'%s' has no option '%s'%s%s", (const char *)st->words->pdata[0],
		               (const char *)key, near != NULL ? ", did you mean " : "",
		               near != NULL ? near : "");
	}
}
