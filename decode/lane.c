#include "decode/lane.h"

static const struct row_owner unknown_owner = { OWNER_UNKNOWN, OWNER_NO_VALUE, OWNER_NO_VALUE,
	                                        OWNER_NO_VALUE };

static const struct owner_segment *segment_at(const struct decode_source *source, guint i)
{
	return &g_array_index(source->segments, struct owner_segment, i);
}

gboolean lane_extent(const struct decode_source *source, gint64 *begin_ns, gint64 *end_ns)
{
	const guint n = source->segments->len;
	guint first = 0;

	/* Without synchronisation there is no time: the lane begins after that. */
	if (n > 0 && segment_at(source, 0)->owner.owner_class == OWNER_LOST &&
	    source->timebase.config.basis != TIME_BASIS_BYTES)
		first = 1;
	if (first >= n || !timebase_has_time(&source->timebase))
		return FALSE;
	*begin_ns = timebase_at(&source->timebase, &segment_at(source, first)->begin).time_ns;
	*end_ns = timebase_at(&source->timebase, &segment_at(source, n - 1)->end).time_ns;
	return TRUE;
}

static void append_unknown(GArray *spans, gint64 begin_ns, gint64 end_ns, guint64 offset)
{
	const struct lane_span span = {
		.owner = unknown_owner,
		.begin_ns = begin_ns,
		.end_ns = end_ns,
		.begin_offset = offset,
		.end_offset = offset,
		.segment = -1,
	};

	if (end_ns > begin_ns)
		g_array_append_val(spans, span);
}

struct lane {
	const struct decode_source *source;
	GArray *spans;
	GArray *halts; /* struct time_halt */
	guint halt;    /* the next one */
	gint64 now_ns; /* where the last span ended */
	guint64 cycles;
};

/* Appends what is left of `span` up to `end_ns`. */
static void lane_append(struct lane *self, struct lane_span *span, gint64 end_ns, guint64 cycles)
{
	span->begin_ns = self->now_ns;
	span->end_ns = MAX(end_ns, self->now_ns);
	span->cycles = cycles - self->cycles;
	g_array_append_val(self->spans, *span);
	self->now_ns = span->end_ns;
	self->cycles = cycles;
}

/* The hypervisor's time before the halt, then the halt as idle; what follows goes on in
 * `span`. */
static void lane_cut_idle(struct lane *self, struct lane_span *span, const struct time_halt *halt)
{
	const guint64 cycles = cycle_clock_at(&self->source->clock, &halt->end, NULL);
	const gint64 begin_ns = MAX(halt->end_ns - halt->duration_ns, self->now_ns);
	struct lane_span idle = *span;

	if (begin_ns > self->now_ns || cycles > self->cycles)
		lane_append(self, span, begin_ns, cycles);
	idle.owner.owner_class = OWNER_IDLE;
	idle.halted_ns = MAX(halt->end_ns, self->now_ns) - self->now_ns;
	idle.begin_offset = halt->end.offset;
	lane_append(self, &idle, halt->end_ns, cycles);
	span->begin_offset = halt->end.offset;
	span->uncertainty_ns = timebase_at(&self->source->timebase, &halt->end).uncertainty_ns;
}

static void lane_segment(struct lane *self, guint index, gint64 begin_ns)
{
	const struct owner_segment *segment = segment_at(self->source, index);
	const struct timebase *timebase = &self->source->timebase;
	const struct time_of_place begin = timebase_at(timebase, &segment->begin);
	const struct time_of_place end = timebase_at(timebase, &segment->end);
	struct lane_span span = {
		.owner = segment->owner,
		.certainty = segment->certainty,
		.gap_reason = segment->owner.owner_class == OWNER_LOST ? segment->gap_reason : NULL,
		.uncertainty_ns = begin.uncertainty_ns,
		.begin_offset = segment->begin.offset,
		.end_offset = segment->end.offset,
		.segment = (gint)index,
	};

	self->now_ns = MAX(self->now_ns, begin_ns);
	while (self->halt < self->halts->len) {
		const struct time_halt *halt =
			&g_array_index(self->halts, struct time_halt, self->halt);

		if (halt->end.sequence > segment->end.sequence)
			break;
		self->halt++;
		if (segment->gap_reason != NULL)
			continue;
		if (segment->owner.owner_class == OWNER_HYPERVISOR)
			lane_cut_idle(self, &span, halt);
		else
			span.halted_ns += halt->duration_ns;
	}
	lane_append(self, &span, end.time_ns,
	            cycle_clock_at(&self->source->clock, &segment->end, NULL));
	/* Rounding and clamping must not leave more halted than there is. */
	{
		struct lane_span *last =
			&g_array_index(self->spans, struct lane_span, self->spans->len - 1);

		last->halted_ns = MIN(last->halted_ns, last->end_ns - last->begin_ns);
	}
}

/* A core whose trace carries no time that the capture's basis knows: who ran is known,
 * when is not. All of it stands at the window's start, without duration. */
static void lane_without_time(struct lane *self, gint64 window_begin_ns)
{
	for (guint i = 0; i < self->source->segments->len; i++) {
		const struct owner_segment *segment = segment_at(self->source, i);
		struct lane_span span = {
			.owner = segment->owner,
			.certainty = segment->certainty,
			.gap_reason = segment->owner.owner_class == OWNER_LOST ? segment->gap_reason
			                                                       : NULL,
			.begin_offset = segment->begin.offset,
			.end_offset = segment->end.offset,
			.segment = (gint)i,
		};

		lane_append(self, &span, window_begin_ns,
		            cycle_clock_at(&self->source->clock, &segment->end, NULL));
	}
}

GArray *lane_spans(const struct decode_source *source, gint64 window_begin_ns, gint64 window_end_ns)
{
	struct lane lane = {
		.source = source,
		.spans = g_array_new(FALSE, FALSE, sizeof(struct lane_span)),
		.now_ns = window_begin_ns,
	};
	gint64 begin_ns, end_ns;
	guint64 offset = 0;

	if (source == NULL || source->segments->len == 0) {
		append_unknown(lane.spans, window_begin_ns, window_end_ns, 0);
		return lane.spans;
	}
	offset = segment_at(source, source->segments->len - 1)->end.offset;
	if (!lane_extent(source, &begin_ns, &end_ns)) {
		const struct owner_segment *first = segment_at(source, 0);
		const gboolean never =
			source->segments->len == 1 && first->owner.owner_class == OWNER_LOST;

		lane_without_time(&lane, window_begin_ns);
		if (never)
			g_array_index(lane.spans, struct lane_span, 0).end_ns = window_end_ns;
		else
			append_unknown(lane.spans, window_begin_ns, window_end_ns, offset);
		return lane.spans;
	}
	lane.halts = timebase_halts(&source->timebase);
	if (segment_at(source, 0)->owner.owner_class != OWNER_LOST) {
		append_unknown(lane.spans, window_begin_ns, begin_ns,
		               segment_at(source, 0)->begin.offset);
		lane.now_ns = begin_ns;
	}
	for (guint i = 0; i < source->segments->len; i++) {
		const struct owner_segment *segment = segment_at(source, i);
		const gboolean is_start = i == 0 && segment->owner.owner_class == OWNER_LOST;

		lane_segment(&lane, i, is_start ? window_begin_ns : lane.now_ns);
	}
	append_unknown(lane.spans, lane.now_ns, window_end_ns, offset);
	g_array_unref(lane.halts);
	return lane.spans;
}
