#include "awareness/symbols/expression.h"

#include "awareness/symbols/symbol-error.h"
#include "awareness/symbols/value-private.h"

#include <string.h>

/* A recursive descent over the text; `at` is what is not yet read. */
struct parser {
	const struct value_context *context;
	const char *text;
	const char *at;
	unsigned depth;
	GError **error;
};

static gboolean parse_sum(struct parser *self, struct value *out);
static gboolean parse_unary(struct parser *self, struct value *out);

static gboolean syntax(struct parser *self, const char *what)
{
	g_set_error(self->error, SYMBOL_ERROR, SYMBOL_ERROR_SYNTAX, "%s at '%s' in '%s'", what,
	            *self->at != '\0' ? self->at : "its end", self->text);
	return FALSE;
}

static void skip_space(struct parser *self)
{
	while (g_ascii_isspace(*self->at))
		self->at++;
}

static gboolean accept(struct parser *self, const char *token)
{
	size_t len = strlen(token);

	skip_space(self);
	if (strncmp(self->at, token, len) != 0)
		return FALSE;
	self->at += len;
	return TRUE;
}

static gboolean is_word(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

/* A name, or NULL. */
static char *accept_name(struct parser *self)
{
	size_t len = 0;

	skip_space(self);
	if (g_ascii_isdigit(*self->at))
		return NULL;
	/* Compilers append .constprop.0 and the like to names of functions; a member
	 * never begins with a digit, so only ".word" of a known symbol is taken. */
	while (is_word(self->at[len]))
		len++;
	if (len == 0)
		return NULL;
	self->at += len;
	return g_strndup(self->at - len, len);
}

static struct value number_value(const struct value_context *context, uint64_t number)
{
	struct value value = { .number = number };

	if (context->types != NULL)
		value.type = types_find(context->types, "long unsigned int", NULL);
	if (value.type == NULL && context->types != NULL)
		value.type = types_find(context->types, "unsigned long", NULL);
	return value;
}

static gboolean parse_number(struct parser *self, struct value *out)
{
	char *end;
	uint64_t number = g_ascii_strtoull(self->at, &end, 0);

	if (end == self->at || is_word(*end))
		return syntax(self, "expected a number");
	self->at = end;
	*out = number_value(self->context, number);
	return TRUE;
}

static gboolean symbol_value(struct parser *self, const char *name, struct value *out)
{
	const struct value_context *context = self->context;
	g_autoptr(GError) why = NULL;
	uint64_t address;
	int64_t enumerator;

	if (context->symbols != NULL && symbols_address(context->symbols, name, &address)) {
		*out = (struct value) { .is_place = TRUE, .address = address + context->slide };
		if (context->types != NULL)
			out->type = types_of_variable(context->types, name, NULL);
		return TRUE;
	}
	if (context->types != NULL &&
	    types_enumerator(context->types, NULL, name, &enumerator, NULL)) {
		*out = number_value(context, (uint64_t)enumerator);
		return TRUE;
	}
	g_set_error(self->error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "no symbol '%s' here", name);
	return FALSE;
}

static gboolean register_value(struct parser *self, struct value *out)
{
	g_autofree char *name = accept_name(self);
	uint64_t number;

	if (name == NULL)
		return syntax(self, "expected a register's name after '$'");
	if (self->context->variable == NULL ||
	    !self->context->variable(self->context->data, name, &number)) {
		g_set_error(self->error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND,
		            "no register '$%s' here", name);
		return FALSE;
	}
	*out = number_value(self->context, number);
	return TRUE;
}

/* A type's name and stars. FALSE without error, and with nothing taken, where the
 * text does not begin with one. */
static gboolean accept_type(struct parser *self, struct value *type)
{
	static const char *const keywords[] = { "struct", "union", "enum",  "unsigned", "signed",
		                                "long",   "short", "const", NULL };
	const char *before = self->at;
	g_autoptr(GString) name = g_string_new(NULL);

	if (self->context->types == NULL)
		return FALSE;
	for (gboolean more = TRUE; more;) {
		g_autofree char *word = accept_name(self);

		if (word == NULL)
			break;
		more = g_strv_contains(keywords, word) ||
		       (g_strcmp0(word, "int") == 0 && name->len > 0);
		if (strcmp(word, "const") == 0)
			continue;
		g_string_append_printf(name, "%s%s", name->len > 0 ? " " : "", word);
		/* "unsigned long" ends before the parenthesis or the star. */
		skip_space(self);
		if (!is_word(*self->at))
			break;
	}
	*type = (struct value) { 0 };
	if (name->len > 0)
		type->type = types_find(self->context->types, name->str, NULL);
	/* GCC's DWARF says "long unsigned int" and "char". */
	if (type->type == NULL && strcmp(name->str, "unsigned long") == 0)
		type->type = types_find(self->context->types, "long unsigned int", NULL);
	if (type->type == NULL && strcmp(name->str, "unsigned") == 0)
		type->type = types_find(self->context->types, "unsigned int", NULL);
	if (type->type == NULL) {
		self->at = before;
		return FALSE;
	}
	while (accept(self, "*"))
		type->stars++;
	return TRUE;
}

static gboolean is_symbol_next(struct parser *self)
{
	const char *before = self->at;
	g_autofree char *name = accept_name(self);

	self->at = before;
	return name != NULL && self->context->symbols != NULL &&
	       symbols_by_name(self->context->symbols, name) != NULL;
}

/* (type) before a value. A number gets the type, a place is looked at as one. */
static gboolean cast_apply(struct parser *self, const struct value *type, struct value *value)
{
	const struct type *target;
	uint64_t number;

	if (!value_strip(self->context, type, &target, self->error))
		return FALSE;
	if (target != NULL && (target->kind == TYPE_STRUCT || target->kind == TYPE_UNION ||
	                       target->kind == TYPE_ARRAY)) {
		if (!value->is_place)
			return syntax(self,
			              "only what is in memory can be looked at as a struct, not");
		value->type = type->type;
		value->stars = 0;
		value->bit_size = 0;
		return TRUE;
	}
	/* The name of an untyped symbol or an array is its address. */
	if (value->is_place && value->type != NULL) {
		const struct type *from;

		if (!value_strip(self->context, value, &from, self->error))
			return FALSE;
		if (from != NULL && (from->kind == TYPE_ARRAY || from->kind == TYPE_FUNCTION))
			*value = (struct value) { .number = value->address };
	}
	if (!value_number(self->context, value, &number, self->error))
		return FALSE;
	if (target != NULL && target->size_bytes > 0 && target->size_bytes < 8) {
		unsigned shift = 64 - (unsigned)target->size_bytes * 8;

		number = target->is_signed ? (uint64_t)((int64_t)(number << shift) >> shift)
		                           : number << shift >> shift;
	}
	*value = (struct value) { .type = type->type, .stars = type->stars, .number = number };
	return TRUE;
}

static gboolean parse_parenthesis(struct parser *self, struct value *out)
{
	struct value type = { 0 };

	skip_space(self);
	if (!is_symbol_next(self) && accept_type(self, &type)) {
		if (!accept(self, ")"))
			return syntax(self, "expected ')' after the type");
		return parse_unary(self, out) && cast_apply(self, &type, out);
	}
	if (!parse_sum(self, out))
		return FALSE;
	return accept(self, ")") || syntax(self, "expected ')'");
}

static gboolean parse_sizeof(struct parser *self, struct value *out)
{
	struct value type = { 0 };
	uint64_t size;

	if (!accept(self, "("))
		return syntax(self, "expected '(' after sizeof");
	if (!accept_type(self, &type) && !parse_sum(self, &type))
		return FALSE;
	if (!accept(self, ")"))
		return syntax(self, "expected ')'");
	if (!value_size(self->context, &type, &size, self->error))
		return FALSE;
	*out = number_value(self->context, size);
	return TRUE;
}

static gboolean parse_primary(struct parser *self, struct value *out)
{
	g_autofree char *name = NULL;

	skip_space(self);
	if (g_ascii_isdigit(*self->at))
		return parse_number(self, out);
	if (accept(self, "("))
		return parse_parenthesis(self, out);
	if (accept(self, "$"))
		return register_value(self, out);
	name = accept_name(self);
	if (name == NULL)
		return syntax(self, "expected a symbol, a number or '('");
	if (strcmp(name, "sizeof") == 0)
		return parse_sizeof(self, out);
	return symbol_value(self, name, out);
}

static gboolean parse_index(struct parser *self, struct value *out)
{
	struct value index = { 0 };
	uint64_t number;

	if (!parse_sum(self, &index) || !value_number(self->context, &index, &number, self->error))
		return FALSE;
	if (!accept(self, "]"))
		return syntax(self, "expected ']'");
	return value_element(self->context, out, (int64_t)number, out, self->error);
}

static gboolean parse_postfix(struct parser *self, struct value *out)
{
	gboolean more = parse_primary(self, out);

	while (more) {
		if (accept(self, "->") || accept(self, ".")) {
			g_autofree char *name = accept_name(self);

			if (name == NULL)
				return syntax(self, "expected a member's name");
			more = value_member(self->context, out, name, out, self->error);
		} else if (accept(self, "[")) {
			more = parse_index(self, out);
		} else {
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean address_of(struct parser *self, struct value *value)
{
	if (!value->is_place || value->bit_size != 0)
		return syntax(self, "that has no address, before");
	*value = (struct value) { .type = value->type,
		                  .stars = value->stars + 1,
		                  .number = value->address };
	return TRUE;
}

static gboolean parse_unary(struct parser *self, struct value *out)
{
	gboolean ok;
	uint64_t number;

	if (self->depth++ >= EXPRESSION_DEPTH_MAX)
		return syntax(self, "too deep");
	if (accept(self, "*")) {
		ok = parse_unary(self, out) && value_follow(self->context, out, out, self->error);
	} else if (accept(self, "&")) {
		ok = parse_unary(self, out) && address_of(self, out);
	} else if (accept(self, "-")) {
		ok = parse_unary(self, out) &&
		     value_number(self->context, out, &number, self->error);
		if (ok)
			*out = number_value(self->context, (uint64_t)0 - number);
	} else {
		ok = parse_postfix(self, out);
	}
	self->depth--;
	return ok;
}

/* Adds to a number, or to a pointer in elements. */
static gboolean add(struct parser *self, struct value *left, const struct value *right,
                    gboolean subtract)
{
	const struct value_context *context = self->context;
	uint64_t a, b, size;

	if (!value_number(context, right, &b, self->error) ||
	    !value_number(context, left, &a, self->error))
		return FALSE;
	if (value_is_pointer(context, left) && !value_is_pointer(context, right)) {
		struct value element;

		if (!value_follow(context, left, &element, self->error) ||
		    !value_size(context, &element, &size, self->error))
			return FALSE;
		*left = (struct value) { .type = element.type, .stars = element.stars + 1 };
		left->number = subtract ? a - b * size : a + b * size;
		return TRUE;
	}
	*left = number_value(context, subtract ? a - b : a + b);
	return TRUE;
}

static gboolean parse_sum(struct parser *self, struct value *out)
{
	gboolean ok;

	if (self->depth++ >= EXPRESSION_DEPTH_MAX)
		return syntax(self, "too deep");
	ok = parse_unary(self, out);
	while (ok) {
		struct value right = { 0 };
		gboolean subtract;

		if (accept(self, "+"))
			subtract = FALSE;
		else if (accept(self, "-"))
			subtract = TRUE;
		else
			break;
		ok = parse_unary(self, &right) && add(self, out, &right, subtract);
	}
	self->depth--;
	return ok;
}

gboolean expression_evaluate(const struct value_context *context, const char *text,
                             struct value *value, GError **error)
{
	struct parser parser = { context, text, text, 0, error };
	struct value result = { 0 };

	if (!parse_sum(&parser, &result))
		return FALSE;
	skip_space(&parser);
	if (*parser.at != '\0')
		return syntax(&parser, "did not expect what is");
	*value = result;
	return TRUE;
}
