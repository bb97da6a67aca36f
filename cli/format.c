#include "cli/format.h"

#include <string.h>

static const struct time_unit units[] = {
	{ "s", 1000000000, 3 }, { "ms", 1000000, 3 }, { "us", 1000, 3 }, { "ns", 1, 0 }
};

/* The coarsest unit of which there are at least `least`. */
static struct time_unit unit_of(gint64 time_ns, gint64 least)
{
	gsize i = 0;

	while (i < G_N_ELEMENTS(units) - 1 && time_ns < least * units[i].ns)
		i++;
	return units[i];
}

/* A column also holds values far below its largest: ten of the unit leave them digits. */
struct time_unit time_unit_for(gint64 largest_ns)
{
	return unit_of(largest_ns, 10);
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
	gint64 scale = 1;
	gint64 step, steps;
	g_autofree char *number = NULL;

	for (guint i = 0; i < unit->decimals; i++)
		scale *= 10;
	step = unit->ns / scale;
	steps = time_ns / step + (time_ns % step * 2 >= step && step > 1);
	if (time_ns > 0 && steps == 0)
		return g_strdup_printf("<0.%0*d", (int)unit->decimals, 1);
	if (unit->decimals == 0)
		number = g_strdup_printf("%" G_GINT64_FORMAT, steps);
	else
		number = g_strdup_printf("%" G_GINT64_FORMAT ".%0*" G_GINT64_FORMAT, steps / scale,
		                         (int)unit->decimals, steps % scale);
	return separate(number);
}

char *format_duration(gint64 time_ns)
{
	const struct time_unit unit = unit_of(time_ns, 1);
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
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB" };
	double scaled = (double)bytes / 1024;
	gsize i = 0;

	if (bytes < 1024)
		return g_strdup_printf("%" G_GUINT64_FORMAT " bytes", bytes);
	while (scaled >= 1024 && i < G_N_ELEMENTS(names) - 1) {
		scaled /= 1024;
		i++;
	}
	return g_strdup_printf("%.1f %s", scaled, names[i]);
}

char *format_frequency(guint64 hz)
{
	static const char *const names[] = { "Hz", "kHz", "MHz", "GHz" };
	double scaled = (double)hz;
	gsize i = 0;

	while (scaled >= 1000 && i < G_N_ELEMENTS(names) - 1) {
		scaled /= 1000;
		i++;
	}
	return g_strdup_printf("%.6g %s", scaled, names[i]);
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
