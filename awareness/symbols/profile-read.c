#include "awareness/symbols/profile.h"

#include "awareness/symbols/symbol-error.h"
#include "awareness/symbols/types-source.h"

#include <stdio.h>
#include <string.h>

enum profile_limits {
	PROFILE_BYTES_MAX = 256 << 20,
	PROFILE_HEAD_BYTES = 4096,
	PROFILE_TYPES_MAX = 1 << 22,
	WORDS_MAX = 8,
};

/* Where a type's lines begin in the text. */
struct profile {
	char *text;
	GArray *offsets;                /* of size_t, by number; [0] is unused; 0: no such type */
	GHashTable *names[TYPE_SPACES]; /* name -> number; keys owned */
};

static const char *const kind_names[TYPE_KINDS] = {
	"void",  "int",    "char",  "bool", "float",   "pointer",
	"array", "struct", "union", "enum", "typedef", "function",
};

/* A line taken apart in place: words are separated by one space, the last one may
 * hold spaces ("long unsigned int"). */
struct line {
	char *buffer; /* owned */
	char *words[WORDS_MAX];
	unsigned n;
};

static void line_split(struct line *line, const char *text, size_t len, unsigned max)
{
	char *at;

	line->buffer = g_strndup(text, len);
	line->n = 0;
	for (at = line->buffer; at != NULL && line->n < max;) {
		line->words[line->n++] = at;
		at = line->n < max ? strchr(at, ' ') : NULL;
		if (at != NULL)
			*at++ = '\0';
	}
}

static gboolean word_number(const char *word, uint64_t *value)
{
	return g_ascii_string_to_unsigned(word, 10, 0, UINT64_MAX, value, NULL);
}

static const char *word_name(const char *word)
{
	return strcmp(word, "-") == 0 ? NULL : word;
}

static int kind_find(const char *word)
{
	for (int kind = 0; kind < TYPE_KINDS; kind++) {
		if (strcmp(kind_names[kind], word) == 0)
			return kind;
	}
	return -1;
}

static gboolean damaged(GError **error, const char *name, unsigned line, const char *what)
{
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "profile %s, line %u: %s", name,
	            line, what);
	return FALSE;
}

static int kind_space(int kind)
{
	switch (kind) {
	case TYPE_STRUCT:
		return TYPE_SPACE_STRUCT;
	case TYPE_UNION:
		return TYPE_SPACE_UNION;
	case TYPE_ENUM:
		return TYPE_SPACE_ENUM;
	case TYPE_INT:
	case TYPE_CHAR:
	case TYPE_BOOL:
	case TYPE_FLOAT:
	case TYPE_TYPEDEF:
		return TYPE_SPACE_TYPEDEF;
	default:
		return -1;
	}
}

static void name_add(struct profile *self, int space, const char *name, uint64_t number)
{
	if (space >= 0 && name != NULL && !g_hash_table_contains(self->names[space], name))
		g_hash_table_insert(self->names[space], g_strdup(name), GSIZE_TO_POINTER(number));
}

static gboolean type_line(struct profile *self, const struct line *line, size_t offset)
{
	uint64_t number;
	int kind;

	if (line->n != 8 || !word_number(line->words[1], &number) || number == 0 ||
	    number > PROFILE_TYPES_MAX)
		return FALSE;
	kind = kind_find(line->words[2]);
	if (kind < 0)
		return FALSE;
	if (number >= self->offsets->len)
		g_array_set_size(self->offsets, (guint)number + 1);
	g_array_index(self->offsets, size_t, number) = offset;
	if (strcmp(line->words[6], "d") != 0)
		name_add(self, kind_space(kind), word_name(line->words[7]), number);
	return TRUE;
}

/* Goes over the text once and notes where each type and name is. */
static gboolean profile_index(struct profile *self, const char *name, GError **error)
{
	unsigned number = 0;
	gboolean ended = FALSE;

	for (const char *at = self->text; *at != '\0' && !ended;) {
		size_t len = strcspn(at, "\n");
		struct line line;
		gboolean ok = TRUE;
		uint64_t id;

		number++;
		if (number == 1 && (len != strlen("hvscope-profile 1") ||
		                    strncmp(at, "hvscope-profile 1", len) != 0))
			return damaged(error, name, number, "not a profile, or of another version");
		if (strncmp(at, "type ", 5) == 0) {
			line_split(&line, at, len, 8);
			ok = type_line(self, &line, (size_t)(at - self->text));
			g_free(line.buffer);
		} else if (strncmp(at, "var ", 4) == 0) {
			line_split(&line, at, len, 3);
			ok = line.n == 3 && word_number(line.words[1], &id) &&
			     id <= PROFILE_TYPES_MAX;
			if (ok)
				name_add(self, TYPE_SPACE_VARIABLE, line.words[2], id);
			g_free(line.buffer);
		} else if (len == 3 && strncmp(at, "end", 3) == 0) {
			ended = TRUE;
		}
		if (!ok)
			return damaged(error, name, number, "it does not have the words it should");
		at += len + (at[len] == '\n' ? 1 : 0);
	}
	return ended || damaged(error, name, number, "it is cut off (no 'end')");
}

static void profile_free(gpointer data)
{
	struct profile *self = data;

	for (int space = 0; space < TYPE_SPACES; space++)
		g_hash_table_unref(self->names[space]);
	g_array_unref(self->offsets);
	g_free(self->text);
	g_free(self);
}

/* The items of a type, from the lines after its own. */
struct items {
	GArray *members;
	GArray *enumerators;
	GPtrArray *lines; /* keeps the names */
};

static gboolean item_parse(struct items *items, const char *at, size_t len)
{
	struct line line;
	uint64_t offset, bits, type;
	int64_t value;

	if (at[0] == 'm' && at[1] == ' ') {
		line_split(&line, at, len, 5);
		g_ptr_array_add(items->lines, line.buffer);
		if (line.n != 5 || !word_number(line.words[1], &offset) ||
		    !word_number(line.words[2], &bits) || bits > UINT32_MAX ||
		    !word_number(line.words[3], &type))
			return FALSE;
		g_array_append_vals(items->members,
		                    &(struct type_member) { word_name(line.words[4]), type, offset,
		                                            (uint32_t)bits },
		                    1);
		return TRUE;
	}
	line_split(&line, at, len, 3);
	g_ptr_array_add(items->lines, line.buffer);
	if (line.n != 3 ||
	    !g_ascii_string_to_signed(line.words[1], 10, INT64_MIN, INT64_MAX, &value, NULL))
		return FALSE;
	g_array_append_vals(items->enumerators, &(struct type_enumerator) { line.words[2], value },
	                    1);
	return TRUE;
}

static gboolean items_parse(struct items *items, const char *at)
{
	while ((at[0] == 'm' || at[0] == 'e') && at[1] == ' ') {
		size_t len = strcspn(at, "\n");

		if (!item_parse(items, at, len))
			return FALSE;
		at += len + (at[len] == '\n' ? 1 : 0);
	}
	return TRUE;
}

static gboolean head_parse(const struct line *line, struct type *type)
{
	if (line->n != 8 || !word_number(line->words[3], &type->size_bytes) ||
	    !word_number(line->words[4], &type->target_id) ||
	    !word_number(line->words[5], &type->count))
		return FALSE;
	type->kind = (enum type_kind)kind_find(line->words[2]);
	type->is_signed = strcmp(line->words[6], "s") == 0;
	type->is_declaration = strcmp(line->words[6], "d") == 0;
	type->name = word_name(line->words[7]);
	return TRUE;
}

static struct type *source_load(gpointer data, uint64_t id, GError **error)
{
	const struct profile *self = data;
	struct items items = { g_array_new(FALSE, FALSE, sizeof(struct type_member)),
		               g_array_new(FALSE, FALSE, sizeof(struct type_enumerator)),
		               g_ptr_array_new_with_free_func(g_free) };
	struct type type = { .id = id }, *copy = NULL;
	struct line line = { 0 };
	size_t offset = id < self->offsets->len ? g_array_index(self->offsets, size_t, id) : 0;
	const char *at = self->text + offset;
	size_t len = strcspn(at, "\n");

	if (offset != 0) {
		line_split(&line, at, len, 8);
		at += len + (at[len] == '\n' ? 1 : 0);
		if (head_parse(&line, &type) && items_parse(&items, at)) {
			type.members = (const void *)items.members->data;
			type.n_members = items.members->len;
			type.enumerators = (const void *)items.enumerators->data;
			type.n_enumerators = items.enumerators->len;
			copy = type_copy(&type);
		}
	}
	if (copy == NULL)
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED,
		            "type %" G_GUINT64_FORMAT " of the profile is missing or damaged", id);
	g_array_unref(items.members);
	g_array_unref(items.enumerators);
	g_ptr_array_unref(items.lines);
	g_free(line.buffer);
	return copy;
}

/* The enum that has the enumerator, if any does. */
static uint64_t enumerator_find(struct profile *self, const char *name)
{
	for (guint id = 1; id < self->offsets->len; id++) {
		struct type *type = source_load(self, id, NULL);
		gboolean found = FALSE;

		for (size_t i = 0; type != NULL && i < type->n_enumerators && !found; i++)
			found = strcmp(type->enumerators[i].name, name) == 0;
		type_free(type);
		if (found)
			return id;
	}
	return 0;
}

static gboolean source_find(gpointer data, enum type_space space, const char *name, uint64_t *id,
                            GError **error)
{
	struct profile *self = data;
	gpointer number;

	if (space == TYPE_SPACE_ENUMERATOR) {
		uint64_t found = enumerator_find(self, name);

		if (found != 0) {
			*id = found;
			return TRUE;
		}
	} else if (g_hash_table_lookup_extended(self->names[space], name, NULL, &number)) {
		*id = GPOINTER_TO_SIZE(number);
		return TRUE;
	}
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "no '%s' in the profile", name);
	return FALSE;
}

static const struct types_source profile_source = { "profile", source_find, source_load,
	                                            profile_free };

struct types *profile_parse(const char *text, size_t len_bytes, const char *name, GError **error)
{
	struct profile *self = g_new0(struct profile, 1);

	self->text = g_strndup(text, len_bytes);
	self->offsets = g_array_new(FALSE, TRUE, sizeof(size_t));
	for (int space = 0; space < TYPE_SPACES; space++)
		self->names[space] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (!profile_index(self, name, error)) {
		profile_free(self);
		return NULL;
	}
	return types_new(&profile_source, self);
}

struct types *profile_load(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) why = NULL;
	gsize len;

	if (!g_file_get_contents(path, &text, &len, &why)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_OPEN, "cannot read the profile: %s",
		            why->message);
		return NULL;
	}
	if (len > PROFILE_BYTES_MAX) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "profile %s is too large",
		            path);
		return NULL;
	}
	return profile_parse(text, len, path, error);
}

gboolean profile_fits(const char *path, const char *build_id)
{
	char head[PROFILE_HEAD_BYTES + 1];
	g_autofree char *wanted = g_strdup_printf("\nbuild-id %s\n", build_id);
	FILE *file = fopen(path, "re");
	size_t got;

	if (file == NULL)
		return FALSE;
	got = fread(head, 1, PROFILE_HEAD_BYTES, file);
	fclose(file);
	head[got] = '\0';
	return g_str_has_prefix(head, "hvscope-profile ") && strstr(head, wanted) != NULL;
}

static char *directory_find(const char *data_dir, const char *build_id)
{
	g_autofree char *path = g_build_filename(data_dir, "hvscope", "profiles", NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		if (g_str_has_suffix(name, ".profile") && profile_fits(file, build_id))
			return g_steal_pointer(&file);
	}
	return NULL;
}

char *profile_find(const char *build_id)
{
	char *found = directory_find(g_get_user_data_dir(), build_id);

	for (const char *const *dir = g_get_system_data_dirs(); found == NULL && *dir != NULL;
	     dir++)
		found = directory_find(*dir, build_id);
	return found;
}
