#include "capture/link-devmem.h"
#include "capture/link-open.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

enum {
	FILE_BYTES = 64 << 10,
};

/* A file in the place of /dev/mem. */
static void test_words(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("hvscope-mem-XXXXXX", &path, &error);
	guint32 words[4], word = 0;

	g_assert_no_error(error);
	g_assert_cmpint(ftruncate(fd, FILE_BYTES), ==, 0);
	g_autoptr(Link) link = link_devmem_new(path, &error);

	g_assert_no_error(error);
	g_assert_cmpint(link->view, ==, LINK_VIEW_CPU);
	/* Over a page's end. */
	for (guint i = 0; i < 4; i++)
		g_assert_true(
			link_write32(link, LINK_SPACE_DEBUG, 0x1FF8 + 4 * i, 0xA0 + i, &error));
	g_assert_true(link_read_block(link, LINK_SPACE_MEMORY, 0x1FF8, words, 4, &error));
	for (guint i = 0; i < 4; i++)
		g_assert_cmphex(words[i], ==, 0xA0 + i);
	g_assert_cmpint(pread(fd, &word, 4, 0x2004), ==, 4);
	g_assert_cmphex(GUINT32_FROM_LE(word), ==, 0xA3);
	g_assert_false(link_read32(link, LINK_SPACE_DEBUG, FILE_BYTES - 2, &word, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_FAULT);
	g_clear_error(&error);
	g_assert_false(link_read32(link, LINK_SPACE_DEBUG, FILE_BYTES, &word, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_FAULT);
	close(fd);
	g_unlink(path);
}

static void test_names(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_load("zynqmp", &error);

	g_assert_null(link_open("devmem:/nonexistent", board, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_CONNECT);
	g_clear_error(&error);
	g_assert_null(link_open("zebra", board, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_ADDRESS);
	g_clear_error(&error);
	g_assert_null(link_open("openocd:localhost:zz", board, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_ADDRESS);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/link-devmem/words", test_words);
	g_test_add_func("/capture/link-devmem/names", test_names);
	return g_test_run();
}
