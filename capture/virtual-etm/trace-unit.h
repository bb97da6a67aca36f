/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace-unit.h: one core's ETM
 *
 * Decides what of a core's flow is traced and when: filters (view.h), synchronisation,
 * timestamps, cycle counts, return stack, branch broadcast, a FIFO that may overflow.
 * The encoder (capture/etm4-encoder.h) turns that into packets. It behaves as its
 * registers say, which are the ones that the capture records. It knows nothing of QEMU
 * and nothing of files.
 *
 * One instruction is one cycle. As an ETMv4 does it: a P0 element that began is traced to
 * its end; an exception is traced where the interrupted code was; a handler that the
 * filters exclude shows as its context alone; the target of an ERET or branch into
 * excluded code does not show; cycles are counted while tracing is on, anew after each
 * trace on.
 */
#pragma once

#include "capture/etm4-encoder.h"
#include "capture/virtual-etm/code-image.h"
#include "capture/virtual-etm/view.h"

/* The trace unit's registers; what is not here is 0. */
struct trace_unit_registers {
	struct etm4_registers encoder; /* TRCCONFIGR, TRCCCCTLR, TRCIDRn */
	struct view_registers view;
	uint32_t traceidr;
	uint32_t syncpr;           /* a synchronisation every 1 << n bytes */
	uint32_t timestamp_period; /* a timestamp at least every so many cycles; 0: only where
	                            * context, exception or turn ask for one */
};

/* A FIFO between the unit and the trace bus. Size 0: never overflows. */
struct trace_unit_fifo {
	uint32_t size_bytes;
	uint32_t drain_per_1024; /* bytes that leave in 1024 cycles */
};

struct trace_unit {
	struct trace_unit_registers registers;
	struct trace_unit_fifo fifo;
	struct etm4_encoder encoder;
	struct code_image *code; /* not owned; may be NULL */
	const struct flow *flow; /* the time, and nothing else */

	struct flow_context context; /* that `view` is of */
	bool context_known;
	struct view view;
	uint32_t space; /* of `context` in `code` */

	bool started;         /* sent its first synchronisation */
	bool tracing;         /* between trace on and what ends it */
	bool in_element;      /* a P0 element began and is traced to its end */
	bool pending_address; /* the next instruction's address is due */
	bool pending_context;
	bool pending_handler; /* the due address is an exception handler's */
	bool pending_timestamp;

	uint32_t cycles;           /* since the last cycle count */
	uint64_t timestamp_cycles; /* since the last timestamp */
	uint64_t timestamp;        /* the last one: they never go back */
	uint64_t sync_bytes;       /* encoder.written_bytes at the last synchronisation */

	/* Bytes in the FIFO, times 1024, and whether it overflowed and drains. */
	uint64_t fifo_fill;
	uint64_t fifo_bytes; /* encoder.written_bytes that are accounted for */
	bool overflowed;

	/* Figures for the capture. */
	uint64_t n_instructions; /* traced */
	uint64_t n_filtered;
	uint64_t n_lost; /* not traced because of an overflow */
	uint64_t n_overflows;
	uint64_t n_exceptions;
};

void trace_unit_init(struct trace_unit *self, const struct trace_unit_registers *registers,
                     const struct trace_unit_fifo *fifo, const struct flow *flow,
                     struct code_image *code, etm4_encoder_write write, void *write_data);

/* What flow.h's listener is told, for this unit's core. */
void trace_unit_run(struct trace_unit *self, const struct flow_context *context,
                    const struct flow_run *run);
void trace_unit_exception(struct trace_unit *self, const struct flow_exception *exception);
void trace_unit_gap(struct trace_unit *self);
void trace_unit_resume(struct trace_unit *self, uint64_t stop_ticks);
void trace_unit_time_known(struct trace_unit *self);

/* The window ends for this core at `ticks` (0: not known): sends what is pending, and a
 * timestamp for the cycles that no count has told. */
void trace_unit_finish(struct trace_unit *self, uint64_t ticks);
