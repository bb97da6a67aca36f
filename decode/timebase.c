#include "decode/timebase-anchors.h"

#include <math.h>
#include <stdlib.h>

enum {
	/* Without cycle counts nothing says how long traced code took between a timestamp
	 * and a gap: a P0 element (a branch in some six instructions) every 4 ns is taken,
	 * never more than there is, and the uncertainty is the whole stretch. Between two
	 * timestamps without a gap this is not used. */
	ASSUMED_NS_PER_P0 = 4,
	/* Calibration uses stretches of at least so many ticks where there are any. */
	CALIBRATION_TICKS = 64,
};

void timebase_init(struct timebase *self)
{
	*self = (struct timebase) {
		.anchors = g_array_new(FALSE, FALSE, sizeof(struct time_anchor)),
		.gaps = g_array_new(FALSE, FALSE, sizeof(struct time_gap)),
		.interrupts = g_array_new(FALSE, FALSE, sizeof(struct time_interrupt)),
		.switches = g_array_new(FALSE, FALSE, sizeof(struct stream_position)),
		.intervals = g_array_new(FALSE, FALSE, sizeof(struct time_interval)),
	};
}

void timebase_deinit(struct timebase *self)
{
	g_clear_pointer(&self->anchors, g_array_unref);
	g_clear_pointer(&self->gaps, g_array_unref);
	g_clear_pointer(&self->interrupts, g_array_unref);
	g_clear_pointer(&self->switches, g_array_unref);
	g_clear_pointer(&self->intervals, g_array_unref);
}

void timebase_add_anchor(struct timebase *self, const struct stream_position *position,
                         guint64 ticks)
{
	const struct time_anchor anchor = { *position, ticks, 0 };

	g_array_append_val(self->anchors, anchor);
}

void timebase_add_gap(struct timebase *self, const struct stream_position *begin,
                      const struct stream_position *end)
{
	const struct time_gap gap = { *begin, *end };

	g_array_append_val(self->gaps, gap);
}

void timebase_add_interrupt(struct timebase *self, const struct stream_position *position,
                            gboolean in_hypervisor)
{
	const struct time_interrupt interrupt = { *position, in_hypervisor };

	g_array_append_val(self->interrupts, interrupt);
}

void timebase_add_switch(struct timebase *self, const struct stream_position *position)
{
	g_array_append_val(self->switches, *position);
}

static struct time_anchor *anchor_at(const struct timebase *self, guint i)
{
	return &g_array_index(self->anchors, struct time_anchor, i);
}

static guint64 work_at(const struct timebase *self, const struct stream_position *position)
{
	switch (self->config.basis) {
	case TIME_BASIS_BYTES:
		return position->offset;
	case TIME_BASIS_CYCLES:
		return cycle_clock_at(self->clock, position, NULL);
	case TIME_BASIS_TIMESTAMPS:
		break;
	}
	if (self->clock->has_cycles)
		return cycle_clock_at(self->clock, position, NULL);
	return position->p0;
}

/* How many gaps ended at or before this place in the stream. */
static guint gaps_before(const struct timebase *self, guint64 sequence)
{
	guint low = 0, high = self->gaps->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(self->gaps, struct time_gap, middle).end.sequence <= sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct rate {
	double ns_per_work;
	double weight;
};

static int compare_rates(const void *a, const void *b)
{
	const double difference =
		((const struct rate *)a)->ns_per_work - ((const struct rate *)b)->ns_per_work;

	return (difference > 0) - (difference < 0);
}

/* The rate below which `share` of the weight lies, or 0 without rates. */
static double rate_quantile(GArray *rates, double share)
{
	double total = 0, sum = 0;

	if (rates->len == 0)
		return 0;
	qsort(rates->data, rates->len, sizeof(struct rate), compare_rates);
	for (guint i = 0; i < rates->len; i++)
		total += g_array_index(rates, struct rate, i).weight;
	for (guint i = 0; i < rates->len; i++) {
		const struct rate *rate = &g_array_index(rates, struct rate, i);

		sum += rate->weight;
		if (sum >= total * share)
			return rate->ns_per_work;
	}
	return 0;
}

static GArray *gather_rates(const struct timebase *self, gint64 shortest_ns, gboolean with_gaps)
{
	GArray *rates = g_array_new(FALSE, FALSE, sizeof(struct rate));

	for (guint i = 1; i < self->anchors->len; i++) {
		const struct time_anchor *a = anchor_at(self, i - 1), *b = anchor_at(self, i);
		const guint64 work = work_at(self, &b->position) - work_at(self, &a->position);
		const gint64 time_ns = b->time_ns - a->time_ns;
		const struct rate rate = { (double)time_ns / (double)MAX(work, 1), (double)work };

		if (work > 0 && time_ns > 0 && time_ns >= shortest_ns &&
		    (with_gaps || gaps_before(self, a->position.sequence) ==
		                          gaps_before(self, b->position.sequence)))
			g_array_append_val(rates, rate);
	}
	return rates;
}

/* Nanoseconds a cycle. Halts and gaps only ever make a stretch longer than its cycles, so
 * the true rate is near the lowest; the lower quartile by cycles stays clear of rounding
 * at both ends. In steps of 0.1 %, so that a little bad trace does not move it. */
static double calibrate_cycles(const struct timebase *self)
{
	const gint64 tick_ns = (gint64)(1000000000 / self->config.timestamp_hz) + 1;
	const double steps = 710; /* in a doubling */
	g_autoptr(GArray) long_ones = gather_rates(self, CALIBRATION_TICKS * tick_ns, FALSE);
	g_autoptr(GArray) all = gather_rates(self, 0, FALSE);
	g_autoptr(GArray) with_gaps = gather_rates(self, 0, TRUE);
	double rate;

	if (long_ones->len > 0)
		rate = rate_quantile(long_ones, 0.25);
	else if (all->len > 0)
		rate = rate_quantile(all, 0.25);
	else
		rate = rate_quantile(with_gaps, 0.05);
	return rate > 0 ? exp2(round(log2(rate) * steps) / steps) : 0;
}

static void settle_rate(struct timebase *self)
{
	const struct timebase_config *config = &self->config;

	self->calibrated = FALSE;
	if (config->basis == TIME_BASIS_BYTES) {
		self->ns_per_work = 1;
	} else if (config->core_hz != 0 && self->clock->has_cycles) {
		self->ns_per_work = 1e9 / (double)config->core_hz;
	} else if (config->basis == TIME_BASIS_CYCLES) {
		self->ns_per_work = 1;
	} else if (self->clock->has_cycles) {
		self->ns_per_work = calibrate_cycles(self);
		self->calibrated = TRUE;
	} else {
		self->ns_per_work = ASSUMED_NS_PER_P0;
	}
}

/* How much time the clock's coarseness and the tick can make of nothing. */
static gint64 slack_tolerance_ns(const struct timebase *self, const struct time_anchor *a,
                                 const struct time_anchor *b)
{
	guint64 granularity_a, granularity_b;

	cycle_clock_at(self->clock, &a->position, &granularity_a);
	cycle_clock_at(self->clock, &b->position, &granularity_b);
	return (gint64)(2000000000 / self->config.timestamp_hz) +
	       (gint64)((double)(granularity_a + granularity_b) * self->ns_per_work);
}

static const struct time_interrupt *interrupt_at(const struct timebase *self, guint i)
{
	return &g_array_index(self->interrupts, struct time_interrupt, i);
}

/* What ended a halt after `begin` and up to `end`: the last interrupt that was taken in the
 * hypervisor, where a core without work waits, or else the last one. */
static gboolean halting_interrupt(const struct timebase *self, guint64 begin, guint64 end,
                                  struct stream_position *position)
{
	guint low = 0, high = self->interrupts->len, last;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (interrupt_at(self, middle)->position.sequence <= end)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || interrupt_at(self, low - 1)->position.sequence <= begin)
		return FALSE;
	last = low - 1;
	for (guint i = low; i-- > 0 && interrupt_at(self, i)->position.sequence > begin;) {
		if (interrupt_at(self, i)->in_hypervisor) {
			last = i;
			break;
		}
	}
	*position = interrupt_at(self, last)->position;
	return TRUE;
}

/* Where a halt that no interrupt ended is taken to end: with the timestamp, which is the time of
 * what comes next. Where an owner began after the last P0 element before it, that had not run
 * yet: the halt is not its. */
static struct stream_position loose_halt_end(const struct timebase *self,
                                             const struct stream_position *begin,
                                             const struct stream_position *end)
{
	struct stream_position found = *end;
	guint low = 0, high = self->switches->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(self->switches, struct stream_position, middle).sequence <=
		    end->sequence)
			low = middle + 1;
		else
			high = middle;
	}
	while (low-- > 0) {
		const struct stream_position *position =
			&g_array_index(self->switches, struct stream_position, low);

		if (position->sequence <= begin->sequence || position->p0 != end->p0)
			break;
		found = *position;
	}
	return found;
}

static void interval_without_gap(const struct timebase *self, const struct time_anchor *a,
                                 const struct time_anchor *b, guint64 work, gint64 time_ns,
                                 struct time_interval *interval)
{
	const gint64 busy_ns = (gint64)((double)work * self->ns_per_work);
	const gint64 slack_ns = time_ns - busy_ns;

	if (self->clock->has_cycles && self->ns_per_work > 0 &&
	    slack_ns > slack_tolerance_ns(self, a, b)) {
		interval->slack_kind = SLACK_HALT;
		interval->slack_ns = slack_ns;
		interval->ns_per_work = self->ns_per_work;
		if (halting_interrupt(self, a->position.sequence, b->position.sequence,
		                      &interval->halt_end))
			return;
		/* No interrupt ended it: it lies somewhere in here. */
		interval->halt_end = loose_halt_end(self, &a->position, &b->position);
		interval->uncertainty_ns = slack_ns;
		return;
	}
	interval->ns_per_work = work > 0 ? (double)time_ns / (double)work : 0;
	if (!self->clock->has_cycles || work == 0)
		interval->uncertainty_ns = time_ns;
}

static void interval_with_gap(const struct timebase *self, guint64 work, gint64 time_ns,
                              struct time_interval *interval)
{
	const gint64 busy_ns = (gint64)((double)work * self->ns_per_work);

	interval->slack_kind = SLACK_GAP;
	interval->ns_per_work = self->ns_per_work;
	interval->slack_ns = time_ns - busy_ns;
	interval->uncertainty_ns = self->clock->has_cycles && interval->n_gaps == 1 ? 0 : time_ns;
	if (interval->slack_ns < 0) {
		interval->slack_ns = 0;
		interval->ns_per_work = work > 0 ? (double)time_ns / (double)work : 0;
	}
}

static void settle_between(struct timebase *self, guint i)
{
	const struct time_anchor *a = anchor_at(self, i), *b = anchor_at(self, i + 1);
	const guint64 work = work_at(self, &b->position) - work_at(self, &a->position);
	const gint64 time_ns = b->time_ns - a->time_ns;
	struct time_interval interval = {
		.begin_sequence = a->position.sequence,
		.begin_ns = a->time_ns,
		.begin_work = work_at(self, &a->position),
		.first_gap = gaps_before(self, a->position.sequence),
	};

	interval.n_gaps = gaps_before(self, b->position.sequence) - interval.first_gap;
	if (interval.n_gaps > 0)
		interval_with_gap(self, work, time_ns, &interval);
	else
		interval_without_gap(self, a, b, work, time_ns, &interval);
	g_array_append_val(self->intervals, interval);
}

static void refine_clock(const struct timebase *self, struct cycle_clock *clock)
{
	g_autofree struct cycle_mark *marks = g_new(struct cycle_mark, self->anchors->len);

	if (!clock->has_cycles || self->ns_per_work <= 0)
		return;
	for (guint i = 0; i < self->anchors->len; i++)
		marks[i] = (struct cycle_mark) { anchor_at(self, i)->position,
			                         anchor_at(self, i)->time_ns };
	cycle_clock_refine(clock, marks, self->anchors->len, 1 / self->ns_per_work,
	                   (gint64)(1000000000 / self->config.timestamp_hz) + 1);
}

void timebase_settle(struct timebase *self, const struct timebase_config *config,
                     struct cycle_clock *clock)
{
	struct time_interval first = { .begin_sequence = 0 };
	const struct time_anchor *anchor;

	self->config = *config;
	self->clock = clock;
	g_array_set_size(self->intervals, 0);
	if (config->basis != TIME_BASIS_TIMESTAMPS)
		g_array_set_size(self->anchors, 0);
	timebase_settle_anchors(self);
	settle_rate(self);
	refine_clock(self, clock);
	first.ns_per_work = self->ns_per_work;
	if (self->anchors->len > 0) {
		/* Back from the first anchor by what was run before it. */
		anchor = anchor_at(self, 0);
		first.begin_ns =
			anchor->time_ns -
			(gint64)((double)work_at(self, &anchor->position) * self->ns_per_work);
	}
	g_array_append_val(self->intervals, first);
	for (guint i = 0; i + 1 < self->anchors->len; i++)
		settle_between(self, i);
	if (self->anchors->len > 0) {
		struct time_interval last = { .ns_per_work = self->ns_per_work };

		anchor = anchor_at(self, self->anchors->len - 1);
		last.begin_sequence = anchor->position.sequence;
		last.begin_ns = anchor->time_ns;
		last.begin_work = work_at(self, &anchor->position);
		g_array_append_val(self->intervals, last);
	}
}

gboolean timebase_has_time(const struct timebase *self)
{
	switch (self->config.basis) {
	case TIME_BASIS_TIMESTAMPS:
		return self->anchors->len > 0;
	case TIME_BASIS_CYCLES:
		return self->clock->has_cycles;
	case TIME_BASIS_BYTES:
		break;
	}
	return TRUE;
}

static const struct time_interval *interval_of(const struct timebase *self, guint64 sequence,
                                               guint *index)
{
	guint low = 0, high = self->intervals->len;

	while (high - low > 1) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(self->intervals, struct time_interval, middle).begin_sequence <=
		    sequence)
			low = middle;
		else
			high = middle;
	}
	*index = low;
	return &g_array_index(self->intervals, struct time_interval, low);
}

static gint64 slack_before(const struct timebase *self, const struct time_interval *interval,
                           guint64 sequence)
{
	guint ended;

	switch (interval->slack_kind) {
	case SLACK_NONE:
		return 0;
	case SLACK_HALT:
		return sequence >= interval->halt_end.sequence ? interval->slack_ns : 0;
	case SLACK_GAP:
		break;
	}
	ended = gaps_before(self, sequence) - interval->first_gap;
	return (gint64)((__int128_t)interval->slack_ns * ended / interval->n_gaps);
}

struct time_of_place timebase_at(const struct timebase *self,
                                 const struct stream_position *position)
{
	guint index;
	const struct time_interval *interval = interval_of(self, position->sequence, &index);
	const guint64 work = work_at(self, position);
	const double busy_ns = work > interval->begin_work ? (double)(work - interval->begin_work) *
	                                                             interval->ns_per_work
	                                                   : 0;
	struct time_of_place place = { 0 };
	guint64 granularity = 0;

	place.time_ns = interval->begin_ns + (gint64)busy_ns +
	                slack_before(self, interval, position->sequence);
	/* Never past the next anchor: rounding, and rates that cycles belie. */
	if (index + 1 < self->intervals->len)
		place.time_ns = MIN(
			place.time_ns,
			g_array_index(self->intervals, struct time_interval, index + 1).begin_ns);
	if (self->config.basis == TIME_BASIS_TIMESTAMPS) {
		place.uncertainty_ns =
			(gint64)(1000000000 / self->config.timestamp_hz) +
			(work == interval->begin_work &&
		                         position->sequence != interval->halt_end.sequence
		                 ? 0
		                 : interval->uncertainty_ns);
		if (self->clock->has_cycles)
			cycle_clock_at(self->clock, position, &granularity);
		place.uncertainty_ns += (gint64)((double)granularity * interval->ns_per_work);
	}
	return place;
}

GArray *timebase_halts(const struct timebase *self)
{
	GArray *halts = g_array_new(FALSE, FALSE, sizeof(struct time_halt));

	for (guint i = 0; i < self->intervals->len; i++) {
		const struct time_interval *interval =
			&g_array_index(self->intervals, struct time_interval, i);
		struct time_halt halt = { .end = interval->halt_end,
			                  .duration_ns = interval->slack_ns };

		if (interval->slack_kind != SLACK_HALT)
			continue;
		halt.end_ns = timebase_at(self, &halt.end).time_ns;
		g_array_append_val(halts, halt);
	}
	return halts;
}
