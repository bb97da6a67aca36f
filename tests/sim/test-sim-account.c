/* The whole way by command line: trace of a real Xen goes through the simulated board, OpenOCD,
 * `hvscope capture` and `hvscope decode`, and the account is the one of the trace itself. The same
 * for trace that comes as perf.data and as a raw dump. */
#include "capture/import.h"
#include "tests/capture/perf-file.h"
#include "tests/capture/snapshot-copy.h"
#include "tests/sim/fixture.h"
#include "tests/sim/streams.h"

#include <glib/gstdio.h>
#include <string.h>

enum {
	N_TRACED = 2,
	TIMESTAMP_HZ = 62500000,
};

static char *hvscope_path(void)
{
	return g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "cli", "hvscope", NULL);
}

/* Standard output; fails the test where the exit status is not `status`. */
static char *hvscope(gint status, ...) G_GNUC_NULL_TERMINATED;

static char *hvscope(gint status, ...)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autofree char *program = hvscope_path();
	g_autoptr(GError) error = NULL;
	g_autofree char *err = NULL;
	char *out = NULL;
	gint wait_status;
	va_list args;

	g_ptr_array_add(argv, program);
	va_start(args, status);
	for (char *word = va_arg(args, char *); word != NULL; word = va_arg(args, char *))
		g_ptr_array_add(argv, word);
	va_end(args);
	g_ptr_array_add(argv, NULL);
	g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err,
	             &wait_status, &error);
	g_assert_no_error(error);
	if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != status)
		g_error("hvscope %s: status %d, not %d: %s%s", (char *)argv->pdata[1], wait_status,
		        status, out, err);
	return out;
}

/* Rows of the time report: who ran how long, how often, and in how many cycles. The recording
 * is `name`.hvs. */
static char *account_of_capture(const char *capture_dir, const char *name)
{
	g_autofree char *recording = g_strconcat(name, ".hvs", NULL);
	g_autofree char *text = NULL;

	g_free(hvscope(0, "decode", capture_dir, "-o", recording, NULL));
	text = hvscope(0, "report", "time", "--json", recording, NULL);
	g_assert_nonnull(strstr(text, "\"rows\""));
	g_assert_nonnull(strstr(text, "\"class\" : "));
	return g_strdup(strstr(text, "\"rows\""));
}

static char *account_of(const char *capture_dir)
{
	return account_of_capture(capture_dir, capture_dir);
}

/* A capture of the project's samples (a path with a '/') or of the data folder. */
static struct snapshot *open_capture(const char *name, GError **error)
{
	const char *data = g_getenv("HVSCOPE_DATA");
	const char *source = g_getenv("HVSCOPE_SOURCE_ROOT");
	g_autofree char *folder =
		data != NULL ? g_build_filename(data, "captures", NULL)
			     : g_build_filename(source, "../shared/data/captures", NULL);
	g_autofree char *path =
		g_build_filename(strchr(name, '/') != NULL ? source : folder, name, NULL);

	return snapshot_open(path, error);
}

static struct snapshot *open_xen(void)
{
	struct snapshot *snapshot = open_capture("xen-1s", NULL);

	if (snapshot == NULL)
		g_test_skip("the capture of Xen is not here (HVSCOPE_DATA)");
	return snapshot;
}

static void split_xen(const struct snapshot *xen, struct streams *streams)
{
	g_autoptr(GMappedFile) trace = snapshot_buffer_map(&xen->buffers[0], NULL);

	g_assert_nonnull(trace);
	streams_init(streams);
	streams_split(streams, (const guint8 *)g_mapped_file_get_contents(trace), 4 << 20);
}

static void append_frame(gpointer data, const guint8 frame[16])
{
	g_byte_array_append(data, frame, 16);
}

static void add_source(GArray *sources, const struct snapshot *xen, guint core)
{
	struct import_source source = { "ETM4", (gint)core, "Cortex-A53",
		                        g_array_new(FALSE, FALSE, sizeof(struct import_register)) };
	const struct snapshot_device *device = xen->sources[core].device;

	for (guint i = 0; i < device->n_regs; i++) {
		struct import_register reg = { device->regs[i].name, device->regs[i].value };

		g_array_append_val(source.registers, reg);
	}
	g_array_append_val(sources, source);
}

/* The account of a raw dump of frames with the registers of Xen's capture. */
static char *account_of_raw(const struct snapshot *xen, const char *file, const char *dir)
{
	g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(struct import_source));
	struct import_raw raw = { file, SNAPSHOT_FORMAT_CORESIGHT, sources, TIMESTAMP_HZ };
	g_autoptr(GError) error = NULL;
	struct import_result result;

	for (guint core = 0; core < N_TRACED; core++)
		add_source(sources, xen, core);
	import_raw(&raw, dir, &result, &error);
	g_assert_no_error(error);
	import_result_clear(&result);
	for (guint i = 0; i < sources->len; i++)
		g_array_unref(g_array_index(sources, struct import_source, i).registers);
	return account_of(dir);
}

/* The streams in frames of another order than the board makes. */
static char *reference_account(const struct fixture *f, const struct snapshot *xen,
                               const struct streams *streams, guint stream_bytes)
{
	g_autoptr(GByteArray) frames = g_byte_array_new();
	g_autofree char *file = g_build_filename(f->dir, "reference.bin", NULL);
	g_autofree char *dir = g_build_filename(f->dir, "reference", NULL);
	struct formatter formatter;

	formatter_init(&formatter, append_frame, frames);
	for (guint at = 0; at < stream_bytes; at += 1000) {
		for (guint core = 0; core < N_TRACED; core++) {
			const GByteArray *stream = streams->of_id[0x10 + core];

			for (guint i = at; i < MIN(at + 1000, stream_bytes) && i < stream->len; i++)
				formatter_push(&formatter, (guint8)(0x10 + core), stream->data[i]);
		}
	}
	formatter_flush(&formatter);
	g_assert_true(
		g_file_set_contents(file, (const char *)frames->data, (gssize)frames->len, NULL));
	return account_of_raw(xen, file, dir);
}

static void feed_xen(struct fixture *f, const struct streams *streams, guint stream_bytes)
{
	g_mutex_lock(&f->soc->lock);
	for (guint core = 0; core < N_TRACED; core++) {
		const GByteArray *stream = streams->of_id[0x10 + core];
		g_autoptr(GBytes) bytes = g_bytes_new(stream->data, MIN(stream->len, stream_bytes));

		sim_soc_feed(f->soc, core, bytes, FALSE);
	}
	sim_soc_find(f->soc, "tsgen")->regs[0x20 / 4] = TIMESTAMP_HZ;
	g_mutex_unlock(&f->soc->lock);
}

/* As much as the sink holds. */
static const struct sink_case {
	const char *sink;
	guint stream_bytes; /* of each core */
} sink_cases[] = { { "etf1", 1200 }, { "etf2", 3000 }, { "etr", 200000 } };

static void test_capture(gconstpointer data)
{
	const struct sink_case *c = data;
	g_autoptr(Snapshot) xen = NULL;
	struct streams streams;
	struct fixture f;

	if (!fixture_init(&f, NULL))
		return;
	xen = open_xen();
	if (xen == NULL) {
		fixture_deinit(&f);
		return;
	}
	split_xen(xen, &streams);
	feed_xen(&f, &streams, c->stream_bytes);
	g_autofree char *link = g_strdup_printf("openocd:127.0.0.1:%u", f.port);
	g_autofree char *dir = g_build_filename(f.dir, "capture", NULL);
	g_autofree char *log = g_build_filename(f.dir, "writes.log", NULL);
	g_autofree char *probe =
		hvscope(0, "capture", "probe", "--board", "zynqmp", "--link", link, NULL);

	g_assert_nonnull(strstr(probe, "nothing wrong"));
	g_free(hvscope(0, "capture", "--board", "zynqmp", "--link", link, "--sink", c->sink,
	               "--preset", "full", "--cores", "0,1", "--for", "400ms", "--etr-buffer",
	               "0x60000000+1M", "--log", log, "-o", dir, NULL));
	g_autofree char *account = account_of(dir);
	g_autofree char *reference = reference_account(&f, xen, &streams, c->stream_bytes);

	g_assert_cmpstr(account, ==, reference);
	g_assert_true(g_file_test(log, G_FILE_TEST_IS_REGULAR));
	fixture_assert_no_violations(&f);
	streams_deinit(&streams);
	fixture_deinit(&f);
}

/* One second of Xen as perf.data. */
static void test_perf(void)
{
	struct perf_file_options options = { .version = 2 };
	g_autoptr(Snapshot) xen = open_xen();
	g_autofree char *dir = g_dir_make_tmp("hvscope-account-XXXXXX", NULL);

	if (xen == NULL)
		return;
	g_autoptr(GByteArray) bytes = perf_file_from_snapshot(xen, &options);
	g_autofree char *perf = g_build_filename(dir, "perf.data", NULL);
	g_autofree char *imported = g_build_filename(dir, "imported", NULL);
	g_autofree char *raw = g_build_filename(dir, "raw", NULL);

	g_assert_true(
		g_file_set_contents(perf, (const char *)bytes->data, (gssize)bytes->len, NULL));
	g_free(hvscope(0, "import", perf, "--timestamp-hz", "62500000", "-o", imported, NULL));
	g_autofree char *account = account_of(imported);
	g_autofree char *reference = account_of_raw(xen, xen->buffers[0].paths[0], raw);

	g_assert_cmpstr(account, ==, reference);
	fixture_remove_tree(dir);
}

/* A capture of the lab, and one of a real board, each as perf.data with any metadata, per CPU and
 * per thread, and written once more as a snapshot: all give the account of the capture itself. */
static void test_exchange(gconstpointer data)
{
	static const struct perf_file_options options[] = {
		{ .version = 0 },
		{ .version = 1, .pipe = TRUE },
		{ .version = 2 },
		{ .version = 2, .per_thread = TRUE },
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) capture = open_capture(data, &error);
	g_autofree char *dir = g_dir_make_tmp("hvscope-account-XXXXXX", NULL);

	if (capture == NULL) {
		g_test_skip("the capture is not here (HVSCOPE_DATA)");
		g_rmdir(dir);
		return;
	}
	g_autofree char *hz = g_strdup_printf("%" G_GUINT64_FORMAT, capture->timestamp_hz);
	g_autofree char *own = g_build_filename(dir, "own", NULL);
	g_autofree char *wanted = account_of_capture(capture->dir, own);
	g_autofree char *copied = g_build_filename(dir, "copied", NULL);
	g_autoptr(SnapshotWriter) writer = snapshot_writer_new(copied, &error);

	snapshot_copy(writer, capture);
	snapshot_writer_finish(writer, &error);
	g_assert_no_error(error);
	g_autofree char *again = account_of(copied);

	g_assert_cmpstr(again, ==, wanted);
	for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
		g_autoptr(GByteArray) bytes = perf_file_from_snapshot(capture, &options[i]);
		g_autofree char *perf = g_build_filename(dir, "perf.data", NULL);
		g_autofree char *imported = g_strdup_printf("%s/imported%" G_GSIZE_FORMAT, dir, i);

		g_assert_true(g_file_set_contents(perf, (const char *)bytes->data,
		                                  (gssize)bytes->len, NULL));
		if (capture->has_timestamp_hz)
			g_free(hvscope(0, "import", perf, "--timestamp-hz", hz, "-o", imported,
			               NULL));
		else
			g_free(hvscope(0, "import", perf, "-o", imported, NULL));
		g_autofree char *account = account_of(imported);

		g_assert_cmpstr(account, ==, wanted);
	}
	fixture_remove_tree(dir);
}

/* What is wrong on the command line is said before anything is touched. */
static void test_usage(void)
{
	g_autofree char *plan = hvscope(0, "capture", "--dry-run", "--board", "juno", "--sink",
	                                "etf0", "--preset", "full", NULL);

	g_assert_nonnull(strstr(plan, "etm5.TRCPRGCTLR 004 = 00000001"));
	g_free(hvscope(1, "capture", "--dry-run", "--board", "zynqmp", NULL));
	g_free(hvscope(1, "capture", "--dry-run", "--board", "zebra", NULL));
	g_free(hvscope(2, "capture", "--board", "zynqmp", "--for", "2", NULL));
	g_free(hvscope(2, "capture", "--board", "zynqmp", "--preset", "domain", NULL));
	g_free(hvscope(2, "capture", "--board", "zynqmp", "--preset", "domain web", NULL));
	g_free(hvscope(2, "capture", "--board", "zynqmp", "--etr-buffer", "64M", NULL));
	g_free(hvscope(2, "capture", "--board", "zynqmp", "--sink", "etf1", NULL));
	g_free(hvscope(2, "import", "x", NULL));
	g_free(hvscope(1, "import", "/nonexistent", "-o", "y", "--etm", "0x10", NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(sink_cases); i++) {
		g_autofree char *name =
			g_strdup_printf("/sim/account/capture-%s", sink_cases[i].sink);

		g_test_add_data_func(name, &sink_cases[i], test_capture);
	}
	g_test_add_func("/sim/account/perf", test_perf);
	g_test_add_data_func("/sim/account/exchange-lab", "samples/overcommit", test_exchange);
	g_test_add_data_func("/sim/account/exchange-board", "juno-uname-002", test_exchange);
	g_test_add_func("/sim/account/usage", test_usage);
	return g_test_run();
}
