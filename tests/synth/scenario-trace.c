#include "tests/synth/scenario-trace.h"

#include <string.h>

static void read_timestamps(struct statement *st, const char *text)
{
	struct scenario_trace *trace = &st->scenario->trace;

	if (strcmp(text, "off") == 0) {
		trace->timestamps = SCENARIO_TIMESTAMPS_OFF;
	} else if (strcmp(text, "switch") == 0) {
		trace->timestamps = SCENARIO_TIMESTAMPS_SWITCH;
	} else {
		trace->timestamps = SCENARIO_TIMESTAMPS_PERIODIC;
		trace->timestamp_period_ticks = MAX(1, statement_ticks(st, text));
	}
}

static void read_filter(struct statement *st, const char *text)
{
	if (strcmp(text, "none") == 0)
		st->scenario->trace.filter = SCENARIO_FILTER_NONE;
	else if (strcmp(text, "el2") == 0)
		st->scenario->trace.filter = SCENARIO_FILTER_EL2;
	else if (strcmp(text, "guest") == 0)
		st->scenario->trace.filter = SCENARIO_FILTER_GUEST;
	else
		statement_fail(st, "filter is none, el2 or guest, not '%s'", text);
}

static void read_cycles(struct statement *st, const char *text)
{
	struct scenario_trace *trace = &st->scenario->trace;

	trace->cycles = strcmp(text, "off") != 0;
	if (!trace->cycles)
		return;

	const guint64 threshold = statement_number(st, text);

	/* TRCCCCTLR has 12 bits. */
	if (threshold < 1 || threshold > 0xFFF)
		statement_fail(st, "cycles is off, or a threshold of 1 to 0xfff");
	trace->cycle_threshold = (guint32)threshold;
}

void scenario_trace_read(struct statement *st)
{
	struct scenario_trace *trace = &st->scenario->trace;
	const char *timestamps = statement_option(st, "timestamps");
	const char *cycles = statement_option(st, "cycles");
	const char *filter = statement_option(st, "filter");

	if (timestamps != NULL)
		read_timestamps(st, timestamps);
	if (cycles != NULL)
		read_cycles(st, cycles);
	if (filter != NULL)
		read_filter(st, filter);
	statement_option_bool(st, "timestamp_cycles", &trace->timestamp_cycles);
	statement_option_bool(st, "vmid", &trace->vmid);
	statement_option_bool(st, "cid", &trace->context_id);
	statement_option_bool(st, "return_stack", &trace->return_stack);
	statement_option_bool(st, "halt_timestamps", &trace->halt_timestamps);
	statement_option_number(st, "sync", &trace->sync_bytes);
	statement_option_number(st, "p0_gap", &trace->p0_gap_cycles);
	statement_option_number(st, "fsync", &trace->fsync_frames);
	statement_option_number(st, "start", &trace->timestamp_start);
	statement_option_percent(st, "addresses", &trace->address_percent);
}

gboolean scenario_trace_check(struct scenario_trace *trace, const char *file, GError **error)
{
	/* The A53's cycle counter has 12 bits. A P0 element must come before it is full: up
	 * to a quarter later than the gap says, on top of a count below the threshold. */
	const guint64 room = trace->cycles ? (0xFFF - trace->cycle_threshold) * 4 / 5 : G_MAXUINT64;

	if (trace->p0_gap_cycles == 0)
		trace->p0_gap_cycles = MIN(3000, MAX(room, 20));
	if (trace->p0_gap_cycles >= 20 && trace->p0_gap_cycles <= room)
		return TRUE;
	g_set_error(error, SCENARIO_ERROR, SCENARIO_ERROR_SYNTAX,
	            "%s: p0_gap must be 20 to %" G_GUINT64_FORMAT
	            " cycles, so that the 12-bit cycle counter does not overflow",
	            file, room);
	return FALSE;
}
