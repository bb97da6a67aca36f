#include "schema/packed.h"

#include <string.h>

enum {
	PAYLOAD_BITS = 7,
	MORE = 0x80,
	CONFIDENCE_RAW = 0, /* eight bytes follow */
	CONFIDENCE_ONE = 1,
	CONFIDENCE_NONE = 2
};

static void add(GByteArray *bytes, guint64 value)
{
	guint8 buffer[10];
	guint n = 0;

	while (value >= MORE) {
		buffer[n++] = (guint8)(value | MORE);
		value >>= PAYLOAD_BITS;
	}
	buffer[n++] = (guint8)value;
	g_byte_array_append(bytes, buffer, n);
}

/* Small numbers of either sign in few bytes. */
static void add_signed(GByteArray *bytes, gint64 value)
{
	add(bytes, (guint64)value << 1 ^ (guint64)(value >> 63));
}

static void add_confidence(GByteArray *bytes, double confidence)
{
	guint64 bits;

	if (confidence >= 1) {
		add(bytes, CONFIDENCE_ONE);
	} else if (confidence <= 0) {
		add(bytes, CONFIDENCE_NONE);
	} else {
		add(bytes, CONFIDENCE_RAW);
		memcpy(&bits, &confidence, sizeof bits);
		bits = GUINT64_TO_LE(bits);
		g_byte_array_append(bytes, (const guint8 *)&bits, sizeof bits);
	}
}

static void add_difference(GByteArray *bytes, guint64 *before, guint64 value)
{
	add_signed(bytes, (gint64)(value - *before));
	*before = value;
}

void packed_add_run(GByteArray *bytes, struct packed_state *state, const struct row_vcpu_run *row)
{
	add(bytes, row->vcpu);
	add_signed(bytes, row->start_ns - state->start_ns);
	state->start_ns = row->start_ns;
	add_signed(bytes, row->duration_ns);
	add_signed(bytes, row->core);
	add(bytes, row->state);
	add_signed(bytes, row->guest_ns);
	add_signed(bytes, row->hypervisor_ns);
	add(bytes, row->cycles);
	add(bytes, row->exits);
	add(bytes, row->known);
	add_confidence(bytes, row->confidence);
}

void packed_add_exit(GByteArray *bytes, struct packed_state *state, const struct row_exit *row)
{
	const guint flags = (row->has_return_address ? 1u : 0) |
	                    (row->has_resume_address ? 2u : 0) | (row->censored ? 4u : 0);

	add(bytes, row->core);
	add_signed(bytes, row->start_ns - state->start_ns);
	state->start_ns = row->start_ns;
	add_signed(bytes, row->duration_ns);
	add_signed(bytes, row->hypervisor_ns);
	add_signed(bytes, row->idle_ns);
	add_signed(bytes, row->idle_hypervisor_ns);
	add(bytes, row->cycles);
	add(bytes, row->reason);
	add_signed(bytes, row->type);
	add(bytes, flags);
	if (row->has_return_address)
		add_difference(bytes, &state->return_address_va, row->return_address_va);
	if (row->has_resume_address)
		add_difference(bytes, &state->resume_address_va, row->resume_address_va);
	add(bytes, row->vcpu);
	add_signed(bytes, row->next_vcpu);
	add(bytes, row->ended);
	add(bytes, row->known);
	add_confidence(bytes, row->confidence);
	add_signed(bytes, row->wake_ns);
	add_signed(bytes, row->injection_ns);
	add_difference(bytes, &state->trace_offset, row->trace_offset);
	add(bytes, row->instruction);
	add(bytes, row->handler);
}

static inline gboolean take(struct packed_bytes *bytes, guint64 *value)
{
	*value = 0;
	for (guint shift = 0; shift < 64 && bytes->at < bytes->end; shift += PAYLOAD_BITS) {
		const guint8 byte = *bytes->at++;

		*value |= (guint64)(byte & (MORE - 1)) << shift;
		if ((byte & MORE) == 0)
			return TRUE;
	}
	return FALSE;
}

static inline gboolean take_signed(struct packed_bytes *bytes, gint64 *value)
{
	guint64 zigzag;

	if (!take(bytes, &zigzag))
		return FALSE;
	*value = (gint64)(zigzag >> 1 ^ -(zigzag & 1));
	return TRUE;
}

static inline gboolean take_below(struct packed_bytes *bytes, guint64 limit, guint *value)
{
	guint64 number;

	if (!take(bytes, &number) || number >= limit)
		return FALSE;
	*value = (guint)number;
	return TRUE;
}

/* A number that fits a gint. */
static inline gboolean take_int(struct packed_bytes *bytes, gint *value)
{
	gint64 number;

	if (!take_signed(bytes, &number) || number < G_MININT32 || number > G_MAXINT32)
		return FALSE;
	*value = (gint)number;
	return TRUE;
}

static gboolean take_confidence(struct packed_bytes *bytes, double *confidence)
{
	guint64 bits;
	guint form;

	if (!take_below(bytes, CONFIDENCE_NONE + 1, &form))
		return FALSE;
	*confidence = form == CONFIDENCE_ONE ? 1 : 0;
	if (form != CONFIDENCE_RAW)
		return TRUE;
	if (bytes->end - bytes->at < (gssize)sizeof bits)
		return FALSE;
	memcpy(&bits, bytes->at, sizeof bits);
	bytes->at += sizeof bits;
	bits = GUINT64_FROM_LE(bits);
	memcpy(confidence, &bits, sizeof bits);
	return *confidence >= 0 && *confidence <= 1;
}

static gboolean take_start(struct packed_bytes *bytes, struct packed_state *state, gint64 *start_ns)
{
	gint64 difference;

	if (!take_signed(bytes, &difference))
		return FALSE;
	state->start_ns = (gint64)((guint64)state->start_ns + (guint64)difference);
	*start_ns = state->start_ns;
	return TRUE;
}

static gboolean take_difference(struct packed_bytes *bytes, guint64 *before, guint64 *value)
{
	gint64 difference;

	if (!take_signed(bytes, &difference))
		return FALSE;
	*before += (guint64)difference;
	*value = *before;
	return TRUE;
}

gboolean packed_take_run(struct packed_bytes *bytes, struct packed_state *state,
                         struct row_vcpu_run *row)
{
	guint run_state, known;

	*row = (struct row_vcpu_run) { 0 };
	if (!take_below(bytes, G_MAXUINT32, &row->vcpu) ||
	    !take_start(bytes, state, &row->start_ns) || !take_signed(bytes, &row->duration_ns) ||
	    !take_int(bytes, &row->core) || !take_below(bytes, RUN_STATES, &run_state) ||
	    !take_signed(bytes, &row->guest_ns) || !take_signed(bytes, &row->hypervisor_ns) ||
	    !take(bytes, &row->cycles) || !take(bytes, &row->exits) ||
	    !take_below(bytes, KNOWN_WAYS, &known) || !take_confidence(bytes, &row->confidence))
		return FALSE;
	row->state = (enum run_state)run_state;
	row->known = (enum how_known)known;
	return TRUE;
}

static gboolean take_addresses(struct packed_bytes *bytes, struct packed_state *state,
                               struct row_exit *row)
{
	guint flags;

	if (!take_below(bytes, 8, &flags))
		return FALSE;
	row->has_return_address = (flags & 1) != 0;
	row->has_resume_address = (flags & 2) != 0;
	row->censored = (flags & 4) != 0;
	return (!row->has_return_address ||
	        take_difference(bytes, &state->return_address_va, &row->return_address_va)) &&
	       (!row->has_resume_address ||
	        take_difference(bytes, &state->resume_address_va, &row->resume_address_va));
}

gboolean packed_take_exit(struct packed_bytes *bytes, struct packed_state *state,
                          struct row_exit *row)
{
	guint reason, ended, known, instruction;

	*row = (struct row_exit) { 0 };
	if (!take_below(bytes, G_MAXUINT32, &row->core) ||
	    !take_start(bytes, state, &row->start_ns) || !take_signed(bytes, &row->duration_ns) ||
	    !take_signed(bytes, &row->hypervisor_ns) || !take_signed(bytes, &row->idle_ns) ||
	    !take_signed(bytes, &row->idle_hypervisor_ns) || !take(bytes, &row->cycles) ||
	    !take_below(bytes, EXIT_REASONS, &reason) || !take_int(bytes, &row->type) ||
	    !take_addresses(bytes, state, row) || !take_below(bytes, G_MAXUINT32, &row->vcpu) ||
	    !take_int(bytes, &row->next_vcpu) || !take_below(bytes, EXIT_ENDS, &ended) ||
	    !take_below(bytes, KNOWN_WAYS, &known) || !take_confidence(bytes, &row->confidence) ||
	    !take_signed(bytes, &row->wake_ns) || !take_signed(bytes, &row->injection_ns) ||
	    !take_difference(bytes, &state->trace_offset, &row->trace_offset) ||
	    !take_below(bytes, INSTRUCTIONS, &instruction) ||
	    !take_below(bytes, G_MAXUINT32, &row->handler))
		return FALSE;
	row->reason = (enum exit_reason)reason;
	row->ended = (enum exit_end)ended;
	row->known = (enum how_known)known;
	row->instruction = (enum exit_instruction)instruction;
	return TRUE;
}
