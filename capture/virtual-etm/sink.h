/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sink.h: the capture directory that a window becomes
 *
 * Trace bytes of all units and of the STM go through one CoreSight formatter into one
 * file, as into an ETB; at the end come the devices with their registers, the executed
 * code and capture.ini (capture/snapshot-writer.h). The directory is there whole or not
 * at all.
 */
#pragma once

#include "capture/virtual-etm/code-image.h"
#include "capture/virtual-etm/options.h"

#include <glib.h>

struct sink;

struct sink_capture {
	const struct options *options;
	const struct flow *flow;
	const struct trace_unit *units; /* flow->n_cores of them */
	const struct code_image *code;
	uint64_t timestamp_hz;
	uint64_t first_insn; /* instructions that had begun when the window did */
	uint64_t last_insn;
	uint64_t n_stm;
};

/* Begins the capture in `dir`, which must not exist or be empty. */
struct sink *sink_new(const char *dir, GError **error);
void sink_free(struct sink *self);

/* Bytes of the source with that trace ID. */
void sink_write(struct sink *self, uint8_t id, const uint8_t *bytes, size_t len_bytes);

/* Bytes of trace so far, frames included. */
uint64_t sink_size(const struct sink *self);

/* Completes the capture. The sink can then only be freed. */
gboolean sink_finish(struct sink *self, const struct sink_capture *capture, GError **error);
