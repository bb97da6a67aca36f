/* canvas.h: where a page is drawn
 *
 * The few shapes of which a page (page.h) is made, as a table of functions: SVG
 * text and cairo (PDF, PNG, a window) each fill it in. Units are pixels, y grows
 * downwards. Text is UTF-8; what it may contain is the canvas's concern.
 */
#pragma once

#include <glib.h>

enum canvas_anchor {
	CANVAS_START,
	CANVAS_MIDDLE,
	CANVAS_END,
};

struct canvas_text {
	double x; /* of the anchor */
	double y; /* of the base line */
	double size;
	enum canvas_anchor anchor;
	gboolean bold;
	guint32 rgb;
};

struct canvas_rect {
	double x;
	double y;
	double width;
	double height;
	guint32 rgb;
	gboolean hatched;
};

struct canvas {
	gpointer data; /* first argument of each */
	/* `title` may be NULL: said of the shape where the format can. */
	void (*rect)(gpointer data, const struct canvas_rect *rect, const char *title);
	void (*line)(gpointer data, double x1, double y1, double x2, double y2, guint32 rgb);
	void (*text)(gpointer data, const struct canvas_text *text, const char *string);
	/* Groups do not nest. `id` is unique in the page. */
	void (*group_begin)(gpointer data, const char *id, const char *title);
	void (*group_end)(gpointer data);
	double (*text_width)(gpointer data, double size, const char *string);
};
