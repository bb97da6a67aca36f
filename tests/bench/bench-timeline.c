/* How fast the timeline is: recordings of 10 and 100 million intervals are made, then
 * drawn off-screen at 1920x1080 as the window does it: the first picture after opening,
 * then frames of zooming and panning, with tiles read by worker threads, and how long it
 * takes from a jump to any place until that is drawn from its own tiles alone.
 *
 * A frame is what the window does each time: a picture composed from the tiles at hand
 * (coarser ones where the right ones are still being read), its pixels, their copy to the
 * window's surface, and the texts of ruler and lanes.
 *
 * Usage: bench-timeline [MILLIONS ...], or --write FILE MILLIONS and --draw FILE MILLIONS
 */
#include "analysis/export/cairo-canvas.h"
#include "analysis/picture/axis.h"
#include "analysis/picture/pixels.h"
#include "schema/writer.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CORES = 4,
	OWNERS = 24,
	LABEL_PX = 176,
	RULER_PX = 28,
	WIDTH = 1920 - LABEL_PX,
	HEIGHT = 1080 - RULER_PX,
	LANE_PX = 22,
	LANE_STEP_PX = 25,
	FRAMES = 600,
	JUMPS = 100,
	MARKS = 14, /* of the ruler */
	TILE_BUDGET_BYTES = 96 << 20,
};

static void check(gboolean done, const GError *error)
{
	if (done)
		return;
	g_printerr("bench-timeline: %s\n", error != NULL ? error->message : "failed");
	exit(1);
}

/* A guest and the hypervisor in turns, another guest now and then. */
static void write_core(struct recording_writer *writer, guint core, gsize n)
{
	struct row_span *spans = g_new0(struct row_span, n);
	g_autoptr(GRand) random = g_rand_new_with_seed(core + 1);
	g_autoptr(GError) error = NULL;
	gint64 at_ns = 0;
	guint guest = 1;

	for (gsize i = 0; i < n; i++) {
		if (g_rand_int_range(random, 0, 100) == 0)
			guest = (guint)g_rand_int_range(random, 1, OWNERS);
		spans[i] = (struct row_span) {
			.core = core,
			.start_ns = at_ns,
			.duration_ns = g_rand_int_range(random, 0, i % 2 == 0 ? 2000 : 40000),
			.owner = i % 2 == 0 ? 0 : guest,
			.trace_offset = i * 9,
		};
		at_ns += spans[i].duration_ns;
	}
	check(recording_writer_spans(writer, core, spans, n, &error), error);
	g_free(spans);
}

static void write_recording(const char *path, guint millions)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_writer) writer = recording_writer_new(path, &error);

	check(writer != NULL, error);
	for (guint i = 0; i < OWNERS; i++) {
		const struct row_owner owner = { i == 0 ? OWNER_HYPERVISOR : OWNER_GUEST,
			                         i == 0 ? 2 : 1, 1 + i % 4, i };

		recording_writer_owner(writer, &owner);
	}
	for (guint core = 0; core < CORES; core++) {
		const struct row_core row = { .core = core, .trace_id = OWNER_NO_VALUE };

		check(recording_writer_core(writer, &row, &error), error);
		write_core(writer, core, (gsize)millions * 1000000 / CORES);
	}
	check(recording_writer_finish(writer, &error), error);
}

/* What the process has in memory now, and had at most. */
static double memory_mb(const char *what)
{
	g_autofree char *status = NULL;
	const char *at;

	if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL))
		return 0;
	at = strstr(status, what);
	return at != NULL ? atof(at + strlen(what) + 1) / 1024 : 0;
}

struct screen {
	recording_reader *reader;
	struct lane_set lanes;
	struct slot_table slots;
	tile_store *store;
	struct picture *picture;
	guint *shown;
	guint n_shown;
	struct axis axis;
	cairo_surface_t *image;  /* the lanes' pixels */
	cairo_surface_t *window; /* stands for the window's */
};

static void draw_texts(const struct screen *self, cairo_t *cr, gint64 from_ns, gint64 to_ns)
{
	struct canvas canvas;

	cairo_canvas_init(&canvas, cr);
	for (guint i = 0; i < self->n_shown; i++) {
		const struct canvas_text text = { .x = 20,
			                          .y = RULER_PX + i * LANE_STEP_PX + 15.0,
			                          .size = 12 };

		canvas.text(canvas.data, &text, lane_set_get(&self->lanes, self->shown[i])->name);
	}
	for (guint i = 0; i < MARKS; i++) {
		g_autofree char *label =
			axis_instant(&self->axis, from_ns + (to_ns - from_ns) / MARKS * i, 1000);
		const struct canvas_text text = { .x = LABEL_PX + i * (double)WIDTH / MARKS,
			                          .y = 13,
			                          .size = 11 };

		canvas.text(canvas.data, &text, label);
	}
}

static void draw(struct screen *self, gint64 from_ns, gint64 to_ns)
{
	const struct picture_source source = { self->reader, &self->lanes, &self->slots, NULL,
		                               self->store };
	const struct picture_view view = { from_ns, to_ns, WIDTH };
	const struct pixels pixels = { (guint32 *)(void *)cairo_image_surface_get_data(self->image),
		                       (guint)cairo_image_surface_get_stride(self->image) / 4,
		                       WIDTH, HEIGHT };
	cairo_t *cr;

	picture_compose(self->picture, &source, &view, self->shown, self->n_shown, NULL);
	for (guint i = 0; i < self->n_shown; i++)
		pixels_draw_row(&pixels, self->picture, &self->picture->rows[i],
		                lane_set_get(&self->lanes, self->shown[i])->capacity,
		                theme_get(THEME_LIGHT), (gint)(i * LANE_STEP_PX), LANE_PX);
	check(tile_store_error(self->store) == NULL, tile_store_error(self->store));
	cairo_surface_mark_dirty(self->image);
	cr = cairo_create(self->window);
	cairo_set_source_rgb(cr, 1, 1, 1);
	cairo_rectangle(cr, 0, 0, LABEL_PX + WIDTH, RULER_PX);
	cairo_rectangle(cr, 0, 0, LABEL_PX, RULER_PX + HEIGHT);
	cairo_fill(cr);
	cairo_rectangle(cr, LABEL_PX, RULER_PX, WIDTH, HEIGHT);
	cairo_clip(cr);
	cairo_set_source_surface(cr, self->image, LABEL_PX, RULER_PX);
	cairo_paint(cr);
	cairo_reset_clip(cr);
	cairo_set_source_rgb(cr, 0, 0, 0);
	draw_texts(self, cr, from_ns, to_ns);
	cairo_destroy(cr);
}

/* What stands in for missing tiles is a picture too, once every core has one. */
static gboolean anything(const struct screen *self)
{
	for (guint i = 0; i < self->picture->n_rows; i++) {
		const struct picture_row *row = &self->picture->rows[i];

		if (lane_set_get(&self->lanes, row->lane)->core == LANE_ALL_CORES)
			continue;
		/* Cores end at different times. */
		for (guint x = 0; x < WIDTH * 9 / 10; x++) {
			if (row->present[x] == 0)
				return FALSE;
		}
	}
	return TRUE;
}

static gint compare_doubles(gconstpointer a, gconstpointer b)
{
	const double double_a = *(const double *)a;
	const double double_b = *(const double *)b;

	return (double_a > double_b) - (double_a < double_b);
}

/* Zooms in to a few microseconds and out again, panning on the way. */
static void bench_frames(struct screen *self, gint64 window_ns)
{
	g_autofree double *times_ms = g_new0(double, FRAMES);
	guint complete = 0;

	for (guint i = 0; i < FRAMES; i++) {
		const double phase = (double)i / FRAMES * 2 * G_PI;
		const double depth = (1 - cos(phase)) / 2;
		const double span_ns = (double)window_ns * pow(3e-6, depth);
		const double middle_ns =
			(double)window_ns * (0.37 + 0.2 * sin(phase * 3) * (1 - depth));
		const gint64 from_ns =
			(gint64)CLAMP(middle_ns - span_ns / 2, 0, (double)window_ns - span_ns);
		const gint64 begin_us = g_get_monotonic_time();

		draw(self, from_ns, from_ns + MAX((gint64)span_ns, 20));
		times_ms[i] = (double)(g_get_monotonic_time() - begin_us) / 1000;
		complete += self->picture->complete ? 1 : 0;
		/* The rest of a sixtieth of a second is the workers'. */
		if (times_ms[i] < 16)
			g_usleep((gulong)((16 - times_ms[i]) * 1000));
	}
	qsort(times_ms, FRAMES, sizeof *times_ms, compare_doubles);
	printf("  frames: median %.1f ms, p99 %.1f ms, longest %.1f ms; %u%% had every tile\n",
	       times_ms[FRAMES / 2], times_ms[FRAMES * 99 / 100], times_ms[FRAMES - 1],
	       complete * 100 / FRAMES);
}

/* Jumps to anywhere, and redraws whenever tiles arrive, until none is missing. */
static void bench_jumps(struct screen *self, gint64 window_ns)
{
	g_autofree double *times_ms = g_new0(double, JUMPS);
	g_autoptr(GRand) random = g_rand_new_with_seed(4);

	for (guint i = 0; i < JUMPS; i++) {
		const double span_ns =
			(double)window_ns * pow(1e-6, g_rand_double_range(random, 0, 1));
		const gint64 from_ns =
			(gint64)(g_rand_double(random) * ((double)window_ns - span_ns));
		const gint64 begin_us = g_get_monotonic_time();

		draw(self, from_ns, from_ns + MAX((gint64)span_ns, 20));
		while (!self->picture->complete) {
			tile_store_wait(self->store);
			draw(self, from_ns, from_ns + MAX((gint64)span_ns, 20));
		}
		times_ms[i] = (double)(g_get_monotonic_time() - begin_us) / 1000;
	}
	qsort(times_ms, JUMPS, sizeof *times_ms, compare_doubles);
	printf("  after a jump, every tile: median %.0f ms, p99 %.0f ms, longest %.0f ms\n",
	       times_ms[JUMPS / 2], times_ms[JUMPS * 99 / 100], times_ms[JUMPS - 1]);
}

static void screen_open(struct screen *self, const char *path)
{
	g_autoptr(GError) error = NULL;

	self->reader = recording_reader_new(path, &error);
	check(self->reader != NULL, error);
	lane_set_init(&self->lanes, self->reader);
	slot_table_init(&self->slots, self->reader, COLOUR_BY_DOMAIN, THEME_LIGHT);
	self->store = tile_store_new(self->reader, 2, TILE_BUDGET_BYTES, NULL, NULL, &error);
	check(self->store != NULL, error);
	self->n_shown = MIN(self->lanes.lanes->len, (guint)(HEIGHT / LANE_STEP_PX));
	self->shown = g_new0(guint, self->n_shown);
	for (guint i = 0; i < self->n_shown; i++)
		self->shown[i] = i;
	self->picture = picture_new();
	self->picture->without_owners = TRUE;
	axis_init(&self->axis, self->reader);
	self->image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);
	self->window =
		cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH + LABEL_PX, HEIGHT + RULER_PX);
}

static void screen_close(struct screen *self)
{
	picture_free(self->picture);
	tile_store_free(self->store);
	slot_table_deinit(&self->slots);
	lane_set_deinit(&self->lanes);
	recording_reader_free(self->reader);
	g_free(self->shown);
	cairo_surface_destroy(self->image);
	cairo_surface_destroy(self->window);
}

static void bench(const char *path, guint millions)
{
	const gint64 begin_us = g_get_monotonic_time();
	struct screen screen = { 0 };
	gint64 window_ns;
	double first_ms;

	screen_open(&screen, path);
	window_ns = recording_reader_window_ns(screen.reader);
	do {
		draw(&screen, 0, window_ns);
		if (!anything(&screen))
			g_usleep(1000);
	} while (!anything(&screen));
	first_ms = (double)(g_get_monotonic_time() - begin_us) / 1000;
	while (!screen.picture->complete) {
		tile_store_wait(screen.store);
		draw(&screen, 0, window_ns);
	}
	printf("timeline: %u M intervals, %d cores, %u lanes, 1920x1080\n", millions, CORES,
	       screen.n_shown);
	printf("  opening: first picture %.0f ms, every tile %.0f ms\n", first_ms,
	       (double)(g_get_monotonic_time() - begin_us) / 1000);
	bench_frames(&screen, window_ns);
	bench_jumps(&screen, window_ns);
	printf("  memory: %.0f MB, at most %.0f MB\n", memory_mb("VmRSS:"), memory_mb("VmHWM:"));
	screen_close(&screen);
}

int main(int argc, char **argv)
{
	static const guint defaults[] = { 10, 100 };
	g_autofree char *directory = g_dir_make_tmp("bench-timeline-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "rec.hvs", NULL);

	if (argc == 4 && strcmp(argv[1], "--draw") == 0) {
		bench(argv[2], (guint)atoi(argv[3]));
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "--write") == 0) {
		write_recording(argv[2], (guint)atoi(argv[3]));
		return 0;
	}
	for (int i = 0; i < (argc > 1 ? argc - 1 : (int)G_N_ELEMENTS(defaults)); i++) {
		const guint millions = argc > 1 ? (guint)atoi(argv[i + 1]) : defaults[i];
		g_autofree char *number = g_strdup_printf("%u", millions);
		const char *drawing[] = { argv[0], "--draw", path, number, NULL };
		int status = 1;

		write_recording(path, millions);
		/* A process of its own, so that its memory is the drawing's alone. */
		g_spawn_sync(NULL, (char **)drawing, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL,
		             NULL, NULL, &status, NULL);
		g_unlink(path);
		if (status != 0)
			return 1;
	}
	g_rmdir(directory);
	return 0;
}
