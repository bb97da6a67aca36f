/* vCPUs, their runs, exits, the hypervisor's calls and requests: what goes in comes out, and a
 * hostile file is an error, never a row that breaks its rules. */
#include "schema/reader.h"
#include "schema/writer.h"
#include "tests/schema/sample-recording.h"

#include <glib/gstdio.h>
#include <string.h>

struct fixture {
	char *directory;
	char *path;
};

static void setup(struct fixture *self, gconstpointer data)
{
	(void)data;
	self->directory = g_dir_make_tmp("hvscope-guest-rows-XXXXXX", NULL);
	self->path = g_build_filename(self->directory, "a.hvs", NULL);
	sample_recording_write_guests(self->path);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	g_unlink(self->path);
	g_assert_cmpint(g_rmdir(self->directory), ==, 0);
	g_free(self->directory);
	g_free(self->path);
}

static gboolean check_run(const struct row_vcpu_run *row, gpointer data)
{
	const struct row_vcpu_run *want = &sample_runs[(*(guint *)data)++];

	g_assert_cmpuint(row->vcpu, ==, want->vcpu);
	g_assert_cmpint(row->start_ns, ==, want->start_ns);
	g_assert_cmpint(row->duration_ns, ==, want->duration_ns);
	g_assert_cmpint(row->core, ==, want->core);
	g_assert_cmpint(row->state, ==, want->state);
	g_assert_cmpint(row->guest_ns, ==, want->guest_ns);
	g_assert_cmpint(row->hypervisor_ns, ==, want->hypervisor_ns);
	g_assert_cmpuint(row->cycles, ==, want->cycles);
	g_assert_cmpuint(row->exits, ==, want->exits);
	g_assert_cmpint(row->known, ==, want->known);
	g_assert_cmpfloat(row->confidence, ==, want->confidence);
	return TRUE;
}

static gboolean check_exit(const struct row_exit *row, gpointer data)
{
	const struct row_exit *want = &sample_exits[(*(guint *)data)++];

	g_assert_cmpint(row->start_ns, ==, want->start_ns);
	g_assert_cmpint(row->hypervisor_ns, ==, want->hypervisor_ns);
	g_assert_cmpint(row->idle_ns, ==, want->idle_ns);
	g_assert_cmpint(row->idle_hypervisor_ns, ==, want->idle_hypervisor_ns);
	g_assert_cmpint(row->reason, ==, want->reason);
	g_assert_cmpint(row->type, ==, want->type);
	g_assert_cmpint(row->has_return_address, ==, want->has_return_address);
	g_assert_cmphex(row->return_address_va, ==, want->return_address_va);
	g_assert_cmphex(row->resume_address_va, ==, want->resume_address_va);
	g_assert_cmpuint(row->vcpu, ==, want->vcpu);
	g_assert_cmpint(row->next_vcpu, ==, want->next_vcpu);
	g_assert_cmpint(row->ended, ==, want->ended);
	g_assert_cmpint(row->wake_ns, ==, want->wake_ns);
	g_assert_cmpint(row->injection_ns, ==, want->injection_ns);
	g_assert_cmpint(row->censored, ==, want->censored);
	g_assert_cmpint(row->instruction, ==, want->instruction);
	g_assert_cmpuint(row->handler, ==, want->handler);
	return TRUE;
}

static gboolean check_call(const struct row_hypervisor_call *row, gpointer data)
{
	const struct row_hypervisor_call *want = &sample_calls[(*(guint *)data)++];

	g_assert_cmpint(row->time_ns, ==, want->time_ns);
	g_assert_cmpuint(row->function, ==, want->function);
	g_assert_cmpuint(row->vcpu, ==, want->vcpu);
	return TRUE;
}

static gboolean check_request(const struct row_request *row, gpointer data)
{
	const struct row_request *want = &sample_requests[(*(guint *)data)++];

	g_assert_cmpuint(row->request, ==, want->request);
	g_assert_cmpint(row->frontend_vmid, ==, want->frontend_vmid);
	g_assert_cmpint(row->backend_vmid, ==, want->backend_vmid);
	g_assert_cmpint(row->number, ==, want->number);
	for (guint i = 0; i < REQUEST_STAGES; i++)
		g_assert_cmpint(row->t_ns[i], ==, want->t_ns[i]);
	g_assert_cmphex(row->marked, ==, want->marked);
	g_assert_cmphex(row->exact, ==, want->exact);
	g_assert_cmpuint(row->notify, ==, want->notify);
	g_assert_cmpint(row->censored, ==, want->censored);
	return TRUE;
}

static void test_round_trip(struct fixture *self, gconstpointer data)
{
	g_autoptr(recording_reader) reader = recording_reader_new(self->path, NULL);
	guint n_runs = 0, n_exits = 0, n_calls = 0, n_requests = 0;
	gsize n_vcpus, n_functions;
	const struct row_vcpu *vcpus = recording_reader_vcpus(reader, &n_vcpus);
	const struct row_function *functions = recording_reader_functions(reader, &n_functions);

	(void)data;
	g_assert_cmpuint(n_vcpus, ==, SAMPLE_VCPUS);
	g_assert_cmpuint(n_functions, ==, SAMPLE_FUNCTIONS);
	for (guint i = 0; i < SAMPLE_VCPUS; i++) {
		g_assert_cmpint(vcpus[i].vmid, ==, sample_vcpus[i].vmid);
		g_assert_cmpint(vcpus[i].number, ==, sample_vcpus[i].number);
		g_assert_cmpint(vcpus[i].numbered, ==, sample_vcpus[i].numbered);
		g_assert_true(recording_reader_vcpu_runs(reader, i, 0, SAMPLE_WINDOW_NS, check_run,
		                                         &n_runs, NULL));
	}
	g_assert_cmpstr(functions[1].role, ==, "wake");
	for (guint core = 0; core < 2; core++)
		g_assert_true(recording_reader_exits(reader, core, 0, SAMPLE_WINDOW_NS + 1,
		                                     check_exit, &n_exits, NULL));
	g_assert_true(recording_reader_hypervisor_calls(reader, 0, 0, SAMPLE_WINDOW_NS, check_call,
	                                                &n_calls, NULL));
	g_assert_true(recording_reader_requests(reader, check_request, &n_requests, NULL));
	g_assert_cmpuint(n_runs, ==, SAMPLE_RUNS);
	g_assert_cmpuint(n_exits, ==, SAMPLE_EXITS);
	g_assert_cmpuint(n_calls, ==, SAMPLE_CALLS);
	g_assert_cmpuint(n_requests, ==, SAMPLE_REQUESTS);
}

static void edit(const char *path, const char *sql)
{
	sqlite3 *db;

	g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		g_error("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static gboolean any_run(const struct row_vcpu_run *row, gpointer data)
{
	(void)row, (void)data;
	return TRUE;
}

static gboolean any_exit(const struct row_exit *row, gpointer data)
{
	(void)row, (void)data;
	return TRUE;
}

static gboolean any_call(const struct row_hypervisor_call *row, gpointer data)
{
	(void)row, (void)data;
	return TRUE;
}

static gboolean any_request(const struct row_request *row, gpointer data)
{
	(void)row, (void)data;
	return TRUE;
}

/* Everything that the tables of guests hold; FALSE with `error` where a row is refused. */
static gboolean read_all(const char *path, GError **error)
{
	g_autoptr(recording_reader) reader = recording_reader_new(path, error);
	gsize n;

	if (reader == NULL)
		return FALSE;
	recording_reader_vcpus(reader, &n);
	for (guint i = 0; i < n; i++) {
		if (!recording_reader_vcpu_runs(reader, i, 0, G_MAXINT64, any_run, NULL, error))
			return FALSE;
	}
	for (guint core = 0; core < 3; core++) {
		if (!recording_reader_exits(reader, core, 0, G_MAXINT64, any_exit, NULL, error) ||
		    !recording_reader_hypervisor_calls(reader, core, 0, G_MAXINT64, any_call, NULL,
		                                       error))
			return FALSE;
	}
	return recording_reader_requests(reader, any_request, NULL, error);
}

static void test_rules(struct fixture *self, gconstpointer data)
{
	static const char *const cases[] = {
		"UPDATE vcpu SET vcpu = 9 WHERE vcpu = 2",
		"UPDATE vcpu SET vmid = 'xen' WHERE vcpu = 0",
		"UPDATE vcpu SET numbered = 2 WHERE vcpu = 0",
		"UPDATE vcpu_run SET duration_ns = -1 WHERE vcpu = 0",
		"UPDATE vcpu_run SET duration_ns = 10000000 WHERE vcpu = 0",
		"UPDATE vcpu_run SET state = 4 WHERE vcpu = 1",
		"UPDATE vcpu_run SET guest_ns = 400001 WHERE vcpu = 1",
		"UPDATE vcpu_run SET core = x'00' WHERE vcpu = 1",
		"UPDATE vcpu_run SET confidence = 1.5 WHERE vcpu = 1",
		"UPDATE vcpu_run SET confidence = 9e999 WHERE vcpu = 1",
		"UPDATE vcpu_run SET known = 3 WHERE vcpu = 1",
		"UPDATE exit SET hypervisor_ns = 100001 WHERE core = 0",
		"UPDATE exit SET idle_ns = -1 WHERE core = 0",
		"UPDATE exit SET idle_hypervisor_ns = 60001 WHERE core = 0",
		"UPDATE exit SET reason = 11 WHERE core = 0",
		"UPDATE exit SET vcpu = 3 WHERE core = 0",
		"UPDATE exit SET next_vcpu = -2 WHERE core = 0",
		"UPDATE exit SET ended = 4 WHERE core = 0",
		"UPDATE exit SET censored = 'no' WHERE core = 0",
		"UPDATE exit SET instruction = 99 WHERE core = 0",
		"UPDATE exit SET handler = 2 WHERE core = 0",
		"UPDATE exit SET duration_ns = 9223372036854775807 WHERE core = 0",
		"UPDATE hypervisor_function SET function = 5 WHERE function = 1",
		"UPDATE hypervisor_function SET role = CAST(x'ff' AS TEXT) WHERE function = 1",
		"UPDATE hypervisor_call SET function = 2",
		"UPDATE hypervisor_call SET vcpu = 3",
		"UPDATE request SET frontend_vmid = -1 WHERE request = 0",
		"UPDATE request SET backend_vmid = 'none' WHERE request = 0",
		"UPDATE request SET number = -5 WHERE request = 0",
		"UPDATE request SET t0_ns = 420001 WHERE request = 0",
		"UPDATE request SET t8_ns = 750000 - 1 WHERE request = 0",
		"UPDATE request SET t8_ns = 1000001 WHERE request = 0",
		"UPDATE request SET t4_ns = 'soon' WHERE request = 0",
		"UPDATE request SET t5_ns = -9223372036854775808 WHERE request = 0",
		"UPDATE request SET t5_ns = NULL WHERE request = 1",
		"UPDATE request SET exact = 512 WHERE request = 0",
		"UPDATE request SET exact = 8 WHERE request = 1",
		"UPDATE request SET marked = 32 WHERE request = 1",
		"UPDATE request SET censored = 7 WHERE request = 0",
		"UPDATE request SET notify = x'01' WHERE request = 0",
		"UPDATE packed SET rows = 0 WHERE kind = 'exit'",
		"UPDATE packed SET rows = rows + 1 WHERE kind = 'vcpu_run'",
		"UPDATE packed SET data = x'' WHERE kind = 'exit'",
		"UPDATE packed SET data = substr(data, 1, 3) WHERE kind = 'vcpu_run'",
		"UPDATE packed SET data = x'ffffffffffffffffffffff' WHERE kind = 'exit'",
		"DROP TABLE packed",
		"DROP TABLE request",
		"DROP TABLE hypervisor_call",
		"DROP VIEW v_exit; DROP TABLE exit; CREATE VIEW exit AS SELECT 1 AS core",
	};
	g_autoptr(GError) none = NULL;

	(void)data;
	g_assert_true(read_all(self->path, &none));
	g_assert_no_error(none);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_unlink(self->path);
		sample_recording_write_guests(self->path);
		edit(self->path, cases[i]);
		/* The rows themselves, not their copies. */
		if (strstr(cases[i], "packed") == NULL)
			edit(self->path, "DELETE FROM packed");
		if (read_all(self->path, &error))
			g_error("not refused: %s", cases[i]);
		g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_CORRUPT);
	}
}

/* The writer keeps the same rules: what it took, the reader takes. */
static void test_writer_refuses(struct fixture *self, gconstpointer data)
{
	struct row_request bad[3] = { sample_requests[0], sample_requests[0], sample_requests[1] };

	(void)data;
	bad[0].t_ns[5] = 1;
	bad[1].marked |= 1 << 3;
	bad[2].t_ns[5] = OWNER_NO_VALUE;
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *path = g_build_filename(self->directory, "b.hvs", NULL);
		g_autoptr(recording_writer) writer = recording_writer_new(path, NULL);
		g_autoptr(GError) error = NULL;

		g_assert_false(recording_writer_request(writer, &bad[i], &error));
		g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER);
	}
}

/* Cut anywhere: refused as truncated, or, where SQLite's pages are whole, not more than that. */
static void test_truncated(struct fixture *self, gconstpointer data)
{
	g_autofree char *bytes = NULL;
	gsize n;

	(void)data;
	g_assert_true(g_file_get_contents(self->path, &bytes, &n, NULL));
	for (gsize at = 0; at < n; at += 997) {
		g_autoptr(GError) error = NULL;

		g_assert_true(g_file_set_contents(self->path, bytes, (gssize)at, NULL));
		g_assert_false(read_all(self->path, &error));
		g_assert_nonnull(error);
	}
}

static void test_views(struct fixture *self, gconstpointer data)
{
	static const char sql[] =
		"SELECT (SELECT count(*) FROM v_request WHERE known = 'exact' AND missing = 't3' "
		"AND notify_ns = 20000 AND backend_scheduling_ns = 30000 AND thread_wake_ns IS "
		"NULL "
		"AND service_ns = 250000 AND scheduling_ns = 30000 + 0 + 40000 AND total_ns = "
		"350001 AND number = 77 AND frontend = 'control' AND backend = 'domain 0') + "
		"10 * (SELECT count(*) FROM v_request WHERE known = 'inferred' AND start_ns = "
		"800000 AND total_ns IS NULL AND missing = 't0 t1 t2 t3 t4 t6 t7 t8')";
	sqlite3_stmt *statement = NULL;
	sqlite3 *db;

	(void)data;
	g_assert_cmpint(sqlite3_open_v2(self->path, &db, SQLITE_OPEN_READONLY, NULL), ==,
	                SQLITE_OK);
	g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
	g_assert_cmpint(sqlite3_column_int(statement, 0), ==, 11);
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

#define ADD(NAME, TEST)                                                                            \
	g_test_add("/schema/guest-rows/" NAME, struct fixture, NULL, setup, TEST, teardown)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("round-trip", test_round_trip);
	ADD("rules", test_rules);
	ADD("writer-refuses", test_writer_refuses);
	ADD("truncated", test_truncated);
	ADD("views", test_views);
	return g_test_run();
}
