/* figures-print.h: tables of figures as text, JSON and CSV
 *
 * One way to print every table of analysis/figures.h, so that all reports look alike.
 * Decides nothing about what is in them.
 */
#pragma once

#include "analysis/figures.h"
#include "cli/json.h"
#include "schema/reader.h"

/* A title and aligned columns; "none" where there are no rows. At most `limit` rows. */
void figures_print(const struct figures *figures, const recording_reader *reader, guint limit);

/* The rows as an array of objects, under `key`. */
void figures_print_json(const struct figures *figures, JsonBuilder *builder, const char *key);

/* A line of names, then the rows (RFC 4180). */
void figures_print_csv(const struct figures *figures);
