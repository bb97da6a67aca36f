#include "gui/timeline/overview.h"

#include "analysis/picture/pixels.h"

#include <glib/gi18n.h>

struct _HvsOverview {
	GtkDrawingArea parent_instance;
	HvsDocument *document;
	HvsView *view;
	gulong document_changed;
	gulong view_changed;
	enum theme_kind theme;
	struct picture *picture;
	cairo_surface_t *surface; /* NULL: to be drawn again */
	gboolean dragging;
};

G_DEFINE_TYPE(HvsOverview, hvs_overview, GTK_TYPE_DRAWING_AREA)

enum {
	HEIGHT_PX = 34
};

static void redraw(HvsOverview *self)
{
	g_clear_pointer(&self->surface, cairo_surface_destroy);
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void moved(HvsOverview *self)
{
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void forget(HvsOverview *self)
{
	if (self->document != NULL)
		g_signal_handler_disconnect(self->document, self->document_changed);
	if (self->view != NULL)
		g_signal_handler_disconnect(self->view, self->view_changed);
	g_clear_object(&self->document);
	g_clear_object(&self->view);
}

void hvs_overview_set(HvsOverview *self, HvsDocument *document, HvsView *view)
{
	forget(self);
	if (document != NULL) {
		self->document = g_object_ref(document);
		self->view = g_object_ref(view);
		self->document_changed =
			g_signal_connect_swapped(document, "changed", G_CALLBACK(redraw), self);
		self->view_changed =
			g_signal_connect_swapped(view, "changed", G_CALLBACK(moved), self);
	}
	redraw(self);
}

void hvs_overview_set_theme(HvsOverview *self, enum theme_kind theme)
{
	self->theme = theme;
	redraw(self);
}

static void render(HvsOverview *self, guint width, guint height)
{
	const struct picture_source *source = hvs_document_overview_source(self->document);
	const struct picture_view view = { 0, hvs_view_window_ns(self->view), width };
	struct pixels pixels = { .width = width, .height = height };
	guint lane = lane_set_find(source->lanes, "cores");

	self->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
	if (lane != LANE_NO_PARENT && lane_set_get(source->lanes, lane)->kind == LANE_GROUP)
		lane++; /* one core alone has no sum above it */
	cairo_surface_flush(self->surface);
	pixels.data = (guint32 *)(void *)cairo_image_surface_get_data(self->surface);
	pixels.stride = (guint)cairo_image_surface_get_stride(self->surface) / 4;
	if (lane != LANE_NO_PARENT) {
		picture_compose(self->picture, source, &view, &lane, 1,
		                hvs_document_filter(self->document));
		pixels_draw_row(&pixels, self->picture, &self->picture->rows[0],
		                lane_set_get(source->lanes, lane)->capacity, theme_get(self->theme),
		                0, height);
	}
	cairo_surface_mark_dirty(self->surface);
}

static gboolean overview_draw(GtkWidget *widget, cairo_t *cr)
{
	HvsOverview *self = HVS_OVERVIEW(widget);
	const int width = MIN(gtk_widget_get_allocated_width(widget), PICTURE_WIDTH_MAX);
	const int height = gtk_widget_get_allocated_height(widget);
	const guint32 accent = theme_get(self->theme)->accent;
	struct view_range range;
	double left;
	double right;

	if (self->document == NULL || width < 2)
		return TRUE;
	if (self->surface == NULL || cairo_image_surface_get_width(self->surface) != width) {
		g_clear_pointer(&self->surface, cairo_surface_destroy);
		render(self, (guint)width, (guint)height);
	}
	cairo_set_source_surface(cr, self->surface, 0, 0);
	cairo_paint(cr);
	range = hvs_view_range(self->view);
	left = (double)range.from_ns * width / (double)hvs_view_window_ns(self->view);
	right = (double)range.to_ns * width / (double)hvs_view_window_ns(self->view);
	cairo_set_source_rgba(cr, 0.5, 0.5, 0.5, 0.55);
	cairo_rectangle(cr, 0, 0, left, height);
	cairo_rectangle(cr, right, 0, width - right, height);
	cairo_fill(cr);
	cairo_set_source_rgb(cr, (accent >> 16 & 0xff) / 255.0, (accent >> 8 & 0xff) / 255.0,
	                     (accent & 0xff) / 255.0);
	cairo_set_line_width(cr, 2);
	cairo_rectangle(cr, left + 1, 1, MAX(right - left - 2, 1), height - 2);
	cairo_stroke(cr);
	return TRUE;
}

static void go_to(HvsOverview *self, double x, gboolean step)
{
	const struct view_range range = hvs_view_range(self->view);
	const gint64 span_ns = range.to_ns - range.from_ns;
	const gint64 at_ns = (gint64)(x * (double)hvs_view_window_ns(self->view) /
	                              gtk_widget_get_allocated_width(GTK_WIDGET(self)));

	hvs_view_show(self->view, at_ns - span_ns / 2, at_ns - span_ns / 2 + span_ns, step);
}

static gboolean overview_press(GtkWidget *widget, GdkEventButton *event)
{
	HvsOverview *self = HVS_OVERVIEW(widget);

	if (self->document == NULL || event->button != GDK_BUTTON_PRIMARY)
		return FALSE;
	if (event->type == GDK_2BUTTON_PRESS) {
		hvs_view_show_all(self->view);
		return TRUE;
	}
	self->dragging = TRUE;
	go_to(self, event->x, TRUE);
	return TRUE;
}

static gboolean overview_motion(GtkWidget *widget, GdkEventMotion *event)
{
	HvsOverview *self = HVS_OVERVIEW(widget);

	if (self->document != NULL && self->dragging)
		go_to(self, event->x, FALSE);
	return FALSE;
}

static gboolean overview_release(GtkWidget *widget, GdkEventButton *event)
{
	(void)event;
	HVS_OVERVIEW(widget)->dragging = FALSE;
	return TRUE;
}

static void hvs_overview_dispose(GObject *object)
{
	forget(HVS_OVERVIEW(object));
	G_OBJECT_CLASS(hvs_overview_parent_class)->dispose(object);
}

static void hvs_overview_finalize(GObject *object)
{
	HvsOverview *self = HVS_OVERVIEW(object);

	picture_free(self->picture);
	g_clear_pointer(&self->surface, cairo_surface_destroy);
	G_OBJECT_CLASS(hvs_overview_parent_class)->finalize(object);
}

static void hvs_overview_class_init(HvsOverviewClass *class)
{
	GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

	G_OBJECT_CLASS(class)->dispose = hvs_overview_dispose;
	G_OBJECT_CLASS(class)->finalize = hvs_overview_finalize;
	widget->draw = overview_draw;
	widget->button_press_event = overview_press;
	widget->button_release_event = overview_release;
	widget->motion_notify_event = overview_motion;
	gtk_widget_class_set_accessible_role(widget, ATK_ROLE_CHART);
}

static void hvs_overview_init(HvsOverview *self)
{
	self->picture = picture_new();
	self->picture->without_owners = TRUE;
	gtk_widget_set_size_request(GTK_WIDGET(self), -1, HEIGHT_PX);
	gtk_widget_add_events(GTK_WIDGET(self), GDK_BUTTON_PRESS_MASK | GDK_BUTTON_RELEASE_MASK |
	                                                GDK_POINTER_MOTION_MASK);
	atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(self)),
	                    _("Overview of the whole recording"));
}

GtkWidget *hvs_overview_new(void)
{
	return g_object_new(HVS_TYPE_OVERVIEW, "visible", TRUE, NULL);
}
