/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/trace-unit.h"

#include <string.h>

enum {
	TIMESTAMP_UNKNOWN = 0, /* Arm IHI 0064, Timestamp element */
};

void trace_unit_init(struct trace_unit *self, const struct trace_unit_registers *registers,
                     const struct trace_unit_fifo *fifo, const struct flow *flow,
                     struct code_image *code, etm4_encoder_write write, void *write_data)
{
	memset(self, 0, sizeof *self);
	self->registers = *registers;
	self->fifo = *fifo;
	self->flow = flow;
	self->code = code;
	etm4_encoder_init(&self->encoder, &registers->encoder, write, write_data);
}

static struct etm4_context encoder_context(const struct flow_context *context)
{
	return (struct etm4_context) {
		.el = context->el,
		.aarch64 = true,
		.non_secure = context->non_secure,
		.vmid = context->vmid,
		.context_id = context->context_id,
	};
}

static bool context_equal(const struct flow_context *a, const struct flow_context *b)
{
	return a->el == b->el && a->non_secure == b->non_secure && a->vmid == b->vmid &&
	       a->context_id == b->context_id;
}

static void take_context(struct trace_unit *self, const struct flow_context *context)
{
	if (self->context_known && context_equal(&self->context, context))
		return;
	self->context = *context;
	self->context_known = true;
	self->pending_context = true;
	self->pending_timestamp = true;
	view_resolve(&self->view, &self->registers.view, context);
	if (self->code != NULL)
		self->space = code_image_space(self->code, context);
}

/* Where cycles are counted a timestamp says how many there were since the last count (Arm
 * IHI 0064, Timestamp packet): a change of owner shows to the cycle whatever the threshold. */
static void send_timestamp(struct trace_unit *self, uint64_t ticks)
{
	if (ticks < self->timestamp)
		ticks = self->timestamp;
	if (etm4_encoder_timestamp_cycles(&self->encoder, ticks, self->cycles) ||
	    etm4_encoder_timestamp(&self->encoder, ticks))
		self->timestamp = ticks;
	self->timestamp_cycles = 0;
}

static void synchronise(struct trace_unit *self)
{
	etm4_encoder_sync(&self->encoder);
	self->sync_bytes = self->encoder.written_bytes;
	self->started = true;
	self->pending_address = true;
	self->pending_context = true;
	self->pending_timestamp = true;
}

static void stop_tracing(struct trace_unit *self)
{
	self->tracing = false;
	self->in_element = false;
	self->pending_address = false;
	self->pending_handler = false;
}

static void start_tracing(struct trace_unit *self)
{
	if (self->overflowed) {
		etm4_encoder_overflow(&self->encoder);
		self->overflowed = false;
		synchronise(self);
	} else if (!self->started) {
		synchronise(self);
	}
	etm4_encoder_trace_on(&self->encoder);
	self->tracing = true;
	self->pending_address = true;
	self->pending_context = true;
	self->pending_timestamp = true;
	self->cycles = 0;
}

static bool sync_due(const struct trace_unit *self)
{
	const uint32_t syncpr = self->registers.syncpr;

	return syncpr != 0 && self->encoder.written_bytes - self->sync_bytes >= UINT64_C(1)
	                                                                                << syncpr;
}

/* What must stand before the run. Where a P0 element is under way no
 * address may: the decoder would lose what ran of it. */
static void send_pending(struct trace_unit *self, const struct flow_run *run)
{
	if (sync_due(self) && !self->in_element)
		synchronise(self);
	if (self->pending_context) {
		const struct etm4_context context = encoder_context(&self->context);

		if (self->pending_address)
			etm4_encoder_address_context(&self->encoder, run->va, ETM4_IS0, &context);
		else
			etm4_encoder_context(&self->encoder, &context);
	} else if (self->pending_address) {
		etm4_encoder_address(&self->encoder, run->va, ETM4_IS0);
	}
	self->pending_address = false;
	self->pending_context = false;
	self->pending_handler = false;
	if (self->pending_timestamp && flow_time_known(self->flow)) {
		send_timestamp(self, flow_ticks_at(self->flow, run->start_insns));
		self->pending_timestamp = false;
	} else if (self->pending_timestamp) {
		/* The time is not known, the cycles are; trace_unit_time_known() asks anew. */
		self->pending_timestamp = !etm4_encoder_timestamp_cycles(
			&self->encoder, TIMESTAMP_UNKNOWN, self->cycles);
	}
}

static void count_cycles(struct trace_unit *self)
{
	if (self->cycles >= self->registers.encoder.cc_threshold &&
	    etm4_encoder_cycle_count(&self->encoder, self->cycles, 1))
		self->cycles = 0;
}

/* The P0 element at the end of a run. */
static void send_element(struct trace_unit *self, const struct flow_run *run)
{
	const uint64_t behind_va = run->va + 4u * run->n;
	const bool broadcast = (self->registers.encoder.configr & ETM4_CONFIGR_BB) != 0;

	etm4_encoder_atom(&self->encoder, run->end != FLOW_END_NOT_TAKEN);
	if (run->end == FLOW_END_ERET ||
	    (run->end == FLOW_END_INDIRECT &&
	     (run->link || !etm4_encoder_predict(&self->encoder, run->target_va, ETM4_IS0))))
		self->pending_address = true;
	if (run->end == FLOW_END_TAKEN && broadcast)
		self->pending_address = true;
	if (run->link)
		etm4_encoder_call(&self->encoder, behind_va, ETM4_IS0);
	self->in_element = false;
	count_cycles(self);
}

/* What the FIFO took in and let out while `n` instructions ran. */
static void run_fifo(struct trace_unit *self, unsigned n)
{
	const uint64_t drained = (uint64_t)self->fifo.drain_per_1024 * n;

	if (self->fifo.size_bytes == 0)
		return;
	self->fifo_fill += (self->encoder.written_bytes - self->fifo_bytes) * 1024;
	self->fifo_bytes = self->encoder.written_bytes;
	self->fifo_fill -= drained < self->fifo_fill ? drained : self->fifo_fill;
	if (self->fifo_fill > (uint64_t)self->fifo.size_bytes * 1024 && !self->overflowed) {
		stop_tracing(self);
		self->overflowed = true;
		self->n_overflows++;
	}
}

static bool passes(const struct trace_unit *self, const struct flow_run *run)
{
	if (self->view.everything || (self->in_element && self->tracing))
		return true;
	return view_passes(&self->view, run->va, run->n);
}

/* What comes is filtered out. Hardware says where an exception went even so. */
static void leave(struct trace_unit *self)
{
	if (self->tracing && self->pending_handler) {
		const struct etm4_context handler = encoder_context(&self->context);

		etm4_encoder_context(&self->encoder, &handler);
	}
	stop_tracing(self);
}

void trace_unit_run(struct trace_unit *self, const struct flow_context *context,
                    const struct flow_run *run)
{
	take_context(self, context);
	if (self->overflowed && self->fifo_fill > 0) {
		self->n_lost += run->n;
		run_fifo(self, run->n);
		return;
	}
	if (!passes(self, run)) {
		leave(self);
		self->n_filtered += run->n;
		run_fifo(self, run->n);
		return;
	}
	if (!self->tracing)
		start_tracing(self);
	if (self->pending_address || self->pending_context || self->pending_timestamp)
		send_pending(self, run);
	if (self->code != NULL)
		code_image_note(self->code, self->space, run->block, run->va);
	self->cycles += run->n;
	self->timestamp_cycles += run->n;
	self->n_instructions += run->n;
	self->in_element = true;
	if (run->end != FLOW_END_NONE)
		send_element(self, run);
	if (self->registers.timestamp_period != 0 &&
	    self->timestamp_cycles >= self->registers.timestamp_period)
		self->pending_timestamp = true;
	if (sync_due(self))
		self->pending_timestamp = true;
	run_fifo(self, run->n);
}

/* The address before the exception, in a packet of its own: OpenCSD 1.3.3 pops its return
 * stack at an exception even where the exception packet carries the branch's target. */
static void send_target_first(struct trace_unit *self, const struct flow_exception *exception)
{
	const bool has_return_stack = (self->registers.encoder.configr & ETM4_CONFIGR_RS) != 0;
	const struct etm4_context from = encoder_context(exception->from);

	if (!has_return_stack || !self->pending_address)
		return;
	etm4_encoder_address_context(&self->encoder, exception->return_va & ~UINT64_C(3), ETM4_IS0,
	                             &from);
	self->pending_address = false;
	self->pending_context = false;
}

void trace_unit_exception(struct trace_unit *self, const struct flow_exception *exception)
{
	struct etm4_context from;

	if (!self->tracing)
		return;
	take_context(self, exception->from);
	/* Nothing ran where it came, and nothing would have been traced. */
	if (self->pending_address && !view_passes(&self->view, exception->return_va, 1)) {
		leave(self);
		return;
	}
	send_target_first(self, exception);
	from = encoder_context(exception->from);

	const struct etm4_exception packet = {
		.type = exception->etm_type,
		.address_kind =
			self->pending_address ? ETM4_EXCEPTION_TARGET : ETM4_EXCEPTION_RETURN,
		.return_address_va = exception->return_va & ~UINT64_C(3),
		.is = ETM4_IS0,
		.context = self->pending_context ? &from : NULL,
	};

	etm4_encoder_exception(&self->encoder, &packet);
	self->n_exceptions++;
	self->pending_address = true;
	self->pending_handler = true;
	self->pending_context = true;
	self->pending_timestamp = true;
	self->in_element = false;
}

void trace_unit_gap(struct trace_unit *self)
{
	stop_tracing(self);
}

void trace_unit_resume(struct trace_unit *self, uint64_t stop_ticks)
{
	if (!self->tracing || !flow_time_known(self->flow))
		return;
	/* The core stood still from one to the other. Two timestamps at one place say so, but
	 * only where no address is awaited. */
	if (!self->pending_address && !self->pending_context)
		send_timestamp(self, stop_ticks);
	self->pending_timestamp = true;
}

void trace_unit_time_known(struct trace_unit *self)
{
	self->pending_timestamp = true;
}

void trace_unit_finish(struct trace_unit *self, uint64_t ticks)
{
	if (self->tracing && ticks != 0)
		send_timestamp(self, ticks);
	else if (self->tracing)
		etm4_encoder_timestamp_cycles(&self->encoder, TIMESTAMP_UNKNOWN, self->cycles);
	etm4_encoder_flush(&self->encoder);
}
