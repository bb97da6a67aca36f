/* reader-private.h: what the two halves of the reader share
 *
 * reader.c opens, checks and reads the small tables; reader-rows.c goes through
 * the large ones. For the schema room only.
 */
#pragma once

#include "schema/reader.h"

struct recording_reader {
	struct db db;
	char *path;
	gint64 window_ns;
	gboolean has_task_names; /* those tables are there */
	GHashTable *meta;        /* char * -> char * */
	GStringChunk *text;      /* the strings of the arrays below */
	GArray *cores;           /* struct row_core */
	GArray *owners;          /* struct row_owner, by index */
	GArray *machines;        /* struct row_machine */
	GArray *tasks;           /* struct row_task */
	GArray *task_names;      /* struct row_task_name, by index */
	GArray *vcpus;           /* struct row_vcpu, by index */
	GArray *functions;       /* struct row_function, by index */
};

/* Sets `error` to "PATH: damaged: table TABLE: FAULT". Always returns FALSE. */
gboolean reader_corrupt(const struct recording_reader *self, const char *table, const char *fault,
                        GError **error);

/* A column, checked: a whole number from `min` to `max`, where NULL is not. */
gboolean column_in(sqlite3_stmt *row, int column, gint64 min, gint64 max, gint64 *out);

/* A column of text that is valid UTF-8, or NULL where it is NULL. Valid until the
 * statement's next step. */
gboolean column_text(sqlite3_stmt *row, int column, const char **out);

/* The lane's rows that begin before `to_ns`, from the blobs. *found is FALSE where there are
 * none: then the rows are in the table only. */
gboolean reader_packed_runs(recording_reader *self, guint vcpu, gint64 to_ns,
                            recording_vcpu_run_fn fn, gpointer data, gboolean *found,
                            GError **error);
gboolean reader_packed_exits(recording_reader *self, guint core, gint64 to_ns, recording_exit_fn fn,
                             gpointer data, gboolean *found, GError **error);

/* One pass over a table. `fn` is the caller's callback under a common type; each
 * take_ function knows which one it is. */
struct visit {
	const struct recording_reader *reader;
	void (*fn)(void);
	gpointer data;
	gboolean stop; /* the callback has had enough */
};

/* Turns one row into its struct and hands it on; FALSE where it breaks the rules. */
typedef gboolean (*take_fn)(struct visit *visit, sqlite3_stmt *row);

struct reader_query {
	const char *table;
	const char *sql;
	take_fn take;
	gint64 parameters[3];
	int n_parameters;
};

gboolean reader_query(recording_reader *self, const struct reader_query *query, void (*fn)(void),
                      gpointer data, GError **error);

/* start_ns in `column` and duration_ns in `column + step`: within the window. */
gboolean column_period(const struct visit *visit, sqlite3_stmt *row, int start_column,
                       int duration_column, gint64 *start_ns, gint64 *duration_ns);

gboolean column_owner(const struct visit *visit, sqlite3_stmt *row, int column, guint *out);

gboolean column_unsigned(sqlite3_stmt *row, int column, guint64 *out);

gboolean column_uint(sqlite3_stmt *row, int column, guint *out);

/* Text that may not be NULL. */
gboolean column_word(sqlite3_stmt *row, int column, const char **out);
