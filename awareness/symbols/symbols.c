#include "awareness/symbols/symbols.h"

#include "awareness/symbols/symbol-error.h"

#include <elf.h>
#include <string.h>

struct symbols {
	struct elf_file *file; /* keeps the names alive; NULL for a hand-filled table */
	GStringChunk *names;   /* of a hand-filled table */
	GArray *all;           /* struct symbol, sorted by address once is_sorted */
	gboolean is_sorted;
	uint32_t *by_name; /* sorted by name, indexes into `all`; NULL until needed */
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

	if (raw->st_shndx == SHN_UNDEF || type == STT_FILE || type == STT_SECTION ||
	    type == STT_TLS)
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
	self = symbols_new();
	self->file = elf_file_ref(file);
	count = table->size_bytes / sizeof(Elf64_Sym);
	for (uint64_t i = 1; i < count; i++) {
		Elf64_Sym raw;
		struct symbol symbol;

		memcpy(&raw, table->bytes + i * sizeof(raw), sizeof(raw));
		if (symbol_from_elf(&raw, strings, &symbol))
			g_array_append_val(self->all, symbol);
	}
	return self;
}

void symbols_add(struct symbols *self, const struct symbol *symbol)
{
	struct symbol copy = *symbol;

	if (self->names == NULL)
		self->names = g_string_chunk_new(1 << 16);
	copy.name = g_string_chunk_insert(self->names, symbol->name);
	g_array_append_val(self->all, copy);
	self->is_sorted = FALSE;
	g_clear_pointer(&self->by_name, g_free);
}

void symbols_free(struct symbols *self)
{
	if (self == NULL)
		return;
	g_array_free(self->all, TRUE);
	g_free(self->by_name);
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

static int compare_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (rank(x) != rank(y))
		return rank(x) < rank(y) ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void sort_by_address(struct symbols *self)
{
	if (self->is_sorted)
		return;
	g_array_sort(self->all, compare_address);
	self->is_sorted = TRUE;
}

static int compare_name(const void *a, const void *b, void *data)
{
	const struct symbol *all = data;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = strcmp(all[x].name, all[y].name);

	if (order != 0)
		return order;
	if (all[x].is_global != all[y].is_global)
		return all[x].is_global ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void sort_by_name(struct symbols *self)
{
	sort_by_address(self);
	if (self->by_name != NULL || self->all->len == 0)
		return;
	self->by_name = g_new(uint32_t, self->all->len);
	for (uint32_t i = 0; i < self->all->len; i++)
		self->by_name[i] = i;
	qsort_r(self->by_name, self->all->len, sizeof(uint32_t), compare_name, self->all->data);
}

void symbols_freeze(struct symbols *self)
{
	sort_by_name(self);
}

size_t symbols_count(const struct symbols *self)
{
	return self->all->len;
}

static const struct symbol *at(const struct symbols *self, size_t index)
{
	return &g_array_index(self->all, struct symbol, index);
}

const struct symbol *symbols_at(struct symbols *self, size_t index)
{
	sort_by_address(self);
	return index < self->all->len ? at(self, index) : NULL;
}

/* The first entry of by_name that is not less than `name`. */
static size_t name_lower_bound(struct symbols *self, const char *name)
{
	size_t low = 0, high = self->all->len;

	sort_by_name(self);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(at(self, self->by_name[middle])->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct symbol *symbols_by_name(struct symbols *self, const char *name)
{
	size_t index = name_lower_bound(self, name);
	const struct symbol *found;

	if (index >= self->all->len)
		return NULL;
	found = at(self, self->by_name[index]);
	return strcmp(found->name, name) == 0 ? found : NULL;
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

void symbols_complete(struct symbols *self, const char *prefix, size_t max, GPtrArray *names)
{
	const char *last = NULL;

	for (size_t i = name_lower_bound(self, prefix); i < self->all->len && max > 0; i++) {
		const char *name = at(self, self->by_name[i])->name;

		if (!g_str_has_prefix(name, prefix))
			break;
		if (last != NULL && strcmp(last, name) == 0)
			continue;
		g_ptr_array_add(names, (gpointer)name);
		last = name;
		max--;
	}
}
