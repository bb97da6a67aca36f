/* batch-vtab.h: an array of rows as an SQL table
 *
 * Shows SQLite an array of some struct as a read-only virtual table, so that a batch of rows
 * goes into its table by one INSERT..SELECT: some three times as fast as a statement a row.
 * Knows neither the struct nor the columns: one function hands out a row's value. For the
 * schema room only; span-vtab.h is the same for spans, with their own numbers.
 */
#pragma once

#include <glib.h>
#include <sqlite3.h>

/* What the table shows: filled by the writer before each INSERT..SELECT. */
struct batch_source {
	const char *table_sql; /* "CREATE TABLE NAME (COLUMN, ...)" */
	/* Sets the result to a column of rows[i]; leaves it for NULL. `seq` is its number. */
	void (*column)(sqlite3_context *context, const void *rows, gsize i, gint64 seq, int column);
	const void *rows;
	gsize n_rows;
	gint64 first_seq;
};

/* Makes the table `name` of that connection; `source` must outlive it. An SQLite code. */
int batch_vtab_register(sqlite3 *db, const char *name, const struct batch_source *source);
