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

void sample_recording_write(const char *path, const char *time)
{
	g_autoptr(recording_writer) writer = recording_writer_new(path, NULL);

	g_assert_nonnull(writer);
	write_rows(writer);
	g_assert_true(recording_writer_meta(writer, "time", time, NULL));
	g_assert_true(recording_writer_meta(writer, "time_base", "timestamps", NULL));
	g_assert_true(recording_writer_meta(writer, "timestamp_hz_source", "capture", NULL));
	g_assert_true(recording_writer_meta(writer, "hypervisor", "xen", NULL));
	g_assert_true(recording_writer_meta(writer, "scheduler", "credit2", NULL));
	g_assert_true(recording_writer_meta_int(writer, "window_ns", SAMPLE_WINDOW_NS, NULL));
	g_assert_true(recording_writer_finish(writer, NULL));
}
