/* depths.h: rows for items that overlap
 *
 * Chrome's and Perfetto's slices of one row may not overlap: each item goes to the first
 * row that is free. Items come in order of start.
 */
#pragma once

#include <glib.h>

enum {
	DEPTHS_MAX = 64,
	DEPTH_NONE = DEPTHS_MAX /* all rows are taken */
};

struct depths {
	gint64 ends_ns[DEPTHS_MAX];
	guint n;
};

static inline guint depths_place(struct depths *self, gint64 start_ns, gint64 end_ns)
{
	for (guint i = 0; i < DEPTHS_MAX; i++) {
		if (i < self->n && self->ends_ns[i] > start_ns)
			continue;
		self->n = MAX(self->n, i + 1);
		self->ends_ns[i] = end_ns;
		return i;
	}
	return DEPTH_NONE;
}
