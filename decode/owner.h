/* owner.h: who owned the core
 *
 * Turns the event stream of one core into segments: gapless, in order, each with
 * exactly one owner. Pure: it reads no file, knows no other core and no time, and
 * never guesses. A segment's place is its position in the stream; timebase.h makes
 * times of positions.
 *
 * Rules (Arm IHI 0064; docs/internals/decode.md has each with its reason):
 * - Before the first context after synchronisation the owner is unknown.
 * - An exception packet is the boundary. A context between it and its return
 *   address still belongs to the interrupted code; the handler's context comes
 *   later and counts from the exception on. Where none comes before the handler's
 *   first P0 element, the context stays.
 * - A context elsewhere counts from where it stands.
 * - Overflow, discard, bad data and missing synchronisation are LOST until the next
 *   context; trace that was merely off is UNTRACED until then.
 *
 * One tracker serves one core and one thread. Segments handed to `emit` are valid
 * during the call only.
 */
#pragma once

#include "decode/event.h"
#include "schema/rows.h"

struct owner_segment {
	struct row_owner owner;
	enum span_certainty certainty;
	const char *gap_reason;       /* LOST and UNTRACED: static text; NULL otherwise */
	struct stream_position begin; /* inclusive */
	struct stream_position end;   /* exclusive */
	guint64 resume_va;            /* BRACKETED: where trace came back; 0 where unsaid */
};

/* An exception with what belongs to it. */
struct owner_exception {
	guint type; /* ETMv4 number */
	gboolean has_return_address;
	guint64 return_address_va;
	struct row_owner from, to;
	struct stream_position position; /* the boundary */
};

/* EL2 gave the core to a guest. */
struct owner_entry {
	/* Where the guest went on: the ERET's target. Where an interrupt was pending for the
	 * guest, no context stands at the target and it is the exception's return address. */
	gboolean has_address;
	guint64 address_va;
	gboolean interrupted; /* the guest took an exception of its own before anything else */
	struct row_owner to;  /* in the latter case the handler's */
	struct stream_position position;
};

struct owner_sink {
	void (*segment)(const struct owner_segment *segment, gpointer user_data);
	/* Called for each exception in order, once its handler's context is known, thus
	 * perhaps before the segment that it ends. May be NULL. */
	void (*exception)(const struct owner_exception *exception, gpointer user_data);
	/* Called for each entry to a guest, in order. May be NULL. */
	void (*entry)(const struct owner_entry *entry, gpointer user_data);
	gpointer user_data;
};

struct owner_config {
	/* TRCCONFIGR.VMIDOPT: the VMID field holds CONTEXTIDR_EL2 (a VHE host), which is no
	 * VMID (Arm IHI 0064, TRCCONFIGR). */
	gboolean vmid_is_context_id;
	/* Exception levels 0-3 that the trace unit was told to leave out in non-secure
	 * state, one bit each (TRCVICTLR.EXLEVEL_NS); 0 where the capture does not say. */
	guint8 excluded_el;
	/* The trace unit was told to trace some addresses only (TRCVIIECTLR). */
	gboolean has_ranges;
};

enum owner_state {
	OWNER_STATE_LOST,      /* no trace to believe until it resumes */
	OWNER_STATE_RESUMED,   /* trace is back, no context yet */
	OWNER_STATE_RUNNING,   /* context known */
	OWNER_STATE_EXCEPTION, /* exception taken, its return address awaited */
	OWNER_STATE_HANDLER,   /* return address seen, the handler's context awaited */
};

struct owner_tracker {
	struct owner_config config;
	struct owner_sink sink;
	enum owner_state state;
	guint64 sequence;
	struct owner_segment open; /* begin, owner; its end is not known yet */
	gboolean has_open;
	struct stream_position resumed;   /* RESUMED: where trace came back */
	struct owner_exception exception; /* EXCEPTION, HANDLER: the one under way */
	struct owner_entry entry;         /* has_entry: its address may come yet */
	gboolean has_entry;
};

void owner_tracker_init(struct owner_tracker *self, const struct owner_config *config,
                        const struct owner_sink *sink);

/* Feeds one event. Events come in trace order, EVENT_END last. Cannot fail. */
void owner_tracker_push(struct owner_tracker *self, const struct trace_event *event);

/* Tells the hypervisor's gaps from the guests' among all BRACKETED segments of a source.
 * Until then each is the guest's. A guest's gap ends at a lower exception level's vector; with
 * address ranges the hypervisor leaves the traced addresses too and may come back anywhere
 * else: its own time then, bracketed in the same way. */
void owner_settle_brackets(GArray *segments, const struct owner_config *config);

/* The owner that a context stands for. */
struct row_owner owner_of_context(const struct trace_context *context,
                                  const struct owner_config *config);
