/* The markers' header: where its stores go and what they hold. */
#include "docs/instrument/hvscope-markers.h"

#include <glib.h>
#include <string.h>

enum {
	PAGE_BYTES = 4096,
};

static guint32 word_at(const guint8 *page, guint offset)
{
	guint32 word;

	memcpy(&word, page + offset, sizeof word);
	return word;
}

static void test_stores(void)
{
	g_autofree guint8 *page = g_malloc0(PAGE_BYTES);
	guint n_written = 0;

	hvscope_switch(page, 0, 0x0FFFFFFF);
	hvscope_begin(page, 1, 7);
	hvscope_end(page, 15, 7);
	/* A port beyond the page stays in it, an id beyond its bits does not reach the kind. */
	hvscope_event(page, 16 + 2, 0xFFFFFFFF);
	hvscope_request(page, 3, HVSCOPE_STEP_RESPOND, 0x12345678);
	g_assert_cmphex(word_at(page, 0x380), ==, 0x05345678);
	g_assert_cmphex(word_at(page, 0x080), ==, 0x1FFFFFFF);
	g_assert_cmphex(word_at(page, 0x180), ==, 0x20000007);
	g_assert_cmphex(word_at(page, 0xF80), ==, 0x30000007);
	g_assert_cmphex(word_at(page, 0x280), ==, 0x4FFFFFFF);
	for (guint i = 0; i < PAGE_BYTES; i += 4)
		n_written += word_at(page, i) != 0;
	g_assert_cmpuint(n_written, ==, 5);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/markers/stores", test_stores);
	return g_test_run();
}
