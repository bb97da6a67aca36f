/* value.h: what a piece of target memory says, by its type
 *
 * A value is a type and a place (an lvalue), or a type and a number. Reading and
 * printing go through the caller's callback; it keeps nothing and knows no machine.
 * Memory and types are untrusted: depth, elements and length of what is printed are
 * bounded, and what cannot be read is printed as such.
 */
#pragma once

#include "awareness/symbols/symbols.h"
#include "awareness/symbols/types.h"

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdint.h>

enum value_limits {
	VALUE_DEPTH_MAX = 12,
	VALUE_ELEMENTS_MAX = 200,
	VALUE_STRING_MAX = 256,
	VALUE_TEXT_MAX = 256 << 10,
};

/* What an expression is evaluated in. All of it stays the caller's. */
struct value_context {
	struct types *types;     /* may be NULL: then only numbers and addresses */
	struct symbols *symbols; /* may be NULL */
	uint64_t slide;          /* added to the symbols' addresses (KASLR) */
	/* Reads memory of the machine and space that the expression is about. */
	gboolean (*read)(gpointer data, uint64_t va, void *buffer, size_t len_bytes);
	/* The value of `$name`: a register. May be NULL. */
	gboolean (*variable)(gpointer data, const char *name, uint64_t *value);
	gpointer data;
};

struct value {
	const struct type *type; /* NULL: an address without a type */
	/* How many pointers on top of `type`: 1 for `&x` and `(struct x *)n`. */
	unsigned stars;
	gboolean is_place; /* in memory at `address`; FALSE: `number` it is */
	uint64_t address;
	uint32_t bit_offset; /* bit fields: within the byte at `address` */
	uint32_t bit_size;   /* 0 where it is no bit field */
	uint64_t number;
};

/* The value as a number: an integer (sign-extended), pointer, enum, bool or bit
 * field. Errors: SYMBOL_ERROR_TYPE, _MEMORY. */
gboolean value_number(const struct value_context *context, const struct value *value,
                      uint64_t *number, GError **error);

/* What a pointer points to, a member, an element. Errors: SYMBOL_ERROR_TYPE, _MEMORY,
 * _NOT_FOUND. `out` may be `value`. */
gboolean value_follow(const struct value_context *context, const struct value *value,
                      struct value *out, GError **error);
gboolean value_member(const struct value_context *context, const struct value *value,
                      const char *name, struct value *out, GError **error);
gboolean value_element(const struct value_context *context, const struct value *value,
                       int64_t index, struct value *out, GError **error);

/* The type as C writes it, with the value's own stars. Free with g_free(). */
char *value_describe_type(const struct value_context *context, const struct value *value);

/* As C would write it: {pid = 1, comm = "init", ...}. Never fails: what cannot be
 * read says so. Free with g_free(). */
char *value_format(const struct value_context *context, const struct value *value);

/* The same as JSON: objects, arrays, strings, numbers; null for what cannot be read.
 * Pointers are strings ("0xffff..."), for JSON's numbers end at 2^53. */
JsonNode *value_to_json(const struct value_context *context, const struct value *value);
