/* lod.h: levels of detail
 *
 * Sums one core's spans into buckets of 4^level ns, finest level first, each
 * with the time of every owner in it, so that a picture of any width reads about
 * as many rows as it has pixels. Pure: takes spans, gives rows, knows no SQL.
 *
 * Invariants: over each level, each owner's time and span count equal the sums
 * over its spans; an owner has a row in each bucket that a span of its touches,
 * even with time 0.
 */
#pragma once

#include "schema/rows.h"

enum {
	LOD_LEVELS_MAX = 32,           /* 4^31 ns is past any window */
	LOD_SPANS_PER_BUCKET_MIN = 16, /* on average, at the finest level */
};

struct row_lod {
	guint core;
	guint level;   /* buckets of 4^level ns */
	gint64 bucket; /* covers [bucket * 4^level, (bucket + 1) * 4^level) ns */
	guint owner;
	gint64 time_ns; /* of this owner inside the bucket */
	guint64 spans;  /* of this owner that begin in the bucket */
};

/* Width of a level's buckets. level < LOD_LEVELS_MAX. */
gint64 lod_width_ns(guint level);

/* Takes one row; returns FALSE to stop, having set `error`. */
typedef gboolean (*lod_emit_fn)(const struct row_lod *row, gpointer data, GError **error);

/* Emits every level of one core in order of level, bucket, owner. `spans` are
 * gapless and in order, owners below `n_owners`. FALSE where `emit` stopped. */
gboolean lod_build(const struct row_span *spans, gsize n_spans, guint n_owners, lod_emit_fn emit,
                   gpointer data, GError **error);
