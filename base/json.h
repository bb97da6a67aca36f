/* json.h: what every --json needs of json-glib
 *
 * One call a member, and null where a value is not known. Holds nothing.
 */
#pragma once

#include <json-glib/json-glib.h>

void json_add_int(JsonBuilder *builder, const char *key, gint64 value);
void json_add_double(JsonBuilder *builder, const char *key, double value);
void json_add_bool(JsonBuilder *builder, const char *key, gboolean value);

/* NULL is null; bytes that are no UTF-8 are replaced. */
void json_add_text(JsonBuilder *builder, const char *key, const char *value);

/* Begins an array that the caller ends with json_builder_end_array(). */
void json_add_array(JsonBuilder *builder, const char *key);

/* The whole object that `builder` holds, as text with line breaks. A new string. */
char *json_text(JsonBuilder *builder);
