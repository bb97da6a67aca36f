#include "awareness/symbols/value-private.h"

#include <string.h>

/* Both forms, text and JSON, come from one walk over the value: it is turned into
 * JSON first, with enough kept to write C. Here: the leaves. */

static char *number_text(const struct type *type, uint64_t number)
{
	if (type == NULL || type->kind == TYPE_POINTER)
		return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", number);
	if (type->is_signed)
		return g_strdup_printf("%" G_GINT64_FORMAT, (int64_t)number);
	return g_strdup_printf("%" G_GUINT64_FORMAT, number);
}

/* "<symbol+offset>" for an address in one, or NULL. */
static char *symbol_text(const struct value_context *context, uint64_t address)
{
	uint64_t offset;
	const struct symbol *symbol;

	if (context->symbols == NULL)
		return NULL;
	symbol = symbols_by_address(context->symbols, address - context->slide, &offset);
	if (symbol == NULL)
		return NULL;
	if (offset == 0)
		return g_strdup_printf("<%s>", symbol->name);
	return g_strdup_printf("<%s+%" G_GUINT64_FORMAT ">", symbol->name, offset);
}

/* A string in memory, read in small pieces so that a page that is not there behind
 * its end does not hide it. NULL where its begin cannot be read. */
static char *string_read(const struct value_context *context, uint64_t address, size_t max)
{
	enum {
		PIECE = 16
	};
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *valid = NULL;

	while (text->len < max) {
		char piece[PIECE];
		size_t len = PIECE - (size_t)((address + text->len) % PIECE);
		size_t used;

		len = MIN(len, max - text->len);
		if (context->read == NULL ||
		    !context->read(context->data, address + text->len, piece, len)) {
			if (text->len == 0)
				return NULL;
			break;
		}
		used = strnlen(piece, len);
		g_string_append_len(text, piece, (gssize)used);
		if (used < len)
			break;
	}
	valid = g_utf8_make_valid(text->str, (gssize)text->len);
	return g_strescape(valid, NULL);
}

static gboolean is_char_type(const struct value_context *context, uint64_t id)
{
	const struct type *type = types_by_id(context->types, id, NULL);

	type = type != NULL ? types_strip(context->types, type, NULL) : NULL;
	return type != NULL && type->kind == TYPE_CHAR;
}

/* Both outputs at once. */
struct printer {
	const struct value_context *context;
	GString *text;        /* NULL when JSON is wanted */
	JsonBuilder *builder; /* NULL when text is wanted */
	unsigned depth;
	size_t budget; /* values still to be printed */
};

static void put_text(struct printer *self, const char *text)
{
	if (self->text != NULL && self->text->len < VALUE_TEXT_MAX)
		g_string_append(self->text, text);
}

static void put_unreadable(struct printer *self, const char *why)
{
	put_text(self, "<");
	put_text(self, why);
	put_text(self, ">");
	if (self->builder != NULL)
		json_builder_add_null_value(self->builder);
}

static void put_string(struct printer *self, const char *escaped)
{
	put_text(self, "\"");
	put_text(self, escaped);
	put_text(self, "\"");
	if (self->builder != NULL) {
		g_autofree char *plain = g_strcompress(escaped);

		json_builder_add_string_value(self->builder, plain);
	}
}

static void print_value(struct printer *self, const struct value *value);

static void print_pointer(struct printer *self, const struct value *value, const struct type *type)
{
	g_autofree char *number = NULL, *symbol = NULL, *string = NULL;
	uint64_t address;

	if (!value_number(self->context, value, &address, NULL)) {
		put_unreadable(self, "unreadable");
		return;
	}
	number = number_text(NULL, address);
	symbol = address != 0 ? symbol_text(self->context, address) : NULL;
	put_text(self, number);
	if (symbol != NULL) {
		put_text(self, " ");
		put_text(self, symbol);
	}
	if (self->text != NULL && type != NULL && address != 0 &&
	    is_char_type(self->context, type->target_id))
		string = string_read(self->context, address, VALUE_STRING_MAX);
	if (string != NULL) {
		put_text(self, " \"");
		put_text(self, string);
		put_text(self, "\"");
	}
	if (self->builder != NULL)
		json_builder_add_string_value(self->builder, number);
}

static void print_number(struct printer *self, const struct value *value, const struct type *type)
{
	g_autofree char *text = NULL;
	const char *name = NULL;
	uint64_t number;

	if (!value_number(self->context, value, &number, NULL)) {
		put_unreadable(self, "unreadable");
		return;
	}
	if (type->kind == TYPE_ENUM)
		name = type_enumerator_name(type, (int64_t)number);
	else if (type->kind == TYPE_BOOL && number <= 1)
		name = number != 0 ? "true" : "false";
	text = number_text(type, number);
	put_text(self, name != NULL ? name : text);
	if (self->text != NULL && type->kind == TYPE_CHAR && number >= ' ' && number < 127)
		g_string_append_printf(self->text, " '%c'", (char)number);
	if (self->builder == NULL)
		return;
	if (type->kind == TYPE_BOOL)
		json_builder_add_boolean_value(self->builder, number != 0);
	else if (name != NULL)
		json_builder_add_string_value(self->builder, name);
	else if (!type->is_signed && number > (uint64_t)G_MAXINT64)
		json_builder_add_string_value(self->builder, text);
	else
		json_builder_add_int_value(self->builder, (int64_t)number);
}

static void print_float(struct printer *self, const struct value *value, const struct type *type)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];
	double wide = 0;
	float narrow = 0;
	gboolean ok = FALSE;

	if (value->is_place && self->context->read != NULL && type->size_bytes == sizeof(wide))
		ok = self->context->read(self->context->data, value->address, &wide, sizeof(wide));
	else if (value->is_place && self->context->read != NULL &&
	         type->size_bytes == sizeof(narrow)) {
		ok = self->context->read(self->context->data, value->address, &narrow,
		                         sizeof(narrow));
		wide = (double)narrow;
	}
	if (!ok) {
		put_unreadable(self, "unreadable");
		return;
	}
	put_text(self, g_ascii_dtostr(text, sizeof(text), wide));
	if (self->builder != NULL && wide - wide == 0.0)
		json_builder_add_double_value(self->builder, wide);
	else if (self->builder != NULL)
		json_builder_add_string_value(self->builder, text);
}

static void print_array(struct printer *self, const struct value *value, const struct type *type)
{
	uint64_t count = MIN(type->count, (uint64_t)VALUE_ELEMENTS_MAX);

	if (is_char_type(self->context, type->target_id)) {
		g_autofree char *string = string_read(self->context, value->address,
		                                      MIN(type->count, VALUE_STRING_MAX));

		if (type->count == 0)
			put_string(self, "");
		else if (string == NULL)
			put_unreadable(self, "unreadable");
		else
			put_string(self, string);
		return;
	}
	put_text(self, "{");
	if (self->builder != NULL)
		json_builder_begin_array(self->builder);
	for (uint64_t i = 0; i < count && self->budget > 0; i++) {
		struct value element;

		if (!value_element(self->context, value, (int64_t)i, &element, NULL))
			break;
		put_text(self, i > 0 ? ", " : "");
		print_value(self, &element);
	}
	put_text(self, count < type->count ? ", ...}" : "}");
	if (self->builder != NULL)
		json_builder_end_array(self->builder);
}

static void print_members(struct printer *self, const struct value *value, const struct type *type)
{
	gboolean first = TRUE;
	unsigned anonymous = 0;

	put_text(self, "{");
	if (self->builder != NULL)
		json_builder_begin_object(self->builder);
	for (size_t i = 0; i < type->n_members && self->budget > 0; i++) {
		const struct type_member *member = &type->members[i];
		struct value inner = {
			.type = types_by_id(self->context->types, member->type_id, NULL),
			.is_place = TRUE,
			.address = value->address + member->offset_bits / 8,
			.bit_offset = (uint32_t)(member->offset_bits % 8),
			.bit_size = member->bit_size,
		};

		if (inner.type == NULL)
			continue;
		put_text(self, first ? "" : ", ");
		first = FALSE;
		if (member->name != NULL) {
			put_text(self, member->name);
			put_text(self, " = ");
		}
		if (self->builder != NULL) {
			g_autofree char *key =
				member->name != NULL
					? g_strdup(member->name)
					: g_strdup_printf("(anonymous %u)", ++anonymous);

			json_builder_set_member_name(self->builder, key);
		}
		print_value(self, &inner);
	}
	put_text(self, "}");
	if (self->builder != NULL)
		json_builder_end_object(self->builder);
}

static void print_typed(struct printer *self, const struct value *value, const struct type *type)
{
	switch (type->kind) {
	case TYPE_POINTER:
		print_pointer(self, value, type);
		break;
	case TYPE_ARRAY:
		print_array(self, value, type);
		break;
	case TYPE_STRUCT:
	case TYPE_UNION:
		if (type->is_declaration)
			put_unreadable(self, "incomplete type");
		else
			print_members(self, value, type);
		break;
	case TYPE_FLOAT:
		print_float(self, value, type);
		break;
	case TYPE_INT:
	case TYPE_CHAR:
	case TYPE_BOOL:
	case TYPE_ENUM:
		print_number(self, value, type);
		break;
	case TYPE_VOID:
	case TYPE_FUNCTION:
	case TYPE_TYPEDEF:
	case TYPE_KINDS: {
		struct value address = { .number =
			                         value->is_place ? value->address : value->number };

		print_pointer(self, &address, NULL);
		break;
	}
	}
}

static void print_value(struct printer *self, const struct value *value)
{
	const struct type *type;

	if (self->depth >= VALUE_DEPTH_MAX || self->budget == 0) {
		put_unreadable(self, "...");
		return;
	}
	self->budget--;
	self->depth++;
	if (!value_strip(self->context, value, &type, NULL))
		put_unreadable(self, "unknown type");
	else if (type == NULL)
		print_pointer(self, value, NULL);
	else if (!value->is_place && (type->kind == TYPE_STRUCT || type->kind == TYPE_UNION ||
	                              type->kind == TYPE_ARRAY))
		put_unreadable(self, "not in memory");
	else
		print_typed(self, value, type);
	self->depth--;
}

enum {
	VALUES_MAX = 20000
};

char *value_format(const struct value_context *context, const struct value *value)
{
	struct printer printer = { context, g_string_new(NULL), NULL, 0, VALUES_MAX };

	print_value(&printer, value);
	return g_string_free(printer.text, FALSE);
}

JsonNode *value_to_json(const struct value_context *context, const struct value *value)
{
	struct printer printer = { context, NULL, json_builder_new(), 0, VALUES_MAX };
	JsonNode *root, *only;

	/* A builder takes no value outside of a container. */
	json_builder_begin_array(printer.builder);
	print_value(&printer, value);
	json_builder_end_array(printer.builder);
	root = json_builder_get_root(printer.builder);
	only = json_array_dup_element(json_node_get_array(root), 0);
	json_node_unref(root);
	g_object_unref(printer.builder);
	return only;
}
