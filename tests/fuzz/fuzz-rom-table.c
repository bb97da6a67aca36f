/* A walk of ROM tables whose pages the input holds, over and over: of each page its first 16
 * words and the 12 of its identity; all others are 0. */
#include "tests/fuzz/fuzz.h"

#include "capture/coresight/rom-table.h"

#include <string.h>

enum {
	PAGE_BYTES = 4096,
	HEAD_BYTES = 64,
	IDENTITY = 0xFD0,
	RECORD_BYTES = HEAD_BYTES + PAGE_BYTES - IDENTITY,
	LISTED_MAX = 512,
};

struct fuzz_link {
	struct link head;
	const uint8_t *bytes;
	size_t n_records;
	uint64_t base, len_bytes;
};

static gboolean fuzz_read(struct link *link, enum link_space space, guint64 addr, guint32 *words,
                          gsize n_words, GError **error)
{
	const struct fuzz_link *self = (const struct fuzz_link *)link;

	g_assert_cmpint(space, ==, LINK_SPACE_DEBUG);
	g_assert_true(addr >= self->base && addr - self->base + 4 * n_words <= self->len_bytes);
	for (gsize i = 0; i < n_words; i++) {
		uint64_t at = addr - self->base + 4 * i;
		const uint8_t *record =
			self->bytes + at / PAGE_BYTES % self->n_records * RECORD_BYTES;
		uint64_t in_page = at % PAGE_BYTES;

		words[i] = 0;
		if (in_page < HEAD_BYTES)
			memcpy(&words[i], record + in_page, sizeof words[i]);
		else if (in_page >= IDENTITY)
			memcpy(&words[i], record + HEAD_BYTES + (in_page - IDENTITY),
			       sizeof words[i]);
		/* A page that nobody answers at. */
		if (words[i] == 0xDEADDEAD) {
			g_set_error(error, LINK_ERROR, LINK_ERROR_FAULT, "bus error");
			return FALSE;
		}
	}
	return TRUE;
}

static const struct link_class fuzz_class = { .name = "fuzz", .read_block = fuzz_read };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_load("zynqmp", &error);
	struct fuzz_link link = { .head = { .class = &fuzz_class,
		                            .view = LINK_VIEW_EXTERNAL,
		                            .description = (char *)"fuzz" },
		                  .bytes = bytes,
		                  .n_records = len_bytes / RECORD_BYTES };
	struct access access;

	g_assert_no_error(error);
	if (link.n_records == 0)
		return 0;
	link.base = board->window[LINK_VIEW_EXTERNAL];
	link.len_bytes = board->window_bytes;
	access_init(&access, &link.head, board);
	g_autoptr(RomWalk) walk = rom_walk_new(&access, 0, &error);

	g_assert_no_error(error);
	g_assert_cmpuint(walk->entries->len, <=, LISTED_MAX);
	for (guint i = 0; i < walk->entries->len; i++)
		g_assert_cmpint(g_array_index(walk->entries, struct rom_entry, i).component, <,
		                (gint)board->components->len);
	access_deinit(&access);
	return 0;
}
