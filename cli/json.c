#include "cli/json.h"

#include "schema/rows.h"

void json_add_value(JsonBuilder *builder, const char *key, gint64 value)
{
	if (value == OWNER_NO_VALUE)
		json_add_text(builder, key, NULL);
	else
		json_add_int(builder, key, value);
}

void json_print(JsonBuilder *builder)
{
	g_autofree char *text = json_text(builder);

	g_print("%s\n", text);
}
