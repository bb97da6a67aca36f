/* view.h: what part of the time is looked at
 *
 * The range shown, the range selected, the two markers, the bookmarks and the way
 * back: shared by everything that shows one time axis, two recordings beside each
 * other included. Knows no recording and no pixels. "changed" says that one of them
 * is another now.
 */
#pragma once

#include <glib-object.h>

#define HVS_TYPE_VIEW (hvs_view_get_type())
G_DECLARE_FINAL_TYPE(HvsView, hvs_view, HVS, VIEW, GObject)

enum {
	VIEW_SPAN_MIN_NS = 20,
	VIEW_SAVED = 5,
	VIEW_MARKERS = 2, /* A and B */
	VIEW_NOWHERE = -1
};

struct view_range {
	gint64 from_ns; /* inclusive */
	gint64 to_ns;   /* exclusive; not above from_ns: none */
};

struct view_bookmark {
	gint64 at_ns;
	char *note;
};

HvsView *hvs_view_new(void);

/* A recording of that length is shown: all of it, and nothing to go back to. */
void hvs_view_reset(HvsView *self, gint64 window_ns);
/* Another recording shares the axis. */
void hvs_view_widen(HvsView *self, gint64 window_ns);

gint64 hvs_view_window_ns(HvsView *self);
struct view_range hvs_view_range(HvsView *self);

/* Clipped to the window. With `step` the range before can be come back to; moves
 * while dragging are no steps. */
void hvs_view_show(HvsView *self, gint64 from_ns, gint64 to_ns, gboolean step);
/* `factor` below 1 zooms in; `at_ns` stays where it is. */
void hvs_view_zoom(HvsView *self, gint64 at_ns, double factor, gboolean step);
/* By a share of what is shown. */
void hvs_view_pan(HvsView *self, double share, gboolean step);
void hvs_view_show_all(HvsView *self);

gboolean hvs_view_undo(HvsView *self);
gboolean hvs_view_redo(HvsView *self);
gboolean hvs_view_can_undo(HvsView *self);
gboolean hvs_view_can_redo(HvsView *self);

void hvs_view_save(HvsView *self, guint slot);
gboolean hvs_view_restore(HvsView *self, guint slot);

struct view_range hvs_view_selection(HvsView *self);
void hvs_view_select(HvsView *self, gint64 from_ns, gint64 to_ns);

gint64 hvs_view_marker(HvsView *self, guint marker);
void hvs_view_set_marker(HvsView *self, guint marker, gint64 at_ns);

const GArray *hvs_view_bookmarks(HvsView *self); /* struct view_bookmark, by time */
void hvs_view_add_bookmark(HvsView *self, gint64 at_ns, const char *note);
void hvs_view_remove_bookmark(HvsView *self, guint index);
