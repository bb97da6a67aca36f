#include "awareness/symbols/btf.h"

#include "awareness/symbols/symbol-error.h"
#include "awareness/symbols/types-source.h"

#include <string.h>

/* Linux include/uapi/linux/btf.h: struct btf_header, struct btf_type and what
 * follows each kind. */
enum btf_kind {
	BTF_KIND_INT = 1,
	BTF_KIND_PTR,
	BTF_KIND_ARRAY,
	BTF_KIND_STRUCT,
	BTF_KIND_UNION,
	BTF_KIND_ENUM,
	BTF_KIND_FWD,
	BTF_KIND_TYPEDEF,
	BTF_KIND_VOLATILE,
	BTF_KIND_CONST,
	BTF_KIND_RESTRICT,
	BTF_KIND_FUNC,
	BTF_KIND_FUNC_PROTO,
	BTF_KIND_VAR,
	BTF_KIND_DATASEC,
	BTF_KIND_FLOAT,
	BTF_KIND_DECL_TAG,
	BTF_KIND_TYPE_TAG,
	BTF_KIND_ENUM64,
	BTF_KINDS,
};

enum btf_facts {
	BTF_MAGIC = 0xeb9f,
	BTF_VERSION = 1,
	BTF_HEADER_BYTES = 24,
	BTF_INT_SIGNED = 1,
	BTF_INT_CHAR = 2,
	BTF_INT_BOOL = 4,
	BTF_TYPES_MAX = 1 << 22,
};

struct btf_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t header_bytes;
	uint32_t types_offset;
	uint32_t types_bytes;
	uint32_t strings_offset;
	uint32_t strings_bytes;
};

/* Every type begins so. `info`: bits 0-15 a count, 24-28 the kind, 31 a flag. */
struct btf_type {
	uint32_t name;
	uint32_t info;
	uint32_t size_or_type;
};

struct btf {
	GBytes *blob;
	struct elf_file *file; /* NULL where the blob stands alone */
	const uint8_t *types;
	uint32_t types_bytes;
	const char *strings;
	uint32_t strings_bytes;
	uint32_t *offsets;       /* of type id n at [n], from `types`; [0] is unused */
	uint32_t n_types;        /* highest id + 1 */
	GHashTable *enumerators; /* name -> id of its enum; NULL until asked for */
};

static unsigned info_kind(uint32_t info)
{
	return info >> 24 & 0x1f;
}

static uint32_t info_count(uint32_t info)
{
	return info & 0xffff;
}

/* How many bytes follow the type itself; -1 for an unknown kind. */
static int64_t tail_bytes(uint32_t info)
{
	int64_t count = info_count(info);

	switch (info_kind(info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return 12;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return 12 * count;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return 8 * count;
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	default:
		return -1;
	}
}

static gboolean damaged(GError **error, const char *what)
{
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "the BTF is damaged: %s", what);
	return FALSE;
}

static gboolean header_check(struct btf *self, const uint8_t *bytes, size_t len, GError **error)
{
	struct btf_header header;

	if (len < BTF_HEADER_BYTES)
		return damaged(error, "too short for its header");
	memcpy(&header, bytes, sizeof(header));
	if (header.magic != BTF_MAGIC || header.version != BTF_VERSION)
		return damaged(error, "no BTF magic number, or an unknown version");
	if (header.header_bytes < BTF_HEADER_BYTES || header.header_bytes > len)
		return damaged(error, "the header's length lies outside it");
	len -= header.header_bytes;
	if (header.types_offset > len || header.types_bytes > len - header.types_offset ||
	    header.strings_offset > len || header.strings_bytes > len - header.strings_offset)
		return damaged(error, "a section lies outside it");
	self->types = bytes + header.header_bytes + header.types_offset;
	self->types_bytes = header.types_bytes;
	self->strings = (const char *)bytes + header.header_bytes + header.strings_offset;
	self->strings_bytes = header.strings_bytes;
	if (header.strings_bytes == 0 || self->strings[0] != '\0') {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_UNSUPPORTED,
		            "this BTF is a module's: it needs the kernel's own");
		return FALSE;
	}
	if (self->strings[header.strings_bytes - 1] != '\0')
		return damaged(error, "its strings do not end");
	return TRUE;
}

/* Ids count the types in order, from 1. */
static gboolean types_index(struct btf *self, GError **error)
{
	g_autoptr(GArray) offsets = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	uint32_t at = 0;

	g_array_append_val(offsets, at);
	while (at < self->types_bytes) {
		struct btf_type type;
		int64_t tail;

		if (self->types_bytes - at < sizeof(type))
			return damaged(error, "a type is cut off");
		memcpy(&type, self->types + at, sizeof(type));
		tail = tail_bytes(type.info);
		if (tail < 0) {
			g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_UNSUPPORTED,
			            "the BTF has a type of unknown kind %u", info_kind(type.info));
			return FALSE;
		}
		if (tail > (int64_t)(self->types_bytes - at - sizeof(type)))
			return damaged(error, "a type is cut off");
		if (offsets->len >= BTF_TYPES_MAX)
			return damaged(error, "too many types");
		g_array_append_val(offsets, at);
		at += (uint32_t)sizeof(type) + (uint32_t)tail;
	}
	self->n_types = offsets->len;
	self->offsets = (uint32_t *)(void *)g_array_free(g_steal_pointer(&offsets), FALSE);
	return TRUE;
}

static void btf_free(gpointer data)
{
	struct btf *self = data;

	if (self->enumerators != NULL)
		g_hash_table_unref(self->enumerators);
	g_free(self->offsets);
	g_clear_pointer(&self->blob, g_bytes_unref);
	elf_file_unref(self->file);
	g_free(self);
}

static const char *string_at(const struct btf *self, uint32_t offset)
{
	if (offset >= self->strings_bytes || self->strings[offset] == '\0')
		return NULL;
	return self->strings + offset;
}

static struct btf_type type_at(const struct btf *self, uint32_t id)
{
	struct btf_type type;

	memcpy(&type, self->types + self->offsets[id], sizeof(type));
	return type;
}

static const uint8_t *tail_at(const struct btf *self, uint32_t id)
{
	return self->types + self->offsets[id] + sizeof(struct btf_type);
}

static uint32_t word_at(const uint8_t *bytes, size_t index)
{
	uint32_t word;

	memcpy(&word, bytes + index * sizeof(word), sizeof(word));
	return word;
}

static gboolean kind_is_in(unsigned kind, enum type_space space)
{
	switch (space) {
	case TYPE_SPACE_STRUCT:
		return kind == BTF_KIND_STRUCT;
	case TYPE_SPACE_UNION:
		return kind == BTF_KIND_UNION;
	case TYPE_SPACE_ENUM:
		return kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
	case TYPE_SPACE_TYPEDEF:
		return kind == BTF_KIND_TYPEDEF || kind == BTF_KIND_INT || kind == BTF_KIND_FLOAT;
	case TYPE_SPACE_VARIABLE:
		return kind == BTF_KIND_VAR || kind == BTF_KIND_FUNC;
	case TYPE_SPACE_ENUMERATOR:
	case TYPE_SPACES:
		break;
	}
	return FALSE;
}

/* Enumerators by name, of every enum. The first of a name stays. */
static void enumerators_index(struct btf *self)
{
	self->enumerators = g_hash_table_new(g_str_hash, g_str_equal);
	for (uint32_t id = 1; id < self->n_types; id++) {
		struct btf_type type = type_at(self, id);
		unsigned kind = info_kind(type.info);
		size_t words = kind == BTF_KIND_ENUM ? 2 : 3;

		if (kind != BTF_KIND_ENUM && kind != BTF_KIND_ENUM64)
			continue;
		for (uint32_t i = 0; i < info_count(type.info); i++) {
			const char *name = string_at(self, word_at(tail_at(self, id), i * words));

			if (name != NULL && !g_hash_table_contains(self->enumerators, name))
				g_hash_table_insert(self->enumerators, (gpointer)name,
				                    GUINT_TO_POINTER(id));
		}
	}
}

static gboolean source_find(gpointer data, enum type_space space, const char *name, uint64_t *id,
                            GError **error)
{
	struct btf *self = data;

	if (space == TYPE_SPACE_ENUMERATOR) {
		guint found;

		if (self->enumerators == NULL)
			enumerators_index(self);
		found = GPOINTER_TO_UINT(g_hash_table_lookup(self->enumerators, name));
		if (found != 0) {
			*id = found;
			return TRUE;
		}
	}
	for (uint32_t i = 1; i < self->n_types; i++) {
		struct btf_type type = type_at(self, i);
		const char *text;

		if (!kind_is_in(info_kind(type.info), space))
			continue;
		text = string_at(self, type.name);
		if (text == NULL || strcmp(text, name) != 0)
			continue;
		*id = space == TYPE_SPACE_VARIABLE ? type.size_or_type : i;
		return TRUE;
	}
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "no '%s' in the BTF", name);
	return FALSE;
}

/* btf.rst, "BTF_KIND_STRUCT": with the flag set, offset holds the bit field's size
 * in its top byte. */
static struct type_member *members_of(const struct btf *self, uint32_t id,
                                      const struct btf_type *raw)
{
	uint32_t count = info_count(raw->info);
	gboolean has_sizes = (raw->info >> 31) != 0;
	struct type_member *members = g_new0(struct type_member, count);

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *at = tail_at(self, id) + (size_t)i * 12;
		uint32_t offset = word_at(at, 2);

		members[i] = (struct type_member) {
			.name = string_at(self, word_at(at, 0)),
			.type_id = word_at(at, 1),
			.offset_bits = has_sizes ? offset & 0xffffff : offset,
			.bit_size = has_sizes ? offset >> 24 : 0,
		};
	}
	return members;
}

static struct type_enumerator *enumerators_of(const struct btf *self, uint32_t id,
                                              const struct btf_type *raw, size_t *n)
{
	uint32_t count = info_count(raw->info);
	gboolean is_64 = info_kind(raw->info) == BTF_KIND_ENUM64;
	gboolean is_signed = (raw->info >> 31) != 0;
	struct type_enumerator *values = g_new0(struct type_enumerator, count);

	*n = 0;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *at = tail_at(self, id) + (size_t)i * (is_64 ? 12 : 8);
		const char *name = string_at(self, word_at(at, 0));
		uint32_t low = word_at(at, 1);

		if (name == NULL)
			continue;
		values[*n].name = name;
		values[*n].value = is_64       ? (int64_t)((uint64_t)word_at(at, 2) << 32 | low)
		                   : is_signed ? (int32_t)low
		                               : (int64_t)low;
		(*n)++;
	}
	return values;
}

static void load_int(struct type *type, uint32_t word)
{
	unsigned encoding = word >> 24 & 0xf;

	type->kind = (encoding & BTF_INT_BOOL) != 0 ? TYPE_BOOL : TYPE_INT;
	type->is_signed = (encoding & BTF_INT_SIGNED) != 0;
	/* pahole leaves BTF_INT_CHAR out: char goes by its name. */
	if (type->size_bytes == 1 && type->kind == TYPE_INT &&
	    ((encoding & BTF_INT_CHAR) != 0 ||
	     (type->name != NULL && g_str_has_suffix(type->name, "char"))))
		type->kind = TYPE_CHAR;
}

static gboolean load_simple(const struct btf *self, uint32_t id, const struct btf_type *raw,
                            struct type *type)
{
	switch (info_kind(raw->info)) {
	case BTF_KIND_INT:
		type->size_bytes = raw->size_or_type;
		load_int(type, word_at(tail_at(self, id), 0));
		return TRUE;
	case BTF_KIND_FLOAT:
		type->kind = TYPE_FLOAT;
		type->size_bytes = raw->size_or_type;
		return TRUE;
	case BTF_KIND_PTR:
		type->kind = TYPE_POINTER;
		type->size_bytes = 8;
		type->target_id = raw->size_or_type;
		return TRUE;
	case BTF_KIND_ARRAY:
		type->kind = TYPE_ARRAY;
		type->target_id = word_at(tail_at(self, id), 0);
		type->count = word_at(tail_at(self, id), 2);
		return TRUE;
	case BTF_KIND_FWD:
		type->kind = (raw->info >> 31) != 0 ? TYPE_UNION : TYPE_STRUCT;
		type->is_declaration = TRUE;
		return TRUE;
	case BTF_KIND_TYPEDEF:
		type->kind = TYPE_TYPEDEF;
		type->target_id = raw->size_or_type;
		return TRUE;
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		type->kind = TYPE_TYPEDEF;
		type->name = NULL;
		type->target_id = raw->size_or_type;
		return TRUE;
	case BTF_KIND_FUNC_PROTO:
		type->kind = TYPE_FUNCTION;
		type->target_id = raw->size_or_type;
		return TRUE;
	default:
		return FALSE;
	}
}

static struct type *source_load(gpointer data, uint64_t id, GError **error)
{
	const struct btf *self = data;
	g_autofree struct type_member *members = NULL;
	g_autofree struct type_enumerator *enumerators = NULL;
	struct type type = { 0 };
	struct btf_type raw;
	unsigned kind;
	struct type *copy;

	if (id >= self->n_types) {
		damaged(error, "a reference to a type that is not there");
		return NULL;
	}
	raw = type_at(self, (uint32_t)id);
	kind = info_kind(raw.info);
	type.id = id;
	type.name = string_at(self, raw.name);
	if (kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION) {
		type.kind = kind == BTF_KIND_STRUCT ? TYPE_STRUCT : TYPE_UNION;
		type.size_bytes = raw.size_or_type;
		members = members_of(self, (uint32_t)id, &raw);
		type.members = members;
		type.n_members = info_count(raw.info);
	} else if (kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64) {
		type.kind = TYPE_ENUM;
		type.is_signed = (raw.info >> 31) != 0;
		type.size_bytes = raw.size_or_type;
		enumerators = enumerators_of(self, (uint32_t)id, &raw, &type.n_enumerators);
		type.enumerators = enumerators;
	} else if (!load_simple(self, (uint32_t)id, &raw, &type)) {
		damaged(error, "a reference to what is no type");
		return NULL;
	}
	copy = type_copy(&type);
	if (copy == NULL)
		damaged(error, "a type too large");
	return copy;
}

static const struct types_source btf_source = { "BTF", source_find, source_load, btf_free };

static struct types *types_take(struct btf *self, const uint8_t *bytes, size_t len, GError **error)
{
	if (!header_check(self, bytes, len, error) || !types_index(self, error)) {
		btf_free(self);
		return NULL;
	}
	return types_new(&btf_source, self);
}

struct types *btf_types_new(GBytes *blob, GError **error)
{
	struct btf *self = g_new0(struct btf, 1);
	gsize len;
	const uint8_t *bytes = g_bytes_get_data(blob, &len);

	self->blob = g_bytes_ref(blob);
	return types_take(self, bytes, len, error);
}

struct types *btf_types_from_elf(struct elf_file *file, GError **error)
{
	const struct elf_section *section = elf_file_section(file, ".BTF");
	struct btf *self;

	if (section == NULL || section->bytes == NULL) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "%s has no .BTF section",
		            elf_file_path(file));
		return NULL;
	}
	self = g_new0(struct btf, 1);
	self->file = elf_file_ref(file);
	return types_take(self, section->bytes, section->size_bytes, error);
}

/* btf.rst, "BTF_KIND_DATASEC": of each variable its type, offset and size. */
GArray *btf_percpu_variables(struct types *types)
{
	const struct btf *self = types_source_self(types, &btf_source);
	GArray *variables = g_array_new(FALSE, FALSE, sizeof(struct btf_variable));

	for (uint32_t id = 1; self != NULL && id < self->n_types; id++) {
		struct btf_type section = type_at(self, id);
		const char *name = string_at(self, section.name);

		if (info_kind(section.info) != BTF_KIND_DATASEC || name == NULL ||
		    strcmp(name, ".data..percpu") != 0)
			continue;
		for (uint32_t i = 0; i < info_count(section.info); i++) {
			const uint8_t *at = tail_at(self, id) + (size_t)i * 12;
			uint32_t variable = word_at(at, 0);
			struct btf_variable found = { NULL, word_at(at, 1), word_at(at, 2) };

			if (variable == 0 || variable >= self->n_types)
				continue;
			found.name = string_at(self, type_at(self, variable).name);
			if (found.name != NULL)
				g_array_append_val(variables, found);
		}
	}
	return variables;
}
