#include "schema/lod.h"

#include <string.h>

/* One bucket in the making: dense by owner, with a list of the owners touched. */
struct bucket {
	gint64 *time_ns;
	guint64 *spans;
	guint8 *touched;
	GArray *owners; /* guint */
};

static void bucket_init(struct bucket *self, guint n_owners)
{
	self->time_ns = g_new0(gint64, n_owners);
	self->spans = g_new0(guint64, n_owners);
	self->touched = g_new0(guint8, n_owners);
	self->owners = g_array_new(FALSE, FALSE, sizeof(guint));
}

static void bucket_deinit(struct bucket *self)
{
	g_free(self->time_ns);
	g_free(self->spans);
	g_free(self->touched);
	g_array_unref(self->owners);
}

static void bucket_add(struct bucket *self, guint owner, gint64 time_ns, guint64 spans)
{
	if (!self->touched[owner]) {
		self->touched[owner] = 1;
		g_array_append_val(self->owners, owner);
	}
	self->time_ns[owner] += time_ns;
	self->spans[owner] += spans;
}

static gint owner_compare(gconstpointer a, gconstpointer b)
{
	const guint owner_a = *(const guint *)a;
	const guint owner_b = *(const guint *)b;

	return (owner_a > owner_b) - (owner_a < owner_b);
}

/* Appends the bucket's rows in order of owner, and empties it. */
static void bucket_flush(struct bucket *self, struct row_lod row, GArray *rows)
{
	g_array_sort(self->owners, owner_compare);
	for (guint i = 0; i < self->owners->len; i++) {
		const guint owner = g_array_index(self->owners, guint, i);

		row.owner = owner;
		row.time_ns = self->time_ns[owner];
		row.spans = self->spans[owner];
		g_array_append_val(rows, row);
		self->time_ns[owner] = 0;
		self->spans[owner] = 0;
		self->touched[owner] = 0;
	}
	g_array_set_size(self->owners, 0);
}

gint64 lod_width_ns(guint level)
{
	g_return_val_if_fail(level < LOD_LEVELS_MAX, G_MAXINT64);
	return (gint64)1 << (2 * level);
}

/* The least level whose buckets hold LOD_SPANS_PER_BUCKET_MIN spans on average:
 * this bounds the number of buckets by the number of spans, whatever the window. */
static guint finest_level(const struct row_span *spans, gsize n_spans)
{
	const struct row_span *last = &spans[n_spans - 1];
	const gint64 length_ns = last->start_ns + last->duration_ns - spans[0].start_ns;
	const gint64 buckets = (gint64)(n_spans / LOD_SPANS_PER_BUCKET_MIN) + 1;
	guint level = 0;

	while (level < LOD_LEVELS_MAX - 1 && length_ns / lod_width_ns(level) >= buckets)
		level++;
	return level;
}

static void build_finest(const struct row_span *spans, gsize n_spans, guint level,
                         struct bucket *bucket, GArray *rows)
{
	const gint64 width_ns = lod_width_ns(level);
	struct row_lod row = { .core = spans[0].core,
		               .level = level,
		               .bucket = spans[0].start_ns / width_ns };

	for (gsize i = 0; i < n_spans; i++) {
		gint64 at_ns = spans[i].start_ns;
		gint64 left_ns = spans[i].duration_ns;
		guint64 begins = 1;

		do {
			gint64 room_ns = width_ns - at_ns % width_ns;

			if (at_ns / width_ns != row.bucket) {
				bucket_flush(bucket, row, rows);
				row.bucket = at_ns / width_ns;
			}
			room_ns = MIN(room_ns, left_ns);
			bucket_add(bucket, spans[i].owner, room_ns, begins);
			begins = 0;
			at_ns += room_ns;
			left_ns -= room_ns;
		} while (left_ns > 0);
	}
	bucket_flush(bucket, row, rows);
}

/* Four buckets of the level below make one of the next. */
static void build_coarser(const GArray *finer, struct bucket *bucket, GArray *rows)
{
	struct row_lod row = g_array_index(finer, struct row_lod, 0);

	row.level++;
	row.bucket /= 4;
	for (guint i = 0; i < finer->len; i++) {
		const struct row_lod *part = &g_array_index(finer, struct row_lod, i);

		if (part->bucket / 4 != row.bucket) {
			bucket_flush(bucket, row, rows);
			row.bucket = part->bucket / 4;
		}
		bucket_add(bucket, part->owner, part->time_ns, part->spans);
	}
	bucket_flush(bucket, row, rows);
}

static gboolean emit_all(const GArray *rows, lod_emit_fn emit, gpointer data, GError **error)
{
	for (guint i = 0; i < rows->len; i++) {
		if (!emit(&g_array_index(rows, struct row_lod, i), data, error))
			return FALSE;
	}
	return TRUE;
}

gboolean lod_build(const struct row_span *spans, gsize n_spans, guint n_owners, lod_emit_fn emit,
                   gpointer data, GError **error)
{
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct row_lod));
	struct bucket bucket;
	gboolean done;

	if (n_spans == 0)
		return TRUE;
	bucket_init(&bucket, n_owners);
	build_finest(spans, n_spans, finest_level(spans, n_spans), &bucket, rows);
	done = emit_all(rows, emit, data, error);
	while (done) {
		const struct row_lod *first = &g_array_index(rows, struct row_lod, 0);
		const struct row_lod *last = &g_array_index(rows, struct row_lod, rows->len - 1);
		g_autoptr(GArray) coarser = NULL;

		if (first->bucket == last->bucket || first->level == LOD_LEVELS_MAX - 1)
			break;
		coarser = g_array_new(FALSE, FALSE, sizeof(struct row_lod));
		build_coarser(rows, &bucket, coarser);
		done = emit_all(coarser, emit, data, error);
		g_array_unref(g_steal_pointer(&rows));
		rows = g_steal_pointer(&coarser);
	}
	bucket_deinit(&bucket);
	return done;
}
