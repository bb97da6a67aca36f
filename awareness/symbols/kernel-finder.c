#include "awareness/symbols/kernel-finder.h"

#include "awareness/symbols/btf.h"
#include "awareness/symbols/kallsyms.h"
#include "awareness/symbols/kernel-exports.h"
#include "awareness/symbols/kernel-memo.h"
#include "awareness/symbols/kernel-window.h"
#include "awareness/symbols/symbol-error.h"

#include <elf.h>
#include <string.h>

enum finder_facts {
	SCAN_BYTES = 1 << 20,
	SCAN_OVERLAP = 64, /* more than any pattern */
	BANNER_MAX = 1024,
	BTF_MAX = 64 << 20,
	TABLE_TRIES_MAX = 32, /* places that look like a table of tokens, or like BTF */
};

static const char banner_text[] = "Linux version ";
/* In any kernel the ten digits are tokens of their own, one after the other. */
static const char digit_tokens[] = "0\0"
				   "1\0"
				   "2\0"
				   "3\0"
				   "4\0"
				   "5\0"
				   "6\0"
				   "7\0"
				   "8\0"
				   "9";

struct finder {
	struct kernel_window *window;
	char *banner;
	uint64_t banner_va;
	struct symbols *symbols;
	uint64_t readable_bytes;
	unsigned tables_tried;
	unsigned btf_tried;
	char *build_id;
	uint64_t build_id_va;
	struct types *types;
	GBytes *btf;
};

/* linux_banner begins so, with a version after it; format strings do not. */
static void banner_try(struct finder *self, uint64_t va)
{
	uint64_t room = kernel_window_readable(self->window, va, BANNER_MAX);
	const char *text = (const char *)kernel_window_get(self->window, va, room);
	size_t len;

	if (self->banner != NULL || text == NULL || room <= sizeof(banner_text) ||
	    !g_ascii_isdigit(text[sizeof(banner_text) - 1]))
		return;
	len = strcspn(text, "\n");
	if (memchr(text, '\0', room) == NULL || strlen(text) > len + 1 ||
	    !g_utf8_validate(text, (gssize)len, NULL))
		return;
	self->banner = g_strndup(text, len);
	self->banner_va = va;
}

static void scan_piece(struct finder *self, uint64_t va, uint64_t len)
{
	const uint8_t *bytes = kernel_window_get(self->window, va, len);
	const uint8_t *at = bytes;

	while (self->banner == NULL && (at = memmem(at, len - (size_t)(at - bytes), banner_text,
	                                            sizeof(banner_text) - 1)) != NULL)
		banner_try(self, va + (uint64_t)(at++ - bytes));
	at = bytes;
	while (self->symbols == NULL && self->tables_tried < TABLE_TRIES_MAX &&
	       (at = memmem(at, len - (size_t)(at - bytes), digit_tokens, sizeof(digit_tokens))) !=
	               NULL) {
		self->tables_tried++;
		self->symbols = kallsyms_read(self->window, va + (uint64_t)(at++ - bytes));
	}
}

/* Goes over the window in pieces that overlap, until all is found. */
static void scan(struct finder *self)
{
	uint64_t va = kernel_window_start(self->window), end = kernel_window_end(self->window);

	while (va < end && (self->banner == NULL || self->symbols == NULL)) {
		uint64_t len = kernel_window_readable(self->window, va, SCAN_BYTES);

		if (len == 0) {
			va = (va / WINDOW_PAGE + 1) * WINDOW_PAGE;
			continue;
		}
		self->readable_bytes += len;
		scan_piece(self, va, len);
		va += len == SCAN_BYTES ? len - SCAN_OVERLAP : len;
	}
}

/* The bytes between two symbols, at most `max`. NULL where either is missing. */
static const uint8_t *between(struct finder *self, const char *from, const char *to, uint64_t max,
                              uint64_t *len)
{
	uint64_t start, end;

	if (!symbols_address(self->symbols, from, &start) ||
	    !symbols_address(self->symbols, to, &end) || end <= start || end - start > max)
		return NULL;
	*len = end - start;
	return kernel_window_get(self->window, start, end - start);
}

/* Calls `visit` where `pattern` is found, in all of the window, until it returns
 * TRUE. */
static void search(struct finder *self, const void *pattern, size_t pattern_len,
                   gboolean (*visit)(struct finder *self, uint64_t va))
{
	uint64_t va = kernel_window_start(self->window), end = kernel_window_end(self->window);

	while (va < end) {
		uint64_t len = kernel_window_readable(self->window, va, SCAN_BYTES);
		const uint8_t *bytes = kernel_window_get(self->window, va, len), *at = bytes;

		while (len > 0 && (at = memmem(at, len - (size_t)(at - bytes), pattern,
		                               pattern_len)) != NULL) {
			if (visit(self, va + (uint64_t)(at - bytes)))
				return;
			at++;
		}
		va += len == 0 ? WINDOW_PAGE : len == SCAN_BYTES ? len - SCAN_OVERLAP : len;
	}
}

static const struct note_head {
	uint32_t name_bytes, desc_bytes, type;
	char name[4];
} build_id_note = { sizeof("GNU"), 20, NT_GNU_BUILD_ID, "GNU" };

/* A vDSO is an ELF file of its own within the kernel, with a build id of its own:
 * its header begins the page or one of the two before. */
static gboolean is_in_vdso(struct finder *self, uint64_t va)
{
	enum {
		VDSO_PAGES = 3
	};
	uint64_t page = va & ~(uint64_t)(WINDOW_PAGE - 1);

	for (unsigned i = 0; i < VDSO_PAGES; i++, page -= WINDOW_PAGE) {
		const uint8_t *bytes = kernel_window_get(self->window, page, SELFMAG);

		if (bytes != NULL && memcmp(bytes, ELFMAG, SELFMAG) == 0)
			return TRUE;
	}
	return FALSE;
}

static gboolean build_id_visit(struct finder *self, uint64_t va)
{
	const uint8_t *note = kernel_window_get(self->window, va,
	                                        sizeof(build_id_note) + build_id_note.desc_bytes);
	GString *hex;

	if (note == NULL || va % 4 != 0 || is_in_vdso(self, va))
		return FALSE;
	hex = g_string_new(NULL);
	for (uint32_t i = 0; i < build_id_note.desc_bytes; i++)
		g_string_append_printf(hex, "%02x", note[sizeof(build_id_note) + i]);
	self->build_id = g_string_free(hex, FALSE);
	self->build_id_va = va + sizeof(build_id_note);
	return TRUE;
}

static gboolean btf_take(struct finder *self, const uint8_t *blob, uint64_t len)
{
	g_autoptr(GBytes) bytes = g_bytes_new(blob, len);

	self->types = btf_types_new(bytes, NULL);
	if (self->types != NULL)
		self->btf = g_steal_pointer(&bytes);
	return self->types != NULL;
}

/* btf.rst: magic 0xeb9f, version 1, no flags, a header of 24 bytes, then the types'
 * offset, which is 0; the strings follow the types. */
static const uint8_t btf_head[] = { 0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0 };

static gboolean btf_visit(struct finder *self, uint64_t va)
{
	enum {
		HEADER_BYTES = 24,
		SMALLEST = 1 << 16
	};
	const uint8_t *head = kernel_window_get(self->window, va, HEADER_BYTES);
	uint32_t types_bytes, strings_offset, strings_bytes;
	const uint8_t *blob;
	uint64_t len;

	if (head == NULL || va % 4 != 0)
		return FALSE;
	memcpy(&types_bytes, head + 12, sizeof(types_bytes));
	memcpy(&strings_offset, head + 16, sizeof(strings_offset));
	memcpy(&strings_bytes, head + 20, sizeof(strings_bytes));
	len = HEADER_BYTES + (uint64_t)strings_offset + strings_bytes;
	if (self->btf_tried >= TABLE_TRIES_MAX)
		return TRUE; /* enough of it */
	if (strings_offset != types_bytes || len < SMALLEST || len > BTF_MAX)
		return FALSE;
	self->btf_tried++;
	blob = kernel_window_get(self->window, va, len);
	return blob != NULL && btf_take(self, blob, len);
}

/* By the linker's symbols, which only a kernel with KALLSYMS_ALL lists, else by what
 * it looks like. */
static void btf_find(struct finder *self)
{
	uint64_t len;
	const uint8_t *blob = between(self, "__start_BTF", "__stop_BTF", BTF_MAX, &len);

	if (blob == NULL || !btf_take(self, blob, len))
		search(self, btf_head, sizeof(btf_head), btf_visit);
}

gboolean kernel_find(const struct kernel_reader *reader, uint64_t start, uint64_t end,
                     struct symbol_cache *cache, struct kernel_found *found, GError **error)
{
	struct finder self = { .window = kernel_window_new(reader, start, end) };

	if (self.window == NULL) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_MEMORY,
		            "no kernel image can lie in 0x%" G_GINT64_MODIFIER
		            "x to 0x%" G_GINT64_MODIFIER "x",
		            start, end);
		return FALSE;
	}
	kernel_window_set_run(self.window, 1);
	if (kernel_memo_recall(cache, self.window, found)) {
		kernel_window_cost(self.window, &found->reads, &found->bytes_read);
		kernel_window_free(self.window);
		return TRUE;
	}
	kernel_window_set_run(self.window, WINDOW_RUN_PAGES);
	scan(&self);
	if (self.banner == NULL || self.symbols == NULL) {
		g_set_error(error, SYMBOL_ERROR,
		            self.readable_bytes == 0 ? SYMBOL_ERROR_MEMORY : SYMBOL_ERROR_NOT_FOUND,
		            "no Linux kernel in 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER
		            "x: %" G_GUINT64_FORMAT " bytes readable, banner %s, kallsyms %s",
		            start, end, self.readable_bytes,
		            self.banner != NULL ? self.banner : "not found",
		            self.symbols != NULL ? "found" : "not found");
		g_free(self.banner);
		symbols_free(self.symbols);
		kernel_window_free(self.window);
		return FALSE;
	}
	search(&self, &build_id_note, sizeof(build_id_note), build_id_visit);
	btf_find(&self);
	if (symbols_by_name(self.symbols, "init_task") == NULL)
		kernel_exports_add(self.window, self.symbols);
	if (self.types != NULL)
		kernel_percpu_add(self.types, self.symbols);
	*found = (struct kernel_found) {
		.banner = self.banner,
		.banner_va = self.banner_va,
		.build_id = self.build_id,
		.symbols = self.symbols,
		.types = self.types,
	};
	kernel_window_cost(self.window, &found->reads, &found->bytes_read);
	kernel_memo_store(cache, self.window, found, self.build_id_va, self.btf);
	g_clear_pointer(&self.btf, g_bytes_unref);
	kernel_window_free(self.window);
	return TRUE;
}

void kernel_found_clear(struct kernel_found *found)
{
	g_free(found->banner);
	g_free(found->build_id);
	symbols_free(found->symbols);
	types_free(found->types);
	*found = (struct kernel_found) { 0 };
}
