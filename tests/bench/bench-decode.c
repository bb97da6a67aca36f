/* How fast raw trace is decoded, stage by stage, beside OpenCSD's packet processing
 * and full decode of the same file in the same run. MB/s of formatted trace, CPU
 * time of one thread; the last column is the ratio to OpenCSD's packet processing.
 *
 * Usage: bench-decode [CAPTURE...]
 */
#include "decode/deframe.h"
#include "decode/engine.h"
#include "decode/pipeline.h"
#include "decode/source.h"

#include <glib/gstdio.h>
#include <opencsd/c_api/opencsd_c_api.h>
#include <stdlib.h>
#include <time.h>

static const double least_seconds = 0.6; /* a stage is repeated for so long; the best counts */

struct bench {
	const char *path;
	Snapshot *snapshot;
	GMappedFile *file; /* of buffer 0 */
	const guint8 *bytes;
	gsize n_bytes;
	GArray *sources; /* const struct snapshot_source *: of buffer 0, decodable */
	char *recording;
	guint64 seen; /* what the callbacks counted, so that nothing is optimised away */
};

typedef void (*stage_fn)(struct bench *bench);

static void fail(const GError *error) G_GNUC_NORETURN;

static void fail(const GError *error)
{
	g_printerr("bench-decode: %s\n", error != NULL ? error->message : "failed");
	exit(1);
}

static void check(gboolean done, const GError *error)
{
	if (!done)
		fail(error);
}

static const struct snapshot_source *source_at(const struct bench *bench, guint i)
{
	return g_array_index(bench->sources, const struct snapshot_source *, i);
}

static gboolean count_bytes(const guint8 *bytes, const guint64 *offsets, gsize n, gpointer data)
{
	(void)bytes;
	(void)offsets;
	((struct bench *)data)->seen += n;
	return TRUE;
}

static gboolean count_barrier(guint64 offset, gpointer data)
{
	((struct bench *)data)->seen += offset;
	return TRUE;
}

static void deframe(struct bench *bench, const struct snapshot_source *source,
                    const struct deframe_output *output)
{
	g_autofree struct deframer *deframer = g_new(struct deframer, 1);
	guint8 trace_id = 0;

	snapshot_source_trace_id(source, &trace_id);
	deframer_init(deframer, DEFRAME_FRAMES, trace_id, output);
	check(deframer_push(deframer, bench->bytes, bench->n_bytes, 0) && deframer_flush(deframer),
	      NULL);
}

static void stage_deframe(struct bench *bench)
{
	const struct deframe_output output = { count_bytes, count_barrier, bench };

	for (guint i = 0; i < bench->sources->len; i++)
		deframe(bench, source_at(bench, i), &output);
}

static void count_event(const struct trace_event *event, gpointer data)
{
	((struct bench *)data)->seen += event->offset;
}

static gboolean push_bytes(const guint8 *bytes, const guint64 *offsets, gsize n, gpointer data)
{
	struct engine *engine = data;

	return engine->class->push(engine, bytes, offsets, n, NULL);
}

static gboolean push_barrier(guint64 offset, gpointer data)
{
	struct engine *engine = data;

	return engine->class->barrier(engine, offset, NULL);
}

static void stage_events(struct bench *bench)
{
	for (guint i = 0; i < bench->sources->len; i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(Engine) engine =
			engine_opencsd_new(source_at(bench, i), count_event, bench, &error);
		const struct deframe_output output = { push_bytes, push_barrier, engine };

		if (engine == NULL)
			fail(error);
		deframe(bench, source_at(bench, i), &output);
		check(engine->class->end(engine, bench->n_bytes, &error), error);
	}
}

static gboolean go_on(guint64 bytes, gpointer data)
{
	(void)bytes;
	(void)data;
	return TRUE;
}

static void stage_spans(struct bench *bench)
{
	for (guint i = 0; i < bench->sources->len; i++) {
		g_autoptr(GError) error = NULL;
		struct decode_source *source =
			decode_source_new(bench->snapshot, source_at(bench, i));

		check(decode_source_run(source, go_on, NULL, &error), error);
		bench->seen += source->segments->len;
		decode_source_free(source);
	}
}

static void stage_recording(struct bench *bench)
{
	const struct decode_options options = { .jobs = 1 };
	g_autoptr(GError) error = NULL;

	check(decode_capture(bench->path, bench->recording, &options, &error), error);
}

static ocsd_datapath_resp_t count_packet(const void *data, const ocsd_datapath_op_t operation,
                                         const ocsd_trc_index_t index, const void *packet)
{
	(void)operation;
	(void)packet;
	((struct bench *)(gpointer)data)->seen += index;
	return OCSD_RESP_CONT;
}

static ocsd_datapath_resp_t count_element(const void *data, const ocsd_trc_index_t index,
                                          const uint8_t trace_id,
                                          const ocsd_generic_trace_elem *element)
{
	(void)trace_id;
	(void)element;
	((struct bench *)(gpointer)data)->seen += index;
	return OCSD_RESP_CONT;
}

static guint32 reg(const struct snapshot_source *source, const char *name)
{
	guint64 value = 0;

	snapshot_device_reg(source->device, name, &value);
	return (guint32)value;
}

static unsigned char add_decoder(dcd_tree_handle_t tree, const struct snapshot_source *source,
                                 int flags)
{
	const ocsd_etmv4_cfg config = {
		.reg_idr0 = reg(source, "TRCIDR0"),
		.reg_idr1 = reg(source, "TRCIDR1"),
		.reg_idr2 = reg(source, "TRCIDR2"),
		.reg_idr8 = reg(source, "TRCIDR8"),
		.reg_configr = reg(source, "TRCCONFIGR"),
		.reg_traceidr = reg(source, "TRCTRACEIDR"),
		.arch_ver = ARCH_V8,
		.core_prof = profile_CortexA,
	};
	unsigned char trace_id = 0;

	check(ocsd_dt_create_decoder(tree, OCSD_BUILTIN_DCD_ETMV4I, flags, &config, &trace_id) ==
	              OCSD_OK,
	      NULL);
	return trace_id;
}

/* Goes on after what OpenCSD cannot read, as the product does. */
static void feed(dcd_tree_handle_t tree, const struct bench *bench)
{
	const gsize n = bench->n_bytes - bench->n_bytes % 16;
	uint32_t used = 0;

	for (gsize at = 0; at < n; at += used) {
		const uint32_t part = (uint32_t)MIN(n - at, (gsize)1 << 16);
		const ocsd_datapath_resp_t response = ocsd_dt_process_data(
			tree, OCSD_OP_DATA, (ocsd_trc_index_t)at, part, bench->bytes + at, &used);

		if (OCSD_DATA_RESP_IS_FATAL(response) || used == 0)
			break;
	}
	ocsd_dt_process_data(tree, OCSD_OP_EOT, 0, 0, NULL, &used);
}

static dcd_tree_handle_t make_tree(void)
{
	ocsd_def_errlog_init(OCSD_ERR_SEV_NONE, 0);
	return ocsd_create_dcd_tree(OCSD_TRC_SRC_FRAME_FORMATTED, OCSD_DFRMTR_FRAME_MEM_ALIGN);
}

static void stage_opencsd_packets(struct bench *bench)
{
	dcd_tree_handle_t tree = make_tree();
	union {
		FnDefPktDataIn function;
		void *data;
	} callback = { .function = count_packet };

	for (guint i = 0; i < bench->sources->len; i++) {
		const unsigned char id =
			add_decoder(tree, source_at(bench, i), OCSD_CREATE_FLG_PACKET_PROC);

		ocsd_dt_attach_packet_callback(tree, id, OCSD_C_API_CB_PKT_SINK, callback.data,
		                               bench);
	}
	feed(tree, bench);
	ocsd_destroy_dcd_tree(tree);
}

static void add_images(dcd_tree_handle_t tree, const struct snapshot_device *core)
{
	for (guint i = 0; i < core->n_dumps; i++) {
		if (!core->dumps[i].has_length)
			ocsd_dt_add_binfile_mem_acc(tree, core->dumps[i].address,
			                            OCSD_MEM_SPACE_ANY, core->dumps[i].path);
	}
}

static void stage_opencsd_full(struct bench *bench)
{
	dcd_tree_handle_t tree = make_tree();

	for (guint i = 0; i < bench->sources->len; i++) {
		add_decoder(tree, source_at(bench, i), OCSD_CREATE_FLG_FULL_DECODER);
		add_images(tree, bench->snapshot->cores[source_at(bench, i)->core]);
	}
	ocsd_dt_set_gen_elem_outfn(tree, count_element, bench);
	feed(tree, bench);
	ocsd_destroy_dcd_tree(tree);
}

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* MB/s of formatted trace. */
static double measure(struct bench *bench, stage_fn stage)
{
	const double begin = cpu_seconds();
	double best = G_MAXDOUBLE;

	do {
		const double before = cpu_seconds();

		stage(bench);
		best = MIN(best, cpu_seconds() - before);
	} while (cpu_seconds() - begin < least_seconds);
	return (double)bench->n_bytes / best / 1e6;
}

/* Full decode means something only where the program's images are there. */
static gboolean has_images(const struct bench *bench)
{
	for (guint i = 0; i < bench->sources->len; i++) {
		const gint core = source_at(bench, i)->core;

		if (core < 0 || bench->snapshot->cores[core]->n_dumps == 0)
			return FALSE;
	}
	return TRUE;
}

static void print_line(const char *name, double speed, double reference)
{
	g_print("  %-52s %8.1f MB/s  %6.2f\n", name, speed, speed / reference);
}

static void run(struct bench *bench)
{
	const double packets = measure(bench, stage_opencsd_packets);

	g_print("%s, %.1f MB, %u source%s:\n", bench->path, (double)bench->n_bytes / 1e6,
	        bench->sources->len, bench->sources->len == 1 ? "" : "s");
	print_line("OpenCSD: frames and packets", packets, packets);
	if (has_images(bench))
		print_line("OpenCSD: full decode", measure(bench, stage_opencsd_full), packets);
	else
		g_print("  OpenCSD: full decode: no memory images in this capture\n");
	print_line("hvscope: frames", measure(bench, stage_deframe), packets);
	print_line("hvscope: frames and packets, to events", measure(bench, stage_events), packets);
	print_line("hvscope: the same, owners and time", measure(bench, stage_spans), packets);
	print_line("hvscope: all, to a recording (one thread)", measure(bench, stage_recording),
	           packets);
}

/* The ETMv4 sources of buffer 0. An ID that never occurs costs OpenCSD nothing, so it is
 * left out for us as well. */
static void choose_sources(struct bench *bench)
{
	const struct snapshot_buffer *buffer = &bench->snapshot->buffers[0];

	for (guint i = 0; i < buffer->n_sources; i++) {
		const struct snapshot_source *source =
			&bench->snapshot->sources[buffer->sources[i]];
		const struct deframe_output output = { count_bytes, count_barrier, bench };

		if (source->protocol != SNAPSHOT_PROTOCOL_ETM4)
			continue;
		bench->seen = 0;
		deframe(bench, source, &output);
		if (bench->seen > 0)
			g_array_append_val(bench->sources, source);
	}
}

static void bench_capture(const char *path, const char *recording)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(path, &error);
	struct bench bench = { .path = path, .snapshot = snapshot };

	check(snapshot != NULL, error);
	if (snapshot->n_buffers == 0 || snapshot->buffers[0].format != SNAPSHOT_FORMAT_CORESIGHT) {
		g_print("%s: skipped, no buffer of CoreSight frames\n", path);
		return;
	}
	bench.file = snapshot_buffer_map(&snapshot->buffers[0], &error);
	check(bench.file != NULL, error);
	bench.bytes = (const guint8 *)g_mapped_file_get_contents(bench.file);
	bench.n_bytes = g_mapped_file_get_length(bench.file);
	bench.sources = g_array_new(FALSE, FALSE, sizeof(const struct snapshot_source *));
	bench.recording = g_strdup(recording);
	choose_sources(&bench);
	if (bench.sources->len > 0)
		run(&bench);
	g_array_unref(bench.sources);
	g_free(bench.recording);
	g_mapped_file_unref(bench.file);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "bugfix-exact-match", "xen-1s" };
	const char *data = g_getenv("HVSCOPE_DATA");
	g_autofree char *directory = g_dir_make_tmp("hvscope-bench-XXXXXX", NULL);
	g_autofree char *recording = g_build_filename(directory, "a.hvs", NULL);

	for (int i = 1; i < argc; i++)
		bench_capture(argv[i], recording);
	for (gsize i = 0; argc < 2 && i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(data != NULL ? data : "../shared/data",
		                                         "captures", names[i], NULL);

		if (g_file_test(path, G_FILE_TEST_IS_DIR))
			bench_capture(path, recording);
		else
			g_print("%s: skipped, not there\n", path);
	}
	if (argc < 2)
		bench_capture("samples/overcommit", recording);
	g_unlink(recording);
	g_rmdir(directory);
	return 0;
}
