/* table.h: aligned columns of text
 *
 * Collects cells, then prints them with each column as wide as its widest cell:
 * words to the left, numbers to the right. Two blanks between columns, no lines
 * but one under the titles. Knows nothing of what the cells mean.
 */
#pragma once

#include <glib.h>

struct table_column {
	const char *title;
	gboolean number; /* to the right */
	gboolean hidden; /* cells are taken but not shown: the capture has no such figure */
};

struct table;

/* `columns` is copied, not their titles, which must outlive the table. */
struct table *table_new(const struct table_column *columns, guint n_columns);
void table_free(struct table *self);

typedef struct table Table; /* for g_autoptr(Table) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* The next cell, row by row; takes the string, NULL is an empty cell. Text that
 * came from a file goes through format_text() first. */
void table_add(struct table *self, char *cell);

/* An empty line here. Only between whole rows. */
void table_gap(struct table *self);

/* To standard output, each line after `indent` blanks. */
void table_print(const struct table *self, guint indent);
