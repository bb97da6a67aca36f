/* figures.h: a table of figures, before anybody prints it
 *
 * What every report of this room is made of: named columns of one kind each, and rows.
 * Text, JSON, CSV, HTML and the comparison of two recordings all read the same tables, so
 * they cannot disagree. Holds no layout and knows no file.
 */
#pragma once

#include "analysis/distribution.h"

enum figure_kind {
	FIGURE_TEXT,
	FIGURE_COUNT,
	FIGURE_TIME,  /* nanoseconds */
	FIGURE_SHARE, /* 0 to 1 */
	FIGURE_RATE,  /* per second */
};

struct figure_column {
	const char *name;  /* in JSON and CSV, times end in _ns: static text */
	const char *title; /* for people: static text */
	enum figure_kind kind;
	gboolean key; /* rows are told apart by these columns */
};

struct figure {
	gboolean known;
	char *text;   /* FIGURE_TEXT */
	double value; /* the others; whole numbers up to 2^53 are exact */
};

struct figures {
	const char *name;  /* "exits"; static text */
	const char *title; /* for people; static text */
	const struct figure_column *columns;
	guint n_columns;
	GArray *cells; /* struct figure, row by row */
};

struct figures *figures_new(const char *name, const char *title,
                            const struct figure_column *columns, guint n_columns);
void figures_free(struct figures *self);

/* The next cell. */
void figures_add_text(struct figures *self, const char *text); /* NULL: not known */
void figures_add(struct figures *self, double value);
void figures_add_unknown(struct figures *self);

/* count, min, p50, p95, p99, p99.9, max, mean: eight cells, the times not known where the
 * count is 0. FIGURES_SPREAD_COLUMNS is what a table's columns have for them. */
void figures_add_spread(struct figures *self, const struct distribution *spread);
#define FIGURES_SPREAD_COLUMNS                                                                     \
	{ "count", "Count", FIGURE_COUNT, FALSE }, { "min_ns", "Min", FIGURE_TIME, FALSE },        \
		{ "p50_ns", "p50", FIGURE_TIME, FALSE }, { "p95_ns", "p95", FIGURE_TIME, FALSE },  \
		{ "p99_ns", "p99", FIGURE_TIME, FALSE },                                           \
		{ "p999_ns", "p99.9", FIGURE_TIME, FALSE },                                        \
		{ "max_ns", "Max", FIGURE_TIME, FALSE },                                           \
	{                                                                                          \
		"mean_ns", "Mean", FIGURE_TIME, FALSE                                              \
	}

guint figures_rows(const struct figures *self);
const struct figure *figures_at(const struct figures *self, guint row, guint column);
