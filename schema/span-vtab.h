/* span-vtab.h: an array of spans as an SQL table
 *
 * An eponymous, read-only virtual table, `hvscope_spans`, that shows a C array
 * of rows as SQL rows, so that one INSERT..SELECT fills the span table without a
 * bind and a step per row. Full scans in array order only. It holds no rows
 * itself: the array belongs to the caller and stays while a statement reads it.
 */
#pragma once

#include "schema/rows.h"

#include <sqlite3.h>

/* What the table shows; change it only while no statement reads the table. */
struct span_source {
	const struct row_span *spans; /* in order of start_ns */
	gsize n_spans;
};

/* Adds the table to `db`. `source` must live as long as the connection. Returns
 * an SQLite result code. */
int span_vtab_register(sqlite3 *db, const struct span_source *source);

/* Copies every row of the source into the span table. */
extern const char span_vtab_insert_sql[];
