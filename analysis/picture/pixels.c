#include "analysis/picture/pixels.h"

#include <string.h>

enum {
	HATCH_PX = 6,
	OPAQUE = 0xff000000u,
	HEIGHT_MAX = 512,
};

/* What a column of a row looks like, so that the next one may be the same. */
struct column {
	guint32 rgb[HEIGHT_MAX]; /* from the top */
	gboolean hatched[HEIGHT_MAX];
	gboolean any_hatched;
};

static void column_fill(struct column *column, const struct picture *picture,
                        const struct picture_row *row, guint capacity, guint x,
                        const struct theme *theme, guint height)
{
	guint16 heights[TRACK_KEYS_MAX];
	guint y = height;

	picture_column_heights(picture, row, capacity, x, height, heights);
	column->any_hatched = FALSE;
	for (guint s = 0; s < row->n_slots; s++) {
		const gboolean hatched = row->slots != NULL && row->slots[s].look == SLOT_HATCHED;

		for (guint i = 0; i < heights[s] && y > 0; i++) {
			y--;
			column->rgb[y] = OPAQUE | picture_row_rgb(row, s);
			column->hatched[y] = hatched;
			column->any_hatched = column->any_hatched || hatched;
		}
	}
	while (y > 0) {
		column->rgb[--y] = OPAQUE | theme->lane;
		column->hatched[y] = FALSE;
	}
}

/* Columns of one owner alone look the same as long as they are full. */
static gboolean same_as_before(const struct picture_row *row, guint x, float full_ns)
{
	const gsize n = row->n_slots;

	if (row->present[x] != row->present[x - 1])
		return FALSE;
	if (row->present[x] == 0)
		return TRUE;
	if ((row->present[x] & (row->present[x] - 1)) == 0 && row->slots != NULL) {
		const gsize slot = (gsize)__builtin_ctzll(row->present[x]);

		return row->time_ns[x * n + slot] > 0.999f * full_ns &&
		       row->time_ns[(x - 1) * n + slot] > 0.999f * full_ns;
	}
	return FALSE;
}

void pixels_draw_row(const struct pixels *self, const struct picture *picture,
                     const struct picture_row *row, guint capacity, const struct theme *theme,
                     gint y, guint height)
{
	const gint top = MAX(y, 0);
	const gint bottom = MIN(y + (gint)height, (gint)self->height);
	const guint width = MIN(self->width, picture->view.width_px);
	const float full_ns = (float)((double)(picture->view.to_ns - picture->view.from_ns) /
	                              picture->view.width_px * MAX(capacity, 1));
	struct column column = { .any_hatched = FALSE };

	if (height > HEIGHT_MAX || row->n_slots > TRACK_KEYS_MAX)
		return;
	for (guint x = 0; x < width; x++) {
		if (x == 0 || !same_as_before(row, x, full_ns))
			column_fill(&column, picture, row, capacity, x, theme, height);
		for (gint line = top; line < bottom; line++) {
			const guint at = (guint)(line - y);
			guint32 pixel = column.rgb[at];

			if (column.any_hatched && column.hatched[at] &&
			    (x + (guint)line) % HATCH_PX < 2)
				pixel = OPAQUE | palette_mix(pixel & 0xffffff, 0xffffff, 0.6);
			self->data[(gsize)line * self->stride + x] = pixel;
		}
		/* More begins here than one column can show: look closer. */
		if (row->count[x] > 1 && bottom == y + (gint)height && bottom > top && x % 2 == 0)
			self->data[(gsize)(bottom - 1) * self->stride + x] = OPAQUE | theme->detail;
	}
}
