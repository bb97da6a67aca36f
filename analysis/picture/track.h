/* track.h: things that happen, beside who runs
 *
 * Exits by reason and STM messages, and whatever further table of a recording has
 * rows of time: each kind is a track, a list of items in order of time, each with
 * a key (its reason, its channel) that names and colours it. track_sources in
 * track.c is the list of kinds: a new one is one function there, and it has lanes
 * in every picture and a place in every search.
 *
 * Loaded whole, so that drawing needs no query. Immutable once loaded.
 */
#pragma once

#include "analysis/picture/lane.h"
#include "analysis/picture/palette.h"

#include <gio/gio.h>

enum {
	TRACK_ITEMS_MAX = 2000000, /* kept; what is left out is counted */
	TRACK_KEYS_MAX = 256,
	TRACK_NO_FLOW = 0
};

struct track_item {
	gint64 start_ns;
	gint64 duration_ns; /* 0: an instant */
	guint32 key;
	guint32 core;  /* index of the core; LANE_ALL_CORES where none */
	guint32 owner; /* whose: index of the owner interrupted; OWNER_NONE where none */
	guint32 flow;  /* items of one flow belong together (a request); TRACK_NO_FLOW */
	guint64 trace_offset;
};

enum {
	TRACK_OWNER_NONE = G_MAXUINT32
};

struct track_key {
	char *id;   /* stable: "irq", "64.3" */
	char *name; /* "IRQ", "STM 64, channel 3" */
	guint32 rgb;
	guint64 count; /* of items */
};

/* Time and number of the items of one key in one bucket of 4^level ns (schema/lod.h). */
struct track_sum {
	gint64 bucket;
	guint32 key;
	guint32 count; /* that begin in it */
	float time_ns;
};

struct track {
	char *id;      /* "exits" */
	char *name;    /* "Exits" */
	char *item;    /* what one is called: "exit" */
	GArray *keys;  /* struct track_key */
	GArray *items; /* struct track_item in order of start, at most TRACK_ITEMS_MAX */
	guint64 n_left_out;
	gint64 longest_ns;              /* duration of its longest item */
	GArray *levels[LOD_LEVELS_MAX]; /* struct track_sum in order of bucket, key; NULL:
	                                 * none at this level */
	GPtrArray *texts;               /* char *, one an item; NULL where the track has no texts */
};

/* Every track that the recording has rows for: GPtrArray of struct track. NULL with
 * `error` where it cannot be read, or `cancellable` stopped it. */
GPtrArray *tracks_load(recording_reader *reader, GCancellable *cancellable, GError **error);

/* Adds a group for each track and a lane for each of its keys. */
void tracks_add_lanes(const GPtrArray *tracks, struct lane_set *lanes);

/* Index of the first item that starts at or after `at_ns`. Longer ones before it may
 * reach past it, by no more than longest_ns. */
guint track_lower(const struct track *self, gint64 at_ns);

/* Index of the first sum of that level (not NULL) from that bucket on. */
guint track_sum_lower(const struct track *self, guint level, gint64 bucket);
