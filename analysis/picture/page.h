/* page.h: a whole picture, fit to be pasted into a report
 *
 * Title, legend, ruler, lanes with their names, and the coverage line below: what
 * any picture of a recording needs to be judged by. Draws a composed picture onto
 * a canvas; reads nothing but the recording's sums.
 */
#pragma once

#include "analysis/picture/axis.h"
#include "analysis/picture/canvas.h"
#include "analysis/picture/picture.h"

struct page_legend {
	const char *name; /* the picture's source's */
	guint32 rgb;
	gboolean hatched;
};

struct page {
	const struct picture *picture;
	const struct picture_source *source;
	const struct theme *theme;
	struct axis axis;
	char *title;    /* the recording's name, its range */
	char *note;     /* what has to be known of its times, or NULL */
	char *coverage; /* "Coverage: traced 99.6% of ..." */
	guint label_px; /* width of the lanes' names */
	guint lane_px;  /* height of a lane */
	guint legend_rows;
	GArray *legend; /* struct page_legend: what occurs, in order */
};

/* FALSE with RECORDING_ERROR where the recording's sums contradict each other. */
gboolean page_init(struct page *self, const struct picture *picture,
                   const struct picture_source *source, enum theme_kind theme, GError **error);
void page_deinit(struct page *self);

/* How wide the picture is within a page of that width. At least 1. */
guint page_picture_width(guint page_width_px);
guint page_width(const struct page *self);
guint page_height(const struct page *self);

void page_draw(const struct page *self, const struct canvas *canvas);

/* What has to be known of a recording's times before any is believed, or NULL. Free
 * the result. */
char *page_time_note(const recording_reader *reader);

/* The coverage line, as every report ends with it. */
char *page_coverage(recording_reader *reader, const struct axis *axis, GError **error);

/* What an owner is called: "web / nginx". Free the result. */
char *page_owner_name(const recording_reader *reader, guint owner);
