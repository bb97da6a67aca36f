#include "capture/cs-formatter.h"

#include <string.h>

enum {
	AUX_BYTE = CS_FRAME_BYTES - 1,
	ID_FLAG = 0x01, /* bit 0 of an even byte: this is an ID, not data */
};

static const uint8_t fsync[] = { 0xFF, 0xFF, 0xFF, 0x7F };
static const uint8_t hsync[] = { 0xFF, 0x7F };

void cs_formatter_init(struct cs_formatter *self, const struct cs_formatter_options *options,
                       cs_formatter_sink sink, void *sink_data)
{
	memset(self, 0, sizeof *self);
	if (options != NULL)
		self->options = *options;
	self->sink = sink;
	self->sink_data = sink_data;
}

static void emit(struct cs_formatter *self, const uint8_t *bytes, size_t len_bytes)
{
	self->written_bytes += len_bytes;
	self->sink(self->sink_data, bytes, len_bytes);
}

/* Sends the frame, with the synchronisation that is due before and within it. An
 * FSYNC restarts the count of half-words. An HSYNC never stands between frames: readers
 * look for FSYNCs there first. */
static void send_frame(struct cs_formatter *self)
{
	const unsigned every = self->options.fsync_frames;
	const unsigned halves = self->options.hsync_halves;

	if (every != 0 && self->n_frames % every == 0) {
		emit(self, fsync, sizeof fsync);
		self->halves = 0;
	}
	if (halves == 0) {
		emit(self, self->frame, CS_FRAME_BYTES);
	} else {
		for (unsigned i = 0; i < CS_FRAME_BYTES; i += 2) {
			if (i > 0 && self->halves >= halves) {
				emit(self, hsync, sizeof hsync);
				self->halves = 0;
			}
			emit(self, &self->frame[i], 2);
			self->halves++;
		}
	}
	self->n_frames++;
	self->used = 0;
	memset(self->frame, 0, sizeof self->frame);
}

static void put(struct cs_formatter *self, uint8_t byte)
{
	self->frame[self->used++] = byte;
	if (self->used == AUX_BYTE)
		send_frame(self);
}

static void put_data(struct cs_formatter *self, uint8_t byte)
{
	/* An even byte gives its bit 0 to the auxiliary byte. */
	if (self->used % 2 == 0) {
		self->frame[AUX_BYTE] |= (uint8_t)((byte & 1) << (self->used / 2));
		byte &= 0xFE;
	}
	put(self, byte);
}

/* The ID of the bytes that follow. IDs stand in even places only. In an odd one the data
 * byte before moves up into it, and the auxiliary bit says that the ID takes effect
 * after that byte. */
static void put_id(struct cs_formatter *self, uint8_t id)
{
	const uint8_t id_byte = (uint8_t)(id << 1 | ID_FLAG);

	if (self->used % 2 == 0) {
		put(self, id_byte);
	} else {
		const unsigned before = self->used - 1;
		const uint8_t bit = (uint8_t)(1u << (before / 2));
		const uint8_t moved = (uint8_t)(self->frame[before] |
		                                ((self->frame[AUX_BYTE] & bit) != 0 ? 1 : 0));

		self->frame[before] = id_byte;
		self->frame[AUX_BYTE] |= bit;
		put(self, moved);
	}
	self->id = id;
	self->id_known = true;
}

void cs_formatter_write(struct cs_formatter *self, uint8_t id, const uint8_t *bytes,
                        size_t len_bytes)
{
	if (len_bytes > 0 && (!self->id_known || self->id != id))
		put_id(self, id);
	for (size_t i = 0; i < len_bytes; i++)
		put_data(self, bytes[i]);
}

void cs_formatter_flush(struct cs_formatter *self)
{
	if (self->used == 0)
		return;
	put_id(self, CS_ID_NONE);
	/* What is not filled of a frame is zero, and zeros are what ID 0 sends. */
	if (self->used != 0)
		send_frame(self);
}

void cs_formatter_barrier(struct cs_formatter *self)
{
	cs_formatter_flush(self);
	for (unsigned i = 0; i < 4; i++)
		emit(self, fsync, sizeof fsync);
	self->id_known = false;
}

uint64_t cs_formatter_position(const struct cs_formatter *self)
{
	return self->written_bytes + self->used;
}
