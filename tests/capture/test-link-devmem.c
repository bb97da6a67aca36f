#include "capture/link-devmem.h"
#include "capture/link-open.h"
#include "capture/probe.h"

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

static void put(int fd, guint64 addr, guint32 value)
{
	value = GUINT32_TO_LE(value);
	g_assert_cmpint(pwrite(fd, &value, sizeof value, (off_t)addr), ==, sizeof value);
}

/* Identity registers, and what a trace unit says when it may trace. */
static void put_component(int fd, guint64 addr, const struct board_component *component)
{
	static const guint8 cidr[] = { 0x0D, 0x90, 0x05, 0xB1 };

	for (guint i = 0; i < 4; i++)
		put(fd, addr + 0xFF0 + 4 * i,
		    i == 1 && component->kind == BOARD_ROM ? 0x10 : cidr[i]);
	put(fd, addr + 0xFE0, component->part & 0xFF);
	put(fd, addr + 0xFE4, 0xB0 | component->part >> 8);
	put(fd, addr + 0xFD0, 4);
	if (component->kind == BOARD_ETM4) {
		put(fd, addr + 0x314, 1);
		put(fd, addr + 0xFB8, 0xCC);
	}
}

/* The whole of a ZynqMP's window at its physical addresses, in a file with holes: the probe over
 * /dev/mem finds every component, and the ROM table agrees. */
static void test_probe(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_load("zynqmp", &error);
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("hvscope-mem-XXXXXX", &path, &error);
	guint64 window = board->window[LINK_VIEW_CPU];
	guint n_entries = 0;

	if (ftruncate(fd, (off_t)1 << 32) != 0) {
		g_test_skip("this file system holds no file of 4 GiB with holes");
	} else {
		for (guint i = 0; i < board->clocks->len; i++)
			put(fd, g_array_index(board->clocks, struct board_clock, i).addr_pa,
			    1u << 24);
		for (guint i = 0; i < board->components->len; i++) {
			const struct board_component *component = board_component(board, i);

			put_component(fd, window + component->offset, component);
			if (component->kind != BOARD_ROM)
				put(fd, window + 4ull * n_entries++, component->offset | 3);
		}
		g_autoptr(Link) link = link_devmem_new(path, &error);

		g_assert_no_error(error);
		g_autoptr(Probe) probe = probe_new(link, board, &error);

		g_assert_no_error(error);
		g_assert_cmpuint(probe->n_problems, ==, 0);
		g_assert_cmpuint(probe->rom->entries->len, ==, n_entries);
		g_assert_cmpuint(probe->rom->notes->len, ==, 0);
		/* A core without power, and nobody at etf2. */
		put(fd, window + 0x440000 + 0x314, 0);
		put(fd, window + 0x150000 + 0xFE0, 0);
		g_autoptr(Probe) wrong = probe_new(link, board, &error);

		g_assert_no_error(error);
		/* etf2 counts twice: the ROM table lists it too. */
		g_assert_cmpuint(wrong->n_problems, ==, 3);
	}
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
	g_test_add_func("/capture/link-devmem/probe", test_probe);
	g_test_add_func("/capture/link-devmem/names", test_names);
	return g_test_run();
}
