#include "awareness/symbols/symbol-error.h"
#include "awareness/symbols/types-source.h"

#include <stdlib.h>
#include <string.h>

/* A record: this header, the members, the enumerators, then the strings. A string
 * is given as its offset in the strings plus one; 0 is no string. Host byte order:
 * a record does not travel between machines. */
struct record_header {
	uint32_t kind;
	uint32_t flags;
	uint32_t n_members;
	uint32_t n_enumerators;
	uint32_t name;
	uint32_t strings_bytes;
	uint64_t size_bytes;
	uint64_t target_id;
	uint64_t count;
};

enum record_flag {
	RECORD_SIGNED = 1,
	RECORD_DECLARATION = 2
};

struct record_member {
	uint64_t type_id;
	uint64_t offset_bits;
	uint32_t bit_size;
	uint32_t name;
};

struct record_enumerator {
	int64_t value;
	uint32_t name;
	uint32_t zero;
};

enum record_limits {
	RECORD_ITEMS_MAX = 1 << 20,
	RECORD_STRINGS_MAX = 1 << 28
};

static size_t string_bytes(const char *string)
{
	return string != NULL ? strlen(string) + 1 : 0;
}

static uint32_t string_put(uint8_t *strings, uint32_t *at, const char *string)
{
	uint32_t place = *at;
	size_t len = string_bytes(string);

	if (string == NULL)
		return 0;
	memcpy(strings + place, string, len);
	*at += (uint32_t)len;
	return place + 1;
}

static size_t strings_total(const struct type *type)
{
	size_t total = string_bytes(type->name);

	for (size_t i = 0; i < type->n_members; i++)
		total += string_bytes(type->members[i].name);
	for (size_t i = 0; i < type->n_enumerators; i++)
		total += string_bytes(type->enumerators[i].name);
	return total;
}

uint8_t *type_record_encode(const struct type *type, size_t *len_bytes)
{
	size_t strings = strings_total(type);
	size_t fixed = sizeof(struct record_header) +
	               type->n_members * sizeof(struct record_member) +
	               type->n_enumerators * sizeof(struct record_enumerator);
	uint8_t *out, *member_at, *text;
	struct record_header header;
	uint32_t at = 0;

	if (type->n_members > RECORD_ITEMS_MAX || type->n_enumerators > RECORD_ITEMS_MAX ||
	    strings > RECORD_STRINGS_MAX)
		return NULL;
	out = malloc(fixed + strings);
	if (out == NULL)
		return NULL;
	text = out + fixed;
	header = (struct record_header) {
		.kind = type->kind,
		.flags = (type->is_signed ? RECORD_SIGNED : 0u) |
		         (type->is_declaration ? RECORD_DECLARATION : 0u),
		.n_members = (uint32_t)type->n_members,
		.n_enumerators = (uint32_t)type->n_enumerators,
		.name = string_put(text, &at, type->name),
		.strings_bytes = (uint32_t)strings,
		.size_bytes = type->size_bytes,
		.target_id = type->target_id,
		.count = type->count,
	};
	memcpy(out, &header, sizeof(header));
	member_at = out + sizeof(header);
	for (size_t i = 0; i < type->n_members; i++, member_at += sizeof(struct record_member)) {
		const struct type_member *member = &type->members[i];
		struct record_member raw = { member->type_id, member->offset_bits, member->bit_size,
			                     string_put(text, &at, member->name) };

		memcpy(member_at, &raw, sizeof(raw));
	}
	for (size_t i = 0; i < type->n_enumerators;
	     i++, member_at += sizeof(struct record_enumerator)) {
		const struct type_enumerator *value = &type->enumerators[i];
		struct record_enumerator raw = { value->value, string_put(text, &at, value->name),
			                         0 };

		memcpy(member_at, &raw, sizeof(raw));
	}
	*len_bytes = fixed + strings;
	return out;
}

static gboolean record_damaged(const char *what, GError **error)
{
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "a type record is damaged: %s",
	            what);
	return FALSE;
}

static gboolean header_check(const struct record_header *header, size_t len_bytes, GError **error)
{
	uint64_t want = sizeof(*header);

	if (header->kind >= TYPE_KINDS)
		return record_damaged("unknown kind", error);
	want += (uint64_t)header->n_members * sizeof(struct record_member);
	want += (uint64_t)header->n_enumerators * sizeof(struct record_enumerator);
	want += header->strings_bytes;
	if (want != len_bytes)
		return record_damaged("its length does not fit its counts", error);
	return TRUE;
}

/* The string at a place, or NULL; *ok becomes FALSE where the place is outside. */
static const char *string_get(const char *strings, uint32_t len, uint32_t place, gboolean *ok)
{
	if (place == 0)
		return NULL;
	if (place > len) {
		*ok = FALSE;
		return NULL;
	}
	return strings + place - 1;
}

/* struct type, members, enumerators and strings in one allocation. */
struct decoded {
	struct type type;
	struct type_member *members;
	struct type_enumerator *enumerators;
	char *strings;
};

static struct decoded *decoded_new(const struct record_header *header)
{
	size_t members = header->n_members * sizeof(struct type_member);
	size_t values = header->n_enumerators * sizeof(struct type_enumerator);
	struct decoded *self =
		g_try_malloc0(sizeof(*self) + members + values + header->strings_bytes + 1);

	if (self == NULL)
		return NULL;
	self->members = (struct type_member *)(self + 1);
	self->enumerators = (struct type_enumerator *)(void *)((char *)self->members + members);
	self->strings = (char *)self->enumerators + values;
	self->type = (struct type) {
		.kind = (enum type_kind)header->kind,
		.is_signed = (header->flags & RECORD_SIGNED) != 0,
		.is_declaration = (header->flags & RECORD_DECLARATION) != 0,
		.size_bytes = header->size_bytes,
		.target_id = header->target_id,
		.count = header->count,
		.n_members = header->n_members,
		.members = self->members,
		.n_enumerators = header->n_enumerators,
		.enumerators = self->enumerators,
	};
	return self;
}

struct type *type_record_decode(const uint8_t *bytes, size_t len_bytes, GError **error)
{
	struct record_header header;
	struct decoded *self;
	gboolean ok = TRUE;

	if (len_bytes < sizeof(header)) {
		record_damaged("too short for its header", error);
		return NULL;
	}
	memcpy(&header, bytes, sizeof(header));
	if (!header_check(&header, len_bytes, error))
		return NULL;
	self = decoded_new(&header);
	if (self == NULL) {
		record_damaged("too large for memory", error);
		return NULL;
	}
	/* One byte more than the strings was allocated, so that the last one ends. */
	memcpy(self->strings, bytes + len_bytes - header.strings_bytes, header.strings_bytes);
	self->type.name = string_get(self->strings, header.strings_bytes, header.name, &ok);
	bytes += sizeof(header);
	for (uint32_t i = 0; i < header.n_members; i++, bytes += sizeof(struct record_member)) {
		struct record_member raw;

		memcpy(&raw, bytes, sizeof(raw));
		self->members[i] = (struct type_member) {
			.name = string_get(self->strings, header.strings_bytes, raw.name, &ok),
			.type_id = raw.type_id,
			.offset_bits = raw.offset_bits,
			.bit_size = raw.bit_size,
		};
	}
	for (uint32_t i = 0; i < header.n_enumerators;
	     i++, bytes += sizeof(struct record_enumerator)) {
		struct record_enumerator raw;

		memcpy(&raw, bytes, sizeof(raw));
		self->enumerators[i] = (struct type_enumerator) {
			.name = string_get(self->strings, header.strings_bytes, raw.name, &ok),
			.value = raw.value,
		};
		ok = ok && self->enumerators[i].name != NULL;
	}
	if (!ok) {
		g_free(self);
		record_damaged("a name lies outside it", error);
		return NULL;
	}
	return &self->type;
}

void type_free(struct type *type)
{
	g_free(type); /* the first member of struct decoded */
}

struct type *type_copy(const struct type *type)
{
	size_t len;
	uint8_t *record = type_record_encode(type, &len);
	struct type *copy = record != NULL ? type_record_decode(record, len, NULL) : NULL;

	free(record);
	if (copy != NULL)
		copy->id = type->id;
	return copy;
}
