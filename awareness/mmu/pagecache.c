#include "awareness/mmu/pagecache.h"

#include <string.h>

enum pagecache_sizes {
	PAGE_BYTES = 4096,
	LINE_BYTES = 64,   /* the grain of `valid` and `failed` */
	PAGES_MAX = 65536, /* 256 MiB; past that the cache starts anew */
	/* Two missing runs in a page with less than this between them are fetched as
	 * one: a transaction costs more than that many bytes. */
	GAP_LINES = 6,
};

struct page {
	uint64_t valid; /* bit n: line n holds what the target had */
	uint64_t failed;
	uint64_t wanted; /* by the request in hand; 0 between requests */
	uint8_t bytes[PAGE_BYTES];
};

struct pagecache {
	struct target *target;
	uint64_t epoch;    /* of what `pages` holds */
	GHashTable *pages; /* page number -> struct page */
};

struct pagecache *pagecache_new(struct target *target)
{
	struct pagecache *self = g_new0(struct pagecache, 1);

	self->target = target;
	self->epoch = target_epoch(target);
	self->pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	return self;
}

void pagecache_free(struct pagecache *self)
{
	if (self == NULL)
		return;
	g_hash_table_unref(self->pages);
	g_free(self);
}

struct target *pagecache_target(const struct pagecache *self)
{
	return self->target;
}

static void forget_old(struct pagecache *self)
{
	uint64_t now = target_epoch(self->target);

	if (now == self->epoch && g_hash_table_size(self->pages) < PAGES_MAX)
		return;
	g_hash_table_remove_all(self->pages);
	self->epoch = now;
}

static struct page *get_page(struct pagecache *self, uint64_t number)
{
	gint64 key = (gint64)number;
	struct page *page = g_hash_table_lookup(self->pages, &key);

	if (page == NULL) {
		page = g_new0(struct page, 1);
		g_hash_table_insert(self->pages, g_memdup2(&key, sizeof(key)), page);
	}
	return page;
}

static uint64_t line_mask(unsigned first, unsigned last)
{
	return (last == 63 ? ~0ull : (1ull << (last + 1)) - 1) & ~((1ull << first) - 1);
}

/* A run of lines of one page on its way from the target. */
struct pending {
	struct page *page;
	uint64_t mask;
};

/* Asks for the lines of `mask` that are missing, grouped into runs. */
static void queue_missing(struct page *page, uint64_t number, uint64_t mask, GArray *transfers,
                          GArray *pendings)
{
	uint64_t missing = mask & ~page->valid & ~page->failed;

	while (missing != 0) {
		unsigned first = (unsigned)__builtin_ctzll(missing);
		unsigned last = first;
		struct target_transfer transfer;
		struct pending pending;

		for (unsigned next = first + 1; next < 64 && next <= last + 1 + GAP_LINES; next++) {
			if ((missing >> next & 1) != 0)
				last = next;
			else if ((page->failed >> next & 1) != 0)
				break;
		}
		transfer = (struct target_transfer) {
			.pa = { number * PAGE_BYTES + first * LINE_BYTES },
			.data = page->bytes + first * LINE_BYTES,
			.len_bytes = (last - first + 1) * LINE_BYTES,
		};
		pending = (struct pending) { .page = page, .mask = line_mask(first, last) };
		g_array_append_val(transfers, transfer);
		g_array_append_val(pendings, pending);
		missing &= ~pending.mask;
	}
}

/* Lines around [first, last] of the size that the link likes, all in known RAM. */
static uint64_t wanted_lines(struct pagecache *self, uint64_t number, unsigned first, unsigned last)
{
	unsigned grain = target_line_bytes(self->target) / LINE_BYTES;
	unsigned wide_first = first - first % grain;
	unsigned wide_last = MIN(last - last % grain + grain - 1, 63u);

	if (target_is_ram(self->target,
	                  (struct pa) { number * PAGE_BYTES + wide_first * LINE_BYTES },
	                  (wide_last - wide_first + 1) * LINE_BYTES))
		return line_mask(wide_first, wide_last);
	return line_mask(first, last);
}

/* A page that the request in hand touches. */
struct touched {
	struct page *page;
	uint64_t number;
};

static void want_piece(struct pagecache *self, struct pa pa, size_t len_bytes, GArray *pages)
{
	uint64_t end = pa.value + (len_bytes - 1);

	for (uint64_t number = pa.value / PAGE_BYTES; number <= end / PAGE_BYTES; number++) {
		uint64_t start = MAX(pa.value, number * PAGE_BYTES) % PAGE_BYTES;
		uint64_t stop = MIN(end - number * PAGE_BYTES, (uint64_t)PAGE_BYTES - 1);
		struct page *page = get_page(self, number);
		unsigned first = (unsigned)start / LINE_BYTES;
		unsigned last = (unsigned)stop / LINE_BYTES;

		if (!target_is_ram(self->target, (struct pa) { number * PAGE_BYTES + start },
		                   stop - start + 1)) {
			page->failed |= line_mask(first, last) & ~page->valid;
			continue;
		}
		if ((line_mask(first, last) & ~page->valid & ~page->failed) != 0) {
			struct touched touched = { .page = page, .number = number };

			if (page->wanted == 0)
				g_array_append_val(pages, touched);
			page->wanted |= wanted_lines(self, number, first, last);
		}
	}
}

/* One transaction for all that is queued. What a longer run did not give is tried
 * again line by line: only the lines that are truly absent count as failed. */
static gboolean fetch(struct pagecache *self, GArray *transfers, GArray *pendings, GError **error)
{
	g_autoptr(GArray) again = g_array_new(FALSE, FALSE, sizeof(struct target_transfer));
	g_autoptr(GArray) again_pendings = g_array_new(FALSE, FALSE, sizeof(struct pending));

	if (transfers->len == 0)
		return TRUE;
	if (!target_read(self->target, (struct target_transfer *)(gpointer)transfers->data,
	                 transfers->len, error))
		return FALSE;
	for (guint i = 0; i < transfers->len; i++) {
		const struct target_transfer *transfer =
			&g_array_index(transfers, struct target_transfer, i);
		struct pending *pending = &g_array_index(pendings, struct pending, i);

		if (transfer->ok) {
			pending->page->valid |= pending->mask;
		} else if (transfer->len_bytes == LINE_BYTES) {
			pending->page->failed |= pending->mask;
		} else {
			for (size_t at = 0; at < transfer->len_bytes; at += LINE_BYTES) {
				struct target_transfer line = {
					.pa = { transfer->pa.value + at },
					.data = (uint8_t *)transfer->data + at,
					.len_bytes = LINE_BYTES,
				};
				struct pending bit = {
					.page = pending->page,
					.mask = 1ull << line.pa.value % PAGE_BYTES / LINE_BYTES,
				};

				g_array_append_val(again, line);
				g_array_append_val(again_pendings, bit);
			}
		}
	}
	return fetch(self, again, again_pendings, error);
}

static gboolean get_pieces(struct pagecache *self, const struct pagecache_piece *pieces,
                           size_t n_pieces, GError **error)
{
	g_autoptr(GArray) transfers = g_array_new(FALSE, FALSE, sizeof(struct target_transfer));
	g_autoptr(GArray) pendings = g_array_new(FALSE, FALSE, sizeof(struct pending));
	g_autoptr(GArray) pages = g_array_new(FALSE, FALSE, sizeof(struct touched));

	forget_old(self);
	for (size_t i = 0; i < n_pieces; i++) {
		if (pieces[i].len_bytes > 0 &&
		    pieces[i].pa.value + (pieces[i].len_bytes - 1) >= pieces[i].pa.value)
			want_piece(self, pieces[i].pa, pieces[i].len_bytes, pages);
	}
	/* All pieces of a page together, so that near ones become one transaction. */
	for (guint i = 0; i < pages->len; i++) {
		struct touched *touched = &g_array_index(pages, struct touched, i);

		queue_missing(touched->page, touched->number, touched->page->wanted, transfers,
		              pendings);
		touched->page->wanted = 0;
	}
	return fetch(self, transfers, pendings, error);
}

void pagecache_prefetch(struct pagecache *self, const struct pagecache_piece *pieces,
                        size_t n_pieces)
{
	get_pieces(self, pieces, n_pieces, NULL);
}

gboolean pagecache_read(struct pagecache *self, struct pa pa, void *out, size_t len_bytes,
                        GError **error)
{
	struct pagecache_piece piece = { .pa = pa, .len_bytes = len_bytes };
	size_t done = 0;

	if (len_bytes > 0 && pa.value + (len_bytes - 1) < pa.value) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_MEMORY,
		            "cannot read pa:0x%" G_GINT64_MODIFIER "x: the range wraps around",
		            pa.value);
		return FALSE;
	}
	if (!get_pieces(self, &piece, 1, error))
		return FALSE;
	while (done < len_bytes) {
		uint64_t at = pa.value + done;
		struct page *page = get_page(self, at / PAGE_BYTES);
		size_t offset = at % PAGE_BYTES;
		size_t chunk = MIN(len_bytes - done, LINE_BYTES - offset % LINE_BYTES);

		if ((page->valid >> offset / LINE_BYTES & 1) == 0) {
			g_set_error(error, TARGET_ERROR, TARGET_ERROR_MEMORY,
			            "cannot read pa:0x%" G_GINT64_MODIFIER "x: %s", at,
			            target_is_ram(self->target, (struct pa) { at }, 1)
			                    ? "the target gave nothing"
			                    : "that is outside the known RAM");
			return FALSE;
		}
		memcpy((uint8_t *)out + done, page->bytes + offset, chunk);
		done += chunk;
	}
	return TRUE;
}
