/* ROM tables of a target that may say anything: right ones, wrong ones, random ones. */
#include "capture/coresight/rom-table.h"

#include <string.h>

enum {
	WINDOW_BYTES = 0x800000,
	WINDOW = 0x80000000,
};

struct memory_link {
	struct link head;
	guint32 *words;  /* of the window */
	guint64 lost_at; /* a read of this address loses the link */
	guint n_reads;
};

static gboolean memory_read(struct link *link, enum link_space space, guint64 addr, guint32 *words,
                            gsize n_words, GError **error)
{
	struct memory_link *self = (struct memory_link *)link;

	self->n_reads++;
	g_assert_cmpint(space, ==, LINK_SPACE_DEBUG);
	g_assert_cmpuint(addr, >=, WINDOW);
	g_assert_cmpuint(addr + 4 * n_words, <=, (guint64)WINDOW + WINDOW_BYTES);
	if (self->lost_at != 0 && addr <= self->lost_at && self->lost_at < addr + 4 * n_words) {
		g_set_error(error, LINK_ERROR, LINK_ERROR_LOST, "gone");
		return FALSE;
	}
	memcpy(words, self->words + (addr - WINDOW) / 4, n_words * 4);
	return TRUE;
}

static const struct link_class memory_class = { .name = "memory", .read_block = memory_read };

static void set_identity(struct memory_link *self, guint32 offset, guint32 class, guint32 part)
{
	guint32 *page = self->words + offset / 4;
	guint32 cidr = 0xB105000D | class << 12, pidr = 0x000BB000 | part;

	page[0xFD0 / 4] = 4;
	for (guint i = 0; i < 4; i++) {
		page[0xFE0 / 4 + i] = pidr >> (8 * i) & 0xFF;
		page[0xFF0 / 4 + i] = cidr >> (8 * i) & 0xFF;
	}
}

static void memory_link_init(struct memory_link *self)
{
	*self = (struct memory_link) { .head = { .class = &memory_class,
		                                 .view = LINK_VIEW_EXTERNAL,
		                                 .description = (char *)"memory" } };
	self->words = g_malloc0(WINDOW_BYTES);
	set_identity(self, 0, 1, 0x4A1);
	set_identity(self, 0x140000, 9, 0x961);
	self->words[0] = 0x00140003;
}

static struct rom_walk *walk(struct memory_link *self, const struct board *board, GError **error)
{
	struct access access;
	struct rom_walk *found;

	access_init(&access, &self->head, board);
	found = rom_walk_new(&access, 0, error);
	access_deinit(&access);
	return found;
}

static struct board *load(void)
{
	g_autoptr(GError) error = NULL;
	struct board *board = board_load("zynqmp", &error);

	g_assert_no_error(error);
	g_assert_cmpint(board_component(board, 0)->kind, ==, BOARD_ROM);
	return board;
}

static void assert_problem(struct memory_link *link, const char *text)
{
	g_autoptr(Board) board = load();
	g_autoptr(GError) error = NULL;
	g_autoptr(RomWalk) found = walk(link, board, &error);

	g_assert_no_error(error);
	g_assert_cmpuint(found->problems->len, ==, 1);
	if (strstr(g_ptr_array_index(found->problems, 0), text) == NULL)
		g_error("'%s' is not in: %s", text,
		        (const char *)g_ptr_array_index(found->problems, 0));
	g_free(link->words);
}

static void test_right(void)
{
	g_autoptr(Board) board = load();
	g_autoptr(GError) error = NULL;
	struct memory_link link;

	memory_link_init(&link);
	/* Absent ones, a table in the table, one behind it (a negative offset), an unknown one. */
	link.words[1] = 0x00150002;
	link.words[2] = 0x00400003;
	set_identity(&link, 0x400000, 1, 0x4A3);
	link.words[0x400000 / 4] = 0x00040003;
	link.words[0x400000 / 4 + 1] = (0xFFFFFFFFu - 0x2D0000u + 1) | 3;
	set_identity(&link, 0x440000, 9, 0x95D);
	set_identity(&link, 0x130000, 9, 0x908);
	link.words[3] = 0x001D0003;
	set_identity(&link, 0x1D0000, 9, 0x001);
	g_autoptr(RomWalk) found = walk(&link, board, &error);

	g_assert_no_error(error);
	g_assert_cmpuint(found->problems->len, ==, 0);
	g_assert_cmpuint(found->n_absent, ==, 1);
	g_assert_cmpuint(found->entries->len, ==, 5);
	const struct rom_entry *etm = &g_array_index(found->entries, struct rom_entry, 2);

	g_assert_cmphex(etm->addr, ==, WINDOW + 0x440000);
	g_assert_cmpuint(etm->depth, ==, 1);
	g_assert_cmphex(etm->part, ==, 0x95D);
	g_assert_cmphex(etm->designer, ==, 0x23B);
	g_assert_cmpint(etm->component, ==, board_find(board, "etm0"));
	g_assert_cmpint(g_array_index(found->entries, struct rom_entry, 3).component, ==,
	                board_find(board, "funnel2"));
	/* The FTM and the second table are not in the board file; of its components but the
	 * table itself, all that are not listed are named. */
	g_assert_cmpuint(found->notes->len, ==, 2 + board->components->len - 1 - 3);
	g_free(link.words);
}

static void test_wrong(void)
{
	struct memory_link link;

	memory_link_init(&link);
	link.words[0xFF4 / 4] = 0x90;
	assert_problem(&link, "expected 0xB105100D");
	memory_link_init(&link);
	set_identity(&link, 0x140000, 9, 0x908);
	assert_problem(&link, "the board file says etf1, part 0x961");
	memory_link_init(&link);
	link.words[1] = 0x12345679;
	assert_problem(&link, "entry 1 is 0x12345679, no entry");
	memory_link_init(&link);
	link.words[1] = 0x10000003;
	assert_problem(&link, "outside of the board's window");
	memory_link_init(&link);
	link.words[1] = 0x00150003;
	assert_problem(&link, "CIDR there reads 0x00000000");
	/* A table that lists the one above it. */
	memory_link_init(&link);
	link.words[1] = 0x00400003;
	set_identity(&link, 0x400000, 1, 0x4A3);
	link.words[0x400000 / 4] = 0xFFC00003;
	assert_problem(&link, "is listed by itself");
	/* No zero at the end. */
	memory_link_init(&link);
	for (guint i = 1; i < 0xF00 / 4; i++)
		link.words[i] = 0x00150002;
	assert_problem(&link, "has no end");
}

static void test_lost(void)
{
	g_autoptr(Board) board = load();
	g_autoptr(GError) error = NULL;
	struct memory_link link;

	memory_link_init(&link);
	link.lost_at = WINDOW + 0x140FF0;
	g_assert_null(walk(&link, board, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_LOST);
	g_free(link.words);
}

/* Whatever it holds: it ends, stays in the window and says little. */
static void test_random(void)
{
	g_autoptr(Board) board = load();
	g_autoptr(GRand) random = g_rand_new_with_seed(7);
	struct memory_link link;

	memory_link_init(&link);
	for (guint round = 0; round < 2000; round++) {
		g_autoptr(GError) error = NULL;

		/* Tables all over the window that list each other, and noise. */
		for (guint i = 0; i < 64; i++) {
			guint32 offset = (guint32)g_rand_int_range(random, 0, 0x800) << 12;

			set_identity(&link, offset, g_rand_boolean(random) ? 1 : 9, 0x961);
			for (guint n = 0; n < 8; n++)
				link.words[offset / 4 + n] =
					g_rand_int_range(random, 0, 4) == 0
						? g_rand_int(random)
						: ((g_rand_int(random) & 0x7FF000) | 3);
		}
		set_identity(&link, 0, 1, 0x4A1);
		link.n_reads = 0;
		g_autoptr(RomWalk) found = walk(&link, board, &error);

		g_assert_no_error(error);
		g_assert_cmpuint(found->problems->len, <=, 20);
		g_assert_cmpuint(found->entries->len, <=, 512);
		g_assert_cmpuint(link.n_reads, <, 512 * 62);
	}
	g_free(link.words);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/rom-table/right", test_right);
	g_test_add_func("/capture/rom-table/wrong", test_wrong);
	g_test_add_func("/capture/rom-table/lost", test_lost);
	g_test_add_func("/capture/rom-table/random", test_random);
	return g_test_run();
}
