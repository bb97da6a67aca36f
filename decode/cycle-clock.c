#include "decode/cycle-clock.h"

void cycle_clock_init(struct cycle_clock *self)
{
	const struct cycle_knot start = { 0, 0 };

	*self = (struct cycle_clock) { .touched = TRUE, .touched_before = TRUE };
	self->knots = g_array_new(FALSE, FALSE, sizeof(struct cycle_knot));
	g_array_append_val(self->knots, start);
}

void cycle_clock_deinit(struct cycle_clock *self)
{
	g_clear_pointer(&self->knots, g_array_unref);
}

static void cycle_clock_knot(struct cycle_clock *self, guint64 p0)
{
	const struct cycle_knot knot = { p0, self->total_cycles };
	struct cycle_knot *last =
		&g_array_index(self->knots, struct cycle_knot, self->knots->len - 1);

	if (last->p0 == p0 || (!self->touched && !self->touched_before)) {
		*last = knot;
	} else {
		g_array_append_val(self->knots, knot);
		self->touched_before = self->touched;
	}
	self->touched = FALSE;
}

static void cycle_clock_count(struct cycle_clock *self, guint32 count, guint64 p0)
{
	self->total_cycles += count;
	self->has_cycles = TRUE;
	cycle_clock_knot(self, p0);
}

void cycle_clock_push(struct cycle_clock *self, const struct trace_event *event)
{
	switch (event->kind) {
	case EVENT_CYCLES:
		/* 0 stands for "unknown": the next count starts from here. */
		cycle_clock_count(self, event->cycles.count, event->p0);
		return;
	case EVENT_TIMESTAMP:
		if (event->timestamp.has_cycles)
			cycle_clock_count(self, event->timestamp.cycles, event->p0);
		break;
	case EVENT_TRACE_ON:
	case EVENT_OVERFLOW:
	case EVENT_DISCARD:
	case EVENT_BAD_DATA:
	case EVENT_BARRIER:
		/* What came since the last count is unknown, and the next count starts
		 * after the gap. */
		cycle_clock_knot(self, event->p0);
		break;
	case EVENT_END:
		cycle_clock_knot(self, event->p0);
		break;
	default:
		break;
	}
	self->touched = TRUE;
}

guint64 cycle_clock_at(const struct cycle_clock *self, guint64 p0, guint64 *granularity)
{
	const struct cycle_knot *knots = (const struct cycle_knot *)(gpointer)self->knots->data;
	guint low = 0,
	      high = self->knots->len; /* the last knot with knot.p0 <= p0 is in [low, high) */
	guint64 span, share;

	while (high - low > 1) {
		const guint middle = low + (high - low) / 2;

		if (knots[middle].p0 <= p0)
			low = middle;
		else
			high = middle;
	}
	if (granularity != NULL)
		*granularity = 0;
	if (low + 1 == self->knots->len || knots[low].p0 == p0)
		return knots[low].cycles;
	span = knots[low + 1].cycles - knots[low].cycles;
	if (granularity != NULL)
		*granularity = span;
	share = (guint64)(((__uint128_t)span * (p0 - knots[low].p0)) /
	                  (knots[low + 1].p0 - knots[low].p0));
	return knots[low].cycles + share;
}
