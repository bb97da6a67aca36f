/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stimulus.h: guest stores into an STM stimulus window, as STPv2
 *
 * Decodes the address of a store as an STM-500 does (Arm DDI 0528, stimulus ports): 256
 * bytes a port, bits 3 (no timestamp) and 4 (not marked) of the offset, 0x60-0x78 flags
 * and triggers, bit 7 invariant timing; the port is the channel. The wire master of real
 * hardware is the bus master's; here it is the first master plus the core.
 */
#pragma once

#include "capture/stp-encoder.h"

struct stimulus {
	struct stp_encoder encoder;
	uint64_t base_pa;
	uint64_t len_bytes;
	uint8_t first_master;
	uint32_t frequency_hz;
	uint64_t sync_bytes; /* written at the last synchronisation */
	bool started;
	uint64_t n_writes;
};

struct stimulus_store {
	unsigned core;
	uint64_t pa;
	unsigned size_bytes; /* 1, 2, 4 or 8 */
	uint64_t value;
	const uint64_t *timestamp; /* ticks; NULL where the time is not known */
};

void stimulus_init(struct stimulus *self, uint64_t base_pa, uint64_t len_bytes,
                   uint8_t first_master, uint32_t frequency_hz, stp_encoder_write write,
                   void *write_data);

/* False where the address is no port's, or reserved. */
bool stimulus_write(struct stimulus *self, const struct stimulus_store *store);
