#include "awareness/symbols/symbols.h"

#include "awareness/symbols/symbol-error.h"

#include <elf.h>
#include <string.h>

/* The hash is kept so that another name's string is hardly ever touched. */
struct name_slot {
	uint32_t index_1; /* index into `all` plus 1; 0 for a free slot */
	uint32_t hash;
};

struct symbols {
	struct elf_file *file; /* keeps the names alive; NULL for a hand-filled table */
	GStringChunk *names;   /* of a hand-filled table */
	GArray *all;           /* struct symbol, as they came */
	/* Indexes into `all`, each NULL until it is needed: a kernel has 120,000
	 * symbols, and most runs ask for a few dozen names. */
	uint32_t *by_address;
	uint32_t *by_alphabet;
	struct name_slot *slots; /* open addressing by name */
	uint32_t n_slots;
};

/* Mapping symbols ($x, $d, $x.12: "ELF for the Arm 64-bit Architecture") and the
 * compiler's local labels say nothing to a reader. */
static gboolean name_is_useful(const char *name)
{
	if (name[0] == '\0')
		return FALSE;
	if (name[0] == '$' && (name[1] == 'x' || name[1] == 'd') &&
	    (name[2] == '\0' || name[2] == '.'))
		return FALSE;
	return !(name[0] == '.' && name[1] == 'L');
}

static gboolean symbol_from_elf(const Elf64_Sym *raw, const struct elf_section *strings,
                                struct symbol *out)
{
	unsigned type = ELF64_ST_TYPE(raw->st_info);
	const char *name;

	/* Absolute ones are the linker's constants (Linux: _kernel_size_le_lo32), no places. */
	if (raw->st_shndx == SHN_UNDEF || raw->st_shndx == SHN_ABS || type == STT_FILE ||
	    type == STT_SECTION || type == STT_TLS)
		return FALSE;
	if (raw->st_name >= strings->size_bytes)
		return FALSE;
	name = (const char *)strings->bytes + raw->st_name;
	if (!name_is_useful(name))
		return FALSE;
	*out = (struct symbol) {
		.name = name,
		.address = raw->st_value,
		.size_bytes = raw->st_size,
		.kind = type == STT_FUNC     ? SYMBOL_FUNCTION
		        : type == STT_OBJECT ? SYMBOL_OBJECT
		                             : SYMBOL_OTHER,
		.is_global = ELF64_ST_BIND(raw->st_info) != STB_LOCAL,
	};
	return TRUE;
}

static const struct elf_section *table_find(struct elf_file *file)
{
	const struct elf_section *dynamic = NULL;

	for (size_t i = 1; i < elf_file_section_count(file); i++) {
		const struct elf_section *section = elf_file_section_at(file, i);

		if (section->bytes == NULL)
			continue;
		if (section->type == SHT_SYMTAB)
			return section;
		if (section->type == SHT_DYNSYM && dynamic == NULL)
			dynamic = section;
	}
	return dynamic;
}

struct symbols *symbols_new(void)
{
	struct symbols *self = g_new0(struct symbols, 1);

	self->all = g_array_new(FALSE, FALSE, sizeof(struct symbol));
	return self;
}

struct symbols *symbols_new_from_elf(struct elf_file *file, GError **error)
{
	const struct elf_section *table = table_find(file);
	const struct elf_section *strings =
		table != NULL ? elf_file_section_at(file, table->link) : NULL;
	struct symbols *self;
	uint64_t count;

	/* The last string must end, or every use of a name would need its bounds. */
	if (table == NULL || strings == NULL || strings->bytes == NULL ||
	    strings->size_bytes == 0 || strings->bytes[strings->size_bytes - 1] != '\0') {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND,
		            "%s has no usable symbol table (stripped?)", elf_file_path(file));
		return NULL;
	}
	count = table->size_bytes / sizeof(Elf64_Sym);
	self = g_new0(struct symbols, 1);
	self->all = g_array_sized_new(FALSE, FALSE, sizeof(struct symbol),
	                              (guint)MIN(count, (uint64_t)1 << 24));
	self->file = elf_file_ref(file);
	for (uint64_t i = 1; i < count; i++) {
		Elf64_Sym raw;
		struct symbol symbol;

		memcpy(&raw, table->bytes + i * sizeof(raw), sizeof(raw));
		if (symbol_from_elf(&raw, strings, &symbol))
			g_array_append_val(self->all, symbol);
	}
	return self;
}

static void indexes_drop(struct symbols *self)
{
	g_clear_pointer(&self->by_address, g_free);
	g_clear_pointer(&self->by_alphabet, g_free);
	g_clear_pointer(&self->slots, g_free);
}

void symbols_add(struct symbols *self, const struct symbol *symbol)
{
	struct symbol copy = *symbol;

	if (self->names == NULL)
		self->names = g_string_chunk_new(1 << 16);
	copy.name = g_string_chunk_insert(self->names, symbol->name);
	g_array_append_val(self->all, copy);
	indexes_drop(self);
}

void symbols_free(struct symbols *self)
{
	if (self == NULL)
		return;
	g_array_free(self->all, TRUE);
	indexes_drop(self);
	if (self->names != NULL)
		g_string_chunk_free(self->names);
	elf_file_unref(self->file);
	g_free(self);
}

static int rank(const struct symbol *symbol)
{
	int kind = symbol->kind == SYMBOL_FUNCTION ? 0 : symbol->kind == SYMBOL_OBJECT ? 1 : 2;

	return kind * 2 + (symbol->is_global ? 0 : 1);
}

static const struct symbol *raw_at(const struct symbols *self, uint32_t index)
{
	return &g_array_index(self->all, struct symbol, index);
}

/* What is sorted by address: small, for most of the time goes into moving it. */
struct place {
	uint64_t address;
	uint32_t index;
};

enum {
	DIGITS = 8,
	DIGIT_VALUES = 256
};

/* How often each value of each byte of the addresses occurs. */
static void digits_count(const struct place *places, uint32_t count,
                         uint32_t counts[DIGITS][DIGIT_VALUES])
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t address = places[i].address;

		for (unsigned digit = 0; digit < DIGITS; digit++, address >>= 8)
			counts[digit][address & 0xff]++;
	}
}

/* One pass of a least-significant-digit radix sort. */
static void radix_pass(const struct place *from, struct place *to, uint32_t count, unsigned shift,
                       const uint32_t counts[DIGIT_VALUES])
{
	uint32_t next[DIGIT_VALUES], at = 0;

	for (unsigned value = 0; value < DIGIT_VALUES; value++) {
		next[value] = at;
		at += counts[value];
	}
	for (uint32_t i = 0; i < count; i++)
		to[next[from[i].address >> shift & 0xff]++] = from[i];
}

static int compare_rank(const void *a, const void *b, void *data)
{
	const struct symbol *x = raw_at(data, ((const struct place *)a)->index);
	const struct symbol *y = raw_at(data, ((const struct place *)b)->index);

	return rank(x) != rank(y) ? rank(x) - rank(y) : strcmp(x->name, y->name);
}

/* Of several at one address the best comes first. */
static void sort_equals(struct symbols *self, struct place *places)
{
	uint32_t start = 0, count = self->all->len;

	for (uint32_t i = 1; i <= count; i++) {
		if (i < count && places[i].address == places[start].address)
			continue;
		if (i - start > 1)
			qsort_r(places + start, i - start, sizeof(*places), compare_rank, self);
		start = i;
	}
}

static void sort_by_address(struct symbols *self)
{
	uint32_t counts[DIGITS][DIGIT_VALUES] = { 0 };
	uint32_t count = self->all->len;
	g_autofree struct place *places = NULL, *spare = NULL;

	if (self->by_address != NULL || count == 0)
		return;
	places = g_new(struct place, count);
	spare = g_new(struct place, count);
	for (uint32_t i = 0; i < count; i++)
		places[i] = (struct place) { raw_at(self, i)->address, i };
	digits_count(places, count, counts);
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		unsigned value = (unsigned)(places[0].address >> digit * 8 & 0xff);
		struct place *swap = places;

		if (counts[digit][value] == count)
			continue; /* the same everywhere */
		radix_pass(places, spare, count, digit * 8, counts[digit]);
		places = spare;
		spare = swap;
	}
	sort_equals(self, places);
	self->by_address = g_new(uint32_t, count);
	for (uint32_t i = 0; i < count; i++)
		self->by_address[i] = places[i].index;
}

/* Eight bytes at a time: hashing all names of a kernel is most of the first look-up. */
static uint32_t name_hash(const char *name)
{
	uint64_t hash = UINT64_C(0x9e3779b97f4a7c15);
	size_t left = strlen(name);

	for (; left > 0; left -= MIN(left, 8), name += 8) {
		uint64_t word = 0;

		memcpy(&word, name, MIN(left, 8));
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

/* The slot of a name: taken by it, or free for it. */
static struct name_slot *name_slot(const struct symbols *self, const char *name, uint32_t hash)
{
	uint32_t at = hash & (self->n_slots - 1);

	while (self->slots[at].index_1 != 0 &&
	       (self->slots[at].hash != hash ||
	        strcmp(raw_at(self, self->slots[at].index_1 - 1)->name, name) != 0))
		at = (at + 1) & (self->n_slots - 1);
	return &self->slots[at];
}

static gboolean is_better(const struct symbol *a, const struct symbol *b)
{
	return a->is_global != b->is_global ? a->is_global : a->address < b->address;
}

static void index_names(struct symbols *self)
{
	if (self->slots != NULL)
		return;
	for (self->n_slots = 64; self->n_slots / 2 < self->all->len;)
		self->n_slots *= 2;
	self->slots = g_new0(struct name_slot, self->n_slots);
	for (uint32_t i = 0; i < self->all->len; i++) {
		const char *name = raw_at(self, i)->name;
		uint32_t hash = name_hash(name);
		struct name_slot *slot = name_slot(self, name, hash);

		if (slot->index_1 == 0 ||
		    is_better(raw_at(self, i), raw_at(self, slot->index_1 - 1)))
			*slot = (struct name_slot) { i + 1, hash };
	}
}

static int compare_name(const void *a, const void *b, void *data)
{
	const struct symbol *x = raw_at(data, *(const uint32_t *)a);
	const struct symbol *y = raw_at(data, *(const uint32_t *)b);

	return strcmp(x->name, y->name);
}

static void sort_by_alphabet(struct symbols *self)
{
	if (self->by_alphabet != NULL || self->all->len == 0)
		return;
	self->by_alphabet = g_new(uint32_t, self->all->len);
	for (uint32_t i = 0; i < self->all->len; i++)
		self->by_alphabet[i] = i;
	qsort_r(self->by_alphabet, self->all->len, sizeof(uint32_t), compare_name, self);
}

void symbols_freeze(struct symbols *self)
{
	sort_by_address(self);
	sort_by_alphabet(self);
	index_names(self);
}

size_t symbols_count(const struct symbols *self)
{
	return self->all->len;
}

static const struct symbol *at(const struct symbols *self, size_t index)
{
	return raw_at(self, self->by_address[index]);
}

const struct symbol *symbols_at(struct symbols *self, size_t index)
{
	sort_by_address(self);
	return index < self->all->len ? at(self, index) : NULL;
}

const struct symbol *symbols_by_name(struct symbols *self, const char *name)
{
	uint32_t found;

	index_names(self);
	found = name_slot(self, name, name_hash(name))->index_1;
	return found != 0 ? raw_at(self, found - 1) : NULL;
}

gboolean symbols_address(struct symbols *self, const char *name, uint64_t *address)
{
	const struct symbol *symbol = symbols_by_name(self, name);

	if (symbol == NULL)
		return FALSE;
	*address = symbol->address;
	return TRUE;
}

static gboolean symbol_covers(struct symbols *self, size_t index, uint64_t address)
{
	const struct symbol *symbol = at(self, index);
	uint64_t offset = address - symbol->address;

	if (symbol->size_bytes != 0)
		return offset < symbol->size_bytes;
	if (offset >= SYMBOLS_REACH_BYTES)
		return FALSE;
	for (size_t i = index + 1; i < self->all->len; i++) {
		if (at(self, i)->address != symbol->address)
			return address < at(self, i)->address;
	}
	return TRUE;
}

const struct symbol *symbols_by_address(struct symbols *self, uint64_t address,
                                        uint64_t *offset_bytes)
{
	size_t low = 0, high = self->all->len;
	enum {
		LOOK_BACK = 64
	};

	sort_by_address(self);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (at(self, middle)->address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* `low` is one past the last that begins at or before it. A small symbol (a
	 * label inside a function) may hide the one that covers the address. */
	for (size_t back = 1; back <= LOOK_BACK && back <= low; back++) {
		size_t index = low - back;

		if (!symbol_covers(self, index, address))
			continue;
		/* Of several at one address the best comes first. */
		while (index > 0 && at(self, index - 1)->address == at(self, index)->address &&
		       symbol_covers(self, index - 1, address))
			index--;
		if (offset_bytes != NULL)
			*offset_bytes = address - at(self, index)->address;
		return at(self, index);
	}
	return NULL;
}

/* The first entry of by_alphabet that is not less than `name`. */
static size_t alphabet_lower_bound(struct symbols *self, const char *name)
{
	size_t low = 0, high = self->all->len;

	sort_by_alphabet(self);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(raw_at(self, self->by_alphabet[middle])->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void symbols_complete(struct symbols *self, const char *prefix, size_t max, GPtrArray *names)
{
	const char *last = NULL;

	for (size_t i = alphabet_lower_bound(self, prefix); i < self->all->len && max > 0; i++) {
		const char *name = raw_at(self, self->by_alphabet[i])->name;

		if (!g_str_has_prefix(name, prefix))
			break;
		if (last != NULL && strcmp(last, name) == 0)
			continue;
		g_ptr_array_add(names, (gpointer)name);
		last = name;
		max--;
	}
}
