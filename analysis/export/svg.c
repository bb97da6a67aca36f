#include "analysis/export/drawn-page.h"

#include <string.h>

/* SVG written by hand: cairo's has outlines for text, which nobody can search. */
struct svg {
	output_file *output;
};

/* Text for XML 1.0: markup escaped, what no document may hold (section 2.2) as '?'. */
static void put_escaped(output_file *output, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
		const gunichar c = g_utf8_get_char(at);

		if (c == '&')
			output_text(output, "&amp;");
		else if (c == '<')
			output_text(output, "&lt;");
		else if (c == '>')
			output_text(output, "&gt;");
		else if (c == '"')
			output_text(output, "&quot;");
		else if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xfffe ||
		         c == 0xffff)
			output_text(output, "?");
		else
			output_write(output, at, (gsize)(g_utf8_next_char(at) - at));
	}
}

static void put_title(output_file *output, const char *title)
{
	output_text(output, "<title>");
	put_escaped(output, title);
	output_text(output, "</title>");
}

static void put_rect(const struct svg *self, const struct canvas_rect *rect, const char *fill,
                     const char *title)
{
	output_printf(self->output, "<rect x=\"%.7g\" y=\"%.7g\" width=\"%.7g\" height=\"%.7g\" %s",
	              rect->x, rect->y, rect->width, rect->height, fill);
	if (title == NULL) {
		output_text(self->output, "/>\n");
		return;
	}
	output_text(self->output, ">");
	put_title(self->output, title);
	output_text(self->output, "</rect>\n");
}

static void svg_rect(gpointer data, const struct canvas_rect *rect, const char *title)
{
	const struct svg *self = data;
	g_autofree char *fill = g_strdup_printf("fill=\"#%06x\"", rect->rgb);

	put_rect(self, rect, fill, title);
	if (rect->hatched)
		put_rect(self, rect, "fill=\"url(#hatch)\"", title);
}

static void svg_line(gpointer data, double x1, double y1, double x2, double y2, guint32 rgb)
{
	const struct svg *self = data;

	output_printf(self->output,
	              "<path d=\"M%.7g %.7gL%.7g %.7g\" stroke=\"#%06x\" fill=\"none\"/>\n",
	              x1 + 0.5, y1, x2 + 0.5, y2, rgb);
}

static void svg_text(gpointer data, const struct canvas_text *text, const char *string)
{
	static const char *const anchors[] = { "start", "middle", "end" };
	const struct svg *self = data;

	output_printf(self->output, "<text x=\"%.7g\" y=\"%.7g\" font-size=\"%.4g\" fill=\"#%06x\"",
	              text->x, text->y, text->size, text->rgb);
	if (text->anchor != CANVAS_START)
		output_printf(self->output, " text-anchor=\"%s\"", anchors[text->anchor]);
	if (text->bold)
		output_text(self->output, " font-weight=\"bold\"");
	output_text(self->output, ">");
	put_escaped(self->output, string);
	output_text(self->output, "</text>\n");
}

static void svg_group_begin(gpointer data, const char *id, const char *title)
{
	const struct svg *self = data;

	/* An id may not contain white space. */
	g_autofree char *one_word = g_strdup(id);

	output_text(self->output, "<g id=\"");
	put_escaped(self->output, g_strdelimit(one_word, " \t\r\n", '_'));
	output_text(self->output, "\">");
	if (title != NULL)
		put_title(self->output, title);
	output_text(self->output, "\n");
}

static void svg_group_end(gpointer data)
{
	const struct svg *self = data;

	output_text(self->output, "</g>\n");
}

/* The viewer's font is not known here; sans serif text is about this wide. */
static double svg_text_width(gpointer data, double size, const char *string)
{
	(void)data;
	return (double)g_utf8_strlen(string, -1) * size * 0.56;
}

gboolean export_svg(const struct export_job *job, output_file *output, GError **error)
{
	struct svg svg = { .output = output };
	const struct canvas canvas = { .data = &svg,
		                       .rect = svg_rect,
		                       .line = svg_line,
		                       .text = svg_text,
		                       .group_begin = svg_group_begin,
		                       .group_end = svg_group_end,
		                       .text_width = svg_text_width };
	struct drawn_page drawn;

	if (!drawn_page_init(&drawn, job, error))
		return FALSE;
	output_printf(output,
	              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	              "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
	              "viewBox=\"0 0 %u %u\" font-family=\"sans-serif\">\n",
	              page_width(&drawn.page), page_height(&drawn.page), page_width(&drawn.page),
	              page_height(&drawn.page));
	put_title(output, drawn.page.title);
	output_text(output, "\n<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" "
	                    "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
	                    "<rect width=\"2\" height=\"6\" fill=\"#ffffff\" "
	                    "fill-opacity=\"0.6\"/></pattern></defs>\n");
	page_draw(&drawn.page, &canvas);
	output_text(output, "</svg>\n");
	drawn_page_deinit(&drawn);
	return TRUE;
}
