/* What must come out of the real captures, as a reader of the recording sees it: gaps with
 * their offsets, nobody named in them, refusals by name. */
#include "tests/decode/data.h"

#include "decode/decode-error.h"
#include "decode/pipeline.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

struct fixture {
	char *directory, *recording;
	sqlite3 *db;
};

static void setup(struct fixture *self, gconstpointer data)
{
	(void)data;
	self->directory = g_dir_make_tmp("hvscope-captures-XXXXXX", NULL);
	self->recording = g_build_filename(self->directory, "a.hvs", NULL);
	self->db = NULL;
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	sqlite3_close(self->db);
	g_unlink(self->recording);
	g_assert_cmpint(g_rmdir(self->directory), ==, 0);
	g_free(self->directory);
	g_free(self->recording);
}

/* FALSE where the capture is absent (and the test skipped). */
static gboolean decode(struct fixture *self, const char *capture)
{
	const struct decode_options options = { .jobs = 2 };
	g_autofree char *path = data_capture(capture);
	g_autoptr(GError) error = NULL;

	if (path == NULL)
		return FALSE;
	decode_capture(path, self->recording, &options, &error);
	g_assert_no_error(error);
	g_assert_cmpint(sqlite3_open_v2(self->recording, &self->db, SQLITE_OPEN_READONLY, NULL), ==,
	                SQLITE_OK);
	return TRUE;
}

static gint64 ask(struct fixture *self, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	gint64 value;

	g_assert_cmpint(sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void assert_gaps_are_nobodys(struct fixture *self)
{
	/* Each gap is one lost span, and each lost span one gap. */
	g_assert_cmpint(ask(self, "SELECT count(*) FROM gap"), ==,
	                ask(self, "SELECT count(*) FROM span JOIN owner USING (owner) "
	                          "WHERE class = 'lost'"));
	g_assert_cmpint(ask(self, "SELECT total(duration_ns) FROM gap"), ==,
	                ask(self, "SELECT total(duration_ns) FROM span JOIN owner USING (owner) "
	                          "WHERE class = 'lost'"));
	g_assert_cmpint(ask(self, "SELECT count(*) FROM span a JOIN gap g ON a.core = g.core "
	                          "JOIN owner USING (owner) WHERE class <> 'lost' "
	                          "AND a.start_ns < g.start_ns + g.duration_ns "
	                          "AND a.start_ns + a.duration_ns > g.start_ns"),
	                ==, 0);
}

static void test_overflows(struct fixture *self, gconstpointer data)
{
	(void)data;
	if (!decode(self, "juno-uname-002"))
		return;
	g_assert_cmpint(ask(self, "SELECT count(*) FROM gap WHERE reason = 'overflow'"), ==, 43);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM quality_event WHERE name = 'overflow'"), ==,
	                43);
	/* As trc_pkt_lister's Idx has them: the first, the last. */
	g_assert_cmpint(ask(self, "SELECT min(begin_offset) FROM gap"), ==, 96372);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM gap WHERE end_offset <= begin_offset"), ==,
	                0);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM exception"), ==, 46);
	assert_gaps_are_nobodys(self);
}

static void test_unsynchronised(struct fixture *self, gconstpointer data)
{
	(void)data;
	if (!decode(self, "juno_r1_1"))
		return;
	/* Cores 0, 1, 2, 5 begin without synchronisation; 3 and 4 have no such bytes. */
	g_assert_cmpint(ask(self, "SELECT count(*) FROM gap WHERE reason = 'no-sync'"), ==, 4);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM gap WHERE reason = 'no-sync' "
	                          "AND start_ns <> 0"),
	                ==, 0);
	/* ID 0x12 never synchronises: all of it is lost. */
	g_assert_cmpint(ask(self, "SELECT trace_id FROM core WHERE core = 2"), ==, 0x12);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM span WHERE core = 2"), ==, 1);
	g_assert_cmpint(ask(self, "SELECT duration_ns = (SELECT CAST(value AS INTEGER) FROM meta "
	                          "WHERE key = 'window_ns') FROM gap WHERE core = 2"),
	                ==, 1);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM stm"), ==, 41);
	assert_gaps_are_nobodys(self);
}

static void test_stm(struct fixture *self, gconstpointer data)
{
	(void)data;
	if (!decode(self, "stm_only"))
		return;
	/* trc_pkt_lister: 2509 D32, 2508 D32TS, 1255 FLAG, 7 FREQ. */
	g_assert_cmpint(ask(self, "SELECT count(*) FROM stm WHERE kind = 'data'"), ==, 5017);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM stm WHERE kind = 'flag'"), ==, 1255);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM stm WHERE kind = 'frequency'"), ==, 7);
	g_assert_cmpint(ask(self, "SELECT count(DISTINCT master || ':' || channel) FROM stm "
	                          "WHERE kind = 'data'"),
	                ==, 1);
}

/* A VHE host's user code is no guest, its kernel left out is nobody's. */
static void test_vhe(struct fixture *self, gconstpointer data)
{
	(void)data;
	if (!decode(self, "vhe-fib-trace1"))
		return;
	g_assert_cmpint(ask(self, "SELECT count(*) FROM owner WHERE class = 'guest'"), ==, 0);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM span JOIN owner USING (owner) "
	                          "WHERE class = 'host'"),
	                ==, 51);
	/* trc_pkt_lister: 49 exceptions, 51 trace-ons. The first trace-on begins the capture,
	 * the other 50 end a stretch that was left out, 49 of them begun by an exception into
	 * EL2. */
	g_assert_cmpint(ask(self, "SELECT count(*) FROM span JOIN owner USING (owner) "
	                          "WHERE class = 'untraced'"),
	                ==, 50);
	g_assert_cmpint(ask(self, "SELECT count(*) FROM span JOIN owner USING (owner) "
	                          "WHERE class = 'untraced' AND el = 2"),
	                >=, 45);
}

static void test_refused(gconstpointer data)
{
	static const struct {
		const char *capture, *words[3];
	} refused[] = {
		{ "TC2", { "ETMv3", "PTM", "ITM" } },
		{ "ete-maxspec0_commopt1", { "ETE_0_s1", "ETE", "OpenCSD" } },
		{ "ete-trace_file_cid_vmid", { "ETE_0_s1", "ETE", "OpenCSD" } },
		{ "ete-ts_marker", { "ETE_0_s1", "ETE", "OpenCSD" } },
	};
	const struct decode_options options = { 0 };

	(void)data;
	for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_autofree char *path = data_capture(refused[i].capture);
		g_autofree char *recording =
			g_build_filename(g_get_tmp_dir(), "hvscope-refused.hvs", NULL);
		g_autoptr(GError) error = NULL;

		if (path == NULL)
			return;
		g_assert_false(decode_capture(path, recording, &options, &error));
		g_assert_error(error, DECODE_ERROR, DECODE_ERROR_UNSUPPORTED);
		for (guint k = 0; k < 3; k++)
			g_assert_nonnull(strstr(error->message, refused[i].words[k]));
		g_assert_false(g_file_test(recording, G_FILE_TEST_EXISTS));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/captures/overflows", struct fixture, NULL, setup, test_overflows, teardown);
	g_test_add("/captures/unsynchronised", struct fixture, NULL, setup, test_unsynchronised,
	           teardown);
	g_test_add("/captures/stm", struct fixture, NULL, setup, test_stm, teardown);
	g_test_add("/captures/vhe", struct fixture, NULL, setup, test_vhe, teardown);
	g_test_add_data_func("/captures/refused", NULL, test_refused);
	return g_test_run();
}
