/* expression.h: the expressions that a user prints
 *
 * A part of C: symbols, numbers, $registers, `.`, `->`, `[]`, `*`, `&`, unary `-`,
 * `+` and `-` (of pointers too), parentheses, casts, sizeof(type). No assignments,
 * no calls: an expression changes nothing.
 */
#pragma once

#include "awareness/symbols/value.h"

enum expression_limits {
	EXPRESSION_DEPTH_MAX = 64
};

/* Errors: SYMBOL_ERROR_SYNTAX, _NOT_FOUND, _TYPE, _MEMORY. `value` is written only on
 * success. */
gboolean expression_evaluate(const struct value_context *context, const char *text,
                             struct value *value, GError **error);
