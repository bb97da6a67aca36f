/* timebase.h: when a place in a core's trace was
 *
 * Timestamps are rare and cycle counts say nothing of halts; together they give the
 * time of every place. Timestamps are anchors. Between two anchors time goes with
 * the cycles run (by P0 elements where there are none); what the cycles do not
 * account for was spent in a gap of the trace where there is one, or halted, which
 * ends with an interrupt where one was taken in between.
 *
 * Only the two anchors around a place decide its time: bad trace elsewhere changes
 * nothing. Timestamps that run backward or jump absurdly are dropped and counted.
 *
 * Pure: takes lists, gives values. One timebase serves one core; reading it after
 * timebase_settle() is safe from several threads.
 */
#pragma once

#include "decode/cycle-clock.h"
#include "decode/owner.h"

/* What a recording's nanoseconds rest on; the same for all its cores. */
enum time_basis {
	TIME_BASIS_TIMESTAMPS,
	TIME_BASIS_CYCLES, /* no timestamps: each core's cycles from its own start */
	TIME_BASIS_BYTES,  /* neither: a byte of the formatted trace is a nanosecond */
};

struct time_anchor {
	struct stream_position position;
	guint64 ticks;
	gint64 time_ns; /* by timebase_settle(): from the reference tick */
};

struct timebase_config {
	enum time_basis basis;
	guint64 timestamp_hz;    /* ticks a second */
	guint64 core_hz;         /* cycles a second, 0: calibrated from the data */
	guint64 reference_ticks; /* time 0 of this capture */
	guint timestamp_bits;    /* TRCIDR0.TSSIZE: 48 or 64 */
};

enum slack_kind {
	SLACK_NONE,
	SLACK_GAP,
	SLACK_HALT
};

/* The stretch between two neighbouring anchors, or before the first, or after the
 * last. */
struct time_interval {
	guint64 begin_sequence; /* of the anchor that begins it; 0 in the first interval */
	gint64 begin_ns;
	guint64 begin_work;
	double ns_per_work;
	/* Time in it that its work does not account for. */
	enum slack_kind slack_kind;
	gint64 slack_ns;
	guint first_gap, n_gaps;         /* GAP: which ones share the slack */
	struct stream_position halt_end; /* HALT */
	gint64 uncertainty_ns;           /* of the places inside it, beyond the clock's own */
};

struct timebase {
	GArray *anchors;    /* struct time_anchor, in stream order */
	GArray *gaps;       /* struct time_gap, in stream order */
	GArray *interrupts; /* struct time_interrupt, in stream order */
	GArray *switches;   /* struct stream_position: where owners begin, in stream order */

	/* By timebase_settle(): */
	GArray *intervals; /* struct time_interval, in stream order, at least one */
	const struct cycle_clock *clock;
	struct timebase_config config;
	double ns_per_work;  /* 0 where unknown */
	gboolean calibrated; /* ns_per_work comes from the data */
	guint64 dropped_anchors;
};

/* An exception that can end a halt (IRQ, FIQ, ...). */
struct time_interrupt {
	struct stream_position position; /* its boundary */
	gboolean in_hypervisor;          /* taken from EL2, where idle cores wait */
};

struct time_gap {
	struct stream_position begin, end;
};

struct time_of_place {
	gint64 time_ns;        /* from the reference tick; may be negative */
	gint64 uncertainty_ns; /* either way */
};

/* A stretch without cycles. */
struct time_halt {
	struct stream_position end;
	gint64 end_ns;
	gint64 duration_ns;
};

void timebase_init(struct timebase *self);
void timebase_deinit(struct timebase *self);

/* Gather in stream order. */
void timebase_add_anchor(struct timebase *self, const struct stream_position *position,
                         guint64 ticks);
void timebase_add_gap(struct timebase *self, const struct stream_position *begin,
                      const struct stream_position *end);
void timebase_add_interrupt(struct timebase *self, const struct stream_position *position,
                            gboolean in_hypervisor);
void timebase_add_switch(struct timebase *self, const struct stream_position *position);

/* A tick to count time from that damage is unlikely to have moved: the middle one, by
 * value, of the whole timestamps. At least one anchor. Ask before timebase_settle(). */
guint64 timebase_reference(struct timebase *self, const struct cycle_clock *clock);

/* Drops implausible anchors, gives the rest their times, calibrates, and refines the
 * clock by them. `clock` must outlive the timebase and is not to be changed after. */
void timebase_settle(struct timebase *self, const struct timebase_config *config,
                     struct cycle_clock *clock);

/* TRUE where the basis gives this core any time at all. */
gboolean timebase_has_time(const struct timebase *self);

/* When `position` was. */
struct time_of_place timebase_at(const struct timebase *self,
                                 const struct stream_position *position);

/* All halts in stream order: GArray of struct time_halt, to be unreffed. */
GArray *timebase_halts(const struct timebase *self);
