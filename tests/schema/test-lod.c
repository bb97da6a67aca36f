#include "schema/lod.h"
#include "schema/reader.h"
#include "schema/writer.h"

#include <glib/gstdio.h>

enum {
	OWNERS = 5,
	CORE = 2
};

/* Random spans: many of no or little length, some very long ones. */
static GArray *random_spans(gsize n)
{
	GArray *spans = g_array_sized_new(FALSE, TRUE, sizeof(struct row_span), (guint)n);
	gint64 at_ns = g_test_rand_int_range(0, 1000);

	for (gsize i = 0; i < n; i++) {
		const gint32 kind = g_test_rand_int_range(0, 10);
		struct row_span span = { .core = CORE, .start_ns = at_ns };

		if (kind < 6)
			span.duration_ns = g_test_rand_int_range(1, 3000);
		else if (kind == 9)
			span.duration_ns = (gint64)g_test_rand_int_range(1, 1000000) * 977;
		span.owner = (guint)g_test_rand_int_range(0, OWNERS);
		at_ns += span.duration_ns;
		g_array_append_val(spans, span);
	}
	return spans;
}

struct sums {
	gint64 time_ns[LOD_LEVELS_MAX][OWNERS];
	guint64 spans[LOD_LEVELS_MAX][OWNERS];
	guint rows[LOD_LEVELS_MAX];
	struct row_lod last;
	GHashTable *present; /* level, bucket, owner of each row, as text */
};

static gboolean take_row(const struct row_lod *row, gpointer data, GError **error)
{
	struct sums *self = data;

	(void)error;
	g_assert_cmpuint(row->core, ==, CORE);
	g_assert_cmpint(row->time_ns, >=, 0);
	g_assert_cmpint(row->time_ns, <=, lod_width_ns(row->level));
	if (self->rows[row->level]++ > 0) {
		g_assert_true(row->bucket > self->last.bucket ||
		              (row->bucket == self->last.bucket && row->owner > self->last.owner));
	}
	self->time_ns[row->level][row->owner] += row->time_ns;
	self->spans[row->level][row->owner] += row->spans;
	self->last = *row;
	g_hash_table_add(self->present, g_strdup_printf("%u %" G_GINT64_FORMAT " %u", row->level,
	                                                row->bucket, row->owner));
	return TRUE;
}

static void check_levels(const GArray *spans)
{
	struct sums *sums = g_new0(struct sums, 1);
	gint64 time_ns[OWNERS] = { 0 };
	guint64 count[OWNERS] = { 0 };
	guint levels = 0;

	sums->present = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_assert_true(lod_build((const struct row_span *)(const void *)spans->data, spans->len,
	                        OWNERS, take_row, sums, NULL));
	for (guint i = 0; i < spans->len; i++) {
		const struct row_span *span = &g_array_index(spans, struct row_span, i);

		time_ns[span->owner] += span->duration_ns;
		count[span->owner]++;
		/* Nothing vanishes: the owner shows where the span begins, at every level. */
		for (guint level = 0; level < LOD_LEVELS_MAX; level++) {
			g_autofree char *key =
				g_strdup_printf("%u %" G_GINT64_FORMAT " %u", level,
			                        span->start_ns / lod_width_ns(level), span->owner);

			if (sums->rows[level] > 0)
				g_assert_true(g_hash_table_contains(sums->present, key));
		}
	}
	for (guint level = 0; level < LOD_LEVELS_MAX; level++) {
		if (sums->rows[level] == 0)
			continue;
		levels++;
		for (guint owner = 0; owner < OWNERS; owner++) {
			g_assert_cmpint(sums->time_ns[level][owner], ==, time_ns[owner]);
			g_assert_cmpuint(sums->spans[level][owner], ==, count[owner]);
		}
	}
	g_assert_cmpuint(levels, >=, 1);
	/* The last level is one bucket. */
	g_assert_cmpuint(sums->rows[sums->last.level], <=, OWNERS);
	g_hash_table_unref(sums->present);
	g_free(sums);
}

static void test_sums(void)
{
	for (guint round = 0; round < 60; round++) {
		g_autoptr(GArray) spans = random_spans(round < 5 ? round + 1 : round * 20);

		check_levels(spans);
	}
}

/* However long the window, there are fewer buckets than spans. */
static void test_bounded(void)
{
	g_autoptr(GArray) spans = g_array_new(FALSE, TRUE, sizeof(struct row_span));
	const struct row_span all = { .core = CORE, .duration_ns = G_MAXINT64 };
	struct row_span none = { .core = CORE };

	g_array_append_val(spans, all);
	check_levels(spans);
	g_array_set_size(spans, 0);
	g_array_append_val(spans, none);
	check_levels(spans);
	g_assert_true(lod_build(NULL, 0, OWNERS, take_row, NULL, NULL));
}

struct level_sums {
	gint64 time_ns[OWNERS];
};

static gboolean sum_lod(const struct row_lod *row, gpointer data)
{
	((struct level_sums *)data)->time_ns[row->owner] += row->time_ns;
	return TRUE;
}

/* Through a recording: each level that the reader offers has the sums of the spans. */
static void test_recorded(void)
{
	g_autofree char *directory = g_dir_make_tmp("hvscope-lod-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "a.hvs", NULL);
	g_autoptr(GArray) spans = random_spans(3000);
	const struct row_core core = { .core = CORE, .trace_id = -1 };
	struct level_sums want = { 0 };
	g_autoptr(recording_reader) reader = NULL;
	struct recording_writer *writer = recording_writer_new(path, NULL);
	guint level = LOD_LEVELS_MAX;
	guint levels = 0;
	gint64 width_ns;

	for (gint i = 0; i < OWNERS; i++) {
		const struct row_owner owner = { OWNER_GUEST, 1, 1, i };

		recording_writer_owner(writer, &owner);
	}
	g_assert_true(recording_writer_core(writer, &core, NULL));
	g_assert_true(recording_writer_spans(writer, CORE,
	                                     (const struct row_span *)(const void *)spans->data,
	                                     spans->len, NULL));
	g_assert_true(recording_writer_finish(writer, NULL));
	recording_writer_free(writer);
	for (guint i = 0; i < spans->len; i++) {
		const struct row_span *span = &g_array_index(spans, struct row_span, i);

		want.time_ns[span->owner] += span->duration_ns;
	}
	reader = recording_reader_new(path, NULL);
	for (width_ns = G_MAXINT64; width_ns > 0; width_ns = lod_width_ns(level) - 1) {
		struct level_sums got = { 0 };
		gboolean has_level;

		g_assert_true(recording_reader_lod_level(reader, CORE, width_ns, &has_level, &level,
		                                         NULL));
		if (!has_level)
			break;
		g_assert_true(recording_reader_lod(reader, CORE, level, 0, G_MAXINT64, sum_lod,
		                                   &got, NULL));
		for (guint i = 0; i < OWNERS; i++)
			g_assert_cmpint(got.time_ns[i], ==, want.time_ns[i]);
		levels++;
	}
	g_assert_cmpuint(levels, >, 3);
	g_unlink(path);
	g_rmdir(directory);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/schema/lod/sums", test_sums);
	g_test_add_func("/schema/lod/bounded", test_bounded);
	g_test_add_func("/schema/lod/recorded", test_recorded);
	return g_test_run();
}
