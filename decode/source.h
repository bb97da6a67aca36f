/* source.h: one trace source's way from bytes to facts
 *
 * Deframes one source's bytes, runs its engine, and gathers what the events say: the
 * owner's segments, exceptions, time anchors, STM messages, and the quality of it all.
 * Places are still stream positions here; lane.h makes rows with times of them once
 * every source has been read. Writes nothing.
 *
 * A source is filled by one thread (source_run()) and may then be read by any.
 */
#pragma once

#include "capture/snapshot.h"
#include "decode/cycle-clock.h"
#include "decode/owner.h"
#include "decode/timebase.h"

#include <gio/gio.h>

struct stm_message {
	struct stream_position position;
	enum stm_kind kind;
	guint32 master, channel;
	gboolean marked;
	gboolean has_timestamp;
	guint64 timestamp;
	guint64 value;
	guint8 value_bytes;
};

/* Something about the trace itself that went wrong, at one place. */
struct quality_note {
	const char *name; /* static: "overflow", "bad-data", ... */
	const char *what; /* static, more closely; may be NULL */
	guint64 offset;
};

struct decode_source {
	const struct snapshot *snapshot;
	const struct snapshot_source *source;
	guint8 trace_id;

	struct owner_tracker tracker;
	struct cycle_clock clock;
	struct timebase timebase;
	GArray *segments;    /* struct owner_segment */
	GArray *exceptions;  /* struct owner_exception */
	GArray *entries;     /* struct owner_entry */
	GArray *messages;    /* struct stm_message */
	GArray *notes;       /* struct quality_note */
	GArray *calls;       /* struct hypervisor_call, by hypervisor-flow.h; in order */
	guint64 resyncs;     /* synchronisation found again after it was lost */
	guint64 trace_bytes; /* of this source, formatting removed */
	guint64 dropped_bytes, broken_frames;
	guint64 id_bytes[128]; /* of each trace ID in the source's buffers */
	gboolean lost;         /* while reading: not synchronised */
	gsize block_bytes;     /* how much is read at a time; of no influence on anything else */
};

/* Bytes of formatted trace read so far, for progress; FALSE cancels. Called from the
 * thread that runs the source. */
typedef gboolean (*source_progress_fn)(guint64 bytes, gpointer user_data);

/* A function of the hypervisor was entered. */
struct hypervisor_call {
	struct stream_position position;
	guint function; /* index in the hypervisor's image */
};

struct decode_source *decode_source_new(const struct snapshot *snapshot,
                                        const struct snapshot_source *source);
void decode_source_free(struct decode_source *self);

/* Width of the source's timestamps (TRCIDR0.TSSIZE): 48 or 64. */
guint decode_source_timestamp_bits(const struct decode_source *self);

/* Reads all of the source's buffers. FALSE where a buffer cannot be mapped, the engine
 * gives up, or `progress` says so. */
gboolean decode_source_run(struct decode_source *self, source_progress_fn progress,
                           gpointer progress_data, GError **error);

struct engine;

/* Pushes all of the source's buffers through an engine of the caller's, barriers between
 * them, and ends it. Gathers nothing. */
gboolean decode_source_feed(const struct decode_source *self, struct engine *engine,
                            GError **error);
