#include "capture/etm4-encoder.h"

#include <string.h>

enum {
	PACKET_BYTES_MAX = 32,
	HEADER_TRACE_INFO = 0x01,
	HEADER_TIMESTAMP = 0x02,
	HEADER_TRACE_ON = 0x04,
	HEADER_EXCEPTION = 0x06,
	HEADER_EXCEPTION_RETURN = 0x07,
	HEADER_CYCLES_F2 = 0x0C,
	HEADER_CYCLES_F1 = 0x0E,
	HEADER_CYCLES_F3 = 0x10,
	HEADER_COMMIT = 0x2D,
	HEADER_CANCEL_F1 = 0x2E,
	HEADER_MISPREDICT = 0x30,
	HEADER_IGNORE = 0x70,
	HEADER_EVENT = 0x70,
	HEADER_CONTEXT = 0x80,
	HEADER_ADDRESS_CONTEXT32 = 0x82,
	HEADER_ADDRESS_CONTEXT64 = 0x85,
	HEADER_ADDRESS_MATCH = 0x90,
	HEADER_ADDRESS_SHORT = 0x95,
	HEADER_ADDRESS_LONG32 = 0x9A,
	HEADER_ADDRESS_LONG64 = 0x9D,
};

/* One packet being put together. */
struct packet {
	uint8_t bytes[PACKET_BYTES_MAX];
	size_t len_bytes;
};

static void packet_add(struct packet *packet, unsigned byte)
{
	packet->bytes[packet->len_bytes++] = (uint8_t)byte;
}

/* Seven bits a byte, low ones first, bit 7 says that more follows. */
static void packet_add_leb(struct packet *packet, uint64_t value)
{
	while (value > 0x7F) {
		packet_add(packet, 0x80 | (unsigned)(value & 0x7F));
		value >>= 7;
	}
	packet_add(packet, (unsigned)value);
}

static void packet_add_le(struct packet *packet, uint64_t value, unsigned n_bytes)
{
	for (unsigned i = 0; i < n_bytes; i++)
		packet_add(packet, (unsigned)(value >> (8 * i)) & 0xFF);
}

static void send_raw(struct etm4_encoder *self, const struct packet *packet)
{
	self->written_bytes += packet->len_bytes;
	self->write(self->write_data, packet->bytes, packet->len_bytes);
}

static void send(struct etm4_encoder *self, const struct packet *packet)
{
	etm4_encoder_flush(self);
	send_raw(self, packet);
}

static void send_byte(struct etm4_encoder *self, unsigned byte)
{
	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, byte);
	send(self, &packet);
}

static unsigned field(uint32_t value, unsigned low, unsigned width)
{
	return (value >> low) & ((1u << width) - 1);
}

/* The size fields of TRCIDR2 count bytes; 3 is reserved. */
static unsigned size_bytes(unsigned value)
{
	return value == 1 || value == 2 || value == 4 ? value : 0;
}

unsigned etm4_registers_vmid_bytes(const struct etm4_registers *registers)
{
	return registers->configr & ETM4_CONFIGR_VMID ? size_bytes(field(registers->idr2, 10, 5))
	                                              : 0;
}

unsigned etm4_registers_context_id_bytes(const struct etm4_registers *registers)
{
	return registers->configr & ETM4_CONFIGR_CID ? size_bytes(field(registers->idr2, 5, 5)) : 0;
}

static uint32_t cut_to_bytes(uint32_t value, unsigned n_bytes)
{
	return n_bytes >= 4 ? value : value & ((1u << (8 * n_bytes)) - 1);
}

static uint32_t cycles_max(const struct etm4_registers *registers)
{
	return (1u << (12 + field(registers->idr2, 25, 4))) - 1;
}

static bool traces_cycles(const struct etm4_encoder *self)
{
	return (self->registers.configr & ETM4_CONFIGR_CCI) != 0;
}

static bool commits_with_cycles(const struct etm4_encoder *self)
{
	return field(self->registers.idr0, 29, 1) == 0;
}

void etm4_encoder_init(struct etm4_encoder *self, const struct etm4_registers *registers,
                       etm4_encoder_write write, void *write_data)
{
	memset(self, 0, sizeof *self);
	self->registers = *registers;
	self->write = write;
	self->write_data = write_data;
}

static void send_atom(struct etm4_encoder *self, unsigned header, unsigned n_atoms)
{
	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, header);
	send_raw(self, &packet);
	self->atoms >>= n_atoms;
	self->n_atoms -= n_atoms;
}

/* How many E the pending atoms begin with. */
static unsigned leading_taken(const struct etm4_encoder *self)
{
	unsigned n = 0;

	while (n < self->n_atoms && (self->atoms >> n & 1) != 0)
		n++;
	return n;
}

/* Formats 4 and 5 know only these patterns, oldest atom in bit 0 (IHI 0064, atom
 * packets). */
static unsigned pattern_header(unsigned n_atoms, uint32_t atoms)
{
	static const struct {
		uint8_t n_atoms, atoms, header;
	} patterns[] = {
		{ 5, 0x1E, 0xF5 }, { 5, 0x00, 0xD5 }, { 5, 0x0A, 0xD6 }, { 5, 0x15, 0xD7 },
		{ 4, 0x0E, 0xDC }, { 4, 0x00, 0xDD }, { 4, 0x0A, 0xDE }, { 4, 0x05, 0xDF },
	};

	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		if (patterns[i].n_atoms == n_atoms && patterns[i].atoms == atoms)
			return patterns[i].header;
	}
	return 0;
}

/* Sends the oldest atoms in the one packet that takes most of them. */
static void send_front_atoms(struct etm4_encoder *self)
{
	const unsigned n_taken = leading_taken(self);
	const unsigned n = self->n_atoms;

	if (n_taken >= 3 && n_taken < n) {
		send_atom(self, 0xE0 | (n_taken - 3), n_taken + 1);
		return;
	}
	if (n_taken >= 4) {
		send_atom(self, 0xC0 | (n_taken - 4), n_taken);
		return;
	}
	for (unsigned size = 5; size >= 4; size--) {
		const unsigned header =
			n >= size ? pattern_header(size, self->atoms & ((1u << size) - 1)) : 0;

		if (header != 0) {
			send_atom(self, header, size);
			return;
		}
	}
	if (n >= 3)
		send_atom(self, 0xF8 | (self->atoms & 7), 3);
	else if (n == 2)
		send_atom(self, 0xD8 | (self->atoms & 3), 2);
	else
		send_atom(self, 0xF6 | (self->atoms & 1), 1);
}

void etm4_encoder_flush(struct etm4_encoder *self)
{
	while (self->n_atoms > 0)
		send_front_atoms(self);
}

void etm4_encoder_atom(struct etm4_encoder *self, bool taken)
{
	if (taken)
		self->atoms |= 1u << self->n_atoms;
	self->n_atoms++;

	/* A run of E grows to 24 atoms, the last of which may be N; anything else is
	 * at most 5 long. */
	for (;;) {
		const unsigned n_taken = leading_taken(self);
		const bool run_ends = n_taken >= 3 && n_taken < self->n_atoms;
		const bool run_full = n_taken == ETM4_ATOMS_MAX;
		const bool mixed_full = n_taken < self->n_atoms && self->n_atoms >= 5;

		if (!run_ends && !run_full && !mixed_full)
			return;
		send_front_atoms(self);
	}
}

void etm4_encoder_async(struct etm4_encoder *self)
{
	struct packet packet = { .len_bytes = 0 };

	for (unsigned i = 0; i < 11; i++)
		packet_add(&packet, 0x00);
	packet_add(&packet, 0x80);
	send(self, &packet);
}

static void forget(struct etm4_encoder *self)
{
	self->n_history = 0;
	self->context_known = false;
	self->timestamp_known = false;
	self->n_returns = 0;
}

void etm4_encoder_trace_info(struct etm4_encoder *self)
{
	const unsigned info = field(self->registers.configr, 4, 1) |
	                      field(self->registers.configr, 8, 3) << 1 |
	                      field(self->registers.configr, 1, 2) << 4;
	struct packet packet = { .len_bytes = 0 };

	/* Section flags: INFO 1, KEY 2 (data trace), SPEC 4, CYCT 8. Nothing is
	 * speculative here, and an absent SPEC says so. */
	packet_add(&packet, HEADER_TRACE_INFO);
	packet_add(&packet, traces_cycles(self) ? 0x09 : 0x01);
	packet_add_leb(&packet, info);
	if (traces_cycles(self))
		packet_add_leb(&packet, self->registers.cc_threshold);
	send(self, &packet);
	forget(self);
}

void etm4_encoder_sync(struct etm4_encoder *self)
{
	etm4_encoder_async(self);
	etm4_encoder_trace_info(self);
}

void etm4_encoder_trace_on(struct etm4_encoder *self)
{
	send_byte(self, HEADER_TRACE_ON);
	self->n_returns = 0;
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

static void packet_add_long_address(struct packet *packet, uint64_t va, enum etm4_is is,
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

static bool same_upper_half(const struct etm4_encoder *self, uint64_t va)
{
	return self->n_history > 0 && (self->history[0].va ^ va) >> 32 == 0;
}

static bool address_match(struct etm4_encoder *self, uint64_t va, enum etm4_is is)
{
	for (unsigned i = 0; i < self->n_history; i++) {
		if (self->history[i].va == va && self->history[i].is == is) {
			send_byte(self, HEADER_ADDRESS_MATCH | i);
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

	struct packet packet = { .len_bytes = 0 };
	const unsigned low = (unsigned)(va >> shift) & 0x7FFF;

	packet_add(&packet, HEADER_ADDRESS_SHORT + is);
	if ((self->history[0].va ^ va) >> (7 + shift) == 0) {
		packet_add(&packet, low & 0x7F);
	} else {
		packet_add(&packet, 0x80 | (low & 0x7F));
		packet_add(&packet, low >> 7);
	}
	send(self, &packet);
	history_push(self, va, is);
	return true;
}

static bool address_long(struct etm4_encoder *self, uint64_t va, enum etm4_is is, bool is_64bit)
{
	if (!is_64bit && !same_upper_half(self, va))
		return false;

	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, (is_64bit ? HEADER_ADDRESS_LONG64 : HEADER_ADDRESS_LONG32) + is);
	packet_add_long_address(&packet, va, is, is_64bit);
	send(self, &packet);
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
static void packet_add_context(struct etm4_encoder *self, struct packet *packet,
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
	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, (is_64bit ? HEADER_ADDRESS_CONTEXT64 : HEADER_ADDRESS_CONTEXT32) + is);
	packet_add_long_address(&packet, va, is, is_64bit);
	packet_add_context(self, &packet, context);
	send(self, &packet);
	history_push(self, va, is);
}

void etm4_encoder_context(struct etm4_encoder *self, const struct etm4_context *context)
{
	struct packet packet = { .len_bytes = 0 };

	if (context_is_current(self, context)) {
		packet_add(&packet, HEADER_CONTEXT);
	} else {
		packet_add(&packet, HEADER_CONTEXT | 1);
		packet_add_context(self, &packet, context);
	}
	send(self, &packet);
}

void etm4_encoder_exception(struct etm4_encoder *self, const struct etm4_exception *exception)
{
	const unsigned type = exception->type & 0x3FF;
	const unsigned kind = exception->address_kind;
	const bool is_long = exception->long_form || type > 0x1F;
	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, HEADER_EXCEPTION);
	packet_add(&packet,
	           (kind & 1) | (type & 0x1F) << 1 | (kind & 2) << 5 | (is_long ? 0x80u : 0));
	if (is_long)
		packet_add(&packet, type >> 5);
	send(self, &packet);
	if (exception->context != NULL && !context_is_current(self, exception->context))
		etm4_encoder_context(self, exception->context);
	if (exception->address_kind != ETM4_EXCEPTION_NO_ADDRESS)
		etm4_encoder_address(self, exception->return_address_va, exception->is);
	self->n_returns = 0;
}

void etm4_encoder_exception_return(struct etm4_encoder *self)
{
	send_byte(self, HEADER_EXCEPTION_RETURN);
}

static uint64_t cut_timestamp(const struct etm4_encoder *self, uint64_t timestamp)
{
	const bool is_64bit = field(self->registers.idr0, 24, 5) == 8;

	return is_64bit ? timestamp : timestamp & ((UINT64_C(1) << 48) - 1);
}

static unsigned significant_bits(uint64_t value)
{
	unsigned n = 0;

	for (; value != 0; value >>= 1)
		n++;
	return n;
}

/* How many bytes say `timestamp`: those that changed, or after a trace info all that
 * are not 0 as well. Seven or eight bytes are made nine, as OpenCSD 1.3.3 takes
 * the bits above as 0 where the architecture leaves them. */
static unsigned timestamp_bytes(const struct etm4_encoder *self, uint64_t timestamp)
{
	const uint64_t changed =
		(self->timestamp ^ timestamp) | (self->timestamp_known ? 0 : timestamp);
	const unsigned bits = significant_bits(changed);
	const unsigned n = bits == 0 ? 1 : (bits + 6) / 7;

	return n < 7 ? n : 9;
}

static void send_timestamp(struct etm4_encoder *self, uint64_t timestamp, const uint32_t *cycles)
{
	const uint64_t value = cut_timestamp(self, timestamp);
	const unsigned n = timestamp_bytes(self, value);
	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, HEADER_TIMESTAMP | (cycles != NULL ? 1 : 0));
	for (unsigned i = 0; i < n; i++) {
		const unsigned bits = (unsigned)(value >> (7 * i));

		/* The ninth byte carries eight bits and no continuation. */
		if (i == 8)
			packet_add(&packet, bits & 0xFF);
		else
			packet_add(&packet, (bits & 0x7F) | (i + 1 < n ? 0x80u : 0));
	}
	if (cycles != NULL) {
		const uint32_t max = cycles_max(&self->registers);

		packet_add_leb(&packet, *cycles < max ? *cycles : max);
	}
	send(self, &packet);
	self->timestamp = value;
	self->timestamp_known = true;
}

bool etm4_encoder_timestamp(struct etm4_encoder *self, uint64_t timestamp)
{
	if ((self->registers.configr & ETM4_CONFIGR_TS) == 0)
		return false;
	send_timestamp(self, timestamp, NULL);
	return true;
}

bool etm4_encoder_timestamp_cycles(struct etm4_encoder *self, uint64_t timestamp, uint32_t cycles)
{
	if ((self->registers.configr & ETM4_CONFIGR_TS) == 0 || !traces_cycles(self))
		return false;
	send_timestamp(self, timestamp, &cycles);
	return true;
}

/* Format 2 with F=1 counts from MAXSPEC - 15. */
static bool cycles_format2(const struct etm4_encoder *self, uint32_t over, uint32_t n_commit,
                           struct packet *packet)
{
	const uint32_t max_spec = self->registers.idr8;
	const bool from_max = max_spec >= 15 && n_commit >= max_spec - 15 && n_commit <= max_spec;

	if (over > 15)
		return false;
	if (n_commit >= 1 && n_commit <= 16) {
		packet_add(packet, HEADER_CYCLES_F2);
		packet_add(packet, (n_commit - 1) << 4 | over);
		return true;
	}
	if (from_max) {
		packet_add(packet, HEADER_CYCLES_F2 | 1);
		packet_add(packet, (n_commit - (max_spec - 15)) << 4 | over);
		return true;
	}
	return false;
}

bool etm4_encoder_cycle_count(struct etm4_encoder *self, uint32_t cycles, uint32_t n_commit)
{
	const uint32_t threshold = self->registers.cc_threshold;
	const uint32_t max = cycles_max(&self->registers);

	if (!traces_cycles(self) || cycles < threshold)
		return false;

	const uint32_t limit = max > threshold ? max : threshold;
	const uint32_t over = (cycles < limit ? cycles : limit) - threshold;
	const bool with_commit = commits_with_cycles(self);
	struct packet packet = { .len_bytes = 0 };

	if (over <= 3 && !with_commit) {
		packet_add(&packet, HEADER_CYCLES_F3 | over);
	} else if (over <= 3 && n_commit >= 1 && n_commit <= 4) {
		packet_add(&packet, HEADER_CYCLES_F3 | (n_commit - 1) << 2 | over);
	} else if (!with_commit || !cycles_format2(self, over, n_commit, &packet)) {
		packet_add(&packet, HEADER_CYCLES_F1);
		if (with_commit)
			packet_add_leb(&packet, n_commit);
		packet_add_leb(&packet, over);
	}
	send(self, &packet);
	return true;
}

bool etm4_encoder_cycle_count_unknown(struct etm4_encoder *self, uint32_t n_commit)
{
	if (!traces_cycles(self))
		return false;

	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, HEADER_CYCLES_F1 | 1);
	if (commits_with_cycles(self))
		packet_add_leb(&packet, n_commit);
	send(self, &packet);
	return true;
}

static void send_extension(struct etm4_encoder *self, unsigned byte)
{
	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, 0x00);
	packet_add(&packet, byte);
	send(self, &packet);
	forget(self);
}

void etm4_encoder_overflow(struct etm4_encoder *self)
{
	send_extension(self, 0x05);
}

void etm4_encoder_discard(struct etm4_encoder *self)
{
	self->atoms = 0;
	self->n_atoms = 0;
	send_extension(self, 0x03);
}

void etm4_encoder_event(struct etm4_encoder *self, unsigned events)
{
	if ((events & 0xF) != 0)
		send_byte(self, HEADER_EVENT | (events & 0xF));
}

bool etm4_encoder_ignore(struct etm4_encoder *self)
{
	if (field(self->registers.idr1, 4, 8) < 0x43)
		return false;
	send_byte(self, HEADER_IGNORE);
	return true;
}

static bool send_speculation(struct etm4_encoder *self, unsigned header, uint32_t n)
{
	if (self->registers.idr8 == 0)
		return false;

	struct packet packet = { .len_bytes = 0 };

	packet_add(&packet, header);
	packet_add_leb(&packet, n);
	send(self, &packet);
	return true;
}

bool etm4_encoder_commit(struct etm4_encoder *self, uint32_t n)
{
	return send_speculation(self, HEADER_COMMIT, n);
}

bool etm4_encoder_cancel(struct etm4_encoder *self, uint32_t n, bool mispredict)
{
	return send_speculation(self, HEADER_CANCEL_F1 | (mispredict ? 1u : 0), n);
}

bool etm4_encoder_mispredict(struct etm4_encoder *self)
{
	if (self->registers.idr8 == 0)
		return false;
	send_byte(self, HEADER_MISPREDICT);
	return true;
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
