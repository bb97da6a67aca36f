/* Opening a recording and reading all of it: whatever the file holds, a row that comes
 * out keeps the rules of its table. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/quality.h"
#include "analysis/schedule.h"

static char *path;

static void path_remove(void)
{
	g_unlink(path);
	g_clear_pointer(&path, g_free);
}

static void path_make(void)
{
	/* Memory, where there is one: the file is written anew for each input. */
	const gboolean shm = g_access("/dev/shm", W_OK | X_OK) == 0;

	path = g_build_filename(shm ? "/dev/shm" : g_get_tmp_dir(), "hvscope-fuzz-XXXXXX", NULL);
	close(g_mkstemp(path));
	atexit(path_remove);
}

static void write_whole(const uint8_t *bytes, size_t len_bytes)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(write(fd, bytes, len_bytes), ==, (gint64)len_bytes);
	close(fd);
}

struct totals {
	gint64 window_ns;
	gsize n_owners, n_vcpus;
	guint64 rows;
};

static gboolean check_span(const struct row_span *row, gpointer data)
{
	struct totals *totals = data;

	g_assert_cmpint(row->start_ns, >=, 0);
	g_assert_cmpint(row->duration_ns, >=, 0);
	g_assert_cmpint(row->start_ns, <=, totals->window_ns - row->duration_ns);
	g_assert_cmpint(row->halted_ns, <=, row->duration_ns);
	g_assert_cmpuint(row->owner, <, totals->n_owners);
	totals->rows++;
	return TRUE;
}

static gboolean check_exception(const struct row_exception *row, gpointer data)
{
	struct totals *totals = data;

	g_assert_cmpuint(row->from_owner, <, totals->n_owners);
	g_assert_cmpuint(row->to_owner, <, totals->n_owners);
	totals->rows++;
	return TRUE;
}

static gboolean check_lod(const struct row_lod *row, gpointer data)
{
	struct totals *totals = data;

	g_assert_cmpuint(row->owner, <, totals->n_owners);
	g_assert_cmpint(row->time_ns, <=, lod_width_ns(row->level));
	totals->rows++;
	return TRUE;
}

static gboolean check_stm(const struct row_stm *row, gpointer data)
{
	g_assert_true(g_utf8_validate(row->source, -1, NULL));
	g_assert_true(row->payload_bytes == 0 || row->payload != NULL);
	((struct totals *)data)->rows++;
	return TRUE;
}

static gboolean check_run(const struct row_vcpu_run *row, gpointer data)
{
	struct totals *totals = data;

	g_assert_cmpuint(row->vcpu, <, totals->n_vcpus);
	g_assert_cmpint(row->start_ns, <=, totals->window_ns - row->duration_ns);
	g_assert_cmpint(row->guest_ns + row->hypervisor_ns, <=, row->duration_ns);
	g_assert_true(row->confidence >= 0 && row->confidence <= 1);
	totals->rows++;
	return TRUE;
}

static gboolean check_exit(const struct row_exit *row, gpointer data)
{
	struct totals *totals = data;

	g_assert_cmpuint(row->vcpu, <, totals->n_vcpus);
	g_assert_cmpint(row->next_vcpu, <, (gint)totals->n_vcpus);
	g_assert_cmpint(row->start_ns, <=, totals->window_ns - row->duration_ns);
	g_assert_cmpint(row->idle_hypervisor_ns, <=, row->hypervisor_ns);
	g_assert_nonnull(exit_reason_name(row->reason));
	totals->rows++;
	return TRUE;
}

static gboolean check_request(const struct row_request *row, gpointer data)
{
	struct totals *totals = data;

	g_assert_true(row_request_is_valid(row));
	g_assert_cmpint(row->t_ns[REQUEST_STAGES - 1], <=, totals->window_ns);
	totals->rows++;
	return TRUE;
}

/* The reports' tables of whatever the file holds. */
static void check_figures(recording_reader *reader)
{
	static struct figures *(*const makers[])(const struct schedule_rows *) = {
		schedule_figures, exits_figures, overhead_by_vcpu, latency_figures,
		backend_stages,   backend_pairs, backend_requests
	};
	const struct schedule_filter filter = { .vcpu = OWNER_NO_VALUE, .to_ns = G_MAXINT64 };
	struct schedule_rows rows;

	if (!schedule_rows_init(&rows, reader, &filter, NULL))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(makers); i++)
		figures_free(makers[i](&rows));
	schedule_rows_deinit(&rows);
}

static void check_guests(recording_reader *reader, struct totals *totals)
{
	const struct row_core *cores;
	gsize n_cores;

	recording_reader_vcpus(reader, &totals->n_vcpus);
	for (guint i = 0; i < totals->n_vcpus; i++)
		recording_reader_vcpu_runs(reader, i, 0, G_MAXINT64, check_run, totals, NULL);
	cores = recording_reader_cores(reader, &n_cores);
	for (gsize i = 0; i < n_cores; i++)
		recording_reader_exits(reader, cores[i].core, 0, G_MAXINT64, check_exit, totals,
		                       NULL);
	recording_reader_requests(reader, check_request, totals, NULL);
	check_figures(reader);
}

static void check_core(recording_reader *reader, guint core, struct totals *totals)
{
	gboolean has_level = FALSE;
	guint level = 0;

	recording_reader_spans(reader, core, 0, G_MAXINT64, check_span, totals, NULL);
	recording_reader_exceptions(reader, core, 0, G_MAXINT64, check_exception, totals, NULL);
	if (recording_reader_lod_level(reader, core, G_MAXINT64, &has_level, &level, NULL) &&
	    has_level)
		recording_reader_lod(reader, core, level, 0, G_MAXINT64, check_lod, totals, NULL);
}

static void check_account(recording_reader *reader)
{
	struct quality quality;
	gint64 rows_ns = 0;
	gint64 all_ns;

	if (!quality_init(&quality, reader, NULL))
		return;
	for (guint i = 0; i < quality.account.rows->len; i++)
		rows_ns += g_array_index(quality.account.rows, struct account_row, i).time_ns;
	all_ns = rows_ns + quality.account.total.lost_ns + quality.account.total.untraced_ns +
	         quality.account.total.unknown_ns;
	g_assert_cmpint(all_ns, ==, (gint64)quality.account.n_cores * quality.account.window_ns);
	quality_deinit(&quality);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_reader) reader = NULL;
	const struct row_core *cores;
	struct totals totals = { 0 };
	gsize n_cores;

	if (path == NULL)
		path_make();
	write_whole(bytes, len_bytes);
	reader = recording_reader_new(path, &error);
	g_assert_true((reader == NULL) == (error != NULL));
	if (reader == NULL)
		return 0;
	totals.window_ns = recording_reader_window_ns(reader);
	recording_reader_owners(reader, &totals.n_owners);
	cores = recording_reader_cores(reader, &n_cores);
	for (gsize i = 0; i < n_cores; i++)
		check_core(reader, cores[i].core, &totals);
	recording_reader_stm(reader, check_stm, &totals, NULL);
	check_account(reader);
	check_guests(reader, &totals);
	return 0;
}
