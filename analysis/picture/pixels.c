#include "analysis/picture/pixels.h"

#include <string.h>

enum {
	HATCH_PX = 6,
	OPAQUE = 0xff000000u,
	HEIGHT_MAX = 512,
	BLOCK_PX = 16, /* columns written at once: one cache line of each line of pixels */
};

/* How a row's columns become pixels. */
struct painting {
	const struct picture *picture;
	const struct picture_row *row;
	guint capacity;
	guint height;
	guint32 empty;
	guint32 rgb[TRACK_KEYS_MAX];
	guint32 light[TRACK_KEYS_MAX]; /* of the hatching; 0: solid */
};

/* A column's kinds, the lowest first. */
struct column {
	guint n;
	guint16 height[64];
	guint8 slot[64];
	guint empty; /* lines above them */
};

static void painting_init(struct painting *self, const struct picture *picture,
                          const struct picture_row *row, guint capacity, const struct theme *theme,
                          guint height)
{
	self->picture = picture;
	self->row = row;
	self->capacity = capacity;
	self->height = height;
	self->empty = OPAQUE | theme->lane;
	for (guint s = 0; s < row->n_slots; s++) {
		const guint32 rgb = picture_row_rgb(row, s);

		self->rgb[s] = OPAQUE | rgb;
		self->light[s] =
			picture_row_hatched(row, s) ? OPAQUE | palette_mix(rgb, 0xffffff, 0.6) : 0;
	}
}

static void column_fill(struct column *column, const struct painting *painting, guint x)
{
	const struct picture_row *row = painting->row;
	guint16 heights[TRACK_KEYS_MAX];

	column->n = 0;
	column->empty = painting->height;
	if (row->present[x] == 0)
		return;
	picture_column_heights(painting->picture, row, painting->capacity, x, painting->height,
	                       heights);
	for (guint64 left = row->present[x]; left != 0; left &= left - 1) {
		const guint s = (guint)__builtin_ctzll(left);
		const guint n = MIN(heights[s], column->empty);

		column->slot[column->n] = (guint8)s;
		column->height[column->n++] = (guint16)n;
		column->empty -= n;
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

/* One column into its place in the block. */
static void column_paint(const struct column *column, const struct painting *painting,
                         guint32 (*block)[BLOCK_PX], guint x, guint screen_y)
{
	const guint at = x % BLOCK_PX;
	guint y = painting->height;

	for (guint i = 0; i < column->n; i++) {
		const guint top = y - column->height[i];
		const guint32 rgb = painting->rgb[column->slot[i]];
		const guint32 light = painting->light[column->slot[i]];

		for (; light == 0 && y > top; y--)
			block[y - 1][at] = rgb;
		for (; y > top; y--)
			block[y - 1][at] = (x + screen_y + y - 1) % HATCH_PX < 2 ? light : rgb;
	}
	for (; y > 0; y--)
		block[y - 1][at] = painting->empty;
}

/* Where a row goes. */
struct place {
	const struct pixels *pixels;
	gint y;      /* of its first line, above the image where negative */
	gint top;    /* first line in the image */
	gint bottom; /* the one after the last */
	guint width;
};

/* More begins in a column than it can show: look closer. */
static inline gboolean has_more(const struct picture_row *row, guint x)
{
	return row->count[x] > 1 && x % 2 == 0;
}

/* A copy of known length needs no call. */
static inline void line_write(guint32 *to, const guint32 *line, guint n)
{
	if (n == BLOCK_PX)
		memcpy(to, line, BLOCK_PX * sizeof *line);
	else
		memcpy(to, line, n * sizeof *line);
}

/* Most rows are of one slot: its bars. As picture_column_heights() has them, for a whole
 * block at once, in loops of a fixed length, which compilers turn into vectors. */
static void draw_bars(const struct painting *painting, const struct place *place,
                      const struct theme *theme)
{
	const struct picture_row *row = painting->row;
	const struct picture_view *view = &painting->picture->view;
	const float height = (float)painting->height;
	const float px_per_ns = height / (float)((double)(view->to_ns - view->from_ns) /
	                                         view->width_px * MAX(painting->capacity, 1));
	guint32 line[BLOCK_PX];

	for (guint first = 0; first < place->width; first += BLOCK_PX) {
		const guint n = MIN(place->width - first, (guint)BLOCK_PX);
		gint32 tops[BLOCK_PX] = { 0 }; /* of the bars, in lines from the row's own top */

		for (guint i = 0; i < n; i++) {
			const float exact = row->time_ns[first + i] * px_per_ns;
			const gint32 px = (gint32)((exact < height ? exact : height) + 0.5f);

			tops[i] = (gint32)painting->height -
			          (row->present[first + i] == 0 ? 0 : MAX(px, 1));
		}
		for (gint y = place->top; y < place->bottom; y++) {
			const gint32 at = y - place->y;

			for (guint i = 0; i < BLOCK_PX; i++)
				line[i] = at >= tops[i] ? painting->rgb[0] : painting->empty;
			line_write(&place->pixels->data[(gsize)y * place->pixels->stride + first],
			           line, n);
		}
		if (place->bottom != place->y + (gint)painting->height)
			continue;
		for (guint x = first; x < first + n; x++) {
			if (has_more(row, x))
				place->pixels
					->data[(gsize)(place->bottom - 1) * place->pixels->stride +
				               x] = OPAQUE | theme->detail;
		}
	}
}

static void draw_columns(const struct painting *painting, const struct place *place,
                         const struct theme *theme)
{
	const struct picture_row *row = painting->row;
	const struct picture_view *view = &painting->picture->view;
	const float full_ns = (float)((double)(view->to_ns - view->from_ns) / view->width_px *
	                              MAX(painting->capacity, 1));
	/* Hatching goes on where a lane is cut off above. */
	const guint screen_y = (guint)(place->y + HEIGHT_MAX * HATCH_PX);
	guint32 block[HEIGHT_MAX][BLOCK_PX];
	struct column column = { .n = 0 };

	for (guint x = 0; x < place->width; x++) {
		if (x == 0 || !same_as_before(row, x, full_ns))
			column_fill(&column, painting, x);
		column_paint(&column, painting, block, x, screen_y);
		if (has_more(row, x))
			block[painting->height - 1][x % BLOCK_PX] = OPAQUE | theme->detail;
		if (x % BLOCK_PX != BLOCK_PX - 1 && x + 1 < place->width)
			continue;
		for (gint y = place->top; y < place->bottom; y++)
			line_write(&place->pixels->data[(gsize)y * place->pixels->stride + x -
			                                x % BLOCK_PX],
			           block[y - place->y], x % BLOCK_PX + 1);
	}
}

void pixels_draw_row(const struct pixels *self, const struct picture *picture,
                     const struct picture_row *row, guint capacity, const struct theme *theme,
                     gint y, guint height)
{
	const struct place place = {
		.pixels = self,
		.y = y,
		.top = MAX(y, 0),
		.bottom = MIN(y + (gint)height, (gint)self->height),
		.width = MIN(self->width, picture->view.width_px),
	};
	struct painting painting;

	if (height > HEIGHT_MAX || row->n_slots > TRACK_KEYS_MAX || place.bottom <= place.top)
		return;
	painting_init(&painting, picture, row, capacity, theme, height);
	if (row->n_slots == 1 && row->slots != NULL && painting.light[0] == 0)
		draw_bars(&painting, &place, theme);
	else
		draw_columns(&painting, &place, theme);
}
