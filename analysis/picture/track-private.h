/* track-private.h: how tracks are loaded
 *
 * One file a kind (track-exits.c, ...) has the function that reads it; track.c puts
 * items in order, sums them and makes the lanes.
 */
#pragma once

#include "analysis/picture/track.h"

/* Loading of all tracks. */
struct track_loading {
	recording_reader *reader;
	GCancellable *cancellable;
	const struct row_owner *owners;
	struct names names;
	guint64 room;      /* items that may still be kept */
	GPtrArray *tracks; /* struct track, complete ones */
};

/* One track in the making. */
struct track_loader {
	struct track_loading *loading;
	struct track *track;
	GHashTable *key_of; /* id -> key + 1 */
	gboolean sorted;
	guint core; /* index: what a reader's callback is at */
};

void track_loader_init(struct track_loader *self, struct track_loading *loading,
                       enum track_kind kind, const char *id, const char *name, const char *item);
/* The track is complete: it joins the others, unless it is empty. */
void track_loader_finish(struct track_loader *self);
/* It is not wanted. */
void track_loader_drop(struct track_loader *self);

/* The key of that id; the last takes all for which there is no room. */
guint track_loader_key(struct track_loader *self, const char *id, const char *name, guint32 rgb,
                       guint32 dark_rgb);

/* It looks otherwise where colours say something else. */
void track_loader_colour(struct track_loader *self, guint key, enum colour_by by, guint32 rgb);

/* FALSE: there was no room, it is counted only. */
gboolean track_loader_add(struct track_loader *self, const struct track_item *item);

/* Exits are called and coloured alike wherever they show. */
extern const char *const track_reason_titles[EXIT_REASONS];
guint32 track_reason_rgb(enum exit_reason reason);

/* Each adds its tracks to `loading`. */
gboolean track_load_exits(struct track_loading *loading, GError **error);
gboolean track_load_vcpus(struct track_loading *loading, GError **error);
gboolean track_load_requests(struct track_loading *loading, GError **error);
gboolean track_load_stm(struct track_loading *loading, GError **error);
