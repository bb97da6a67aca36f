/* types-source.h: what a source of types has to provide
 *
 * Private to awareness/symbols. DWARF, BTF, profiles and the cache each find names
 * and load one type by its id; types.c does the rest. Type records are the form in
 * which types travel (from the DWARF worker) and are kept (cache, profile): one
 * block of bytes, decoded with every bound checked.
 */
#pragma once

#include "awareness/symbols/types.h"

/* C's name spaces, as far as they matter here. */
enum type_space {
	TYPE_SPACE_STRUCT,
	TYPE_SPACE_UNION,
	TYPE_SPACE_ENUM,
	TYPE_SPACE_TYPEDEF,    /* base types too */
	TYPE_SPACE_VARIABLE,   /* the id is that of the variable's type */
	TYPE_SPACE_ENUMERATOR, /* the id is that of the enum */
	TYPE_SPACES,
};

struct types_source {
	const char *name;
	/* Writes the id of the complete definition of `name`. SYMBOL_ERROR_NOT_FOUND
	 * where there is none. */
	gboolean (*find)(gpointer self, enum type_space space, const char *name, uint64_t *id,
	                 GError **error);
	/* A new type (type_free()), with `id` set. */
	struct type *(*load)(gpointer self, uint64_t id, GError **error);
	/* May be NULL. */
	void (*free)(gpointer self);
};

/* `source` must be static; `self` is given to its functions and freed by it. */
struct types *types_new(const struct types_source *source, gpointer self);

/* What types_new() was given, or NULL where `types` has another source. */
gpointer types_source_self(struct types *types, const struct types_source *source);

/* Types that were loaded hold all their strings and members in one block. */
void type_free(struct type *type);

/* Makes a type from parts that stay the caller's: copies all. */
struct type *type_copy(const struct type *type);

/* A record is a header and tables; see type-record.c. The encoder uses malloc()
 * alone, for the worker runs in a forked process. Returns NULL when out of memory. */
uint8_t *type_record_encode(const struct type *type, size_t *len_bytes);
struct type *type_record_decode(const uint8_t *bytes, size_t len_bytes, GError **error);
