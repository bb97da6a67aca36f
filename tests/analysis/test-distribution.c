#include "analysis/distribution.h"

#include <string.h>

static void test_empty(void)
{
	struct distribution spread;

	distribution_init(&spread, NULL, 0);
	g_assert_cmpuint(spread.count, ==, 0);
	g_assert_cmpint(spread.p99_ns, ==, 0);
}

/* 1 to 1000, in any order: nearest ranks are the numbers themselves. */
static void test_ranks(void)
{
	gint64 values[1000];
	struct distribution spread;
	guint64 bars = 0;

	for (guint i = 0; i < 1000; i++)
		values[i] = (i * 7919) % 1000 + 1;
	distribution_init(&spread, values, 1000);
	g_assert_cmpuint(spread.count, ==, 1000);
	g_assert_cmpint(spread.sum_ns, ==, 500500);
	g_assert_cmpint(spread.min_ns, ==, 1);
	g_assert_cmpint(spread.p5_ns, ==, 50);
	g_assert_cmpint(spread.p50_ns, ==, 500);
	g_assert_cmpint(spread.p95_ns, ==, 950);
	g_assert_cmpint(spread.p99_ns, ==, 990);
	g_assert_cmpint(spread.p999_ns, ==, 999);
	g_assert_cmpint(spread.max_ns, ==, 1000);
	g_assert_cmpfloat_with_epsilon(spread.mean_ns, 500.5, 1e-9);
	g_assert_cmpfloat_with_epsilon(spread.stddev_ns, 288.674990, 1e-5);
	for (guint i = 0; i < DISTRIBUTION_BUCKETS; i++)
		bars += spread.buckets[i];
	g_assert_cmpuint(bars, ==, 1000);
	g_assert_cmpuint(spread.buckets[0], ==, 1);
	g_assert_cmpuint(spread.buckets[9], ==, 1000 - 511);
}

static void test_one(void)
{
	gint64 value = 0;
	struct distribution spread;

	distribution_init(&spread, &value, 1);
	g_assert_cmpint(spread.p999_ns, ==, 0);
	g_assert_cmpuint(spread.buckets[0], ==, 1);
	g_assert_cmpfloat(spread.stddev_ns, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/analysis/distribution/empty", test_empty);
	g_test_add_func("/analysis/distribution/ranks", test_ranks);
	g_test_add_func("/analysis/distribution/one", test_one);
	return g_test_run();
}
