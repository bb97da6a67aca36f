#include "decode/cycle-clock.h"

void cycle_clock_init(struct cycle_clock *self)
{
	const struct cycle_knot start = { 0, 0, 0, FALSE };

	*self = (struct cycle_clock) { .touched = TRUE, .touched_before = TRUE };
	self->knots = g_array_new(FALSE, FALSE, sizeof(struct cycle_knot));
	self->syncs = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_array_append_val(self->knots, start);
}

void cycle_clock_deinit(struct cycle_clock *self)
{
	g_clear_pointer(&self->knots, g_array_unref);
	g_clear_pointer(&self->syncs, g_array_unref);
}

static struct cycle_knot *knot_at(const struct cycle_clock *self, guint i)
{
	return &g_array_index(self->knots, struct cycle_knot, i);
}

static void cycle_clock_knot(struct cycle_clock *self, guint64 p0, guint64 cycles,
                             gboolean is_count)
{
	struct cycle_knot *last = knot_at(self, self->knots->len - 1);
	struct cycle_knot knot = { self->sequence, p0, MAX(cycles, last->cycles), is_count };

	if (!self->touched && (last->p0 == p0 || !self->touched_before)) {
		knot.is_count |= last->p0 == p0 && last->is_count;
		*last = knot;
	} else {
		g_array_append_val(self->knots, knot);
		self->touched_before = self->touched;
	}
	self->touched = FALSE;
}

/* Counting begins again: what came since the last count is unknown but for what a
 * timestamp said of it. */
static void cycle_clock_restart(struct cycle_clock *self, guint64 p0)
{
	self->total_cycles = knot_at(self, self->knots->len - 1)->cycles;
	cycle_clock_knot(self, p0, self->total_cycles, FALSE);
}

static void cycle_clock_count(struct cycle_clock *self, guint32 count, guint64 p0)
{
	self->has_cycles = TRUE;
	if (count == 0) { /* the packet says "unknown" */
		cycle_clock_restart(self, p0);
		return;
	}
	self->total_cycles += count;
	cycle_clock_knot(self, p0, self->total_cycles, TRUE);
}

void cycle_clock_push(struct cycle_clock *self, const struct trace_event *event)
{
	self->sequence += STREAM_STEP;
	switch (event->kind) {
	case EVENT_CYCLES:
		cycle_clock_count(self, event->cycles.count, event->p0);
		return;
	case EVENT_TIMESTAMP:
		if (event->timestamp.has_cycles) {
			self->has_cycles = TRUE;
			cycle_clock_knot(self, event->p0,
			                 self->total_cycles + event->timestamp.cycles, TRUE);
		}
		break;
	case EVENT_SYNC:
		g_array_append_val(self->syncs, self->sequence);
		break;
	case EVENT_TRACE_ON:
	case EVENT_OVERFLOW:
	case EVENT_DISCARD:
	case EVENT_BAD_DATA:
	case EVENT_BARRIER:
	case EVENT_END:
		cycle_clock_restart(self, event->p0);
		break;
	default:
		break;
	}
	self->touched = TRUE;
}

/* Index of the last knot at or before `sequence`; the first knot is at 0. */
static guint knot_before(const struct cycle_clock *self, guint64 sequence)
{
	guint low = 0, high = self->knots->len;

	while (high - low > 1) {
		const guint middle = low + (high - low) / 2;

		if (knot_at(self, middle)->sequence <= sequence)
			low = middle;
		else
			high = middle;
	}
	return low;
}

guint64 cycle_clock_at(const struct cycle_clock *self, const struct stream_position *position,
                       guint64 *granularity)
{
	const guint low = knot_before(self, position->sequence);
	const struct cycle_knot *a = knot_at(self, low), *b;
	guint64 span, done;

	if (granularity != NULL)
		*granularity = 0;
	/* An exception's boundary stands one P0 element past its own event. */
	if (low + 1 == self->knots->len || position->p0 <= a->p0)
		return a->cycles;
	b = knot_at(self, low + 1);
	span = b->cycles - a->cycles;
	done = MIN(position->p0, b->p0) - a->p0;
	if (b->p0 == a->p0 || position->p0 >= b->p0)
		return b->cycles;
	if (granularity != NULL)
		*granularity = span;
	return a->cycles + (guint64)((__uint128_t)span * done / (b->p0 - a->p0));
}

/* What the counts say of the cycles at a mark. */
struct mark_bounds {
	guint64 low, high;
	gboolean has_low; /* no synchronisation between the count below and the mark */
	guint64 guess;    /* backward from the count above, at the rate of the stretch after it */
};

/* The last of `sequences` (ascending) that is not above `sequence`, 0 where there is none. */
static guint64 last_before(const GArray *sequences, guint64 sequence)
{
	guint low = 0, high = sequences->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(sequences, guint64, middle) <= sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? g_array_index(sequences, guint64, low - 1) : 0;
}

/* Cycles at p0, from the counts after it alone: what stands before a synchronisation is
 * not asked. `above` is the index of the first knot past p0. */
static guint64 backward_guess(const struct cycle_clock *self, guint above, guint64 p0)
{
	const struct cycle_knot *first, *second;
	guint64 back;

	if (above >= self->knots->len)
		return self->total_cycles;
	first = knot_at(self, above);
	for (above++; above < self->knots->len && knot_at(self, above)->p0 == first->p0;)
		above++;
	if (above == self->knots->len || p0 >= first->p0)
		return first->cycles;
	second = knot_at(self, above);
	back = (guint64)((__uint128_t)(second->cycles - first->cycles) * (first->p0 - p0) /
	                 (second->p0 - first->p0));
	return first->cycles - MIN(back, first->cycles);
}

static struct mark_bounds bounds_of(const struct cycle_clock *self,
                                    const struct stream_position *position)
{
	const guint low = knot_before(self, position->sequence);
	const struct cycle_knot *knot = knot_at(self, low);
	/* Nothing from before a synchronisation counts. */
	const gboolean has_low =
		knot->is_count && knot->sequence >= last_before(self->syncs, position->sequence);
	/* No P0 element since the count: the timestamp is of the very element counted. */
	const gboolean counted =
		low + 1 == self->knots->len || (has_low && knot->p0 == position->p0);

	return (struct mark_bounds) {
		.low = knot->cycles,
		.high = counted ? knot->cycles : knot_at(self, low + 1)->cycles,
		.has_low = has_low,
		.guess = backward_guess(self, low + 1, position->p0),
	};
}

/* A run of marks that one offset fits: cycles - elapsed cycles at the run's rate, both
 * from the run's first mark on, so that equal trace gives equal numbers. */
struct refine_run {
	gsize first, end; /* marks [first, end) */
	gint64 base_ns;
	guint64 base_cycles; /* the first mark's upper bound */
	gint64 low, high;    /* offsets that fit */
	gboolean has_low;
	gint64 guess; /* the first mark's */
};

static gint64 elapsed_cycles(const struct refine_run *run, gint64 time_ns, double cycles_per_ns)
{
	return (gint64)((double)(time_ns - run->base_ns) * cycles_per_ns);
}

/* Takes the mark into the run, or FALSE where no offset fits it and the rest. */
static gboolean run_take(struct refine_run *run, const struct cycle_mark *mark,
                         const struct mark_bounds *bounds, double cycles_per_ns, gint64 slack)
{
	const gint64 elapsed = elapsed_cycles(run, mark->time_ns, cycles_per_ns);
	const gint64 high = (gint64)(bounds->high - run->base_cycles) - elapsed;
	const gint64 low = (gint64)(bounds->low - run->base_cycles) - elapsed;
	const gint64 new_high = MIN(run->high, high);
	const gint64 new_low =
		bounds->has_low ? (run->has_low ? MAX(run->low, low) : low) : run->low;
	const gboolean has_low = run->has_low || bounds->has_low;

	if (has_low && new_low > new_high + slack)
		return FALSE;
	run->low = new_low;
	run->high = new_high;
	run->has_low = has_low;
	run->end++;
	return TRUE;
}

static struct refine_run run_begin(gsize first, const struct cycle_mark *mark,
                                   const struct mark_bounds *bounds)
{
	return (struct refine_run) {
		.first = first,
		.end = first,
		.base_ns = mark->time_ns,
		.base_cycles = bounds->high,
		.low = G_MININT64 / 2,
		.high = G_MAXINT64 / 2,
		.guess = (gint64)(bounds->guess - bounds->high),
	};
}

/* All offsets between the bounds fit equally well: the middle one errs least. */
static gint64 run_offset(const struct refine_run *run)
{
	return run->has_low ? run->low + (run->high - run->low) / 2 : MIN(run->guess, run->high);
}

static void run_settle(const struct refine_run *run, const struct cycle_mark *marks,
                       const struct mark_bounds *bounds, double cycles_per_ns, GArray *knots)
{
	const gint64 offset = run_offset(run);

	for (gsize i = run->first; i < run->end; i++) {
		const gint64 fit = (gint64)run->base_cycles + offset +
		                   elapsed_cycles(run, marks[i].time_ns, cycles_per_ns);
		const struct cycle_knot knot = {
			marks[i].position.sequence,
			marks[i].position.p0,
			(guint64)CLAMP(fit, (gint64)bounds[i].low, (gint64)bounds[i].high),
			TRUE,
		};

		g_array_append_val(knots, knot);
	}
}

/* Puts `added` between the clock's own knots, in stream order; no two stand at one
 * place. */
static void merge_knots(struct cycle_clock *self, GArray *added)
{
	GArray *merged = g_array_new(FALSE, FALSE, sizeof(struct cycle_knot));
	guint64 cycles = 0;
	guint i = 0, k = 0;

	while (i < self->knots->len || k < added->len) {
		const struct cycle_knot *own = i < self->knots->len ? knot_at(self, i) : NULL;
		const struct cycle_knot *other =
			k < added->len ? &g_array_index(added, struct cycle_knot, k) : NULL;
		const gboolean take_own =
			own != NULL && (other == NULL || own->sequence <= other->sequence);
		struct cycle_knot knot = take_own ? *own : *other;

		i += take_own ? 1 : 0;
		k += take_own ? 0 : 1;
		knot.cycles = MAX(knot.cycles, cycles);
		cycles = knot.cycles;
		g_array_append_val(merged, knot);
	}
	g_array_unref(self->knots);
	self->knots = merged;
}

void cycle_clock_refine(struct cycle_clock *self, const struct cycle_mark *marks, gsize n,
                        double cycles_per_ns, gint64 tick_ns)
{
	const gint64 slack = (gint64)((double)tick_ns * cycles_per_ns) + 1;
	g_autofree struct mark_bounds *bounds = g_new(struct mark_bounds, n);
	g_autoptr(GArray) knots = g_array_new(FALSE, FALSE, sizeof(struct cycle_knot));
	struct refine_run run = { 0 };
	guint64 run_sync = 0;

	for (gsize i = 0; i < n; i++) {
		const guint64 sync = last_before(self->syncs, marks[i].position.sequence);

		bounds[i] = bounds_of(self, &marks[i].position);
		if (i > 0 && sync == run_sync &&
		    run_take(&run, &marks[i], &bounds[i], cycles_per_ns, slack))
			continue;
		if (i > 0)
			run_settle(&run, marks, bounds, cycles_per_ns, knots);
		run = run_begin(i, &marks[i], &bounds[i]);
		run_sync = sync;
		run_take(&run, &marks[i], &bounds[i], cycles_per_ns, slack);
	}
	if (n > 0)
		run_settle(&run, marks, bounds, cycles_per_ns, knots);
	merge_knots(self, knots);
}
