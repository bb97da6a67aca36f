/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/code-image.h"

#include <string.h>

enum {
	PAGE_BYTES = 4096,
	PAGE_WORDS = PAGE_BYTES / 4
};

struct space {
	struct flow_context context; /* what does not tell spaces apart is 0 */
};

struct page_key {
	uint64_t page_va;
	uint32_t space;
};

struct page {
	struct page_key key; /* first: the hash table's key */
	uint32_t words[PAGE_WORDS];
};

struct code_image {
	GArray *spaces; /* struct space; a space's number is its index + 1 */
	GHashTable *pages;
	struct page *last;
	uint64_t n_conflicts;
};

static guint page_hash(gconstpointer data)
{
	const struct page_key *key = data;

	return (guint)((key->page_va >> 12) * 0x9E3779B1u) ^ key->space * 0x85EBCA6Bu;
}

static gboolean page_equal(gconstpointer a, gconstpointer b)
{
	const struct page_key *left = a, *right = b;

	return left->page_va == right->page_va && left->space == right->space;
}

struct code_image *code_image_new(void)
{
	struct code_image *self = g_new0(struct code_image, 1);

	self->spaces = g_array_new(FALSE, FALSE, sizeof(struct space));
	self->pages = g_hash_table_new_full(page_hash, page_equal, NULL, g_free);
	return self;
}

void code_image_free(struct code_image *self)
{
	if (self == NULL)
		return;
	g_array_unref(self->spaces);
	g_hash_table_unref(self->pages);
	g_free(self);
}

uint32_t code_image_space(struct code_image *self, const struct flow_context *context)
{
	struct space wanted = { .context = *context };

	if (context->el > 0)
		wanted.context.context_id = 0;
	if (context->el > 1)
		wanted.context.vmid = 0;
	for (guint i = self->spaces->len; i > 0; i--) {
		const struct flow_context *known =
			&g_array_index(self->spaces, struct space, i - 1).context;

		if (known->el == wanted.context.el && known->vmid == wanted.context.vmid &&
		    known->context_id == wanted.context.context_id &&
		    known->non_secure == wanted.context.non_secure)
			return i;
	}
	g_array_append_val(self->spaces, wanted);
	return self->spaces->len;
}

static struct page *find_page(struct code_image *self, uint32_t space, uint64_t page_va)
{
	const struct page_key key = { .page_va = page_va, .space = space };
	struct page *page = self->last;

	if (page != NULL && page_equal(&page->key, &key))
		return page;
	page = g_hash_table_lookup(self->pages, &key);
	if (page == NULL) {
		page = g_new0(struct page, 1);
		page->key = key;
		g_hash_table_insert(self->pages, &page->key, page);
	}
	self->last = page;
	return page;
}

void code_image_note(struct code_image *self, uint32_t space, struct flow_block *block, uint64_t va)
{
	if (block->seen_space == space && block->seen_va == va)
		return;
	block->seen_space = space;
	block->seen_va = va;

	/* A block never leaves its page. */
	struct page *page = find_page(self, space, va & ~(uint64_t)(PAGE_BYTES - 1));
	const unsigned first = (unsigned)(va & (PAGE_BYTES - 1)) / 4;

	for (unsigned i = 0; i < block->n && first + i < PAGE_WORDS; i++) {
		uint32_t *word = &page->words[first + i];

		if (*word == 0)
			*word = block->code[i];
		else if (*word != block->code[i])
			self->n_conflicts++;
	}
}

uint64_t code_image_conflicts(const struct code_image *self)
{
	return self->n_conflicts;
}

static gint page_compare(gconstpointer a, gconstpointer b)
{
	const struct page *left = *(struct page *const *)a, *right = *(struct page *const *)b;

	if (left->key.space != right->key.space)
		return left->key.space < right->key.space ? -1 : 1;
	return left->key.page_va < right->key.page_va ? -1 : left->key.page_va > right->key.page_va;
}

static char *space_name(const struct code_image *self, uint32_t space)
{
	const struct flow_context *context =
		&g_array_index(self->spaces, struct space, space - 1).context;
	const char world = context->non_secure ? 'N' : 'S';

	switch (context->el) {
	case 0:
		return g_strdup_printf("EL0%c vmid=%u cid=%u", world, context->vmid,
		                       context->context_id);
	case 1:
		return g_strdup_printf("EL1%c vmid=%u", world, context->vmid);
	default:
		return g_strdup_printf("EL%u%c", context->el, world);
	}
}

void code_image_write(const struct code_image *self,
                      void (*page)(void *data, const uint8_t *bytes, size_t len_bytes),
                      void (*region)(void *data, const struct code_image_region *region),
                      void *data)
{
	g_autoptr(GPtrArray) pages = g_ptr_array_new();
	uint64_t offset_bytes = 0;
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, self->pages);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		g_ptr_array_add(pages, value);
	g_ptr_array_sort(pages, page_compare);
	for (guint i = 0; i < pages->len;) {
		const struct page *first = pages->pdata[i];
		g_autofree char *name = space_name(self, first->key.space);
		struct code_image_region part = {
			.space = name,
			.va = first->key.page_va,
			.offset_bytes = offset_bytes,
		};

		for (; i < pages->len; i++) {
			const struct page *next = pages->pdata[i];

			if (next->key.space != first->key.space ||
			    next->key.page_va != part.va + part.len_bytes)
				break;
			page(data, (const uint8_t *)next->words, PAGE_BYTES);
			part.len_bytes += PAGE_BYTES;
		}
		offset_bytes += part.len_bytes;
		region(data, &part);
	}
}
