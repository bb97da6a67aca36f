/* cycle-clock.h: how many cycles a core had run at a place in its trace
 *
 * A cycle count packet says how many cycles passed up to the P0 element before it
 * (Arm IHI 0064, Cycle Count packets); between two of them the count at other places
 * is interpolated by P0 elements. Keeps only the counts that some event stands
 * beside, so that its size goes with events, not with cycle counts.
 *
 * Pure; one clock serves one core and one thread.
 */
#pragma once

#include "decode/event.h"

struct cycle_knot {
	guint64 p0;
	guint64 cycles;
};

struct cycle_clock {
	GArray *knots; /* struct cycle_knot, p0 ascending, cycles not descending */
	guint64 total_cycles;
	gboolean touched;        /* an event stands after the last knot */
	gboolean touched_before; /* an event stands between the last two knots */
	gboolean has_cycles;     /* a count was seen */
};

void cycle_clock_init(struct cycle_clock *self);
void cycle_clock_deinit(struct cycle_clock *self);

/* Feeds each event of the source in order. */
void cycle_clock_push(struct cycle_clock *self, const struct trace_event *event);

/* Cycles run up to p0. *granularity (may be NULL) gets how far that may be off: the
 * cycles between the counts around it, 0 at a count. Ask in any order, after the last
 * push. */
guint64 cycle_clock_at(const struct cycle_clock *self, guint64 p0, guint64 *granularity);
