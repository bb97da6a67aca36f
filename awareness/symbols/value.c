#include "awareness/symbols/value.h"

#include "awareness/symbols/symbol-error.h"
#include "awareness/symbols/value-private.h"

#include <string.h>

gboolean value_strip(const struct value_context *context, const struct value *value,
                     const struct type **type, GError **error)
{
	if (value->stars > 0 || value->type == NULL) {
		*type = NULL;
		return TRUE;
	}
	*type = types_strip(context->types, value->type, error);
	return *type != NULL;
}

gboolean value_is_pointer(const struct value_context *context, const struct value *value)
{
	const struct type *type;

	if (value->stars > 0)
		return TRUE;
	return value_strip(context, value, &type, NULL) && type != NULL &&
	       type->kind == TYPE_POINTER;
}

static gboolean wrong_type(const struct value_context *context, const struct value *value,
                           const char *what, GError **error)
{
	g_autofree char *name = value_describe_type(context, value);

	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_TYPE, "'%s' %s", name, what);
	return FALSE;
}

static gboolean memory_read(const struct value_context *context, uint64_t va, void *buffer,
                            size_t len, GError **error)
{
	if (context->read != NULL && context->read(context->data, va, buffer, len))
		return TRUE;
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_MEMORY,
	            "cannot read %zu bytes at 0x%" G_GINT64_MODIFIER "x", len, va);
	return FALSE;
}

static uint64_t sign_extend(uint64_t number, unsigned bits)
{
	unsigned shift = 64 - bits;

	return bits == 0 || bits >= 64 ? number : (uint64_t)((int64_t)(number << shift) >> shift);
}

/* Bytes that a bit field of up to 64 bits at any bit offset can touch. */
enum {
	BIT_FIELD_BYTES = 9
};

static gboolean bit_field_read(const struct value_context *context, const struct value *value,
                               uint64_t *number, GError **error)
{
	uint8_t bytes[BIT_FIELD_BYTES] = { 0 };
	uint32_t len = (value->bit_offset + value->bit_size + 7) / 8;
	uint64_t result;

	if (value->bit_size > 64 || len > BIT_FIELD_BYTES)
		return wrong_type(context, value, "has no such bit field", error);
	if (!memory_read(context, value->address, bytes, len, error))
		return FALSE;
	memcpy(&result, bytes, sizeof(result));
	result >>= value->bit_offset;
	if (value->bit_offset > 0)
		result |= (uint64_t)bytes[8] << (64 - value->bit_offset);
	if (value->bit_size < 64)
		result &= (UINT64_C(1) << value->bit_size) - 1;
	*number = result;
	return TRUE;
}

gboolean value_number(const struct value_context *context, const struct value *value,
                      uint64_t *number, GError **error)
{
	const struct type *type;
	uint64_t result = 0, size = sizeof(uint64_t);
	gboolean is_signed = FALSE;

	if (!value->is_place) {
		*number = value->number;
		return TRUE;
	}
	if (!value_strip(context, value, &type, error))
		return FALSE;
	if (type == NULL && value->stars == 0) {
		*number = value->address; /* a label: its address is all there is */
		return TRUE;
	}
	if (type != NULL) {
		if (type->kind == TYPE_STRUCT || type->kind == TYPE_UNION ||
		    type->kind == TYPE_ARRAY || type->kind == TYPE_FLOAT ||
		    type->kind == TYPE_FUNCTION || type->kind == TYPE_VOID)
			return wrong_type(context, value, "is no number", error);
		size = type->size_bytes;
		is_signed = type->is_signed;
	}
	if (size == 0 || size > sizeof(result))
		return wrong_type(context, value, "is no number of up to 8 bytes", error);
	if (value->bit_size != 0) {
		if (!bit_field_read(context, value, &result, error))
			return FALSE;
		*number = is_signed ? sign_extend(result, value->bit_size) : result;
		return TRUE;
	}
	if (!memory_read(context, value->address, &result, size, error))
		return FALSE;
	*number = is_signed ? sign_extend(result, (unsigned)size * 8) : result;
	return TRUE;
}

gboolean value_follow(const struct value_context *context, const struct value *value,
                      struct value *out, GError **error)
{
	const struct type *type;
	struct value result = { .is_place = TRUE };

	if (!value_strip(context, value, &type, error))
		return FALSE;
	if (type != NULL && type->kind == TYPE_ARRAY)
		return value_element(context, value, 0, out, error);
	if (value->stars > 0) {
		result.type = value->type;
		result.stars = value->stars - 1;
	} else if (type == NULL || type->kind != TYPE_POINTER) {
		return wrong_type(context, value, "is no pointer", error);
	} else {
		result.type = types_by_id(context->types, type->target_id, error);
		if (result.type == NULL)
			return FALSE;
	}
	if (!value_number(context, value, &result.address, error))
		return FALSE;
	*out = result;
	return TRUE;
}

gboolean value_member(const struct value_context *context, const struct value *value,
                      const char *name, struct value *out, GError **error)
{
	struct value base = *value;
	struct type_place place;

	if (value_is_pointer(context, value) && !value_follow(context, value, &base, error))
		return FALSE;
	if (base.type == NULL || base.stars > 0 || !base.is_place)
		return wrong_type(context, value, "has no members", error);
	if (!types_member_of(context->types, base.type, name, &place, error))
		return FALSE;
	*out = (struct value) {
		.type = place.type,
		.is_place = TRUE,
		.address = base.address + place.offset_bytes,
		.bit_offset = place.bit_offset,
		.bit_size = place.bit_size,
	};
	return TRUE;
}

gboolean value_element(const struct value_context *context, const struct value *value,
                       int64_t index, struct value *out, GError **error)
{
	const struct type *type;
	struct value base;
	uint64_t size;

	if (!value_strip(context, value, &type, error))
		return FALSE;
	if (type != NULL && type->kind == TYPE_ARRAY) {
		base = (struct value) { .type = types_by_id(context->types, type->target_id, error),
			                .is_place = TRUE,
			                .address = value->address };
		if (base.type == NULL)
			return FALSE;
	} else if (!value_follow(context, value, &base, error)) {
		return FALSE;
	}
	if (!value_size(context, &base, &size, error))
		return FALSE;
	base.address += (uint64_t)index * size;
	*out = base;
	return TRUE;
}

gboolean value_size(const struct value_context *context, const struct value *value,
                    uint64_t *size_bytes, GError **error)
{
	const struct type *type;

	if (value->stars > 0 || value->type == NULL) {
		*size_bytes = sizeof(uint64_t);
		return TRUE;
	}
	type = types_strip(context->types, value->type, error);
	if (type == NULL)
		return FALSE;
	if (type->kind == TYPE_VOID || type->kind == TYPE_FUNCTION) {
		*size_bytes = 1; /* as GCC counts */
		return TRUE;
	}
	return types_size_of(context->types, type, size_bytes, error);
}

char *value_describe_type(const struct value_context *context, const struct value *value)
{
	GString *text;

	if (value->type == NULL) {
		text = g_string_new(value->stars > 0 ? "void " : "(no type)");
	} else {
		g_autofree char *base = types_describe(context->types, value->type);

		text = g_string_new(base);
		if (value->stars > 0 && !g_str_has_suffix(base, "*"))
			g_string_append_c(text, ' ');
	}
	for (unsigned i = 0; i < value->stars; i++)
		g_string_append_c(text, '*');
	return g_string_free(text, FALSE);
}
