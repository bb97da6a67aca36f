/* scenario-trace.h: the trace statement of a scenario
 *
 * How the trace units are programmed: read from its options, and checked as a whole once the
 * file is read. Part of the scenario reader.
 */
#pragma once

#include "tests/synth/statement.h"

/* Reads the options of one trace statement; what it does not name stays. */
void scenario_trace_read(struct statement *st);

/* Fills in what was left open and refuses what an A53 cannot do. */
gboolean scenario_trace_check(struct scenario_trace *trace, const char *file, GError **error);
