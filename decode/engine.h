/* engine.h: bytes of one trace source to events
 *
 * An engine reads the bytes of one trace ID (formatting removed) and emits
 * trace_events. It attributes nothing and remembers nothing but the protocol's own
 * state. Engines are interchangeable: engine_opencsd_new() is the reference.
 *
 * One engine serves one source and one thread; different engines may run in
 * different threads.
 */
#pragma once

#include "capture/snapshot.h"
#include "decode/event.h"

struct engine;

struct engine_class {
	/* Reads n bytes; offsets[i] is where bytes[i] stands in the formatted trace,
	 * strictly ascending over all calls. Bad bytes are events, not errors: FALSE
	 * only where the engine itself cannot go on. */
	gboolean (*push)(struct engine *self, const guint8 *bytes, const guint64 *offsets, gsize n,
	                 GError **error);
	/* The capture says that bytes are missing before the next push: emits
	 * EVENT_BARRIER and waits for synchronisation. */
	gboolean (*barrier)(struct engine *self, guint64 offset, GError **error);
	/* End of trace: emits what is left and EVENT_END. */
	gboolean (*end)(struct engine *self, guint64 offset, GError **error);
	void (*free)(struct engine *self);
};

struct engine {
	const struct engine_class *class;
};

static inline void engine_free(struct engine *self)
{
	if (self != NULL)
		self->class->free(self);
}
typedef struct engine Engine; /* for g_autoptr(Engine) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Engine, engine_free)

/* Why this version cannot decode a source, or NULL where it can: by its protocol, or
 * by a register (ETMv4 with speculation depth is decodable; data trace is not). Text
 * for a user, to be freed. */
char *engine_why_not(const struct snapshot_source *source);

/* OpenCSD's packet processor behind the engine interface, for a source that
 * engine_why_not() says nothing against. Events go to `emit`. */
struct engine *engine_opencsd_new(const struct snapshot_source *source, trace_event_fn emit,
                                  gpointer user_data, GError **error);

/* Instructions that the hypervisor executed one after the other. */
struct engine_range {
	guint64 begin_va, end_va; /* begin inclusive, end exclusive */
	guint el;
	guint64 p0;     /* P0 elements before it */
	guint64 offset; /* of the packet, in the formatted trace */
};

struct engine_flow {
	/* Copies EL2's code at an address; how many bytes of it are known. */
	guint32 (*read)(guint64 address_va, guint8 *bytes, guint32 n_bytes, gpointer user_data);
	/* Called between the events, in order. The range is valid during the call only. */
	void (*range)(const struct engine_range *range, gpointer user_data);
};

/* The same for an ETMv4, by OpenCSD's full decoder: `flow` is told what EL2 executed as well.
 * Slower, and more easily put off by bad trace: events of engine_opencsd_new() go before. */
struct engine *engine_opencsd_flow_new(const struct snapshot_source *source, trace_event_fn emit,
                                       const struct engine_flow *flow, gpointer user_data,
                                       GError **error);
