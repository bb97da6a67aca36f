/* document.h: an open recording, as the window's parts share it
 *
 * Holds the reader, the lanes and how each is shown, the tracks, and the tiles,
 * which come from worker threads. "changed" says that there is more or something
 * else to draw; "failed" (a text) that the recording could not be read on. Draws
 * nothing. Of the main thread.
 */
#pragma once

#include "analysis/picture/picture.h"

#include <glib-object.h>

#define HVS_TYPE_DOCUMENT (hvs_document_get_type())
G_DECLARE_FINAL_TYPE(HvsDocument, hvs_document, HVS, DOCUMENT, GObject)

/* Errors: RECORDING_ERROR. Tracks are loaded behind it and come with "changed". */
HvsDocument *hvs_document_new(const char *path, GError **error);

recording_reader *hvs_document_reader(HvsDocument *self);
const char *hvs_document_path(HvsDocument *self);
gint64 hvs_document_window_ns(HvsDocument *self);

/* What a picture is composed from. Valid until the next "changed". */
const struct picture_source *hvs_document_source(HvsDocument *self);

/* The same with tiles of its own, for the strip of the whole window. */
const struct picture_source *hvs_document_overview_source(HvsDocument *self);

void hvs_document_set_look(HvsDocument *self, enum colour_by by, enum theme_kind theme);
enum colour_by hvs_document_colour_by(HvsDocument *self);

enum lane_flag {
	LANE_HIDDEN,
	LANE_FOLDED,
	LANE_PINNED, /* shown above all others */
	LANE_FLAGS
};

gboolean hvs_document_lane_flag(HvsDocument *self, guint lane, enum lane_flag flag);
void hvs_document_set_lane_flag(HvsDocument *self, guint lane, enum lane_flag flag, gboolean set);

/* Among the lanes beside it; -1 up, 1 down. */
void hvs_document_move_lane(HvsDocument *self, guint lane, gint by);

gboolean hvs_document_lane_has_children(HvsDocument *self, guint lane);

/* guint, in the order in which they are shown: pinned ones first. */
const GArray *hvs_document_shown_lanes(HvsDocument *self);

/* Only lanes whose name or id holds `text` (with the lanes above them); NULL: all. */
void hvs_document_search_lanes(HvsDocument *self, const char *text);

/* Only the owners and items of what is called `name` (a domain or "domain / task");
 * several names add up. */
void hvs_document_add_filter(HvsDocument *self, const char *name);
void hvs_document_remove_filter(HvsDocument *self, const char *name);
const GPtrArray *hvs_document_filters(HvsDocument *self);

/* One a owner, 0 where filtered out; NULL without filters. */
const guint8 *hvs_document_filter(HvsDocument *self);

/* Lanes that are not as at first, for the side file: "pinned=core/0" and so on. Free
 * the result. */
char **hvs_document_lane_changes(HvsDocument *self);
void hvs_document_apply_lane_changes(HvsDocument *self, char **changes);
