#include "analysis/picture/picture-private.h"

#include <math.h>
#include <string.h>

/* A row that shows an owner's time, and as what: its arrays, so that an addition is just
 * that. There are some hundred thousand in a picture. */
struct target {
	float *time_ns; /* of its slot in column 0 */
	guint stride;   /* from one column to the next */
	guint64 bit;    /* of its slot */
	guint64 *present;
	guint32 *count;
	guint32 *owner; /* NULL: not wanted */
};

struct picture_targets {
	guint *first; /* of each owner, into all; n_owners + 1 */
	GArray *all;  /* struct target */
};

struct mix_cell {
	float time_ns;
	guint32 begins;
	guint32 stamp; /* of the column that it was last used in */
};

/* What one column of one core holds, by owner. A column is made of several buckets, and
 * shown in several rows: added up here first, each owner goes to its rows once. */
struct picture_mix {
	struct mix_cell *cells; /* one a owner */
	guint *touched;
	guint n_touched;
	guint32 stamp;
	guint column;
};

/* How many rows show an owner's time differs by core, so this is made anew for each. */
static void targets_fill(struct composing *c)
{
	const struct picture *picture = c->picture;
	const struct slot_table *slots = c->source->slots;

	g_array_set_size(c->targets->all, 0);
	for (guint owner = 0; owner < slots->n_owners; owner++) {
		c->targets->first[owner] = c->targets->all->len;
		if (picture->filter != NULL && !picture->filter[owner])
			continue;
		for (guint i = 0; i < picture->n_rows; i++) {
			const struct lane *lane =
				lane_set_get(c->source->lanes, picture->rows[i].lane);
			const struct picture_row *row = &picture->rows[i];
			const guint slot = slot_of(slots, owner, c->core) - row->first_slot;
			const struct target target = {
				.time_ns = row->time_ns + slot,
				.stride = row->n_slots,
				.bit = (guint64)1 << (slot & 63),
				.present = row->present,
				.count = row->count,
				.owner = row->owner,
			};

			if (lane->kind == LANE_OWNERS &&
			    (lane->core == LANE_ALL_CORES || lane->core == c->core) &&
			    (lane->owners == NULL || lane->owners[owner]))
				g_array_append_val(c->targets->all, target);
		}
	}
	c->targets->first[slots->n_owners] = c->targets->all->len;
}

static inline void target_add(const struct target *self, guint column, guint owner,
                              const struct mix_cell *cell)
{
	self->time_ns[(gsize)column * self->stride] += cell->time_ns;
	self->present[column] |= self->bit;
	self->count[column] += cell->begins;
	if (self->owner == NULL)
		return;
	if (self->owner[column] == PICTURE_OWNER_NONE)
		self->owner[column] = owner;
	else if (self->owner[column] != owner)
		self->owner[column] = PICTURE_OWNER_SEVERAL;
}

/* The column is complete: its owners' time goes to their rows. */
static void mix_flush(struct composing *c)
{
	struct picture_mix *mix = c->mix;

	for (guint i = 0; i < mix->n_touched; i++) {
		const guint owner = mix->touched[i];
		const struct mix_cell *cell = &mix->cells[owner];

		for (guint t = c->targets->first[owner]; t < c->targets->first[owner + 1]; t++) {
			target_add(&g_array_index(c->targets->all, struct target, t), mix->column,
			           owner, cell);
		}
	}
	mix->n_touched = 0;
	mix->stamp++;
}

static inline void mix_column(struct composing *c, guint column)
{
	if (c->mix->column == column)
		return;
	mix_flush(c);
	c->mix->column = column;
}

static inline void mix_add(struct picture_mix *mix, guint owner, float time_ns, guint32 begins)
{
	struct mix_cell *cell = &mix->cells[owner];

	if (cell->stamp != mix->stamp) {
		*cell = (struct mix_cell) { .stamp = mix->stamp };
		mix->touched[mix->n_touched++] = owner;
	}
	cell->time_ns += time_ns;
	cell->begins += begins;
}

/* Spans of a tile that touch [from, to), each its own part: a span is in each tile that
 * it touches. */
static void add_spans(struct composing *c, const struct tile *tile, gint64 from_ns, gint64 to_ns)
{
	for (guint i = 0; i < tile->n; i++) {
		const struct tile_span *span = &tile->spans[i];
		const gint64 end_ns = span->start_ns + span->duration_ns;
		struct picture_columns columns;

		if (span->start_ns >= to_ns)
			break;
		if (end_ns < from_ns || (end_ns == from_ns && span->duration_ns > 0) ||
		    !picture_columns_of(c, MAX(span->start_ns, from_ns), MIN(end_ns, to_ns),
		                        &columns))
			continue;
		for (guint x = columns.first; x <= columns.last; x++) {
			mix_column(c, x);
			mix_add(c->mix, span->owner, (float)picture_part_ns(c, &columns, x),
			        x == columns.first && span->start_ns >= from_ns);
		}
	}
}

/* Index of the first row of that bucket or a later one. */
static guint bucket_lower(const struct tile *tile, gint64 bucket)
{
	guint low = 0;
	guint high = tile->n;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (tile->buckets[middle].bucket < bucket)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Buckets of a tile that touch [from, to). A bucket's owners stand next to each other. */
static void add_buckets(struct composing *c, const struct tile *tile, gint64 from_ns, gint64 to_ns)
{
	const gint64 origin_ns = tile->key.index * tile->width_ns;
	const gint64 window_ns = recording_reader_window_ns(c->source->reader);
	guint past;

	for (guint i = bucket_lower(tile, (from_ns - origin_ns) / tile->bucket_ns); i < tile->n;
	     i = past) {
		const guint32 bucket = tile->buckets[i].bucket;
		const gint64 start_ns = origin_ns + (gint64)bucket * tile->bucket_ns;
		/* The last bucket reaches past the window, its time does not. */
		const gint64 end_ns = MIN(start_ns + tile->bucket_ns, MAX(window_ns, start_ns + 1));
		const double length_ns = (double)(end_ns - start_ns);
		struct picture_columns columns;

		for (past = i + 1; past < tile->n && tile->buckets[past].bucket == bucket; past++)
			;
		if (start_ns >= to_ns)
			break;
		if (end_ns <= from_ns ||
		    !picture_columns_of(c, MAX(start_ns, from_ns), MIN(end_ns, to_ns), &columns))
			continue;
		for (guint x = columns.first; x <= columns.last; x++) {
			const float share = (float)(picture_part_ns(c, &columns, x) / length_ns);

			mix_column(c, x);
			for (guint k = i; k < past; k++)
				mix_add(c->mix, tile->buckets[k].owner,
				        tile->buckets[k].time_ns * share,
				        x == columns.first ? tile->buckets[k].spans : 0);
		}
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
			if (level == TILE_RAW)
				add_spans(c, tile, part_from_ns, part_to_ns);
			else
				add_buckets(c, tile, part_from_ns, part_to_ns);
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

static void compose_cores(struct composing *c, gint64 from_ns, gint64 to_ns)
{
	gsize n_cores;

	recording_reader_cores(c->source->reader, &n_cores);
	for (c->core = 0; c->core < n_cores; c->core++) {
		if (tile_store_levels(c->source->store, c->core)->any)
			ask_coarse(c, from_ns, to_ns);
	}
	for (c->core = 0; c->core < n_cores; c->core++) {
		const struct tile_levels *levels = tile_store_levels(c->source->store, c->core);

		if (!levels->any)
			continue;
		targets_fill(c);
		if (c->targets->all->len > 0)
			add_range(c, level_for(&c->picture->view, levels), TRUE, from_ns, to_ns);
		mix_flush(c);
	}
}

void picture_compose_owners(struct composing *c)
{
	const struct picture_view *view = &c->picture->view;
	const guint n_owners = c->source->slots->n_owners;
	const gint64 window_ns = recording_reader_window_ns(c->source->reader);
	const gint64 from_ns = MAX(view->from_ns, 0);
	/* Spans without duration may stand at the window's very end. */
	const gint64 to_ns = MIN(view->to_ns, window_ns + 1);
	struct picture_targets targets = { g_new0(guint, n_owners + 1),
		                           g_array_new(FALSE, FALSE, sizeof(struct target)) };
	struct picture_mix mix = { .cells = g_new0(struct mix_cell, n_owners + 1),
		                   .touched = g_new(guint, n_owners + 1),
		                   .stamp = 1 };

	c->targets = &targets;
	c->mix = &mix;
	if (from_ns < to_ns)
		compose_cores(c, from_ns, to_ns);
	g_free(targets.first);
	g_array_unref(targets.all);
	g_free(mix.cells);
	g_free(mix.touched);
}
