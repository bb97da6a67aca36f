/* types.h: what the memory of a program means
 *
 * One interface over three sources: DWARF, BTF and layout profiles. Answers how
 * big a struct is, where a member lies, what an enumerator is worth, of which type
 * a variable is. It reads no target memory (value.h does) and knows no addresses.
 *
 * Types are fetched when first asked for and kept until types_free(); what it
 * hands out belongs to it. One thread at a time.
 *
 * A type is named as C does: "struct vcpu", "union sigval", "enum zone_type";
 * a bare name means a typedef or base type, else a struct, a union or an enum of
 * that name. Where several translation units define different types of one name,
 * the first complete definition counts.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

enum type_kind {
	TYPE_VOID,
	TYPE_INT, /* any integer, with is_signed */
	TYPE_CHAR,
	TYPE_BOOL,
	TYPE_FLOAT,
	TYPE_POINTER,
	TYPE_ARRAY,
	TYPE_STRUCT,
	TYPE_UNION,
	TYPE_ENUM,
	TYPE_TYPEDEF, /* without a name: a qualifier (const, volatile, ...) */
	TYPE_FUNCTION,
	TYPE_KINDS,
};

struct type_member {
	const char *name; /* NULL for an anonymous struct or union */
	uint64_t type_id;
	uint64_t offset_bits;
	uint32_t bit_size; /* 0 where it is no bit field */
};

struct type_enumerator {
	const char *name;
	int64_t value;
};

/* Immutable. References to other types are ids, resolved by types_by_id(). */
struct type {
	enum type_kind kind;
	gboolean is_signed;
	gboolean is_declaration; /* struct or union without a body */
	const char *name;        /* NULL where it has none */
	uint64_t id;
	uint64_t size_bytes; /* 0 for typedefs, functions, arrays: see types_size_of() */
	uint64_t target_id;  /* pointer, array, typedef, function's result; 0 is void */
	uint64_t count;      /* elements of an array; 0 for a flexible one */
	size_t n_members;
	const struct type_member *members;
	size_t n_enumerators;
	const struct type_enumerator *enumerators;
};

/* Where a member lies, seen from the start of the outermost struct. */
struct type_place {
	uint64_t offset_bytes;
	uint64_t size_bytes;     /* of the member's type */
	uint32_t bit_offset;     /* within the byte at offset_bytes; bit fields only */
	uint32_t bit_size;       /* 0 where it is no bit field */
	const struct type *type; /* typedefs and qualifiers not stripped */
};

struct types;

void types_free(struct types *self);
typedef struct types types_t; /* for g_autoptr(types_t) only */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(types_t, types_free)

/* "DWARF", "BTF" or "profile". */
const char *types_source(const struct types *self);

/* By C name. Errors: SYMBOL_ERROR_NOT_FOUND, or that the source is damaged. */
const struct type *types_find(struct types *self, const char *name, GError **error);

/* The type of a variable or function of that name. BTF knows only per-CPU
 * variables and functions. */
const struct type *types_of_variable(struct types *self, const char *name, GError **error);

/* Id 0 is void. */
const struct type *types_by_id(struct types *self, uint64_t id, GError **error);

/* The type behind typedefs and qualifiers; a struct's declaration becomes its
 * definition where the source has one. */
const struct type *types_strip(struct types *self, const struct type *type, GError **error);

/* sizeof. Errors: as types_find(), SYMBOL_ERROR_TYPE for what has no size. */
gboolean types_size_of(struct types *self, const struct type *type, uint64_t *size_bytes,
                       GError **error);
gboolean types_size(struct types *self, const char *name, uint64_t *size_bytes, GError **error);

/* Where `path` lies in the type `name`: "arch.saved_context.sp", "vcpu[3]" ,
 * "a.b[2].c". Members of anonymous structs and unions are found through them.
 * Arrays may be indexed past their end (the last member of many a struct is
 * declared short); pointers are not followed. Errors: SYMBOL_ERROR_NOT_FOUND for
 * the type or a member, _SYNTAX, _TYPE. */
gboolean types_member(struct types *self, const char *name, const char *path,
                      struct type_place *place, GError **error);
gboolean types_member_of(struct types *self, const struct type *type, const char *path,
                         struct type_place *place, GError **error);

/* The same where only the offset matters and a bit field would be an error. */
gboolean types_offset(struct types *self, const char *name, const char *path,
                      uint64_t *offset_bytes, GError **error);

/* The value of an enumerator. `enum_name` ("enum zone_type") may be NULL: then any
 * enum that has such an enumerator, anonymous ones too. */
gboolean types_enumerator(struct types *self, const char *enum_name, const char *enumerator,
                          int64_t *value, GError **error);

/* The name of a value of an enum, or NULL. */
const char *type_enumerator_name(const struct type *type, int64_t value);

/* How C writes the type: "struct vcpu *", "char [16]". Free with g_free(). */
char *types_describe(struct types *self, const struct type *type);
