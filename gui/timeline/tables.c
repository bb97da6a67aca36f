#include "gui/timeline/tables.h"

#include <string.h>

static void place_clear(gpointer data)
{
	g_free(((struct table_place *)data)->lane);
}

/* A place for each row, the longest instance of the rows' keys to be found. */
struct placing {
	const struct schedule_rows *rows;
	GHashTable *place_of; /* key -> struct table_place */
};

static void placing_init(struct placing *self, const struct schedule_rows *rows)
{
	self->rows = rows;
	self->place_of = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void placing_offer(struct placing *self, char *key, gint64 start_ns, gint64 duration_ns)
{
	struct table_place *place = g_hash_table_lookup(self->place_of, key);

	if (place == NULL) {
		place = g_new0(struct table_place, 1);
		g_hash_table_insert(self->place_of, g_strdup(key), place);
	} else if (duration_ns <= place->end_ns - place->start_ns) {
		g_free(key);
		return;
	}
	place->start_ns = start_ns;
	place->end_ns = start_ns + duration_ns;
	g_free(key);
}

/* Takes `key` and `lane`. */
static void placing_take(const struct placing *self, GArray *places, char *key, char *lane)
{
	const struct table_place *known = g_hash_table_lookup(self->place_of, key);
	struct table_place place = { 0 };

	if (known != NULL) {
		place = *known;
		place.lane = g_steal_pointer(&lane);
	}
	g_array_append_val(places, place);
	g_free(lane);
	g_free(key);
}

static const char *text_at(const struct figures *figures, guint row, const char *column)
{
	for (guint i = 0; i < figures->n_columns; i++) {
		if (strcmp(figures->columns[i].name, column) == 0)
			return figures_at(figures, row, i)->text;
	}
	return NULL;
}

/* The longest wait of each vCPU; of one that never waited, its first run. */
static void place_schedule(struct tables *self, const struct schedule_rows *rows, GArray *places)
{
	const struct figures *figures = self->figures[TABLE_SCHEDULE];
	struct placing placing;

	placing_init(&placing, rows);
	for (guint pass = 0; pass < 2; pass++) {
		for (guint i = 0; i < rows->runs->len; i++) {
			const struct row_vcpu_run *run =
				&g_array_index(rows->runs, struct row_vcpu_run, i);
			char *name = schedule_vcpu_name(rows, run->vcpu);

			if (run->state == RUN_RUNNABLE ||
			    (pass == 1 && run->state == RUN_RUNNING &&
			     !g_hash_table_contains(placing.place_of, name)))
				placing_offer(&placing, name, run->start_ns, run->duration_ns);
			else
				g_free(name);
		}
	}
	for (guint i = 0; i < figures_rows(figures); i++) {
		const char *name = text_at(figures, i, "vcpu");

		placing_take(&placing, places, g_strdup(name), g_strdup_printf("vcpu/%s", name));
	}
	g_hash_table_unref(placing.place_of);
}

/* The longest visit of each vCPU, reason and end, by the time that the table sums. */
static void place_exits(struct tables *self, const struct schedule_rows *rows, GArray *places)
{
	const struct figures *figures = self->figures[TABLE_EXITS];
	struct placing placing;

	placing_init(&placing, rows);
	for (guint i = 0; i < rows->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(rows->exits, struct row_exit, i);
		g_autofree char *name = schedule_vcpu_name(rows, exit->vcpu);

		placing_offer(&placing,
		              g_strdup_printf("%s %s %s", name, exit_reason_name(exit->reason),
		                              exit_end_name(exit->ended)),
		              exit->start_ns, exit->hypervisor_ns);
	}
	for (guint i = 0; i < figures_rows(figures); i++) {
		const char *reason = text_at(figures, i, "reason");

		placing_take(&placing, places,
		             g_strdup_printf("%s %s %s", text_at(figures, i, "vcpu"), reason,
		                             text_at(figures, i, "ended")),
		             g_strdup_printf("exits/%s", reason));
	}
	g_hash_table_unref(placing.place_of);
}

static void place_requests(struct tables *self, const struct schedule_rows *rows, GArray *places)
{
	const struct figures *figures = self->figures[TABLE_REQUESTS];

	for (guint i = 0; i < figures_rows(figures); i++) {
		const struct row_request *request =
			&g_array_index(rows->requests, struct row_request, i);
		struct table_place place = { .start_ns = G_MAXINT64 };

		for (guint t = 0; t < REQUEST_STAGES; t++) {
			if (request->t_ns[t] == OWNER_NO_VALUE)
				continue;
			place.start_ns = MIN(place.start_ns, request->t_ns[t]);
			place.end_ns = MAX(place.end_ns, request->t_ns[t]);
		}
		place.lane = g_strdup_printf("requests/%s-%s", text_at(figures, i, "frontend"),
		                             text_at(figures, i, "backend"));
		g_array_append_val(places, place);
	}
}

gboolean tables_init(struct tables *self, recording_reader *reader, gint64 from_ns, gint64 to_ns,
                     GError **error)
{
	const struct schedule_filter filter = { .vcpu = OWNER_NO_VALUE,
		                                .from_ns = from_ns,
		                                .to_ns = to_ns };
	struct schedule_rows rows;

	if (!schedule_rows_init(&rows, reader, &filter, error))
		return FALSE;
	self->figures[TABLE_SCHEDULE] = schedule_figures(&rows);
	self->figures[TABLE_EXITS] = exits_figures(&rows);
	self->figures[TABLE_LATENCY] = latency_figures(&rows);
	self->figures[TABLE_REQUESTS] = backend_requests(&rows);
	for (guint i = 0; i < TABLES; i++) {
		self->places[i] = g_array_new(FALSE, TRUE, sizeof(struct table_place));
		g_array_set_clear_func(self->places[i], place_clear);
	}
	place_schedule(self, &rows, self->places[TABLE_SCHEDULE]);
	place_exits(self, &rows, self->places[TABLE_EXITS]);
	place_requests(self, &rows, self->places[TABLE_REQUESTS]);
	g_array_set_size(self->places[TABLE_LATENCY], figures_rows(self->figures[TABLE_LATENCY]));
	schedule_rows_deinit(&rows);
	return TRUE;
}

void tables_deinit(struct tables *self)
{
	for (guint i = 0; i < TABLES; i++) {
		figures_free(self->figures[i]);
		g_array_unref(self->places[i]);
	}
}
