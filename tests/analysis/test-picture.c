#include "analysis/account.h"
#include "analysis/export/export.h"
#include "analysis/picture/axis.h"
#include "analysis/picture/picture.h"
#include "analysis/picture/pixels.h"
#include "analysis/range.h"
#include "schema/writer.h"
#include "tests/schema/sample-recording.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum {
	CORES = 2,
	OWNERS = 8,
	SPANS = 20000,
	WINDOWS = 1000,
	WIDTH = 640
};

/* A recording whose spans are known here too. */
struct fixture {
	char *path;
	recording_reader *reader;
	struct row_span *spans[CORES];
	gint64 window_ns;
	struct lane_set lanes;
	struct slot_table slots;
	tile_store *store;
	struct picture_source source;
	struct picture *picture;
};

static const enum owner_class owner_classes[] = { OWNER_HYPERVISOR, OWNER_IDLE, OWNER_LOST,
	                                          OWNER_GUEST };

/* Bursts of short spans, long ones, and instants: what a bucket can hide. */
static struct row_span *make_spans(GRand *random, guint core, gint64 *end_ns)
{
	struct row_span *spans = g_new0(struct row_span, SPANS);
	gint64 at_ns = 0;

	for (guint i = 0; i < SPANS; i++) {
		const int kind = g_rand_int_range(random, 0, 100);

		spans[i] = (struct row_span) {
			.core = core,
			.start_ns = at_ns,
			.duration_ns = kind < 10   ? 0
			               : kind < 90 ? g_rand_int_range(random, 1, 400)
			                           : g_rand_int_range(random, 1000, 200000),
			.owner = (guint)g_rand_int_range(random, 0, OWNERS),
			.trace_offset = i,
		};
		at_ns += spans[i].duration_ns;
	}
	*end_ns = MAX(*end_ns, at_ns);
	return spans;
}

static void write_recording(struct fixture *self)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_writer) writer = recording_writer_new(self->path, &error);
	g_autoptr(GRand) random = g_rand_new_with_seed(7);

	g_assert_no_error(error);
	for (guint i = 0; i < OWNERS; i++) {
		const struct row_owner owner = {
			owner_classes[MIN(i, G_N_ELEMENTS(owner_classes) - 1)], i == 0 ? 2 : 1,
			i < 3 ? OWNER_NO_VALUE : (gint64)i, (gint64)i
		};

		g_assert_cmpuint(recording_writer_owner(writer, &owner), ==, i);
	}
	for (guint core = 0; core < CORES; core++) {
		const struct row_core row = { .core = core, .trace_id = -1 };

		self->spans[core] = make_spans(random, core, &self->window_ns);
		g_assert_true(recording_writer_core(writer, &row, &error));
	}
	for (guint core = 0; core < CORES; core++)
		g_assert_true(
			recording_writer_spans(writer, core, self->spans[core], SPANS, &error));
	g_assert_true(recording_writer_finish(writer, &error));
	g_assert_no_error(error);
}

static void fixture_up(struct fixture *self, gconstpointer data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	self->path = g_strdup_printf("%s/picture-%d.hvs", g_get_tmp_dir(), (int)getpid());
	write_recording(self);
	self->reader = recording_reader_new(self->path, &error);
	g_assert_no_error(error);
	lane_set_init(&self->lanes, self->reader);
	slot_table_init(&self->slots, self->reader, COLOUR_BY_DOMAIN, THEME_LIGHT);
	self->store = tile_store_new(self->reader, 0, 64 << 20, NULL, NULL, &error);
	g_assert_no_error(error);
	self->source = (struct picture_source) { self->reader, &self->lanes, &self->slots, NULL,
		                                 self->store };
	self->picture = picture_new();
}

static void fixture_down(struct fixture *self, gconstpointer data)
{
	(void)data;
	picture_free(self->picture);
	tile_store_free(self->store);
	slot_table_deinit(&self->slots);
	lane_set_deinit(&self->lanes);
	recording_reader_free(self->reader);
	for (guint i = 0; i < CORES; i++)
		g_free(self->spans[i]);
	g_unlink(self->path);
	g_free(self->path);
}

static void compose(struct fixture *self, gint64 from_ns, gint64 to_ns)
{
	const struct picture_view view = { from_ns, to_ns, WIDTH };
	guint lanes[CORES];

	for (guint i = 0; i < CORES; i++) {
		g_autofree char *id = g_strdup_printf("core/%u", i);

		lanes[i] = lane_set_find(&self->lanes, id);
		g_assert_cmpuint(lanes[i], !=, LANE_NO_PARENT);
	}
	picture_compose(self->picture, &self->source, &view, lanes, CORES, NULL);
	g_assert_null(tile_store_error(self->store));
	g_assert_true(self->picture->complete);
}

/* Every span that touches the window has its slot in each column that it touches, and a
 * pixel there. */
static void check_present(struct fixture *self)
{
	const struct picture_view *view = &self->picture->view;
	guint16 heights[SLOTS_MAX];

	for (guint core = 0; core < CORES; core++) {
		const struct picture_row *row = &self->picture->rows[core];

		for (guint i = 0; i < SPANS; i++) {
			const struct row_span *span = &self->spans[core][i];
			const gint64 end_ns = span->start_ns + span->duration_ns;
			const guint slot = slot_of(&self->slots, span->owner, core);
			gint64 first;
			gint64 last;

			if (span->start_ns >= view->to_ns || end_ns < view->from_ns ||
			    (end_ns == view->from_ns && span->duration_ns > 0))
				continue;
			first = picture_column(view, MAX(span->start_ns, view->from_ns));
			last = span->duration_ns == 0
			               ? first
			               : picture_column(view, MIN(end_ns, view->to_ns) - 1);
			for (gint64 x = first; x <= MIN(last, WIDTH - 1); x++) {
				g_assert_true((row->present[x] >> slot & 1) != 0);
				if (x != first && x != last)
					continue;
				picture_column_heights(self->picture, row, 1, (guint)x, 22,
				                       heights);
				g_assert_cmpuint(heights[slot], >=, 1);
			}
		}
	}
}

static void test_presence(struct fixture *self, gconstpointer data)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(11);

	(void)data;
	for (guint i = 0; i < WINDOWS; i++) {
		const gint64 span_ns = (gint64)exp(
			g_rand_double_range(random, log(700), log((double)self->window_ns)));
		const gint64 from_ns =
			(gint64)(g_rand_double(random) * (double)(self->window_ns - span_ns));

		compose(self, from_ns, from_ns + span_ns);
		check_present(self);
	}
}

/* What one owner has in the picture, over all columns of a core. */
static double picture_sum(const struct fixture *self, guint core, guint slot)
{
	const struct picture_row *row = &self->picture->rows[core];
	double sum_ns = 0;

	for (guint x = 0; x < WIDTH; x++)
		sum_ns += row->time_ns[(gsize)x * row->n_slots + slot];
	return sum_ns;
}

struct sums {
	gint64 time_ns[OWNERS];
};

static gboolean add_bucket(const struct row_lod *row, gpointer data)
{
	((struct sums *)data)->time_ns[row->owner] += row->time_ns;
	return TRUE;
}

/* At every level each owner's sum is that of the spans, and the picture's too. */
static void test_sums(struct fixture *self, gconstpointer data)
{
	(void)data;
	compose(self, 0, self->window_ns);
	for (guint core = 0; core < CORES; core++) {
		struct sums raw = { 0 };
		const struct tile_levels *levels = tile_store_levels(self->store, core);
		double slots_ns[SLOTS_MAX] = { 0 };

		for (guint i = 0; i < SPANS; i++)
			raw.time_ns[self->spans[core][i].owner] += self->spans[core][i].duration_ns;
		g_assert_true(levels->any);
		g_assert_cmpuint(levels->finest, <, levels->coarsest);
		for (guint level = levels->finest; level <= levels->coarsest; level++) {
			struct sums sums = { 0 };

			g_assert_true(recording_reader_lod(self->reader, core, level, 0, G_MAXINT64,
			                                   add_bucket, &sums, NULL));
			g_assert_true(memcmp(&sums, &raw, sizeof raw) == 0);
		}
		for (guint i = 0; i < OWNERS; i++)
			slots_ns[slot_of(&self->slots, i, core)] += (double)raw.time_ns[i];
		for (guint s = 0; s < self->slots.n_slots; s++)
			g_assert_cmpfloat_with_epsilon(picture_sum(self, core, s), slots_ns[s],
			                               slots_ns[s] * 1e-4 + 1);
	}
}

/* Sums of any range equal those of its spans, clipped, to the nanosecond. */
static void test_range(struct fixture *self, gconstpointer data)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(3);

	(void)data;
	for (guint i = 0; i < 200; i++) {
		const gint64 from_ns =
			(gint64)(g_rand_double(random) * (double)self->window_ns * 0.9);
		const gint64 to_ns = from_ns + (gint64)(g_rand_double(random) *
		                                        (double)(self->window_ns - from_ns));
		struct range_account account;
		gint64 expected_ns[CORES][OWNERS] = { 0 };

		g_assert_true(
			range_account_init(&account, self->reader, from_ns, to_ns, NULL, NULL));
		for (guint core = 0; core < CORES; core++) {
			for (guint s = 0; s < SPANS; s++) {
				const struct row_span *span = &self->spans[core][s];
				const gint64 part_ns =
					MIN(span->start_ns + span->duration_ns, to_ns) -
					MAX(span->start_ns, from_ns);

				expected_ns[core][span->owner] += MAX(part_ns, 0);
			}
			g_assert_true(memcmp(&account.time_ns[core * OWNERS], expected_ns[core],
			                     sizeof expected_ns[core]) == 0);
		}
		range_account_deinit(&account);
	}
}

/* A share of 3 % of a full column is at least a pixel, and no column overflows. */
static void test_heights(struct fixture *self, gconstpointer data)
{
	guint16 heights[SLOTS_MAX];

	(void)data;
	compose(self, 0, self->window_ns);
	for (guint core = 0; core < CORES; core++) {
		const struct picture_row *row = &self->picture->rows[core];

		for (guint x = 0; x < WIDTH; x++) {
			guint sum = 0;

			picture_column_heights(self->picture, row, 1, x, 22, heights);
			for (guint s = 0; s < row->n_slots; s++) {
				g_assert_cmpint(heights[s] > 0, ==,
				                (row->present[x] >> s & 1) != 0);
				sum += heights[s];
			}
			g_assert_cmpuint(sum, <=, 22);
		}
	}
}

/* Each column of pixels is what its heights say, in rows of one slot and of many. */
static void test_pixels(struct fixture *self, gconstpointer data)
{
	enum {
		HEIGHT = 22
	};
	const struct theme *theme = theme_get(THEME_LIGHT);
	g_autofree guint32 *image = g_new0(guint32, WIDTH * HEIGHT);
	const struct pixels pixels = { image, WIDTH, WIDTH, HEIGHT };
	const struct picture_view view = { 0, self->window_ns / 7, WIDTH };
	guint one_slot = 0;

	(void)data;
	for (guint lane = 0; lane < self->lanes.lanes->len; lane++) {
		const guint capacity = lane_set_get(&self->lanes, lane)->capacity;
		const struct picture_row *row;

		picture_compose(self->picture, &self->source, &view, &lane, 1, NULL);
		row = &self->picture->rows[0];
		if (row->slots == NULL)
			continue;
		one_slot += row->n_slots == 1;
		pixels_draw_row(&pixels, self->picture, row, capacity, theme, 0, HEIGHT);
		for (guint x = 0; x < WIDTH; x++) {
			guint16 heights[SLOTS_MAX];
			gint y = HEIGHT;

			picture_column_heights(self->picture, row, capacity, x, HEIGHT, heights);
			for (guint s = 0; s < row->n_slots; s++) {
				for (guint i = 0; i < heights[s]; i++) {
					const guint32 pixel = image[--y * WIDTH + (gint)x];

					g_assert_true(pixel == (0xff000000u | row->slots[s].rgb) ||
					              row->slots[s].look == SLOT_HATCHED ||
					              y == HEIGHT - 1);
				}
			}
			for (; y > 0; y--)
				g_assert_cmphex(image[(y - 1) * WIDTH + (gint)x], ==,
				                0xff000000u | theme->lane);
		}
	}
	g_assert_cmpuint(one_slot, >, 0);
}

/* Workers bring the same picture as reading on the spot. */
static void test_workers(struct fixture *self, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct picture_source source = self->source;
	struct picture *picture = picture_new();
	const guint lane = lane_set_find(&self->lanes, "core/0");
	gsize size;

	(void)data;
	compose(self, 1000, self->window_ns / 3);
	source.store = tile_store_new(self->reader, 2, 1 << 20, NULL, NULL, &error);
	g_assert_no_error(error);
	for (guint tries = 0; tries < 50; tries++) {
		picture_compose(picture, &source, &self->picture->view, &lane, 1, NULL);
		if (picture->complete)
			break;
		tile_store_wait(source.store);
	}
	g_assert_true(picture->complete);
	size = WIDTH * (gsize)picture->rows[0].n_slots * sizeof(float);
	g_assert_true(memcmp(picture->rows[0].time_ns, self->picture->rows[0].time_ns, size) == 0);
	picture_free(picture);
	tile_store_free(source.store);
}

static void test_axis(void)
{
	const struct axis axis = { .unit = AXIS_TIME, .window_ns = 1000000000 };
	g_autofree char *instant = axis_instant(&axis, 12345678, 1000);
	g_autofree char *duration = axis_duration(&axis, 1234567);
	g_autofree char *tiny = axis_duration(&axis, 17);
	gint64 value;

	g_assert_cmpstr(instant, ==, "12.345 ms");
	g_assert_cmpstr(duration, ==, "1.235 ms");
	g_assert_cmpstr(tiny, ==, "17 ns");
	g_assert_cmpint(axis_step_ns(1000000, 1000, 100), ==, 100000);
	g_assert_true(axis_parse("12.5ms", 0, &value));
	g_assert_cmpint(value, ==, 12500000);
	g_assert_true(axis_parse("25%", 400, &value));
	g_assert_cmpint(value, ==, 100);
	g_assert_false(axis_parse("soon", 400, &value));
	g_assert_false(axis_parse("1e40", 400, &value));
}

/* Recordings that have little to show: no spans, no cores, 64 cores. */
static void test_odd(gconstpointer data)
{
	const guint n_cores = GPOINTER_TO_UINT(data);
	g_autofree char *path =
		g_strdup_printf("%s/odd-%d-%u.hvs", g_get_tmp_dir(), (int)getpid(), n_cores);
	g_autofree char *target = g_strconcat(path, ".out", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_writer) writer = recording_writer_new(path, &error);
	g_autoptr(recording_reader) reader = NULL;

	for (guint i = 0; i < n_cores; i++) {
		const struct row_core core = { .core = i, .trace_id = -1 };

		g_assert_true(recording_writer_core(writer, &core, &error));
	}
	g_assert_true(recording_writer_finish(writer, &error));
	reader = recording_reader_new(path, &error);
	g_assert_no_error(error);
	for (guint format = 0; format < EXPORT_FORMATS; format++) {
		struct export_options options;

		export_options_init(&options);
		options.format = (enum export_format)format;
		g_assert_true(export_file(reader, &options, target, &error));
		g_assert_no_error(error);
		g_assert_true(g_file_test(target, G_FILE_TEST_EXISTS));
		g_unlink(target);
	}
	g_unlink(path);
}

/* A full disk: an error that says so, and nothing left behind. */
static void test_full_disk(void)
{
	g_autofree char *path = g_strdup_printf("%s/full-%d.hvs", g_get_tmp_dir(), (int)getpid());
	g_autoptr(recording_reader) reader = NULL;

	if (!g_file_test("/dev/full", G_FILE_TEST_EXISTS)) {
		g_test_skip("no /dev/full here");
		return;
	}
	sample_recording_write(path, "measured");
	reader = recording_reader_new(path, NULL);
	for (guint format = 0; format < EXPORT_FORMATS; format++) {
		struct export_options options;
		g_autoptr(GError) error = NULL;

		export_options_init(&options);
		options.format = (enum export_format)format;
		g_assert_false(export_file(reader, &options, "/dev/full", &error));
		g_assert_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
		g_assert_nonnull(strstr(error->message, "/dev/full"));
	}
	g_unlink(path);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/analysis/picture/presence", struct fixture, NULL, fixture_up, test_presence,
	           fixture_down);
	g_test_add("/analysis/picture/sums", struct fixture, NULL, fixture_up, test_sums,
	           fixture_down);
	g_test_add("/analysis/picture/range", struct fixture, NULL, fixture_up, test_range,
	           fixture_down);
	g_test_add("/analysis/picture/heights", struct fixture, NULL, fixture_up, test_heights,
	           fixture_down);
	g_test_add("/analysis/picture/pixels", struct fixture, NULL, fixture_up, test_pixels,
	           fixture_down);
	g_test_add("/analysis/picture/workers", struct fixture, NULL, fixture_up, test_workers,
	           fixture_down);
	g_test_add_func("/analysis/picture/axis", test_axis);
	g_test_add_data_func("/analysis/picture/no-cores", GUINT_TO_POINTER(0), test_odd);
	g_test_add_data_func("/analysis/picture/no-spans", GUINT_TO_POINTER(2), test_odd);
	g_test_add_data_func("/analysis/picture/64-cores", GUINT_TO_POINTER(64), test_odd);
	g_test_add_func("/analysis/picture/full-disk", test_full_disk);
	return g_test_run();
}
