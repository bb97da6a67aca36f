/* speculation.h: what of a speculative trace was executed
 *
 * A trace unit whose TRCIDR8.MAXSPEC is not 0 traces P0 elements (atoms, exceptions, Q)
 * before the core knows that they will be executed. Later packets commit the oldest that are
 * undecided, or cancel the newest (Arm IHI 0064, Commit and Cancel elements). This stands
 * between an engine and whoever takes its events: it holds events back until the P0
 * elements around them are decided, and counts only committed ones into an event's `p0`. With
 * a depth of 0 everything passes at once.
 *
 * Pure; one serves one engine and one thread.
 */
#pragma once

#include "decode/event.h"

struct speculation {
	guint32 max_depth;
	trace_event_fn emit;
	gpointer user_data;
	guint64 p0;       /* committed */
	GQueue held;      /* struct held_element, the oldest first */
	guint32 n_held;   /* P0 elements among them */
	guint32 n_unseen; /* undecided ones from before synchronisation, older than all held */
};

void speculation_init(struct speculation *self, guint32 max_depth, trace_event_fn emit,
                      gpointer user_data);
void speculation_deinit(struct speculation *self);

/* n atoms, or a Q element. */
void speculation_p0(struct speculation *self, guint n);

/* An event in the order of the trace. EVENT_EXCEPTION is a P0 element itself. A cycle count is
 * about what was committed and never waits. Sets event->p0. */
void speculation_event(struct speculation *self, struct trace_event *event);

/* The oldest n undecided P0 elements were executed. */
void speculation_commit(struct speculation *self, guint32 n);

/* The newest n were not, nor what follows them; timestamps among it stand. */
void speculation_cancel(struct speculation *self, guint32 n);

/* Nothing undecided was executed, as far as is known: overflow, discard, loss of
 * synchronisation. */
void speculation_drop(struct speculation *self);

/* Synchronised after speculation_drop(), with `depth` undecided elements that were not seen. */
void speculation_synchronise(struct speculation *self, guint32 depth);

/* The trace ends: what is undecided passes for executed. */
void speculation_finish(struct speculation *self);
