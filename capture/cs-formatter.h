/* cs-formatter.h: CoreSight frames, written
 *
 * Interleaves the bytes of several trace sources into 16-byte frames as a
 * formatter does (Arm IHI 0029, trace formatter), optionally with the
 * synchronisation that a TPIU adds: FSYNC between frames, HSYNC between
 * half-words. It has no notion of packets, and does not judge IDs beyond their
 * range.
 *
 * No GLib, no allocation: a QEMU plugin links it too. One formatter, one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CS_FRAME_BYTES = 16,
	CS_ID_NONE = 0x00,
	CS_ID_FIRST = 0x01,
	CS_ID_LAST = 0x6F
};

/* Called with output in order: a frame, a synchronisation word, or parts of a frame
 * around an HSYNC. `bytes` is valid during the call. */
typedef void (*cs_formatter_sink)(void *data, const uint8_t *bytes, size_t len_bytes);

struct cs_formatter_options {
	unsigned fsync_frames; /* an FSYNC before each so many frames; 0: none */
	unsigned hsync_halves; /* an HSYNC after each so many half-words of a frame's
	                        * bytes; 0: none. A TPIU's; OpenCSD takes it with
	                        * OCSD_DFRMTR_HAS_HSYNCS. */
};

struct cs_formatter {
	struct cs_formatter_options options;
	cs_formatter_sink sink;
	void *sink_data;
	uint8_t frame[CS_FRAME_BYTES];
	unsigned used; /* bytes of the frame that are filled, 0 to 14 */
	uint8_t id;    /* in force at `used`; CS_ID_NONE before any */
	bool id_known;
	uint64_t n_frames;
	unsigned halves;        /* half-words since the last HSYNC */
	uint64_t written_bytes; /* handed to the sink, synchronisation included */
};

/* `options` may be NULL: frames only. The sink must outlive the formatter. */
void cs_formatter_init(struct cs_formatter *self, const struct cs_formatter_options *options,
                       cs_formatter_sink sink, void *sink_data);

/* Bytes of source `id` (CS_ID_FIRST to CS_ID_LAST). A frame goes out when it is full. */
void cs_formatter_write(struct cs_formatter *self, uint8_t id, const uint8_t *bytes,
                        size_t len_bytes);

/* Fills an open frame with ID 0 and sends it. Nothing where none is open. */
void cs_formatter_flush(struct cs_formatter *self);

/* Flushes, and writes four FSYNCs, 16 bytes: what Linux puts where a buffer wrapped
 * ("barrier packet"). The next byte begins with its ID. */
void cs_formatter_barrier(struct cs_formatter *self);

/* Where in the formatted output the next byte will stand, frame bytes not sent yet
 * included, a following ID byte not. */
uint64_t cs_formatter_position(const struct cs_formatter *self);
