/* How fast spans go into a recording: the writer's INSERT..SELECT from a virtual
 * table, against one prepared statement a row into the same table, in one run.
 *
 * Usage: bench-ingest [MILLIONS OF ROWS]
 */
#include "schema/db.h"
#include "schema/span-vtab.h"
#include "schema/writer.h"

#include <glib/gstdio.h>
#include <stdlib.h>

enum {
	OWNERS = 24,
	DEFAULT_MILLIONS = 5
};

/* Durations, cycles and offsets of the size that a real hypervisor trace has: a guest
 * and the hypervisor in turns, another guest now and then. */
static struct row_span *make_spans(gsize n)
{
	struct row_span *spans = g_new0(struct row_span, n);
	GRand *random = g_rand_new_with_seed(1);
	gint64 at_ns = 0;
	guint guest = 1;

	for (gsize i = 0; i < n; i++) {
		if (g_rand_int_range(random, 0, 100) == 0)
			guest = (guint)g_rand_int_range(random, 1, OWNERS);
		spans[i] = (struct row_span) {
			.start_ns = at_ns,
			.duration_ns = g_rand_int_range(random, 0, 9000),
			.cycles = (guint64)g_rand_int_range(random, 0, 12000),
			.uncertainty_ns = 16,
			.owner = i % 2 == 0 ? 0 : guest,
			.trace_offset = i * 9,
		};
		at_ns += spans[i].duration_ns;
	}
	g_rand_free(random);
	return spans;
}

static void check(gboolean done, const GError *error)
{
	if (done)
		return;
	g_printerr("bench-ingest: %s\n", error != NULL ? error->message : "failed");
	exit(1);
}

static struct recording_writer *writer_start(const char *path)
{
	const struct row_core core = { .core = 0, .trace_id = OWNER_NO_VALUE };
	g_autoptr(GError) error = NULL;
	struct recording_writer *writer = recording_writer_new(path, &error);

	check(writer != NULL, error);
	check(recording_writer_core(writer, &core, &error), error);
	for (guint i = 0; i < OWNERS; i++) {
		const struct row_owner owner = { OWNER_GUEST, 1, 1, i };

		recording_writer_owner(writer, &owner);
	}
	return writer;
}

/* Seconds for everything that the writer does: spans, account, levels, commit. */
static double time_writer(const char *path, const struct row_span *spans, gsize n)
{
	g_autoptr(GError) error = NULL;
	struct recording_writer *writer = writer_start(path);
	const gint64 begin_us = g_get_monotonic_time();

	check(recording_writer_spans(writer, 0, spans, n, &error), error);
	check(recording_writer_finish(writer, &error), error);
	recording_writer_free(writer);
	return (double)(g_get_monotonic_time() - begin_us) / 1e6;
}

static const char table_sql[] =
	"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536; BEGIN;"
	"CREATE TABLE span (core, start_ns, seq, duration_ns, cycles, halted_ns, uncertainty_ns, "
	"owner, certainty, trace_offset, PRIMARY KEY (core, start_ns, seq)) WITHOUT ROWID;";

static void insert_rows(sqlite3 *db, const struct row_span *spans, gsize n)
{
	sqlite3_stmt *statement;

	sqlite3_prepare_v2(db, "INSERT INTO span VALUES (?,?,?,?,?,?,?,?,?,?)", -1, &statement,
	                   NULL);
	for (gsize i = 0; i < n; i++) {
		const gint64 values[] = { spans[i].core,
			                  spans[i].start_ns,
			                  (gint64)i,
			                  spans[i].duration_ns,
			                  (gint64)spans[i].cycles,
			                  spans[i].halted_ns,
			                  spans[i].uncertainty_ns,
			                  spans[i].owner,
			                  spans[i].certainty,
			                  (gint64)spans[i].trace_offset };

		for (int j = 0; j < (int)G_N_ELEMENTS(values); j++)
			sqlite3_bind_int64(statement, j + 1, values[j]);
		check(sqlite3_step(statement) == SQLITE_DONE, NULL);
		sqlite3_reset(statement);
	}
	sqlite3_finalize(statement);
}

/* Seconds for the span table alone. */
static double time_table(const char *path, const struct row_span *spans, gsize n, gboolean bulk)
{
	const struct span_source source = { .spans = spans, .n_spans = n };
	sqlite3 *db;
	gint64 begin_us;

	g_unlink(path);
	begin_us = g_get_monotonic_time();
	check(sqlite3_open(path, &db) == SQLITE_OK &&
	              sqlite3_exec(db, table_sql, NULL, NULL, NULL) == SQLITE_OK &&
	              span_vtab_register(db, &source) == SQLITE_OK,
	      NULL);
	if (bulk)
		check(sqlite3_exec(db, span_vtab_insert_sql, NULL, NULL, NULL) == SQLITE_OK, NULL);
	else
		insert_rows(db, spans, n);
	check(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, NULL);
	sqlite3_close(db);
	return (double)(g_get_monotonic_time() - begin_us) / 1e6;
}

int main(int argc, char **argv)
{
	const gint64 millions = argc > 1 ? g_ascii_strtoll(argv[1], NULL, 10) : DEFAULT_MILLIONS;
	const gsize n = (gsize)CLAMP(millions, 1, 100) * 1000000;
	g_autofree char *directory = g_dir_make_tmp("hvscope-bench-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "a.hvs", NULL);
	g_autofree struct row_span *spans = make_spans(n);
	double rows_s, bulk_s, writer_s;
	GStatBuf status;

	rows_s = time_table(path, spans, n, FALSE);
	bulk_s = time_table(path, spans, n, TRUE);
	g_unlink(path);
	writer_s = time_writer(path, spans, n);
	g_stat(path, &status);
	g_unlink(path);
	g_rmdir(directory);
	g_print("ingest, %" G_GSIZE_FORMAT " million spans of one core:\n", n / 1000000);
	g_print("  %-44s %7.0f krow/s  1.00\n", "one statement a row, span table alone",
	        (double)n / rows_s / 1e3);
	g_print("  %-44s %7.0f krow/s  %.2f\n", "from the virtual table, span table alone",
	        (double)n / bulk_s / 1e3, rows_s / bulk_s);
	g_print("  %-44s %7.0f krow/s  %.2f\n", "the writer: also account and levels of detail",
	        (double)n / writer_s / 1e3, rows_s / writer_s);
	g_print("  %.1f bytes of recording a span\n", (double)status.st_size / (double)n);
	return 0;
}
