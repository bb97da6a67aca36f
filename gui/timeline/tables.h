/* tables.h: the schedule, exits, latencies and requests of a range
 *
 * The same tables as `hvscope report` prints for --from and --to, and for each row the
 * instance that it is best looked at by: the longest of those that it counts. Knows no
 * widget; made on a worker's thread.
 */
#pragma once

#include "analysis/schedule.h"

enum table_kind {
	TABLE_SCHEDULE,
	TABLE_EXITS,
	TABLE_LATENCY,
	TABLE_REQUESTS,
	TABLES
};

/* Where a row's instance is. */
struct table_place {
	gint64 start_ns;
	gint64 end_ns;
	char *lane; /* its id; NULL: the row has no instance */
};

struct tables {
	struct figures *figures[TABLES];
	GArray *places[TABLES]; /* struct table_place, one a row */
};

/* FALSE where the recording cannot be read. */
gboolean tables_init(struct tables *self, recording_reader *reader, gint64 from_ns, gint64 to_ns,
                     GError **error);
void tables_deinit(struct tables *self);
