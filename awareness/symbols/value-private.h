/* value-private.h: shared by value*.c and expression.c only */
#pragma once

#include "awareness/symbols/value.h"

/* The value's type behind typedefs; NULL (and TRUE) where it has none of its own: a
 * pointer made by the expression, or an address without a type. */
gboolean value_strip(const struct value_context *context, const struct value *value,
                     const struct type **type, GError **error);

gboolean value_is_pointer(const struct value_context *context, const struct value *value);

/* sizeof, in pointer arithmetic's sense: void and functions count 1. */
gboolean value_size(const struct value_context *context, const struct value *value,
                    uint64_t *size_bytes, GError **error);
