#include "analysis/distribution.h"

#include <math.h>
#include <stdlib.h>

static int compare_values(const void *a, const void *b)
{
	const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

	return (x > y) - (x < y);
}

/* Nearest rank, `permille` of 1000. */
static gint64 rank_value(const gint64 *sorted, gsize n, guint permille)
{
	const gsize rank = (gsize)(((guint64)n * permille + 999) / 1000);

	return sorted[MAX(rank, 1) - 1];
}

void distribution_init(struct distribution *self, gint64 *values_ns, gsize n)
{
	double sum = 0, squares = 0;

	*self = (struct distribution) { .count = n };
	if (n == 0)
		return;
	qsort(values_ns, n, sizeof *values_ns, compare_values);
	for (gsize i = 0; i < n; i++) {
		const guint64 value = (guint64)MAX(values_ns[i], 0);

		self->sum_ns += values_ns[i];
		sum += (double)values_ns[i];
		self->buckets[value == 0 ? 0 : 63 - __builtin_clzll(value)]++;
	}
	self->mean_ns = sum / (double)n;
	for (gsize i = 0; i < n; i++) {
		const double off = (double)values_ns[i] - self->mean_ns;

		squares += off * off;
	}
	self->stddev_ns = sqrt(squares / (double)n);
	self->min_ns = values_ns[0];
	self->max_ns = values_ns[n - 1];
	self->p5_ns = rank_value(values_ns, n, 50);
	self->p50_ns = rank_value(values_ns, n, 500);
	self->p95_ns = rank_value(values_ns, n, 950);
	self->p99_ns = rank_value(values_ns, n, 990);
	self->p999_ns = rank_value(values_ns, n, 999);
}
