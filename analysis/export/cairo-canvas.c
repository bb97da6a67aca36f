#include "analysis/export/cairo-canvas.h"

#include <math.h>

static void set_rgb(cairo_t *cr, guint32 rgb)
{
	cairo_set_source_rgb(cr, (rgb >> 16 & 0xff) / 255.0, (rgb >> 8 & 0xff) / 255.0,
	                     (rgb & 0xff) / 255.0);
}

/* Stripes at 45 degrees, the same whether on screen or on paper. */
static void hatch(cairo_t *cr, const struct canvas_rect *rect)
{
	enum {
		STEP_PX = 6
	};
	const double height = rect->height;
	const double first = rect->x - height - (double)((gint64)(rect->x - height) % STEP_PX);
	const int n_lines = (int)ceil((rect->x + rect->width - first) / STEP_PX);

	cairo_save(cr);
	cairo_rectangle(cr, rect->x, rect->y, rect->width, height);
	cairo_clip(cr);
	cairo_set_source_rgba(cr, 1, 1, 1, 0.6);
	cairo_set_line_width(cr, 1.4);
	for (int i = 0; i < n_lines; i++) {
		const double x = first + (double)i * STEP_PX;

		cairo_move_to(cr, x, rect->y + height);
		cairo_line_to(cr, x + height, rect->y);
	}
	cairo_stroke(cr);
	cairo_restore(cr);
}

static void draw_rect(gpointer data, const struct canvas_rect *rect, const char *title)
{
	cairo_t *cr = data;

	(void)title;
	set_rgb(cr, rect->rgb);
	cairo_rectangle(cr, rect->x, rect->y, rect->width, rect->height);
	cairo_fill(cr);
	if (rect->hatched)
		hatch(cr, rect);
}

static void draw_line(gpointer data, double x1, double y1, double x2, double y2, guint32 rgb)
{
	cairo_t *cr = data;

	set_rgb(cr, rgb);
	cairo_set_line_width(cr, 1);
	cairo_move_to(cr, (double)(gint64)x1 + 0.5, y1);
	cairo_line_to(cr, (double)(gint64)x2 + 0.5, y2);
	cairo_stroke(cr);
}

static void set_font(cairo_t *cr, double size, gboolean bold)
{
	cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
	                       bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(cr, size);
}

static double text_width(gpointer data, double size, const char *string)
{
	cairo_text_extents_t extents;
	cairo_t *cr = data;
	g_autofree char *valid = g_utf8_make_valid(string, -1);

	set_font(cr, size, FALSE);
	cairo_text_extents(cr, valid, &extents);
	return extents.x_advance;
}

static void draw_text(gpointer data, const struct canvas_text *text, const char *string)
{
	cairo_t *cr = data;
	g_autofree char *valid = g_utf8_make_valid(string, -1);
	double x = text->x;

	if (text->anchor == CANVAS_MIDDLE)
		x -= text_width(cr, text->size, valid) / 2;
	else if (text->anchor == CANVAS_END)
		x -= text_width(cr, text->size, valid);
	set_font(cr, text->size, text->bold);
	set_rgb(cr, text->rgb);
	cairo_move_to(cr, x, text->y);
	cairo_show_text(cr, valid);
}

static void group_begin(gpointer data, const char *id, const char *title)
{
	(void)data;
	(void)id;
	(void)title;
}

static void group_end(gpointer data)
{
	(void)data;
}

void cairo_canvas_init(struct canvas *self, cairo_t *cr)
{
	cairo_set_antialias(cr, CAIRO_ANTIALIAS_DEFAULT);
	*self = (struct canvas) { .data = cr,
		                  .rect = draw_rect,
		                  .line = draw_line,
		                  .text = draw_text,
		                  .group_begin = group_begin,
		                  .group_end = group_end,
		                  .text_width = text_width };
}
