#include "decode/speculation.h"

enum {
	/* Elements: more than any sound trace leaves undecided, so that a damaged one does not
	 * take all memory. */
	HELD_MAX = 1 << 16,
};

/* P0 elements without an event, or one event; an exception is both. */
struct held_element {
	guint32 n_p0;
	gboolean has_event;
	struct trace_event event;
};

void speculation_init(struct speculation *self, guint32 max_depth, trace_event_fn emit,
                      gpointer user_data)
{
	*self = (struct speculation) { .max_depth = max_depth,
		                       .emit = emit,
		                       .user_data = user_data };
	g_queue_init(&self->held);
}

void speculation_deinit(struct speculation *self)
{
	g_queue_clear_full(&self->held, g_free);
}

static void emit_now(struct speculation *self, struct trace_event *event)
{
	event->p0 = self->p0;
	self->emit(event, self->user_data);
}

/* Passes the oldest `n` P0 elements and what stands before them. */
static void release(struct speculation *self, guint32 n)
{
	struct held_element *oldest;

	while (n > 0 && (oldest = g_queue_peek_head(&self->held)) != NULL) {
		const guint32 taken = MIN(n, oldest->n_p0);

		if (oldest->has_event)
			emit_now(self, &oldest->event);
		self->p0 += taken;
		self->n_held -= taken;
		oldest->n_p0 -= taken;
		n -= taken;
		if (oldest->n_p0 == 0)
			g_free(g_queue_pop_head(&self->held));
	}
}

/* With nothing undecided before them, events wait for nothing. */
static void release_events(struct speculation *self)
{
	struct held_element *oldest;

	while ((oldest = g_queue_peek_head(&self->held)) != NULL && oldest->n_p0 == 0) {
		emit_now(self, &oldest->event);
		g_free(g_queue_pop_head(&self->held));
	}
}

/* A P0 element beyond the depth commits the oldest (Arm IHI 0064, speculation depth). */
static void limit_depth(struct speculation *self)
{
	const guint64 depth = (guint64)self->n_unseen + self->n_held;

	if (self->held.length > HELD_MAX)
		speculation_finish(self);
	else if (depth > self->max_depth)
		speculation_commit(self, (guint32)(depth - self->max_depth));
}

/* A count overtakes the timestamps that wait: what they say is of the count before it. */
static void forget_counts(struct speculation *self)
{
	for (GList *i = self->held.head; i != NULL; i = i->next) {
		struct trace_event *event = &((struct held_element *)i->data)->event;

		if (event->kind == EVENT_TIMESTAMP)
			event->timestamp.has_cycles = FALSE;
	}
}

static void hold(struct speculation *self, guint32 n_p0, const struct trace_event *event)
{
	struct held_element *element = g_new0(struct held_element, 1);

	element->n_p0 = n_p0;
	element->has_event = event != NULL;
	if (event != NULL)
		element->event = *event;
	g_queue_push_tail(&self->held, element);
	self->n_held += n_p0;
	limit_depth(self);
}

void speculation_p0(struct speculation *self, guint n)
{
	if (self->max_depth == 0)
		self->p0 += n;
	else if (n > 0)
		hold(self, n, NULL);
}

void speculation_event(struct speculation *self, struct trace_event *event)
{
	const guint32 n_p0 = event->kind == EVENT_EXCEPTION ? 1 : 0;
	const gboolean waits = self->n_held + self->n_unseen + n_p0 > 0;

	if (self->max_depth == 0) {
		emit_now(self, event);
		self->p0 += n_p0;
	} else if (!waits || event->kind == EVENT_CYCLES) {
		if (event->kind == EVENT_CYCLES)
			forget_counts(self);
		emit_now(self, event);
	} else {
		hold(self, n_p0, event);
	}
}

void speculation_commit(struct speculation *self, guint32 n)
{
	const guint32 unseen = MIN(n, self->n_unseen);

	self->n_unseen -= unseen;
	release(self, n - unseen);
	if (self->n_unseen + self->n_held == 0)
		release_events(self);
}

/* Takes the newest P0 elements away, and what follows them but timestamps. */
void speculation_cancel(struct speculation *self, guint32 n)
{
	GQueue kept = G_QUEUE_INIT;
	struct held_element *newest;

	while (n > 0 && (newest = g_queue_pop_tail(&self->held)) != NULL) {
		const guint32 taken = MIN(n, newest->n_p0);

		self->n_held -= taken;
		newest->n_p0 -= taken;
		n -= taken;
		if (newest->n_p0 > 0)
			g_queue_push_tail(&self->held, newest);
		else if (newest->has_event && newest->event.kind == EVENT_TIMESTAMP)
			g_queue_push_head(&kept, newest);
		else
			g_free(newest);
	}
	self->n_unseen -= MIN(n, self->n_unseen);
	while ((newest = g_queue_pop_head(&kept)) != NULL)
		g_queue_push_tail(&self->held, newest);
	if (self->n_unseen + self->n_held == 0)
		release_events(self);
}

void speculation_drop(struct speculation *self)
{
	speculation_cancel(self, G_MAXUINT32);
}

void speculation_synchronise(struct speculation *self, guint32 depth)
{
	self->n_unseen = MIN(depth, self->max_depth);
}

void speculation_finish(struct speculation *self)
{
	self->n_unseen = 0;
	release(self, self->n_held);
	release_events(self);
}
