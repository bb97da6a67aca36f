#include "analysis/quality.h"

static void gaps_clear(gpointer gaps)
{
	g_free(((struct quality_gaps *)gaps)->reason);
}

static gboolean take_gap(const struct row_gap *row, gpointer data)
{
	GArray *gaps = data;
	struct quality_gaps *found = NULL;

	for (guint i = 0; i < gaps->len && found == NULL; i++) {
		struct quality_gaps *candidate = &g_array_index(gaps, struct quality_gaps, i);

		if (candidate->core == row->core && g_str_equal(candidate->reason, row->reason))
			found = candidate;
	}
	if (found == NULL) {
		const struct quality_gaps fresh = { .core = row->core,
			                            .reason = g_strdup(row->reason) };

		g_array_append_val(gaps, fresh);
		found = &g_array_index(gaps, struct quality_gaps, gaps->len - 1);
	}
	found->count++;
	found->time_ns += row->duration_ns;
	found->longest_ns = MAX(found->longest_ns, row->duration_ns);
	if (row->end_offset > row->begin_offset)
		found->bytes += row->end_offset - row->begin_offset;
	return TRUE;
}

static gint gaps_compare(gconstpointer a, gconstpointer b)
{
	const struct quality_gaps *x = a;
	const struct quality_gaps *y = b;

	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return g_strcmp0(x->reason, y->reason);
}

static gboolean take_count(const struct row_quality *row, gpointer data)
{
	struct quality *self = data;
	const struct row_quality kept = {
		.source = g_string_chunk_insert_const(self->text, row->source),
		.name = g_string_chunk_insert_const(self->text, row->name),
		.count = row->count,
	};

	g_array_append_val(self->counts, kept);
	return TRUE;
}

static gboolean take_event(const struct row_quality_event *row, gpointer data)
{
	struct quality *self = data;
	struct row_quality_event kept = *row;

	if (self->n_events++ >= QUALITY_EVENTS_MAX)
		return TRUE;
	kept.source = g_string_chunk_insert_const(self->text, row->source);
	kept.name = g_string_chunk_insert_const(self->text, row->name);
	if (row->detail != NULL)
		kept.detail = g_string_chunk_insert_const(self->text, row->detail);
	g_array_append_val(self->events, kept);
	return TRUE;
}

static gboolean cores_read(struct quality *self, recording_reader *reader, GError **error)
{
	for (gsize i = 0; i < self->account.n_cores; i++) {
		const guint core = self->account.cores[i].core->core;
		struct quality_uncertainty *out = &self->uncertainty[i];
		double sum_ns;

		if (!recording_reader_uncertainty(reader, core, &out->spans, &sum_ns, &out->max_ns,
		                                  error) ||
		    !recording_reader_gaps(reader, core, 0, G_MAXINT64, take_gap, self->gaps,
		                           error))
			return FALSE;
		if (out->spans > 0)
			out->mean_ns = (gint64)MIN(sum_ns / (double)out->spans + 0.5, 9e18);
	}
	g_array_sort(self->gaps, gaps_compare);
	return TRUE;
}

gboolean quality_init(struct quality *self, recording_reader *reader, GError **error)
{
	struct quality quality = { 0 };

	if (!account_init(&quality.account, reader, error))
		return FALSE;
	quality.uncertainty = g_new0(struct quality_uncertainty, quality.account.n_cores);
	quality.gaps = g_array_new(FALSE, FALSE, sizeof(struct quality_gaps));
	g_array_set_clear_func(quality.gaps, gaps_clear);
	quality.counts = g_array_new(FALSE, FALSE, sizeof(struct row_quality));
	quality.events = g_array_new(FALSE, FALSE, sizeof(struct row_quality_event));
	quality.text = g_string_chunk_new(4096);
	if (!cores_read(&quality, reader, error) ||
	    !recording_reader_quality(reader, take_count, &quality, error) ||
	    !recording_reader_quality_events(reader, take_event, &quality, error)) {
		quality_deinit(&quality);
		return FALSE;
	}
	*self = quality;
	return TRUE;
}

void quality_deinit(struct quality *self)
{
	account_deinit(&self->account);
	g_clear_pointer(&self->uncertainty, g_free);
	g_clear_pointer(&self->gaps, g_array_unref);
	g_clear_pointer(&self->counts, g_array_unref);
	g_clear_pointer(&self->events, g_array_unref);
	g_clear_pointer(&self->text, g_string_chunk_free);
}
