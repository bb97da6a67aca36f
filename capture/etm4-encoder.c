#include "capture/etm4-packet.h"

#include <string.h>

void etm4_packet_send_raw(struct etm4_encoder *self, const struct etm4_packet *packet)
{
	self->written_bytes += packet->len_bytes;
	self->write(self->write_data, packet->bytes, packet->len_bytes);
}

void etm4_packet_send(struct etm4_encoder *self, const struct etm4_packet *packet)
{
	etm4_encoder_flush(self);
	etm4_packet_send_raw(self, packet);
}

void etm4_packet_send_byte(struct etm4_encoder *self, unsigned byte)
{
	struct etm4_packet packet = { .len_bytes = 0 };

	packet_add(&packet, byte);
	etm4_packet_send(self, &packet);
}

static uint32_t cycles_max(const struct etm4_registers *registers)
{
	return (1u << (12 + etm4_field(registers->idr2, 25, 4))) - 1;
}

static bool traces_cycles(const struct etm4_encoder *self)
{
	return (self->registers.configr & ETM4_CONFIGR_CCI) != 0;
}

static bool commits_with_cycles(const struct etm4_encoder *self)
{
	return etm4_field(self->registers.idr0, 29, 1) == 0;
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
	struct etm4_packet packet = { .len_bytes = 0 };

	packet_add(&packet, header);
	etm4_packet_send_raw(self, &packet);
	self->atoms >>= n_atoms;
	self->n_atoms -= n_atoms;
}

/* How many E the pending atoms begin with. */
static unsigned leading_taken(const struct etm4_encoder *self)
{
	/* ETM4_ATOMS_MAX is below 32: there is always a 0 above. */
	const unsigned n = (unsigned)__builtin_ctz(~self->atoms);

	return n < self->n_atoms ? n : self->n_atoms;
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
	struct etm4_packet packet = { .len_bytes = 0 };

	for (unsigned i = 0; i < 11; i++)
		packet_add(&packet, 0x00);
	packet_add(&packet, 0x80);
	etm4_packet_send(self, &packet);
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
	const unsigned info = etm4_field(self->registers.configr, 4, 1) |
	                      etm4_field(self->registers.configr, 8, 3) << 1 |
	                      etm4_field(self->registers.configr, 1, 2) << 4;
	struct etm4_packet packet = { .len_bytes = 0 };

	/* Section flags: INFO 1, KEY 2 (data trace), SPEC 4, CYCT 8. Nothing is
	 * speculative here, and an absent SPEC says so. */
	packet_add(&packet, HEADER_TRACE_INFO);
	packet_add(&packet, traces_cycles(self) ? 0x09 : 0x01);
	packet_add_leb(&packet, info);
	if (traces_cycles(self))
		packet_add_leb(&packet, self->registers.cc_threshold);
	etm4_packet_send(self, &packet);
	forget(self);
}

void etm4_encoder_sync(struct etm4_encoder *self)
{
	etm4_encoder_async(self);
	etm4_encoder_trace_info(self);
}

void etm4_encoder_trace_on(struct etm4_encoder *self)
{
	etm4_packet_send_byte(self, HEADER_TRACE_ON);
	self->n_returns = 0;
}

void etm4_encoder_exception_return(struct etm4_encoder *self)
{
	etm4_packet_send_byte(self, HEADER_EXCEPTION_RETURN);
}

static uint64_t cut_timestamp(const struct etm4_encoder *self, uint64_t timestamp)
{
	const bool is_64bit = etm4_field(self->registers.idr0, 24, 5) == 8;

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
	struct etm4_packet packet = { .len_bytes = 0 };

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
	etm4_packet_send(self, &packet);
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

/* Format 2 counts commits from 1, with F=1 from MAXSPEC - 15. OpenCSD 1.3.3 takes F from
 * the lowest bit of the count instead of the header's, so format 2 is used where
 * the two agree; format 1 says the rest. */
static bool cycles_format2(const struct etm4_encoder *self, uint32_t over, uint32_t n_commit,
                           struct etm4_packet *packet)
{
	const uint32_t max_spec = self->registers.idr8;
	const bool from_max = max_spec >= 15 && n_commit >= max_spec - 15 && n_commit <= max_spec;

	if (over > 15)
		return false;
	if ((over & 1) == 0 && n_commit >= 1 && n_commit <= 16) {
		packet_add(packet, HEADER_CYCLES_F2);
		packet_add(packet, (n_commit - 1) << 4 | over);
		return true;
	}
	if ((over & 1) == 1 && from_max) {
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
	struct etm4_packet packet = { .len_bytes = 0 };

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
	etm4_packet_send(self, &packet);
	return true;
}

bool etm4_encoder_cycle_count_unknown(struct etm4_encoder *self, uint32_t n_commit)
{
	if (!traces_cycles(self))
		return false;

	struct etm4_packet packet = { .len_bytes = 0 };

	packet_add(&packet, HEADER_CYCLES_F1 | 1);
	if (commits_with_cycles(self))
		packet_add_leb(&packet, n_commit);
	etm4_packet_send(self, &packet);
	return true;
}

static void send_extension(struct etm4_encoder *self, unsigned byte)
{
	struct etm4_packet packet = { .len_bytes = 0 };

	packet_add(&packet, 0x00);
	packet_add(&packet, byte);
	etm4_packet_send(self, &packet);
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
		etm4_packet_send_byte(self, HEADER_EVENT | (events & 0xF));
}

bool etm4_encoder_ignore(struct etm4_encoder *self)
{
	if (etm4_field(self->registers.idr1, 4, 8) < 0x43)
		return false;
	etm4_packet_send_byte(self, HEADER_IGNORE);
	return true;
}

static bool send_speculation(struct etm4_encoder *self, unsigned header, uint32_t n)
{
	if (self->registers.idr8 == 0)
		return false;

	struct etm4_packet packet = { .len_bytes = 0 };

	packet_add(&packet, header);
	packet_add_leb(&packet, n);
	etm4_packet_send(self, &packet);
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
	etm4_packet_send_byte(self, HEADER_MISPREDICT);
	return true;
}
