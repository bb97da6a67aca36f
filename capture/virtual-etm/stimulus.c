/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/stimulus.h"

#include <string.h>

enum {
	PORT_BYTES = 256,
	OFFSET_INVARIANT = 0x80,
	OFFSET_NO_TIMESTAMP = 0x08,
	OFFSET_NOT_MARKED = 0x10,
	OFFSET_DATA_END = 0x20, /* where the data ports' offsets end */
	OFFSET_FLAG = 0x60,
	OFFSET_TRIGGER = 0x70,
	SYNC_BYTES = 4096,
};

void stimulus_init(struct stimulus *self, uint64_t base_pa, uint64_t len_bytes,
                   uint8_t first_master, uint32_t frequency_hz, stp_encoder_write write,
                   void *write_data)
{
	memset(self, 0, sizeof *self);
	stp_encoder_init(&self->encoder, STP_TIMESTAMPS_BINARY, write, write_data);
	self->base_pa = base_pa;
	self->len_bytes = len_bytes;
	self->first_master = first_master;
	self->frequency_hz = frequency_hz;
}

static void synchronise(struct stimulus *self)
{
	if (self->started && self->encoder.written_bytes - self->sync_bytes < SYNC_BYTES)
		return;
	stp_encoder_sync(&self->encoder);
	stp_encoder_frequency(&self->encoder, self->frequency_hz);
	self->sync_bytes = self->encoder.written_bytes;
	self->started = true;
}

static bool write_data(struct stimulus *self, const struct stimulus_store *store, uint8_t master,
                       uint16_t channel, unsigned offset, const uint64_t *timestamp)
{
	const struct stp_data data = {
		.master = master,
		.channel = channel,
		.bits = store->size_bytes * 8,
		.value = store->value,
		.marked = (offset & OFFSET_NOT_MARKED) == 0,
		.has_timestamp = timestamp != NULL,
		.timestamp = timestamp != NULL ? *timestamp : 0,
	};

	return stp_encoder_data(&self->encoder, &data);
}

bool stimulus_write(struct stimulus *self, const struct stimulus_store *store)
{
	const uint64_t offset_pa = store->pa - self->base_pa;
	const uint16_t channel = (uint16_t)(offset_pa / PORT_BYTES);
	const unsigned offset = offset_pa % PORT_BYTES & ~(unsigned)OFFSET_INVARIANT;
	const uint8_t master = (uint8_t)(self->first_master + store->core);
	const uint64_t *timestamp = (offset & OFFSET_NO_TIMESTAMP) == 0 ? store->timestamp : NULL;

	if (offset_pa >= self->len_bytes)
		return false;
	if (offset >= OFFSET_DATA_END && offset < OFFSET_FLAG)
		return false;
	synchronise(self);
	if (offset < OFFSET_DATA_END) {
		if (!write_data(self, store, master, channel, offset, timestamp))
			return false;
	} else if (offset < OFFSET_TRIGGER) {
		stp_encoder_flag(&self->encoder, master, channel, timestamp);
	} else {
		stp_encoder_trigger(&self->encoder, (uint8_t)store->value, timestamp);
	}
	self->n_writes++;
	return true;
}
