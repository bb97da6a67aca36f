/* timeline-private.h: what the widget's two halves share
 *
 * timeline.c has the widget and its input, timeline-draw.c what it looks like.
 */
#pragma once

#include "gui/timeline/timeline.h"

#include "analysis/picture/pixels.h"

enum {
	RULER_PX = 28,
	LABEL_PX = 176,
	LANE_PX = 22,
	LANE_STEP_PX = 25,
};

enum timeline_drag {
	DRAG_NONE,
	DRAG_SELECT,
	DRAG_PAN,
	DRAG_ZOOM,
};

struct _HvsTimeline {
	GtkDrawingArea parent_instance;
	HvsDocument *document;
	HvsView *view;
	gulong document_changed;
	gulong view_changed;
	GtkAdjustment *adjustment; /* vertical, in pixels */
	enum theme_kind theme;
	struct axis axis;
	gboolean grid;
	gboolean relative; /* the ruler counts from marker A */

	struct picture *picture;
	cairo_surface_t *surface; /* the lanes' pixels */
	gboolean dirty;           /* the surface shows something else */

	gboolean has_instance;
	struct instance instance;
	guint lane; /* that keys act on */

	enum timeline_drag drag;
	gboolean dragged; /* far enough to be no click */
	double press_x;
	double press_y;
	double pointer_x; /* below 0: not over the lanes */
	gint64 press_ns;
	struct view_range press_range;
};

/* The lanes' part of the widget. */
guint timeline_chart_width(HvsTimeline *self);
guint timeline_chart_height(HvsTimeline *self);
struct picture_view timeline_picture_view(HvsTimeline *self);
double timeline_x_of(HvsTimeline *self, gint64 at_ns);

gboolean timeline_draw(GtkWidget *widget, cairo_t *cr);
