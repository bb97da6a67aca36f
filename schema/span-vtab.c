#include "schema/span-vtab.h"

enum column {
	COLUMN_CORE,
	COLUMN_START,
	COLUMN_SEQ,
	COLUMN_DURATION,
	COLUMN_CYCLES,
	COLUMN_HALTED,
	COLUMN_UNCERTAINTY,
	COLUMN_OWNER,
	COLUMN_CERTAINTY,
	COLUMN_OFFSET,
};

static const char table_sql[] =
	"CREATE TABLE hvscope_spans (core, start_ns, seq, duration_ns, "
	"cycles, halted_ns, uncertainty_ns, owner, certainty, trace_offset)";

const char span_vtab_insert_sql[] =
	"INSERT INTO span (core, start_ns, seq, duration_ns, cycles, halted_ns, uncertainty_ns, "
	"owner, certainty, trace_offset) SELECT * FROM hvscope_spans";

struct table {
	sqlite3_vtab base; /* first: SQLite sees only this */
	const struct span_source *source;
};

struct cursor {
	sqlite3_vtab_cursor base; /* first: SQLite sees only this */
	const struct span_source *source;
	gsize at;
	gint64 seq; /* of the span at `at`, among those with its start */
};

static int table_connect(sqlite3 *db, void *source, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **error)
{
	struct table *table;
	const int code = sqlite3_declare_vtab(db, table_sql);

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

	info->estimatedCost = (double)self->source->n_spans;
	info->estimatedRows = (sqlite3_int64)self->source->n_spans;
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
	struct cursor *self = (struct cursor *)cursor;

	(void)index;
	(void)index_string;
	(void)argc;
	(void)argv;
	self->at = 0;
	self->seq = 0;
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *cursor)
{
	struct cursor *self = (struct cursor *)cursor;
	const struct row_span *before = &self->source->spans[self->at++];

	if (self->at < self->source->n_spans && before[1].start_ns == before[0].start_ns)
		self->seq++;
	else
		self->seq = 0;
	return SQLITE_OK;
}

static int cursor_eof(sqlite3_vtab_cursor *cursor)
{
	const struct cursor *self = (const struct cursor *)cursor;

	return self->at >= self->source->n_spans;
}

static int cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct cursor *self = (const struct cursor *)cursor;
	const struct row_span *span = &self->source->spans[self->at];
	sqlite3_int64 value = 0;

	switch ((enum column)column) {
	case COLUMN_CORE:
		value = span->core;
		break;
	case COLUMN_START:
		value = span->start_ns;
		break;
	case COLUMN_SEQ:
		value = self->seq;
		break;
	case COLUMN_DURATION:
		value = span->duration_ns;
		break;
	case COLUMN_CYCLES:
		value = (sqlite3_int64)span->cycles;
		break;
	case COLUMN_HALTED:
		value = span->halted_ns;
		break;
	case COLUMN_UNCERTAINTY:
		value = span->uncertainty_ns;
		break;
	case COLUMN_OWNER:
		value = span->owner;
		break;
	case COLUMN_CERTAINTY:
		value = span->certainty;
		break;
	case COLUMN_OFFSET:
		value = (sqlite3_int64)span->trace_offset;
		break;
	}
	sqlite3_result_int64(context, value);
	return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	*rowid = (sqlite3_int64)((const struct cursor *)cursor)->at;
	return SQLITE_OK;
}

/* No xCreate: the table exists under its module's name alone. */
static const sqlite3_module span_module = {
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

int span_vtab_register(sqlite3 *db, const struct span_source *source)
{
	return sqlite3_create_module(db, "hvscope_spans", &span_module, (void *)source);
}
