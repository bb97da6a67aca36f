#include "schema/reader-private.h"

gboolean reader_query(recording_reader *self, const struct reader_query *query, void (*fn)(void),
                      gpointer data, GError **error)
{
	g_autoptr(sqlite3_stmt) statement = db_prepare(&self->db, query->sql, error);
	struct visit visit = { .reader = self, .fn = fn, .data = data };
	gboolean row = FALSE;

	if (statement == NULL)
		return FALSE;
	for (int i = 0; i < query->n_parameters; i++)
		sqlite3_bind_int64(statement, i + 1, query->parameters[i]);
	while (!visit.stop) {
		if (!db_next(&self->db, statement, &row, error))
			return FALSE;
		if (!row)
			break;
		if (!query->take(&visit, statement))
			return reader_corrupt(self, query->table, "a row breaks its rules", error);
	}
	return TRUE;
}

/* start_ns in `column` and duration_ns in `column + step`: within the window. */
gboolean column_period(const struct visit *visit, sqlite3_stmt *row, int start_column,
                       int duration_column, gint64 *start_ns, gint64 *duration_ns)
{
	const gint64 window_ns = visit->reader->window_ns;

	return column_in(row, start_column, 0, window_ns, start_ns) &&
	       column_in(row, duration_column, 0, window_ns - *start_ns, duration_ns);
}

gboolean column_owner(const struct visit *visit, sqlite3_stmt *row, int column, guint *out)
{
	gint64 value;

	if (!column_in(row, column, 0, (gint64)visit->reader->owners->len - 1, &value))
		return FALSE;
	*out = (guint)value;
	return TRUE;
}

gboolean column_unsigned(sqlite3_stmt *row, int column, guint64 *out)
{
	gint64 value;

	if (!column_in(row, column, 0, G_MAXINT64, &value))
		return FALSE;
	*out = (guint64)value;
	return TRUE;
}

gboolean column_uint(sqlite3_stmt *row, int column, guint *out)
{
	gint64 value;

	if (!column_in(row, column, 0, G_MAXUINT32, &value))
		return FALSE;
	*out = (guint)value;
	return TRUE;
}

/* Text that may not be NULL. */
gboolean column_word(sqlite3_stmt *row, int column, const char **out)
{
	return column_text(row, column, out) && *out != NULL;
}

static gboolean take_span(struct visit *visit, sqlite3_stmt *row)
{
	struct row_span span = { 0 };
	gint64 certainty;

	if (!column_uint(row, 0, &span.core) ||
	    !column_period(visit, row, 1, 2, &span.start_ns, &span.duration_ns) ||
	    !column_unsigned(row, 3, &span.cycles) ||
	    !column_in(row, 4, 0, span.duration_ns, &span.halted_ns) ||
	    !column_in(row, 5, 0, G_MAXINT64, &span.uncertainty_ns) ||
	    !column_owner(visit, row, 6, &span.owner) ||
	    !column_in(row, 7, CERTAINTY_TRACED, CERTAINTY_BRACKETED, &certainty) ||
	    !column_unsigned(row, 8, &span.trace_offset))
		return FALSE;
	span.certainty = (enum span_certainty)certainty;
	visit->stop = !((recording_span_fn)visit->fn)(&span, visit->data);
	return TRUE;
}

/* Spans are gapless, so the first that reaches into [from, to) is the last that
 * starts at or before `from`: one look-up in the key, no scan. */
gboolean recording_reader_spans(recording_reader *self, guint core, gint64 from_ns, gint64 to_ns,
                                recording_span_fn fn, gpointer data, GError **error)
{
	const struct reader_query query = {
		.table = "span",
		.sql = "SELECT core, start_ns, duration_ns, cycles, halted_ns, uncertainty_ns, "
		       "owner, certainty, trace_offset FROM span WHERE core=?1 AND start_ns<?3 "
		       "AND start_ns>=coalesce((SELECT max(start_ns) FROM span WHERE core=?1 AND "
		       "start_ns<=?2),0) ORDER BY core, start_ns, seq",
		.take = take_span,
		.parameters = { core, from_ns, to_ns },
		.n_parameters = 3,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_gap(struct visit *visit, sqlite3_stmt *row)
{
	struct row_gap gap = { 0 };

	if (!column_uint(row, 0, &gap.core) ||
	    !column_period(visit, row, 1, 2, &gap.start_ns, &gap.duration_ns) ||
	    !column_word(row, 3, &gap.reason) || !column_unsigned(row, 4, &gap.begin_offset) ||
	    !column_unsigned(row, 5, &gap.end_offset))
		return FALSE;
	visit->stop = !((recording_gap_fn)visit->fn)(&gap, visit->data);
	return TRUE;
}

gboolean recording_reader_gaps(recording_reader *self, guint core, gint64 from_ns, gint64 to_ns,
                               recording_gap_fn fn, gpointer data, GError **error)
{
	const struct reader_query query = {
		.table = "gap",
		.sql = "SELECT core, start_ns, duration_ns, reason, begin_offset, end_offset FROM "
		       "gap WHERE core=?1 AND start_ns<?3 AND start_ns+duration_ns>=?2 ORDER BY "
		       "core, start_ns, seq",
		.take = take_gap,
		.parameters = { core, from_ns, to_ns },
		.n_parameters = 3,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_exception(struct visit *visit, sqlite3_stmt *row)
{
	struct row_exception exception = { 0 };

	if (!column_uint(row, 0, &exception.core) ||
	    !column_in(row, 1, 0, visit->reader->window_ns, &exception.time_ns) ||
	    !column_uint(row, 2, &exception.type) ||
	    !column_owner(visit, row, 4, &exception.from_owner) ||
	    !column_owner(visit, row, 5, &exception.to_owner) ||
	    !column_unsigned(row, 6, &exception.trace_offset))
		return FALSE;
	exception.has_return_address = sqlite3_column_type(row, 3) != SQLITE_NULL;
	exception.return_address_va = (guint64)sqlite3_column_int64(row, 3);
	visit->stop = !((recording_exception_fn)visit->fn)(&exception, visit->data);
	return TRUE;
}

gboolean recording_reader_exceptions(recording_reader *self, guint core, gint64 from_ns,
                                     gint64 to_ns, recording_exception_fn fn, gpointer data,
                                     GError **error)
{
	const struct reader_query query = {
		.table = "exception",
		.sql = "SELECT core, time_ns, type, return_address_va, from_owner, to_owner, "
		       "trace_offset FROM exception WHERE core=?1 AND time_ns>=?2 AND time_ns<?3 "
		       "ORDER BY core, time_ns, seq",
		.take = take_exception,
		.parameters = { core, from_ns, to_ns },
		.n_parameters = 3,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_stm(struct visit *visit, sqlite3_stmt *row)
{
	struct row_stm stm = { 0 };
	gint64 marked;

	/* A timestamp is 64 bits wide, so it may show as a negative number. */
	if (!column_word(row, 0, &stm.source) || !column_uint(row, 3, &stm.master) ||
	    !column_uint(row, 4, &stm.channel) || !column_word(row, 5, &stm.kind) ||
	    !column_in(row, 6, 0, 1, &marked) || !column_unsigned(row, 8, &stm.trace_offset))
		return FALSE;
	stm.has_time = sqlite3_column_type(row, 1) != SQLITE_NULL;
	if (stm.has_time && !column_in(row, 1, G_MININT64, G_MAXINT64, &stm.time_ns))
		return FALSE;
	stm.timestamp = (guint64)sqlite3_column_int64(row, 2);
	stm.marked = marked != 0;
	stm.payload = sqlite3_column_blob(row, 7);
	stm.payload_bytes = (gsize)sqlite3_column_bytes(row, 7);
	visit->stop = !((recording_stm_fn)visit->fn)(&stm, visit->data);
	return TRUE;
}

gboolean recording_reader_stm(recording_reader *self, recording_stm_fn fn, gpointer data,
                              GError **error)
{
	const struct reader_query query = {
		.table = "stm",
		.sql = "SELECT source, time_ns, timestamp, master, channel, kind, marked, payload, "
		       "trace_offset FROM stm ORDER BY seq",
		.take = take_stm,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_quality(struct visit *visit, sqlite3_stmt *row)
{
	struct row_quality quality = { 0 };

	if (!column_word(row, 0, &quality.source) || !column_word(row, 1, &quality.name) ||
	    !column_unsigned(row, 2, &quality.count))
		return FALSE;
	visit->stop = !((recording_quality_fn)visit->fn)(&quality, visit->data);
	return TRUE;
}

gboolean recording_reader_quality(recording_reader *self, recording_quality_fn fn, gpointer data,
                                  GError **error)
{
	const struct reader_query query = {
		.table = "quality",
		.sql = "SELECT source, name, count FROM quality ORDER BY source, name",
		.take = take_quality,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_quality_event(struct visit *visit, sqlite3_stmt *row)
{
	struct row_quality_event event = { 0 };

	if (!column_word(row, 0, &event.source) || !column_word(row, 1, &event.name) ||
	    !column_unsigned(row, 2, &event.trace_offset) || !column_text(row, 3, &event.detail))
		return FALSE;
	visit->stop = !((recording_quality_event_fn)visit->fn)(&event, visit->data);
	return TRUE;
}

gboolean recording_reader_quality_events(recording_reader *self, recording_quality_event_fn fn,
                                         gpointer data, GError **error)
{
	const struct reader_query query = {
		.table = "quality_event",
		.sql = "SELECT source, name, trace_offset, detail FROM quality_event ORDER BY seq",
		.take = take_quality_event,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_account(struct visit *visit, sqlite3_stmt *row)
{
	const gint64 window_ns = visit->reader->window_ns;
	struct row_account account = { 0 };

	if (!column_uint(row, 0, &account.core) || !column_owner(visit, row, 1, &account.owner) ||
	    !column_in(row, 2, 0, window_ns, &account.time_ns) ||
	    !column_unsigned(row, 3, &account.cycles) ||
	    !column_in(row, 4, 0, account.time_ns, &account.halted_ns) ||
	    !column_unsigned(row, 5, &account.spans))
		return FALSE;
	visit->stop = !((recording_account_fn)visit->fn)(&account, visit->data);
	return TRUE;
}

gboolean recording_reader_account(recording_reader *self, recording_account_fn fn, gpointer data,
                                  GError **error)
{
	const struct reader_query query = {
		.table = "account",
		.sql = "SELECT core, owner, time_ns, cycles, halted_ns, spans FROM account ORDER "
		       "BY "
		       "core, owner",
		.take = take_account,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_lod_level(struct visit *visit, sqlite3_stmt *row)
{
	if (sqlite3_column_type(row, 0) == SQLITE_NULL)
		return TRUE; /* max() of no rows */
	*(gint64 *)visit->data = sqlite3_column_int64(row, 0);
	return TRUE;
}

gboolean recording_reader_lod_level(recording_reader *self, guint core, gint64 max_width_ns,
                                    gboolean *has_level, guint *level, GError **error)
{
	gint64 found = -1;
	struct reader_query query = {
		.table = "lod",
		.sql = "SELECT max(level) FROM lod WHERE core=?1 AND level<=?2",
		.take = take_lod_level,
		.parameters = { core, -1 },
		.n_parameters = 2,
	};

	for (guint i = 0; i < LOD_LEVELS_MAX && lod_width_ns(i) <= max_width_ns; i++)
		query.parameters[1] = i;
	if (!reader_query(self, &query, NULL, &found, error))
		return FALSE;
	*has_level = found >= 0;
	*level = found >= 0 ? (guint)found : 0;
	return TRUE;
}

static gboolean take_lod(struct visit *visit, sqlite3_stmt *row)
{
	struct row_lod lod = { 0 };

	if (!column_uint(row, 0, &lod.core) || !column_uint(row, 1, &lod.level) ||
	    lod.level >= LOD_LEVELS_MAX ||
	    !column_in(row, 2, 0, visit->reader->window_ns / lod_width_ns(lod.level),
	               &lod.bucket) ||
	    !column_owner(visit, row, 3, &lod.owner) ||
	    !column_in(row, 4, 0, lod_width_ns(lod.level), &lod.time_ns) ||
	    !column_unsigned(row, 5, &lod.spans))
		return FALSE;
	visit->stop = !((recording_lod_fn)visit->fn)(&lod, visit->data);
	return TRUE;
}

gboolean recording_reader_lod(recording_reader *self, guint core, guint level, gint64 from_ns,
                              gint64 to_ns, recording_lod_fn fn, gpointer data, GError **error)
{
	const gint64 width_ns = lod_width_ns(level);
	g_autofree char *sql = g_strdup_printf(
		"SELECT core, level, bucket, owner, time_ns, spans FROM lod WHERE core=?1 AND "
		"level=%u AND bucket>=?2 AND bucket<=?3 ORDER BY core, level, bucket, owner",
		level);
	const struct reader_query query = {
		.table = "lod",
		.sql = sql,
		.take = take_lod,
		.parameters = { core, MAX(from_ns, 0) / width_ns, (to_ns - 1) / width_ns },
		.n_parameters = 3,
	};

	if (to_ns <= from_ns || to_ns <= 0)
		return TRUE;
	return reader_query(self, &query, (void (*)(void))fn, data, error);
}
