/* cairo-canvas.h: a canvas that draws with cairo
 *
 * Fills in canvas.h for PDF, PNG and the window. The context belongs to the caller
 * and outlives the canvas.
 */
#pragma once

#include "analysis/picture/canvas.h"

#include <cairo.h>

void cairo_canvas_init(struct canvas *self, cairo_t *cr);
