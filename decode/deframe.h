/* deframe.h: one trace ID's bytes out of a formatted buffer
 *
 * Undoes the CoreSight trace formatter (Arm CoreSight Architecture Specification
 * v3.0, D4.2) for one trace ID: 16-byte frames as an ETB or ETR holds them, TPIU
 * frames with synchronisation packets between and inside, or no formatting at
 * all. Knows no trace protocol, never fails, and keeps no trace data beyond one
 * block: what it cannot use it counts.
 *
 * Each byte comes with its offset in the formatted trace, in OpenCSD's
 * convention, so that offsets are what trc_pkt_lister prints as Idx: a run of
 * bytes of one ID counts on from where its ID byte (or the frame) stands. That is
 * at most two below the byte's true place.
 */
#pragma once

#include <glib.h>

enum deframe_format {
	DEFRAME_FRAMES, /* 16-byte frames, aligned to the buffer's start */
	DEFRAME_TPIU,   /* frames after FSYNC (FF FF FF 7F), HSYNC (FF 7F) inside */
	/* The same in a DSTREAM probe's blocks of 512 bytes, the last 8 of each the probe's
	 * own (as trc_pkt_lister -dstream_format). Offsets leave them out. */
	DEFRAME_DSTREAM,
	DEFRAME_NONE, /* the buffer is the source's own data */
};

enum {
	DEFRAME_BLOCK_BYTES = 16384,
	DEFRAME_TRACE_IDS = 128
};

struct deframe_output {
	/* n (> 0) bytes of the wanted ID with their offsets, valid during the call.
	 * FALSE stops deframing; deframer_push() then returns FALSE too. */
	gboolean (*bytes)(const guint8 *bytes, const guint64 *offsets, gsize n, gpointer user_data);
	/* Four FSYNCs in place of a frame (DEFRAME_FRAMES): trace is missing here. Perf
	 * writes them between the pieces that it drained. */
	gboolean (*barrier)(guint64 offset, gpointer user_data);
	gpointer user_data;
};

struct deframer {
	enum deframe_format format;
	guint8 trace_id;
	struct deframe_output output;

	guint8 current_id;
	gboolean synchronised; /* TPIU: an FSYNC was seen */
	guint8 frame[16];      /* TPIU: the frame being gathered */
	guint frame_bytes;
	guint64 frame_offset;

	guint8 block[DEFRAME_BLOCK_BYTES];
	guint64 block_offsets[DEFRAME_BLOCK_BYTES];
	gsize block_bytes;

	/* What was met, over all IDs. */
	guint64 id_bytes[DEFRAME_TRACE_IDS]; /* data bytes of each trace ID */
	guint64 dropped_bytes; /* before the first FSYNC, in a broken or partial frame */
	guint64 broken_frames; /* a frame that an FSYNC cut short */
};

void deframer_init(struct deframer *self, enum deframe_format format, guint8 trace_id,
                   const struct deframe_output *output);

/* Reads n bytes that stand at `offset` of the formatted trace. Any split of the
 * trace into calls gives the same output, but that in DEFRAME_FRAMES n must be a
 * multiple of 16 in all calls but the last. */
gboolean deframer_push(struct deframer *self, const guint8 *bytes, gsize n, guint64 offset);

/* DEFRAME_DSTREAM or DEFRAME_TPIU: whichever breaks fewer frames at the start of this
 * buffer. Snapshots call both dstream_coresight. */
enum deframe_format deframe_probe_format(const guint8 *bytes, gsize n);

/* Hands out what is still in the block. */
gboolean deframer_flush(struct deframer *self);
