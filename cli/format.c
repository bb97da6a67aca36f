#include "cli/format.h"

#include <string.h>

struct time_unit time_unit_for(gint64 largest_ns)
{
	static const struct time_unit units[] = {
		{ "s", 1000000000, 3 }, { "ms", 1000000, 3 }, { "us", 1000, 3 }, { "ns", 1, 0 }
	};
	gsize i = 0;

	while (i < G_N_ELEMENTS(units) - 1 && largest_ns < units[i].ns)
		i++;
	/* A little below a second reads better in ms than a table of 0.00x s. */
	if (i == 0 && largest_ns < 10 * units[0].ns)
		i = 1;
	return units[i];
}

/* Puts a comma between each three of the digits before the point. */
static char *separate(const char *number)
{
	const gsize whole = strcspn(number, ".");
	GString *out = g_string_new(NULL);

	for (gsize i = 0; i < whole; i++) {
		if (i > 0 && (whole - i) % 3 == 0)
			g_string_append_c(out, ',');
		g_string_append_c(out, number[i]);
	}
	g_string_append(out, number + whole);
	return g_string_free(out, FALSE);
}

char *format_time(gint64 time_ns, const struct time_unit *unit)
{
	const gint64 whole = time_ns / unit->ns;
	gint64 scale = 1;
	gint64 fraction;
	g_autofree char *number = NULL;

	for (guint i = 0; i < unit->decimals; i++)
		scale *= 10;
	if (unit->decimals == 0) {
		number = g_strdup_printf("%" G_GINT64_FORMAT, time_ns);
		return separate(number);
	}
	fraction = time_ns % unit->ns / (unit->ns / scale);
	if (time_ns > 0 && whole == 0 && fraction == 0)
		return g_strdup_printf("<0.%0*d", (int)unit->decimals, 1);
	number = g_strdup_printf("%" G_GINT64_FORMAT ".%0*" G_GINT64_FORMAT, whole,
	                         (int)unit->decimals, fraction);
	return separate(number);
}

char *format_duration(gint64 time_ns)
{
	const struct time_unit unit = time_unit_for(time_ns);
	g_autofree char *number = format_time(time_ns, &unit);

	return g_strdup_printf("%s %s", number, unit.name);
}

char *format_count(guint64 count)
{
	g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, count);

	return separate(number);
}

char *format_share(double part, double whole)
{
	const double percent = whole > 0 ? part / whole * 100 : 0;

	if (whole <= 0)
		return g_strdup("-");
	if (percent > 0 && percent < 0.05)
		return g_strdup("<0.1%");
	if (percent < 100 && percent >= 99.95)
		return g_strdup(">99.9%");
	return g_strdup_printf("%.1f%%", percent);
}

char *format_bytes(guint64 bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double scaled = (double)bytes / 1024;
	gsize i = 0;

	if (bytes < 1024)
		return g_strdup_printf("%" G_GUINT64_FORMAT " bytes", bytes);
	while (scaled >= 1024 && i < G_N_ELEMENTS(units) - 1) {
		scaled /= 1024;
		i++;
	}
	return g_strdup_printf("%.1f %s", scaled, units[i]);
}

char *format_frequency(guint64 hz)
{
	static const char *const units[] = { "Hz", "kHz", "MHz", "GHz" };
	double scaled = (double)hz;
	gsize i = 0;

	while (scaled >= 1000 && i < G_N_ELEMENTS(units) - 1) {
		scaled /= 1000;
		i++;
	}
	return g_strdup_printf("%.6g %s", scaled, units[i]);
}

char *format_text(const char *text)
{
	g_autofree char *valid = text != NULL ? g_utf8_make_valid(text, -1) : g_strdup("-");
	GString *out = g_string_new(NULL);

	for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
		const gunichar c = g_utf8_get_char(at);

		g_string_append_unichar(out, g_unichar_isprint(c) ? c : '?');
	}
	return g_string_free(out, FALSE);
}
