/* The owner tracker: each rule of owner.h by a short stream, then the account by the
 * hundred thousand random ones. */
#include "decode/owner.h"

#include <string.h>

struct recorded {
	struct owner_tracker tracker;
	GArray *segments;
	GArray *exceptions;
	guint64 p0;
	guint64 offset;
};

static void on_segment(const struct owner_segment *segment, gpointer user_data)
{
	g_array_append_val(((struct recorded *)user_data)->segments, *segment);
}

static void on_exception(const struct owner_exception *exception, gpointer user_data)
{
	g_array_append_val(((struct recorded *)user_data)->exceptions, *exception);
}

static void recorded_init(struct recorded *self, guint8 excluded_el)
{
	const struct owner_config config = { .excluded_el = excluded_el, .has_ranges = TRUE };
	const struct owner_sink sink = { .segment = on_segment,
		                         .exception = on_exception,
		                         .user_data = self };

	memset(self, 0, sizeof *self);
	self->segments = g_array_new(FALSE, FALSE, sizeof(struct owner_segment));
	self->exceptions = g_array_new(FALSE, FALSE, sizeof(struct owner_exception));
	owner_tracker_init(&self->tracker, &config, &sink);
}

static void recorded_deinit(struct recorded *self)
{
	g_array_unref(self->segments);
	g_array_unref(self->exceptions);
}

static void push(struct recorded *self, struct trace_event event)
{
	event.p0 = self->p0;
	event.offset = self->offset++;
	owner_tracker_push(&self->tracker, &event);
	if (event.kind == EVENT_EXCEPTION)
		self->p0++;
}

static void push_kind(struct recorded *self, enum trace_event_kind kind)
{
	push(self, (struct trace_event) { .kind = kind });
}

static void push_context(struct recorded *self, guint8 el, guint32 vmid, guint32 context_id)
{
	push(self, (struct trace_event) {
			   .kind = EVENT_ADDRESS_CONTEXT,
			   .context = { .el = el,
	                                .has_vmid = TRUE,
	                                .has_context_id = TRUE,
	                                .vmid = vmid,
	                                .context_id = context_id },
		   });
}

static void push_exception(struct recorded *self, guint16 type)
{
	push(self, (struct trace_event) { .kind = EVENT_EXCEPTION, .exception.type = type });
	push(self, (struct trace_event) { .kind = EVENT_ADDRESS, .address_va = 0x1000 });
}

/* Starts as a capture does, in EL0 of VMID 1, context 7, and runs a little. */
static void start_in_guest(struct recorded *self)
{
	push_kind(self, EVENT_SYNC);
	push_kind(self, EVENT_TRACE_ON);
	push_context(self, 0, 1, 7);
	self->p0 += 10;
}

static const struct owner_segment *segment(const struct recorded *self, guint i)
{
	g_assert_cmpuint(i, <, self->segments->len);
	return &g_array_index(self->segments, struct owner_segment, i);
}

static void assert_segment(const struct recorded *self, guint i, enum owner_class owner_class,
                           gint el, guint64 begin_p0, guint64 end_p0)
{
	const struct owner_segment *s = segment(self, i);

	g_assert_cmpint(s->owner.owner_class, ==, owner_class);
	g_assert_cmpint(s->owner.el, ==, el);
	g_assert_cmpuint(s->begin.p0, ==, begin_p0);
	g_assert_cmpuint(s->end.p0, ==, end_p0);
}

static void test_exit_and_entry(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	start_in_guest(&r);
	push_exception(&r, 0xe);
	push_context(&r, 2, 1, 7);
	r.p0 += 5;
	push_context(&r, 1, 2, 9);
	r.p0 += 3;
	push_kind(&r, EVENT_END);
	g_assert_cmpuint(r.segments->len, ==, 3);
	/* The exception itself is the interrupted code's last P0 element. */
	assert_segment(&r, 0, OWNER_GUEST, 0, 0, 11);
	assert_segment(&r, 1, OWNER_HYPERVISOR, 2, 11, 16);
	assert_segment(&r, 2, OWNER_GUEST, 1, 16, 19);
	g_assert_cmpuint(r.exceptions->len, ==, 1);
	g_assert_cmpint(g_array_index(r.exceptions, struct owner_exception, 0).to.el, ==, 2);
	g_assert_true(g_array_index(r.exceptions, struct owner_exception, 0).has_return_address);
	recorded_deinit(&r);
}

static void test_unknown_before_context(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	push_kind(&r, EVENT_SYNC);
	r.p0 += 4;
	push_context(&r, 1, 1, 0);
	r.p0 += 4;
	push_kind(&r, EVENT_END);
	assert_segment(&r, 0, OWNER_UNKNOWN, OWNER_NO_VALUE, 0, 4);
	assert_segment(&r, 1, OWNER_GUEST, 1, 4, 8);
	recorded_deinit(&r);
}

/* Exception, context, return address: the context is the interrupted code's. */
static void test_context_before_return_address(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	start_in_guest(&r);
	push(&r, (struct trace_event) { .kind = EVENT_EXCEPTION, .exception.type = 2 });
	push(&r, (struct trace_event) {
			 .kind = EVENT_CONTEXT,
			 .context = { .el = 0,
	                              .has_vmid = TRUE,
	                              .has_context_id = TRUE,
	                              .vmid = 1,
	                              .context_id = 8 },
		 });
	push(&r, (struct trace_event) { .kind = EVENT_ADDRESS, .address_va = 0x1000 });
	push_context(&r, 1, 1, 8);
	r.p0 += 2;
	push_kind(&r, EVENT_END);
	g_assert_cmpint(g_array_index(r.exceptions, struct owner_exception, 0).from.context_id, ==,
	                8);
	g_assert_cmpint(g_array_index(r.exceptions, struct owner_exception, 0).from.el, ==, 0);
	assert_segment(&r, 0, OWNER_GUEST, 0, 0, 11);
	assert_segment(&r, 1, OWNER_GUEST, 1, 11, 13);
	recorded_deinit(&r);
}

/* The handler runs on in the same context: no context comes, no boundary. */
static void test_handler_without_context(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	push_kind(&r, EVENT_SYNC);
	push_context(&r, 2, 1, 7);
	r.p0 += 10;
	push_exception(&r, 0xe);
	r.p0 += 10;
	push_kind(&r, EVENT_END);
	g_assert_cmpuint(r.segments->len, ==, 1);
	assert_segment(&r, 0, OWNER_HYPERVISOR, 2, 0, 21);
	g_assert_cmpuint(r.exceptions->len, ==, 1);
	recorded_deinit(&r);
}

static void test_overflow_is_lost(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	start_in_guest(&r);
	push_kind(&r, EVENT_OVERFLOW);
	push_kind(&r, EVENT_SYNC);
	push_kind(&r, EVENT_TRACE_ON);
	push_context(&r, 2, 1, 7);
	r.p0 += 5;
	push_kind(&r, EVENT_END);
	g_assert_cmpuint(r.segments->len, ==, 3);
	assert_segment(&r, 1, OWNER_LOST, OWNER_NO_VALUE, 10, 10);
	g_assert_cmpstr(segment(&r, 1)->gap_reason, ==, "overflow");
	g_assert_cmpuint(segment(&r, 1)->begin.offset, <, segment(&r, 1)->end.offset);
	assert_segment(&r, 2, OWNER_HYPERVISOR, 2, 10, 15);
	recorded_deinit(&r);
}

/* Trace back after a loss, running, but saying who only later: nobody's. */
static void test_loss_then_late_context(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	start_in_guest(&r);
	push(&r, (struct trace_event) { .kind = EVENT_BAD_DATA, .bad.what = "test" });
	push_kind(&r, EVENT_SYNC);
	r.p0 += 3;
	push_context(&r, 1, 1, 7);
	r.p0 += 2;
	push_kind(&r, EVENT_END);
	assert_segment(&r, 1, OWNER_LOST, OWNER_NO_VALUE, 10, 10);
	assert_segment(&r, 2, OWNER_UNKNOWN, OWNER_NO_VALUE, 10, 13);
	assert_segment(&r, 3, OWNER_GUEST, 1, 13, 15);
	recorded_deinit(&r);
}

static void test_never_synchronised(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	push_kind(&r, EVENT_NOT_SYNC);
	push_kind(&r, EVENT_END);
	g_assert_cmpuint(r.segments->len, ==, 1);
	assert_segment(&r, 0, OWNER_LOST, OWNER_NO_VALUE, 0, 0);
	g_assert_cmpstr(segment(&r, 0)->gap_reason, ==, "no-sync");
	recorded_deinit(&r);
}

/* EXC, return address, context EL2, TRACE_ON, context EL0: EL2 was left out. */
static void test_filtered_handler(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	start_in_guest(&r);
	push_exception(&r, 2);
	push_context(&r, 2, 1, 7);
	push_kind(&r, EVENT_TRACE_ON);
	push_context(&r, 0, 1, 7);
	r.p0 += 4;
	push_kind(&r, EVENT_END);
	g_assert_cmpuint(r.segments->len, ==, 3);
	assert_segment(&r, 0, OWNER_GUEST, 0, 0, 11);
	assert_segment(&r, 1, OWNER_UNTRACED, 2, 11, 11);
	g_assert_cmpuint(segment(&r, 1)->begin.sequence, <, segment(&r, 1)->end.sequence);
	assert_segment(&r, 2, OWNER_GUEST, 0, 11, 15);
	recorded_deinit(&r);
}

/* The same without the handler's context. */
static void test_filtered_handler_without_context(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	start_in_guest(&r);
	push_exception(&r, 2);
	push_kind(&r, EVENT_TRACE_ON);
	push_context(&r, 0, 1, 7);
	r.p0 += 4;
	push_kind(&r, EVENT_END);
	g_assert_cmpuint(r.segments->len, ==, 3);
	assert_segment(&r, 1, OWNER_UNTRACED, OWNER_NO_VALUE, 11, 11);
	recorded_deinit(&r);
}

static void test_filtered_in_the_middle(void)
{
	struct recorded r;

	recorded_init(&r, 0);
	start_in_guest(&r);
	push_kind(&r, EVENT_TRACE_ON);
	push_context(&r, 0, 1, 7);
	r.p0 += 4;
	push_kind(&r, EVENT_END);
	g_assert_cmpuint(r.segments->len, ==, 3);
	assert_segment(&r, 1, OWNER_UNTRACED, OWNER_NO_VALUE, 10, 10);
	g_assert_cmpuint(segment(&r, 1)->begin.sequence, <, segment(&r, 1)->end.sequence);
	recorded_deinit(&r);
}

static void push_resume(struct recorded *self, guint64 address_va)
{
	push_kind(self, EVENT_TRACE_ON);
	push(self, (struct trace_event) { .kind = EVENT_ADDRESS, .address_va = address_va });
	push(self, (struct trace_event) { .kind = EVENT_CONTEXT,
	                                  .context = { .el = 2,
	                                               .has_vmid = TRUE,
	                                               .has_context_id = TRUE,
	                                               .vmid = 3,
	                                               .context_id = 7 } });
}

/* EL0 and EL1 and some addresses left out: what runs between two visits to EL2 is the guest
 * that was set where the second begins at a lower exception level's vector, else EL2 itself. */
static void test_bracketed_guest(void)
{
	struct recorded r;

	recorded_init(&r, 1 << 0 | 1 << 1);
	push_kind(&r, EVENT_SYNC);
	push_kind(&r, EVENT_TRACE_ON);
	push_context(&r, 2, 3, 7);
	r.p0 += 10;
	push_resume(&r, 0x257480);
	r.p0 += 4;
	push_resume(&r, 0x2600c4);
	r.p0 += 4;
	push_resume(&r, 0x257400);
	r.p0 += 4;
	/* Looks like a vector, in another table. */
	push_resume(&r, 0x260480);
	r.p0 += 4;
	push_kind(&r, EVENT_END);
	owner_settle_brackets(r.segments, &r.tracker.config);
	for (guint i = 1; i < 8; i += 2) {
		const gboolean is_guest = i == 1 || i == 5;

		assert_segment(&r, i, is_guest ? OWNER_GUEST : OWNER_HYPERVISOR,
		               is_guest ? OWNER_NO_VALUE : 2, 6 + 2 * i + 2, 6 + 2 * i + 2);
		g_assert_cmpint(segment(&r, i)->owner.vmid, ==, 3);
		g_assert_cmpint(segment(&r, i)->certainty, ==, CERTAINTY_BRACKETED);
	}
	recorded_deinit(&r);
}

static void test_classes(void)
{
	const struct owner_config plain = { 0 }, vhe = { .vmid_is_context_id = TRUE };
	struct trace_context c = { .el = 0, .has_vmid = TRUE, .vmid = 0, .has_context_id = TRUE };

	g_assert_cmpint(owner_of_context(&c, &plain).owner_class, ==, OWNER_HOST);
	c.vmid = 5;
	g_assert_cmpint(owner_of_context(&c, &plain).owner_class, ==, OWNER_GUEST);
	g_assert_cmpint(owner_of_context(&c, &vhe).owner_class, ==, OWNER_HOST);
	g_assert_cmpint(owner_of_context(&c, &vhe).context_id, ==, 5);
	g_assert_cmpint(owner_of_context(&c, &vhe).vmid, ==, OWNER_NO_VALUE);
	c.has_vmid = FALSE;
	g_assert_cmpint(owner_of_context(&c, &plain).owner_class, ==, OWNER_HOST);
	c.el = 2;
	g_assert_cmpint(owner_of_context(&c, &plain).owner_class, ==, OWNER_HYPERVISOR);
	c.secure = TRUE;
	g_assert_cmpint(owner_of_context(&c, &plain).owner_class, ==, OWNER_SECURE);
	c = (struct trace_context) { .el = 3 };
	g_assert_cmpint(owner_of_context(&c, &plain).owner_class, ==, OWNER_SECURE);
}

static void push_random(struct recorded *r)
{
	static const enum trace_event_kind kinds[] = {
		EVENT_SYNC,      EVENT_TRACE_ON, EVENT_OVERFLOW,         EVENT_DISCARD,
		EVENT_NOT_SYNC,  EVENT_BAD_DATA, EVENT_BARRIER,          EVENT_ADDRESS,
		EVENT_TIMESTAMP, EVENT_CYCLES,   EVENT_EXCEPTION_RETURN,
	};

	/* An engine says nothing while trace is lost. */
	if (r->tracker.state != OWNER_STATE_LOST)
		r->p0 += (guint64)g_test_rand_int_range(0, 3);
	switch (g_test_rand_int_range(0, 4)) {
	case 0:
		push_context(r, (guint8)g_test_rand_int_range(0, 4),
		             (guint32)g_test_rand_int_range(0, 3),
		             (guint32)g_test_rand_int_range(0, 3));
		break;
	case 1:
		if (r->tracker.state == OWNER_STATE_LOST)
			break;
		push(r, (struct trace_event) { .kind = EVENT_EXCEPTION, .exception.type = 0xe });
		break;
	default:
		push_kind(r, kinds[g_test_rand_int_range(0, G_N_ELEMENTS(kinds))]);
		break;
	}
}

/* Whatever comes: segments gapless and in order, each gap with a reason, and nobody named
 * before a context. */
static void test_random(void)
{
	for (guint round = 0; round < 100000; round++) {
		struct recorded r;
		guint64 last_p0 = 0;

		recorded_init(&r, (guint8)g_test_rand_int_range(0, 8));
		for (gint n = g_test_rand_int_range(1, 25); n > 0; n--)
			push_random(&r);
		push_kind(&r, EVENT_END);
		for (guint i = 0; i < r.segments->len; i++) {
			const struct owner_segment *s = segment(&r, i);
			const gboolean lost = s->owner.owner_class == OWNER_LOST;

			g_assert_cmpuint(s->begin.p0, <=, s->end.p0);
			g_assert_cmpuint(s->begin.sequence, <=, s->end.sequence);
			if (i > 0) {
				g_assert_cmpuint(s->begin.p0, ==, last_p0);
				g_assert_cmpuint(s->begin.sequence, ==,
				                 segment(&r, i - 1)->end.sequence);
			}
			g_assert_true(!lost || s->gap_reason != NULL);
			/* Nothing runs in a gap. */
			g_assert_true(!lost || s->begin.p0 == s->end.p0);
			last_p0 = s->end.p0;
		}
		recorded_deinit(&r);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/owner/exit-and-entry", test_exit_and_entry);
	g_test_add_func("/owner/unknown-before-context", test_unknown_before_context);
	g_test_add_func("/owner/context-before-return-address", test_context_before_return_address);
	g_test_add_func("/owner/handler-without-context", test_handler_without_context);
	g_test_add_func("/owner/overflow", test_overflow_is_lost);
	g_test_add_func("/owner/late-context", test_loss_then_late_context);
	g_test_add_func("/owner/never-synchronised", test_never_synchronised);
	g_test_add_func("/owner/filtered-handler", test_filtered_handler);
	g_test_add_func("/owner/filtered-handler-without-context",
	                test_filtered_handler_without_context);
	g_test_add_func("/owner/filtered-in-the-middle", test_filtered_in_the_middle);
	g_test_add_func("/owner/bracketed-guest", test_bracketed_guest);
	g_test_add_func("/owner/classes", test_classes);
	g_test_add_func("/owner/random", test_random);
	return g_test_run();
}
