#include "schema/reader.h"
#include "schema/writer.h"

#include <glib/gstdio.h>
#include <string.h>

struct fixture {
	char *directory;
	char *path;
};

static const struct row_owner owners[] = {
	{ OWNER_GUEST, 0, 1, 97 },
	{ OWNER_HYPERVISOR, 2, 1, OWNER_NO_VALUE },
	{ OWNER_LOST, OWNER_NO_VALUE, OWNER_NO_VALUE, OWNER_NO_VALUE },
	{ OWNER_GUEST, 0, 1, 97, 2 },
};
static const struct row_core cores[] = {
	{ 0, "cpu_0", "Cortex-A53", "etm_0", "ETMv4", 0x10, 4096 },
	{ 1, "cpu_1", NULL, NULL, NULL, -1, 0 },
};
static const struct row_machine machines[] = { { 0, "Xen", "xen", OWNER_NO_VALUE, 0 },
	                                       { 1, "Dom0", "linux", 1, 2 } };
static const struct row_task tasks[] = { { 1, 97, "calc" }, { 1, 98, "io" } };
static const struct row_task_name task_names[] = {
	{ 1, 97, "calc", 97, OWNER_NO_VALUE, G_MININT64, 50, FALSE },
	{ 1, 97, "calc", 97, 1, 50, G_MAXINT64, TRUE },
};
static const struct row_gap gaps[] = { { 0, 40, 10, "overflow", 100, 110 },
	                               { 0, 80, 0, "no-sync", 200, 300 } };
static const struct row_exception exceptions[] = {
	{ 0, 10, 14, TRUE, 0xffff800008001000, 0, 1, 55 },
	{ 0, 30, 2, FALSE, 0, 0, 1, 66 },
};
static const struct row_stm messages[] = {
	{ "stm_0", TRUE, 12, G_MAXUINT64, 64, 1, "data", TRUE, (const guint8 *)"abc", 3, 7 },
	{ "stm_0", FALSE, 0, 0, 64, 2, "flag", FALSE, NULL, 0, 9 },
};
static const struct row_quality quality[] = { { "etm_0", "overflow", 43 },
	                                      { "etm_0", "resync", 1 } };
static const struct row_quality_event quality_events[] = { { "etm_0", "overflow", 100, NULL },
	                                                   { "etm_0", "overflow", 5, "why" } };

enum {
	SPANS = 10,
	SPAN_NS = 10
};

static struct row_span span_at(guint core, guint i)
{
	return (struct row_span) { .core = core,
		                   .start_ns = (gint64)i * SPAN_NS,
		                   .duration_ns = SPAN_NS,
		                   .cycles = 1000 + i,
		                   .halted_ns = i % 3,
		                   .uncertainty_ns = 2,
		                   .owner = i % 3,
		                   .certainty = i % 2 ? CERTAINTY_BRACKETED : CERTAINTY_TRACED,
		                   .trace_offset = (guint64)7 * i };
}

static void write_sample(const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_writer) writer = recording_writer_new(path, &error);
	struct row_span spans[SPANS];

	g_assert_no_error(error);
	for (gsize i = 0; i < G_N_ELEMENTS(owners); i++)
		g_assert_cmpuint(recording_writer_owner(writer, &owners[i]), ==, i);
	g_assert_cmpuint(recording_writer_owner(writer, &owners[1]), ==, 1);
	for (gsize i = 0; i < 2; i++) {
		g_assert_true(recording_writer_core(writer, &cores[i], &error));
		g_assert_true(recording_writer_machine(writer, &machines[i], &error));
		g_assert_true(recording_writer_task(writer, &tasks[i], &error));
		g_assert_true(recording_writer_task_name(writer, &task_names[i], &error));
		g_assert_true(recording_writer_gap(writer, &gaps[i], &error));
		g_assert_true(recording_writer_exception(writer, &exceptions[i], &error));
		g_assert_true(recording_writer_stm(writer, &messages[i], &error));
		g_assert_true(recording_writer_quality(writer, &quality[i], &error));
		g_assert_true(recording_writer_quality_event(writer, &quality_events[i], &error));
	}
	for (guint i = 0; i < SPANS; i++)
		spans[i] = span_at(0, i);
	g_assert_true(recording_writer_spans(writer, 0, spans, SPANS, &error));
	g_assert_true(recording_writer_meta(writer, "time", "modelled", &error));
	g_assert_true(recording_writer_meta_int(writer, "window_ns", 120, &error));
	g_assert_true(recording_writer_finish(writer, &error));
	g_assert_no_error(error);
}

static void setup(struct fixture *self, gconstpointer data)
{
	(void)data;
	self->directory = g_dir_make_tmp("hvscope-reader-XXXXXX", NULL);
	self->path = g_build_filename(self->directory, "a.hvs", NULL);
	write_sample(self->path);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	g_unlink(self->path);
	g_assert_cmpint(g_rmdir(self->directory), ==, 0);
	g_free(self->directory);
	g_free(self->path);
}

static void assert_task_names(const recording_reader *reader)
{
	gsize n;
	const struct row_task_name *names = recording_reader_task_names(reader, &n);

	g_assert_cmpuint(n, ==, G_N_ELEMENTS(task_names));
	for (gsize i = 0; i < n; i++) {
		g_assert_cmpuint(names[i].machine, ==, task_names[i].machine);
		g_assert_cmpint(names[i].context_id, ==, task_names[i].context_id);
		g_assert_cmpstr(names[i].name, ==, task_names[i].name);
		g_assert_cmpint(names[i].pid, ==, task_names[i].pid);
		g_assert_cmpint(names[i].cpu, ==, task_names[i].cpu);
		g_assert_cmpint(names[i].valid_from_ns, ==, task_names[i].valid_from_ns);
		g_assert_cmpint(names[i].valid_to_ns, ==, task_names[i].valid_to_ns);
		g_assert_true(names[i].doubtful == task_names[i].doubtful);
	}
}

static void test_small_tables(struct fixture *self, gconstpointer data)
{
	g_autoptr(recording_reader) reader = recording_reader_new(self->path, NULL);
	const struct row_core *core;
	const struct row_owner *owner;
	const struct row_machine *machine;
	const struct row_task *task;
	gint64 number;
	gsize n;

	(void)data;
	g_assert_cmpint(recording_reader_window_ns(reader), ==, 120);
	g_assert_cmpstr(recording_reader_meta(reader, "time"), ==, "modelled");
	g_assert_cmpstr(recording_reader_meta(reader, "tool_version"), ==, HVSCOPE_VERSION);
	g_assert_null(recording_reader_meta(reader, "nothing"));
	g_assert_true(recording_reader_meta_int(reader, "schema_version", &number));
	g_assert_cmpint(number, ==, RECORDING_SCHEMA_VERSION);
	g_assert_false(recording_reader_meta_int(reader, "time", &number));

	core = recording_reader_cores(reader, &n);
	g_assert_cmpuint(n, ==, 2);
	g_assert_cmpstr(core[0].type, ==, "Cortex-A53");
	g_assert_cmpstr(core[0].source, ==, "etm_0");
	g_assert_cmpint(core[0].trace_id, ==, 0x10);
	g_assert_cmpuint(core[0].trace_bytes, ==, 4096);
	g_assert_null(core[1].source);
	g_assert_cmpint(core[1].trace_id, ==, -1);
	owner = recording_reader_owners(reader, &n);
	g_assert_cmpuint(n, ==, G_N_ELEMENTS(owners));
	for (gsize i = 0; i < n; i++) {
		g_assert_cmpint(owner[i].owner_class, ==, owners[i].owner_class);
		g_assert_cmpint(owner[i].el, ==, owners[i].el);
		g_assert_cmpint(owner[i].vmid, ==, owners[i].vmid);
		g_assert_cmpint(owner[i].context_id, ==, owners[i].context_id);
		g_assert_cmpuint(owner[i].task_name, ==, owners[i].task_name);
	}
	machine = recording_reader_machines(reader, &n);
	g_assert_cmpuint(n, ==, 2);
	g_assert_cmpstr(machine[0].kind, ==, "xen");
	g_assert_cmpint(machine[0].vmid, ==, OWNER_NO_VALUE);
	g_assert_cmpuint(machine[1].vcpus, ==, 2);
	task = recording_reader_tasks(reader, &n);
	g_assert_cmpuint(n, ==, 2);
	g_assert_cmpint(task[1].context_id, ==, 98);
	g_assert_cmpstr(task[1].name, ==, "io");
	assert_task_names(reader);
}

static gboolean keep_span(const struct row_span *row, gpointer data)
{
	g_array_append_val((GArray *)data, *row);
	return TRUE;
}

static void assert_span(const struct row_span *got, const struct row_span *want)
{
	g_assert_cmpuint(got->core, ==, want->core);
	g_assert_cmpint(got->start_ns, ==, want->start_ns);
	g_assert_cmpint(got->duration_ns, ==, want->duration_ns);
	g_assert_cmpuint(got->cycles, ==, want->cycles);
	g_assert_cmpint(got->halted_ns, ==, want->halted_ns);
	g_assert_cmpint(got->uncertainty_ns, ==, want->uncertainty_ns);
	g_assert_cmpuint(got->owner, ==, want->owner);
	g_assert_cmpint(got->certainty, ==, want->certainty);
	g_assert_cmpuint(got->trace_offset, ==, want->trace_offset);
}

/* What a window gives is what a scan of all spans gives. */
static void test_spans(struct fixture *self, gconstpointer data)
{
	g_autoptr(recording_reader) reader = recording_reader_new(self->path, NULL);

	(void)data;
	for (gint64 from = 0; from < 100; from += 5) {
		for (gint64 to = from + 1; to <= 121; to += 4) {
			g_autoptr(GArray) got = g_array_new(FALSE, FALSE, sizeof(struct row_span));
			guint at = 0;

			g_assert_true(
				recording_reader_spans(reader, 0, from, to, keep_span, got, NULL));
			for (guint i = 0; i < SPANS; i++) {
				const struct row_span want = span_at(0, i);
				const struct row_span *span;

				if (want.start_ns + want.duration_ns <= from || want.start_ns >= to)
					continue;
				g_assert_cmpuint(at, <, got->len);
				span = &g_array_index(got, struct row_span, at++);
				assert_span(span, &want);
			}
			g_assert_cmpuint(at, ==, got->len);
		}
	}
}

static gboolean stop_at_once(const struct row_span *row, gpointer data)
{
	(void)row;
	++*(guint *)data;
	return FALSE;
}

static void test_stop(struct fixture *self, gconstpointer data)
{
	g_autoptr(recording_reader) reader = recording_reader_new(self->path, NULL);
	guint calls = 0;

	(void)data;
	g_assert_true(recording_reader_spans(reader, 0, 0, 100, stop_at_once, &calls, NULL));
	g_assert_cmpuint(calls, ==, 1);
}

static gboolean check_gap(const struct row_gap *row, gpointer data)
{
	const struct row_gap *want = &gaps[(*(guint *)data)++];

	g_assert_cmpint(row->start_ns, ==, want->start_ns);
	g_assert_cmpint(row->duration_ns, ==, want->duration_ns);
	g_assert_cmpstr(row->reason, ==, want->reason);
	g_assert_cmpuint(row->begin_offset, ==, want->begin_offset);
	g_assert_cmpuint(row->end_offset, ==, want->end_offset);
	return TRUE;
}

static gboolean check_exception(const struct row_exception *row, gpointer data)
{
	const struct row_exception *want = &exceptions[(*(guint *)data)++];

	g_assert_cmpint(row->time_ns, ==, want->time_ns);
	g_assert_cmpuint(row->type, ==, want->type);
	g_assert_cmpint(row->has_return_address, ==, want->has_return_address);
	g_assert_cmpuint(row->return_address_va, ==, want->return_address_va);
	g_assert_cmpuint(row->from_owner, ==, want->from_owner);
	g_assert_cmpuint(row->to_owner, ==, want->to_owner);
	return TRUE;
}

static gboolean check_stm(const struct row_stm *row, gpointer data)
{
	const struct row_stm *want = &messages[(*(guint *)data)++];

	g_assert_cmpint(row->has_time, ==, want->has_time);
	g_assert_cmpint(row->time_ns, ==, want->time_ns);
	g_assert_cmpuint(row->timestamp, ==, want->timestamp);
	g_assert_cmpuint(row->channel, ==, want->channel);
	g_assert_cmpstr(row->kind, ==, want->kind);
	g_assert_cmpint(row->marked, ==, want->marked);
	g_assert_cmpuint(row->payload_bytes, ==, want->payload_bytes);
	g_assert_true(want->payload_bytes == 0 ||
	              memcmp(row->payload, want->payload, want->payload_bytes) == 0);
	return TRUE;
}

static gboolean check_quality(const struct row_quality *row, gpointer data)
{
	const struct row_quality *want = &quality[(*(guint *)data)++];

	g_assert_cmpstr(row->name, ==, want->name);
	g_assert_cmpuint(row->count, ==, want->count);
	return TRUE;
}

static gboolean check_quality_event(const struct row_quality_event *row, gpointer data)
{
	const struct row_quality_event *want = &quality_events[(*(guint *)data)++];

	g_assert_cmpuint(row->trace_offset, ==, want->trace_offset);
	g_assert_cmpstr(row->detail, ==, want->detail);
	return TRUE;
}

static gboolean sum_account(const struct row_account *row, gpointer data)
{
	gint64 *sums = data;

	sums[0] += row->time_ns;
	sums[1] += (gint64)row->cycles;
	sums[2] += row->halted_ns;
	sums[3] += (gint64)row->spans;
	return TRUE;
}

static void test_rows(struct fixture *self, gconstpointer data)
{
	g_autoptr(recording_reader) reader = recording_reader_new(self->path, NULL);
	gint64 sums[4] = { 0 };
	guint n[5] = { 0 };

	(void)data;
	g_assert_true(recording_reader_gaps(reader, 0, 0, 120, check_gap, &n[0], NULL));
	g_assert_true(recording_reader_exceptions(reader, 0, 0, 120, check_exception, &n[1], NULL));
	g_assert_true(recording_reader_stm(reader, check_stm, &n[2], NULL));
	g_assert_true(recording_reader_quality(reader, check_quality, &n[3], NULL));
	g_assert_true(recording_reader_quality_events(reader, check_quality_event, &n[4], NULL));
	for (gsize i = 0; i < G_N_ELEMENTS(n); i++)
		g_assert_cmpuint(n[i], ==, 2);
	g_assert_true(recording_reader_account(reader, sum_account, sums, NULL));
	g_assert_cmpint(sums[0], ==, 100);
	g_assert_cmpint(sums[1], ==, 10045);
	g_assert_cmpint(sums[2], ==, 9);
	g_assert_cmpint(sums[3], ==, 10);
}

static void assert_refused(const char *path, enum recording_error code, const char *pattern)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(recording_reader_new(path, &error));
	g_test_message("%s", error->message);
	g_assert_error(error, RECORDING_ERROR, (gint)code);
	g_assert_true(g_pattern_match_simple(pattern, error->message));
}

static void edit(const char *path, const char *sql)
{
	sqlite3 *db;

	g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_exec(db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
	sqlite3_close(db);
}

static void test_refused(struct fixture *self, gconstpointer data)
{
	g_autofree char *snapshot = g_build_filename(self->directory, "snapshot.ini", NULL);
	g_autofree char *absent = g_build_filename(self->directory, "b.hvs", NULL);

	(void)data;
	assert_refused(absent, RECORDING_ERROR_ACCESS, "*b.hvs: cannot open*No such file*");
	assert_refused(self->directory, RECORDING_ERROR_NOT_RECORDING, "*is a directory*");
	g_assert_true(g_file_set_contents(snapshot, "", 0, NULL));
	assert_refused(self->directory, RECORDING_ERROR_NOT_RECORDING, "*hvscope decode*");
	g_unlink(snapshot);
	g_assert_true(recording_probe(self->path));
	edit(self->path, "PRAGMA user_version=2");
	assert_refused(self->path, RECORDING_ERROR_NEWER, "*schema version 2, this one knows 1*");
	edit(self->path, "PRAGMA user_version=1; PRAGMA application_id=5");
	assert_refused(self->path, RECORDING_ERROR_NOT_RECORDING, "*of another program*");
	g_assert_false(recording_probe(self->path));
	g_assert_true(g_file_set_contents(self->path, "", 0, NULL));
	assert_refused(self->path, RECORDING_ERROR_TRUNCATED, "*is empty*");
	g_assert_true(g_file_set_contents(self->path, "%PDF", -1, NULL));
	assert_refused(self->path, RECORDING_ERROR_NOT_RECORDING, "*not an SQLite file*");
}

static void test_rules(struct fixture *self, gconstpointer data)
{
	static const struct {
		const char *sql;
		const char *pattern;
	} cases[] = {
		{ "DELETE FROM meta WHERE key='window_ns'", "*window_ns is missing*" },
		{ "UPDATE meta SET value='-1' WHERE key='window_ns'", "*window_ns*" },
		{ "UPDATE owner SET class='king' WHERE owner=1", "*table owner: a row*" },
		{ "UPDATE owner SET owner=7 WHERE owner=1", "*table owner: a row*" },
		{ "UPDATE owner SET el=4 WHERE owner=1", "*table owner: a row*" },
		{ "UPDATE core SET trace_id=999", "*table core: a row*" },
		{ "UPDATE task SET name=CAST(x'ff' AS TEXT)", "*table task: a row*" },
		{ "UPDATE task_name SET task_name=5 WHERE task_name=1",
		  "*table task_name: a row*" },
		{ "UPDATE task_name SET valid_to_ns=-9, valid_from_ns=4 WHERE task_name=0",
		  "*table task_name: a row*" },
		{ "UPDATE task_name SET doubtful=2", "*table task_name: a row*" },
		{ "UPDATE owner_name SET task_name=2", "*table owner_name: a row*" },
		{ "UPDATE owner_name SET owner=9", "*table owner_name: a row*" },
		{ "DROP TABLE owner_name; CREATE VIEW owner_name AS SELECT 0 AS owner, 0 AS "
		  "task_name",
		  "*table owner_name: it is no table*" },
		{ "DROP TABLE gap", "*table gap: it is missing*" },
		{ "DROP VIEW span_owner; DROP TABLE stm; CREATE VIEW stm AS SELECT 1",
		  "*table stm: it is missing*" },
	};

	(void)data;
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		write_sample(self->path);
		edit(self->path, cases[i].sql);
		assert_refused(self->path, RECORDING_ERROR_CORRUPT, cases[i].pattern);
	}
}

static void test_span_rules(struct fixture *self, gconstpointer data)
{
	static const char *const cases[] = {
		"owner=99",        "owner=-1",         "duration_ns=-1", "start_ns=10000",
		"cycles=-1",       "halted_ns=11",     "certainty=2",    "duration_ns='long'",
		"trace_offset=-1", "duration_ns=1000",
	};

	(void)data;
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *sql =
			g_strdup_printf("UPDATE span SET %s WHERE start_ns=50", cases[i]);
		g_autoptr(recording_reader) reader = NULL;
		g_autoptr(GArray) got = g_array_new(FALSE, FALSE, sizeof(struct row_span));
		g_autoptr(GError) error = NULL;

		write_sample(self->path);
		edit(self->path, sql);
		reader = recording_reader_new(self->path, NULL);
		g_assert_false(
			recording_reader_spans(reader, 0, 0, G_MAXINT64, keep_span, got, &error));
		g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_CORRUPT);
	}
}

static gboolean count_span(const struct row_span *row, gpointer data)
{
	g_assert_cmpint(row->duration_ns, >=, 0);
	++*(guint *)data;
	return TRUE;
}

/* Cut anywhere, or with any byte changed: an error or sound rows, never a crash. */
static void test_damage(struct fixture *self, gconstpointer data)
{
	g_autofree char *whole = NULL;
	gsize length;

	(void)data;
	g_assert_true(g_file_get_contents(self->path, &whole, &length, NULL));
	for (gsize cut = 0; cut < length; cut += 509) {
		g_assert_true(g_file_set_contents(self->path, whole, (gssize)cut, NULL));
		assert_refused(self->path, RECORDING_ERROR_TRUNCATED, "*decode the capture again*");
	}
	for (guint round = 0; round < 400; round++) {
		const gsize at = (gsize)g_test_rand_int_range(0, (gint32)length);
		const char saved = whole[at];
		g_autoptr(recording_reader) reader = NULL;
		gint64 sums[4] = { 0 };
		guint n = 0;

		whole[at] = (char)g_test_rand_int_range(0, 256);
		g_assert_true(g_file_set_contents(self->path, whole, (gssize)length, NULL));
		whole[at] = saved;
		reader = recording_reader_new(self->path, NULL);
		if (reader == NULL)
			continue;
		recording_reader_spans(reader, 0, 0, G_MAXINT64, count_span, &n, NULL);
		recording_reader_account(reader, sum_account, sums, NULL);
	}
}

static void add(const char *name, void (*test)(struct fixture *, gconstpointer))
{
	g_test_add(name, struct fixture, NULL, setup, test, teardown);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/schema/reader/small-tables", test_small_tables);
	add("/schema/reader/spans", test_spans);
	add("/schema/reader/stop", test_stop);
	add("/schema/reader/rows", test_rows);
	add("/schema/reader/refused", test_refused);
	add("/schema/reader/rules", test_rules);
	add("/schema/reader/span-rules", test_span_rules);
	add("/schema/reader/damage", test_damage);
	return g_test_run();
}
