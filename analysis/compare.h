/* compare.h: two recordings side by side
 *
 * Takes each figure of two recordings that can be compared whatever their length and load
 * (means and percentiles of durations, shares, rates; no sums), matches them by name, and
 * says how far they differ and how sure it is. Sure means: more than the spread within
 * each recording explains. Prints nothing.
 *
 * A metric's name is REPORT.FIGURE, or REPORT.KEY.FIGURE where a report has rows:
 * "exits.p99" is over all exits that came straight back, "exits.web/0.irq.p99" over some.
 */
#pragma once

#include "analysis/schedule.h"

struct compared {
	char *name;
	enum figure_kind kind;
	guint64 count_a, count_b; /* values behind it; 0: one number, no spread known */
	double a, b;
	double z; /* difference of the means in standard errors; 0 where no spread is known */
	double p; /* chance of such a difference between equals, 1 where not known */
	gboolean flagged; /* p, corrected for the number of metrics, is below 1 %, and the
	                   * difference is above 5 % */
};

/* GArray of struct compared, the most notable first; unref it. */
GArray *compare_rows(const struct schedule_rows *a, const struct schedule_rows *b);

/* "exits.p99 > 1.2x", "overhead.ratio > 0.05", "latency.wake-to-guest.p99 > 50us": a metric
 * of `b`, compared with a factor of `a` or with a value. *fails is whether it holds. FALSE
 * with `error` where the condition or its metric is not known. */
gboolean compare_gate(const GArray *compared, const char *condition, gboolean *fails,
                      GError **error);

#define COMPARE_ERROR (compare_error_quark())
GQuark compare_error_quark(void);
enum compare_error {
	COMPARE_ERROR_SYNTAX,
	COMPARE_ERROR_UNKNOWN
};
