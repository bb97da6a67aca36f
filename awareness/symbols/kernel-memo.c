#include "awareness/symbols/kernel-memo.h"

#include "awareness/symbols/btf.h"

#include <string.h>

enum memo_facts {
	KNOWN_MAX = 64,
	BUILD_ID_BYTES = 20,
	BUILD_ID_DIGITS = 40,
	TEXT_MAX = 1024
};

static const char list_owner[] = "kernels";
static const char list_key[] = "known";

/* An entry of the list: this, then the build id (40 digits and NUL) and the banner
 * with its NUL. */
struct memo_head {
	int64_t banner_offset; /* from the start of the range */
	int64_t build_id_offset;
	uint32_t banner_bytes; /* with its NUL */
	uint32_t zero;
	char build_id[BUILD_ID_BYTES * 2 + 4];
};

/* An entry of the symbols: this, then the name and its NUL. */
struct memo_symbol {
	int64_t offset;
	uint32_t size_bytes;
	uint8_t kind;
	uint8_t is_global;
	uint16_t zero;
};

static gboolean head_next(const uint8_t **at, size_t *left, struct memo_head *head,
                          const char **banner)
{
	if (*left < sizeof(*head))
		return FALSE;
	memcpy(head, *at, sizeof(*head));
	if (head->banner_bytes == 0 || head->banner_bytes > TEXT_MAX ||
	    head->banner_bytes > *left - sizeof(*head))
		return FALSE;
	*banner = (const char *)*at + sizeof(*head);
	if ((*banner)[head->banner_bytes - 1] != '\0' ||
	    head->build_id[sizeof(head->build_id) - 1] != '\0')
		return FALSE;
	*at += sizeof(*head) + head->banner_bytes;
	*left -= sizeof(*head) + head->banner_bytes;
	return TRUE;
}

static gboolean is_there(struct kernel_window *window, const struct memo_head *head,
                         const char *banner)
{
	uint64_t start = kernel_window_start(window);
	size_t len = strlen(banner);
	const uint8_t *text = kernel_window_get(window, start + (uint64_t)head->banner_offset, len);
	const uint8_t *id;

	if (text == NULL || memcmp(text, banner, len) != 0)
		return FALSE;
	id = kernel_window_get(window, start + (uint64_t)head->build_id_offset, BUILD_ID_BYTES);
	for (size_t i = 0; id != NULL && i < BUILD_ID_BYTES; i++) {
		char digits[3];

		g_snprintf(digits, sizeof(digits), "%02x", id[i]);
		if (strncmp(head->build_id + i * 2, digits, 2) != 0)
			return FALSE;
	}
	return id != NULL;
}

static struct symbols *symbols_unpack(GBytes *blob, uint64_t start)
{
	struct symbols *symbols = symbols_new();
	gsize left;
	const uint8_t *at = g_bytes_get_data(blob, &left);

	while (left > sizeof(struct memo_symbol)) {
		struct memo_symbol raw;
		const char *name = (const char *)at + sizeof(raw);
		size_t len = strnlen(name, left - sizeof(raw));
		struct symbol symbol;

		if (len == left - sizeof(raw))
			break;
		memcpy(&raw, at, sizeof(raw));
		symbol = (struct symbol) { name, start + (uint64_t)raw.offset, raw.size_bytes,
			                   (enum symbol_kind)MIN(raw.kind, SYMBOL_OBJECT),
			                   raw.is_global != 0 };
		symbols_add(symbols, &symbol);
		at += sizeof(raw) + len + 1;
		left -= sizeof(raw) + len + 1;
	}
	return symbols;
}

gboolean kernel_memo_recall(struct symbol_cache *cache, struct kernel_window *window,
                            struct kernel_found *found)
{
	g_autoptr(GBytes) list = symbol_cache_get(cache, list_owner, SYMBOL_CACHE_KERNEL, list_key);
	struct memo_head head;
	const char *banner;
	const uint8_t *at;
	gsize left = 0;

	at = list != NULL ? g_bytes_get_data(list, &left) : NULL;
	while (head_next(&at, &left, &head, &banner)) {
		g_autoptr(GBytes) symbols = NULL;
		g_autoptr(GBytes) btf = NULL;
		uint64_t start = kernel_window_start(window);

		if (!is_there(window, &head, banner))
			continue;
		symbols = symbol_cache_get(cache, head.build_id, SYMBOL_CACHE_KERNEL, "symbols");
		btf = symbol_cache_get(cache, head.build_id, SYMBOL_CACHE_KERNEL, "btf");
		if (symbols == NULL)
			return FALSE;
		*found = (struct kernel_found) {
			.banner = g_strdup(banner),
			.banner_va = start + (uint64_t)head.banner_offset,
			.build_id = g_strdup(head.build_id),
			.symbols = symbols_unpack(symbols, start),
			.types = btf != NULL ? btf_types_new(btf, NULL) : NULL,
			.from_cache = TRUE,
		};
		return TRUE;
	}
	return FALSE;
}

static void list_store(struct symbol_cache *cache, const struct memo_head *head, const char *banner)
{
	g_autoptr(GByteArray) list = g_byte_array_new();
	g_autoptr(GBytes) old = symbol_cache_get(cache, list_owner, SYMBOL_CACHE_KERNEL, list_key);
	struct memo_head other;
	const char *other_banner;
	const uint8_t *at;
	gsize left = 0;

	/* The newest first. */
	g_byte_array_append(list, (const uint8_t *)head, sizeof(*head));
	g_byte_array_append(list, (const uint8_t *)banner, head->banner_bytes);
	at = old != NULL ? g_bytes_get_data(old, &left) : NULL;
	for (unsigned n = 1; n < KNOWN_MAX && head_next(&at, &left, &other, &other_banner); n++) {
		if (strcmp(other.build_id, head->build_id) == 0)
			continue;
		g_byte_array_append(list, (const uint8_t *)&other, sizeof(other));
		g_byte_array_append(list, (const uint8_t *)other_banner, other.banner_bytes);
	}
	symbol_cache_put(cache, list_owner, SYMBOL_CACHE_KERNEL, list_key, list->data, list->len);
}

void kernel_memo_store(struct symbol_cache *cache, const struct kernel_window *window,
                       const struct kernel_found *found, uint64_t build_id_va, GBytes *btf)
{
	g_autoptr(GByteArray) symbols = g_byte_array_new();
	uint64_t start = kernel_window_start(window);
	struct memo_head head = { 0 };

	if (cache == NULL || found->build_id == NULL || strlen(found->build_id) != BUILD_ID_DIGITS)
		return;
	head.banner_offset = (int64_t)(found->banner_va - start);
	head.build_id_offset = (int64_t)(build_id_va - start);
	head.banner_bytes = (uint32_t)strlen(found->banner) + 1;
	g_strlcpy(head.build_id, found->build_id, sizeof(head.build_id));
	for (size_t i = 0; i < symbols_count(found->symbols); i++) {
		const struct symbol *symbol = symbols_at(found->symbols, i);
		struct memo_symbol raw = { (int64_t)(symbol->address - start),
			                   (uint32_t)symbol->size_bytes, (uint8_t)symbol->kind,
			                   symbol->is_global ? 1 : 0, 0 };

		g_byte_array_append(symbols, (const uint8_t *)&raw, sizeof(raw));
		g_byte_array_append(symbols, (const uint8_t *)symbol->name,
		                    (guint)strlen(symbol->name) + 1);
	}
	symbol_cache_put(cache, found->build_id, SYMBOL_CACHE_KERNEL, "symbols", symbols->data,
	                 symbols->len);
	if (btf != NULL)
		symbol_cache_put(cache, found->build_id, SYMBOL_CACHE_KERNEL, "btf",
		                 g_bytes_get_data(btf, NULL), g_bytes_get_size(btf));
	list_store(cache, &head, found->banner);
	symbol_cache_flush(cache);
}
