#include "cli/verb.h"

#include "cli/format.h"
#include "cli/json.h"
#include "cli/table.h"
#include "schema/reader.h"

#include <sqlite3.h>
#include <string.h>

enum {
	COLUMNS_MAX = 256
};

struct query_output {
	gboolean json, csv;
	guint64 rows;
};

/* The recording's content comes from a file: only reading is allowed, whatever the query or
 * a crafted schema asks for. */
static int authorize(void *data, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
	(void)data;
	(void)a;
	(void)c;
	(void)d;
	if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE)
		return SQLITE_OK;
	if (action == SQLITE_FUNCTION && g_strcmp0(b, "load_extension") != 0)
		return SQLITE_OK;
	return SQLITE_DENY;
}

static char *cell_text(sqlite3_stmt *row, int column)
{
	switch (sqlite3_column_type(row, column)) {
	case SQLITE_NULL:
		return g_strdup("");
	case SQLITE_BLOB: {
		const guint8 *bytes = sqlite3_column_blob(row, column);
		GString *text = g_string_new("x'");

		for (int i = 0; i < sqlite3_column_bytes(row, column); i++)
			g_string_append_printf(text, "%02x", bytes[i]);
		g_string_append_c(text, '\'');
		return g_string_free(text, FALSE);
	}
	default:
		return g_utf8_make_valid((const char *)sqlite3_column_text(row, column), -1);
	}
}

static void add_json_row(JsonBuilder *builder, sqlite3_stmt *row)
{
	json_builder_begin_object(builder);
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		const char *name = sqlite3_column_name(row, i);
		g_autofree char *text = NULL;

		switch (sqlite3_column_type(row, i)) {
		case SQLITE_INTEGER:
			json_add_int(builder, name, sqlite3_column_int64(row, i));
			break;
		case SQLITE_FLOAT:
			json_add_double(builder, name, sqlite3_column_double(row, i));
			break;
		case SQLITE_NULL:
			json_add_text(builder, name, NULL);
			break;
		default:
			text = cell_text(row, i);
			json_add_text(builder, name, text);
		}
	}
	json_builder_end_object(builder);
}

static void print_csv_cell(const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, "\"", -1);
	g_autofree char *quoted = g_strjoinv("\"\"", parts);

	if (strpbrk(text, ",\"\r\n") != NULL)
		g_print("\"%s\"", quoted);
	else
		g_print("%s", text);
}

static void print_csv_row(sqlite3_stmt *row)
{
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		g_autofree char *text = cell_text(row, i);

		if (i > 0)
			g_print(",");
		print_csv_cell(text);
	}
	g_print("\n");
}

static gboolean is_number_column(sqlite3_stmt *row, int column)
{
	const int type = sqlite3_column_type(row, column);

	return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

/* Steps through the result; a table's layout comes from its first row. */
static int print_rows(sqlite3_stmt *statement, struct query_output *output)
{
	const int n = MIN(sqlite3_column_count(statement), COLUMNS_MAX);
	g_autofree struct table_column *columns = g_new0(struct table_column, MAX(n, 1));
	g_autoptr(JsonBuilder) builder = json_builder_new();
	g_autoptr(Table) table = NULL;
	int code = sqlite3_step(statement);

	for (int i = 0; i < n; i++) {
		columns[i].title = sqlite3_column_name(statement, i);
		columns[i].number = code == SQLITE_ROW && is_number_column(statement, i);
		if (output->csv) {
			g_print("%s", i > 0 ? "," : "");
			print_csv_cell(columns[i].title);
		}
	}
	if (output->csv)
		g_print("\n");
	json_builder_begin_object(builder);
	json_add_array(builder, "rows");
	table = table_new(columns, (guint)n);
	for (; code == SQLITE_ROW; code = sqlite3_step(statement)) {
		output->rows++;
		if (output->json)
			add_json_row(builder, statement);
		else if (output->csv)
			print_csv_row(statement);
		else
			for (int i = 0; i < n; i++) {
				g_autofree char *text = cell_text(statement, i);

				table_add(table, format_text(text));
			}
	}
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	if (code != SQLITE_DONE)
		return code;
	if (output->json)
		json_print(builder);
	else if (!output->csv)
		table_print(table, 0);
	return SQLITE_OK;
}

static int query_fail(sqlite3 *db, const char *doing)
{
	g_printerr("hvscope query: %s: %s\n", doing, sqlite3_errmsg(db));
	sqlite3_close(db);
	return EXIT_CODE_FAILED;
}

static int run_sql(const char *path, const char *sql, struct query_output *output)
{
	sqlite3_stmt *statement = NULL;
	const char *rest = NULL;
	sqlite3 *db = NULL;
	int code;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		return query_fail(db, path);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_set_authorizer(db, authorize, NULL);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, &rest) != SQLITE_OK)
		return query_fail(db, "cannot run this SQL (tables: docs/query.md)");
	if (statement == NULL || strspn(rest, " \t\r\n;") != strlen(rest)) {
		sqlite3_finalize(statement);
		sqlite3_close(db);
		return verb_usage("query", "give exactly one SELECT");
	}
	code = print_rows(statement, output);
	sqlite3_finalize(statement);
	if (code != SQLITE_OK)
		return query_fail(db, "the query stopped");
	sqlite3_close(db);
	return EXIT_CODE_DONE;
}

static int query_run(int argc, char **argv)
{
	struct query_output output = { 0 };
	const GOptionEntry entries[] = {
		{ "json", 0, 0, G_OPTION_ARG_NONE, &output.json, "print JSON", NULL },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &output.csv, "print CSV", NULL },
		G_OPTION_ENTRY_NULL
	};
	g_autoptr(GError) error = NULL;
	recording_reader *reader;

	if (!verb_parse(&argc, &argv, "REC.hvs 'SELECT ...'",
	                "Runs one SQL SELECT over a recording, read-only. Start with the views "
	                "v_schedule, v_exit and v_request.",
	                entries))
		return EXIT_CODE_USAGE;
	if (argc != 3)
		return verb_usage("query", "takes a recording and one SELECT");
	/* The reader says no to what is no recording, in words that help. */
	reader = recording_reader_new(argv[1], &error);
	if (reader == NULL)
		return verb_fail("query", error);
	recording_reader_free(reader);
	return run_sql(argv[1], argv[2], &output);
}

const struct verb verb_query = { "query", "run an SQL SELECT over a recording", query_run };
