#include "analysis/picture/tile.h"

struct filling {
	GArray *rows;
	gint64 first_bucket;
	gboolean too_many;
};

gboolean tile_levels_read(recording_reader *reader, guint core, struct tile_levels *out,
                          GError **error)
{
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);
	struct tile_levels levels = { .any = FALSE };
	gboolean has = FALSE;
	guint level = 0;

	for (guint i = 0; i < LOD_LEVELS_MAX && !has; i++) {
		if (!recording_reader_lod_level(reader, cores[core].core, lod_width_ns(i), &has,
		                                &level, error))
			return FALSE;
	}
	if (has) {
		levels.any = TRUE;
		levels.finest = level;
		if (!recording_reader_lod_level(reader, cores[core].core,
		                                lod_width_ns(LOD_LEVELS_MAX - 1), &has,
		                                &levels.coarsest, error))
			return FALSE;
	}
	*out = levels;
	return TRUE;
}

gint64 tile_width_ns(const struct tile_levels *levels, guint level)
{
	enum {
		RAW_BUCKETS = 64
	};
	const gint64 bucket_ns = lod_width_ns(level == TILE_RAW ? levels->finest : level);
	const gint64 buckets = level == TILE_RAW ? RAW_BUCKETS : TILE_BUCKETS;

	return bucket_ns > G_MAXINT64 / buckets ? G_MAXINT64 : bucket_ns * buckets;
}

static gboolean take_bucket(const struct row_lod *row, gpointer data)
{
	struct filling *filling = data;
	const struct tile_bucket bucket = {
		.bucket = (guint32)(row->bucket - filling->first_bucket),
		.owner = row->owner,
		.time_ns = (float)row->time_ns,
		.spans = (guint32)MIN(row->spans, G_MAXUINT32),
	};

	g_array_append_val(filling->rows, bucket);
	return TRUE;
}

static gboolean take_span(const struct row_span *row, gpointer data)
{
	struct filling *filling = data;
	const struct tile_span span = { row->start_ns, row->duration_ns, row->owner };

	filling->too_many = filling->rows->len == TILE_SPANS_MAX;
	if (!filling->too_many)
		g_array_append_val(filling->rows, span);
	return !filling->too_many;
}

struct tile *tile_load(recording_reader *reader, const struct tile_levels *levels,
                       struct tile_key key, GError **error)
{
	gsize n_cores;
	const guint core = recording_reader_cores(reader, &n_cores)[key.core].core;
	const gboolean raw = key.level == TILE_RAW;
	const gint64 width_ns = tile_width_ns(levels, key.level);
	const gint64 from_ns = key.index * width_ns;
	const gint64 to_ns = from_ns > G_MAXINT64 - width_ns ? G_MAXINT64 : from_ns + width_ns;
	struct filling filling = { .first_bucket = key.index * TILE_BUCKETS };
	struct tile *self;
	gboolean done;

	filling.rows = g_array_new(FALSE, FALSE,
	                           raw ? sizeof(struct tile_span) : sizeof(struct tile_bucket));
	if (raw)
		done = recording_reader_spans(reader, core, from_ns, to_ns, take_span, &filling,
		                              error);
	else
		done = recording_reader_lod(reader, core, key.level, from_ns, to_ns, take_bucket,
		                            &filling, error);
	if (!done) {
		g_array_unref(filling.rows);
		return NULL;
	}
	self = g_new0(struct tile, 1);
	self->ref_count = 1;
	self->key = key;
	self->width_ns = width_ns;
	self->too_many = filling.too_many;
	self->bucket_ns = raw ? 0 : lod_width_ns(key.level);
	self->n = filling.too_many ? 0 : filling.rows->len;
	if (filling.too_many)
		g_array_unref(filling.rows);
	else if (raw)
		self->spans = (struct tile_span *)(void *)g_array_free(filling.rows, FALSE);
	else
		self->buckets = (struct tile_bucket *)(void *)g_array_free(filling.rows, FALSE);
	return self;
}

struct tile *tile_ref(struct tile *self)
{
	g_atomic_int_inc(&self->ref_count);
	return self;
}

void tile_unref(struct tile *self)
{
	if (!g_atomic_int_dec_and_test(&self->ref_count))
		return;
	g_free(self->buckets);
	g_free(self->spans);
	g_free(self);
}

gsize tile_bytes(const struct tile *self)
{
	return sizeof *self + (gsize)self->n * (self->spans != NULL ? sizeof(struct tile_span)
	                                                            : sizeof(struct tile_bucket));
}
