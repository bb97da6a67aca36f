#include "awareness/target/gdb-features.h"

#include <string.h>

enum {
	REGISTERS_MAX = 4096,
	FILES_MAX = 32,
	FILE_BYTES_MAX = 1 << 20,
};

struct reading {
	GArray *registers;
	GPtrArray *files; /* of char *: names still to be read, in order */
	unsigned next_number;
};

static void free_register(gpointer data)
{
	g_free(((struct gdb_register *)data)->name);
}

static void on_element(GMarkupParseContext *context, const char *element, const char **names,
                       const char **values, gpointer data, GError **error)
{
	struct reading *reading = data;
	struct gdb_register found = { .number = reading->next_number };
	const char *name = NULL;
	uint64_t number;

	(void)context;
	(void)error;
	for (gsize i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], "href") == 0 && g_str_has_suffix(element, "include") &&
		    reading->files->len < FILES_MAX)
			g_ptr_array_add(reading->files, g_strdup(values[i]));
		else if (strcmp(names[i], "name") == 0)
			name = values[i];
		else if (strcmp(names[i], "bitsize") == 0 &&
		         address_parse_number(values[i], &number))
			found.n_bytes = (unsigned)MIN((number + 7) / 8, 4096);
		else if (strcmp(names[i], "regnum") == 0 &&
		         address_parse_number(values[i], &number))
			found.number = (unsigned)MIN(number, 1u << 20);
	}
	if (strcmp(element, "reg") != 0 || name == NULL || found.n_bytes == 0 ||
	    reading->registers->len >= REGISTERS_MAX)
		return;
	found.name = g_strdup(name);
	reading->next_number = found.number + 1;
	g_array_append_val(reading->registers, found);
}

/* The file in pieces: 'm' says that there is more, 'l' that this was the last. */
static GString *read_file(struct gdb_link *link, const char *name, GError **error)
{
	size_t chunk = MIN(gdb_link_packet_bytes(link) - 32, 0xffbu);
	GString *text = g_string_new(NULL);
	const GString *reply;

	do {
		reply = gdb_link_ask(link, error,
		                     "qXfer:features:read:%s:%" G_GSIZE_MODIFIER
		                     "x,%" G_GSIZE_MODIFIER "x",
		                     name, text->len, chunk);
		if (reply != NULL && (reply->len == 0 || strchr("ml", reply->str[0]) == NULL ||
		                      text->len > FILE_BYTES_MAX)) {
			g_set_error(error, TARGET_ERROR, TARGET_ERROR_LINK,
			            "the gdb server does not describe its registers (%s: %.40s)",
			            name, reply->len > 0 ? reply->str : "not supported");
			reply = NULL;
		}
		if (reply == NULL) {
			g_string_free(text, TRUE);
			return NULL;
		}
		g_string_append_len(text, reply->str + 1, (gssize)reply->len - 1);
	} while (reply->str[0] == 'm' && reply->len > 1);
	return text;
}

static gboolean parse(struct reading *reading, const char *name, const GString *text,
                      GError **error)
{
	static const GMarkupParser parser = { .start_element = on_element };
	GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, reading, NULL);
	gboolean done =
		g_markup_parse_context_parse(context, text->str, (gssize)text->len, error) &&
		g_markup_parse_context_end_parse(context, error);

	g_markup_parse_context_free(context);
	if (!done)
		g_prefix_error(error, "cannot read the gdb server's %s: ", name);
	return done;
}

static int compare_numbers(gconstpointer a, gconstpointer b)
{
	const struct gdb_register *left = a;
	const struct gdb_register *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static void place_in_g(GArray *registers)
{
	unsigned offset = 0;

	g_array_sort(registers, compare_numbers);
	for (guint i = 0; i < registers->len; i++) {
		struct gdb_register *one = &g_array_index(registers, struct gdb_register, i);

		one->g_offset = offset;
		offset += one->n_bytes;
	}
}

GArray *gdb_features_read(struct gdb_link *link, GError **error)
{
	struct reading reading = {
		.registers = g_array_new(FALSE, FALSE, sizeof(struct gdb_register)),
		.files = g_ptr_array_new_with_free_func(g_free),
	};
	gboolean done = TRUE;

	g_array_set_clear_func(reading.registers, free_register);
	g_ptr_array_add(reading.files, g_strdup("target.xml"));
	for (guint i = 0; done && i < reading.files->len; i++) {
		const char *name = g_ptr_array_index(reading.files, i);
		GString *text = read_file(link, name, error);

		done = text != NULL && parse(&reading, name, text, error);
		if (text != NULL)
			g_string_free(text, TRUE);
	}
	g_ptr_array_unref(reading.files);
	place_in_g(reading.registers);
	if (done && reading.registers->len == 0) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_LINK,
		            "the gdb server describes no registers");
		done = FALSE;
	}
	if (done)
		return reading.registers;
	g_array_unref(reading.registers);
	return NULL;
}
