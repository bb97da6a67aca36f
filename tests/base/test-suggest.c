#include "base/suggest.h"

static const char *const known[] = { "timestamp_hz", "scheduler", "hypervisor", NULL };

static void test_slip(void)
{
	g_assert_cmpstr(suggest_nearest("timestmap_hz", known), ==, "timestamp_hz");
	g_assert_cmpstr(suggest_nearest("Hypervisor", known), ==, "hypervisor");
}

static void test_far(void)
{
	g_assert_null(suggest_nearest("zebra", known));
	g_assert_null(suggest_nearest("", known));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/suggest/slip", test_slip);
	g_test_add_func("/suggest/far", test_far);
	return g_test_run();
}
