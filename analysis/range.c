#include "analysis/range.h"

#include <math.h>

struct summing {
	struct range_account *account;
	recording_reader *reader;
	GCancellable *cancellable;
	guint core_number;
	gsize core; /* index */
	gint64 from_ns;
	gint64 to_ns;
};

static void sum_add(const struct summing *self, guint owner, gint64 time_ns, guint64 spans)
{
	const gsize at = self->core * self->account->n_owners + owner;

	self->account->time_ns[at] += time_ns;
	self->account->spans[at] += spans;
}

static gboolean take_bucket(const struct row_lod *row, gpointer data)
{
	const struct summing *self = data;

	sum_add(self, row->owner, row->time_ns, row->spans);
	return !g_cancellable_is_cancelled(self->cancellable);
}

static gboolean take_span(const struct row_span *row, gpointer data)
{
	const struct summing *self = data;
	const gint64 start_ns = MAX(row->start_ns, self->from_ns);
	const gint64 end_ns = MIN(row->start_ns + row->duration_ns, self->to_ns);

	sum_add(self, row->owner, MAX(end_ns - start_ns, 0), row->start_ns >= self->from_ns);
	return !g_cancellable_is_cancelled(self->cancellable);
}

static gboolean sum_spans(struct summing *self, gint64 from_ns, gint64 to_ns, GError **error)
{
	self->from_ns = from_ns;
	self->to_ns = to_ns;
	return recording_reader_spans(self->reader, self->core_number, from_ns, to_ns, take_span,
	                              self, error);
}

/* Whole buckets of the widest level, and the two edges from the next finer one. */
static gboolean sum_range(struct summing *self, gint64 from_ns, gint64 to_ns, gint64 width_ns,
                          GError **error)
{
	gboolean has;
	guint level;
	gint64 bucket_ns;
	gint64 first;
	gint64 past;

	if (from_ns >= to_ns)
		return TRUE;
	if (!recording_reader_lod_level(self->reader, self->core_number, width_ns, &has, &level,
	                                error))
		return FALSE;
	if (!has)
		return sum_spans(self, from_ns, to_ns, error);
	bucket_ns = lod_width_ns(level);
	first = from_ns / bucket_ns + (from_ns % bucket_ns != 0);
	past = to_ns / bucket_ns;
	if (first >= past)
		return sum_range(self, from_ns, to_ns, bucket_ns - 1, error);
	return recording_reader_lod(self->reader, self->core_number, level, first * bucket_ns,
	                            past * bucket_ns, take_bucket, self, error) &&
	       sum_range(self, from_ns, first * bucket_ns, bucket_ns - 1, error) &&
	       sum_range(self, past * bucket_ns, to_ns, bucket_ns - 1, error);
}

gboolean range_account_init(struct range_account *self, recording_reader *reader, gint64 from_ns,
                            gint64 to_ns, GCancellable *cancellable, GError **error)
{
	const gint64 window_ns = recording_reader_window_ns(reader);
	struct range_account account = { .from_ns = CLAMP(from_ns, 0, window_ns),
		                         .to_ns = CLAMP(to_ns, 0, window_ns) };
	struct summing summing = { .account = &account,
		                   .reader = reader,
		                   .cancellable = cancellable };
	const struct row_core *cores = recording_reader_cores(reader, &account.n_cores);
	gboolean done = TRUE;

	recording_reader_owners(reader, &account.n_owners);
	account.time_ns = g_new0(gint64, account.n_cores * account.n_owners + 1);
	account.spans = g_new0(guint64, account.n_cores * account.n_owners + 1);
	for (gsize i = 0; done && i < account.n_cores; i++) {
		summing.core = i;
		summing.core_number = cores[i].core;
		done = sum_range(&summing, account.from_ns, account.to_ns, G_MAXINT64, error) &&
		       !g_cancellable_set_error_if_cancelled(cancellable, error);
	}
	if (done)
		*self = account;
	else
		range_account_deinit(&account);
	return done;
}

void range_account_deinit(struct range_account *self)
{
	g_clear_pointer(&self->time_ns, g_free);
	g_clear_pointer(&self->spans, g_free);
}

gint64 range_account_owner_ns(const struct range_account *self, guint owner)
{
	gint64 sum_ns = 0;

	for (gsize i = 0; i < self->n_cores; i++)
		sum_ns += self->time_ns[i * self->n_owners + owner];
	return sum_ns;
}

guint64 range_account_owner_spans(const struct range_account *self, guint owner)
{
	guint64 sum = 0;

	for (gsize i = 0; i < self->n_cores; i++)
		sum += self->spans[i * self->n_owners + owner];
	return sum;
}

struct measuring {
	struct range_histogram *histogram;
	const guint8 *owners;
	GCancellable *cancellable;
	gint64 from_ns;
};

static gboolean measure(const struct row_span *row, gpointer data)
{
	const struct measuring *self = data;
	struct range_histogram *histogram = self->histogram;
	const gint64 duration_ns = row->duration_ns;
	guint bin = 0;

	if (!self->owners[row->owner] || row->start_ns < self->from_ns)
		return !g_cancellable_is_cancelled(self->cancellable);
	while (bin < RANGE_BINS - 1 && duration_ns >> (bin + 1) != 0)
		bin++;
	histogram->bins[bin]++;
	histogram->min_ns =
		histogram->count == 0 ? duration_ns : MIN(histogram->min_ns, duration_ns);
	histogram->max_ns = MAX(histogram->max_ns, duration_ns);
	histogram->sum_ns += duration_ns;
	histogram->count++;
	g_array_append_val(histogram->durations, duration_ns);
	return TRUE;
}

static gint compare_durations(gconstpointer a, gconstpointer b)
{
	const gint64 duration_a = *(const gint64 *)a;
	const gint64 duration_b = *(const gint64 *)b;

	return (duration_a > duration_b) - (duration_a < duration_b);
}

gboolean range_histogram_init(struct range_histogram *self, recording_reader *reader,
                              const guint8 *owners, gint64 from_ns, gint64 to_ns,
                              GCancellable *cancellable, GError **error)
{
	struct range_histogram histogram = { .durations =
		                                     g_array_new(FALSE, FALSE, sizeof(gint64)) };
	struct measuring measuring = { &histogram, owners, cancellable, from_ns };
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);
	gboolean done = TRUE;

	for (gsize i = 0; done && i < n; i++)
		done = recording_reader_spans(reader, cores[i].core, from_ns, to_ns, measure,
		                              &measuring, error) &&
		       !g_cancellable_set_error_if_cancelled(cancellable, error);
	if (done) {
		g_array_sort(histogram.durations, compare_durations);
		*self = histogram;
	} else {
		range_histogram_deinit(&histogram);
	}
	return done;
}

void range_histogram_deinit(struct range_histogram *self)
{
	g_clear_pointer(&self->durations, g_array_unref);
}

gint64 range_histogram_percentile(const struct range_histogram *self, double percent)
{
	const double rank = ceil(percent / 100 * (double)self->count);

	if (self->count == 0)
		return 0;
	return g_array_index(self->durations, gint64,
	                     (guint)CLAMP(rank - 1, 0, (double)self->count - 1));
}
