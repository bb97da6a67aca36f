#include "tests/schema/sample-recording.h"

#include "schema/writer.h"

enum {
	NONE = OWNER_NO_VALUE
};

static const struct row_owner owners[] = {
	{ OWNER_GUEST, 0, 2, 97 },           /* 0: control/calc */
	{ OWNER_GUEST, 1, 2, 98 },           /* 1: control/io */
	{ OWNER_HYPERVISOR, 2, 2, 98 },      /* 2 */
	{ OWNER_IDLE, 2, 2, NONE },          /* 3 */
	{ OWNER_LOST, NONE, NONE, NONE },    /* 4 */
	{ OWNER_GUEST, 1, 1, 12 },           /* 5: domain 0/context 12 */
	{ OWNER_UNTRACED, 2, NONE, NONE },   /* 6 */
	{ OWNER_UNKNOWN, NONE, NONE, NONE }, /* 7 */
	{ OWNER_GUEST, 1, 1, NONE },         /* 8: domain 0, no context ID */
};

/* start, duration, cycles, halted, owner. Core 0 sums to the window. */
static const struct row_span core_0[] = {
	{ 0, 0, 400000, 480000, 0, 10, 0, CERTAINTY_TRACED, 0 },
	{ 0, 400000, 100000, 120000, 0, 10, 2, CERTAINTY_TRACED, 100 },
	{ 0, 500000, 200000, 200000, 33333, 10, 1, CERTAINTY_TRACED, 200 },
	{ 0, 700000, 0, 5, 0, 10, 2, CERTAINTY_TRACED, 300 },
	{ 0, 700000, 50001, 0, 0, 10, 4, CERTAINTY_TRACED, 310 },
	{ 0, 750001, 249999, 0, 249999, 10, 3, CERTAINTY_TRACED, 400 },
};

/* Core 1 ends 100,000 ns before the window does. */
static const struct row_span core_1[] = {
	{ 1, 0, 100000, 0, 0, 25, 7, CERTAINTY_TRACED, 0 },
	{ 1, 100000, 500000, 600000, 0, 25, 5, CERTAINTY_TRACED, 50 },
	{ 1, 600000, 200000, 0, 0, 25, 6, CERTAINTY_BRACKETED, 90 },
	{ 1, 800000, 100000, 120000, 0, 25, 8, CERTAINTY_TRACED, 95 },
};

static const struct row_core cores[] = {
	{ 0, "A53-0", "Cortex-A53", "etm_0", "ETMv4", 0x10, 4096 },
	{ 1, "A53-1", "Cortex-A53", "etm_1", "ETMv4", 0x11, 2048 },
	{ 2, NULL, "Cortex-R5", NULL, NULL, NONE, 0 },
};

static const struct row_machine machines[] = { { 0, "Xen", "xen", NONE, 0 },
	                                       { 2, "control", "linux", 2, 1 } };
static const struct row_task tasks[] = { { 2, 97, "calc" }, { 2, 98, "io" } };
static const struct row_gap gap = { 0, 700000, 50001, "overflow", 310, 330 };
static const struct row_quality counts[] = { { "etm_0", "overflow", 1 }, { "etm_1", "resync", 2 } };
static const struct row_quality_event event = { "etm_0", "overflow", 310, "after \x1b[31m red" };

static void write_rows(struct recording_writer *writer)
{
	for (gsize i = 0; i < G_N_ELEMENTS(owners); i++)
		g_assert_cmpuint(recording_writer_owner(writer, &owners[i]), ==, i);
	for (gsize i = 0; i < G_N_ELEMENTS(cores); i++)
		g_assert_true(recording_writer_core(writer, &cores[i], NULL));
	for (gsize i = 0; i < 2; i++) {
		g_assert_true(recording_writer_machine(writer, &machines[i], NULL));
		g_assert_true(recording_writer_task(writer, &tasks[i], NULL));
		g_assert_true(recording_writer_quality(writer, &counts[i], NULL));
	}
	g_assert_true(recording_writer_spans(writer, 0, core_0, G_N_ELEMENTS(core_0), NULL));
	g_assert_true(recording_writer_spans(writer, 1, core_1, G_N_ELEMENTS(core_1), NULL));
	g_assert_true(recording_writer_gap(writer, &gap, NULL));
	g_assert_true(recording_writer_quality_event(writer, &event, NULL));
}

static void write_meta(recording_writer *writer, const char *time)
{
	g_assert_true(recording_writer_meta(writer, "time", time, NULL));
	g_assert_true(recording_writer_meta(writer, "time_base", "timestamps", NULL));
	g_assert_true(recording_writer_meta(writer, "timestamp_hz_source", "capture", NULL));
	g_assert_true(recording_writer_meta(writer, "hypervisor", "xen", NULL));
	g_assert_true(recording_writer_meta(writer, "scheduler", "credit2", NULL));
	g_assert_true(recording_writer_meta_int(writer, "window_ns", SAMPLE_WINDOW_NS, NULL));
	g_assert_true(recording_writer_finish(writer, NULL));
}

void sample_recording_write(const char *path, const char *time)
{
	g_autoptr(recording_writer) writer = recording_writer_new(path, NULL);

	g_assert_nonnull(writer);
	write_rows(writer);
	write_meta(writer, time);
}

const struct row_vcpu sample_vcpus[SAMPLE_VCPUS] = { { 0, 1, 0, TRUE },
	                                             { 1, 2, 0, FALSE },
	                                             { 2, 2, NONE, FALSE } };
const struct row_vcpu_run sample_runs[SAMPLE_RUNS] = {
	{ 0, 100000, 500000, 1, RUN_RUNNING, 400000, 60000, 480000, 3, KNOWN_EXACT, 1 },
	{ 0, 600000, 300000, NONE, RUN_BLOCKED, 0, 0, 0, 0, KNOWN_INFERRED, 0.75 },
	{ 1, 0, 400000, 0, RUN_RUNNING, 400000, 0, 0, 0, KNOWN_INFERRED, 0.5 },
	{ 2, 500000, 200000, 0, RUN_RUNNING, 200000, 0, 0, 0, KNOWN_NOT, 0 },
};
const struct row_function sample_functions[SAMPLE_FUNCTIONS] = {
	{ 0, "do_event_channel_op", "handler" }, { 1, "vcpu_wake", "wake" }
};
const struct row_exit sample_exits[SAMPLE_EXITS] = {
	{ 0,
	  400000,
	  100000,
	  60000,
	  40000,
	  5000,
	  7000,
	  EXIT_CALL,
	  2,
	  TRUE,
	  TRUE,
	  0xffff800008012348,
	  0xffff800008012348,
	  1,
	  0,
	  EXIT_ENDED_OTHER,
	  KNOWN_EXACT,
	  1,
	  900,
	  NONE,
	  FALSE,
	  100,
	  INSTRUCTION_HVC,
	  1 },
	{ 1,
	  900000,
	  100000,
	  100000,
	  0,
	  0,
	  0,
	  EXIT_UNKNOWN,
	  NONE,
	  FALSE,
	  FALSE,
	  0,
	  0,
	  2,
	  NONE,
	  EXIT_ENDED_LOST,
	  KNOWN_NOT,
	  0,
	  NONE,
	  5,
	  TRUE,
	  0,
	  INSTRUCTION_UNKNOWN,
	  0 },
};
const struct row_hypervisor_call sample_calls[SAMPLE_CALLS] = { { 0, 410000, 0, 1 },
	                                                        { 0, 420000, 1, 1 } };
const struct row_request sample_requests[SAMPLE_REQUESTS] = {
	{ 0,
	  2,
	  1,
	  77,
	  { 400000, 420000, 450000, NONE, 450000, 700000, 710000, 750000, 750001 },
	  0x131,
	  0x1f7,
	  0,
	  FALSE },
	{ 1,
	  2,
	  1,
	  NONE,
	  { NONE, NONE, NONE, NONE, NONE, 800000, NONE, NONE, NONE },
	  0,
	  0,
	  7,
	  TRUE },
};

static void write_guests(recording_writer *writer)
{
	for (guint i = 0; i < SAMPLE_VCPUS; i++)
		g_assert_true(recording_writer_vcpu(writer, &sample_vcpus[i], NULL));
	for (guint i = 0; i < SAMPLE_RUNS; i++)
		g_assert_true(recording_writer_vcpu_run(writer, &sample_runs[i], NULL));
	for (guint i = 0; i < SAMPLE_FUNCTIONS; i++)
		g_assert_true(recording_writer_function(writer, &sample_functions[i], NULL));
	for (guint i = 0; i < SAMPLE_EXITS; i++)
		g_assert_true(recording_writer_exit(writer, &sample_exits[i], NULL));
	for (guint i = 0; i < SAMPLE_CALLS; i++)
		g_assert_true(recording_writer_hypervisor_call(writer, &sample_calls[i], NULL));
	for (guint i = 0; i < SAMPLE_REQUESTS; i++)
		g_assert_true(recording_writer_request(writer, &sample_requests[i], NULL));
}

void sample_recording_write_guests(const char *path)
{
	g_autoptr(recording_writer) writer = recording_writer_new(path, NULL);

	g_assert_nonnull(writer);
	write_rows(writer);
	write_guests(writer);
	write_meta(writer, "measured");
}
