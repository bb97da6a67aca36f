/* etm4-packet.h: inside the ETMv4 encoder
 *
 * The headers of IHI 0064's instruction trace packets, one packet while it is put
 * together, and the way out for it. For the encoder's own files only.
 */
#pragma once

#include "capture/etm4-encoder.h"

enum {
	PACKET_BYTES_MAX = 32,
	HEADER_TRACE_INFO = 0x01,
	HEADER_TIMESTAMP = 0x02,
	HEADER_TRACE_ON = 0x04,
	HEADER_EXCEPTION = 0x06,
	HEADER_EXCEPTION_RETURN = 0x07,
	HEADER_CYCLES_F2 = 0x0C,
	HEADER_CYCLES_F1 = 0x0E,
	HEADER_CYCLES_F3 = 0x10,
	HEADER_COMMIT = 0x2D,
	HEADER_CANCEL_F1 = 0x2E,
	HEADER_MISPREDICT = 0x30,
	HEADER_IGNORE = 0x70,
	HEADER_EVENT = 0x70,
	HEADER_CONTEXT = 0x80,
	HEADER_ADDRESS_CONTEXT32 = 0x82,
	HEADER_ADDRESS_CONTEXT64 = 0x85,
	HEADER_ADDRESS_MATCH = 0x90,
	HEADER_ADDRESS_SHORT = 0x95,
	HEADER_ADDRESS_LONG32 = 0x9A,
	HEADER_ADDRESS_LONG64 = 0x9D,
};

/* One packet being put together. */
struct etm4_packet {
	uint8_t bytes[PACKET_BYTES_MAX];
	size_t len_bytes;
};

static inline void packet_add(struct etm4_packet *packet, unsigned byte)
{
	packet->bytes[packet->len_bytes++] = (uint8_t)byte;
}

/* Seven bits a byte, low ones first, bit 7 says that more follows. */
static inline void packet_add_leb(struct etm4_packet *packet, uint64_t value)
{
	while (value > 0x7F) {
		packet_add(packet, 0x80 | (unsigned)(value & 0x7F));
		value >>= 7;
	}
	packet_add(packet, (unsigned)value);
}

static inline void packet_add_le(struct etm4_packet *packet, uint64_t value, unsigned n_bytes)
{
	for (unsigned i = 0; i < n_bytes; i++)
		packet_add(packet, (unsigned)(value >> (8 * i)) & 0xFF);
}

static inline unsigned etm4_field(uint32_t value, unsigned low, unsigned width)
{
	return (value >> low) & ((1u << width) - 1);
}

/* Hands a packet to the sink; etm4_packet_send sends the pending atoms first. */
void etm4_packet_send_raw(struct etm4_encoder *self, const struct etm4_packet *packet);
void etm4_packet_send(struct etm4_encoder *self, const struct etm4_packet *packet);
void etm4_packet_send_byte(struct etm4_encoder *self, unsigned byte);
