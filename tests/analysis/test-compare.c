/* compare on made-up recordings: equal systems are not flagged, a slower backend comes first, and
 * numbers of vCPUs that are nobody's own are not compared. */
#include "analysis/compare.h"
#include "schema/writer.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

enum {
	REQUESTS = 240,
	SEEDS = 7, /* 21 pairs */
	WINDOW_NS = 400000000,
	TICK_HZ = 62500000
};

/* xorshift64*: the same numbers everywhere. */
static double next_random(guint64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (double)(*state * 2685821657736338717u >> 11) / 9007199254740992.0;
}

/* A wait as schedulers make them: mostly short, now and then long, and alike among neighbours. */
static gint64 random_wait(guint64 *state, double *mood)
{
	*mood = 0.7 * *mood + 0.3 * next_random(state);
	if (next_random(state) < 0.1 * *mood)
		return 200000 + (gint64)(900000 * next_random(state));
	return 22000 + (gint64)(-20000 * log(1 - next_random(state)));
}

struct fixture {
	char *directory;
};

static void setup(struct fixture *self, gconstpointer data)
{
	(void)data;
	self->directory = g_dir_make_tmp("hvscope-compare-XXXXXX", NULL);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	g_autoptr(GDir) dir = g_dir_open(self->directory, 0, NULL);
	const char *name;

	(void)data;
	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = g_build_filename(self->directory, name, NULL);

		g_unlink(file);
	}
	g_rmdir(self->directory);
	g_free(self->directory);
}

static void write_requests(recording_writer *writer, guint64 *state, gint64 work_ns)
{
	double mood = 0.5;
	gint64 now_ns = 1000;

	for (guint i = 0; i < REQUESTS; i++) {
		struct row_request row = { .request = i,
			                   .frontend_vmid = 3,
			                   .backend_vmid = 4,
			                   .number = i,
			                   .exact = 0x1b5,
			                   .notify = i };
		const gint64 preempted_ns =
			next_random(state) < 0.15 ? random_wait(state, &mood) : 0;

		for (guint k = 0; k < REQUEST_STAGES; k++)
			row.t_ns[k] = OWNER_NO_VALUE;
		row.t_ns[0] = now_ns;
		row.t_ns[2] = row.t_ns[0] + random_wait(state, &mood);
		row.t_ns[4] = row.t_ns[2] + 208;
		row.t_ns[5] = row.t_ns[4] + work_ns + preempted_ns;
		row.t_ns[7] = row.t_ns[5] + random_wait(state, &mood);
		row.t_ns[8] = row.t_ns[7] + 208;
		now_ns = row.t_ns[8] + 100000;
		g_assert_true(recording_writer_request(writer, &row, NULL));
	}
	g_assert_cmpint(now_ns, <, WINDOW_NS);
}

/* Two vCPUs of one domain, one with short and one with long runs, in either order. */
static void write_vcpus(recording_writer *writer, guint64 *state, gboolean swapped,
                        gboolean numbered)
{
	for (guint i = 0; i < 2; i++) {
		const struct row_vcpu vcpu = { i, 2, (gint)i, numbered };

		g_assert_true(recording_writer_vcpu(writer, &vcpu, NULL));
	}
	for (guint vcpu = 0; vcpu < 2; vcpu++) {
		const gboolean is_long = (vcpu == 1) != swapped;

		for (guint i = 0; i < 100; i++) {
			const struct row_vcpu_run run = {
				.vcpu = vcpu,
				.start_ns = (gint64)i * 2000000,
				.duration_ns = (is_long ? 1000000 : 100000) +
				               (gint64)(50000 * next_random(state)),
				.core = 0,
				.state = RUN_RUNNING,
				.known = KNOWN_INFERRED,
				.confidence = 0.9,
			};

			g_assert_true(recording_writer_vcpu_run(writer, &run, NULL));
		}
	}
}

static char *record(const struct fixture *self, guint seed, gint64 work_ns, gboolean swapped,
                    gboolean numbered)
{
	g_autofree char *name = g_strdup_printf("%u-%" G_GINT64_FORMAT "-%d%d.hvs", seed, work_ns,
	                                        swapped, numbered);
	char *path = g_build_filename(self->directory, name, NULL);
	g_autoptr(recording_writer) writer = recording_writer_new(path, NULL);
	guint64 state = 0x9e3779b97f4a7c15u * (seed + 1);

	g_assert_nonnull(writer);
	g_assert_true(recording_writer_meta_int(writer, "window_ns", WINDOW_NS, NULL));
	g_assert_true(recording_writer_meta_int(writer, "timestamp_hz", TICK_HZ, NULL));
	write_vcpus(writer, &state, swapped, numbered);
	write_requests(writer, &state, work_ns);
	g_assert_true(recording_writer_finish(writer, NULL));
	return path;
}

/* What `compare` finds between two files. */
static GArray *compare(const char *path_a, const char *path_b)
{
	const struct schedule_filter filter = { .vcpu = OWNER_NO_VALUE, .to_ns = G_MAXINT64 };
	g_autoptr(recording_reader) reader_a = recording_reader_new(path_a, NULL);
	g_autoptr(recording_reader) reader_b = recording_reader_new(path_b, NULL);
	struct schedule_rows a, b;
	GArray *out;

	g_assert_true(schedule_rows_init(&a, reader_a, &filter, NULL));
	g_assert_true(schedule_rows_init(&b, reader_b, &filter, NULL));
	out = compare_rows(&a, &b);
	schedule_rows_deinit(&a);
	schedule_rows_deinit(&b);
	return out;
}

static const struct compared *row_at(const GArray *compared, guint i)
{
	return &g_array_index(compared, struct compared, i);
}

static void test_seeds(struct fixture *self, gconstpointer data)
{
	char *paths[SEEDS];
	guint flagged = 0;

	(void)data;
	for (guint i = 0; i < SEEDS; i++)
		paths[i] = record(self, i, 300000, FALSE, TRUE);
	for (guint i = 0; i < SEEDS; i++) {
		for (guint k = i + 1; k < SEEDS; k++) {
			g_autoptr(GArray) compared = compare(paths[i], paths[k]);

			flagged += row_at(compared, 0)->flagged != FALSE;
		}
	}
	g_assert_cmpuint(flagged, <=, 1);
	for (guint i = 0; i < SEEDS; i++)
		g_free(paths[i]);
}

static void test_slower_backend(struct fixture *self, gconstpointer data)
{
	(void)data;
	for (guint i = 0; i < SEEDS; i++) {
		g_autofree char *plain = record(self, i, 300000, FALSE, TRUE);
		g_autofree char *slow = record(self, i + SEEDS, 360000, FALSE, TRUE);
		g_autoptr(GArray) compared = compare(plain, slow);
		const struct compared *first = row_at(compared, 0);
		gboolean fails = FALSE;

		g_assert_true(first->flagged);
		g_assert_true(g_str_has_prefix(first->name, "backend.service."));
		g_assert_cmpfloat_with_epsilon(first->b / first->a, 1.2, 0.05);
		g_assert_cmpfloat(first->p, >=, 0);
		g_assert_cmpfloat(first->p, <, 1e-6);
		g_assert_true(compare_gate(compared, "backend.service.p50 > 1.1x", &fails, NULL));
		g_assert_true(fails);
		g_assert_true(compare_gate(compared, "backend.service.p50 > 1.3x", &fails, NULL));
		g_assert_false(fails);
	}
}

/* 14 ns of 208 are 7 %, but less than two ticks of 16 ns tell. */
static void test_below_a_tick(struct fixture *self, gconstpointer data)
{
	g_autofree char *a = record(self, 1, 208, FALSE, TRUE);
	g_autofree char *b = record(self, 1, 222, FALSE, TRUE);
	g_autoptr(GArray) compared = compare(a, b);

	(void)data;
	g_assert_false(row_at(compared, 0)->flagged);
}

static void test_numbers(struct fixture *self, gconstpointer data)
{
	g_autofree char *own = record(self, 1, 300000, FALSE, FALSE);
	g_autofree char *own_swapped = record(self, 2, 300000, TRUE, FALSE);
	g_autofree char *named = record(self, 1, 300000, FALSE, TRUE);
	g_autofree char *named_swapped = record(self, 2, 300000, TRUE, TRUE);
	g_autoptr(GArray) of_own = compare(own, own_swapped);
	g_autoptr(GArray) of_named = compare(named, named_swapped);
	guint together = 0;

	(void)data;
	g_assert_false(row_at(of_own, 0)->flagged);
	for (guint i = 0; i < of_own->len; i++) {
		together += strstr(row_at(of_own, i)->name, "/*.run.") != NULL;
		g_assert_null(strstr(row_at(of_own, i)->name, "/0.run."));
	}
	g_assert_cmpuint(together, >, 0);
	/* The guest's own numbers do not change by themselves. */
	g_assert_true(row_at(of_named, 0)->flagged);
	g_assert_nonnull(strstr(row_at(of_named, 0)->name, ".run."));
}

#define ADD(NAME, TEST)                                                                            \
	g_test_add("/analysis/compare/" NAME, struct fixture, NULL, setup, TEST, teardown)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("seeds", test_seeds);
	ADD("slower-backend", test_slower_backend);
	ADD("below-a-tick", test_below_a_tick);
	ADD("numbers", test_numbers);
	return g_test_run();
}
