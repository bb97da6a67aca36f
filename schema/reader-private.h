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
	GHashTable *meta;   /* char * -> char * */
	GStringChunk *text; /* the strings of the arrays below */
	GArray *cores;      /* struct row_core */
	GArray *owners;     /* struct row_owner, by index */
	GArray *machines;   /* struct row_machine */
	GArray *tasks;      /* struct row_task */
};

/* Sets `error` to "PATH: damaged: table TABLE: FAULT". Always returns FALSE. */
gboolean reader_corrupt(const struct recording_reader *self, const char *table, const char *fault,
                        GError **error);

/* A column, checked: a whole number from `min` to `max`, where NULL is not. */
gboolean column_in(sqlite3_stmt *row, int column, gint64 min, gint64 max, gint64 *out);

/* A column of text that is valid UTF-8, or NULL where it is NULL. Valid until the
 * statement's next step. */
gboolean column_text(sqlite3_stmt *row, int column, const char **out);
