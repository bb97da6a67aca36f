/* Random single-byte corruptions and truncations of real trace, decoded whole: spans stay
 * gapless and disjoint (by SQL), and from the second timestamp after the next A-sync they
 * equal the undamaged decode.
 *
 * HVSCOPE_CORRUPTIONS sets how many a capture (default 150; the acceptance run uses
 * 5000). */
#include "tests/decode/data.h"

#include "decode/deframe.h"
#include "decode/engine.h"
#include "decode/pipeline.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* The same damages in every run, so that a red run can be run again; HVSCOPE_SEED for others. */
static GRand *dice;

enum {
	SLICE_BYTES = 96 * 1024,
	MAX_SOURCES = 8
};

/* One capture in a scratch directory whose trace file is rewritten each round. */
struct bench {
	char *directory;
	char *trace_path, *recording_path;
	guint8 *bytes;
	gsize n_bytes;
	struct snapshot *snapshot;
	GPtrArray *spans; /* of the undamaged decode: one GArray of struct span_row a core */
	/* Offsets of synchronisation points and timestamps, a source. */
	GArray *syncs[MAX_SOURCES], *stamps[MAX_SOURCES];
};

struct span_row {
	gint64 start_ns, duration_ns, cycles, halted_ns, offset;
	char owner[64];
};

static void decode(struct bench *self)
{
	const struct decode_options options = { .jobs = 1 };
	g_autoptr(GError) error = NULL;

	decode_capture(self->directory, self->recording_path, &options, &error);
	g_assert_no_error(error);
}

static void assert_account(sqlite3 *db)
{
	/* A span that does not begin where the one before it ended, or a core that does not
	 * fill the window. */
	static const char *const wrong[] = {
		"SELECT count(*) FROM (SELECT start_ns, lag(start_ns + duration_ns) OVER "
		"(PARTITION BY core ORDER BY start_ns, seq) AS last FROM span) "
		"WHERE last IS NOT NULL AND last <> start_ns",
		"SELECT count(*) FROM (SELECT core, sum(duration_ns) AS t FROM span GROUP BY core) "
		"WHERE t <> (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'window_ns')",
		"SELECT count(*) FROM span WHERE duration_ns < 0 OR halted_ns < 0 OR cycles < 0 "
		"OR halted_ns > duration_ns",
		"SELECT count(*) FROM gap JOIN span USING (core, start_ns) JOIN owner USING "
		"(owner) "
		"WHERE gap.duration_ns = span.duration_ns AND gap.duration_ns > 0 "
		"AND class <> 'lost'",
	};

	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		sqlite3_stmt *statement = NULL;

		g_assert_cmpint(sqlite3_prepare_v2(db, wrong[i], -1, &statement, NULL), ==,
		                SQLITE_OK);
		g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
		g_assert_cmpint(sqlite3_column_int(statement, 0), ==, 0);
		sqlite3_finalize(statement);
	}
}

static GPtrArray *read_spans(struct bench *self)
{
	GPtrArray *cores = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;

	g_assert_cmpint(sqlite3_open(self->recording_path, &db), ==, SQLITE_OK);
	assert_account(db);
	g_assert_cmpint(
		sqlite3_prepare_v2(db,
	                           "SELECT core, start_ns, duration_ns, cycles, halted_ns, "
	                           "trace_offset, class, ifnull(el, -1), ifnull(vmid, -1), "
	                           "ifnull(context_id, -1) FROM span JOIN owner USING (owner) "
	                           "ORDER BY core, start_ns, seq",
	                           -1, &statement, NULL),
		==, SQLITE_OK);
	for (guint i = 0; i < self->snapshot->n_cores; i++)
		g_ptr_array_add(cores, g_array_new(FALSE, FALSE, sizeof(struct span_row)));
	while (sqlite3_step(statement) == SQLITE_ROW) {
		struct span_row row = {
			.start_ns = sqlite3_column_int64(statement, 1),
			.duration_ns = sqlite3_column_int64(statement, 2),
			.cycles = sqlite3_column_int64(statement, 3),
			.halted_ns = sqlite3_column_int64(statement, 4),
			.offset = sqlite3_column_int64(statement, 5),
		};

		g_snprintf(row.owner, sizeof row.owner,
		           "%s %d %" G_GINT64_FORMAT " %" G_GINT64_FORMAT,
		           (const char *)sqlite3_column_text(statement, 6),
		           sqlite3_column_int(statement, 7),
		           (gint64)sqlite3_column_int64(statement, 8),
		           (gint64)sqlite3_column_int64(statement, 9));
		g_array_append_val(cores->pdata[sqlite3_column_int(statement, 0)], row);
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return cores;
}

static void write_trace(struct bench *self, const guint8 *bytes, gsize n)
{
	g_autoptr(GError) error = NULL;

	g_file_set_contents(self->trace_path, (const char *)bytes, (gssize)n, &error);
	g_assert_no_error(error);
}

static void on_landmark(const struct trace_event *event, gpointer user_data)
{
	GArray **landmarks = user_data;

	if (event->kind == EVENT_SYNC)
		g_array_append_val(landmarks[0], event->offset);
	else if (event->kind == EVENT_TIMESTAMP)
		g_array_append_val(landmarks[1], event->offset);
}

static gboolean on_bytes(const guint8 *bytes, const guint64 *offsets, gsize n, gpointer user_data)
{
	struct engine *engine = user_data;

	return engine->class->push(engine, bytes, offsets, n, NULL);
}

static gboolean on_barrier(guint64 offset, gpointer user_data)
{
	(void)offset;
	(void)user_data;
	g_assert_not_reached();
}

static void find_landmarks(struct bench *self, guint i)
{
	GArray *landmarks[2] = { g_array_new(FALSE, FALSE, sizeof(guint64)),
		                 g_array_new(FALSE, FALSE, sizeof(guint64)) };
	const struct snapshot_source *source = &self->snapshot->sources[i];
	g_autoptr(GError) error = NULL;
	g_autoptr(Engine) engine = engine_opencsd_new(source, on_landmark, landmarks, &error);
	const struct deframe_output output = { on_bytes, on_barrier, engine };
	g_autofree struct deframer *deframer = g_new(struct deframer, 1);
	guint8 trace_id = 0;

	g_assert_no_error(error);
	snapshot_source_trace_id(source, &trace_id);
	deframer_init(deframer, DEFRAME_FRAMES, trace_id, &output);
	g_assert_true(deframer_push(deframer, self->bytes, self->n_bytes, 0));
	g_assert_true(deframer_flush(deframer));
	self->syncs[i] = landmarks[0];
	self->stamps[i] = landmarks[1];
}

static void copy_ini_files(const char *from, const char *to)
{
	g_autoptr(GDir) directory = g_dir_open(from, 0, NULL);
	const char *name;

	g_assert_nonnull(directory);
	while ((name = g_dir_read_name(directory)) != NULL) {
		g_autofree char *source = g_build_filename(from, name, NULL);
		g_autofree char *target = g_build_filename(to, name, NULL);
		g_autofree char *text = NULL;
		gsize n;

		if (!g_str_has_suffix(name, ".ini"))
			continue;
		g_assert_true(g_file_get_contents(source, &text, &n, NULL));
		g_assert_true(g_file_set_contents(target, text, (gssize)n, NULL));
	}
}

/* A copy of the capture with at most SLICE_BYTES of its trace. */
static void bench_init(struct bench *self, const char *capture)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) original = snapshot_open(capture, &error);
	g_autoptr(GMappedFile) trace = NULL;

	g_assert_no_error(error);
	memset(self, 0, sizeof *self);
	trace = snapshot_buffer_map(&original->buffers[0], &error);
	g_assert_no_error(error);
	self->n_bytes = MIN(g_mapped_file_get_length(trace), SLICE_BYTES);
	self->bytes = g_memdup2(g_mapped_file_get_contents(trace), self->n_bytes);
	self->directory = g_dir_make_tmp("hvscope-corruption-XXXXXX", &error);
	g_assert_no_error(error);
	copy_ini_files(capture, self->directory);
	self->trace_path = g_build_filename(self->directory, original->buffers[0].file, NULL);
	self->recording_path = g_build_filename(self->directory, "out.hvs", NULL);
	write_trace(self, self->bytes, self->n_bytes);
	self->snapshot = snapshot_open(self->directory, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(self->snapshot->n_sources, <=, MAX_SOURCES);
	for (guint i = 0; i < self->snapshot->n_sources; i++)
		find_landmarks(self, i);
	decode(self);
	self->spans = read_spans(self);
}

static void bench_deinit(struct bench *self)
{
	g_autoptr(GDir) directory = g_dir_open(self->directory, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(directory)) != NULL) {
		g_autofree char *path = g_build_filename(self->directory, name, NULL);

		g_unlink(path);
	}
	g_rmdir(self->directory);
	for (guint i = 0; i < self->snapshot->n_sources; i++) {
		g_array_unref(self->syncs[i]);
		g_array_unref(self->stamps[i]);
	}
	snapshot_free(self->snapshot);
	g_ptr_array_unref(self->spans);
	g_free(self->directory);
	g_free(self->trace_path);
	g_free(self->recording_path);
	g_free(self->bytes);
}

/* The first offset in `offsets` that is above `offset`, the n-th after it (0: itself);
 * FALSE where there is none. */
static gboolean offset_after(const GArray *offsets, guint64 offset, guint n, guint64 *found)
{
	for (guint i = 0; i < offsets->len; i++) {
		if (g_array_index(offsets, guint64, i) <= offset)
			continue;
		if (i + n >= offsets->len)
			return FALSE;
		*found = g_array_index(offsets, guint64, i + n);
		return TRUE;
	}
	return FALSE;
}

/* How far the damage reaches: a changed ID byte (or the lowest bit of an even one, or the
 * frame's last, which holds such bits) hands all bytes up to the next ID byte to another
 * source. Up to that byte's frame, in both. */
static guint64 damage_end(const guint8 *whole, const guint8 *damaged, gsize n, gsize at)
{
	gsize frame = at / 16 * 16 + 16;

	for (; frame + 16 <= n; frame += 16) {
		for (gsize i = 0; i < 16; i += 2) {
			if ((whole[frame + i] & 1) && (damaged[frame + i] & 1))
				return frame + 16;
		}
	}
	return n;
}

/* Where a core's spans must be whole again after damage that ends at `damage`: the second
 * timestamp after the next A-sync. */
static gboolean recovery(const struct bench *self, guint source, guint64 damage, guint64 *offset)
{
	guint64 sync;

	return offset_after(self->syncs[source], damage, 0, &sync) &&
	       offset_after(self->stamps[source], sync, 1, offset);
}

/* How many spans there are without what follows the core's trace up to the window's end,
 * which is another core's doing. */
static guint without_end(const GArray *spans)
{
	guint n = spans->len;

	while (n > 0 &&
	       g_str_has_prefix(g_array_index(spans, struct span_row, n - 1).owner, "unknown"))
		n--;
	return n;
}

static guint first_after(const GArray *spans, guint64 offset)
{
	guint i = 0;

	while (i < spans->len && g_array_index(spans, struct span_row, i).offset <= (gint64)offset)
		i++;
	return i;
}

/* Compares what begins after `offset`; times relative to the first of them. Returns how
 * many were compared. */
static guint compare_tail(const GArray *whole, const GArray *damaged, guint64 offset,
                          const char *what)
{
	const guint i = first_after(whole, offset), k = first_after(damaged, offset);
	const guint n = i < without_end(whole) ? without_end(whole) - i : 0;
	gint64 shift_ns;

	if (n == 0)
		return 0;
	if (without_end(damaged) - k != n)
		g_error("%s: %u spans after offset %" G_GUINT64_FORMAT ", undamaged %u", what,
		        without_end(damaged) - k, offset, n);
	shift_ns = g_array_index(damaged, struct span_row, k).start_ns -
	           g_array_index(whole, struct span_row, i).start_ns;
	for (guint j = 0; j < n; j++) {
		const struct span_row *a = &g_array_index(whole, struct span_row, i + j);
		const struct span_row *b = &g_array_index(damaged, struct span_row, k + j);

		if (!g_str_equal(a->owner, b->owner) || a->start_ns + shift_ns != b->start_ns ||
		    a->cycles != b->cycles || a->halted_ns != b->halted_ns ||
		    a->duration_ns != b->duration_ns)
			g_error("%s: span %u after offset %" G_GUINT64_FORMAT
			        ": %s at %" G_GINT64_FORMAT "+%" G_GINT64_FORMAT
			        " ns, %" G_GINT64_FORMAT " cycles, but undamaged %s at "
			        "%" G_GINT64_FORMAT "+%" G_GINT64_FORMAT " ns, %" G_GINT64_FORMAT
			        " cycles",
			        what, j, offset, b->owner, b->start_ns - shift_ns, b->duration_ns,
			        b->cycles, a->owner, a->start_ns, a->duration_ns, a->cycles);
	}
	return n;
}

static guint corrupt_one(struct bench *self)
{
	g_autofree guint8 *bytes = g_memdup2(self->bytes, self->n_bytes);
	const guint at = (guint)g_rand_int_range(dice, 0, (gint32)self->n_bytes);
	const guint8 change = (guint8)g_rand_int_range(dice, 1, 256);
	g_autofree char *what = g_strdup_printf("byte %u xor 0x%02x", at, change);
	g_autoptr(GPtrArray) spans = NULL;
	guint compared = 0;
	guint64 end;

	bytes[at] ^= change;
	end = damage_end(self->bytes, bytes, self->n_bytes, at);
	write_trace(self, bytes, self->n_bytes);
	decode(self);
	spans = read_spans(self);
	for (guint i = 0; i < self->snapshot->n_sources; i++) {
		const gint core = self->snapshot->sources[i].core;
		guint64 offset;

		if (core >= 0 && recovery(self, i, end, &offset))
			compared += compare_tail(self->spans->pdata[core], spans->pdata[core],
			                         offset, what);
	}
	return compared;
}

static void truncate_one(struct bench *self)
{
	const guint n = (guint)g_rand_int_range(dice, 0, (gint32)self->n_bytes);

	write_trace(self, self->bytes, n);
	decode(self);
	g_ptr_array_unref(read_spans(self));
}

static void test_damage(gconstpointer data)
{
	const char *wanted = g_getenv("HVSCOPE_CORRUPTIONS");
	const guint rounds = wanted != NULL ? (guint)atoi(wanted) : 150;
	g_autofree char *path = data_capture(data);
	struct bench bench;
	guint64 compared = 0;

	if (path == NULL)
		return;
	bench_init(&bench, path);
	for (guint i = 0; i < rounds; i++) {
		if (i % 5 == 4)
			truncate_one(&bench);
		else
			compared += corrupt_one(&bench);
	}
	g_test_message("%s: %u damages, %" G_GUINT64_FORMAT " spans compared", (const char *)data,
	               rounds, compared);
	bench_deinit(&bench);
}

int main(int argc, char **argv)
{
	const char *seed = g_getenv("HVSCOPE_SEED");
	int code;

	g_test_init(&argc, &argv, NULL);
	dice = g_rand_new_with_seed(seed != NULL ? (guint32)atoi(seed) : 1);
	g_test_add_data_func("/corruption/xen-1s", "xen-1s", test_damage);
	g_test_add_data_func("/corruption/vhe-fib-trace1", "vhe-fib-trace1", test_damage);
	g_test_add_data_func("/corruption/juno-uname-002", "juno-uname-002", test_damage);
	code = g_test_run();
	g_rand_free(dice);
	return code;
}
