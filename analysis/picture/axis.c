#include "analysis/picture/axis.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct scale {
	const char *name;
	gint64 ns;
	int digits; /* of ns */
};

static const struct scale scales[] = {
	{ "s", 1000000000, 9 }, { "ms", 1000000, 6 }, { "us", 1000, 3 }, { "ns", 1, 0 }
};

void axis_init(struct axis *self, const recording_reader *reader)
{
	const char *base = recording_reader_meta(reader, "time_base");

	self->unit = AXIS_TIME;
	if (g_strcmp0(base, "bytes") == 0)
		self->unit = AXIS_BYTES;
	else if (g_strcmp0(base, "cycles") == 0 && recording_reader_meta(reader, "core_hz") == NULL)
		self->unit = AXIS_CYCLES;
	self->window_ns = recording_reader_window_ns(reader);
}

gint64 axis_step_ns(gint64 span_ns, guint width_px, guint least_px)
{
	static const gint64 factors[] = { 1, 2, 5 };
	const double least_ns = (double)span_ns * least_px / MAX(width_px, 1);

	for (gint64 power = 1; power < G_MAXINT64 / 50; power *= 10) {
		for (gsize i = 0; i < G_N_ELEMENTS(factors); i++) {
			if ((double)(power * factors[i]) >= least_ns)
				return power * factors[i];
		}
	}
	return G_MAXINT64 / 50;
}

/* "1234567" -> "1,234,567" */
static char *grouped(guint64 value)
{
	g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, value);
	const gsize length = strlen(digits);
	GString *text = g_string_new(NULL);

	for (gsize i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			g_string_append_c(text, ',');
		g_string_append_c(text, digits[i]);
	}
	return g_string_free(text, FALSE);
}

static const char *plain_unit(const struct axis *self)
{
	return self->unit == AXIS_BYTES ? "bytes" : "cycles";
}

/* value / scale->ns with `decimals`, truncated: an instant never shows as a later one. */
static char *scaled(guint64 value, const struct scale *scale, int decimals)
{
	g_autofree char *whole = grouped(value / (guint64)scale->ns);
	guint64 part = value % (guint64)scale->ns;

	if (decimals <= 0)
		return g_strdup_printf("%s %s", whole, scale->name);
	for (int i = decimals; i < scale->digits; i++)
		part /= 10;
	return g_strdup_printf("%s.%0*" G_GUINT64_FORMAT " %s", whole, decimals, part, scale->name);
}

char *axis_instant(const struct axis *self, gint64 at_ns, gint64 step_ns)
{
	const guint64 size = at_ns < 0 ? 0 - (guint64)at_ns : (guint64)at_ns;
	const char *sign = at_ns < 0 ? "-" : "";
	const struct scale *scale = &scales[G_N_ELEMENTS(scales) - 1];
	g_autofree char *text = NULL;
	int decimals = 0;

	if (self->unit != AXIS_TIME) {
		text = grouped(size);
		return g_strdup_printf("%s%s %s", sign, text, plain_unit(self));
	}
	for (gsize i = G_N_ELEMENTS(scales); i-- > 0;) {
		if (size >= (guint64)scales[i].ns && (i > 0 || step_ns >= 1000))
			scale = &scales[i];
	}
	if (size == 0) {
		for (gsize i = G_N_ELEMENTS(scales); i-- > 0;) {
			if (step_ns >= scales[i].ns)
				scale = &scales[i];
		}
	}
	for (gint64 unit = scale->ns; unit > step_ns && decimals < scale->digits; unit /= 10)
		decimals++;
	text = scaled(size, scale, decimals);
	return g_strconcat(sign, text, NULL);
}

/* Half up at the third decimal, as reports round. */
static guint64 rounded(guint64 value, const struct scale *scale)
{
	const guint64 half = (guint64)scale->ns / 2000;

	return value > G_MAXUINT64 - half ? value : value + half;
}

char *axis_duration(const struct axis *self, gint64 duration_ns)
{
	const guint64 size = duration_ns < 0 ? 0 - (guint64)duration_ns : (guint64)duration_ns;
	const char *sign = duration_ns < 0 ? "-" : "";
	const struct scale *scale = &scales[G_N_ELEMENTS(scales) - 1];
	g_autofree char *text = NULL;

	if (self->unit != AXIS_TIME) {
		text = grouped(size);
		return g_strdup_printf("%s%s %s", sign, text, plain_unit(self));
	}
	for (gsize i = G_N_ELEMENTS(scales); i-- > 0;) {
		if (size >= (guint64)scales[i].ns)
			scale = &scales[i];
	}
	text = scaled(rounded(size, scale), scale, MIN(scale->digits, 3));
	return g_strconcat(sign, text, NULL);
}

gboolean axis_parse(const char *text, gint64 window_ns, gint64 *out_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "", 1 },     { "ns", 1 },  { "us", 1e3 },   { "\302\265s", 1e3 },
		      { "ms", 1e6 }, { "s", 1e9 }, { "cycles", 1 }, { "bytes", 1 } };
	char *end = NULL;
	double value;

	errno = 0;
	value = g_ascii_strtod(text, &end);
	if (end == text || errno != 0 || !isfinite(value))
		return FALSE;
	while (g_ascii_isspace(*end))
		end++;
	if (strcmp(end, "%") == 0 && window_ns > 0) {
		value = value / 100 * (double)window_ns;
	} else {
		gsize i = 0;

		while (i < G_N_ELEMENTS(units) && strcmp(end, units[i].name) != 0)
			i++;
		if (i == G_N_ELEMENTS(units))
			return FALSE;
		value *= units[i].ns;
	}
	if (fabs(value) > 9e18)
		return FALSE;
	*out_ns = (gint64)llround(value);
	return TRUE;
}
