#include "awareness/symbols/profile.h"

#include "awareness/symbols/image.h"
#include "awareness/symbols/symbol-error.h"
#include "awareness/symbols/types-source.h"

#include <string.h>

/* The form of a profile, a line each, words separated by one space:
 *
 *   hvscope-profile 1
 *   from NAME
 *   build-id HEX                      one or more
 *   type ID KIND SIZE TARGET COUNT FLAGS NAME
 *   m OFFSET_BITS BIT_SIZE TYPE NAME  a member of the type before
 *   e VALUE NAME                      an enumerator of it
 *   var TYPE NAME
 *   end
 *
 * "-" is no name; FLAGS is "s" (signed), "d" (declaration) or "-". Id 0 is void. */
struct writer {
	struct types *types;
	GString *out;
	GHashTable *numbers; /* the source's id -> number in the profile */
	GQueue todo;         /* ids whose number is given and whose type is not written */
	uint64_t last_number;
};

static const char *const kind_names[TYPE_KINDS] = {
	"void",  "int",    "char",  "bool", "float",   "pointer",
	"array", "struct", "union", "enum", "typedef", "function",
};

static uint64_t *id_new(uint64_t id)
{
	return g_memdup2(&id, sizeof(id));
}

static const char *c_keyword(enum type_kind kind)
{
	return kind == TYPE_STRUCT  ? "struct "
	       : kind == TYPE_UNION ? "union "
	       : kind == TYPE_ENUM  ? "enum "
	                            : "";
}

static gboolean is_alike(struct types *types, const struct type *a, const struct type *b)
{
	uint64_t size_a = 0, size_b = 0;

	if (a->kind != b->kind || a->n_members != b->n_members ||
	    a->n_enumerators != b->n_enumerators)
		return FALSE;
	types_size_of(types, a, &size_a, NULL);
	types_size_of(types, b, &size_b, NULL);
	return size_a == size_b;
}

/* Each translation unit has its own copy of a header's types: all that are alike
 * become the first one of that name. */
static const struct type *canonical(struct writer *self, const struct type *type)
{
	g_autofree char *name = NULL;
	const struct type *first;

	if (type->name == NULL || type->kind == TYPE_POINTER || type->kind == TYPE_FUNCTION)
		return type;
	name = g_strconcat(c_keyword(type->kind), type->name, NULL);
	first = types_find(self->types, name, NULL);
	if (first == NULL || (!type->is_declaration && !is_alike(self->types, first, type)))
		return type;
	return first;
}

/* The number of a type in the profile; new ones queue up to be written. */
static uint64_t number_of(struct writer *self, uint64_t id)
{
	const struct type *type;
	const uint64_t *known;

	if (id == 0)
		return 0;
	type = types_by_id(self->types, id, NULL);
	if (type == NULL || type->kind == TYPE_VOID)
		return 0;
	type = canonical(self, type);
	known = g_hash_table_lookup(self->numbers, &type->id);
	if (known != NULL)
		return *known;
	self->last_number++;
	g_hash_table_insert(self->numbers, id_new(type->id), id_new(self->last_number));
	g_queue_push_tail(&self->todo, id_new(type->id));
	return self->last_number;
}

/* A line is an entry: a name that would end it is none. */
static const char *name_or_dash(const char *name)
{
	return name != NULL && strpbrk(name, "\r\n") == NULL ? name : "-";
}

static void type_write(struct writer *self, const struct type *type, uint64_t number)
{
	const char *flags = type->is_declaration ? "d" : type->is_signed ? "s" : "-";

	g_string_append_printf(self->out,
	                       "type %" G_GUINT64_FORMAT " %s %" G_GUINT64_FORMAT
	                       " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s %s\n",
	                       number, kind_names[type->kind], type->size_bytes,
	                       number_of(self, type->target_id), type->count, flags,
	                       name_or_dash(type->name));
	for (size_t i = 0; i < type->n_members; i++) {
		const struct type_member *member = &type->members[i];

		g_string_append_printf(
			self->out, "m %" G_GUINT64_FORMAT " %u %" G_GUINT64_FORMAT " %s\n",
			member->offset_bits, member->bit_size, number_of(self, member->type_id),
			name_or_dash(member->name));
	}
	for (size_t i = 0; i < type->n_enumerators; i++)
		g_string_append_printf(self->out, "e %" G_GINT64_FORMAT " %s\n",
		                       type->enumerators[i].value,
		                       name_or_dash(type->enumerators[i].name));
}

static void todo_write(struct writer *self)
{
	uint64_t *id;

	while ((id = g_queue_pop_head(&self->todo)) != NULL) {
		const struct type *type = types_by_id(self->types, *id, NULL);
		const uint64_t *number = g_hash_table_lookup(self->numbers, id);

		if (type != NULL && number != NULL)
			type_write(self, type, *number);
		g_free(id);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All names of the file, in alphabetical order so that the same input gives the
 * same profile. */
static gboolean all_write(struct writer *self, struct dwarf *dwarf, GError **error)
{
	static const enum type_space spaces[] = { TYPE_SPACE_STRUCT, TYPE_SPACE_UNION,
		                                  TYPE_SPACE_ENUM, TYPE_SPACE_TYPEDEF,
		                                  TYPE_SPACE_VARIABLE };
	static const char *const keywords[] = { "struct ", "union ", "enum ", "" };

	for (size_t i = 0; i < G_N_ELEMENTS(spaces); i++) {
		g_autoptr(GPtrArray) names = dwarf_names(dwarf, spaces[i], error);

		if (names == NULL)
			return FALSE;
		g_ptr_array_sort(names, compare_names);
		for (guint n = 0; n < names->len; n++) {
			const char *name = names->pdata[n];
			g_autofree char *full = NULL;
			const struct type *type;

			if (spaces[i] == TYPE_SPACE_VARIABLE) {
				type = types_of_variable(self->types, name, NULL);
				if (type != NULL)
					g_string_append_printf(self->out,
					                       "var %" G_GUINT64_FORMAT " %s\n",
					                       number_of(self, type->id), name);
				continue;
			}
			full = g_strconcat(keywords[i], name, NULL);
			type = types_find(self->types, full, NULL);
			if (type != NULL)
				number_of(self, type->id);
		}
		todo_write(self);
	}
	return TRUE;
}

static gboolean some_write(struct writer *self, const char *const *only, GError **error)
{
	for (; *only != NULL; only++) {
		const struct type *type = types_find(self->types, *only, error);

		if (type == NULL)
			return FALSE;
		number_of(self, type->id);
		todo_write(self);
	}
	return TRUE;
}

static void head_write(GString *out, const char *path, const char *build_id,
                       const char *const *fits)
{
	g_autofree char *name = g_path_get_basename(path);

	g_string_append_printf(out, "hvscope-profile 1\nfrom %s\nbuild-id %s\n", name, build_id);
	for (; fits != NULL && *fits != NULL; fits++)
		g_string_append_printf(out, "build-id %s\n", *fits);
}

gboolean profile_make(const char *debug_elf, const struct profile_request *request,
                      const char *path, GError **error)
{
	g_autoptr(image_t) image = image_open(debug_elf, NULL, error);
	struct dwarf *dwarf;
	struct writer writer = { 0 };
	g_autoptr(GError) why = NULL;
	gboolean ok;

	if (image == NULL)
		return FALSE;
	if (image_build_id(image) == NULL || !dwarf_is_present(image_elf(image))) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND,
		            "%s has no %s: a profile is made from a build with debug information "
		            "(Xen: CONFIG_EXPERT=y and CONFIG_DEBUG_INFO=y; take xen-syms)",
		            debug_elf, image_build_id(image) == NULL ? "build id" : "DWARF");
		return FALSE;
	}
	dwarf = image_dwarf(image, error);
	writer.types = dwarf != NULL ? image_types(image, error) : NULL;
	if (writer.types == NULL)
		return FALSE;
	writer.out = g_string_new(NULL);
	writer.numbers = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	g_queue_init(&writer.todo);
	head_write(writer.out, debug_elf, image_build_id(image), request->fits);
	ok = request->only != NULL ? some_write(&writer, request->only, error)
	                           : all_write(&writer, dwarf, error);
	g_string_append(writer.out, "end\n");
	if (ok && !g_file_set_contents(path, writer.out->str, (gssize)writer.out->len, &why)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_OPEN, "cannot write the profile: %s",
		            why->message);
		ok = FALSE;
	}
	g_queue_clear_full(&writer.todo, g_free);
	g_hash_table_unref(writer.numbers);
	g_string_free(writer.out, TRUE);
	return ok;
}

/* The configuration itself, packed into the program: it differs as soon as the debug
 * information is switched on and says nothing of layouts. */
static gboolean is_configuration(const char *name)
{
	static const char *const names[] = { "xen_config_data", "kernel_config_data", NULL };

	return g_strv_contains(names, name);
}

gboolean profile_check_fit(struct elf_file *debug, struct elf_file *release, size_t *compared,
                           GError **error)
{
	enum {
		EXAMPLES_MAX = 3
	};
	g_autoptr(symbols_t) ours = symbols_new_from_elf(debug, NULL);
	g_autoptr(symbols_t) theirs = symbols_new_from_elf(release, NULL);
	g_autoptr(GString) examples = g_string_new(NULL);
	size_t both = 0, differ = 0;

	for (size_t i = 0; ours != NULL && theirs != NULL && i < symbols_count(ours); i++) {
		const struct symbol *a = symbols_at(ours, i), *b;

		if (a->kind != SYMBOL_OBJECT || !a->is_global || is_configuration(a->name))
			continue;
		b = symbols_by_name(theirs, a->name);
		if (b == NULL || b->kind != SYMBOL_OBJECT || !b->is_global)
			continue;
		both++;
		if (a->size_bytes == b->size_bytes)
			continue;
		if (differ++ < EXAMPLES_MAX)
			g_string_append_printf(
				examples, "%s%s (%" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT ")",
				differ > 1 ? ", " : "", a->name, a->size_bytes, b->size_bytes);
	}
	*compared = both;
	if (differ == 0)
		return TRUE;
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_TYPE,
	            "%s is no build of the same source and configuration as %s: %zu of %zu "
	            "variables differ in size: %s",
	            elf_file_path(release), elf_file_path(debug), differ, both, examples->str);
	return FALSE;
}
