/* Damaged synthetic captures: outside of what the damage took (lost.csv), the decoded spans are
 * those of the undamaged capture. */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "decode/pipeline.h"
#include "tests/synth/capture-dir.h"
#include "tests/synth/scenario.h"

enum {
	N_CORES = 2,
	N_RUNS = 40
};

struct span {
	gint64 begin_ns, end_ns; /* since the scenario's start */
	char owner[64];
};

/* The spans of a capture that came out, by core. */
struct decoded {
	GArray *spans[N_CORES]; /* struct span */
};

static char *file_in(const char *dir, const char *name)
{
	return g_build_filename(dir, name, NULL);
}

static gint64 window_start_ns(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	gint64 ns = 0;

	g_assert_cmpint(sqlite3_prepare_v2(db,
	                                   "SELECT value * 10 FROM meta WHERE key = "
	                                   "'window_start_ticks'",
	                                   -1, &statement, NULL),
	                ==, SQLITE_OK);
	if (sqlite3_step(statement) == SQLITE_ROW)
		ns = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return ns;
}

static void decoded_read(struct decoded *self, const char *path)
{
	static const char sql[] =
		"SELECT core, start_ns, start_ns + duration_ns, class || ' ' || coalesce(el, '-') "
		"|| ' ' || coalesce(vmid, '-') || ' ' || coalesce(context_id, '-') "
		"FROM span JOIN owner USING (owner) WHERE duration_ns > 0 ORDER BY core, start_ns";
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;

	for (guint i = 0; i < N_CORES; i++)
		self->spans[i] = g_array_new(FALSE, FALSE, sizeof(struct span));
	g_assert_cmpint(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), ==, SQLITE_OK);

	const gint64 start_ns = window_start_ns(db);

	g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		struct span span = {
			.begin_ns = start_ns + sqlite3_column_int64(statement, 1),
			.end_ns = start_ns + sqlite3_column_int64(statement, 2),
		};

		g_strlcpy(span.owner, (const char *)sqlite3_column_text(statement, 3),
		          sizeof span.owner);
		g_array_append_val(self->spans[sqlite3_column_int(statement, 0)], span);
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static void decoded_deinit(struct decoded *self)
{
	for (guint i = 0; i < N_CORES; i++)
		g_array_unref(self->spans[i]);
}

static void decode_text(struct decoded *decoded, const char *text, const char *dir)
{
	const struct decode_options options = { .jobs = 1 };
	g_autoptr(GError) error = NULL;
	g_autofree char *recording = file_in(dir, "recording.hvs");
	g_autoptr(Scenario) scenario = scenario_parse(text, "test", &error);

	g_assert_no_error(error);
	capture_dir_write(scenario, dir, &error);
	g_assert_no_error(error);
	decode_capture(dir, recording, &options, &error);
	g_assert_no_error(error);
	decoded_read(decoded, recording);
}

/* [from, to) of each fault on one core. */
static GArray *read_lost(const char *dir, guint core)
{
	g_autofree char *path = file_in(dir, "lost.csv");
	g_autofree char *text = NULL;
	GArray *lost = g_array_new(FALSE, FALSE, sizeof(struct span));

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));

	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (guint i = 1; *lines[i] != '\0'; i++) {
		g_auto(GStrv) cells = g_strsplit(lines[i], ",", -1);
		struct span span = { .begin_ns = g_ascii_strtoll(cells[1], NULL, 10),
			             .end_ns = g_ascii_strtoll(cells[2], NULL, 10) };

		if (g_ascii_strtoull(cells[0], NULL, 10) == core)
			g_array_append_val(lost, span);
	}
	return lost;
}

/* The span at that time, or NULL. */
static const struct span *span_at(const GArray *spans, gint64 time_ns)
{
	for (guint i = 0; i < spans->len; i++) {
		const struct span *span = &g_array_index(spans, struct span, i);

		if (span->begin_ns <= time_ns && time_ns < span->end_ns)
			return span;
	}
	return NULL;
}

/* Every moment of the clean spans that no fault took must have the same owner in the
 * damaged ones. Owners change only at the borders of either's spans. Returns how much
 * time was compared. */
static gint64 compare(const GArray *clean, const GArray *damaged, const GArray *lost)
{
	gint64 compared_ns = 0;

	for (guint i = 0; i < clean->len; i++) {
		const struct span *want = &g_array_index(clean, struct span, i);
		gint64 at = want->begin_ns;

		while (at < want->end_ns) {
			const struct span *gap = span_at(lost, at);

			if (gap != NULL) {
				at = gap->end_ns;
				continue;
			}

			const struct span *got = span_at(damaged, at);

			if (got == NULL || strcmp(got->owner, want->owner) != 0)
				g_error("at %" G_GINT64_FORMAT " ns: undamaged '%s', damaged '%s'",
				        at, want->owner, got != NULL ? got->owner : "nothing");

			gint64 next = MIN(want->end_ns, got->end_ns);

			for (guint k = 0; k < lost->len; k++) {
				const gint64 from = g_array_index(lost, struct span, k).begin_ns;

				if (from > at)
					next = MIN(next, from);
			}
			compared_ns += next - at;
			at = next;
		}
	}
	return compared_ns;
}

static void remove_dir(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = file_in(path, name);

		g_remove(file);
	}
	g_rmdir(path);
}

/* The scenario's lines but its faults. */
static char *without_faults(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *kept = g_string_new(NULL);

	for (guint i = 0; lines[i] != NULL; i++) {
		if (!g_str_has_prefix(lines[i], "fault"))
			g_string_append_printf(kept, "%s\n", lines[i]);
	}
	return g_string_free(kept, FALSE);
}

static char *read_scenario(void)
{
	g_autofree char *path = g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "tests", "synth",
	                                         "scenarios", "faults.scenario", NULL);
	char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

/* Decodes `text` and `text` with `faults`, and compares; returns the time compared. */
static gint64 run(const char *text, const char *faults)
{
	g_autofree char *dir = g_dir_make_tmp("hvscope-faults-XXXXXX", NULL);
	g_autofree char *damaged_text = g_strconcat(text, faults, NULL);
	struct decoded clean, damaged;
	gint64 compared_ns = 0;

	decode_text(&clean, text, dir);
	decode_text(&damaged, damaged_text, dir);
	for (guint core = 0; core < N_CORES; core++) {
		g_autoptr(GArray) lost = read_lost(dir, core);

		compared_ns += compare(clean.spans[core], damaged.spans[core], lost);
	}
	decoded_deinit(&clean);
	decoded_deinit(&damaged);
	remove_dir(dir);
	return compared_ns;
}

static void test_fixture(void)
{
	g_autofree char *text = read_scenario();
	g_autofree char *clean = without_faults(text);

	/* The file ends early: 28 of 40 ms are left of each core, and of those most. */
	g_assert_cmpint(run(clean, strstr(text, "\nfault")), >, 45 * 1000 * 1000);
}

static char *random_fault(GRand *random)
{
	static const char *const kinds[] = { "flip", "zero", "cut" };
	const gint32 kind = g_rand_int_range(random, 0, G_N_ELEMENTS(kinds));
	const gint32 frames = g_rand_int_range(random, 1, 20);
	const gint32 len = kind == 2 ? 16 * frames : g_rand_int_range(random, 1, 64);

	return g_strdup_printf("fault %s offset=%d len=%d value=%d\n", kinds[kind],
	                       g_rand_int_range(random, 3000, 190000), len,
	                       g_rand_int_range(random, 1, 256));
}

static void test_random(void)
{
	g_autofree char *text = read_scenario();
	g_autofree char *clean = without_faults(text);
	g_autoptr(GRand) random = g_rand_new_with_seed(7);

	for (guint i = 0; i < N_RUNS; i++) {
		g_autofree char *fault = random_fault(random);

		g_test_message("%s", fault);
		g_assert_cmpint(run(clean, fault), >, 60 * 1000 * 1000);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/faults/fixture", test_fixture);
	g_test_add_func("/faults/random", test_random);
	return g_test_run();
}
