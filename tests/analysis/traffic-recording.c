#include "tests/analysis/traffic-recording.h"

#include "schema/writer.h"

#include <string.h>

enum {
	NONE = OWNER_NO_VALUE,
	FRONT = 2,
	BACK = 1,
	HOG = 3, /* VMIDs */
};

enum owners {
	OF_XEN,
	OF_IDLE,
	OF_FRONT,
	OF_BACK,
	OF_BACK_TASK,
	OF_HOG,
	OF_LOST,
	OWNERS
};

static const struct row_owner owners[OWNERS] = {
	[OF_XEN] = { OWNER_HYPERVISOR, 2, 0, NONE },   [OF_IDLE] = { OWNER_IDLE, 2, 0, NONE },
	[OF_FRONT] = { OWNER_GUEST, 1, FRONT, 40 },    [OF_BACK] = { OWNER_GUEST, 1, BACK, 10 },
	[OF_BACK_TASK] = { OWNER_GUEST, 1, BACK, 11 }, [OF_HOG] = { OWNER_GUEST, 1, HOG, 70 },
	[OF_LOST] = { OWNER_LOST, NONE, NONE, NONE },
};

/* What each core does in one period: until when, in microseconds, and who. */
struct piece {
	guint end_us;
	enum owners owner;
};

static const struct piece core_0[] = {
	{ 200, OF_FRONT }, { 205, OF_XEN }, { 400, OF_FRONT },  { 403, OF_XEN },
	{ 620, OF_IDLE },  { 624, OF_XEN }, { 1000, OF_FRONT },
};
static const struct piece core_1[] = {
	{ 206, OF_HOG }, { 214, OF_XEN },       { 240, OF_BACK }, { 560, OF_BACK_TASK },
	{ 564, OF_XEN }, { 600, OF_BACK_TASK }, { 606, OF_XEN },  { 1000, OF_HOG },
};

enum vcpus {
	VCPU_BACK,
	VCPU_FRONT,
	VCPU_HOG,
	VCPUS
};

static const struct row_vcpu vcpus[VCPUS] = { { VCPU_BACK, BACK, 0, TRUE },
	                                      { VCPU_FRONT, FRONT, 0, TRUE },
	                                      { VCPU_HOG, HOG, 0, FALSE } };

/* Visits to the hypervisor in one period. */
static const struct {
	guint core;
	guint start_us, end_us, idle_us;
	enum exit_reason reason;
	enum vcpus vcpu, next;
	enum exit_end ended;
	gint type;
	enum owners from;
} visits[] = {
	{ 0, 200, 205, 0, EXIT_CALL, VCPU_FRONT, VCPU_FRONT, EXIT_ENDED_SAME, 2, OF_FRONT },
	{ 0, 400, 624, 217, EXIT_WFI, VCPU_FRONT, VCPU_FRONT, EXIT_ENDED_IDLE, 3, OF_FRONT },
	{ 1, 206, 214, 0, EXIT_IRQ, VCPU_HOG, VCPU_BACK, EXIT_ENDED_OTHER, 14, OF_HOG },
	{ 1, 560, 564, 0, EXIT_CALL, VCPU_BACK, VCPU_BACK, EXIT_ENDED_SAME, 2, OF_BACK_TASK },
	{ 1, 600, 606, 0, EXIT_WFI, VCPU_BACK, VCPU_HOG, EXIT_ENDED_OTHER, 3, OF_BACK_TASK },
};

/* What each vCPU does in one period. */
static const struct {
	enum vcpus vcpu;
	guint start_us, end_us;
	enum run_state state;
	gint core;
	guint guest_us;
	guint exits;
} runs[] = {
	{ VCPU_BACK, 0, 214, RUN_BLOCKED, NONE, 0, 0 },
	{ VCPU_BACK, 214, 600, RUN_RUNNING, 1, 382, 1 },
	{ VCPU_BACK, 600, 1000, RUN_BLOCKED, NONE, 0, 0 },
	{ VCPU_FRONT, 0, 400, RUN_RUNNING, 0, 395, 1 },
	{ VCPU_FRONT, 400, 624, RUN_BLOCKED, NONE, 0, 0 },
	{ VCPU_FRONT, 624, 1000, RUN_RUNNING, 0, 376, 0 },
	{ VCPU_HOG, 0, 206, RUN_RUNNING, 1, 206, 0 },
	{ VCPU_HOG, 206, 606, RUN_RUNNABLE, NONE, 0, 0 },
	{ VCPU_HOG, 606, 1000, RUN_RUNNING, 1, 394, 0 },
};

/* t0 to t8 of the request in each period. */
static const guint stages_us[REQUEST_STAGES] = { 202, 207, 214, 218, 240, 561, 563, 624, 630 };

static void write_core(struct recording_writer *writer, guint core, const struct piece *pieces,
                       gsize n)
{
	g_autoptr(GArray) spans = g_array_new(FALSE, TRUE, sizeof(struct row_span));
	gint64 at_ns = 0;

	for (guint p = 0; p < TRAFFIC_REQUESTS; p++) {
		for (gsize i = 0; i < n; i++) {
			const gint64 end_ns =
				(gint64)p * TRAFFIC_PERIOD_NS + pieces[i].end_us * 1000;
			const struct row_span span = { .core = core,
				                       .start_ns = at_ns,
				                       .duration_ns = end_ns - at_ns,
				                       .owner = pieces[i].owner,
				                       .trace_offset = spans->len * 16 };

			g_array_append_val(spans, span);
			at_ns = end_ns;
		}
	}
	/* The last stretch of the second core was lost. */
	if (core == 1)
		g_array_index(spans, struct row_span, spans->len - 1).owner = OF_LOST;
	g_assert_true(recording_writer_spans(
		writer, core, (const struct row_span *)(void *)spans->data, spans->len, NULL));
}

static void write_visits(struct recording_writer *writer)
{
	for (guint p = 0; p < TRAFFIC_REQUESTS; p++) {
		for (gsize i = 0; i < G_N_ELEMENTS(visits); i++) {
			const gint64 base_ns = (gint64)p * TRAFFIC_PERIOD_NS;
			const gint64 length_ns = (visits[i].end_us - visits[i].start_us) * 1000;
			const struct row_exit exit = {
				.core = visits[i].core,
				.start_ns = base_ns + visits[i].start_us * 1000,
				.duration_ns = length_ns,
				.hypervisor_ns = length_ns - visits[i].idle_us * 1000,
				.idle_ns = visits[i].idle_us * 1000,
				.reason = visits[i].reason,
				.type = visits[i].type,
				.vcpu = visits[i].vcpu,
				.next_vcpu = (gint)visits[i].next,
				.ended = visits[i].ended,
				.known = KNOWN_EXACT,
				.confidence = 1,
				.wake_ns = visits[i].idle_us > 0 ? 4000 : NONE,
				.injection_ns = NONE,
				.trace_offset = p * 64 + i,
			};
			const struct row_exception exception = {
				.core = exit.core,
				.time_ns = exit.start_ns,
				.type = (guint)exit.type,
				.from_owner = visits[i].from,
				.to_owner = OF_XEN,
				.trace_offset = exit.trace_offset,
			};

			g_assert_true(recording_writer_exit(writer, &exit, NULL));
			g_assert_true(recording_writer_exception(writer, &exception, NULL));
		}
	}
}

static void write_runs(struct recording_writer *writer)
{
	for (guint p = 0; p < TRAFFIC_REQUESTS; p++) {
		for (gsize i = 0; i < G_N_ELEMENTS(runs); i++) {
			const struct row_vcpu_run run = {
				.vcpu = runs[i].vcpu,
				.start_ns = (gint64)p * TRAFFIC_PERIOD_NS + runs[i].start_us * 1000,
				.duration_ns = (runs[i].end_us - runs[i].start_us) * 1000,
				.core = runs[i].core,
				.state = runs[i].state,
				.guest_ns = runs[i].guest_us * 1000,
				.hypervisor_ns = runs[i].state == RUN_RUNNING
				                         ? (runs[i].end_us - runs[i].start_us -
				                            runs[i].guest_us) *
				                                   1000
				                         : 0,
				.exits = runs[i].exits,
				.known = KNOWN_EXACT,
				.confidence = 1,
			};

			g_assert_true(recording_writer_vcpu_run(writer, &run, NULL));
		}
	}
}

/* Later requests take longer to be served; of every sixth the hypervisor's part was not
 * seen. */
static void write_requests(struct recording_writer *writer)
{
	for (guint p = 0; p < TRAFFIC_REQUESTS; p++) {
		struct row_request request = { .request = p,
			                       .frontend_vmid = FRONT,
			                       .backend_vmid = BACK,
			                       .number = p,
			                       .marked = p % 6 == 5 ? 0x1bd : 0x1ff,
			                       .exact = p % 6 == 5 ? 0x1bd : 0x1ff,
			                       .notify = p };

		for (guint t = 0; t < REQUEST_STAGES; t++)
			request.t_ns[t] =
				(gint64)p * TRAFFIC_PERIOD_NS + stages_us[t] * 1000 + p * (t > 4);
		if (p % 6 == 5)
			request.t_ns[1] = request.t_ns[6] = OWNER_NO_VALUE;
		g_assert_true(recording_writer_request(writer, &request, NULL));
	}
}

static void write_messages(struct recording_writer *writer)
{
	for (guint p = 0; p < TRAFFIC_REQUESTS; p++) {
		g_autofree char *text = g_strdup_printf("request %u", p);
		const struct row_stm message = { .source = "stm_0",
			                         .has_time = TRUE,
			                         .time_ns = (gint64)p * TRAFFIC_PERIOD_NS + 202000,
			                         .master = 64 + p % 2,
			                         .channel = 3,
			                         .kind = "data",
			                         .payload = (const guint8 *)text,
			                         .payload_bytes = strlen(text),
			                         .trace_offset = p };

		g_assert_true(recording_writer_stm(writer, &message, NULL));
	}
}

static void write_names(struct recording_writer *writer, const struct traffic_options *options)
{
	static const struct row_machine machines[] = { { 0, "Xen", "xen", NONE, 0 },
		                                       { 1, "dom0", "linux", BACK, 1 },
		                                       { 2, "front", "linux", FRONT, 1 },
		                                       { 3, "hog", "bare", HOG, 1 } };
	static const struct row_task tasks[] = { { 1, 10, "irq" },
		                                 { 1, 11, "netback" },
		                                 { 2, 40, "app" } };

	for (guint i = 0; i < OWNERS; i++)
		g_assert_cmpuint(recording_writer_owner(writer, &owners[i]), ==, i);
	for (guint i = 0; i < options->n_cores; i++) {
		g_autofree char *name = g_strdup_printf("cpu_%u", i);
		const struct row_core core = { .core = i, .name = name, .trace_id = (gint)i + 16 };

		g_assert_true(recording_writer_core(writer, &core, NULL));
	}
	for (gsize i = 0; i < G_N_ELEMENTS(machines); i++)
		g_assert_true(recording_writer_machine(writer, &machines[i], NULL));
	for (gsize i = 0; i < G_N_ELEMENTS(tasks); i++)
		g_assert_true(recording_writer_task(writer, &tasks[i], NULL));
}

void traffic_recording_write(const char *path, const struct traffic_options *options)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_writer) writer = recording_writer_new(path, &error);

	g_assert_no_error(error);
	if (options->n_cores == 0) {
		g_assert_true(recording_writer_finish(writer, &error));
		return;
	}
	write_names(writer, options);
	write_core(writer, 0, core_0, G_N_ELEMENTS(core_0));
	write_core(writer, 1, core_1, G_N_ELEMENTS(core_1));
	for (guint core = 2; core < options->n_cores; core++) {
		const struct row_span idle = { .core = core,
			                       .duration_ns = TRAFFIC_WINDOW_NS,
			                       .owner = OF_IDLE };

		g_assert_true(recording_writer_spans(writer, core, &idle, 1, NULL));
	}
	if (options->vcpus) {
		for (guint i = 0; i < VCPUS; i++)
			g_assert_true(recording_writer_vcpu(writer, &vcpus[i], NULL));
		write_runs(writer);
		write_visits(writer);
		write_requests(writer);
	}
	write_messages(writer);
	g_assert_true(recording_writer_meta(writer, "time_base", options->time_base, NULL));
	g_assert_true(recording_writer_meta(writer, "time", "measured", NULL));
	g_assert_true(recording_writer_meta(writer, "timestamp_hz_source", "capture", NULL));
	g_assert_true(recording_writer_meta(writer, "hypervisor", "xen", NULL));
	g_assert_true(recording_writer_meta_int(writer, "window_ns", TRAFFIC_WINDOW_NS, NULL));
	g_assert_true(recording_writer_finish(writer, &error));
	g_assert_no_error(error);
}
