/* opencsd-packets.h: what OpenCSD reads out of bytes that we wrote
 *
 * Runs OpenCSD's packet processor over bytes in memory and hands each packet to a
 * callback. For tests: it asserts that OpenCSD accepts the set-up and the data path.
 */
#pragma once

#include <glib.h>
#include <opencsd/c_api/opencsd_c_api.h>

#include "capture/etm4-encoder.h"

enum opencsd_input {
	OPENCSD_RAW,    /* one source's bytes */
	OPENCSD_FRAMES, /* 16-byte frames */
	OPENCSD_FSYNC,  /* frames with FSYNC between them */
	OPENCSD_HSYNC,  /* frames with FSYNC and HSYNC */
};

/* `index` is the byte where the packet begins; `packet` an ocsd_etmv4_i_pkt or an
 * ocsd_stm_pkt. */
typedef void (*opencsd_packet_fn)(gpointer data, ocsd_trc_index_t index, const void *packet);

/* OpenCSD's configuration for an ETMv4 with these registers and this trace ID. */
ocsd_etmv4_cfg opencsd_etm4_config(const struct etm4_registers *registers, guint8 trace_id);

/* Feeds `bytes` in blocks of `block_bytes` (0: all at once; a multiple of 16 for frames).
 * `decoder` is an OCSD_BUILTIN_DCD_* name. */
void opencsd_packets(enum opencsd_input input, const char *decoder, const void *config,
                     const GByteArray *bytes, guint block_bytes, opencsd_packet_fn packet,
                     gpointer data);
