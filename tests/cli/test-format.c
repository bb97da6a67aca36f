#include "cli/format.h"

#include <string.h>

static void assert_text(char *got, const char *want)
{
	g_assert_cmpstr(got, ==, want);
	g_free(got);
}

static void test_time(void)
{
	const struct time_unit ms = { "ms", 1000000, 3 };
	const struct time_unit ns = { "ns", 1, 0 };

	assert_text(format_time(0, &ms), "0.000");
	assert_text(format_time(1, &ms), "<0.001");
	assert_text(format_time(499, &ms), "<0.001");
	assert_text(format_time(500, &ms), "0.001");
	assert_text(format_time(249999, &ms), "0.250");
	assert_text(format_time(999999, &ms), "1.000");
	assert_text(format_time(1234567891, &ms), "1,234.568");
	assert_text(format_time(G_MAXINT64, &ms), "9,223,372,036,854.776");
	assert_text(format_time(1234567, &ns), "1,234,567");
	g_assert_cmpstr(time_unit_for(9999).name, ==, "ns");
	g_assert_cmpstr(time_unit_for(10000).name, ==, "us");
	g_assert_cmpstr(time_unit_for(1000000000).name, ==, "ms");
	g_assert_cmpstr(time_unit_for(G_MAXINT64).name, ==, "s");
	assert_text(format_duration(0), "0 ns");
	assert_text(format_duration(1000000000), "1.000 s");
	assert_text(format_duration(999999999), "1,000.000 ms");
}

static void test_numbers(void)
{
	assert_text(format_count(0), "0");
	assert_text(format_count(999), "999");
	assert_text(format_count(1000), "1,000");
	assert_text(format_count(G_MAXUINT64), "18,446,744,073,709,551,615");
	assert_text(format_bytes(1023), "1023 bytes");
	assert_text(format_bytes(9191472), "8.8 MiB");
	assert_text(format_frequency(62500000), "62.5 MHz");
	assert_text(format_frequency(1), "1 Hz");
}

/* What is something never shows as nothing, what is not all never as all. */
static void test_share(void)
{
	assert_text(format_share(0, 10), "0.0%");
	assert_text(format_share(1, 100000), "<0.1%");
	assert_text(format_share(5, 10000), "0.1%");
	assert_text(format_share(99999, 100000), ">99.9%");
	assert_text(format_share(7, 7), "100.0%");
	assert_text(format_share(0, 0), "-");
}

static void test_text(void)
{
	assert_text(format_text(NULL), "-");
	assert_text(format_text("Dom0"), "Dom0");
	assert_text(format_text("a\x1b[31m\nb"), "a?[31m?b");
	assert_text(format_text("\xc3\xa9"), "\xc3\xa9");
	assert_text(format_text("x\xff"), "x\xef\xbf\xbd");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cli/format/time", test_time);
	g_test_add_func("/cli/format/numbers", test_numbers);
	g_test_add_func("/cli/format/share", test_share);
	g_test_add_func("/cli/format/text", test_text);
	return g_test_run();
}
