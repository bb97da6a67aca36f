/* axis.h: time as a picture writes it
 *
 * Where the ruler's marks go and what instants and durations are called, in ns,
 * us, ms or s, or in cycles or bytes where the capture has no clock
 * (hvscope.sql, time_base). Knows no pixels but their number, and draws nothing.
 */
#pragma once

#include "schema/reader.h"

enum axis_unit {
	AXIS_TIME,   /* nanoseconds */
	AXIS_CYCLES, /* core cycles, one a "nanosecond" of the recording */
	AXIS_BYTES,  /* bytes of trace, likewise */
};

struct axis {
	enum axis_unit unit;
	gint64 window_ns;
};

void axis_init(struct axis *self, const recording_reader *reader);

/* The distance between marks: 1, 2 or 5 times a power of ten, at least 1, so that
 * marks are at least `least_px` apart. span_ns and width_px above 0. */
gint64 axis_step_ns(gint64 span_ns, guint width_px, guint least_px);

/* An instant, precise to `step_ns`: "12.345 ms". May be negative. Free the result. */
char *axis_instant(const struct axis *self, gint64 at_ns, gint64 step_ns);

/* A duration with three decimals in the unit that suits it: "1,234.500 ms", "17 ns".
 * Free the result. */
char *axis_duration(const struct axis *self, gint64 duration_ns);

/* Reads "12.5ms", "3 us", "100" (ns), also negative; with `window_ns` above 0 also
 * "25%". FALSE where it is none of these. */
gboolean axis_parse(const char *text, gint64 window_ns, gint64 *out_ns);
