/* etm4-stream.h: a stream of ETMv4 packets that the encoder writes and OpenCSD reads back
 *
 * A test encodes, and beside each packet notes the elements that it stands for;
 * stream_check() has OpenCSD's packet processor read the bytes and compares. The stream
 * owns all of its arrays.
 */
#pragma once

#include "tests/synth/opencsd-packets.h"

enum element_kind {
	ELEMENT_ATOM,
	ELEMENT_ADDRESS,
	ELEMENT_CONTEXT,
	ELEMENT_EXCEPTION,
	ELEMENT_TIMESTAMP,
	ELEMENT_CYCLES,
	ELEMENT_TRACE_INFO,
	ELEMENT_EVENT,
	ELEMENT_SPECULATION,
	ELEMENT_PLAIN, /* packets without a payload, by type */
};

/* What one packet says, in figures: `values` by kind. */
struct element {
	guint64 kind; /* enum element_kind; no padding, so that memcmp compares */
	guint64 values[5];
};

struct stream {
	struct etm4_registers registers;
	struct etm4_encoder encoder;
	GByteArray *bytes;
	GArray *starts;   /* guint: byte of each packet */
	GArray *expected; /* struct element */
	GArray *decoded;
	GArray *indexes; /* guint: where OpenCSD saw packets */
	guint seen[256]; /* first bytes */
};

void stream_init(struct stream *stream, const struct etm4_registers *registers);
void stream_deinit(struct stream *stream);

/* Appends to expected or decoded: one element, or a packet without a payload. */
void element_add(GArray *elements, enum element_kind kind, guint64 a, guint64 b, guint64 c,
                 guint64 d, guint64 e);
void element_add_plain(GArray *elements, ocsd_etmv4_i_pkt_type type);

/* Notes what the packet that comes next stands for. */
void stream_expect_info(struct stream *stream);
void stream_expect_context(struct stream *stream, const struct etm4_context *context);
void stream_expect_address(struct stream *stream, guint64 va, enum etm4_is is);

/* The lowest n_bytes of a value: what a field of that size holds of it. */
guint32 stream_cut(guint32 value, guint n_bytes);

/* OpenCSD, fed block_bytes at a time, must find what was noted, each packet where the
 * encoder began it. */
void stream_check(struct stream *stream, guint block_bytes);
