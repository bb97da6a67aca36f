#include "awareness/symbols/types.h"

#include "awareness/symbols/symbol-error.h"
#include "awareness/symbols/types-source.h"

#include <string.h>

enum types_limits {
	STRIP_DEPTH_MAX = 64,     /* typedefs of typedefs: more is a cycle */
	ANONYMOUS_DEPTH_MAX = 32, /* structs within structs */
	ANONYMOUS_TOTAL_MAX = 10000,
	ARRAY_DEPTH_MAX = 16,
};

struct types {
	const struct types_source *source;
	gpointer source_self;
	GHashTable *by_id;   /* &type->id -> struct type, owned */
	GHashTable *by_name; /* "space name" -> uint64_t id; UINT64_MAX: known not to be */
	struct type void_type;
};

static const uint64_t no_such_id = UINT64_MAX;

struct types *types_new(const struct types_source *source, gpointer source_self)
{
	struct types *self = g_new0(struct types, 1);

	self->source = source;
	self->source_self = source_self;
	self->by_id =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, (GDestroyNotify)type_free);
	self->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	self->void_type = (struct type) { .kind = TYPE_VOID, .name = "void" };
	return self;
}

void types_free(struct types *self)
{
	if (self == NULL)
		return;
	g_hash_table_unref(self->by_id);
	g_hash_table_unref(self->by_name);
	if (self->source->free != NULL)
		self->source->free(self->source_self);
	g_free(self);
}

gpointer types_source_self(struct types *types, const struct types_source *source)
{
	return types->source == source ? types->source_self : NULL;
}

const char *types_source(const struct types *self)
{
	return self->source->name;
}

const struct type *types_by_id(struct types *self, uint64_t id, GError **error)
{
	struct type *type;

	if (id == 0)
		return &self->void_type;
	type = g_hash_table_lookup(self->by_id, &id);
	if (type != NULL)
		return type;
	type = self->source->load(self->source_self, id, error);
	if (type == NULL)
		return NULL;
	type->id = id;
	g_hash_table_insert(self->by_id, &type->id, type);
	return type;
}

/* The id of a name in one space; remembers both answers. */
static gboolean find_id(struct types *self, enum type_space space, const char *name, uint64_t *id,
                        GError **error)
{
	g_autofree char *key = g_strdup_printf("%d %s", (int)space, name);
	const uint64_t *known = g_hash_table_lookup(self->by_name, key);
	g_autoptr(GError) why = NULL;
	uint64_t found = no_such_id;

	if (known != NULL)
		found = *known;
	else if (!self->source->find(self->source_self, space, name, &found, &why) &&
	         !g_error_matches(why, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	if (known == NULL)
		g_hash_table_insert(self->by_name, g_steal_pointer(&key),
		                    g_memdup2(&found, sizeof(found)));
	if (found == no_such_id) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "no type '%s' in the %s",
		            name, self->source->name);
		return FALSE;
	}
	*id = found;
	return TRUE;
}

static const struct type *find_in(struct types *self, enum type_space space, const char *name,
                                  GError **error)
{
	uint64_t id;

	return find_id(self, space, name, &id, error) ? types_by_id(self, id, error) : NULL;
}

const struct type *types_find(struct types *self, const char *name, GError **error)
{
	static const enum type_space bare[] = { TYPE_SPACE_TYPEDEF, TYPE_SPACE_STRUCT,
		                                TYPE_SPACE_UNION, TYPE_SPACE_ENUM };

	if (g_str_has_prefix(name, "struct "))
		return find_in(self, TYPE_SPACE_STRUCT, name + strlen("struct "), error);
	if (g_str_has_prefix(name, "union "))
		return find_in(self, TYPE_SPACE_UNION, name + strlen("union "), error);
	if (g_str_has_prefix(name, "enum "))
		return find_in(self, TYPE_SPACE_ENUM, name + strlen("enum "), error);
	if (strcmp(name, "void") == 0)
		return &self->void_type;
	for (size_t i = 0; i < G_N_ELEMENTS(bare); i++) {
		g_autoptr(GError) why = NULL;
		const struct type *type = find_in(self, bare[i], name, &why);

		if (type != NULL)
			return type;
		if (!g_error_matches(why, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND)) {
			g_propagate_error(error, g_steal_pointer(&why));
			return NULL;
		}
	}
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "no type '%s' in the %s", name,
	            self->source->name);
	return NULL;
}

const struct type *types_of_variable(struct types *self, const char *name, GError **error)
{
	return find_in(self, TYPE_SPACE_VARIABLE, name, error);
}

static const char *kind_keyword(enum type_kind kind)
{
	return kind == TYPE_STRUCT ? "struct " : kind == TYPE_UNION ? "union " : "enum ";
}

const struct type *types_strip(struct types *self, const struct type *type, GError **error)
{
	for (unsigned depth = 0; type != NULL && type->kind == TYPE_TYPEDEF; depth++) {
		if (depth == STRIP_DEPTH_MAX) {
			g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED,
			            "the typedef '%s' never ends",
			            type->name != NULL ? type->name : "(none)");
			return NULL;
		}
		type = types_by_id(self, type->target_id, error);
	}
	if (type != NULL && type->is_declaration && type->name != NULL) {
		g_autofree char *name = g_strconcat(kind_keyword(type->kind), type->name, NULL);

		return types_find(self, name, error);
	}
	return type;
}

gboolean types_size_of(struct types *self, const struct type *type, uint64_t *size_bytes,
                       GError **error)
{
	uint64_t count = 1, size;

	for (unsigned depth = 0; depth < ARRAY_DEPTH_MAX; depth++) {
		type = types_strip(self, type, error);
		if (type == NULL)
			return FALSE;
		if (type->kind != TYPE_ARRAY)
			break;
		if (__builtin_mul_overflow(count, type->count, &count))
			break;
		type = types_by_id(self, type->target_id, error);
		if (type == NULL)
			return FALSE;
	}
	if (type->kind == TYPE_ARRAY || type->kind == TYPE_TYPEDEF || type->kind == TYPE_FUNCTION ||
	    type->kind == TYPE_VOID || __builtin_mul_overflow(count, type->size_bytes, &size)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_TYPE, "the type '%s' has no size",
		            type->name != NULL ? type->name : "(unnamed)");
		return FALSE;
	}
	*size_bytes = size;
	return TRUE;
}

gboolean types_size(struct types *self, const char *name, uint64_t *size_bytes, GError **error)
{
	const struct type *type = types_find(self, name, error);

	return type != NULL && types_size_of(self, type, size_bytes, error);
}

/* What a search through anonymous members found. */
struct found_member {
	unsigned budget; /* types still to be looked into: nested twice each they explode */
	const struct type_member *member;
	uint64_t offset_bits; /* from the outermost struct */
};

static gboolean member_search(struct types *self, const struct type *type, const char *name,
                              size_t name_len, uint64_t base_bits, unsigned depth,
                              struct found_member *found)
{
	for (size_t i = 0; i < type->n_members; i++) {
		const struct type_member *member = &type->members[i];
		uint64_t offset = base_bits + member->offset_bits;
		const struct type *inner;

		if (member->name != NULL) {
			if (strncmp(member->name, name, name_len) != 0 ||
			    member->name[name_len] != '\0')
				continue;
			found->member = member;
			found->offset_bits = offset;
			return TRUE;
		}
		if (depth == ANONYMOUS_DEPTH_MAX || found->budget == 0)
			continue;
		found->budget--;
		inner = types_by_id(self, member->type_id, NULL);
		inner = inner != NULL ? types_strip(self, inner, NULL) : NULL;
		if (inner != NULL && (inner->kind == TYPE_STRUCT || inner->kind == TYPE_UNION) &&
		    member_search(self, inner, name, name_len, offset, depth + 1, found))
			return TRUE;
	}
	return FALSE;
}

/* Where the walk along a path has come to. */
struct path_state {
	const struct type *type; /* as declared */
	uint64_t offset_bits;
	uint32_t bit_size;
};

static gboolean path_member(struct types *self, struct path_state *state, const char **path,
                            GError **error)
{
	size_t len = strcspn(*path, ".[");
	const struct type *type = types_strip(self, state->type, error);
	struct found_member found = { .budget = ANONYMOUS_TOTAL_MAX };

	if (type == NULL)
		return FALSE;
	if (type->kind != TYPE_STRUCT && type->kind != TYPE_UNION) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_TYPE,
		            "'%s' is no struct or union, it has no member '%.*s'",
		            type->name != NULL ? type->name : "(unnamed)", (int)len, *path);
		return FALSE;
	}
	if (len == 0 || !member_search(self, type, *path, len, state->offset_bits, 0, &found)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND,
		            "%s%s has no member '%.*s' (%s)", kind_keyword(type->kind),
		            type->name != NULL ? type->name : "(unnamed)", (int)len, *path,
		            self->source->name);
		return FALSE;
	}
	state->type = types_by_id(self, found.member->type_id, error);
	state->offset_bits = found.offset_bits;
	state->bit_size = found.member->bit_size;
	*path += len;
	return state->type != NULL;
}

static gboolean path_index(struct types *self, struct path_state *state, const char **path,
                           GError **error)
{
	const struct type *type = types_strip(self, state->type, error);
	char *end;
	uint64_t index, size, offset;

	if (type == NULL)
		return FALSE;
	index = g_ascii_strtoull(*path + 1, &end, 0);
	if (end == *path + 1 || *end != ']' || !g_ascii_isdigit((*path)[1])) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_SYNTAX,
		            "expected a number and ']' after '[' in '%s'", *path);
		return FALSE;
	}
	if (type->kind != TYPE_ARRAY) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_TYPE,
		            "what is before '%s' is no array", *path);
		return FALSE;
	}
	state->type = types_by_id(self, type->target_id, error);
	if (state->type == NULL || !types_size_of(self, state->type, &size, error))
		return FALSE;
	if (__builtin_mul_overflow(index, size, &offset) ||
	    __builtin_mul_overflow(offset, 8, &offset) ||
	    __builtin_add_overflow(state->offset_bits, offset, &state->offset_bits)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_TYPE,
		            "the index in '%s' is too large", *path);
		return FALSE;
	}
	*path = end + 1;
	return TRUE;
}

gboolean types_member_of(struct types *self, const struct type *type, const char *path,
                         struct type_place *place, GError **error)
{
	struct path_state state = { .type = type };
	uint64_t size = 0;
	const char *at = path;

	do {
		if (*at == '[' ? !path_index(self, &state, &at, error)
		               : !path_member(self, &state, &at, error))
			return FALSE;
		if (*at == '.' && *++at == '\0') {
			g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_SYNTAX,
			            "the member path '%s' ends with a point", path);
			return FALSE;
		}
	} while (*at != '\0');
	/* A flexible array or a function has no size and is a member all the same. */
	if (!types_size_of(self, state.type, &size, NULL))
		size = 0;
	*place = (struct type_place) {
		.offset_bytes = state.offset_bits / 8,
		.size_bytes = size,
		.bit_offset = (uint32_t)(state.offset_bits % 8),
		.bit_size = state.bit_size,
		.type = state.type,
	};
	return TRUE;
}

gboolean types_member(struct types *self, const char *name, const char *path,
                      struct type_place *place, GError **error)
{
	const struct type *type = types_find(self, name, error);

	return type != NULL && types_member_of(self, type, path, place, error);
}

gboolean types_offset(struct types *self, const char *name, const char *path,
                      uint64_t *offset_bytes, GError **error)
{
	struct type_place place;

	if (!types_member(self, name, path, &place, error))
		return FALSE;
	if (place.bit_size != 0) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_TYPE, "%s.%s is a bit field", name,
		            path);
		return FALSE;
	}
	*offset_bytes = place.offset_bytes;
	return TRUE;
}

gboolean types_enumerator(struct types *self, const char *enum_name, const char *enumerator,
                          int64_t *value, GError **error)
{
	const struct type *type;

	if (enum_name != NULL) {
		type = types_find(self, enum_name, error);
		type = type != NULL ? types_strip(self, type, error) : NULL;
	} else {
		type = find_in(self, TYPE_SPACE_ENUMERATOR, enumerator, error);
	}
	if (type == NULL)
		return FALSE;
	for (size_t i = 0; i < type->n_enumerators; i++) {
		if (strcmp(type->enumerators[i].name, enumerator) == 0) {
			*value = type->enumerators[i].value;
			return TRUE;
		}
	}
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "no enumerator '%s' in %s",
	            enumerator, enum_name != NULL ? enum_name : "any enum");
	return FALSE;
}

const char *type_enumerator_name(const struct type *type, int64_t value)
{
	for (size_t i = 0; i < type->n_enumerators; i++) {
		if (type->enumerators[i].value == value)
			return type->enumerators[i].name;
	}
	return NULL;
}

/* Qualifiers have no name here: what they qualify is described. */
char *types_describe(struct types *self, const struct type *type)
{
	GString *suffix = g_string_new(NULL);
	g_autofree char *tail = NULL;
	const char *keyword = "", *name;

	for (unsigned depth = 0; depth < STRIP_DEPTH_MAX && type != NULL; depth++) {
		if (type->kind == TYPE_POINTER)
			g_string_prepend_c(suffix, '*');
		else if (type->kind == TYPE_ARRAY)
			g_string_append_printf(suffix, "[%" G_GUINT64_FORMAT "]", type->count);
		else if (type->kind == TYPE_FUNCTION)
			g_string_append(suffix, "()");
		else if (type->kind != TYPE_TYPEDEF || type->name != NULL)
			break;
		type = types_by_id(self, type->target_id, NULL);
	}
	if (type != NULL &&
	    (type->kind == TYPE_STRUCT || type->kind == TYPE_UNION || type->kind == TYPE_ENUM))
		keyword = kind_keyword(type->kind);
	name = type == NULL ? "?" : type->name != NULL ? type->name : "{...}";
	tail = g_string_free(suffix, FALSE);
	return g_strconcat(keyword, name, tail[0] != '\0' ? " " : "", tail, NULL);
}
