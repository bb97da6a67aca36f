#include "schema/db.h"

G_DEFINE_QUARK(recording - error - quark, recording_error)

static enum recording_error error_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_NOTADB:
		return RECORDING_ERROR_NOT_RECORDING;
	case SQLITE_CORRUPT:
	case SQLITE_ERROR:
	case SQLITE_MISMATCH:
		return RECORDING_ERROR_CORRUPT;
	default:
		return RECORDING_ERROR_ACCESS;
	}
}

gboolean db_fail(const struct db *self, const char *doing, GError **error)
{
	const int code = sqlite3_extended_errcode(self->handle);
	const char *hint = "";

	if ((code & 0xff) == SQLITE_FULL)
		hint = "; free some space, or write it elsewhere";
	else if ((code & 0xff) == SQLITE_CORRUPT)
		hint = "; the file is damaged, decode the capture again";
	g_set_error(error, RECORDING_ERROR, error_of(code), "%s: cannot %s: %s%s", self->path,
	            doing, sqlite3_errmsg(self->handle), hint);
	return FALSE;
}

gboolean db_exec(const struct db *self, const char *sql, const char *doing, GError **error)
{
	if (sqlite3_exec(self->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(self, doing, error);
	return TRUE;
}

sqlite3_stmt *db_prepare(const struct db *self, const char *sql, GError **error)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v3(self->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
	                       NULL) == SQLITE_OK)
		return statement;
	db_fail(self, "prepare a statement for", error);
	return NULL;
}

gboolean db_run(const struct db *self, sqlite3_stmt *statement, const char *doing, GError **error)
{
	gboolean done = TRUE;

	if (sqlite3_step(statement) != SQLITE_DONE)
		done = db_fail(self, doing, error);
	sqlite3_reset(statement);
	return done;
}

gboolean db_next(const struct db *self, sqlite3_stmt *statement, gboolean *row, GError **error)
{
	const int code = sqlite3_step(statement);

	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return db_fail(self, "read", error);
	*row = code == SQLITE_ROW;
	return TRUE;
}
