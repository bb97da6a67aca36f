#include "analysis/picture/picture-private.h"

#include <math.h>
#include <string.h>

/* The rows' memory, one block a kind, so that it is cleared and kept at once. */
struct picture_buffer {
	gsize time_size;
	gsize column_size;
	float *time_ns;
	guint64 *present;
	guint32 *count;
	guint32 *owner;
};

struct picture *picture_new(void)
{
	struct picture *self = g_new0(struct picture, 1);

	self->buffer = g_new0(struct picture_buffer, 1);
	return self;
}

void picture_free(struct picture *self)
{
	if (self == NULL)
		return;
	g_free(self->buffer->time_ns);
	g_free(self->buffer->present);
	g_free(self->buffer->count);
	g_free(self->buffer->owner);
	g_free(self->buffer);
	g_free(self->rows);
	g_free(self);
}

gint64 picture_column(const struct picture_view *view, gint64 at_ns)
{
	return (gint64)floor((double)(at_ns - view->from_ns) * view->width_px /
	                     (double)(view->to_ns - view->from_ns));
}

gint64 picture_instant(const struct picture_view *view, double x)
{
	return view->from_ns +
	       (gint64)floor(x * (double)(view->to_ns - view->from_ns) / view->width_px);
}

/* The slot into which all owners of the lane fall on whatever core, or n_slots. */
static guint only_slot(const struct slot_table *slots, const struct lane *lane)
{
	guint only = slots->n_slots;

	for (guint i = 0; lane->owners != NULL && i < slots->n_owners; i++) {
		if (!lane->owners[i])
			continue;
		if (slots->of_owner[i] == SLOT_NONE ||
		    (only != slots->n_slots && only != slots->of_owner[i]))
			return slots->n_slots;
		only = slots->of_owner[i];
	}
	return only;
}

static guint row_slots(const struct picture_source *source, const struct lane *lane)
{
	const struct track *track;

	if (lane->kind == LANE_OWNERS)
		return only_slot(source->slots, lane) < source->slots->n_slots
		               ? 1
		               : source->slots->n_slots;
	if (lane->kind == LANE_GROUP || source->tracks == NULL)
		return 0;
	track = source->tracks->pdata[lane->track];
	return MIN(track->keys->len, 64);
}

static void buffer_size(struct picture_buffer *self, gsize time_size, gsize column_size)
{
	if (time_size > self->time_size) {
		g_free(self->time_ns);
		self->time_ns = g_new(float, time_size);
		self->time_size = time_size;
	}
	if (column_size > self->column_size) {
		g_free(self->present);
		g_free(self->count);
		g_free(self->owner);
		self->present = g_new(guint64, column_size);
		self->count = g_new(guint32, column_size);
		self->owner = g_new(guint32, column_size);
		self->column_size = column_size;
	}
	/* A picture without lanes has no buffers, and one without slots no times. */
	if (time_size > 0)
		memset(self->time_ns, 0, time_size * sizeof *self->time_ns);
	if (column_size == 0)
		return;
	memset(self->present, 0, column_size * sizeof *self->present);
	memset(self->count, 0, column_size * sizeof *self->count);
	memset(self->owner, 0xff, column_size * sizeof *self->owner);
}

/* Rows with empty columns. */
static void rows_prepare(struct picture *self, const struct picture_source *source,
                         const guint *lanes, guint n_lanes)
{
	const gsize width = self->view.width_px;
	gsize time_size = 0;
	gsize time_at = 0;

	if (n_lanes > self->rows_allocated) {
		g_free(self->rows);
		self->rows = g_new0(struct picture_row, n_lanes);
		self->rows_allocated = n_lanes;
	}
	self->n_rows = n_lanes;
	for (guint i = 0; i < n_lanes; i++)
		time_size += width * row_slots(source, lane_set_get(source->lanes, lanes[i]));
	buffer_size(self->buffer, time_size, width * n_lanes);
	for (guint i = 0; i < n_lanes; i++) {
		const struct lane *lane = lane_set_get(source->lanes, lanes[i]);
		struct picture_row *row = &self->rows[i];

		*row = (struct picture_row) { .lane = lanes[i],
			                      .n_slots = row_slots(source, lane),
			                      .look = lane->look,
			                      .dark = source->slots->theme == THEME_DARK,
			                      .by = source->slots->by };
		if (lane->kind == LANE_OWNERS) {
			const guint only = only_slot(source->slots, lane);

			row->first_slot = only < source->slots->n_slots ? only : 0;
			row->slots = source->slots->slots + row->first_slot;
		}
		if (lane->kind == LANE_TRACK && source->tracks != NULL)
			row->track = source->tracks->pdata[lane->track];
		row->time_ns = self->buffer->time_ns + time_at;
		row->present = self->buffer->present + i * width;
		row->count = self->buffer->count + i * width;
		row->owner = self->without_owners ? NULL : self->buffer->owner + i * width;
		time_at += width * row->n_slots;
	}
}

gboolean picture_columns_of(const struct composing *c, gint64 start_ns, gint64 end_ns,
                            struct picture_columns *out)
{
	const struct picture_view *view = &c->picture->view;
	const double span_ns = (double)(view->to_ns - view->from_ns);
	guint left;
	guint right;

	if (start_ns >= view->to_ns || end_ns < view->from_ns ||
	    (end_ns == view->from_ns && start_ns < end_ns))
		return FALSE;
	start_ns = MAX(start_ns, view->from_ns);
	end_ns = MIN(end_ns, view->to_ns);
	out->x0 = (double)(start_ns - view->from_ns) * c->columns_per_ns;
	out->x1 = (double)(end_ns - view->from_ns) * c->columns_per_ns;
	/* As picture_column(), for what is known to be no earlier than the view. */
	left = (guint)((double)(start_ns - view->from_ns) * view->width_px / span_ns);
	right = (guint)out->x1;
	if (right > 0 && (double)right == out->x1)
		right--;
	out->first = MIN(left, view->width_px - 1);
	out->last = end_ns > start_ns ? MIN(MAX(right, left), view->width_px - 1) : out->first;
	return TRUE;
}

/* Of an item, or of the items of one bucket. */
struct piece {
	gint64 start_ns;
	gint64 end_ns;
	guint key;
	float per_ns;     /* of its time that is the key's */
	float longest_ns; /* of the items that it is made of */
	guint32 count;    /* that begin in it */
};

static void add_piece(struct composing *c, struct picture_row *row, const struct piece *piece)
{
	const guint slot = MIN(piece->key, row->n_slots - 1);
	struct picture_columns columns;

	if (!picture_columns_of(c, piece->start_ns, piece->end_ns, &columns))
		return;
	if (piece->start_ns >= c->picture->view.from_ns)
		row->count[columns.first] += piece->count;
	for (guint x = columns.first; x <= columns.last; x++) {
		float *cell = &row->time_ns[(gsize)x * row->n_slots + slot];

		if (row->look == LANE_LOOK_LONGEST) {
			*cell = MAX(*cell, piece->longest_ns);
			picture_cell_add(row, x, slot, piece->key, 0);
		} else {
			picture_cell_add(row, x, slot, piece->key,
			                 (float)picture_part_ns(c, &columns, x) * piece->per_ns);
		}
	}
}

static gboolean row_takes(const struct composing *c, const struct picture_row *row, guint key,
                          guint owner)
{
	const struct lane *lane = lane_set_get(c->source->lanes, row->lane);

	if (lane->track_key != LANE_ALL_KEYS && lane->track_key != key)
		return FALSE;
	return c->picture->filter == NULL || owner >= c->source->slots->n_owners ||
	       c->picture->filter[owner];
}

static void compose_items(struct composing *c, struct picture_row *row)
{
	const struct track *track = row->track;
	const struct picture_view *view = &c->picture->view;
	guint i = track_reaching(track, 0, view->from_ns);

	for (; i < track->items->len; i = track_reaching(track, i + 1, view->from_ns)) {
		const struct track_item *item = track_item_at(track, i);
		const struct piece piece = {
			.start_ns = item->start_ns,
			.end_ns = item->start_ns + item->duration_ns,
			.key = item->key,
			.per_ns = 1,
			.longest_ns = (float)item->duration_ns,
			.count = 1,
		};

		if (item->start_ns >= view->to_ns)
			break;
		if (row_takes(c, row, item->key, item->owner))
			add_piece(c, row, &piece);
	}
}

static void compose_summary(struct composing *c, struct picture_row *row, guint level)
{
	const struct picture_view *view = &c->picture->view;
	const gint64 width_ns = lod_width_ns(level);
	const GArray *sums = row->track->levels[level];
	guint i = track_sum_lower(row->track, level, MAX(view->from_ns, 0) / width_ns);

	for (; i < sums->len; i++) {
		const struct track_sum *sum = &g_array_index(sums, struct track_sum, i);
		const gint64 start_ns = sum->bucket * width_ns;
		const struct piece piece = {
			.start_ns = start_ns,
			.end_ns = start_ns + width_ns,
			.key = sum->key,
			.per_ns = sum->time_ns / (float)width_ns,
			.longest_ns = sum->longest_ns,
			.count = sum->count,
		};

		if (start_ns >= view->to_ns)
			break;
		if (row_takes(c, row, sum->key, TRACK_OWNER_NONE))
			add_piece(c, row, &piece);
	}
}

static void compose_tracks(struct composing *c)
{
	enum {
		ITEMS_EACH_MAX = 8000
	};
	const struct picture_view *view = &c->picture->view;
	const double column_ns = (double)(view->to_ns - view->from_ns) / view->width_px;

	for (guint i = 0; i < c->picture->n_rows; i++) {
		struct picture_row *row = &c->picture->rows[i];
		guint level = LOD_LEVELS_MAX;
		guint items;

		if (row->track == NULL || row->n_slots == 0 ||
		    !track_passes(row->track, c->source->reader, c->picture->filter))
			continue;
		items = track_lower(row->track, view->to_ns) -
		        track_lower(row->track, view->from_ns);
		for (guint l = 0; l < LOD_LEVELS_MAX && (double)lod_width_ns(l) <= column_ns; l++)
			level = row->track->levels[l] != NULL ? l : level;
		/* Sums know no owners, so a filter of owners needs the items themselves. */
		if (level == LOD_LEVELS_MAX || items <= ITEMS_EACH_MAX ||
		    (c->picture->filter != NULL && row->track->kind == TRACK_EXITS))
			compose_items(c, row);
		else
			compose_summary(c, row, level);
	}
}

void picture_compose(struct picture *self, const struct picture_source *source,
                     const struct picture_view *view, const guint *lanes, guint n_lanes,
                     const guint8 *filter)
{
	struct composing c = { .picture = self, .source = source };

	g_return_if_fail(view->to_ns > view->from_ns && view->width_px > 0 &&
	                 view->width_px <= PICTURE_WIDTH_MAX);
	self->view = *view;
	self->filter = filter;
	self->complete = TRUE;
	c.columns_per_ns = (double)view->width_px / (double)(view->to_ns - view->from_ns);
	rows_prepare(self, source, lanes, n_lanes);
	tile_store_begin(source->store);
	picture_compose_owners(&c);
	compose_tracks(&c);
	for (guint i = 0; i < n_lanes; i++) {
		for (guint x = 0; x < view->width_px; x++)
			self->rows[i].largest_count =
				MAX(self->rows[i].largest_count, self->rows[i].count[x]);
	}
}

const char *picture_row_name(const struct picture_row *row, guint slot)
{
	return row->slots != NULL ? row->slots[slot].name : track_key_at(row->track, slot)->name;
}

guint32 picture_row_rgb(const struct picture_row *row, guint slot)
{
	const struct track_key *key;

	if (row->slots != NULL)
		return row->slots[slot].rgb;
	key = track_key_at(row->track, slot);
	if (key->rgb_by[row->by] != 0)
		return key->rgb_by[row->by];
	return row->dark ? key->dark_rgb : key->rgb;
}

gboolean picture_row_hatched(const struct picture_row *row, guint slot)
{
	if (row->slots != NULL)
		return row->slots[slot].look == SLOT_HATCHED;
	return track_key_at(row->track, slot)->hatched;
}

/* `used` pixels divided evenly among the kinds. */
static void even_heights(const struct picture_row *row, guint column, guint used, guint16 *out)
{
	const guint kinds = (guint)__builtin_popcountll(row->present[column]);
	guint done = 0;

	for (guint64 left = row->present[column]; left != 0; left &= left - 1) {
		const guint s = (guint)__builtin_ctzll(left);

		out[s] = (guint16)(used / (kinds - done));
		used -= out[s];
		done++;
	}
}

/* The higher the more there are, on a log scale. */
static void count_heights(const struct picture_row *row, guint column, guint height, guint16 *out)
{
	const double full = log2(1 + (double)row->largest_count);
	const double part = log2(1 + (double)row->count[column]);

	even_heights(row, column,
	             (guint)lround(height * (0.35 + 0.65 * (full > 0 ? part / full : 0))), out);
}

/* The higher the longer the longest is, on a log scale from 100 ns up: all but a pixel for
 * each of the others is that one's. */
static void longest_heights(const struct picture_row *row, guint column, guint height, guint16 *out)
{
	const float *longest_ns = &row->time_ns[(gsize)column * row->n_slots];
	const double full = log2(1 + (double)row->track->longest_ns / 100);
	guint kinds = 0;
	guint largest = 0;
	guint used;

	for (guint64 left = row->present[column]; left != 0; left &= left - 1) {
		const guint s = (guint)__builtin_ctzll(left);

		largest = kinds == 0 || longest_ns[s] > longest_ns[largest] ? s : largest;
		out[s] = 1;
		kinds++;
	}
	used = (guint)lround(height * log2(1 + (double)longest_ns[largest] / 100) / full);
	if (kinds > 0)
		out[largest] = (guint16)(MAX(MIN(used, height), kinds) - (kinds - 1));
}

/* Rounding up took too much: it comes from the largest, which hides nothing. */
static void heights_shrink(guint16 *out, guint n_slots, guint used, guint height)
{
	for (; used > height; used--) {
		guint largest = 0;

		for (guint s = 0; s < n_slots; s++)
			largest = out[s] > out[largest] ? s : largest;
		out[largest]--;
	}
}

void picture_column_heights(const struct picture *self, const struct picture_row *row,
                            guint capacity, guint column, guint height, guint16 *out)
{
	const double column_ns = (double)(self->view.to_ns - self->view.from_ns) /
	                         self->view.width_px * MAX(capacity, 1);
	const float *time_ns = &row->time_ns[(gsize)column * row->n_slots];
	const float px_per_ns = (float)(height / column_ns);
	float sum_ns = 0;
	guint used = 0;
	guint largest = 0;

	memset(out, 0, row->n_slots * sizeof *out);
	if (row->present[column] == 0)
		return;
	if (row->look == LANE_LOOK_COUNT) {
		count_heights(row, column, height, out);
		return;
	}
	if (row->look == LANE_LOOK_LONGEST) {
		longest_heights(row, column, height, out);
		return;
	}
	for (guint64 left = row->present[column]; left != 0; left &= left - 1) {
		const guint s = (guint)__builtin_ctzll(left);
		const guint exact = (guint)(MIN(time_ns[s] * px_per_ns, (float)height) + 0.5f);

		out[s] = (guint16)MAX(exact, 1);
		used += out[s];
		sum_ns += time_ns[s];
		largest = out[s] > out[largest] ? s : largest;
	}
	if (sum_ns <= 0 && row->track != NULL)
		count_heights(row, column, height, out);
	else if (used > height)
		heights_shrink(out, row->n_slots, used, height);
	/* A full column has no hole: what rounding left out is the largest's. */
	else if (used > 0 && sum_ns >= column_ns * (1 - 0.5 / height))
		out[largest] = (guint16)(out[largest] + (height - used));
}
