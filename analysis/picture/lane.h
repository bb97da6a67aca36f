/* lane.h: the rows that a recording can be shown in
 *
 * A tree: the processors, the domains with their tasks, and one group for each
 * track (track.h) that the recording has. A lane says what belongs in it; it holds
 * no time and no place in a picture.
 *
 * Immutable once made, so threads may share it. Lives no longer than its reader.
 */
#pragma once

#include "analysis/names.h"

enum lane_kind {
	LANE_GROUP,  /* a heading */
	LANE_OWNERS, /* time of some owners on one core, or on all */
	LANE_TRACK,  /* items of a track (track.h) */
};

/* What the height of a column of items says. */
enum lane_look {
	LANE_LOOK_TIME,    /* shares of the column's time; of instants, how many */
	LANE_LOOK_COUNT,   /* how many begin in it, on a log scale */
	LANE_LOOK_LONGEST, /* how long the longest is, on a log scale */
};

enum {
	LANE_ORDER_BEFORE = 1000000 /* added to `order`: lanes that come before others */
};

enum {
	LANE_NO_PARENT = G_MAXUINT32,
	LANE_ALL_CORES = G_MAXUINT32,
	LANE_ALL_KEYS = G_MAXUINT32
};

struct lane {
	enum lane_kind kind;
	guint parent; /* index, or LANE_NO_PARENT */
	guint depth;
	char *id;        /* the same in every recording of this system: "core/0", "domain/web" */
	char *name;      /* "cpu_0", "web", "nginx" */
	char *whole;     /* with its parents': "web / nginx" */
	guint core;      /* index of the core, or LANE_ALL_CORES */
	guint8 *owners;  /* one a owner: 1 where it belongs here; NULL: every owner does */
	guint capacity;  /* cores that its time can be spread over: what a full column is */
	guint track;     /* index into the recording's tracks */
	guint track_key; /* items of this key, or LANE_ALL_KEYS */
	enum lane_look look;
	gint order;      /* among its siblings at first; 0: where it was added */
	gboolean folded; /* shown without its children at first */
};

struct lane_set {
	GArray *lanes; /* struct lane; a parent stands before its children */
};

/* The lanes of processors, domains and tasks; those of vCPUs come with the tracks. */
void lane_set_init(struct lane_set *self, const recording_reader *reader);
void lane_set_deinit(struct lane_set *self);

/* Adds a lane and returns its index. `parent` may be LANE_NO_PARENT. The lane takes
 * `owners`, and capacity 1. */
guint lane_set_add(struct lane_set *self, enum lane_kind kind, guint parent, const char *id,
                   const char *name);
struct lane *lane_set_get(const struct lane_set *self, guint index);

/* All lanes as a tree shows them at first: each after its parent, siblings by `order`.
 * Free the result (guint). */
GArray *lane_set_order(const struct lane_set *self);

/* The lane of that id, or LANE_NO_PARENT. */
guint lane_set_find(const struct lane_set *self, const char *id);
