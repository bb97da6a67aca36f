#include "awareness/symbols/kallsyms.h"

#include <ctype.h>
#include <string.h>

/* scripts/kallsyms.c writes: the names (each a length and so many tokens), markers
 * (where every 256th name begins), 256 tokens (strings) and their offsets. Each
 * array begins on 8 bytes. Up to 6.3 the addresses and the number of symbols come
 * before the names, from 6.4 on the addresses come last. */
enum kallsyms_facts {
	TOKENS = 256,
	MARKER_STEP = 256,
	SYMBOLS_MIN = 100,
	SYMBOLS_MAX = 4 << 20,
	TOKEN_BYTES_MAX = 64 << 10, /* offsets are 16 bits */
	NAME_MAX_BYTES = 1024,
	/* Between the markers and the tokens 6.2 and 6.3 have 3 bytes a symbol. */
	MARKERS_SEARCH_BYTES = 8 << 20,
	LAST_BLOCK_BYTES = MARKER_STEP * 520,
	/* Real memory needs one or two of each; made-up memory must not take forever. */
	MARKER_TRIES_MAX = 64,
	NAME_TRIES_MAX = 256,
};

struct tables {
	struct kernel_window *window;
	uint64_t tokens_va;
	const uint8_t *tokens;
	uint32_t tokens_bytes;
	uint16_t index[TOKENS];
	uint64_t index_end_va;
	uint64_t names_va;
	const uint8_t *names;
	uint64_t names_bytes;
	uint32_t n_symbols;
	unsigned marker_tries;
	unsigned name_tries;
};

static uint64_t align_8(uint64_t value)
{
	return (value + 7) & ~UINT64_C(7);
}

static uint32_t word_at(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint64_t quad_at(const uint8_t *bytes)
{
	uint64_t quad;

	memcpy(&quad, bytes, sizeof(quad));
	return quad;
}

/* Tokens '0' to 255 follow each other from `digits_va`; then their offsets, which
 * say where token 0 is. */
static gboolean tokens_find(struct tables *self, uint64_t digits_va)
{
	uint64_t room = kernel_window_readable(self->window, digits_va, TOKEN_BYTES_MAX);
	const uint8_t *from = kernel_window_get(self->window, digits_va, room);
	const uint8_t *index;
	uint64_t at = 0, index_va;

	if (from == NULL)
		return FALSE;
	for (unsigned token = '0'; token < TOKENS; token++) {
		const uint8_t *end = memchr(from + at, 0, room - at);

		if (end == NULL)
			return FALSE;
		at = (uint64_t)(end - from) + 1;
	}
	index_va = align_8(digits_va + at);
	index = kernel_window_get(self->window, index_va, sizeof(self->index));
	if (index == NULL)
		return FALSE;
	memcpy(self->index, index, sizeof(self->index));
	self->tokens_va = digits_va - self->index['0'];
	self->tokens_bytes = (uint32_t)(digits_va + at - self->tokens_va);
	self->index_end_va = index_va + sizeof(self->index);
	self->tokens = kernel_window_get(self->window, self->tokens_va, self->tokens_bytes);
	if (self->tokens == NULL || self->tokens_va % 8 != 0 || self->index[0] != 0)
		return FALSE;
	for (unsigned token = 1; token < TOKENS; token++) {
		if (self->index[token] <= self->index[token - 1] ||
		    self->index[token] >= self->tokens_bytes ||
		    self->tokens[self->index[token] - 1] != 0)
			return FALSE;
	}
	return TRUE;
}

/* The length of the name at `at`: one byte, or (6.1 and later, bit 7 set) two. 0
 * where it runs out. `head` is how many bytes the length itself takes. */
static uint32_t name_length(const uint8_t *names, uint64_t bytes, uint64_t at, uint32_t *head)
{
	uint32_t len;

	*head = 1;
	if (at >= bytes)
		return 0;
	len = names[at];
	if ((len & 0x80) != 0) {
		if (at + 1 >= bytes)
			return 0;
		len = (len & 0x7f) | (uint32_t)names[at + 1] << 7;
		*head = 2;
	}
	return len <= bytes - at - *head ? len : 0;
}

/* Whether `count` names begin at `names` and their every 256th is where the markers
 * say; `used` is where they end. */
static gboolean names_fit(const uint8_t *names, uint64_t bytes, uint32_t count,
                          const uint8_t *markers, unsigned marker_bytes, uint64_t *used)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t head, len;

		if (i % MARKER_STEP == 0 &&
		    word_at(markers + (uint64_t)(i / MARKER_STEP) * marker_bytes) != at)
			return FALSE;
		len = name_length(names, bytes, at, &head);
		if (len == 0)
			return FALSE;
		at += head + len;
	}
	*used = at;
	return TRUE;
}

/* How many entries from `markers` on rise as markers must. */
static uint32_t markers_run(const uint8_t *markers, uint64_t bytes, unsigned marker_bytes)
{
	uint32_t count = 1, last = 0;

	for (uint64_t at = marker_bytes; at + marker_bytes <= bytes; at += marker_bytes) {
		uint32_t value = word_at(markers + at);

		if (value < last + MARKER_STEP * 2 || value - last > LAST_BLOCK_BYTES)
			break;
		if (marker_bytes == 8 && word_at(markers + at + 4) != 0)
			break;
		last = value;
		count++;
	}
	return count;
}

/* The names end where the markers begin, but where they begin only their number,
 * just before them, can tell. */
static gboolean names_find(struct tables *self, uint64_t markers_va, const uint8_t *markers,
                           uint32_t n_markers, unsigned marker_bytes)
{
	uint64_t last = word_at(markers + (uint64_t)(n_markers - 1) * marker_bytes);
	uint64_t high = markers_va - last, low = high - LAST_BLOCK_BYTES;

	for (uint64_t va = high & ~UINT64_C(7); va > low; va -= 8) {
		const uint8_t *head = kernel_window_get(self->window, va - 8, 8);
		const uint8_t *names;
		uint64_t count, used;

		if (head == NULL)
			return FALSE;
		count = quad_at(head);
		if (count > SYMBOLS_MAX || (count + MARKER_STEP - 1) / MARKER_STEP != n_markers)
			continue;
		if (self->name_tries++ >= NAME_TRIES_MAX)
			return FALSE;
		names = kernel_window_get(self->window, va, markers_va - va);
		if (names == NULL || !names_fit(names, markers_va - va, (uint32_t)count, markers,
		                                marker_bytes, &used))
			continue;
		if (markers_va - va - used >= 8)
			continue;
		self->names_va = va;
		self->names = names;
		self->names_bytes = used;
		self->n_symbols = (uint32_t)count;
		return TRUE;
	}
	return FALSE;
}

static gboolean markers_try(struct tables *self, uint64_t va, unsigned marker_bytes)
{
	enum {
		RUN_SLACK = 4,
		MARKERS_MIN = 2
	};
	const uint8_t *markers = kernel_window_get(self->window, va, self->tokens_va - va);
	uint32_t run;

	if (markers == NULL || self->marker_tries++ >= MARKER_TRIES_MAX)
		return FALSE;
	run = markers_run(markers, self->tokens_va - va, marker_bytes);
	/* What follows the last marker may look like one more. */
	for (uint32_t n = run; n >= MARKERS_MIN && n + RUN_SLACK > run; n--) {
		if (names_find(self, va, markers, n, marker_bytes))
			return TRUE;
	}
	return FALSE;
}

/* Backwards from the tokens to an array that begins 0, 512 or more, ... and that
 * names fit to. */
static gboolean markers_find(struct tables *self)
{
	uint64_t lowest = kernel_window_start(self->window);

	if (self->tokens_va - lowest > MARKERS_SEARCH_BYTES)
		lowest = self->tokens_va - MARKERS_SEARCH_BYTES;
	for (uint64_t va = self->tokens_va - 8; va > lowest; va -= 8) {
		const uint8_t *at = kernel_window_get(self->window, va, 16);
		uint32_t second, fourth;

		/* Close to the tokens, 16 bytes may not be there. A hole ends the search. */
		if (at == NULL)
			return FALSE;
		if (word_at(at) != 0)
			continue;
		second = word_at(at + 4);
		fourth = word_at(at + 8);
		if (second >= MARKER_STEP * 2 && second <= LAST_BLOCK_BYTES &&
		    markers_try(self, va, 4))
			return TRUE;
		if (second == 0 && fourth >= MARKER_STEP * 2 && fourth <= LAST_BLOCK_BYTES &&
		    markers_try(self, va, 8))
			return TRUE;
	}
	return FALSE;
}

/* Writes name (with its type letter first) as the tokens spell it. */
static gboolean name_expand(const struct tables *self, uint64_t at, char *out)
{
	uint32_t head, len = name_length(self->names, self->names_bytes, at, &head);
	size_t used = 0;

	for (uint32_t i = 0; i < len; i++) {
		const char *token =
			(const char *)self->tokens + self->index[self->names[at + head + i]];
		size_t bytes = strlen(token);

		if (used + bytes >= NAME_MAX_BYTES)
			return FALSE;
		memcpy(out + used, token, bytes);
		used += bytes;
	}
	out[used] = '\0';
	return used > 1;
}

enum address_form {
	FORM_RELATIVE,        /* base + offset */
	FORM_ABSOLUTE_PERCPU, /* offsets below 0 are base - 1 - offset, others themselves */
	FORM_ABSOLUTE,        /* 8 bytes each */
};

struct addresses {
	enum address_form form;
	const uint8_t *values;
	uint64_t base;
};

static uint64_t address_at(const struct addresses *self, uint32_t i)
{
	int32_t offset;

	if (self->form == FORM_ABSOLUTE)
		return quad_at(self->values + (uint64_t)i * 8);
	offset = (int32_t)word_at(self->values + (uint64_t)i * 4);
	if (self->form == FORM_RELATIVE)
		return self->base + (uint32_t)offset;
	return offset >= 0 ? (uint64_t)offset : self->base - 1 - (uint64_t)(int64_t)offset;
}

static gboolean is_kernel_va(uint64_t va)
{
	return va >> 48 == 0xffff;
}

/* The table is sorted by address, all but a few (absolute symbols) of it in the
 * kernel's half: anything else is a wrong guess. */
static gboolean addresses_fit(const struct addresses *self, uint32_t count)
{
	uint32_t kernel = 0, unsorted = 0, equal = 0;
	uint64_t last = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t va = address_at(self, i);

		kernel += is_kernel_va(va) ? 1 : 0;
		unsorted += va < last ? 1 : 0;
		equal += va == last ? 1 : 0;
		last = va;
	}
	return kernel >= count - count / 8 && unsorted <= count / 100 && equal < count / 2;
}

static gboolean addresses_relative(struct tables *self, uint64_t offsets_va, uint64_t base_va,
                                   struct addresses *out)
{
	const uint8_t *offsets =
		kernel_window_get(self->window, offsets_va, (uint64_t)self->n_symbols * 4);
	const uint8_t *base = kernel_window_get(self->window, base_va, 8);

	if (offsets == NULL || base == NULL || !is_kernel_va(quad_at(base)))
		return FALSE;
	*out = (struct addresses) { FORM_RELATIVE, offsets, quad_at(base) };
	if (addresses_fit(out, self->n_symbols))
		return TRUE;
	out->form = FORM_ABSOLUTE_PERCPU;
	return addresses_fit(out, self->n_symbols);
}

static gboolean addresses_find(struct tables *self, struct addresses *out)
{
	uint64_t words = align_8((uint64_t)self->n_symbols * 4),
		 quads = (uint64_t)self->n_symbols * 8;
	uint64_t count_va = self->names_va - 8, after_va = align_8(self->index_end_va);
	uint64_t places[] = { count_va - quads, after_va };

	if (addresses_relative(self, count_va - 8 - words, count_va - 8, out) ||
	    addresses_relative(self, after_va, after_va + words, out))
		return TRUE;
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
		*out = (struct addresses) { FORM_ABSOLUTE,
			                    kernel_window_get(self->window, places[i], quads), 0 };
		if (out->values != NULL && addresses_fit(out, self->n_symbols))
			return TRUE;
	}
	return FALSE;
}

/* nm's letters. */
static enum symbol_kind kind_of(char letter)
{
	switch (tolower(letter)) {
	case 't':
	case 'w':
		return SYMBOL_FUNCTION;
	case 'd':
	case 'b':
	case 'r':
	case 'v':
		return SYMBOL_OBJECT;
	default:
		return SYMBOL_OTHER;
	}
}

struct symbols *kallsyms_read(struct kernel_window *window, uint64_t digits_va)
{
	struct tables self = { .window = window };
	struct addresses addresses;
	struct symbols *symbols;
	char name[NAME_MAX_BYTES];
	uint64_t at = 0;

	if (!tokens_find(&self, digits_va) || !markers_find(&self) ||
	    self.n_symbols < SYMBOLS_MIN || !addresses_find(&self, &addresses))
		return NULL;
	symbols = symbols_new();
	for (uint32_t i = 0; i < self.n_symbols; i++) {
		uint32_t head;
		uint32_t len = name_length(self.names, self.names_bytes, at, &head);

		if (name_expand(&self, at, name)) {
			struct symbol symbol = {
				.name = name + 1,
				.address = address_at(&addresses, i),
				.kind = kind_of(name[0]),
				.is_global = isupper((unsigned char)name[0]) != 0,
			};

			symbols_add(symbols, &symbol);
		}
		at += head + len;
	}
	return symbols;
}
