#include "capture/stp-encoder.h"

#include <string.h>

/* The opcodes of STPv2 that an STM-500 makes, nibbles in sending order. */
enum {
	OP_NULL = 0x0,
	OP_M8 = 0x1,
	OP_MERR = 0x2,
	OP_C8 = 0x3,
	OP_FLAG_TS = 0xE,
	OP_GERR = 0xF2,
	OP_C16 = 0xF3,
	OP_FLAG = 0xFE,
	OP_VERSION = 0xF00,
	OP_TRIG = 0xF06,
	OP_TRIG_TS = 0xF07,
	OP_FREQ = 0xF08,
	ASYNC_ONES = 21, /* nibbles of F, then a 0 */
};

void stp_encoder_init(struct stp_encoder *self, enum stp_timestamps timestamps,
                      stp_encoder_write write, void *write_data)
{
	memset(self, 0, sizeof *self);
	self->timestamps = timestamps;
	self->write = write;
	self->write_data = write_data;
}

/* The first nibble of a byte is its low one. */
static void put_nibble(struct stp_encoder *self, unsigned nibble)
{
	if (!self->has_half) {
		self->half = (uint8_t)(nibble & 0xF);
		self->has_half = true;
		return;
	}

	const uint8_t byte = (uint8_t)(self->half | (nibble & 0xF) << 4);

	self->has_half = false;
	self->written_bytes++;
	self->write(self->write_data, &byte, 1);
}

/* Values are sent with their highest nibble first. */
static void put_value(struct stp_encoder *self, uint64_t value, unsigned n_nibbles)
{
	while (n_nibbles-- > 0)
		put_nibble(self, (unsigned)(value >> (4 * n_nibbles)) & 0xF);
}

static void put_opcode(struct stp_encoder *self, unsigned opcode)
{
	put_value(self, opcode, opcode > 0xFF ? 3 : opcode > 0xF ? 2 : 1);
}

void stp_encoder_flush(struct stp_encoder *self)
{
	if (self->has_half)
		put_nibble(self, OP_NULL);
}

void stp_encoder_sync(struct stp_encoder *self)
{
	for (unsigned i = 0; i < ASYNC_ONES; i++)
		put_nibble(self, 0xF);
	put_nibble(self, 0);
	put_opcode(self, OP_VERSION);
	put_nibble(self, self->timestamps);
	self->master_known = false;
	self->channel_known = false;
	self->timestamp_known = false;
}

void stp_encoder_null(struct stp_encoder *self)
{
	put_opcode(self, OP_NULL);
}

void stp_encoder_frequency(struct stp_encoder *self, uint32_t hz)
{
	put_opcode(self, OP_FREQ);
	put_value(self, hz, 8);
}

static void put_master_channel(struct stp_encoder *self, uint8_t master, uint16_t channel)
{
	if (!self->master_known || self->master != master) {
		put_opcode(self, OP_M8);
		put_value(self, master, 2);
		self->master = master;
		self->master_known = true;
		/* A master's channel begins at 0 (MIPI STP v2, M8). */
		self->channel = 0;
		self->channel_known = true;
	}
	if (self->channel_known && self->channel == channel)
		return;
	/* C8 leaves the upper byte of the channel as it was. */
	if (self->channel_known && self->channel >> 8 == channel >> 8) {
		put_opcode(self, OP_C8);
		put_value(self, channel & 0xFF, 2);
	} else {
		put_opcode(self, OP_C16);
		put_value(self, channel, 4);
	}
	self->channel = channel;
	self->channel_known = true;
}

static uint64_t coded(const struct stp_encoder *self, uint64_t timestamp)
{
	return self->timestamps == STP_TIMESTAMPS_GRAY ? timestamp ^ timestamp >> 1 : timestamp;
}

/* A length and as many low nibbles as changed; all that are not 0 where the reader
 * does not know the one before. Lengths are 0 to 12, 14 (coded 13), 16 (coded 14). */
static void put_timestamp(struct stp_encoder *self, uint64_t timestamp)
{
	const uint64_t value = coded(self, timestamp);
	uint64_t changed = value ^ coded(self, self->timestamp);
	unsigned n = 0;

	if (!self->timestamp_known)
		changed |= value;
	for (; changed != 0; changed >>= 4)
		n++;
	if (n > 12)
		n += n % 2;
	put_nibble(self, n <= 12 ? n : n == 14 ? 13 : 14);
	put_value(self, value, n);
	self->timestamp = timestamp;
	self->timestamp_known = true;
}

struct data_opcodes {
	unsigned bits;
	unsigned plain, timestamp, marked, marked_timestamp;
};

static const struct data_opcodes data_opcodes[] = {
	{ 4, 0xC, 0xFC, 0xFD, 0xD },  { 8, 0x4, 0xF4, 0xF8, 0x8 },  { 16, 0x5, 0xF5, 0xF9, 0x9 },
	{ 32, 0x6, 0xF6, 0xFA, 0xA }, { 64, 0x7, 0xF7, 0xFB, 0xB },
};

bool stp_encoder_data(struct stp_encoder *self, const struct stp_data *data)
{
	for (size_t i = 0; i < sizeof data_opcodes / sizeof data_opcodes[0]; i++) {
		const struct data_opcodes *op = &data_opcodes[i];

		if (op->bits != data->bits)
			continue;
		put_master_channel(self, data->master, data->channel);
		if (data->marked)
			put_opcode(self, data->has_timestamp ? op->marked_timestamp : op->marked);
		else
			put_opcode(self, data->has_timestamp ? op->timestamp : op->plain);
		put_value(self, data->value, data->bits / 4);
		if (data->has_timestamp)
			put_timestamp(self, data->timestamp);
		return true;
	}
	return false;
}

void stp_encoder_flag(struct stp_encoder *self, uint8_t master, uint16_t channel,
                      const uint64_t *timestamp)
{
	put_master_channel(self, master, channel);
	put_opcode(self, timestamp != NULL ? OP_FLAG_TS : OP_FLAG);
	if (timestamp != NULL)
		put_timestamp(self, *timestamp);
}

void stp_encoder_trigger(struct stp_encoder *self, uint8_t value, const uint64_t *timestamp)
{
	put_opcode(self, timestamp != NULL ? OP_TRIG_TS : OP_TRIG);
	put_value(self, value, 2);
	if (timestamp != NULL)
		put_timestamp(self, *timestamp);
}

void stp_encoder_master_error(struct stp_encoder *self, uint8_t value)
{
	put_opcode(self, OP_MERR);
	put_value(self, value, 2);
	self->channel = 0;
	self->channel_known = true;
}

void stp_encoder_global_error(struct stp_encoder *self, uint8_t value)
{
	put_opcode(self, OP_GERR);
	put_value(self, value, 2);
	self->master = 0;
	self->master_known = true;
	self->channel = 0;
	self->channel_known = true;
}
