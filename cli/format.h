/* format.h: numbers as people read them
 *
 * Scaled units, thousands separators, shares. Locale-free: a point for decimals,
 * a comma for thousands. Every function returns a new string; g_free it.
 */
#pragma once

#include <glib.h>

/* A unit of time for a whole column, so that its numbers compare at a glance. */
struct time_unit {
	const char *name; /* "ms" */
	gint64 ns;        /* nanoseconds in one */
	guint decimals;
};

/* The unit in which a column whose largest value is `largest_ns` reads best. */
struct time_unit time_unit_for(gint64 largest_ns);

/* "1,234.500"; what is not zero but would show as zero is "<0.001". */
char *format_time(gint64 time_ns, const struct time_unit *unit);

/* The same with its own unit: "1,234.500 ms". */
char *format_duration(gint64 time_ns);

/* "1,234,567" */
char *format_count(guint64 count);

/* "12.3%"; "<0.1%" and ">99.9%" where rounding would say none or all; "-" of nothing. */
char *format_share(double part, double whole);

/* "987 bytes", "8.8 MiB" */
char *format_bytes(guint64 bytes);

/* "62.5 MHz" */
char *format_frequency(guint64 hz);

/* Text from a file, for a terminal: what does not print becomes '?'. NULL gives "-". */
char *format_text(const char *text);
