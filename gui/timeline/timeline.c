#include "gui/timeline/timeline-private.h"

#include <glib/gi18n.h>
#include <math.h>

G_DEFINE_TYPE(HvsTimeline, hvs_timeline, GTK_TYPE_DRAWING_AREA)

enum {
	SIGNAL_SELECTED,
	SIGNAL_LANE_MENU,
	SIGNALS
};
static guint signals[SIGNALS];

enum {
	CLICK_PX = 4,
	REACH_PX = 4, /* how near a click has to be */
	WIDTH_MIN = 320,
	HEIGHT_MIN = 120,
};

guint timeline_chart_width(HvsTimeline *self)
{
	const int width = gtk_widget_get_allocated_width(GTK_WIDGET(self));

	return (guint)CLAMP(width - LABEL_PX, 1, PICTURE_WIDTH_MAX);
}

guint timeline_chart_height(HvsTimeline *self)
{
	return (guint)MAX(gtk_widget_get_allocated_height(GTK_WIDGET(self)) - RULER_PX, 1);
}

struct picture_view timeline_picture_view(HvsTimeline *self)
{
	const struct view_range range = hvs_view_range(self->view);

	return (struct picture_view) { range.from_ns, range.to_ns, timeline_chart_width(self) };
}

double timeline_x_of(HvsTimeline *self, gint64 at_ns)
{
	const struct view_range range = hvs_view_range(self->view);

	return LABEL_PX + (double)(at_ns - range.from_ns) * timeline_chart_width(self) /
	                          (double)(range.to_ns - range.from_ns);
}

static gint64 ns_at(HvsTimeline *self, double x)
{
	const struct picture_view view = timeline_picture_view(self);

	return picture_instant(&view, CLAMP(x - LABEL_PX, 0, (double)view.width_px));
}

static void redraw(HvsTimeline *self)
{
	self->dirty = TRUE;
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

/* What the picture shows, in words, for those who do not see it. */
static void update_accessible(HvsTimeline *self)
{
	AtkObject *accessible = gtk_widget_get_accessible(GTK_WIDGET(self));
	GString *text = g_string_new(NULL);
	g_autofree char *whole = NULL;

	if (self->document != NULL) {
		const struct view_range range = hvs_view_range(self->view);
		const struct view_range selection = hvs_view_selection(self->view);
		const gint64 step_ns = MAX((range.to_ns - range.from_ns) / 1000, 1);
		g_autofree char *from = axis_instant(&self->axis, range.from_ns, step_ns);
		g_autofree char *to = axis_instant(&self->axis, range.to_ns, step_ns);

		g_string_append_printf(text, _("Shows %s to %s, %u lanes."), from, to,
		                       hvs_document_shown_lanes(self->document)->len);
		if (self->lane < hvs_document_source(self->document)->lanes->lanes->len)
			g_string_append_printf(
				text, _(" Lane: %s."),
				lane_set_get(hvs_document_source(self->document)->lanes, self->lane)
					->whole);
		if (selection.to_ns > selection.from_ns) {
			g_autofree char *length =
				axis_duration(&self->axis, selection.to_ns - selection.from_ns);

			g_string_append_printf(text, _(" Range selected: %s."), length);
		}
		if (self->has_instance) {
			g_autofree char *instance =
				instance_describe(self->document, &self->instance, &self->axis);

			g_string_append_printf(text, _(" Selected:\n%s"), instance);
		}
	}
	whole = g_string_free(text, FALSE);
	if (g_strcmp0(atk_object_get_description(accessible), whole) != 0)
		atk_object_set_description(accessible, whole);
}

static void update_scroll(HvsTimeline *self)
{
	const double page = timeline_chart_height(self);
	const double all = self->document == NULL ? 0
	                                          : hvs_document_shown_lanes(self->document)->len *
	                                                    (double)LANE_STEP_PX;
	const double value = gtk_adjustment_get_value(self->adjustment);

	gtk_adjustment_configure(self->adjustment, CLAMP(value, 0, MAX(all - page, 0)), 0,
	                         MAX(all, page), LANE_STEP_PX, page, page);
}

static void document_changed(HvsTimeline *self)
{
	update_scroll(self);
	update_accessible(self);
	redraw(self);
}

static void view_changed(HvsTimeline *self)
{
	update_accessible(self);
	redraw(self);
}

static void forget(HvsTimeline *self)
{
	if (self->document != NULL)
		g_signal_handler_disconnect(self->document, self->document_changed);
	if (self->view != NULL)
		g_signal_handler_disconnect(self->view, self->view_changed);
	g_clear_object(&self->document);
	g_clear_object(&self->view);
	self->has_instance = FALSE;
}

void hvs_timeline_set(HvsTimeline *self, HvsDocument *document, HvsView *view)
{
	forget(self);
	if (document != NULL) {
		g_autofree char *name = g_path_get_basename(hvs_document_path(document));
		g_autofree char *title = g_strdup_printf(_("Timeline of %s"), name);

		self->document = g_object_ref(document);
		self->view = g_object_ref(view);
		axis_init(&self->axis, hvs_document_reader(document));
		self->document_changed = g_signal_connect_swapped(
			document, "changed", G_CALLBACK(document_changed), self);
		self->view_changed =
			g_signal_connect_swapped(view, "changed", G_CALLBACK(view_changed), self);
		atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(self)), title);
	}
	self->lane = 0;
	document_changed(self);
}

void hvs_timeline_set_theme(HvsTimeline *self, enum theme_kind theme)
{
	self->theme = theme;
	redraw(self);
}

GtkAdjustment *hvs_timeline_adjustment(HvsTimeline *self)
{
	return self->adjustment;
}

void hvs_timeline_set_grid(HvsTimeline *self, gboolean grid)
{
	self->grid = grid;
	redraw(self);
}

gboolean hvs_timeline_grid(HvsTimeline *self)
{
	return self->grid;
}

void hvs_timeline_set_relative(HvsTimeline *self, gboolean relative)
{
	self->relative = relative;
	redraw(self);
}

const struct instance *hvs_timeline_instance(HvsTimeline *self)
{
	return self->has_instance ? &self->instance : NULL;
}

guint hvs_timeline_lane(HvsTimeline *self)
{
	return self->lane;
}

/* The place of a lane among those shown, or past the last. */
static guint position_of(HvsTimeline *self, guint lane)
{
	const GArray *shown = hvs_document_shown_lanes(self->document);
	guint i = 0;

	while (i < shown->len && g_array_index(shown, guint, i) != lane)
		i++;
	return i;
}

static void scroll_to(HvsTimeline *self, guint lane)
{
	const double y = position_of(self, lane) * (double)LANE_STEP_PX;

	gtk_adjustment_clamp_page(self->adjustment, y, y + LANE_STEP_PX);
}

void hvs_timeline_choose(HvsTimeline *self, const struct instance *instance)
{
	self->has_instance = instance != NULL;
	if (instance != NULL) {
		self->instance = *instance;
		self->lane = instance->lane;
		scroll_to(self, instance->lane);
	}
	update_accessible(self);
	gtk_widget_queue_draw(GTK_WIDGET(self));
	g_signal_emit(self, signals[SIGNAL_SELECTED], 0);
}

void hvs_timeline_move_lane(HvsTimeline *self, gint by)
{
	const GArray *shown;
	gint position;

	if (self->document == NULL)
		return;
	shown = hvs_document_shown_lanes(self->document);
	position = (gint)position_of(self, self->lane) + by;
	if (shown->len == 0)
		return;
	self->lane = g_array_index(shown, guint, CLAMP(position, 0, (gint)shown->len - 1));
	scroll_to(self, self->lane);
	update_accessible(self);
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

gint64 hvs_timeline_focus_ns(HvsTimeline *self)
{
	const struct view_range range = hvs_view_range(self->view);

	if (self->pointer_x >= LABEL_PX)
		return ns_at(self, self->pointer_x);
	return range.from_ns + (range.to_ns - range.from_ns) / 2;
}

gboolean hvs_timeline_choose_at(HvsTimeline *self, guint lane, gint64 at_ns, GError **error)
{
	const struct view_range range = hvs_view_range(self->view);
	const gint64 reach_ns =
		(range.to_ns - range.from_ns) * REACH_PX / (gint64)timeline_chart_width(self);
	struct instance found;
	g_autoptr(GError) local = NULL;

	self->lane = lane;
	if (instance_at(self->document, lane, at_ns, MAX(reach_ns, 1), &found, &local)) {
		hvs_timeline_choose(self, &found);
		return TRUE;
	}
	hvs_timeline_choose(self, NULL);
	if (local == NULL)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&local));
	return FALSE;
}

/* The lane at that height, or LANE_NO_PARENT. */
static guint lane_at(HvsTimeline *self, double y)
{
	const GArray *shown = hvs_document_shown_lanes(self->document);
	const double inside = y - RULER_PX + gtk_adjustment_get_value(self->adjustment);

	if (y < RULER_PX || inside < 0 || (guint)(inside / LANE_STEP_PX) >= shown->len)
		return LANE_NO_PARENT;
	return g_array_index(shown, guint, (guint)(inside / LANE_STEP_PX));
}

static gboolean press_label(HvsTimeline *self, const GdkEventButton *event)
{
	const guint lane = lane_at(self, event->y);

	if (lane == LANE_NO_PARENT)
		return TRUE;
	self->lane = lane;
	if (event->button == GDK_BUTTON_SECONDARY)
		g_signal_emit(self, signals[SIGNAL_LANE_MENU], 0, lane, event);
	else if (hvs_document_lane_has_children(self->document, lane))
		hvs_document_set_lane_flag(
			self->document, lane, LANE_FOLDED,
			!hvs_document_lane_flag(self->document, lane, LANE_FOLDED));
	gtk_widget_queue_draw(GTK_WIDGET(self));
	return TRUE;
}

static gboolean timeline_press(GtkWidget *widget, GdkEventButton *event)
{
	HvsTimeline *self = HVS_TIMELINE(widget);

	gtk_widget_grab_focus(widget);
	if (self->document == NULL)
		return FALSE;
	if (event->type == GDK_2BUTTON_PRESS && event->y < RULER_PX) {
		hvs_view_show_all(self->view);
		return TRUE;
	}
	if (event->type != GDK_BUTTON_PRESS)
		return FALSE;
	if (event->x < LABEL_PX)
		return press_label(self, event);
	self->dragged = FALSE;
	self->press_x = event->x;
	self->press_y = event->y;
	self->press_ns = ns_at(self, event->x);
	self->press_range = hvs_view_range(self->view);
	self->drag = event->button == GDK_BUTTON_PRIMARY  ? DRAG_SELECT
	             : event->button == GDK_BUTTON_MIDDLE ? DRAG_PAN
	                                                  : DRAG_ZOOM;
	return TRUE;
}

static void drag_to(HvsTimeline *self, double x)
{
	const struct view_range range = self->press_range;
	const gint64 by_ns = llround((self->press_x - x) * (double)(range.to_ns - range.from_ns) /
	                             timeline_chart_width(self));

	if (self->drag == DRAG_SELECT)
		hvs_view_select(self->view, self->press_ns, ns_at(self, x));
	else if (self->drag == DRAG_PAN)
		hvs_view_show(self->view, range.from_ns + by_ns, range.to_ns + by_ns, FALSE);
}

static gboolean timeline_motion(GtkWidget *widget, GdkEventMotion *event)
{
	HvsTimeline *self = HVS_TIMELINE(widget);

	self->pointer_x = event->x;
	if (self->document != NULL && self->drag != DRAG_NONE) {
		self->dragged = self->dragged || fabs(event->x - self->press_x) >= CLICK_PX;
		if (self->dragged)
			drag_to(self, event->x);
	}
	gtk_widget_queue_draw(widget);
	return FALSE;
}

static gboolean timeline_leave(GtkWidget *widget, GdkEventCrossing *event)
{
	(void)event;
	HVS_TIMELINE(widget)->pointer_x = -1;
	gtk_widget_queue_draw(widget);
	return FALSE;
}

static void report(HvsTimeline *self, const GError *error)
{
	if (error != NULL)
		g_signal_emit_by_name(self->document, "failed", error->message);
}

static gboolean timeline_release(GtkWidget *widget, GdkEventButton *event)
{
	HvsTimeline *self = HVS_TIMELINE(widget);
	const enum timeline_drag drag = self->drag;
	g_autoptr(GError) error = NULL;
	guint lane;

	self->drag = DRAG_NONE;
	if (self->document == NULL || drag == DRAG_NONE)
		return FALSE;
	lane = lane_at(self, event->y);
	if (drag == DRAG_ZOOM && self->dragged) {
		const gint64 at_ns = ns_at(self, event->x);

		hvs_view_show(self->view, MIN(self->press_ns, at_ns), MAX(self->press_ns, at_ns),
		              TRUE);
	} else if (!self->dragged && drag == DRAG_SELECT && lane != LANE_NO_PARENT) {
		hvs_view_select(self->view, 0, 0);
		hvs_timeline_choose_at(self, lane, ns_at(self, event->x), &error);
		report(self, error);
	} else if (!self->dragged && drag == DRAG_ZOOM && lane != LANE_NO_PARENT) {
		hvs_timeline_choose_at(self, lane, ns_at(self, event->x), &error);
		report(self, error);
		g_signal_emit(self, signals[SIGNAL_LANE_MENU], 0, lane, event);
	}
	gtk_widget_queue_draw(widget);
	return TRUE;
}

static gboolean timeline_scroll(GtkWidget *widget, GdkEventScroll *event)
{
	HvsTimeline *self = HVS_TIMELINE(widget);
	double dx = 0;
	double dy = 0;

	if (self->document == NULL)
		return FALSE;
	if (!gdk_event_get_scroll_deltas((GdkEvent *)event, &dx, &dy)) {
		dy = event->direction == GDK_SCROLL_DOWN ? 1
		     : event->direction == GDK_SCROLL_UP ? -1
		                                         : 0;
		dx = event->direction == GDK_SCROLL_RIGHT  ? 1
		     : event->direction == GDK_SCROLL_LEFT ? -1
		                                           : 0;
	}
	if ((event->state & GDK_CONTROL_MASK) != 0)
		hvs_view_zoom(self->view, ns_at(self, event->x), pow(1.25, dy), TRUE);
	else if ((event->state & GDK_SHIFT_MASK) != 0)
		hvs_view_pan(self->view, (dx + dy) * 0.1, TRUE);
	else {
		if (dx != 0)
			hvs_view_pan(self->view, dx * 0.1, TRUE);
		gtk_adjustment_set_value(self->adjustment,
		                         gtk_adjustment_get_value(self->adjustment) +
		                                 dy * LANE_STEP_PX * 2);
	}
	return TRUE;
}

/* What is under the pointer, from the picture itself. */
static gboolean timeline_tooltip(GtkWidget *widget, gint x, gint y, gboolean keyboard,
                                 GtkTooltip *tooltip)
{
	HvsTimeline *self = HVS_TIMELINE(widget);
	guint lane;
	g_autoptr(GString) text = NULL;

	if (self->document == NULL || keyboard || x < LABEL_PX || self->drag != DRAG_NONE)
		return FALSE;
	lane = lane_at(self, y);
	text = g_string_new(NULL);
	for (guint i = 0; lane != LANE_NO_PARENT && i < self->picture->n_rows; i++) {
		const struct picture_row *row = &self->picture->rows[i];
		const guint column = (guint)(x - LABEL_PX);
		double sum_ns = 0;

		if (row->lane != lane || column >= self->picture->view.width_px)
			continue;
		for (guint s = 0; s < row->n_slots; s++)
			sum_ns += row->time_ns[(gsize)column * row->n_slots + s];
		for (guint s = 0; s < row->n_slots; s++) {
			if ((row->present[column] >> s & 1) == 0)
				continue;
			g_string_append_printf(text, "%s%s", text->len > 0 ? "\n" : "",
			                       picture_row_name(row, s));
			if (sum_ns > 0 && row->look == LANE_LOOK_TIME)
				g_string_append_printf(
					text, " %.1f%%",
					row->time_ns[(gsize)column * row->n_slots + s] / sum_ns *
						100);
		}
	}
	if (text->len > 0)
		gtk_tooltip_set_text(tooltip, text->str);
	return text->len > 0;
}

static void timeline_size(GtkWidget *widget, GtkAllocation *allocation)
{
	GTK_WIDGET_CLASS(hvs_timeline_parent_class)->size_allocate(widget, allocation);
	update_scroll(HVS_TIMELINE(widget));
	redraw(HVS_TIMELINE(widget));
}

static void timeline_width(GtkWidget *widget, gint *minimum, gint *natural)
{
	(void)widget;
	*minimum = *natural = WIDTH_MIN;
}

static void timeline_height(GtkWidget *widget, gint *minimum, gint *natural)
{
	(void)widget;
	*minimum = *natural = HEIGHT_MIN;
}

static void pinched(GtkGestureZoom *gesture, gdouble scale, HvsTimeline *self)
{
	double x;
	double y;

	if (self->document == NULL ||
	    !gtk_gesture_get_bounding_box_center(GTK_GESTURE(gesture), &x, &y) || scale <= 0)
		return;
	hvs_view_zoom(self->view, ns_at(self, x),
	              (double)(self->press_range.to_ns - self->press_range.from_ns) / scale /
	                      (double)(hvs_view_range(self->view).to_ns -
	                               hvs_view_range(self->view).from_ns),
	              FALSE);
}

static void pinch_begins(GtkGesture *gesture, GdkEventSequence *sequence, HvsTimeline *self)
{
	(void)gesture;
	(void)sequence;
	if (self->view != NULL)
		self->press_range = hvs_view_range(self->view);
}

static void hvs_timeline_dispose(GObject *object)
{
	HvsTimeline *self = HVS_TIMELINE(object);

	forget(self);
	g_clear_object(&self->adjustment);
	G_OBJECT_CLASS(hvs_timeline_parent_class)->dispose(object);
}

static void hvs_timeline_finalize(GObject *object)
{
	HvsTimeline *self = HVS_TIMELINE(object);

	picture_free(self->picture);
	g_clear_pointer(&self->surface, cairo_surface_destroy);
	G_OBJECT_CLASS(hvs_timeline_parent_class)->finalize(object);
}

static void hvs_timeline_class_init(HvsTimelineClass *class)
{
	GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

	G_OBJECT_CLASS(class)->dispose = hvs_timeline_dispose;
	G_OBJECT_CLASS(class)->finalize = hvs_timeline_finalize;
	widget->draw = timeline_draw;
	widget->button_press_event = timeline_press;
	widget->button_release_event = timeline_release;
	widget->motion_notify_event = timeline_motion;
	widget->leave_notify_event = timeline_leave;
	widget->scroll_event = timeline_scroll;
	widget->size_allocate = timeline_size;
	widget->get_preferred_width = timeline_width;
	widget->get_preferred_height = timeline_height;
	gtk_widget_class_set_accessible_role(widget, ATK_ROLE_CHART);
	signals[SIGNAL_SELECTED] = g_signal_new("selected", HVS_TYPE_TIMELINE, G_SIGNAL_RUN_LAST, 0,
	                                        NULL, NULL, NULL, G_TYPE_NONE, 0);
	signals[SIGNAL_LANE_MENU] =
		g_signal_new("lane-menu", HVS_TYPE_TIMELINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
	                     G_TYPE_NONE, 2, G_TYPE_UINT, G_TYPE_POINTER);
}

static void hvs_timeline_init(HvsTimeline *self)
{
	GtkWidget *widget = GTK_WIDGET(self);
	GtkGesture *pinch = gtk_gesture_zoom_new(widget);

	self->picture = picture_new();
	self->picture->without_owners = TRUE;
	self->pointer_x = -1;
	self->dirty = TRUE;
	self->adjustment = g_object_ref_sink(gtk_adjustment_new(0, 0, 1, LANE_STEP_PX, 1, 1));
	g_signal_connect_object(self->adjustment, "value-changed", G_CALLBACK(redraw), self,
	                        G_CONNECT_SWAPPED);
	gtk_widget_set_can_focus(widget, TRUE);
	gtk_widget_set_has_tooltip(widget, TRUE);
	g_signal_connect(widget, "query-tooltip", G_CALLBACK(timeline_tooltip), NULL);
	gtk_widget_add_events(widget, GDK_BUTTON_PRESS_MASK | GDK_BUTTON_RELEASE_MASK |
	                                      GDK_POINTER_MOTION_MASK | GDK_LEAVE_NOTIFY_MASK |
	                                      GDK_SCROLL_MASK | GDK_SMOOTH_SCROLL_MASK |
	                                      GDK_KEY_PRESS_MASK | GDK_TOUCHPAD_GESTURE_MASK);
	g_signal_connect(pinch, "begin", G_CALLBACK(pinch_begins), self);
	g_signal_connect(pinch, "scale-changed", G_CALLBACK(pinched), self);
	g_object_set_data_full(G_OBJECT(self), "pinch", pinch, g_object_unref);
}

GtkWidget *hvs_timeline_new(void)
{
	return g_object_new(HVS_TYPE_TIMELINE, "visible", TRUE, NULL);
}
