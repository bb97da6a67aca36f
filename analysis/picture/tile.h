/* tile.h: a piece of one core's time, ready to be drawn
 *
 * Either buckets of a level of detail (schema/lod.h) or single spans, for a stretch
 * of time that depends on the level alone, so that a tile serves every picture that
 * shows that stretch. Made by one query; immutable then, so threads may share it.
 */
#pragma once

#include "schema/reader.h"

enum {
	TILE_RAW = LOD_LEVELS_MAX, /* the "level" of single spans */
	TILE_BUCKETS = 256,        /* of a level in one tile */
	TILE_SPANS_MAX = 100000,   /* more than this in one raw tile: too_many */
};

struct tile_key {
	guint core;   /* index */
	guint level;  /* or TILE_RAW */
	gint64 index; /* covers [index * width, (index + 1) * width) */
};

/* One owner's part of one bucket. */
struct tile_bucket {
	guint32 bucket; /* from the tile's start */
	guint32 owner;
	float time_ns;
	guint32 spans; /* that begin in it */
};

struct tile_span {
	gint64 start_ns;
	gint64 duration_ns;
	guint32 owner;
};

struct tile {
	gint ref_count;
	struct tile_key key;
	gint64 width_ns;   /* of the tile */
	gint64 bucket_ns;  /* of one bucket; 0 in a raw tile */
	gboolean too_many; /* raw: not loaded; use the finest level */
	guint n;           /* of the one array that is set */
	struct tile_bucket *buckets;
	struct tile_span *spans;
};

/* The levels that a core has. */
struct tile_levels {
	gboolean any;
	guint finest;
	guint coarsest;
};

gboolean tile_levels_read(recording_reader *reader, guint core, struct tile_levels *out,
                          GError **error);

/* The width of that core's tiles of that level. */
gint64 tile_width_ns(const struct tile_levels *levels, guint level);

/* Reads it. `key.core` is an index into the recording's cores. */
struct tile *tile_load(recording_reader *reader, const struct tile_levels *levels,
                       struct tile_key key, GError **error);
struct tile *tile_ref(struct tile *self);
void tile_unref(struct tile *self);
gsize tile_bytes(const struct tile *self);
