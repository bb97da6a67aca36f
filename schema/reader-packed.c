#include "schema/reader-private.h"

#include "schema/packed.h"

static gboolean in(gint64 value, gint64 min, gint64 max)
{
	return value >= min && value <= max;
}

static gboolean period_in(const struct recording_reader *self, gint64 start_ns, gint64 duration_ns)
{
	return in(start_ns, 0, self->window_ns) && in(duration_ns, 0, self->window_ns - start_ns);
}

/* The rules that rows of the tables keep to (reader-vcpu.c). */
static gboolean run_check(const struct recording_reader *self, const struct row_vcpu_run *row,
                          gint64 vcpu)
{
	return row->vcpu == vcpu && row->vcpu < self->vcpus->len &&
	       period_in(self, row->start_ns, row->duration_ns) && row->core >= OWNER_NO_VALUE &&
	       in(row->guest_ns, 0, row->duration_ns) &&
	       in(row->hypervisor_ns, 0, row->duration_ns - row->guest_ns) &&
	       row->cycles <= G_MAXINT64 && row->exits <= G_MAXINT64;
}

static gboolean exit_check(const struct recording_reader *self, const struct row_exit *row,
                           gint64 core)
{
	return row->core == core && row->vcpu < self->vcpus->len &&
	       in(row->next_vcpu, OWNER_NO_VALUE, (gint64)self->vcpus->len - 1) &&
	       period_in(self, row->start_ns, row->duration_ns) &&
	       in(row->hypervisor_ns, 0, row->duration_ns) &&
	       in(row->idle_ns, 0, row->duration_ns) &&
	       in(row->idle_hypervisor_ns, 0, row->hypervisor_ns) && row->cycles <= G_MAXINT64 &&
	       in(row->type, OWNER_NO_VALUE, G_MAXUINT16) && row->wake_ns >= OWNER_NO_VALUE &&
	       row->injection_ns >= OWNER_NO_VALUE && row->trace_offset <= G_MAXINT64 &&
	       row->handler <= self->functions->len;
}

/* One pass over a lane's blobs. */
struct pass {
	const struct recording_reader *reader;
	gint64 lane, to_ns;
	void (*fn)(void);
	gpointer data;
	gboolean stop;
};

static gboolean take_runs(struct pass *pass, struct packed_bytes *bytes, gint64 n_rows)
{
	struct packed_state state = { 0 };
	struct row_vcpu_run row;

	for (gint64 i = 0; i < n_rows && !pass->stop; i++) {
		if (!packed_take_run(bytes, &state, &row) ||
		    !run_check(pass->reader, &row, pass->lane))
			return FALSE;
		if (row.start_ns < pass->to_ns)
			pass->stop = !((recording_vcpu_run_fn)pass->fn)(&row, pass->data);
	}
	return TRUE;
}

static gboolean take_exits(struct pass *pass, struct packed_bytes *bytes, gint64 n_rows)
{
	struct packed_state state = { 0 };
	struct row_exit row;

	for (gint64 i = 0; i < n_rows && !pass->stop; i++) {
		if (!packed_take_exit(bytes, &state, &row) ||
		    !exit_check(pass->reader, &row, pass->lane))
			return FALSE;
		if (row.start_ns < pass->to_ns)
			pass->stop = !((recording_exit_fn)pass->fn)(&row, pass->data);
	}
	return TRUE;
}

static gboolean read_packed(recording_reader *self, const char *kind,
                            gboolean (*take)(struct pass *, struct packed_bytes *, gint64),
                            struct pass *pass, gboolean *found, GError **error)
{
	g_autoptr(sqlite3_stmt) statement = db_prepare(
		&self->db, "SELECT rows, data FROM packed WHERE kind=? AND lane=? ORDER BY blob",
		error);
	gboolean row = FALSE;

	*found = FALSE;
	if (statement == NULL)
		return FALSE;
	sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, pass->lane);
	while (!pass->stop) {
		struct packed_bytes bytes;
		gint64 n_rows;

		if (!db_next(&self->db, statement, &row, error))
			return FALSE;
		if (!row)
			break;
		*found = TRUE;
		bytes.at = sqlite3_column_blob(statement, 1);
		bytes.end = bytes.at;
		if (bytes.at != NULL)
			bytes.end += sqlite3_column_bytes(statement, 1);
		if (!column_in(statement, 0, 1, PACKED_ROWS_MAX, &n_rows) ||
		    !take(pass, &bytes, n_rows))
			return reader_corrupt(self, "packed", "a row breaks its rules", error);
	}
	return TRUE;
}

gboolean reader_packed_runs(recording_reader *self, guint vcpu, gint64 to_ns,
                            recording_vcpu_run_fn fn, gpointer data, gboolean *found,
                            GError **error)
{
	struct pass pass = { self, vcpu, to_ns, (void (*)(void))fn, data, FALSE };

	return read_packed(self, "vcpu_run", take_runs, &pass, found, error);
}

gboolean reader_packed_exits(recording_reader *self, guint core, gint64 to_ns, recording_exit_fn fn,
                             gpointer data, gboolean *found, GError **error)
{
	struct pass pass = { self, core, to_ns, (void (*)(void))fn, data, FALSE };

	return read_packed(self, "exit", take_exits, &pass, found, error);
}
