/* stp-encoder.h: STPv2 messages, written
 *
 * Turns the stimulus writes of software into the STPv2 packets of a CoreSight
 * STM-500 (MIPI STP v2, Arm DDI 0528): nibbles, master and channel only where
 * they change, timestamps as partial updates. It has no notion of ports or of
 * frames.
 *
 * No GLib, no allocation: a QEMU plugin links it too. One encoder, one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How timestamps are coded; the VERSION packet says so. */
enum stp_timestamps {
	STP_TIMESTAMPS_BINARY = 3,
	STP_TIMESTAMPS_GRAY = 4
};

/* Called with whole bytes in order. A packet may end in the middle of a byte, which
 * then comes with the next packet or the flush. */
typedef void (*stp_encoder_write)(void *data, const uint8_t *bytes, size_t len_bytes);

struct stp_encoder {
	enum stp_timestamps timestamps;
	stp_encoder_write write;
	void *write_data;
	uint8_t half; /* the low nibble of a byte that is not complete */
	bool has_half;
	uint8_t master;
	uint16_t channel;
	bool master_known; /* false after ASYNC: sent again */
	bool channel_known;
	uint64_t timestamp;
	bool timestamp_known;
	uint64_t written_bytes;
};

/* One stimulus write. */
struct stp_data {
	uint8_t master;
	uint16_t channel;
	unsigned bits; /* 4, 8, 16, 32 or 64 */
	uint64_t value;
	bool marked;        /* DnM: the last of a message, by convention */
	bool has_timestamp; /* DnTS */
	uint64_t timestamp;
};

/* Nothing is written. */
void stp_encoder_init(struct stp_encoder *self, enum stp_timestamps timestamps,
                      stp_encoder_write write, void *write_data);

/* Completes an open byte with a NULL packet. */
void stp_encoder_flush(struct stp_encoder *self);

/* ASYNC and VERSION: where a reader may start. Master, channel and timestamp are sent
 * in full after it. */
void stp_encoder_sync(struct stp_encoder *self);

void stp_encoder_null(struct stp_encoder *self);
void stp_encoder_frequency(struct stp_encoder *self, uint32_t hz);

/* False where `bits` is none of the sizes. */
bool stp_encoder_data(struct stp_encoder *self, const struct stp_data *data);

/* Flags and triggers: `timestamp` may be NULL. A flag belongs to a master and channel. */
void stp_encoder_flag(struct stp_encoder *self, uint8_t master, uint16_t channel,
                      const uint64_t *timestamp);
void stp_encoder_trigger(struct stp_encoder *self, uint8_t value, const uint64_t *timestamp);

/* Errors: of the current master (data was dropped), or global. Channel, or master and
 * channel, are 0 after it (MIPI STP v2, MERR, GERR). */
void stp_encoder_master_error(struct stp_encoder *self, uint8_t value);
void stp_encoder_global_error(struct stp_encoder *self, uint8_t value);
