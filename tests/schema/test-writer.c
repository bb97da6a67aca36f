#include "schema/writer.h"

#include "schema/db.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char *directory;
	char *path;
	char *partial_path;
};

static void setup(struct fixture *self, gconstpointer data)
{
	(void)data;
	self->directory = g_dir_make_tmp("hvscope-writer-XXXXXX", NULL);
	self->path = g_build_filename(self->directory, "a.hvs", NULL);
	self->partial_path = g_strconcat(self->path, ".part", NULL);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	g_unlink(self->path);
	g_unlink(self->partial_path);
	g_assert_cmpint(g_rmdir(self->directory), ==, 0);
	g_free(self->directory);
	g_free(self->path);
	g_free(self->partial_path);
}

static const struct row_owner guest = { OWNER_GUEST, 1, 2, 97 };
static const struct row_owner unknown = { OWNER_UNKNOWN, OWNER_NO_VALUE, OWNER_NO_VALUE,
	                                  OWNER_NO_VALUE };

/* A core with `n` spans of 10 ns, in turns guest and unknown. */
static gboolean write_core(struct recording_writer *writer, guint core, guint n, GError **error)
{
	const struct row_core row = { .core = core, .name = "cpu", .trace_id = -1 };
	const guint owners[2] = { recording_writer_owner(writer, &guest),
		                  recording_writer_owner(writer, &unknown) };
	g_autofree struct row_span *spans = g_new0(struct row_span, n);

	for (guint i = 0; i < n; i++) {
		spans[i] = (struct row_span) { .core = core,
			                       .start_ns = (gint64)i * 10,
			                       .duration_ns = 10,
			                       .cycles = 5,
			                       .halted_ns = 1,
			                       .owner = owners[i % 2],
			                       .trace_offset = i };
	}
	return recording_writer_core(writer, &row, error) &&
	       recording_writer_spans(writer, core, spans, n, error);
}

static gint64 query(const char *path, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	gint64 value;

	g_assert_cmpint(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

static void test_complete(struct fixture *self, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct recording_writer *writer = recording_writer_new(self->path, &error);

	(void)data;
	g_assert_no_error(error);
	g_assert_true(write_core(writer, 0, 1000, &error));
	g_assert_true(write_core(writer, 3, 7, &error));
	g_assert_false(g_file_test(self->path, G_FILE_TEST_EXISTS));
	g_assert_true(recording_writer_finish(writer, &error));
	g_assert_no_error(error);
	g_assert_false(recording_writer_meta(writer, "a", "b", NULL));
	recording_writer_free(writer);
	g_assert_false(g_file_test(self->partial_path, G_FILE_TEST_EXISTS));
	g_assert_cmpint(query(self->path, "SELECT count(*) FROM span"), ==, 1007);
	g_assert_cmpint(query(self->path, "SELECT sum(time_ns) FROM account"), ==, 10070);
	g_assert_cmpint(query(self->path, "SELECT sum(halted_ns) FROM account WHERE owner=0"), ==,
	                504);
	g_assert_cmpint(query(self->path, "SELECT value FROM meta WHERE key='window_ns'"), ==,
	                10000);
	g_assert_cmpint(query(self->path, "SELECT count(*) FROM owner WHERE el IS NULL"), ==, 1);
	g_assert_cmpint(query(self->path, "PRAGMA user_version"), ==, RECORDING_SCHEMA_VERSION);
	g_assert_cmpint(query(self->path, "SELECT count(*) FROM pragma_integrity_check WHERE "
	                                  "integrity_check='ok'"),
	                ==, 1);
}

static void test_drop(struct fixture *self, gconstpointer data)
{
	struct recording_writer *writer = recording_writer_new(self->path, NULL);

	(void)data;
	g_assert_true(write_core(writer, 0, 10, NULL));
	recording_writer_free(writer);
	g_assert_false(g_file_test(self->path, G_FILE_TEST_EXISTS));
	g_assert_false(g_file_test(self->partial_path, G_FILE_TEST_EXISTS));
}

static void test_order(struct fixture *self, gconstpointer data)
{
	static const struct {
		struct row_span second; /* after a span [0, 10) */
		const char *message;
	} cases[] = {
		{ { .start_ns = 11, .duration_ns = 1 },
		  "*core 0, span 1 at 11 ns: it does not start*" },
		{ { .start_ns = 9, .duration_ns = 1 }, "*span 1 at 9 ns: it does not start*" },
		{ { .start_ns = 10, .duration_ns = -1 }, "*out of range*" },
		{ { .start_ns = 10, .duration_ns = G_MAXINT64 }, "*out of range*" },
		{ { .start_ns = 10, .duration_ns = 1, .halted_ns = 2 }, "*halted*" },
		{ { .start_ns = 10, .duration_ns = 1, .owner = 7 }, "*owner was never*" },
		{ { .start_ns = 10, .duration_ns = 1, .core = 1 }, "*another core*" },
		{ { .start_ns = 10, .cycles = G_MAXUINT64 }, "*cycles*" },
		{ { .start_ns = 10, .uncertainty_ns = -1 }, "*uncertainty*" },
	};
	g_autoptr(recording_writer) writer = recording_writer_new(self->path, NULL);

	(void)data;
	recording_writer_owner(writer, &guest);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct row_span spans[2] = { { .duration_ns = 10 }, cases[i].second };
		g_autoptr(GError) error = NULL;

		g_assert_false(recording_writer_spans(writer, 0, spans, 2, &error));
		g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER);
		g_assert_true(g_pattern_match_simple(cases[i].message, error->message));
	}
	/* Nothing of the core was written, so it can still be. */
	g_assert_true(write_core(writer, 0, 10, NULL));
	g_assert_false(write_core(writer, 0, 10, NULL));
}

static void test_finish_checks(struct fixture *self, gconstpointer data)
{
	const struct row_span span = { .core = 4, .duration_ns = 10 };
	g_autoptr(GError) error = NULL;
	struct recording_writer *writer = recording_writer_new(self->path, NULL);

	(void)data;
	recording_writer_owner(writer, &guest);
	g_assert_true(recording_writer_spans(writer, 4, &span, 1, NULL));
	g_assert_false(recording_writer_finish(writer, &error));
	g_assert_true(g_pattern_match_simple("*core 4 has spans but was never described*",
	                                     error->message));
	g_clear_error(&error);
	recording_writer_free(writer);

	writer = recording_writer_new(self->path, NULL);
	g_assert_true(write_core(writer, 0, 10, NULL));
	g_assert_true(recording_writer_meta_int(writer, "window_ns", 99, NULL));
	g_assert_false(recording_writer_finish(writer, &error));
	g_assert_true(g_pattern_match_simple("*100 ns, past the window of 99 ns*", error->message));
	recording_writer_free(writer);
	g_assert_false(g_file_test(self->path, G_FILE_TEST_EXISTS));
}

static void test_places(struct fixture *self, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct recording_writer *writer;

	(void)data;
	g_assert_null(recording_writer_new("/nonexistent/a.hvs", &error));
	g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_ACCESS);
	g_clear_error(&error);
	g_assert_true(g_file_set_contents(self->path, "my letters", -1, NULL));
	g_assert_null(recording_writer_new(self->path, &error));
	g_assert_true(g_pattern_match_simple("*is no recording*", error->message));
	g_clear_error(&error);
	g_assert_null(recording_writer_new(self->directory, &error));
	g_clear_error(&error);
	g_unlink(self->path);

	writer = recording_writer_new(self->path, NULL);
	g_assert_null(recording_writer_new(self->path, &error));
	g_assert_true(g_pattern_match_simple("*another process is writing*", error->message));
	g_assert_true(recording_writer_finish(writer, NULL));
	recording_writer_free(writer);
	/* An old recording is replaced, and stays when the new one is dropped. */
	writer = recording_writer_new(self->path, NULL);
	g_assert_true(write_core(writer, 0, 10, NULL));
	recording_writer_free(writer);
	g_assert_cmpint(query(self->path, "SELECT count(*) FROM span"), ==, 0);
}

/* The child writes until it is killed; what it leaves is taken over. */
static void test_kill(struct fixture *self, gconstpointer data)
{
	(void)data;
	for (guint round = 0; round < 5; round++) {
		g_autoptr(GError) error = NULL;
		struct recording_writer *writer;
		int status, ready[2];
		char byte;
		pid_t child;

		g_assert_cmpint(pipe(ready), ==, 0);
		child = fork();
		g_assert_cmpint(child, >=, 0);
		if (child == 0) {
			writer = recording_writer_new(self->path, NULL);
			for (guint core = 0; core < 10000; core++) {
				if (writer == NULL || !write_core(writer, core, 50000, NULL) ||
				    write(ready[1], "x", 1) != 1)
					_exit(1);
			}
			_exit(0);
		}
		close(ready[1]);
		for (guint i = 0; i <= round; i++)
			g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
		g_assert_cmpint(kill(child, SIGKILL), ==, 0);
		g_assert_cmpint(waitpid(child, &status, 0), ==, child);
		g_assert_true(WIFSIGNALED(status));
		close(ready[0]);
		g_assert_false(g_file_test(self->path, G_FILE_TEST_EXISTS));
		g_assert_true(g_file_test(self->partial_path, G_FILE_TEST_EXISTS));

		writer = recording_writer_new(self->path, &error);
		g_assert_no_error(error);
		g_assert_true(write_core(writer, 0, 10, &error));
		g_assert_true(recording_writer_finish(writer, &error));
		recording_writer_free(writer);
		g_assert_cmpint(query(self->path, "SELECT count(*) FROM span"), ==, 10);
		g_unlink(self->path);
	}
}

static void add(const char *name, void (*test)(struct fixture *, gconstpointer))
{
	g_test_add(name, struct fixture, NULL, setup, test, teardown);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/schema/writer/complete", test_complete);
	add("/schema/writer/drop", test_drop);
	add("/schema/writer/order", test_order);
	add("/schema/writer/finish-checks", test_finish_checks);
	add("/schema/writer/places", test_places);
	add("/schema/writer/kill", test_kill);
	return g_test_run();
}
