/* timeline.h: the picture in the window
 *
 * Draws a document's lanes over a view's range, and turns pointer and keys into
 * changes of both. What can be done with it by name is in the window's actions;
 * this widget does what needs a place: click, drag, wheel. Signals: "selected"
 * (an interval was chosen, or none), "lane-menu" (lane, event).
 */
#pragma once

#include "gui/timeline/document.h"
#include "gui/timeline/instance.h"
#include "gui/timeline/view.h"

#include <gtk/gtk.h>

#define HVS_TYPE_TIMELINE (hvs_timeline_get_type())
G_DECLARE_FINAL_TYPE(HvsTimeline, hvs_timeline, HVS, TIMELINE, GtkDrawingArea)

GtkWidget *hvs_timeline_new(void);

/* Takes references. `document` may be NULL: nothing is shown. */
void hvs_timeline_set(HvsTimeline *self, HvsDocument *document, HvsView *view);
void hvs_timeline_set_theme(HvsTimeline *self, enum theme_kind theme);
GtkAdjustment *hvs_timeline_adjustment(HvsTimeline *self);
void hvs_timeline_set_grid(HvsTimeline *self, gboolean grid);
gboolean hvs_timeline_grid(HvsTimeline *self);
void hvs_timeline_set_relative(HvsTimeline *self, gboolean relative);

/* The chosen interval, or NULL. */
const struct instance *hvs_timeline_instance(HvsTimeline *self);
/* Chooses one, scrolls its lane into sight and says it to AT-SPI. NULL: none. */
void hvs_timeline_choose(HvsTimeline *self, const struct instance *instance);
/* The lane that keys act on. */
guint hvs_timeline_lane(HvsTimeline *self);
void hvs_timeline_move_lane(HvsTimeline *self, gint by);
/* The instant under the pointer, else the middle of what is shown. */
gint64 hvs_timeline_focus_ns(HvsTimeline *self);
/* Chooses what the current lane has at that instant. FALSE where a read failed. */
gboolean hvs_timeline_choose_at(HvsTimeline *self, guint lane, gint64 at_ns, GError **error);
