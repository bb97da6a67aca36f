/* cycle-clock.h: how many cycles a core had run at a place in its trace
 *
 * A cycle count packet says how many cycles passed up to the P0 element before it
 * (Arm IHI 0064, Cycle Count packets), and only once they reach a threshold; between
 * two of them the count at other places is interpolated by P0 elements. A timestamp may
 * say how many cycles it stands behind the last count, which adds nothing to the next
 * one. Where it does not, it still tells something: cycle_clock_refine() takes the count
 * at each timestamp as far as time and counts agree. Keeps only the counts that some event stands
 * beside, so that its size goes with events, not with cycle counts.
 *
 * Pure; one clock serves one core and one thread. After the last change it may be
 * read by several.
 */
#pragma once

#include "decode/event.h"

struct cycle_knot {
	guint64 sequence;
	guint64 p0;
	guint64 cycles;
	gboolean is_count; /* a packet said so; FALSE: where counting began (again) */
};

struct cycle_clock {
	GArray *knots; /* struct cycle_knot, in stream order, cycles not descending */
	GArray *syncs; /* guint64: sequence of each EVENT_SYNC */
	guint64 sequence;
	guint64 total_cycles;
	gboolean touched;        /* an event stands after the last knot */
	gboolean touched_before; /* an event stands between the last two knots */
	gboolean has_cycles;     /* a count was seen */
};

void cycle_clock_init(struct cycle_clock *self);
void cycle_clock_deinit(struct cycle_clock *self);

/* Feeds each event of the source in order. */
void cycle_clock_push(struct cycle_clock *self, const struct trace_event *event);

/* Cycles run up to `position`. *granularity (may be NULL) gets how far that may be off: the
 * cycles between the knots around it, 0 at a knot. Ask in any order, after the last
 * push. */
guint64 cycle_clock_at(const struct cycle_clock *self, const struct stream_position *position,
                       guint64 *granularity);

/* A timestamp in the stream. */
struct cycle_mark {
	struct stream_position position;
	gint64 time_ns;
};

/* Makes a knot of each mark (in order). While a core does not halt, cycles and time
 * go together at `cycles_per_ns`; a run of marks for which one offset between the two
 * agrees with the counts around all of them takes that offset. A run never goes on
 * past a synchronisation point, and takes nothing from counts before it: what stands
 * after an A-sync comes out the same whatever was before. `tick_ns` is how coarse
 * time_ns is. */
void cycle_clock_refine(struct cycle_clock *self, const struct cycle_mark *marks, gsize n,
                        double cycles_per_ns, gint64 tick_ns);
