#include "decode/owner.h"

#include <string.h>

static const struct row_owner nobody = { OWNER_UNKNOWN, OWNER_NO_VALUE, OWNER_NO_VALUE,
	                                 OWNER_NO_VALUE };

static gboolean owner_equal(const struct row_owner *a, const struct row_owner *b)
{
	return a->owner_class == b->owner_class && a->el == b->el && a->vmid == b->vmid &&
	       a->context_id == b->context_id;
}

struct row_owner owner_of_context(const struct trace_context *context,
                                  const struct owner_config *config)
{
	struct row_owner owner = nobody;

	owner.el = context->el;
	if (context->has_context_id)
		owner.context_id = context->context_id;
	if (context->has_vmid && config->vmid_is_context_id) {
		if (!context->has_context_id || context->context_id == 0)
			owner.context_id = context->vmid;
	} else if (context->has_vmid) {
		owner.vmid = context->vmid;
	}
	if (context->secure || context->el == 3)
		owner.owner_class = OWNER_SECURE;
	else if (context->el == 2)
		owner.owner_class = OWNER_HYPERVISOR;
	else
		owner.owner_class = owner.vmid > 0 ? OWNER_GUEST : OWNER_HOST;
	return owner;
}

void owner_tracker_init(struct owner_tracker *self, const struct owner_config *config,
                        const struct owner_sink *sink)
{
	memset(self, 0, sizeof *self);
	self->config = *config;
	self->sink = *sink;
	self->state = OWNER_STATE_LOST;
}

static struct stream_position position_of(const struct owner_tracker *self,
                                          const struct trace_event *event)
{
	return (struct stream_position) { self->sequence, event->p0, event->offset };
}

static void owner_close(struct owner_tracker *self, const struct stream_position *end)
{
	if (!self->has_open)
		return;
	self->open.end = *end;
	self->sink.segment(&self->open, self->sink.user_data);
	self->has_open = FALSE;
}

/* Ends the open segment at `position` and begins another. The same owner goes on as one
 * segment; a segment in which nothing was executed and that was never a gap is no
 * segment. */
static void owner_switch(struct owner_tracker *self, const struct row_owner *owner,
                         const char *gap_reason, enum span_certainty certainty,
                         const struct stream_position *position)
{
	struct stream_position begin = *position;
	const gboolean goes_on = self->has_open && self->open.gap_reason == NULL;

	if (goes_on && gap_reason == NULL && owner_equal(owner, &self->open.owner))
		return;
	if (goes_on && self->open.begin.p0 == position->p0 &&
	    (gap_reason == NULL || self->open.begin.sequence == position->sequence)) {
		begin = self->open.begin;
		self->has_open = FALSE;
	}
	owner_close(self, &begin);
	self->open = (struct owner_segment) {
		.owner = *owner,
		.certainty = certainty,
		.gap_reason = gap_reason,
		.begin = begin,
	};
	self->has_open = TRUE;
}

static void owner_exception_done(struct owner_tracker *self, const struct row_owner *to)
{
	self->exception.to = *to;
	if (self->sink.exception != NULL)
		self->sink.exception(&self->exception, self->sink.user_data);
}

static void owner_emit_entry(struct owner_tracker *self)
{
	if (self->has_entry)
		self->sink.entry(&self->entry, self->sink.user_data);
	self->has_entry = FALSE;
}

/* A guest runs where the hypervisor did, or where a filter left the hypervisor out. */
static void owner_enter(struct owner_tracker *self, const struct row_owner *to,
                        const struct trace_event *event, const struct stream_position *position)
{
	const gboolean was_handler = self->state == OWNER_STATE_HANDLER;
	struct owner_entry entry = {
		.has_address = event->kind == EVENT_ADDRESS_CONTEXT,
		.address_va = event->kind == EVENT_ADDRESS_CONTEXT ? event->address_va : 0,
		.interrupted = was_handler || self->state == OWNER_STATE_EXCEPTION,
		.to = *to,
		.position = *position,
	};

	if (self->sink.entry == NULL || to->owner_class != OWNER_GUEST || !self->has_open)
		return;
	if (self->open.owner.owner_class != OWNER_HYPERVISOR &&
	    self->open.owner.owner_class != OWNER_UNTRACED)
		return;
	if (was_handler) {
		entry.has_address = self->exception.has_return_address;
		entry.address_va = self->exception.return_address_va;
	}
	self->entry = entry;
	self->has_entry = TRUE;
	if (entry.has_address)
		owner_emit_entry(self);
}

/* The handler ran on in the context that was there: it had executed something, or the
 * trace went elsewhere, before any context came. */
static void owner_settle_exception(struct owner_tracker *self)
{
	if (self->state != OWNER_STATE_EXCEPTION && self->state != OWNER_STATE_HANDLER)
		return;
	owner_exception_done(self, &self->open.owner);
	self->state = OWNER_STATE_RUNNING;
}

/* Trace is back, but ran for a while before it said who. */
static void owner_settle_resume(struct owner_tracker *self, const struct trace_event *event)
{
	if (self->state != OWNER_STATE_RESUMED || event->p0 == self->resumed.p0)
		return;
	if (self->open.gap_reason == NULL)
		return;
	owner_switch(self, &nobody, NULL, CERTAINTY_TRACED, &self->resumed);
}

static void owner_lose(struct owner_tracker *self, const char *reason,
                       const struct trace_event *event)
{
	const struct row_owner lost = { OWNER_LOST, OWNER_NO_VALUE, OWNER_NO_VALUE,
		                        OWNER_NO_VALUE };
	const struct stream_position position = position_of(self, event);

	owner_settle_exception(self);
	/* Nothing was executed since the last gap ended: it is one gap, for the first
	 * reason, as long as no context came in between. */
	if (self->state == OWNER_STATE_RESUMED && self->open.gap_reason != NULL &&
	    self->open.owner.owner_class == OWNER_LOST) {
		self->state = OWNER_STATE_LOST;
		return;
	}
	if (self->state != OWNER_STATE_LOST || !self->has_open)
		owner_switch(self, &lost, reason, CERTAINTY_TRACED, &position);
	self->state = OWNER_STATE_LOST;
}

static void owner_resume(struct owner_tracker *self, const struct trace_event *event)
{
	const struct stream_position position = position_of(self, event);

	if (!self->has_open)
		owner_switch(self, &nobody, NULL, CERTAINTY_TRACED, &position);
	self->resumed = position;
	self->state = OWNER_STATE_RESUMED;
}

/* Who ran while the trace unit was off. With EL0 and EL1 left out and EL2 traced, what
 * runs between an ERET and the next entry to EL2 is the guest whose VMID was set. */
static struct row_owner owner_of_filtered(const struct owner_tracker *self,
                                          enum span_certainty *certainty)
{
	const guint8 guest_el = 1 << 0 | 1 << 1;
	struct row_owner owner = nobody;
	const struct row_owner *last = &self->open.owner;

	*certainty = CERTAINTY_TRACED;
	owner.owner_class = OWNER_UNTRACED;
	if (last->owner_class == OWNER_HYPERVISOR && last->vmid > 0 &&
	    (self->config.excluded_el & guest_el) == guest_el &&
	    (self->config.excluded_el & 1 << 2) == 0) {
		owner.owner_class = OWNER_GUEST;
		owner.vmid = last->vmid;
		owner.context_id = last->context_id;
		*certainty = CERTAINTY_BRACKETED;
	}
	return owner;
}

/* The trace unit had been off without an overflow: a filter, or a prohibited region.
 * Where an exception had just been taken and its handler executed nothing traced, the
 * handler is what was left out. */
static void owner_trace_on(struct owner_tracker *self, const struct trace_event *event)
{
	const struct stream_position position = position_of(self, event);
	enum span_certainty certainty;
	struct row_owner owner;

	if (self->state == OWNER_STATE_LOST || self->state == OWNER_STATE_RESUMED) {
		owner_resume(self, event);
		return;
	}
	if (self->state == OWNER_STATE_RUNNING && self->open.begin.p0 == event->p0 &&
	    self->open.begin.p0 == self->exception.position.p0) {
		self->open.owner.owner_class = OWNER_UNTRACED;
		self->open.gap_reason = "filtered";
	} else if (self->state == OWNER_STATE_RUNNING) {
		struct stream_position begin = position;

		begin.sequence--;
		owner = owner_of_filtered(self, &certainty);
		owner_switch(self, &owner, "filtered", certainty, &begin);
	} else {
		owner = nobody;
		owner.owner_class = OWNER_UNTRACED;
		owner_exception_done(self, &owner);
		owner_switch(self, &owner, "filtered", CERTAINTY_TRACED, &self->exception.position);
	}
	self->resumed = position;
	self->state = OWNER_STATE_RESUMED;
}

static void owner_note_resume(struct owner_tracker *self, const struct trace_event *event)
{
	if (self->state == OWNER_STATE_RESUMED && self->has_open &&
	    self->open.certainty == CERTAINTY_BRACKETED)
		self->open.resume_va = event->address_va;
}

static void owner_context(struct owner_tracker *self, const struct trace_event *event)
{
	const struct row_owner owner = owner_of_context(&event->context, &self->config);
	struct stream_position position = position_of(self, event);

	switch (self->state) {
	case OWNER_STATE_LOST:
		/* The engine speaks only when synchronised; a discard or overflow is
		 * followed by EVENT_SYNC or EVENT_TRACE_ON before any context. */
		return;
	case OWNER_STATE_EXCEPTION:
		/* Of the interrupted code: it changed just before the exception. Where the
		 * handler brings no context of its own, it goes on with this one. */
		owner_enter(self, &owner, event, &position);
		self->exception.from = owner;
		owner_switch(self, &owner, NULL, CERTAINTY_TRACED, &self->exception.position);
		return;
	case OWNER_STATE_HANDLER:
		position = self->exception.position;
		owner_enter(self, &owner, event, &position);
		owner_exception_done(self, &owner);
		break;
	case OWNER_STATE_RESUMED:
		if (self->open.gap_reason != NULL)
			position = self->resumed;
		owner_enter(self, &owner, event, &position);
		break;
	case OWNER_STATE_RUNNING:
		owner_enter(self, &owner, event, &position);
		break;
	}
	owner_switch(self, &owner, NULL, CERTAINTY_TRACED, &position);
	self->state = OWNER_STATE_RUNNING;
}

static void owner_take_exception(struct owner_tracker *self, const struct trace_event *event)
{
	if (self->state == OWNER_STATE_LOST)
		return;
	owner_settle_exception(self);
	if (self->state == OWNER_STATE_RESUMED && self->open.gap_reason != NULL)
		owner_switch(self, &nobody, NULL, CERTAINTY_TRACED, &self->resumed);
	self->exception = (struct owner_exception) {
		.type = event->exception.type,
		.from = self->open.owner,
		/* The exception is a P0 element itself: what led to it is the interrupted
		 * code's. */
		.position = { self->sequence, event->p0 + 1, event->offset },
	};
	self->state = OWNER_STATE_EXCEPTION;
}

static void owner_address(struct owner_tracker *self, const struct trace_event *event)
{
	if (self->state != OWNER_STATE_EXCEPTION)
		return;
	if (self->has_entry) {
		self->entry.has_address = TRUE;
		self->entry.address_va = event->address_va;
		owner_emit_entry(self);
	}
	self->exception.has_return_address = TRUE;
	self->exception.return_address_va = event->address_va;
	self->state = OWNER_STATE_HANDLER;
}

void owner_tracker_push(struct owner_tracker *self, const struct trace_event *event)
{
	const gboolean waiting =
		self->state == OWNER_STATE_EXCEPTION || self->state == OWNER_STATE_HANDLER;
	struct stream_position position;

	/* A filtered gap begins one before the event that ends it: hence the step. */
	self->sequence += STREAM_STEP;
	if (event->kind != EVENT_ADDRESS && event->kind != EVENT_TIMESTAMP &&
	    event->kind != EVENT_CYCLES)
		owner_emit_entry(self);
	owner_settle_resume(self, event);
	if (waiting && event->p0 > self->exception.position.p0)
		owner_settle_exception(self);
	switch (event->kind) {
	case EVENT_SYNC:
		if (self->state == OWNER_STATE_LOST)
			owner_resume(self, event);
		break;
	case EVENT_TRACE_ON:
		owner_trace_on(self, event);
		break;
	case EVENT_CONTEXT:
		owner_context(self, event);
		break;
	case EVENT_ADDRESS:
		owner_note_resume(self, event);
		owner_address(self, event);
		break;
	case EVENT_ADDRESS_CONTEXT:
		/* Where the return address is still awaited, this is it, with the
		 * interrupted code's context. */
		owner_note_resume(self, event);
		owner_context(self, event);
		owner_address(self, event);
		break;
	case EVENT_EXCEPTION:
		owner_take_exception(self, event);
		break;
	case EVENT_OVERFLOW:
		owner_lose(self, "overflow", event);
		break;
	case EVENT_DISCARD:
		owner_lose(self, "discard", event);
		break;
	case EVENT_NOT_SYNC:
		owner_lose(self, "no-sync", event);
		break;
	case EVENT_BAD_DATA:
		owner_lose(self, "bad-data", event);
		break;
	case EVENT_BARRIER:
		owner_lose(self, "barrier", event);
		break;
	case EVENT_END:
		owner_settle_exception(self);
		position = position_of(self, event);
		owner_close(self, &position);
		break;
	case EVENT_EXCEPTION_RETURN:
	case EVENT_TIMESTAMP:
	case EVENT_CYCLES:
	case EVENT_STM:
		break;
	}
}

enum {
	VECTOR_TABLE_BYTES = 0x800,
	VECTOR_LOWER_EL = 0x400, /* the first offset for exceptions from a lower level */
	VECTOR_BYTES = 0x80,
};

/* Arm DDI 0487, D1.3.1: offsets 0x400 to 0x780 of a table aligned to 0x800. */
static gboolean may_be_lower_vector(guint64 address_va)
{
	const guint offset = (guint)(address_va % VECTOR_TABLE_BYTES);

	return offset >= VECTOR_LOWER_EL && offset % VECTOR_BYTES == 0;
}

static gboolean is_bracket(const struct owner_segment *segment)
{
	return segment->certainty == CERTAINTY_BRACKETED && segment->resume_va != 0;
}

/* The vector table's address: most gaps that end at what may be a vector end there. Some
 * return address may look like a vector too. */
static guint64 vector_table_va(const GArray *segments)
{
	g_autoptr(GHashTable) counts =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	guint64 best_va = 0;
	guint best = 0;

	for (guint i = 0; i < segments->len; i++) {
		const struct owner_segment *segment =
			&g_array_index(segments, struct owner_segment, i);
		const guint64 table_va = segment->resume_va & ~(guint64)(VECTOR_TABLE_BYTES - 1);
		guint n;

		if (!is_bracket(segment) || !may_be_lower_vector(segment->resume_va))
			continue;
		n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, &table_va)) + 1;
		g_hash_table_insert(counts, g_memdup2(&table_va, sizeof table_va),
		                    GUINT_TO_POINTER(n));
		if (n > best) {
			best = n;
			best_va = table_va;
		}
	}
	return best_va;
}

void owner_settle_brackets(GArray *segments, const struct owner_config *config)
{
	const guint64 table_va = config->has_ranges ? vector_table_va(segments) : 0;

	for (guint i = 0; i < segments->len; i++) {
		struct owner_segment *segment = &g_array_index(segments, struct owner_segment, i);
		const gboolean is_vector =
			may_be_lower_vector(segment->resume_va) &&
			(!config->has_ranges || segment->resume_va - table_va < VECTOR_TABLE_BYTES);

		if (!is_bracket(segment) || is_vector)
			continue;
		segment->owner.el = 2;
		segment->owner.owner_class = config->has_ranges ? OWNER_HYPERVISOR : OWNER_UNTRACED;
		if (!config->has_ranges)
			segment->certainty = CERTAINTY_TRACED;
	}
}
