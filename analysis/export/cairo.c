#include "analysis/export/cairo-canvas.h"
#include "analysis/export/drawn-page.h"

#include <cairo-pdf.h>

static cairo_status_t put(void *data, const unsigned char *bytes, unsigned int length)
{
	output_file *output = data;

	output_write(output, bytes, length);
	return output_ok(output) ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

/* A failed write is the output's to report. */
static gboolean check(cairo_status_t status, const output_file *output, GError **error)
{
	if (status == CAIRO_STATUS_SUCCESS || !output_ok(output))
		return TRUE;
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot draw the picture: %s",
	            cairo_status_to_string(status));
	return FALSE;
}

static void draw(cairo_surface_t *surface, const struct page *page, double scale)
{
	cairo_t *cr = cairo_create(surface);
	struct canvas canvas;

	cairo_scale(cr, scale, scale);
	cairo_canvas_init(&canvas, cr);
	page_draw(page, &canvas);
	cairo_destroy(cr);
}

gboolean export_pdf(const struct export_job *job, output_file *output, GError **error)
{
	/* A pixel is 1/96 inch, a point of PDF 1/72. */
	const double points = 0.75;
	struct drawn_page drawn;
	cairo_surface_t *surface;
	cairo_status_t status;

	if (!drawn_page_init(&drawn, job, error))
		return FALSE;
	surface = cairo_pdf_surface_create_for_stream(put, output, page_width(&drawn.page) * points,
	                                              page_height(&drawn.page) * points);
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, drawn.page.title);
	draw(surface, &drawn.page, points);
	cairo_surface_finish(surface);
	status = cairo_surface_status(surface);
	cairo_surface_destroy(surface);
	drawn_page_deinit(&drawn);
	return check(status, output, error);
}

gboolean export_png(const struct export_job *job, output_file *output, GError **error)
{
	const double scale = job->options->scale;
	struct drawn_page drawn;
	cairo_surface_t *surface;
	cairo_status_t status;

	if (!drawn_page_init(&drawn, job, error))
		return FALSE;
	surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24,
	                                     (int)(page_width(&drawn.page) * scale + 0.5),
	                                     (int)(page_height(&drawn.page) * scale + 0.5));
	draw(surface, &drawn.page, scale);
	status = cairo_surface_write_to_png_stream(surface, put, output);
	cairo_surface_destroy(surface);
	drawn_page_deinit(&drawn);
	return check(status, output, error);
}
