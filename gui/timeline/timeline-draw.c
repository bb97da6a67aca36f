#include "gui/timeline/timeline-private.h"

#include "analysis/export/cairo-canvas.h"
#include "analysis/picture/flow.h"

#include <glib/gi18n.h>
#include <math.h>

static void set_rgba(cairo_t *cr, guint32 rgb, double alpha)
{
	cairo_set_source_rgba(cr, (rgb >> 16 & 0xff) / 255.0, (rgb >> 8 & 0xff) / 255.0,
	                      (rgb & 0xff) / 255.0, alpha);
}

/* Lanes of which any part can be seen: the first, and how many. */
static void visible_lanes(HvsTimeline *self, guint *first, guint *n)
{
	const GArray *shown = hvs_document_shown_lanes(self->document);
	const double top = gtk_adjustment_get_value(self->adjustment);
	const guint past =
		(guint)((top + timeline_chart_height(self) + LANE_STEP_PX - 1) / LANE_STEP_PX);

	*first = MIN((guint)(top / LANE_STEP_PX), shown->len);
	*n = MIN(past, shown->len) - MIN(*first, MIN(past, shown->len));
}

static gint lane_y(HvsTimeline *self, guint position)
{
	return (gint)(position * LANE_STEP_PX) - (gint)gtk_adjustment_get_value(self->adjustment);
}

/* Composes the picture and writes its pixels; cairo only shows them. */
static void render(HvsTimeline *self)
{
	const struct picture_view view = timeline_picture_view(self);
	const GArray *shown = hvs_document_shown_lanes(self->document);
	const struct picture_source *source = hvs_document_source(self->document);
	const guint height = timeline_chart_height(self);
	struct pixels pixels = { .width = view.width_px, .height = height };
	guint first;
	guint n;

	if (self->surface == NULL ||
	    cairo_image_surface_get_width(self->surface) != (int)view.width_px ||
	    cairo_image_surface_get_height(self->surface) != (int)height) {
		g_clear_pointer(&self->surface, cairo_surface_destroy);
		self->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)view.width_px,
		                                           (int)height);
	}
	visible_lanes(self, &first, &n);
	picture_compose(self->picture, source, &view,
	                &g_array_index(shown, guint, MIN(first, shown->len)), n,
	                hvs_document_filter(self->document));
	cairo_surface_flush(self->surface);
	pixels.data = (guint32 *)(void *)cairo_image_surface_get_data(self->surface);
	pixels.stride = (guint)cairo_image_surface_get_stride(self->surface) / 4;
	for (gsize i = 0; i < (gsize)pixels.stride * height; i++)
		pixels.data[i] = 0xff000000u | theme_get(self->theme)->paper;
	for (guint i = 0; i < n; i++) {
		const struct picture_row *row = &self->picture->rows[i];
		const struct lane *lane = lane_set_get(source->lanes, row->lane);

		if (lane->kind != LANE_GROUP)
			pixels_draw_row(&pixels, self->picture, row, lane->capacity,
			                theme_get(self->theme), lane_y(self, first + i), LANE_PX);
	}
	cairo_surface_mark_dirty(self->surface);
	self->dirty = FALSE;
}

/* A slot's name where it has columns for itself and there is room. */
static void draw_names(HvsTimeline *self, const struct canvas *canvas)
{
	enum {
		ROOM_PX = 34,
		TEXT_PX = 11
	};
	guint first_row;
	guint n;

	visible_lanes(self, &first_row, &n);
	for (guint r = 0; r < MIN(n, self->picture->n_rows); r++) {
		const struct picture_row *row = &self->picture->rows[r];
		struct canvas_text text = { .y = RULER_PX + lane_y(self, first_row + r) + 15,
			                    .size = TEXT_PX,
			                    .anchor = CANVAS_MIDDLE };
		guint first = 0;

		if (row->n_slots == 0 || row->look != LANE_LOOK_TIME ||
		    lane_set_get(hvs_document_source(self->document)->lanes, row->lane)->capacity >
		            1)
			continue;
		for (guint x = 1; x <= self->picture->view.width_px; x++) {
			const guint64 present = row->present[first];

			if (x < self->picture->view.width_px && row->present[x] == present)
				continue;
			if (x - first >= ROOM_PX && __builtin_popcountll(present) == 1) {
				const guint slot = (guint)__builtin_ctzll(present);
				const char *name = picture_row_name(row, slot);

				text.x = LABEL_PX + (first + x) / 2.0;
				text.rgb = palette_text_on(picture_row_rgb(row, slot));
				if (canvas->text_width(canvas->data, TEXT_PX, name) < x - first - 6)
					canvas->text(canvas->data, &text, name);
			}
			first = x;
		}
	}
}

static void draw_triangle(cairo_t *cr, double x, double y, gboolean folded)
{
	cairo_move_to(cr, x, y);
	if (folded) {
		cairo_line_to(cr, x + 6, y + 4);
		cairo_line_to(cr, x, y + 8);
	} else {
		cairo_line_to(cr, x + 8, y);
		cairo_line_to(cr, x + 4, y + 6);
	}
	cairo_close_path(cr);
	cairo_fill(cr);
}

/* Which recording it is, left of the ruler: there may be two. */
static void draw_recording_name(HvsTimeline *self, cairo_t *cr, const struct canvas *canvas)
{
	g_autofree char *name = g_path_get_basename(hvs_document_path(self->document));
	const struct canvas_text text = {
		.x = 8, .y = 18, .size = 12, .rgb = theme_get(self->theme)->faint
	};

	cairo_save(cr);
	cairo_rectangle(cr, 0, 0, LABEL_PX - 6, RULER_PX);
	cairo_clip(cr);
	canvas->text(canvas->data, &text, name);
	cairo_restore(cr);
}

static void draw_labels(HvsTimeline *self, cairo_t *cr, const struct canvas *canvas)
{
	const struct theme *theme = theme_get(self->theme);
	const GArray *shown = hvs_document_shown_lanes(self->document);
	guint first;
	guint n;

	visible_lanes(self, &first, &n);
	draw_recording_name(self, cr, canvas);
	cairo_save(cr);
	cairo_rectangle(cr, 0, RULER_PX, LABEL_PX - 6, timeline_chart_height(self));
	cairo_clip(cr);
	for (guint i = first; i < first + n; i++) {
		const guint index = g_array_index(shown, guint, i);
		const struct lane *lane =
			lane_set_get(hvs_document_source(self->document)->lanes, index);
		const gboolean pinned = hvs_document_lane_flag(self->document, index, LANE_PINNED);
		const double y = RULER_PX + lane_y(self, i);
		const double x = 8 + (pinned ? 0 : lane->depth * 12.0);
		const struct canvas_text text = { .x = x + 14,
			                          .y = y + 15,
			                          .size = 12,
			                          .bold = lane->depth == 0,
			                          .rgb = theme->text };

		if (index == self->lane && gtk_widget_has_focus(GTK_WIDGET(self))) {
			set_rgba(cr, theme->accent, 0.18);
			cairo_rectangle(cr, 0, y - 1, LABEL_PX, LANE_PX + 2);
			cairo_fill(cr);
		}
		set_rgba(cr, pinned ? theme->accent : theme->faint, 1);
		if (hvs_document_lane_has_children(self->document, index))
			draw_triangle(cr, x, y + 7,
			              hvs_document_lane_flag(self->document, index, LANE_FOLDED));
		else if (pinned) {
			cairo_arc(cr, x + 4, y + 11, 3, 0, 2 * G_PI);
			cairo_fill(cr);
		}
		canvas->text(canvas->data, &text, pinned ? lane->whole : lane->name);
	}
	cairo_restore(cr);
}

static void draw_ruler(HvsTimeline *self, cairo_t *cr, const struct canvas *canvas)
{
	enum {
		MARK_PX = 120
	};
	const struct theme *theme = theme_get(self->theme);
	const struct view_range range = hvs_view_range(self->view);
	const guint width = timeline_chart_width(self);
	const gint64 step_ns = axis_step_ns(range.to_ns - range.from_ns, width, MARK_PX);
	const gint64 marker_ns = hvs_view_marker(self->view, 0);
	const gint64 zero_ns = self->relative && marker_ns != VIEW_NOWHERE ? marker_ns : 0;
	gint64 at_ns = (range.from_ns - zero_ns) / step_ns * step_ns + zero_ns;

	for (; at_ns <= range.to_ns; at_ns += step_ns) {
		const double x = timeline_x_of(self, at_ns);
		g_autofree char *label = axis_instant(&self->axis, at_ns - zero_ns, step_ns);
		struct canvas_text text = { .x = x + 4, .y = 13, .size = 11, .rgb = theme->faint };

		if (x < LABEL_PX)
			continue;
		/* A label that would be cut off stands left of its mark. */
		if (text.x + canvas->text_width(canvas->data, text.size, label) >
		    LABEL_PX + (double)width) {
			text.anchor = CANVAS_END;
			text.x = x - 4;
		}
		set_rgba(cr, theme->grid, 1);
		cairo_rectangle(cr, floor(x), 4, 1, RULER_PX - 4);
		cairo_fill(cr);
		if (self->grid) {
			set_rgba(cr, theme->text, 0.25);
			cairo_rectangle(cr, floor(x), RULER_PX, 1, timeline_chart_height(self));
			cairo_fill(cr);
		}
		canvas->text(canvas->data, &text, label);
	}
}

static void draw_flag(HvsTimeline *self, cairo_t *cr, const struct canvas *canvas, gint64 at_ns,
                      const char *name, guint32 rgb)
{
	const struct view_range range = hvs_view_range(self->view);
	const double x = timeline_x_of(self, at_ns);
	const double width = canvas->text_width(canvas->data, 10, name) + 6;
	const struct canvas_text text = {
		.x = x + 3, .y = RULER_PX - 3, .size = 10, .rgb = palette_text_on(rgb)
	};

	if (at_ns < range.from_ns || at_ns > range.to_ns)
		return;
	set_rgba(cr, rgb, 1);
	cairo_rectangle(cr, floor(x), RULER_PX - 13, 1, timeline_chart_height(self) + 13);
	cairo_rectangle(cr, floor(x), RULER_PX - 13, width, 12);
	cairo_fill(cr);
	canvas->text(canvas->data, &text, name);
}

static void draw_marks(HvsTimeline *self, cairo_t *cr, const struct canvas *canvas)
{
	static const char *const names[VIEW_MARKERS] = { "A", "B" };
	const struct theme *theme = theme_get(self->theme);
	const GArray *bookmarks = hvs_view_bookmarks(self->view);

	for (guint i = 0; i < bookmarks->len; i++) {
		const struct view_bookmark *bookmark =
			&g_array_index(bookmarks, struct view_bookmark, i);

		draw_flag(self, cr, canvas, bookmark->at_ns, bookmark->note, 0x6b4fbb);
	}
	for (guint i = 0; i < VIEW_MARKERS; i++) {
		if (hvs_view_marker(self->view, i) != VIEW_NOWHERE)
			draw_flag(self, cr, canvas, hvs_view_marker(self->view, i), names[i],
			          theme->accent);
	}
}

static void draw_range(HvsTimeline *self, cairo_t *cr, gint64 from_ns, gint64 to_ns, double alpha)
{
	const double left = MAX(timeline_x_of(self, from_ns), LABEL_PX);
	const double right =
		MIN(timeline_x_of(self, to_ns), LABEL_PX + (double)timeline_chart_width(self));

	if (right <= left)
		return;
	set_rgba(cr, theme_get(self->theme)->accent, alpha);
	cairo_rectangle(cr, left, RULER_PX, right - left, timeline_chart_height(self));
	cairo_fill(cr);
	set_rgba(cr, theme_get(self->theme)->accent, 0.9);
	cairo_rectangle(cr, floor(left), RULER_PX, 1, timeline_chart_height(self));
	cairo_rectangle(cr, floor(right), RULER_PX, 1, timeline_chart_height(self));
	cairo_fill(cr);
}

static void draw_instance(HvsTimeline *self, cairo_t *cr)
{
	const GArray *shown = hvs_document_shown_lanes(self->document);
	const struct instance *instance = &self->instance;
	const double left = timeline_x_of(self, instance->start_ns);
	const double right = timeline_x_of(self, instance->start_ns + instance->duration_ns);
	const double right_edge = LABEL_PX + (double)timeline_chart_width(self);

	if (right < LABEL_PX || left > right_edge)
		return;
	for (guint i = 0; i < shown->len; i++) {
		if (g_array_index(shown, guint, i) != instance->lane)
			continue;
		cairo_rectangle(cr, MAX(left, LABEL_PX - 2) - 1, RULER_PX + lane_y(self, i) - 1,
		                MAX(MIN(right, right_edge + 2) - MAX(left, LABEL_PX - 2), 1) + 2,
		                LANE_PX + 2);
		/* Two lines: one of them can be seen on any colour. */
		set_rgba(cr, theme_get(self->theme)->paper, 1);
		cairo_set_line_width(cr, 5);
		cairo_stroke_preserve(cr);
		set_rgba(cr, theme_get(self->theme)->text, 1);
		cairo_set_line_width(cr, 2);
		cairo_stroke(cr);
	}
}

static double flow_x_of(gpointer data, gint64 at_ns)
{
	return timeline_x_of(data, at_ns);
}

/* The lane's row, or that of the nearest lane above it in the tree that is shown. */
static gboolean flow_y_of(gpointer data, guint lane, double *y)
{
	HvsTimeline *self = data;
	const GArray *shown = hvs_document_shown_lanes(self->document);
	const struct lane_set *lanes = hvs_document_source(self->document)->lanes;

	for (; lane != LANE_NO_PARENT; lane = lane_set_get(lanes, lane)->parent) {
		for (guint i = 0; i < shown->len; i++) {
			if (g_array_index(shown, guint, i) == lane) {
				*y = RULER_PX + lane_y(self, i) + LANE_PX / 2.0;
				return TRUE;
			}
		}
	}
	return FALSE;
}

struct flow_drawing {
	HvsTimeline *timeline;
	const struct canvas *canvas;
	guint32 rgb;
};

static void draw_flow(const struct track *track, guint flow, gpointer data)
{
	const struct flow_drawing *self = data;
	const struct flow_place place = { flow_x_of, flow_y_of, self->timeline };

	flow_draw(hvs_document_source(self->timeline->document), track, flow, self->canvas, &place,
	          self->rgb);
}

/* The arrows of all requests in view, where those are few, and of the chosen one. */
static void draw_flows(HvsTimeline *self, const struct canvas *canvas)
{
	const struct picture_source *source = hvs_document_source(self->document);
	const struct view_range range = hvs_view_range(self->view);
	const struct theme *theme = theme_get(self->theme);
	struct flow_drawing drawing = { self, canvas, theme->faint };
	const struct lane *lane;
	const struct track *track;

	flow_foreach(source, range.from_ns, range.to_ns, hvs_document_filter(self->document),
	             draw_flow, &drawing);
	if (!self->has_instance || !self->instance.is_item)
		return;
	lane = lane_set_get(source->lanes, self->instance.lane);
	track = source->tracks->pdata[lane->track];
	drawing.rgb = theme->accent;
	if (track->requests != NULL)
		draw_flow(track, track_item_at(track, self->instance.item)->flow, &drawing);
}

static void draw_over(HvsTimeline *self, cairo_t *cr, const struct canvas *canvas)
{
	const struct view_range selection = hvs_view_selection(self->view);

	cairo_save(cr);
	cairo_rectangle(cr, LABEL_PX, 0, timeline_chart_width(self),
	                RULER_PX + timeline_chart_height(self));
	cairo_clip(cr);
	if (selection.to_ns > selection.from_ns)
		draw_range(self, cr, selection.from_ns, selection.to_ns, 0.16);
	if (self->drag == DRAG_ZOOM && self->dragged) {
		const struct picture_view view = timeline_picture_view(self);
		const gint64 at_ns = picture_instant(&view, self->pointer_x - LABEL_PX);

		draw_range(self, cr, MIN(self->press_ns, at_ns), MAX(self->press_ns, at_ns), 0.3);
	}
	draw_flows(self, canvas);
	if (self->has_instance)
		draw_instance(self, cr);
	draw_marks(self, cr, canvas);
	if (self->pointer_x >= LABEL_PX) {
		set_rgba(cr, theme_get(self->theme)->text, 0.45);
		cairo_rectangle(cr, floor(self->pointer_x), 0, 1,
		                RULER_PX + timeline_chart_height(self));
		cairo_fill(cr);
	}
	cairo_restore(cr);
}

gboolean timeline_draw(GtkWidget *widget, cairo_t *cr)
{
	HvsTimeline *self = HVS_TIMELINE(widget);
	const struct theme *theme = theme_get(self->theme);
	struct canvas canvas;

	set_rgba(cr, theme->paper, 1);
	if (self->document == NULL) {
		cairo_paint(cr);
		return TRUE;
	}
	/* The lanes' picture covers the rest. */
	cairo_rectangle(cr, 0, 0, LABEL_PX + (double)timeline_chart_width(self), RULER_PX);
	cairo_rectangle(cr, 0, RULER_PX, LABEL_PX, timeline_chart_height(self));
	cairo_fill(cr);
	if (self->dirty || self->surface == NULL)
		render(self);
	cairo_set_source_surface(cr, self->surface, LABEL_PX, RULER_PX);
	cairo_paint(cr);
	cairo_canvas_init(&canvas, cr);
	cairo_save(cr);
	cairo_rectangle(cr, LABEL_PX, 0, timeline_chart_width(self),
	                RULER_PX + timeline_chart_height(self));
	cairo_clip(cr);
	draw_ruler(self, cr, &canvas);
	cairo_restore(cr);
	cairo_save(cr);
	cairo_rectangle(cr, LABEL_PX, RULER_PX, timeline_chart_width(self),
	                timeline_chart_height(self));
	cairo_clip(cr);
	draw_names(self, &canvas);
	cairo_restore(cr);
	draw_labels(self, cr, &canvas);
	draw_over(self, cr, &canvas);
	return TRUE;
}
