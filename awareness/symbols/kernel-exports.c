#include "awareness/symbols/kernel-exports.h"

#include "awareness/symbols/btf.h"

#include <ctype.h>
#include <string.h>

/* include/linux/export.h: struct kernel_symbol is { int value_offset, name_offset }
 * (4.19 to 5.3), with a third, namespace_offset, from 5.4 on; each offset counts
 * from where it stands itself (CONFIG_HAVE_ARCH_PREL32_RELOCATIONS, set on arm64). */
enum exports_facts {
	STRIDE_OLD = 8,
	STRIDE_NEW = 12,
	NAME_BYTES_MAX = 512,
	EXPORTS_MIN = 100,
	EXPORTS_MAX = 1 << 18,
	SCAN_STEP = 1 << 20,
	WORD = 4,
};

/* Every kernel exports it, and awareness starts from it. */
static const char anchor[] = "\0init_task";

struct entry {
	uint64_t value_va;
	const char *name;
};

static gboolean word_get(struct kernel_window *window, uint64_t va, int32_t *word)
{
	const uint8_t *bytes = kernel_window_get(window, va, WORD);

	if (bytes == NULL)
		return FALSE;
	memcpy(word, bytes, WORD);
	return TRUE;
}

static const char *identifier_get(struct kernel_window *window, uint64_t va)
{
	uint64_t room = kernel_window_readable(window, va, NAME_BYTES_MAX);
	const char *text = (const char *)kernel_window_get(window, va, room);
	size_t len;

	if (text == NULL || room == 0)
		return NULL;
	len = strnlen(text, room);
	if (len == 0 || len == room || isdigit((unsigned char)text[0]))
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '.')
			return NULL;
	}
	return text;
}

static gboolean entry_get(struct kernel_window *window, uint64_t va, struct entry *entry)
{
	int32_t value, name;

	if (!word_get(window, va, &value) || !word_get(window, va + WORD, &name))
		return FALSE;
	entry->value_va = va + (uint64_t)(int64_t)value;
	entry->name = identifier_get(window, va + WORD + (uint64_t)(int64_t)name);
	return entry->name != NULL && entry->value_va >= kernel_window_start(window) &&
	       entry->value_va < kernel_window_end(window);
}

/* The last entry that follows `va` without a gap, going `step` bytes at a time.
 * Between two tables there may be a word of padding. */
static uint64_t run_end(struct kernel_window *window, uint64_t va, int64_t step)
{
	int64_t pad = step < 0 ? -WORD : WORD;
	struct entry entry;
	unsigned pads = 0;

	for (unsigned n = 0; n < EXPORTS_MAX; n++) {
		if (entry_get(window, va + (uint64_t)step, &entry)) {
			va += (uint64_t)step;
		} else if (pads == 0 && entry_get(window, va + (uint64_t)(step + pad), &entry)) {
			va += (uint64_t)(step + pad);
			pads++;
		} else {
			break;
		}
	}
	return va;
}

static size_t entries_add(struct kernel_window *window, uint64_t first, uint64_t last,
                          uint64_t stride, struct symbols *symbols)
{
	g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
	size_t n_known = symbols_count(symbols), added = 0;

	for (size_t i = 0; i < n_known; i++)
		g_hash_table_add(known, (gpointer)symbols_at(symbols, i)->name);
	for (uint64_t va = first; va <= last;) {
		struct entry entry;

		if (!entry_get(window, va, &entry)) {
			va += WORD; /* the padding */
			continue;
		}
		if (!g_hash_table_contains(known, entry.name)) {
			struct symbol symbol = { entry.name, entry.value_va, 0, SYMBOL_OBJECT,
				                 TRUE };

			symbols_add(symbols, &symbol);
			added++;
		}
		va += stride;
	}
	return added;
}

/* `name_va` is where a name is kept: looks for the entry that refers to it, and if
 * it stands in a table takes the table. */
static size_t table_try(struct kernel_window *window, uint64_t name_va, struct symbols *symbols)
{
	static const uint64_t strides[] = { STRIDE_NEW, STRIDE_OLD };
	uint64_t va = kernel_window_start(window), end = kernel_window_end(window);

	while (va < end) {
		uint64_t len = kernel_window_readable(window, va, SCAN_STEP);
		const uint8_t *bytes = kernel_window_get(window, va, len);

		for (uint64_t at = 0; len >= WORD && at <= len - WORD; at += WORD) {
			int32_t word;

			memcpy(&word, bytes + at, WORD);
			if (va + at + (uint64_t)(int64_t)word != name_va || va + at < WORD)
				continue;
			for (size_t i = 0; i < G_N_ELEMENTS(strides); i++) {
				uint64_t here = va + at - WORD;
				uint64_t first = run_end(window, here, -(int64_t)strides[i]);
				uint64_t last = run_end(window, here, (int64_t)strides[i]);

				if ((last - first) / strides[i] >= EXPORTS_MIN)
					return entries_add(window, first, last, strides[i],
					                   symbols);
			}
		}
		va += len == 0 ? WINDOW_PAGE : len;
	}
	return 0;
}

size_t kernel_exports_add(struct kernel_window *window, struct symbols *symbols)
{
	enum {
		CANDIDATES_MAX = 16
	};
	uint64_t va = kernel_window_start(window), end = kernel_window_end(window);
	unsigned candidates = 0;

	while (va < end) {
		uint64_t len = kernel_window_readable(window, va, SCAN_STEP);
		const uint8_t *bytes = kernel_window_get(window, va, len), *at = bytes;

		while (len > sizeof(anchor) && candidates < CANDIDATES_MAX &&
		       (at = memmem(at, len - (size_t)(at - bytes), anchor, sizeof(anchor))) !=
		               NULL) {
			size_t added = table_try(window, va + (uint64_t)(at - bytes) + 1, symbols);

			if (added > 0)
				return added;
			candidates++;
			at++;
		}
		va += len == 0 ? WINDOW_PAGE : len == SCAN_STEP ? len - sizeof(anchor) : len;
	}
	return 0;
}

/* One exported per-CPU variable says where BTF's offsets count from. All exported
 * ones must agree, for the name of one could be another's. */
size_t kernel_percpu_add(struct types *btf, struct symbols *symbols)
{
	g_autoptr(GArray) variables = btf_percpu_variables(btf);
	uint64_t start = 0, address;
	g_autoptr(GArray) missing = g_array_new(FALSE, FALSE, sizeof(struct symbol));
	gboolean known = FALSE;

	for (guint i = 0; i < variables->len; i++) {
		const struct btf_variable *variable =
			&g_array_index(variables, struct btf_variable, i);

		if (!symbols_address(symbols, variable->name, &address))
			continue;
		if (known && address - variable->offset_bytes != start)
			return 0;
		start = address - variable->offset_bytes;
		known = TRUE;
	}
	for (guint i = 0; known && i < variables->len; i++) {
		const struct btf_variable *variable =
			&g_array_index(variables, struct btf_variable, i);
		struct symbol symbol = { variable->name, start + variable->offset_bytes,
			                 variable->size_bytes, SYMBOL_OBJECT, FALSE };

		if (symbols_by_name(symbols, variable->name) != NULL)
			continue;
		g_array_append_val(missing, symbol);
	}
	/* Apart from the look-ups, for adding drops their index. */
	for (guint i = 0; i < missing->len; i++)
		symbols_add(symbols, &g_array_index(missing, struct symbol, i));
	return missing->len;
}
