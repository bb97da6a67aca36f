/* json.h: base/json.h, and what only the printing of reports needs
 *
 * Holds nothing.
 */
#pragma once

#include "base/json.h"

/* A number of the trace: OWNER_NO_VALUE (-1) is null. */
void json_add_value(JsonBuilder *builder, const char *key, gint64 value);

/* Prints the whole object that `builder` holds, on standard output. */
void json_print(JsonBuilder *builder);
