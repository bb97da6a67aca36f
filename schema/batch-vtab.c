#include "schema/batch-vtab.h"

struct table {
	sqlite3_vtab base; /* first: SQLite sees only this */
	const struct batch_source *source;
};

struct cursor {
	sqlite3_vtab_cursor base; /* first: SQLite sees only this */
	const struct batch_source *source;
	gsize at;
};

static int table_connect(sqlite3 *db, void *data, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **error)
{
	const struct batch_source *source = data;
	const int code = sqlite3_declare_vtab(db, source->table_sql);
	struct table *table;

	(void)argc;
	(void)argv;
	(void)error;
	if (code != SQLITE_OK)
		return code;
	table = sqlite3_malloc(sizeof *table);
	if (table == NULL)
		return SQLITE_NOMEM;
	*table = (struct table) { .source = source };
	*out = &table->base;
	return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

static int table_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	const struct table *self = (const struct table *)table;

	info->estimatedCost = (double)self->source->n_rows;
	info->estimatedRows = (sqlite3_int64)self->source->n_rows;
	return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	struct cursor *cursor = sqlite3_malloc(sizeof *cursor);

	if (cursor == NULL)
		return SQLITE_NOMEM;
	*cursor = (struct cursor) { .source = ((struct table *)table)->source };
	*out = &cursor->base;
	return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static int cursor_filter(sqlite3_vtab_cursor *cursor, int index, const char *index_string, int argc,
                         sqlite3_value **argv)
{
	(void)index;
	(void)index_string;
	(void)argc;
	(void)argv;
	((struct cursor *)cursor)->at = 0;
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *cursor)
{
	((struct cursor *)cursor)->at++;
	return SQLITE_OK;
}

static int cursor_eof(sqlite3_vtab_cursor *cursor)
{
	const struct cursor *self = (const struct cursor *)cursor;

	return self->at >= self->source->n_rows;
}

static int cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct cursor *self = (const struct cursor *)cursor;

	self->source->column(context, self->source->rows, self->at,
	                     self->source->first_seq + (gint64)self->at, column);
	return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	*rowid = (sqlite3_int64)((const struct cursor *)cursor)->at;
	return SQLITE_OK;
}

/* No xCreate: the table exists under its module's name alone. */
static const sqlite3_module batch_module = {
	.xConnect = table_connect,
	.xBestIndex = table_best_index,
	.xDisconnect = table_disconnect,
	.xOpen = cursor_open,
	.xClose = cursor_close,
	.xFilter = cursor_filter,
	.xNext = cursor_next,
	.xEof = cursor_eof,
	.xColumn = cursor_column,
	.xRowid = cursor_rowid,
};

int batch_vtab_register(sqlite3 *db, const char *name, const struct batch_source *source)
{
	return sqlite3_create_module(db, name, &batch_module, (void *)source);
}
