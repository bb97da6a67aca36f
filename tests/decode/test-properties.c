/* Random synthetic systems: what must hold of every recording, whatever ran. The account closes
 * to the nanosecond; neither the trace IDs nor where the reading stops for breath matter.
 *
 * The number of scenarios is HVSCOPE_PROPERTY_RUNS, by default a few; scenario n is always the
 * same. */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "decode/pipeline.h"
#include "tests/synth/capture-dir.h"

enum {
	RUNS = 24,
	FRAME_BYTES = 16,
	IDS = 128
};

/* xorshift64*: the same numbers everywhere. */
static guint64 next_random(guint64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717u;
}

static guint random_in(guint64 *state, guint min, guint max)
{
	return min + (guint)((next_random(state) >> 33) % (max - min + 1));
}

static gboolean random_one_in(guint64 *state, guint n)
{
	return random_in(state, 1, n) == 1;
}

static void add_tasks(GString *text, guint64 *state, guint domain, guint vcpu)
{
	const guint n = random_in(state, 1, 3);

	for (guint task = 0; task < n; task++) {
		const guint burst = random_in(state, 10, 400);

		g_string_append_printf(text,
		                       "task t%u_%u_%u vcpu=d%uv%u cid=%u burst=%uus..%uus "
		                       "syscall=%uus kernel=%u%%",
		                       domain, vcpu, task, domain, vcpu,
		                       1 + domain * 100 + vcpu * 10 + task, burst,
		                       burst + random_in(state, 1, 600), random_in(state, 20, 90),
		                       random_in(state, 5, 100));
		if (random_one_in(state, 2))
			g_string_append_printf(text, " sleep=%uus..%uus", random_in(state, 20, 200),
			                       random_in(state, 300, 900));
		g_string_append(text, "\n");
	}
}

static void add_domains(GString *text, guint64 *state, guint n_cores)
{
	const guint n = random_in(state, 1, 4);

	for (guint domain = 0; domain < n; domain++) {
		const guint n_vcpus = random_in(state, 1, 3);

		g_string_append_printf(text, "domain %u D%u kind=%s\n", domain, domain,
		                       random_one_in(state, 3) ? "bare" : "linux");
		for (guint vcpu = 0; vcpu < n_vcpus; vcpu++) {
			g_string_append_printf(text, "vcpu d%uv%u domain=%u", domain, vcpu, domain);
			if (random_one_in(state, 2))
				g_string_append_printf(text, " exits=%uus",
				                       random_in(state, 50, 500));
			if (random_one_in(state, 3))
				g_string_append_printf(text, " cores=%u",
				                       random_in(state, 0, n_cores - 1));
			if (random_one_in(state, 6))
				g_string_append(text, " wfi=halt");
			g_string_append(text, "\n");
			add_tasks(text, state, domain, vcpu);
		}
	}
}

/* Trace is missing now and then: one place a core at most, so that none overlap. */
static void add_losses(GString *text, guint64 *state, guint n_cores)
{
	static const char *const kinds[] = { "overflow", "discard", "off" };

	for (guint core = 0; core < n_cores; core++) {
		if (random_one_in(state, 3))
			g_string_append_printf(
				text, "at %uus core %u %s %uus\n", random_in(state, 500, 3000),
				core, kinds[random_in(state, 0, 2)], random_in(state, 1, 900));
	}
}

static char *random_scenario(guint n)
{
	static const char *const filters[] = { "none", "none", "none", "none", "el2", "guest" };
	guint64 state = 0x9e3779b97f4a7c15u * (n + 1);
	GString *text = g_string_new("clock timestamp_hz=100000000 core_hz=1200000000\n");
	const guint n_cores = random_in(&state, 1, 4);

	g_string_append_printf(text,
	                       "seed %u\nduration 5ms\ncores %u\n"
	                       "hypervisor slice=%uus visit=1us..%uus switch=2us..%uus\n",
	                       n, n_cores, random_in(&state, 100, 1500), random_in(&state, 2, 9),
	                       random_in(&state, 3, 12));
	g_string_append_printf(
		text, "trace cycles=%u sync=%u filter=%s return_stack=%s halt_timestamps=%s%s\n",
		random_in(&state, 4, 300), random_in(&state, 256, 4096),
		filters[random_in(&state, 0, 5)], random_one_in(&state, 2) ? "yes" : "no",
		random_one_in(&state, 2) ? "yes" : "no",
		random_one_in(&state, 4) ? " timestamps=20us" : "");
	add_domains(text, &state, n_cores);
	add_losses(text, &state, n_cores);
	return g_string_free(text, FALSE);
}

struct capture {
	char *dir;
	system_file *system;
};

static void capture_open(struct capture *self, guint n)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = random_scenario(n);
	g_autofree char *system_path = NULL;
	g_autoptr(Scenario) scenario = scenario_parse(text, "random", &error);

	g_assert_no_error(error);
	self->dir = g_dir_make_tmp("hvscope-properties-XXXXXX", NULL);
	g_assert_true(capture_dir_write(scenario, self->dir, &error));
	system_path = g_build_filename(self->dir, "system.ini", NULL);
	self->system = system_file_load(system_path, &error);
	g_assert_no_error(error);
}

static void capture_close(struct capture *self)
{
	g_autoptr(GDir) dir = g_dir_open(self->dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = g_build_filename(self->dir, name, NULL);

		g_remove(file);
	}
	g_assert_cmpint(g_rmdir(self->dir), ==, 0);
	g_free(self->dir);
	system_file_free(self->system);
}

static sqlite3 *decode(const struct capture *capture, gsize block_bytes)
{
	g_autofree char *path = g_build_filename(capture->dir, "recording.hvs", NULL);
	const struct decode_options options = { .system = capture->system,
		                                .jobs = 1,
		                                .block_bytes = block_bytes };
	g_autoptr(GError) error = NULL;
	sqlite3 *db;

	g_assert_true(decode_capture(capture->dir, path, &options, &error));
	g_assert_cmpint(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), ==, SQLITE_OK);
	return db;
}

static gint64 query_int(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	gint64 value;

	g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* EL2 and idle time of one class that is part of no visit: before a core's first guest, and
 * after trace was lost in EL2. */
#define OUTSIDE(CLASS)                                                                             \
	"(SELECT coalesce(sum(duration_ns), 0) FROM span_owner AS s WHERE class = '" CLASS         \
	"' AND NOT EXISTS (SELECT 1 FROM exit AS e WHERE e.core = s.core AND e.start_ns <= "       \
	"s.start_ns AND s.start_ns + s.duration_ns <= e.start_ns + e.duration_ns))"
#define OF_CLASS(CLASS)                                                                            \
	"(SELECT coalesce(sum(duration_ns), 0) FROM span_owner WHERE class = '" CLASS "')"

static void check_account(sqlite3 *db)
{
	static const char *const equal[][2] = {
		/* Every nanosecond of every core has one owner. */
		{ "SELECT sum(duration_ns) FROM span",
		  "SELECT (SELECT count(*) FROM core) * (SELECT value FROM meta WHERE "
		  "key = 'window_ns')" },
		{ "SELECT sum(time_ns) FROM account", "SELECT sum(duration_ns) FROM span" },
		{ "SELECT sum(spans) FROM account", "SELECT count(*) FROM span" },
		/* vCPUs have all guest time, once each. */
		{ "SELECT coalesce(sum(guest_ns), 0) FROM vcpu_run", "SELECT " OF_CLASS("guest") },
		/* Visits have all of the hypervisor's and the idle time, but for what is outside.
		 */
		{ "SELECT coalesce(sum(hypervisor_ns), 0) + " OUTSIDE(
			  "hypervisor") " FROM exit "
		                        "WHERE NOT EXISTS (SELECT 1 FROM span_owner WHERE class = "
		                        "'untraced')",
		  "SELECT iif(EXISTS (SELECT 1 FROM span_owner WHERE class = 'untraced'), " OUTSIDE(
			  "hypervisor") ", " OF_CLASS("hypervisor") ")" },
		{ "SELECT coalesce(sum(idle_ns), 0) + " OUTSIDE("idle") " FROM exit",
		  "SELECT " OF_CLASS("idle") },
		/* What is on a vCPU's behalf is part of the visits that came back to it. */
		{ "SELECT coalesce(sum(hypervisor_ns), 0) > (SELECT coalesce(sum(hypervisor_ns), "
		  "0) "
		  "FROM exit WHERE ended = 0) FROM vcpu_run",
		  "SELECT 0" },
		/* A vCPU that is known is in one place at a time. Where guests are filtered out, a
		 * loss among them does not show, and what lies between two visits is a guess. */
		{ "SELECT count(*) FROM vcpu_run AS a JOIN vcpu_run AS b ON a.vcpu = b.vcpu AND "
		  "a.start_ns < b.start_ns AND b.start_ns < a.start_ns + a.duration_ns - 500 JOIN "
		  "vcpu AS v ON v.vcpu = a.vcpu WHERE v.number IS NOT NULL AND NOT EXISTS (SELECT "
		  "1 "
		  "FROM span WHERE certainty = 1)",
		  "SELECT 0" },
		{ "SELECT count(*) FROM exit WHERE hypervisor_ns + idle_ns > duration_ns",
		  "SELECT 0" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(equal); i++) {
		const gint64 left = query_int(db, equal[i][0]), right = query_int(db, equal[i][1]);

		if (left != right)
			g_error("%" G_GINT64_FORMAT " is not %" G_GINT64_FORMAT ": %s", left, right,
			        equal[i][0]);
	}
}

static void add_row(sqlite3_stmt *row, GChecksum *sum)
{
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		const char type = (char)('0' + sqlite3_column_type(row, i));

		g_checksum_update(sum, (const guchar *)&type, 1);
		g_checksum_update(sum, sqlite3_column_blob(row, i), sqlite3_column_bytes(row, i));
	}
}

/* Everything in the recording but what names the capture: a line a table. */
static char *tables_of(sqlite3 *db)
{
	GString *out = g_string_new(NULL);
	sqlite3_stmt *tables = NULL;

	g_assert_cmpint(
		sqlite3_prepare_v2(db,
	                           "SELECT name, CASE name WHEN 'core' THEN 'core, name, type, "
	                           "source, protocol, trace_bytes' ELSE '*' END, CASE name WHEN "
	                           "'meta' THEN ' WHERE key NOT LIKE ''capture%''' ELSE '' END "
	                           "FROM sqlite_master WHERE type = 'table' ORDER BY name",
	                           -1, &tables, NULL),
		==, SQLITE_OK);
	while (sqlite3_step(tables) == SQLITE_ROW) {
		g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
		g_autofree char *sql =
			g_strdup_printf("SELECT %s FROM %s%s ORDER BY 1, 2",
		                        (const char *)sqlite3_column_text(tables, 1),
		                        (const char *)sqlite3_column_text(tables, 0),
		                        (const char *)sqlite3_column_text(tables, 2));
		sqlite3_stmt *rows = NULL;

		g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), ==, SQLITE_OK);
		while (sqlite3_step(rows) == SQLITE_ROW)
			add_row(rows, sum);
		sqlite3_finalize(rows);
		g_string_append_printf(out, "%s %s\n", (const char *)sqlite3_column_text(tables, 0),
		                       g_checksum_get_string(sum));
	}
	sqlite3_finalize(tables);
	return g_string_free(out, FALSE);
}

/* A random order of the IDs that sources may have (Arm IHI 0029, 0x01 to 0x6f). */
static void shuffle_ids(guint8 *map, guint64 *state)
{
	for (guint i = 0; i < IDS; i++)
		map[i] = (guint8)i;
	for (guint i = 0x6f; i > 1; i--) {
		const guint other = random_in(state, 1, i);
		const guint8 kept = map[i];

		map[i] = map[other];
		map[other] = kept;
	}
}

/* In a frame an even byte with bit 0 set is a change of ID (IHI 0029, formatter). */
static void rename_in_trace(const char *dir, const guint8 *map)
{
	g_autofree char *path = g_build_filename(dir, "cstrace.bin", NULL);
	g_autofree char *bytes = NULL;
	gsize n;

	g_assert_true(g_file_get_contents(path, &bytes, &n, NULL));
	for (gsize i = 0; i < n; i += 2) {
		const guint8 byte = (guint8)bytes[i];

		if ((byte & 1) != 0)
			bytes[i] = (char)(map[byte >> 1] << 1 | 1);
	}
	g_assert_true(g_file_set_contents(path, bytes, (gssize)n, NULL));
}

/* The value of a register that holds an ID at `shift`, with that ID mapped. */
static void rename_register(GKeyFile *keys, const char *key, guint shift, const guint8 *map)
{
	const guint64 mask = (guint64)0x7f << shift;
	g_autofree char *text = g_key_file_get_value(keys, "regs", key, NULL);
	const guint64 value = g_ascii_strtoull(text, NULL, 0);
	g_autofree char *changed =
		g_strdup_printf("0x%08" G_GINT64_MODIFIER "x",
	                        (value & ~mask) | (guint64)map[value >> shift & 0x7f] << shift);

	g_key_file_set_value(keys, "regs", key, changed);
}

static void rename_in_devices(const char *dir, const guint8 *map)
{
	g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(entries)) != NULL) {
		g_autofree char *path = g_build_filename(dir, name, NULL);
		g_autoptr(GKeyFile) keys = g_key_file_new();
		g_auto(GStrv) regs = NULL;

		if (!g_str_has_suffix(name, ".ini") ||
		    !g_key_file_load_from_file(keys, path, G_KEY_FILE_NONE, NULL))
			continue;
		regs = g_key_file_get_keys(keys, "regs", NULL, NULL);
		for (gsize i = 0; regs != NULL && regs[i] != NULL; i++) {
			if (g_str_has_prefix(regs[i], "TRCTRACEIDR"))
				rename_register(keys, regs[i], 0, map);
			else if (g_str_has_prefix(regs[i], "STMTCSR"))
				rename_register(keys, regs[i], 16, map);
		}
		g_assert_true(g_key_file_save_to_file(keys, path, NULL));
	}
}

static guint n_runs(void)
{
	const char *text = g_getenv("HVSCOPE_PROPERTY_RUNS");

	return text != NULL ? (guint)g_ascii_strtoull(text, NULL, 10) : RUNS;
}

static void test_account_closes(void)
{
	for (guint n = 0; n < n_runs(); n++) {
		struct capture capture;
		sqlite3 *db;

		g_test_message("scenario %u", n);
		capture_open(&capture, n);
		db = decode(&capture, 0);
		check_account(db);
		sqlite3_close(db);
		capture_close(&capture);
	}
}

static void test_changes_nothing(void)
{
	for (guint n = 0; n < n_runs(); n++) {
		guint64 state = 0x2545f4914f6cdd1du * (n + 1);
		g_autofree char *plain = NULL, *blocks = NULL, *renamed = NULL;
		guint8 map[IDS];
		struct capture capture;
		sqlite3 *db;

		g_test_message("scenario %u", n);
		capture_open(&capture, n);
		db = decode(&capture, 0);
		plain = tables_of(db);
		sqlite3_close(db);
		db = decode(&capture, (gsize)FRAME_BYTES * random_in(&state, 1, 40));
		blocks = tables_of(db);
		sqlite3_close(db);
		g_assert_cmpstr(blocks, ==, plain);
		shuffle_ids(map, &state);
		rename_in_trace(capture.dir, map);
		rename_in_devices(capture.dir, map);
		db = decode(&capture, 0);
		renamed = tables_of(db);
		sqlite3_close(db);
		g_assert_cmpstr(renamed, ==, plain);
		capture_close(&capture);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/decode/properties/account-closes", test_account_closes);
	g_test_add_func("/decode/properties/ids-and-blocks-change-nothing", test_changes_nothing);
	return g_test_run();
}
