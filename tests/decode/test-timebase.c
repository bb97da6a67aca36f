/* The clock and the time base, on hand-made streams with known answers. */
#include "decode/timebase.h"

enum {
	HZ = 100000000
}; /* 10 ns a tick */

struct stream {
	struct cycle_clock clock;
	struct timebase timebase;
	guint64 sequence, p0;
};

static void stream_init(struct stream *self)
{
	cycle_clock_init(&self->clock);
	timebase_init(&self->timebase);
	self->sequence = 0;
	self->p0 = 0;
}

static void stream_deinit(struct stream *self)
{
	cycle_clock_deinit(&self->clock);
	timebase_deinit(&self->timebase);
}

static struct stream_position push(struct stream *self, struct trace_event event)
{
	event.p0 = self->p0;
	cycle_clock_push(&self->clock, &event);
	self->sequence += STREAM_STEP;
	return (struct stream_position) { self->sequence, self->p0, 0 };
}

/* The core goes on for n P0 elements and counts so many cycles. */
static void run(struct stream *self, guint n, guint32 cycles)
{
	self->p0 += n;
	if (cycles > 0)
		push(self, (struct trace_event) { .kind = EVENT_CYCLES, .cycles.count = cycles });
}

static struct stream_position stamp(struct stream *self, guint64 ticks)
{
	const struct stream_position position =
		push(self, (struct trace_event) { .kind = EVENT_TIMESTAMP });

	timebase_add_anchor(&self->timebase, &position, ticks);
	return position;
}

static struct stream_position place(struct stream *self)
{
	return push(self, (struct trace_event) { .kind = EVENT_CONTEXT });
}

/* 1 cycle is 1 ns, times from tick `reference`. */
static void settle(struct stream *self, guint64 reference, guint64 core_hz)
{
	const struct timebase_config config = {
		.basis = TIME_BASIS_TIMESTAMPS,
		.timestamp_hz = HZ,
		.core_hz = core_hz,
		.reference_ticks = reference,
		.timestamp_bits = 48,
	};

	timebase_settle(&self->timebase, &config, &self->clock);
}

static gint64 time_at(const struct stream *self, const struct stream_position *position)
{
	return timebase_at(&self->timebase, position).time_ns;
}

static void test_interpolation(void)
{
	struct stream s;
	struct stream_position early, middle, late;

	stream_init(&s);
	early = place(&s);
	run(&s, 10, 500);
	stamp(&s, 1000);
	run(&s, 10, 400);
	middle = place(&s);
	run(&s, 10, 600);
	stamp(&s, 1100);
	run(&s, 5, 250);
	late = place(&s);
	settle(&s, 1000, 1000000000);
	g_assert_cmpint(time_at(&s, &early), ==, -500);
	g_assert_cmpint(time_at(&s, &middle), ==, 400);
	g_assert_cmpint(time_at(&s, &late), ==, 1250);
	g_assert_cmpuint(s.timebase.intervals->len, ==, 3);
	stream_deinit(&s);
}

/* 1000 ns passed, 300 cycles ran: 700 ns halted, up to the interrupt. */
static void test_halt_ends_with_interrupt(void)
{
	struct stream s;
	struct stream_position before, interrupt, after;
	g_autoptr(GArray) halts = NULL;
	const struct time_halt *halt;

	stream_init(&s);
	stamp(&s, 1000);
	run(&s, 10, 100);
	before = place(&s);
	run(&s, 10, 100);
	interrupt = place(&s);
	timebase_add_interrupt(&s.timebase, &interrupt, TRUE);
	run(&s, 10, 100);
	after = place(&s);
	stamp(&s, 1100);
	settle(&s, 1000, 1000000000);
	halts = timebase_halts(&s.timebase);
	g_assert_cmpuint(halts->len, ==, 1);
	halt = &g_array_index(halts, struct time_halt, 0);
	g_assert_cmpint(halt->duration_ns, ==, 700);
	g_assert_cmpint(halt->end_ns, ==, 900);
	g_assert_cmpint(time_at(&s, &before), ==, 100);
	g_assert_cmpint(time_at(&s, &interrupt), ==, 900);
	g_assert_cmpint(time_at(&s, &after), ==, 1000);
	stream_deinit(&s);
}

/* The guest's own interrupt after the wake-up ended no halt. */
static void test_halt_ends_in_hypervisor(void)
{
	struct stream s;
	struct stream_position wake, virtual;
	g_autoptr(GArray) halts = NULL;

	stream_init(&s);
	stamp(&s, 1000);
	run(&s, 10, 100);
	wake = place(&s);
	timebase_add_interrupt(&s.timebase, &wake, TRUE);
	run(&s, 10, 100);
	virtual = place(&s);
	timebase_add_interrupt(&s.timebase, &virtual, FALSE);
	run(&s, 10, 100);
	stamp(&s, 1100);
	settle(&s, 1000, 1000000000);
	halts = timebase_halts(&s.timebase);
	g_assert_cmpuint(halts->len, ==, 1);
	g_assert_cmpint(g_array_index(halts, struct time_halt, 0).end_ns, ==, 800);
	g_assert_cmpint(time_at(&s, &virtual), ==, 900);
	stream_deinit(&s);
}

/* Nothing ended the halt: who begins at the timestamp's own place had not run before it, who
 * began earlier had. */
static void test_halt_before_switch(void)
{
	struct stream s;
	struct stream_position earlier, at_stamp;
	g_autoptr(GArray) halts = NULL;

	stream_init(&s);
	stamp(&s, 1000);
	run(&s, 10, 100);
	earlier = place(&s);
	timebase_add_switch(&s.timebase, &earlier);
	run(&s, 10, 100);
	at_stamp = place(&s);
	timebase_add_switch(&s.timebase, &at_stamp);
	stamp(&s, 1100);
	settle(&s, 1000, 1000000000);
	halts = timebase_halts(&s.timebase);
	g_assert_cmpuint(halts->len, ==, 1);
	g_assert_cmpint(g_array_index(halts, struct time_halt, 0).duration_ns, ==, 800);
	g_assert_cmpuint(g_array_index(halts, struct time_halt, 0).end.sequence, ==,
	                 at_stamp.sequence);
	g_assert_cmpint(time_at(&s, &earlier), ==, 100);
	g_assert_cmpint(time_at(&s, &at_stamp), ==, 1000);
	g_assert_cmpint(timebase_at(&s.timebase, &earlier).uncertainty_ns, >=, 800);
	stream_deinit(&s);
}

/* What the cycles do not account for beside a gap is the gap's. */
static void test_gap_takes_the_rest(void)
{
	struct stream s;
	struct stream_position begin, end;

	stream_init(&s);
	stamp(&s, 1000);
	run(&s, 10, 100);
	begin = push(&s, (struct trace_event) { .kind = EVENT_OVERFLOW });
	push(&s, (struct trace_event) { .kind = EVENT_SYNC });
	end = push(&s, (struct trace_event) { .kind = EVENT_TRACE_ON });
	timebase_add_gap(&s.timebase, &begin, &end);
	run(&s, 10, 200);
	stamp(&s, 1100);
	settle(&s, 1000, 1000000000);
	g_assert_cmpint(time_at(&s, &begin), ==, 100);
	g_assert_cmpint(time_at(&s, &end), ==, 800);
	stream_deinit(&s);
}

static void test_backward_and_absurd(void)
{
	struct stream s;

	stream_init(&s);
	for (guint64 i = 0; i < 20; i++) {
		run(&s, 1, 100);
		stamp(&s, i == 7 ? 900 : i == 19 ? G_GUINT64_CONSTANT(1) << 45 : 1000 + 10 * i);
		run(&s, 1, 0);
	}
	settle(&s, 1000, 1000000000);
	g_assert_cmpuint(s.timebase.dropped_anchors, ==, 2);
	stream_deinit(&s);
}

/* A real pause of 13 ms among microseconds is no damage. */
static void test_long_pause_stays(void)
{
	struct stream s;

	stream_init(&s);
	for (guint64 i = 0; i < 40; i++)
		stamp(&s, (i < 35 ? 1000 : 1301000) + 10 * i);
	settle(&s, 1000, 0);
	g_assert_cmpuint(s.timebase.dropped_anchors, ==, 0);
	stream_deinit(&s);
}

/* A 48-bit counter that wraps goes on. */
static void test_wrap(void)
{
	const guint64 top = G_GUINT64_CONSTANT(1) << 48;
	struct stream s;
	struct stream_position last;

	stream_init(&s);
	stamp(&s, top - 50);
	run(&s, 10, 1000);
	last = stamp(&s, 50);
	settle(&s, top - 50, 1000000000);
	g_assert_cmpuint(s.timebase.dropped_anchors, ==, 0);
	g_assert_cmpint(time_at(&s, &last), ==, 1000);
	stream_deinit(&s);
}

/* Without core_hz: 2 cycles a ns, and a halt in every fourth stretch. */
static void test_calibration(void)
{
	struct stream s;
	guint64 ticks = 1000;

	stream_init(&s);
	for (guint i = 0; i < 200; i++) {
		stamp(&s, ticks);
		run(&s, 10, 4000);
		ticks += i % 4 == 3 ? 1000 : 200;
	}
	settle(&s, 1000, 0);
	g_assert_true(s.timebase.calibrated);
	g_assert_cmpfloat_with_epsilon(s.timebase.ns_per_work, 0.5, 0.001);
	stream_deinit(&s);
}

/* Counts come every 256 cycles or so; timestamps on both sides of a short visit say how
 * long it was, far closer than the counts. */
static void test_refined_by_timestamps(void)
{
	struct stream s;
	struct stream_position entry, exit;
	guint64 inside;

	stream_init(&s);
	push(&s, (struct trace_event) { .kind = EVENT_SYNC });
	stamp(&s, 1000);
	for (guint i = 0; i < 20; i++)
		run(&s, 20, 300); /* up to 6000 ns */
	s.p0 += 1;
	entry = stamp(&s, 1610); /* 100 ns later */
	s.p0 += 30;
	exit = stamp(&s, 1622); /* 120 ns inside */
	s.p0 += 2;
	run(&s, 0, 300);
	for (guint i = 0; i < 20; i++)
		run(&s, 20, 300);
	stamp(&s, 2230);
	settle(&s, 1000, 1000000000);
	inside = cycle_clock_at(&s.clock, &exit, NULL) - cycle_clock_at(&s.clock, &entry, NULL);
	g_assert_cmpuint(inside, >=, 110);
	g_assert_cmpuint(inside, <=, 130);
	stream_deinit(&s);
}

/* Any stream: time never runs backward, and stays between the anchors around it. */
static void test_random(void)
{
	for (guint round = 0; round < 20000; round++) {
		g_autoptr(GArray) places =
			g_array_new(FALSE, FALSE, sizeof(struct stream_position));
		guint64 ticks = 5000;
		gint64 last_ns = G_MININT64;
		struct stream s;

		stream_init(&s);
		for (gint n = g_test_rand_int_range(1, 40); n > 0; n--) {
			struct stream_position position;

			switch (g_test_rand_int_range(0, 4)) {
			case 0:
				ticks += (guint64)g_test_rand_int_range(0, 300);
				position = stamp(&s, g_test_rand_int_range(0, 9) == 0 ? 17 : ticks);
				break;
			case 1:
				run(&s, (guint)g_test_rand_int_range(0, 9),
				    (guint32)g_test_rand_int_range(0, 999));
				continue;
			case 2:
				position = place(&s);
				timebase_add_interrupt(&s.timebase, &position, TRUE);
				break;
			default:
				position = place(&s);
				break;
			}
			g_array_append_val(places, position);
		}
		settle(&s, 5000, g_test_rand_bit() ? 1000000000 : 0);
		for (guint i = 0; i < places->len; i++) {
			const gint64 now_ns =
				time_at(&s, &g_array_index(places, struct stream_position, i));

			g_assert_cmpint(now_ns, >=, last_ns);
			last_ns = now_ns;
		}
		stream_deinit(&s);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/timebase/interpolation", test_interpolation);
	g_test_add_func("/timebase/halt", test_halt_ends_with_interrupt);
	g_test_add_func("/timebase/halt-in-hypervisor", test_halt_ends_in_hypervisor);
	g_test_add_func("/timebase/halt-before-switch", test_halt_before_switch);
	g_test_add_func("/timebase/gap", test_gap_takes_the_rest);
	g_test_add_func("/timebase/backward", test_backward_and_absurd);
	g_test_add_func("/timebase/long-pause", test_long_pause_stays);
	g_test_add_func("/timebase/wrap", test_wrap);
	g_test_add_func("/timebase/calibration", test_calibration);
	g_test_add_func("/timebase/refined", test_refined_by_timestamps);
	g_test_add_func("/timebase/random", test_random);
	return g_test_run();
}
