/* range.h: who used the processors in any range
 *
 * Like account.h, but from `from_ns` to `to_ns`: exact to the nanosecond, and in
 * about the same time for a second or an hour, since all but the range's edges is
 * read from the levels of detail (schema/lod.h). Prints nothing.
 */
#pragma once

#include "schema/reader.h"

#include <gio/gio.h>

struct range_account {
	gint64 from_ns; /* inclusive */
	gint64 to_ns;   /* exclusive */
	gsize n_cores;
	gsize n_owners;
	gint64 *time_ns; /* [core index * n_owners + owner] */
	guint64 *spans;  /* likewise; that begin in the range */
};

/* Clips the range to the window. Errors: RECORDING_ERROR, or G_IO_ERROR_CANCELLED;
 * `cancellable` may be NULL. */
gboolean range_account_init(struct range_account *self, recording_reader *reader, gint64 from_ns,
                            gint64 to_ns, GCancellable *cancellable, GError **error);
void range_account_deinit(struct range_account *self);

/* One owner's time over all cores. */
gint64 range_account_owner_ns(const struct range_account *self, guint owner);
guint64 range_account_owner_spans(const struct range_account *self, guint owner);

enum {
	RANGE_BINS = 40 /* bin b: durations from 2^b to below 2^(b+1) ns; 0 is in bin 0 */
};

/* How long the spans of some owners are, those that begin in the range. */
struct range_histogram {
	guint64 count;
	gint64 sum_ns;
	gint64 min_ns;
	gint64 max_ns;
	guint64 bins[RANGE_BINS];
	GArray *durations; /* gint64, sorted: for percentiles */
};

/* `owners`: one a owner, not 0 where it counts. Reads every span of the range. */
gboolean range_histogram_init(struct range_histogram *self, recording_reader *reader,
                              const guint8 *owners, gint64 from_ns, gint64 to_ns,
                              GCancellable *cancellable, GError **error);
void range_histogram_deinit(struct range_histogram *self);

/* The least duration that `percent` of all do not exceed (nearest rank); 0 of none. */
gint64 range_histogram_percentile(const struct range_histogram *self, double percent);
