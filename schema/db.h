/* db.h: the little that the schema room needs around SQLite
 *
 * Turns SQLite's return codes into GErrors that name the recording and what was
 * tried. Knows no table. A `struct db` belongs to one thread.
 */
#pragma once

#include <glib.h>
#include <sqlite3.h>

enum {
	RECORDING_APPLICATION_ID = 0x48565343, /* "HVSC" */
	RECORDING_SCHEMA_VERSION = 1,
};

enum recording_error {
	RECORDING_ERROR_ACCESS,        /* cannot be opened, read, written or renamed */
	RECORDING_ERROR_NOT_RECORDING, /* some other file */
	RECORDING_ERROR_NEWER,         /* written by a newer hvscope */
	RECORDING_ERROR_TRUNCATED,     /* shorter than its header says */
	RECORDING_ERROR_CORRUPT,       /* its content makes no sense */
	RECORDING_ERROR_ORDER,         /* rows given in an order or shape that cannot be stored */
};

#define RECORDING_ERROR (recording_error_quark())
GQuark recording_error_quark(void);

struct db {
	sqlite3 *handle;
	const char *path; /* for messages; belongs to the owner of the struct */
};

/* Sets `error` to "doing PATH: what SQLite says". Always returns FALSE. */
gboolean db_fail(const struct db *self, const char *doing, GError **error);

/* Runs statements that give no rows. */
gboolean db_exec(const struct db *self, const char *sql, const char *doing, GError **error);

/* Prepares `sql`; NULL with `error` set where that fails. The caller finalizes. */
sqlite3_stmt *db_prepare(const struct db *self, const char *sql, GError **error);

/* Steps a statement that gives no rows, and resets it for the next use. */
gboolean db_run(const struct db *self, sqlite3_stmt *statement, const char *doing, GError **error);

/* Steps a query. TRUE with *row TRUE: a row is there; TRUE with *row FALSE: the end. */
gboolean db_next(const struct db *self, sqlite3_stmt *statement, gboolean *row, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)
