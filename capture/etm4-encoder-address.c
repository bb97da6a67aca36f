#include "capture/etm4-packet.h"

#include <string.h>

/* The size fields of TRCIDR2 count bytes; 3 is reserved. */
static unsigned size_bytes(unsigned value)
{
	return value == 1 || value == 2 || value == 4 ? value : 0;
}

unsigned etm4_registers_vmid_bytes(const struct etm4_registers *registers)
{
	return registers->configr & ETM4_CONFIGR_VMID
	               ? size_bytes(etm4_field(registers->idr2, 10, 5))
	               : 0;
}

unsigned etm4_registers_context_id_bytes(const struct etm4_registers *registers)
{
	return registers->configr & ETM4_CONFIGR_CID ? size_bytes(etm4_field(registers->idr2, 5, 5))
	                                             : 0;
}

static uint32_t cut_to_bytes(uint32_t value, unsigned n_bytes)
{
	return n_bytes >= 4 ? value : value & ((1u << (8 * n_bytes)) - 1);
}

static void history_push(struct etm4_encoder *self, uint64_t va, enum etm4_is is)
{
	memmove(&self->history[1], &self->history[0],
	        (ETM4_ADDRESS_HISTORY - 1) * sizeof self->history[0]);
	self->history[0].va = va;
	self->history[0].is = is;
	if (self->n_history < ETM4_ADDRESS_HISTORY)
		self->n_history++;
}

static void packet_add_long_address(struct etm4_packet *packet, uint64_t va, enum etm4_is is,
                                    bool is_64bit)
{
	if (is == ETM4_IS0) {
		packet_add(packet, (unsigned)(va >> 2) & 0x7F);
		packet_add(packet, (unsigned)(va >> 9) & 0x7F);
	} else {
		packet_add(packet, (unsigned)(va >> 1) & 0x7F);
		packet_add(packet, (unsigned)(va >> 8) & 0xFF);
	}
	packet_add_le(packet, va >> 16, is_64bit ? 6 : 2);
}

/* The 32-bit forms leave the upper half as it was, in AArch64 state. In AArch32 and
 * before the first context readers differ (OpenCSD takes it as 0), so it must be 0. */
static bool same_upper_half(const struct etm4_encoder *self, uint64_t va)
{
	if (self->n_history == 0 || (self->history[0].va ^ va) >> 32 != 0)
		return false;
	return va >> 32 == 0 || (self->context_known && self->context.aarch64);
}

static bool address_match(struct etm4_encoder *self, uint64_t va, enum etm4_is is)
{
	for (unsigned i = 0; i < self->n_history; i++) {
		if (self->history[i].va == va && self->history[i].is == is) {
			etm4_packet_send_byte(self, HEADER_ADDRESS_MATCH | i);
			history_push(self, va, is);
			return true;
		}
	}
	return false;
}

static bool address_short(struct etm4_encoder *self, uint64_t va, enum etm4_is is)
{
	const unsigned shift = is == ETM4_IS0 ? 2 : 1;

	/* The low 15 bits of va >> shift, the upper ones from the last address. */
	if (self->n_history == 0 || (self->history[0].va ^ va) >> (15 + shift) != 0)
		return false;

	struct etm4_packet packet = { .len_bytes = 0 };
	const unsigned low = (unsigned)(va >> shift) & 0x7FFF;

	packet_add(&packet, HEADER_ADDRESS_SHORT + is);
	if ((self->history[0].va ^ va) >> (7 + shift) == 0) {
		packet_add(&packet, low & 0x7F);
	} else {
		packet_add(&packet, 0x80 | (low & 0x7F));
		packet_add(&packet, low >> 7);
	}
	etm4_packet_send(self, &packet);
	history_push(self, va, is);
	return true;
}

static bool address_long(struct etm4_encoder *self, uint64_t va, enum etm4_is is, bool is_64bit)
{
	if (!is_64bit && !same_upper_half(self, va))
		return false;

	struct etm4_packet packet = { .len_bytes = 0 };

	packet_add(&packet, (is_64bit ? HEADER_ADDRESS_LONG64 : HEADER_ADDRESS_LONG32) + is);
	packet_add_long_address(&packet, va, is, is_64bit);
	etm4_packet_send(self, &packet);
	history_push(self, va, is);
	return true;
}

bool etm4_encoder_address_as(struct etm4_encoder *self, enum etm4_address_form form, uint64_t va,
                             enum etm4_is is)
{
	switch (form) {
	case ETM4_ADDRESS_MATCH:
		return address_match(self, va, is);
	case ETM4_ADDRESS_SHORT:
		return address_short(self, va, is);
	case ETM4_ADDRESS_LONG32:
		return address_long(self, va, is, false);
	case ETM4_ADDRESS_LONG64:
		return address_long(self, va, is, true);
	}
	return false;
}

void etm4_encoder_address(struct etm4_encoder *self, uint64_t va, enum etm4_is is)
{
	for (enum etm4_address_form form = ETM4_ADDRESS_MATCH; form <= ETM4_ADDRESS_LONG64;
	     form++) {
		if (etm4_encoder_address_as(self, form, va, is))
			return;
	}
}

/* The info byte and what it announces (IHI 0064, context packet): EL [1:0], SF b4,
 * NS b5, VMID follows b6, context ID follows b7. */
static void packet_add_context(struct etm4_encoder *self, struct etm4_packet *packet,
                               const struct etm4_context *context)
{
	const unsigned vmid_bytes = etm4_registers_vmid_bytes(&self->registers);
	const unsigned cid_bytes = etm4_registers_context_id_bytes(&self->registers);
	const uint32_t vmid = cut_to_bytes(context->vmid, vmid_bytes);
	const uint32_t cid = cut_to_bytes(context->context_id, cid_bytes);
	const bool send_vmid =
		vmid_bytes > 0 && (!self->context_known || vmid != self->context.vmid);
	const bool send_cid =
		cid_bytes > 0 && (!self->context_known || cid != self->context.context_id);

	packet_add(packet, (context->el & 3u) | (context->aarch64 ? 0x10u : 0) |
	                           (context->non_secure ? 0x20u : 0) | (send_vmid ? 0x40u : 0) |
	                           (send_cid ? 0x80u : 0));
	if (send_vmid)
		packet_add_le(packet, vmid, vmid_bytes);
	if (send_cid)
		packet_add_le(packet, cid, cid_bytes);
	self->context = *context;
	self->context.vmid = vmid;
	self->context.context_id = cid;
	self->context_known = true;
}

static bool context_is_current(const struct etm4_encoder *self, const struct etm4_context *context)
{
	const unsigned vmid_bytes = etm4_registers_vmid_bytes(&self->registers);
	const unsigned cid_bytes = etm4_registers_context_id_bytes(&self->registers);

	return self->context_known && self->context.el == (context->el & 3) &&
	       self->context.aarch64 == context->aarch64 &&
	       self->context.non_secure == context->non_secure &&
	       self->context.vmid == cut_to_bytes(context->vmid, vmid_bytes) &&
	       self->context.context_id == cut_to_bytes(context->context_id, cid_bytes);
}

void etm4_encoder_address_context(struct etm4_encoder *self, uint64_t va, enum etm4_is is,
                                  const struct etm4_context *context)
{
	const bool is_64bit = !same_upper_half(self, va);
	struct etm4_packet packet = { .len_bytes = 0 };

	packet_add(&packet, (is_64bit ? HEADER_ADDRESS_CONTEXT64 : HEADER_ADDRESS_CONTEXT32) + is);
	packet_add_long_address(&packet, va, is, is_64bit);
	packet_add_context(self, &packet, context);
	etm4_packet_send(self, &packet);
	history_push(self, va, is);
}

void etm4_encoder_context(struct etm4_encoder *self, const struct etm4_context *context)
{
	struct etm4_packet packet = { .len_bytes = 0 };

	if (context_is_current(self, context)) {
		packet_add(&packet, HEADER_CONTEXT);
	} else {
		packet_add(&packet, HEADER_CONTEXT | 1);
		packet_add_context(self, &packet, context);
	}
	etm4_packet_send(self, &packet);
}

void etm4_encoder_exception(struct etm4_encoder *self, const struct etm4_exception *exception)
{
	const unsigned type = exception->type & 0x3FF;
	const unsigned kind = exception->address_kind;
	const bool is_long = exception->long_form || type > 0x1F;
	struct etm4_packet packet = { .len_bytes = 0 };

	packet_add(&packet, HEADER_EXCEPTION);
	packet_add(&packet,
	           (kind & 1) | (type & 0x1F) << 1 | (kind & 2) << 5 | (is_long ? 0x80u : 0));
	if (is_long)
		packet_add(&packet, type >> 5);
	etm4_packet_send(self, &packet);
	if (exception->context != NULL && !context_is_current(self, exception->context))
		etm4_encoder_context(self, exception->context);
	if (exception->address_kind != ETM4_EXCEPTION_NO_ADDRESS)
		etm4_encoder_address(self, exception->return_address_va, exception->is);
	self->n_returns = 0;
}

void etm4_encoder_call(struct etm4_encoder *self, uint64_t return_va, enum etm4_is is)
{
	if ((self->registers.configr & ETM4_CONFIGR_RS) == 0)
		return;
	if (self->n_returns == ETM4_RETURN_STACK_DEPTH) {
		memmove(&self->returns[0], &self->returns[1],
		        (ETM4_RETURN_STACK_DEPTH - 1) * sizeof self->returns[0]);
		self->n_returns--;
	}
	self->returns[self->n_returns].va = return_va;
	self->returns[self->n_returns].is = is;
	self->n_returns++;
}

bool etm4_encoder_predict(struct etm4_encoder *self, uint64_t target_va, enum etm4_is is)
{
	if ((self->registers.configr & ETM4_CONFIGR_RS) == 0 || self->n_returns == 0)
		return false;
	if (self->returns[self->n_returns - 1].va != target_va ||
	    self->returns[self->n_returns - 1].is != is)
		return false;
	self->n_returns--;
	return true;
}
