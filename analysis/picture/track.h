/* track.h: things that happen, beside who runs
 *
 * Exits, what each vCPU did, requests of a frontend to its backend, STM messages,
 * and whatever further table of a recording has rows of time: each is a track, a
 * list of items in order of time, each with a key (its reason, its state, its stage)
 * that names and colours it. track_sources in track.c is the list of kinds: a new
 * one is one function there, and it has lanes in every picture and a place in every
 * search.
 *
 * Loaded whole, so that drawing needs no query. Immutable once loaded.
 */
#pragma once

#include "analysis/picture/lane.h"
#include "analysis/picture/palette.h"

#include <gio/gio.h>

enum {
	TRACK_ITEMS_MAX = 2000000, /* of all tracks; what is left out is counted */
	TRACK_KEYS_MAX = 256,
	TRACK_BLOCK = 64,
	TRACK_NO_FLOW = 0
};

enum track_kind {
	TRACK_EXITS,
	TRACK_VCPU,     /* of one vCPU: its states */
	TRACK_REQUESTS, /* of one frontend and its backend: the stages */
	TRACK_STM,
};

struct track_item {
	gint64 start_ns;
	gint64 duration_ns; /* 0: an instant */
	guint32 key;
	guint32 core;         /* index of the core; LANE_ALL_CORES where none */
	guint32 owner;        /* whose: index of the owner interrupted; OWNER_NONE where none */
	guint32 flow;         /* items of one flow belong together (a request); TRACK_NO_FLOW */
	guint64 trace_offset; /* TRACK_NO_OFFSET where none */
};

#define TRACK_NO_OFFSET G_MAXUINT64

enum {
	TRACK_OWNER_NONE = G_MAXUINT32
};

struct track_key {
	char *id;   /* stable: "irq", "64.3" */
	char *name; /* "IRQ", "STM 64, channel 3" */
	guint32 rgb;
	guint32 dark_rgb;           /* on a dark ground */
	guint32 rgb_by[COLOUR_BYS]; /* where it differs so; 0: it does not */
	gboolean hatched;           /* nobody's time */
	gboolean running;           /* of a vCPU, on the core that it names */
	guint64 count;              /* of items */
};

/* Time and number of the items of one key in one bucket of 4^level ns (schema/lod.h). */
struct track_sum {
	gint64 bucket;
	guint32 key;
	guint32 count; /* that begin in it */
	float time_ns;
	float longest_ns; /* of the items that touch it, whole */
};

struct track {
	enum track_kind kind;
	char *id;       /* "exits" */
	char *name;     /* "Exits" */
	char *item;     /* what one is called: "exit" */
	char *below;    /* id of the lane that its own belongs under; NULL: a group of its own */
	guint capacity; /* items that can last at the same time */
	gboolean key_lanes; /* a lane for each key, too */
	guint vcpu;         /* of TRACK_VCPU: its index */
	gint64 vmids[2];    /* domains that it is of, OWNER_NO_VALUE where none */
	GArray *requests;   /* of TRACK_REQUESTS: struct row_request, item.flow - 1 is the index */
	GArray *keys;       /* struct track_key */
	GArray *items;      /* struct track_item in order of start */
	guint64 n_left_out;
	gint64 longest_ns;              /* duration of its longest item */
	GArray *block_ends;             /* gint64: the latest end in each TRACK_BLOCK items */
	GArray *levels[LOD_LEVELS_MAX]; /* struct track_sum in order of bucket, key; NULL:
	                                 * none at this level */
	GPtrArray *texts;               /* char *, one an item; NULL where the track has no texts */
};

/* Every track that the recording has rows for: GPtrArray of struct track. NULL with
 * `error` where it cannot be read, or `cancellable` stopped it. */
GPtrArray *tracks_load(recording_reader *reader, GCancellable *cancellable, GError **error);

/* Adds a group for each track and a lane for each of its keys. */
void tracks_add_lanes(const GPtrArray *tracks, struct lane_set *lanes);

/* The lane that shows the item at its best: of its key where there is one. */
guint track_lane_of_item(const struct track *self, const struct lane_set *lanes, guint item);

/* Whether a filter (one byte a owner) leaves any owner of the track's domains. TRUE for
 * tracks of no domain. */
gboolean track_passes(const struct track *self, const recording_reader *reader,
                      const guint8 *filter);

const struct track_item *track_item_at(const struct track *self, guint item);
const struct track_key *track_key_at(const struct track *self, guint key);

/* Index of the first item from `from` on that ends at or after `at_ns`; the number of items
 * where there is none. Skips whole blocks: a long item far back costs no scan. */
guint track_reaching(const struct track *self, guint from, gint64 at_ns);

/* Index of the first item that starts at or after `at_ns`. Longer ones before it may
 * reach past it. */
guint track_lower(const struct track *self, gint64 at_ns);

/* Index of the first sum of that level (not NULL) from that bucket on. */
guint track_sum_lower(const struct track *self, guint level, gint64 bucket);
