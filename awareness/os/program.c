#include "awareness/os/program.h"

#include "awareness/symbols/symbol-error.h"

#include <string.h>

G_DEFINE_QUARK(hvscope - os - error, os_error)

gboolean program_init(struct program *self, struct image *image, struct space *space,
                      uint64_t slide, GError **error)
{
	struct program program = { .image = image, .space = space, .slide = slide };
	g_autoptr(GError) missing = NULL;

	program.symbols = image_symbols(image, &missing);
	if (program.symbols == NULL) {
		g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS, "%s serves no names: %s",
		            image_name(image), missing->message);
		return FALSE;
	}
	program.types = image_types(image, NULL);
	*self = program;
	return TRUE;
}

gboolean program_address(const struct program *self, const char *name, struct va *out,
                         GError **error)
{
	uint64_t linked;

	if (!symbols_address(self->symbols, name, &linked)) {
		g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS, "%s has no symbol '%s'",
		            image_name(self->image), name);
		return FALSE;
	}
	out->value = linked + self->slide;
	return TRUE;
}

gboolean program_has(const struct program *self, const char *name)
{
	return symbols_by_name(self->symbols, name) != NULL;
}

gboolean program_read_variable(const struct program *self, const char *name, size_t len_bytes,
                               uint64_t *out, GError **error)
{
	struct va va;

	if (!program_address(self, name, &va, error))
		return FALSE;
	if (space_read_uint(self->space, va, len_bytes, out, error))
		return TRUE;
	g_prefix_error(error, "cannot read '%s' of %s: ", name, image_name(self->image));
	return FALSE;
}

char *program_name_address(const struct program *self, struct va va)
{
	uint64_t offset_bytes = 0;
	const struct symbol *symbol =
		symbols_by_address(self->symbols, va.value - self->slide, &offset_bytes);

	if (symbol == NULL)
		return NULL;
	if (offset_bytes == 0)
		return g_strdup(symbol->name);
	return g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", symbol->name, offset_bytes);
}

static gboolean find_field(struct layout *self, const struct program *program, size_t i,
                           GError **error)
{
	g_auto(GStrv) names = g_strsplit(self->fields[i].path, "|", -1);
	g_autoptr(GError) missing = NULL;

	for (gsize n = 0; names[n] != NULL; n++) {
		struct type_place place;

		g_clear_error(&missing);
		if (types_member(program->types, self->type, names[n], &place, &missing)) {
			self->found[i] = TRUE;
			self->offset_bytes[i] = place.offset_bytes;
			self->size_bytes[i] = place.size_bytes;
			return TRUE;
		}
	}
	if (self->fields[i].optional)
		return TRUE;
	g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS, "%s does not know the member %s of %s: %s",
	            image_name(program->image), self->fields[i].path, self->type, missing->message);
	return FALSE;
}

gboolean layout_init(struct layout *self, const struct program *program, const char *type,
                     const struct field *fields, size_t n_fields, GError **error)
{
	struct layout layout = { .type = type, .fields = fields, .n_fields = n_fields };

	g_return_val_if_fail(n_fields <= LAYOUT_FIELDS_MAX, FALSE);
	if (program->types == NULL) {
		g_set_error(
			error, OS_ERROR, OS_ERROR_SYMBOLS,
			"%s carries no types (no DWARF, no BTF, no layout profile for its build "
			"id): %s is unknown; make a profile from a debug build with 'hvscope "
			"profile make'",
			image_name(program->image), type);
		return FALSE;
	}
	for (size_t i = 0; i < n_fields; i++) {
		if (!find_field(&layout, program, i, error))
			return FALSE;
	}
	types_size(program->types, type, &layout.struct_bytes, NULL);
	*self = layout;
	return TRUE;
}

void layout_prefetch(const struct layout *self, struct space *space, const struct va *at,
                     size_t n_at)
{
	g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(struct space_piece));

	for (size_t n = 0; n < n_at; n++) {
		for (size_t i = 0; i < self->n_fields; i++) {
			struct space_piece piece = {
				.va = { at[n].value + self->offset_bytes[i] },
				.len_bytes = self->size_bytes[i],
			};

			/* Integers and short strings; of what is bigger only the place is
			 * asked for. */
			if (self->found[i] && piece.len_bytes <= 16)
				g_array_append_val(pieces, piece);
		}
	}
	space_prefetch(space, (struct space_piece *)(gpointer)pieces->data, pieces->len);
}

gboolean layout_read(const struct layout *self, struct space *space, struct va at, uint64_t *values,
                     GError **error)
{
	uint64_t found[LAYOUT_FIELDS_MAX] = { 0 };

	layout_prefetch(self, space, &at, 1);
	for (size_t i = 0; i < self->n_fields; i++) {
		if (!self->found[i] || self->size_bytes[i] > 8 || self->size_bytes[i] == 0)
			continue;
		if (!space_read_uint(space, layout_member(self, at, i), self->size_bytes[i],
		                     &found[i], error)) {
			g_prefix_error(error, "cannot read %s of %s at 0x%" G_GINT64_MODIFIER "x: ",
			               self->fields[i].path, self->type, at.value);
			return FALSE;
		}
	}
	memcpy(values, found, self->n_fields * sizeof(*values));
	return TRUE;
}

struct va layout_member(const struct layout *self, struct va at, size_t field)
{
	return (struct va) { at.value + self->offset_bytes[field] };
}
