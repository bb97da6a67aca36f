/* pixels.h: rows of a picture as pixels
 *
 * Direct writes into an image of 32-bit pixels (0xffRRGGBB, as cairo's RGB24 and
 * ARGB32 are on every machine): what a window needs sixty times a second. The same
 * heights as on a page (picture.h), and the mark of columns that hold more than is
 * drawn.
 */
#pragma once

#include "analysis/picture/picture.h"

struct pixels {
	guint32 *data;
	guint stride; /* pixels from one line to the next */
	guint width;
	guint height;
};

/* Draws a row's columns into [y, y + height), clipped to the image, from x = 0 on. */
void pixels_draw_row(const struct pixels *self, const struct picture *picture,
                     const struct picture_row *row, guint capacity, const struct theme *theme,
                     gint y, guint height);
