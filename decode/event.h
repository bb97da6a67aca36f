/* event.h: what one trace source says, one thing at a time
 *
 * The one event type between an engine (which knows packets) and everything that
 * attributes time (which does not). Events carry only what the trace said; who
 * owned the core, and when, is decided by owner.h and timebase.h. Instruction
 * flow (atoms, plain addresses) does not become events: its volume is carried as
 * the running count `p0`.
 */
#pragma once

#include <glib.h>

enum trace_event_kind {
	EVENT_SYNC,     /* trace info after an A-sync: state is whole from here */
	EVENT_TRACE_ON, /* the trace unit had been off: a gap ends here */
	EVENT_CONTEXT,  /* context alone */
	EVENT_ADDRESS,  /* an address that matters here: exception return, handler, restart */
	EVENT_ADDRESS_CONTEXT,  /* address with context */
	EVENT_EXCEPTION,        /* an exception was taken; its return address follows */
	EVENT_EXCEPTION_RETURN, /* where the protocol has one (not A64 ERET) */
	EVENT_TIMESTAMP,
	EVENT_CYCLES,
	EVENT_OVERFLOW, /* the trace unit's FIFO overflowed: what follows is a gap */
	EVENT_DISCARD,  /* the trace unit gave up what it had not yet written */
	/* After each of these three nothing comes until the next EVENT_SYNC or _END. */
	EVENT_NOT_SYNC, /* bytes before the first synchronisation */
	EVENT_BAD_DATA, /* bytes that are no trace */
	EVENT_BARRIER,  /* the capture says that trace was lost here (4 FSYNCs, AUX gap) */
	EVENT_END,      /* end of this source's trace */
	EVENT_STM,
};

enum stm_kind {
	STM_DATA,
	STM_FLAG,
	STM_TRIGGER,
	STM_FREQUENCY,
	STM_ERROR
};

/* Execution context as traced. A field that was not in this packet keeps the value
 * that the packet before it gave (Arm IHI 0064, Context packet): `has_*` says that
 * it has been given at least once since the engine last had no state. */
struct trace_context {
	guint8 el;
	gboolean aarch64;
	gboolean secure;
	gboolean has_vmid;
	gboolean has_context_id;
	guint32 vmid;
	guint32 context_id;
};

struct trace_event {
	enum trace_event_kind kind;
	guint64 offset; /* byte of the formatted trace that began the packet */
	guint64 p0;     /* P0 elements (atoms, exceptions) traced before this event */
	union {
		struct {
			guint64 address_va;           /* ADDRESS, ADDRESS_CONTEXT */
			struct trace_context context; /* CONTEXT, ADDRESS_CONTEXT */
		};
		struct {
			guint16 type; /* ETMv4 exception number */
		} exception;
		struct {
			guint64 ticks;
			gboolean has_cycles;
			guint32 cycles; /* since the last cycle count, which stays the last */
		} timestamp;
		struct {
			guint32 count; /* 0 where the trace unit says "unknown" */
		} cycles;
		struct {
			const char *what; /* BAD_DATA: static text, "bad-sequence", ... */
		} bad;
		struct {
			enum stm_kind kind;
			guint32 master;
			guint32 channel;
			gboolean marked;
			gboolean has_timestamp;
			guint64 timestamp;
			guint64 value;
			guint8 value_bytes; /* 0 for a flag; a D4 counts as 1 */
		} stm;
	};
};

/* A place in the event stream. `sequence` orders places: each event stands
 * STREAM_STEP after the one before. `p0` is how much the core had done. */
struct stream_position {
	guint64 sequence;
	guint64 p0;
	guint64 offset; /* byte of the formatted trace */
};

enum {
	STREAM_STEP = 2
};

/* Takes events in trace order. The event is valid during the call only. */
typedef void (*trace_event_fn)(const struct trace_event *event, gpointer user_data);
