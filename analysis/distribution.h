/* distribution.h: how a set of durations is spread
 *
 * Count, sum, extremes, mean, standard deviation, percentiles and a log2 histogram of
 * nanosecond values. Percentiles are by count (nearest rank): p99 is the smallest value
 * that at least 99 % of the values do not exceed. Exact, not sampled. Pure.
 */
#pragma once

#include <glib.h>

enum {
	DISTRIBUTION_BUCKETS = 64
};

struct distribution {
	guint64 count;
	gint64 sum_ns, min_ns, max_ns;
	double mean_ns, stddev_ns; /* of the population */
	gint64 p5_ns, p50_ns, p95_ns, p99_ns, p999_ns;
	guint64 buckets[DISTRIBUTION_BUCKETS]; /* [b]: values in [2^b, 2^(b+1)); 0 is in [0] */
};

/* Of `n` values, none negative; sorts them. All zero where n is 0. */
void distribution_init(struct distribution *self, gint64 *values_ns, gsize n);
