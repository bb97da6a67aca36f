#include "analysis/account.h"
#include "schema/writer.h"
#include "tests/schema/sample-recording.h"

#include <glib/gstdio.h>

struct fixture {
	char *directory;
	char *path;
	recording_reader *reader;
	struct account account;
	struct names names;
};

static void setup(struct fixture *self, gconstpointer data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	self->directory = g_dir_make_tmp("hvscope-account-XXXXXX", NULL);
	self->path = g_build_filename(self->directory, "a.hvs", NULL);
	sample_recording_write(self->path, "measured");
	self->reader = recording_reader_new(self->path, &error);
	g_assert_no_error(error);
	g_assert_true(account_init(&self->account, self->reader, &error));
	names_init(&self->names, self->reader);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	account_deinit(&self->account);
	recording_reader_free(self->reader);
	g_unlink(self->path);
	g_rmdir(self->directory);
	g_free(self->directory);
	g_free(self->path);
}

static void test_adds_up(struct fixture *self, gconstpointer data)
{
	const struct account *account = &self->account;
	gint64 rows_ns = 0;

	(void)data;
	for (guint i = 0; i < account->rows->len; i++) {
		const struct account_row *row =
			&g_array_index(account->rows, struct account_row, i);

		rows_ns += row->time_ns;
		g_assert_cmpint(row->halted_ns, <=, row->time_ns);
		if (i > 0)
			g_assert_cmpuint(row->core, >=, row[-1].core);
	}
	g_assert_cmpint(rows_ns, ==, account->total.attributed_ns);
	g_assert_cmpint(rows_ns + account->total.lost_ns + account->total.untraced_ns +
	                        account->total.unknown_ns,
	                ==, (gint64)3 * SAMPLE_WINDOW_NS);
	g_assert_cmpint(account->total.lost_ns, ==, 50001);
	g_assert_cmpint(account->total.untraced_ns, ==, 200000);
	/* The unknown beginning of core 1, its missing end, and all of core 2. */
	g_assert_cmpint(account->total.unknown_ns, ==, 100000 + 100000 + SAMPLE_WINDOW_NS);
	g_assert_cmpint(account->cores[1].unknown_ns, ==, 200000);
	g_assert_cmpuint(account->total.cycles, ==, 680000 + 120005 + 720000);
	g_assert_cmpfloat_with_epsilon(account->coverage,
	                               (double)rows_ns / (3.0 * SAMPLE_WINDOW_NS), 1e-12);
}

static void test_rows(struct fixture *self, gconstpointer data)
{
	static const struct account_row want[] = {
		{ 0, { OWNER_GUEST, 0, 2, 97 }, 400000, 480000, 0, 1 },
		{ 0, { OWNER_GUEST, 1, 2, 98 }, 200000, 200000, 33333, 1 },
		{ 0, { OWNER_HYPERVISOR, 2, 2, 98 }, 100000, 120005, 0, 2 },
		{ 0, { OWNER_IDLE, 2, 2, -1 }, 249999, 0, 249999, 1 },
		{ 1, { OWNER_GUEST, 1, 1, -1 }, 100000, 120000, 0, 1 },
		{ 1, { OWNER_GUEST, 1, 1, 12 }, 500000, 600000, 0, 1 },
		{ 2, { OWNER_UNKNOWN, -1, -1, -1 }, 0, 0, 0, 0 },
	};

	(void)data;
	g_assert_cmpuint(self->account.rows->len, ==, G_N_ELEMENTS(want));
	for (guint i = 0; i < G_N_ELEMENTS(want); i++) {
		const struct account_row *row =
			&g_array_index(self->account.rows, struct account_row, i);

		g_assert_cmpuint(row->core, ==, want[i].core);
		g_assert_cmpint(row->owner.owner_class, ==, want[i].owner.owner_class);
		g_assert_cmpint(row->owner.el, ==, want[i].owner.el);
		g_assert_cmpint(row->owner.vmid, ==, want[i].owner.vmid);
		g_assert_cmpint(row->owner.context_id, ==, want[i].owner.context_id);
		g_assert_cmpint(row->time_ns, ==, want[i].time_ns);
		g_assert_cmpuint(row->cycles, ==, want[i].cycles);
		g_assert_cmpint(row->halted_ns, ==, want[i].halted_ns);
		g_assert_cmpuint(row->spans, ==, want[i].spans);
	}
}

struct group_want {
	const char *domain;
	const char *task;
	gint64 time_ns;
};

static void check_groups(const struct fixture *self, enum account_by by, gboolean by_cycles,
                         const struct group_want *want, guint n)
{
	g_autoptr(GArray) groups = account_group_by(&self->account, &self->names, by, by_cycles);
	gint64 sum_ns = 0;

	g_assert_cmpuint(groups->len, ==, n);
	for (guint i = 0; i < n; i++) {
		const struct account_group *group = &g_array_index(groups, struct account_group, i);

		g_assert_cmpstr(group->domain, ==, want[i].domain);
		g_assert_cmpstr(group->task, ==, want[i].task);
		g_assert_cmpint(group->time_ns, ==, want[i].time_ns);
		sum_ns += group->time_ns;
	}
	g_assert_cmpint(sum_ns, ==, self->account.total.attributed_ns);
}

static void test_groups(struct fixture *self, gconstpointer data)
{
	static const struct group_want domains[] = { { "domain 0", NULL, 600000 },
		                                     { "control", NULL, 600000 },
		                                     { "idle", NULL, 249999 },
		                                     { "Xen", NULL, 100000 } };
	static const struct group_want by_cycles[] = { { "domain 0", NULL, 600000 },
		                                       { "control", NULL, 600000 },
		                                       { "Xen", NULL, 100000 },
		                                       { "idle", NULL, 249999 } };
	static const struct group_want tasks[] = {
		{ "domain 0", "context 12", 500000 },
		{ "control", "calc", 400000 },
		{ "idle", NULL, 249999 },
		{ "control", "io", 200000 },
		{ "Xen", NULL, 100000 },
		{ "domain 0", NULL, 100000 },
	};

	(void)data;
	check_groups(self, ACCOUNT_BY_DOMAIN, FALSE, domains, G_N_ELEMENTS(domains));
	check_groups(self, ACCOUNT_BY_DOMAIN, TRUE, by_cycles, G_N_ELEMENTS(by_cycles));
	check_groups(self, ACCOUNT_BY_TASK, FALSE, tasks, G_N_ELEMENTS(tasks));
}

/* By core the time that is nobody's is there too: each core adds up to the window. */
static void test_by_core(struct fixture *self, gconstpointer data)
{
	g_autoptr(GArray) groups =
		account_group_by(&self->account, &self->names, ACCOUNT_BY_CORE, FALSE);
	gint64 sums_ns[3] = { 0 };

	(void)data;
	for (guint i = 0; i < groups->len; i++) {
		const struct account_group *group = &g_array_index(groups, struct account_group, i);

		sums_ns[group->core] += group->time_ns;
	}
	for (guint i = 0; i < 3; i++)
		g_assert_cmpint(sums_ns[i], ==, SAMPLE_WINDOW_NS);
}

static void test_hosts(void)
{
	g_autofree char *directory = g_dir_make_tmp("hvscope-account-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "a.hvs", NULL);
	const struct row_machine host = { 0, "server", "linux", OWNER_NO_VALUE, 0 };
	const struct row_machine bare = { 3, "loader", "bare", 0, 1 };
	const struct row_task tasks[] = { { 0, 7, "shell" }, { 3, 7, "main" } };
	const struct row_owner owner = { OWNER_HOST, 0, OWNER_NO_VALUE, 7 };

	for (guint round = 0; round < 2; round++) {
		struct recording_writer *writer = recording_writer_new(path, NULL);
		recording_reader *reader;
		struct names names;
		g_autofree char *domain = NULL;
		g_autofree char *task = NULL;

		g_assert_true(recording_writer_machine(writer, &host, NULL));
		g_assert_true(round == 0 || recording_writer_machine(writer, &bare, NULL));
		g_assert_true(recording_writer_task(writer, &tasks[0], NULL));
		g_assert_true(recording_writer_task(writer, &tasks[1], NULL));
		g_assert_true(recording_writer_finish(writer, NULL));
		recording_writer_free(writer);
		reader = recording_reader_new(path, NULL);
		names_init(&names, reader);
		domain = names_domain(&names, &owner);
		task = names_task(&names, &owner);
		g_assert_cmpstr(domain, ==, round == 0 ? "server" : "loader");
		g_assert_cmpstr(task, ==, round == 0 ? "shell" : "main");
		recording_reader_free(reader);
	}
	g_unlink(path);
	g_rmdir(directory);
}

static void test_contradiction(struct fixture *self, gconstpointer data)
{
	static const char *const edits[] = {
		"UPDATE account SET time_ns=600001 WHERE owner=0",
		"UPDATE account SET core=9 WHERE owner=0",
	};

	(void)data;
	for (gsize i = 0; i < G_N_ELEMENTS(edits); i++) {
		g_autoptr(recording_reader) reader = NULL;
		g_autoptr(GError) error = NULL;
		struct account account;
		sqlite3 *db;

		sample_recording_write(self->path, "measured");
		g_assert_cmpint(sqlite3_open(self->path, &db), ==, SQLITE_OK);
		g_assert_cmpint(sqlite3_exec(db, edits[i], NULL, NULL, NULL), ==, SQLITE_OK);
		sqlite3_close(db);
		reader = recording_reader_new(self->path, NULL);
		g_assert_false(account_init(&account, reader, &error));
		g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_CORRUPT);
	}
}

static void add(const char *name, void (*test)(struct fixture *, gconstpointer))
{
	g_test_add(name, struct fixture, NULL, setup, test, teardown);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/analysis/account/adds-up", test_adds_up);
	add("/analysis/account/rows", test_rows);
	add("/analysis/account/groups", test_groups);
	add("/analysis/account/by-core", test_by_core);
	add("/analysis/account/contradiction", test_contradiction);
	g_test_add_func("/analysis/account/hosts", test_hosts);
	return g_test_run();
}
