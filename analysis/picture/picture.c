#include "analysis/picture/picture.h"

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

/* Where an owner's time goes: the rows that show it, and as what. */
struct target {
	guint16 row;
	guint16 slot;
};

struct targets {
	guint *first; /* of each owner, into all; n_owners + 1 */
	GArray *all;  /* struct target */
};

/* One composition. */
struct composing {
	struct picture *picture;
	const struct picture_source *source;
	struct targets targets; /* for the core at hand */
	guint core;
	double columns_per_ns;
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

static guint row_slots(const struct picture_source *source, const struct lane *lane)
{
	const struct track *track;

	if (lane->kind == LANE_OWNERS)
		return source->slots->n_slots;
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
	/* A picture without lanes has no buffers. */
	if (column_size == 0 || time_size == 0)
		return;
	memset(self->time_ns, 0, time_size * sizeof *self->time_ns);
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
			                      .n_slots = row_slots(source, lane) };
		if (lane->kind == LANE_OWNERS)
			row->slots = source->slots->slots;
		else if (lane->kind == LANE_TRACK && source->tracks != NULL)
			row->track = source->tracks->pdata[lane->track];
		row->time_ns = self->buffer->time_ns + time_at;
		row->present = self->buffer->present + i * width;
		row->count = self->buffer->count + i * width;
		row->owner = self->buffer->owner + i * width;
		time_at += width * row->n_slots;
	}
}

static void targets_fill(struct composing *c)
{
	const struct picture *picture = c->picture;
	const struct slot_table *slots = c->source->slots;

	g_array_set_size(c->targets.all, 0);
	for (guint owner = 0; owner < slots->n_owners; owner++) {
		c->targets.first[owner] = c->targets.all->len;
		if (picture->filter != NULL && !picture->filter[owner])
			continue;
		for (guint i = 0; i < picture->n_rows; i++) {
			const struct lane *lane =
				lane_set_get(c->source->lanes, picture->rows[i].lane);
			const struct target target = { (guint16)i,
				                       (guint16)slot_of(slots, owner, c->core) };

			if (lane->kind == LANE_OWNERS &&
			    (lane->core == LANE_ALL_CORES || lane->core == c->core) &&
			    (lane->owners == NULL || lane->owners[owner]))
				g_array_append_val(c->targets.all, target);
		}
	}
	c->targets.first[slots->n_owners] = c->targets.all->len;
}

static void cell_add(struct picture_row *row, guint column, guint slot, guint32 owner,
                     float time_ns)
{
	row->time_ns[(gsize)column * row->n_slots + slot] += time_ns;
	row->present[column] |= (guint64)1 << slot;
	if (row->owner[column] == PICTURE_OWNER_NONE)
		row->owner[column] = owner;
	else if (row->owner[column] != owner)
		row->owner[column] = PICTURE_OWNER_SEVERAL;
}

/* The columns that [start, end) touches, clipped; an instant touches one. FALSE: none. */
static gboolean columns_of(const struct composing *c, gint64 start_ns, gint64 end_ns, guint *first,
                           guint *last, double *x0, double *x1)
{
	const struct picture_view *view = &c->picture->view;
	gint64 left;
	gint64 right;

	if (start_ns >= view->to_ns || end_ns < view->from_ns ||
	    (end_ns == view->from_ns && start_ns < end_ns))
		return FALSE;
	start_ns = MAX(start_ns, view->from_ns);
	end_ns = MIN(end_ns, view->to_ns);
	*x0 = (double)(start_ns - view->from_ns) * c->columns_per_ns;
	*x1 = (double)(end_ns - view->from_ns) * c->columns_per_ns;
	left = picture_column(view, start_ns);
	right = end_ns > start_ns ? (gint64)ceil(*x1) - 1 : left;
	*first = (guint)CLAMP(left, 0, (gint64)view->width_px - 1);
	*last = (guint)CLAMP(MAX(right, left), 0, (gint64)view->width_px - 1);
	return TRUE;
}

/* Time of `owner`, `per_ns` of each nanosecond of [start, end), to every row that shows it. */
static void add_owner(struct composing *c, guint owner, gint64 start_ns, gint64 end_ns,
                      float per_ns, guint32 begins)
{
	guint first;
	guint last;
	double x0;
	double x1;

	if (c->targets.first[owner] == c->targets.first[owner + 1] ||
	    !columns_of(c, start_ns, end_ns, &first, &last, &x0, &x1))
		return;
	for (guint t = c->targets.first[owner]; t < c->targets.first[owner + 1]; t++) {
		const struct target *target = &g_array_index(c->targets.all, struct target, t);
		struct picture_row *row = &c->picture->rows[target->row];

		if (start_ns >= c->picture->view.from_ns)
			row->count[first] += begins;
		for (guint x = first; x <= last; x++) {
			const double part =
				(MIN(x1, x + 1.0) - MAX(x0, (double)x)) / c->columns_per_ns;

			cell_add(row, x, target->slot, owner, (float)MAX(part, 0) * per_ns);
		}
	}
}

/* What of a tile lies in [from, to). */
static void add_tile(struct composing *c, const struct tile *tile, gint64 from_ns, gint64 to_ns)
{
	const gint64 origin_ns = tile->key.index * tile->width_ns;
	const gint64 window_ns = recording_reader_window_ns(c->source->reader);

	for (guint i = 0; tile->spans != NULL && i < tile->n; i++) {
		const struct tile_span *span = &tile->spans[i];
		const gint64 end_ns = span->start_ns + span->duration_ns;

		/* A span is in each raw tile that it touches: each draws its own part. */
		if (span->start_ns < to_ns &&
		    (end_ns > from_ns || (span->duration_ns == 0 && end_ns >= from_ns)))
			add_owner(c, span->owner, MAX(span->start_ns, from_ns), MIN(end_ns, to_ns),
			          1, span->start_ns >= from_ns);
	}
	for (guint i = 0; tile->buckets != NULL && i < tile->n; i++) {
		const struct tile_bucket *bucket = &tile->buckets[i];
		const gint64 start_ns = origin_ns + (gint64)bucket->bucket * tile->bucket_ns;
		/* The last bucket reaches past the window, its time does not. */
		const gint64 end_ns = MIN(start_ns + tile->bucket_ns, MAX(window_ns, start_ns + 1));

		if (start_ns < to_ns && end_ns > from_ns)
			add_owner(c, bucket->owner, MAX(start_ns, from_ns), MIN(end_ns, to_ns),
			          bucket->time_ns / (float)(end_ns - start_ns), bucket->spans);
	}
}

static guint next_level(const struct tile_levels *levels, guint level)
{
	return level == TILE_RAW ? levels->finest : level + 1;
}

/* Draws [from, to) from that level, and where a tile is missing from the next coarser
 * level that is there. Only the level wanted is asked for. */
static void add_range(struct composing *c, guint level, gboolean wanted, gint64 from_ns,
                      gint64 to_ns)
{
	const struct tile_levels *levels = tile_store_levels(c->source->store, c->core);
	const gint64 width_ns = tile_width_ns(levels, level);

	for (gint64 index = from_ns / width_ns; index <= (to_ns - 1) / width_ns; index++) {
		const struct tile_key key = { c->core, level, index };
		const struct tile *tile = wanted ? tile_store_get(c->source->store, key)
		                                 : tile_store_peek(c->source->store, key);
		const gint64 part_from_ns = MAX(from_ns, index * width_ns);
		const gint64 part_to_ns = to_ns - width_ns < index * width_ns
		                                  ? to_ns
		                                  : MIN(to_ns, (index + 1) * width_ns);

		if (tile != NULL && !tile->too_many) {
			add_tile(c, tile, part_from_ns, part_to_ns);
			continue;
		}
		c->picture->complete = c->picture->complete && tile != NULL;
		if (level != levels->coarsest)
			add_range(c, next_level(levels, level), tile != NULL, part_from_ns,
			          part_to_ns);
	}
}

/* The coarsest level whose buckets are no wider than a column. */
static guint level_for(const struct picture_view *view, const struct tile_levels *levels)
{
	const double column_ns = (double)(view->to_ns - view->from_ns) / view->width_px;
	guint level = levels->finest;

	if ((double)lod_width_ns(levels->finest) > column_ns)
		return TILE_RAW;
	while (level < levels->coarsest && (double)lod_width_ns(level + 1) <= column_ns)
		level++;
	return level;
}

/* What stands in while the rest is read is asked for first: it is read faster. */
static void ask_coarse(struct composing *c, gint64 from_ns, gint64 to_ns)
{
	const struct tile_levels *levels = tile_store_levels(c->source->store, c->core);
	const guint level = level_for(&c->picture->view, levels);
	const guint coarse = level == levels->coarsest ? level : next_level(levels, level);
	const gint64 width_ns = tile_width_ns(levels, coarse);
	const gint64 fine_ns = tile_width_ns(levels, level);

	for (gint64 index = from_ns / width_ns; index <= (to_ns - 1) / width_ns; index++) {
		gboolean missing = FALSE;

		for (gint64 at_ns = MAX(from_ns, index * width_ns);
		     at_ns < to_ns && at_ns / width_ns == index && !missing; at_ns += fine_ns) {
			const struct tile_key key = { c->core, level, at_ns / fine_ns };

			missing = tile_store_peek(c->source->store, key) == NULL;
		}
		if (missing) {
			const struct tile_key key = { c->core, coarse, index };

			tile_store_get(c->source->store, key);
		}
	}
}

static void compose_owners(struct composing *c)
{
	const struct picture_view *view = &c->picture->view;
	const gint64 window_ns = recording_reader_window_ns(c->source->reader);
	const gint64 from_ns = MAX(view->from_ns, 0);
	/* Spans without duration may stand at the window's very end. */
	const gint64 to_ns = MIN(view->to_ns, window_ns + 1);
	gsize n_cores;

	recording_reader_cores(c->source->reader, &n_cores);
	if (from_ns >= to_ns)
		return;
	for (c->core = 0; c->core < n_cores; c->core++) {
		if (tile_store_levels(c->source->store, c->core)->any)
			ask_coarse(c, from_ns, to_ns);
	}
	for (c->core = 0; c->core < n_cores; c->core++) {
		const struct tile_levels *levels = tile_store_levels(c->source->store, c->core);

		if (!levels->any)
			continue;
		targets_fill(c);
		if (c->targets.all->len > 0)
			add_range(c, level_for(view, levels), TRUE, from_ns, to_ns);
	}
}

static void add_item(struct composing *c, struct picture_row *row, guint key, gint64 start_ns,
                     gint64 end_ns, float per_ns, guint32 count)
{
	const guint slot = MIN(key, row->n_slots - 1);
	guint first;
	guint last;
	double x0;
	double x1;

	if (!columns_of(c, start_ns, end_ns, &first, &last, &x0, &x1))
		return;
	if (start_ns >= c->picture->view.from_ns)
		row->count[first] += count;
	for (guint x = first; x <= last; x++) {
		const double part = (MIN(x1, x + 1.0) - MAX(x0, (double)x)) / c->columns_per_ns;

		cell_add(row, x, slot, key, (float)MAX(part, 0) * per_ns);
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
	guint i = track_lower(track, view->from_ns - track->longest_ns);

	for (; i < track->items->len; i++) {
		const struct track_item *item = &g_array_index(track->items, struct track_item, i);

		if (item->start_ns >= view->to_ns)
			break;
		if (row_takes(c, row, item->key, item->owner))
			add_item(c, row, item->key, item->start_ns,
			         item->start_ns + item->duration_ns, 1, 1);
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

		if (start_ns >= view->to_ns)
			break;
		if (row_takes(c, row, sum->key, TRACK_OWNER_NONE))
			add_item(c, row, sum->key, start_ns, start_ns + width_ns,
			         sum->time_ns / (float)width_ns, sum->count);
	}
}

static void compose_tracks(struct composing *c)
{
	enum {
		ITEMS_EACH_MAX = 20000
	};
	const struct picture_view *view = &c->picture->view;
	const double column_ns = (double)(view->to_ns - view->from_ns) / view->width_px;

	for (guint i = 0; i < c->picture->n_rows; i++) {
		struct picture_row *row = &c->picture->rows[i];
		guint level = LOD_LEVELS_MAX;
		guint items;

		if (row->track == NULL || row->n_slots == 0)
			continue;
		items = track_lower(row->track, view->to_ns) -
		        track_lower(row->track, view->from_ns);
		for (guint l = 0; l < LOD_LEVELS_MAX && (double)lod_width_ns(l) <= column_ns; l++)
			level = row->track->levels[l] != NULL ? l : level;
		/* Sums know no owners, so a filter needs the items themselves. */
		if (level == LOD_LEVELS_MAX || items <= ITEMS_EACH_MAX ||
		    c->picture->filter != NULL)
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
	c.targets.first = g_new0(guint, source->slots->n_owners + 1);
	c.targets.all = g_array_new(FALSE, FALSE, sizeof(struct target));
	compose_owners(&c);
	compose_tracks(&c);
	g_free(c.targets.first);
	g_array_unref(c.targets.all);
	for (guint i = 0; i < n_lanes; i++) {
		for (guint x = 0; x < view->width_px; x++)
			self->rows[i].largest_count =
				MAX(self->rows[i].largest_count, self->rows[i].count[x]);
	}
}

guint32 picture_row_rgb(const struct picture_row *row, guint slot)
{
	if (row->slots != NULL)
		return row->slots[slot].rgb;
	return g_array_index(row->track->keys, struct track_key, slot).rgb;
}

/* Instants have no time: a column is the higher the more there are, on a log scale, and is
 * divided evenly among the kinds. */
static void instant_heights(const struct picture_row *row, guint column, guint height, guint16 *out)
{
	const double full = log2(1 + (double)row->largest_count);
	const double part = log2(1 + (double)row->count[column]);
	const guint kinds = (guint)__builtin_popcountll(row->present[column]);
	guint left = (guint)lround(height * (0.35 + 0.65 * (full > 0 ? part / full : 0)));
	guint done = 0;

	for (guint s = 0; s < row->n_slots; s++) {
		out[s] = 0;
		if ((row->present[column] >> s & 1) == 0)
			continue;
		out[s] = (guint16)(left / (kinds - done));
		left -= out[s];
		done++;
	}
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
	double sum_ns = 0;
	guint used = 0;
	guint largest = 0;

	for (guint s = 0; s < row->n_slots; s++) {
		const gboolean present = (row->present[column] >> s & 1) != 0;
		const double exact = time_ns[s] / column_ns * height;

		out[s] = present ? (guint16)MAX(lround(MIN(exact, height)), 1) : 0;
		used += out[s];
		sum_ns += time_ns[s];
		largest = out[s] > out[largest] ? s : largest;
	}
	if (sum_ns <= 0 && row->track != NULL && row->present[column] != 0)
		instant_heights(row, column, height, out);
	else if (used > height)
		heights_shrink(out, row->n_slots, used, height);
	/* A full column has no hole: what rounding left out is the largest's. */
	else if (used > 0 && sum_ns >= column_ns * (1 - 0.5 / height))
		out[largest] = (guint16)(out[largest] + (height - used));
}
