/* What a user types, on types of a fixed profile and memory that is all ones. */
#include "awareness/symbols/expression.h"
#include "awareness/symbols/profile.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char profile[] = "hvscope-profile 1\n"
			      "type 1 struct 32 0 0 - node\n"
			      "m 0 0 2 next\nm 64 0 3 leaf\nm 96 3 4 flag\nm 128 0 5 text\n"
			      "type 2 pointer 8 1 0 - -\n"
			      "type 3 array 0 4 2 - -\n"
			      "type 4 int 4 0 0 s int\n"
			      "type 5 array 0 6 16 - -\n"
			      "type 6 char 1 0 0 - char\n"
			      "type 7 int 8 0 0 - long unsigned int\n"
			      "var 1 head\nend\n";

static gboolean memory_read(gpointer data, uint64_t va, void *buffer, size_t len)
{
	(void)data;
	if (va < 0x1000)
		return FALSE;
	memset(buffer, 1, len);
	return TRUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	static struct types *types;
	static struct symbols *symbols;
	g_autofree char *text = g_strndup((const char *)bytes, len_bytes);
	struct value_context context = { .read = memory_read };
	struct value value;

	if (types == NULL) {
		static const struct symbol head = { "head", 0x2000, 32, SYMBOL_OBJECT, TRUE };

		types = profile_parse(profile, strlen(profile), "fuzz", NULL);
		symbols = symbols_new();
		symbols_add(symbols, &head);
	}
	context.types = types;
	context.symbols = symbols;
	if (expression_evaluate(&context, text, &value, NULL)) {
		g_autofree char *printed = value_format(&context, &value);
		g_autofree char *type = value_describe_type(&context, &value);

		json_node_unref(value_to_json(&context, &value));
	}
	return 0;
}
