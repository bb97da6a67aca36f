#include "tests/synth/core.h"

#include <string.h>

enum {
	FIRST_TRACE_ID = 0x10
};

static const guint64 xen_vectors_va = 0x257000;
static const guint64 linux_vectors_va = 0xFFFF800008010800;

guint8 synth_core_trace_id(guint index)
{
	return (guint8)(FIRST_TRACE_ID + index);
}

struct etm4_registers synth_core_registers(const struct scenario *scenario)
{
	const struct scenario_trace *trace = &scenario->trace;

	return (struct etm4_registers) {
		.configr = ETM4_CONFIGR_ALWAYS | (trace->cycles ? ETM4_CONFIGR_CCI : 0u) |
		           (trace->context_id ? ETM4_CONFIGR_CID : 0u) |
		           (trace->vmid ? ETM4_CONFIGR_VMID : 0u) |
		           (trace->timestamps != SCENARIO_TIMESTAMPS_OFF ? ETM4_CONFIGR_TS : 0u) |
		           (trace->return_stack ? ETM4_CONFIGR_RS : 0u),
		.idr0 = ETM4_A53_IDR0,
		.idr1 = ETM4_A53_IDR1,
		.idr2 = ETM4_A53_IDR2,
		.cc_threshold = trace->cycle_threshold,
	};
}

/* EVENT=1, SSSTATUS, no secure state, and what the filter excludes of non-secure EL0-2
 * (TRCVICTLR b20, b21, b22). */
guint32 synth_core_victlr(const struct scenario *scenario)
{
	guint32 value = 0x000B0201;

	if (scenario->trace.filter == SCENARIO_FILTER_EL2)
		value |= 1u << 22;
	else if (scenario->trace.filter == SCENARIO_FILTER_GUEST)
		value |= 3u << 20;
	return value;
}

/* xorshift64*, so that captures do not depend on a library's generator. */
static guint64 next_random(struct synth_core *self)
{
	self->random ^= self->random >> 12;
	self->random ^= self->random << 25;
	self->random ^= self->random >> 27;
	return self->random * G_GUINT64_CONSTANT(2685821657736338717);
}

guint64 synth_core_random(struct synth_core *self, guint64 min, guint64 max)
{
	return min + (next_random(self) >> 11) % (max - min + 1);
}

static void on_packet(void *data, const uint8_t *bytes, size_t len_bytes)
{
	struct synth_core *self = data;

	synth_output_trace(self->output, synth_core_trace_id(self->index), bytes, len_bytes);
}

void synth_core_init(struct synth_core *self, const struct scenario *scenario, guint index,
                     struct synth_output *output)
{
	const struct etm4_registers registers = synth_core_registers(scenario);

	memset(self, 0, sizeof *self);
	self->scenario = scenario;
	self->output = output;
	self->index = index;
	self->random = (scenario->seed + 1) * G_GUINT64_CONSTANT(0x9E3779B97F4A7C15) + index + 1;
	for (guint i = 0; i < 8; i++)
		next_random(self);
	etm4_encoder_init(&self->encoder, &registers, on_packet, self);
}

static guint64 cycles_at(const struct synth_core *self, guint64 busy_ticks)
{
	/* 2^64 ticks are far off: split so that the product fits. */
	const guint64 hz = self->scenario->timestamp_hz;

	return busy_ticks / hz * self->scenario->core_hz +
	       busy_ticks % hz * self->scenario->core_hz / hz;
}

static gboolean filter_passes(const struct synth_core *self, const struct synth_place *place)
{
	switch (self->scenario->trace.filter) {
	case SCENARIO_FILTER_NONE:
		return TRUE;
	case SCENARIO_FILTER_EL2:
		return place->el != 2;
	case SCENARIO_FILTER_GUEST:
		return place->el >= 2;
	}
	return TRUE;
}

static const char *place_class(const struct synth_core *self, gboolean halted)
{
	const struct synth_place *place = &self->place;

	if (self->gap == SYNTH_GAP_OVERFLOW || self->gap == SYNTH_GAP_DISCARD)
		return "lost";
	if (self->gap == SYNTH_GAP_OFF || !filter_passes(self, place))
		return "untraced";
	if (place->secure || place->el == 3)
		return "secure";
	if (place->el == 2)
		return halted ? "idle" : "hypervisor";
	return place->vmid != 0 ? "guest" : "host";
}

static void close_row(struct synth_core *self)
{
	const guint64 cycles = cycles_at(self, self->busy_ticks);

	self->row.end_ticks = self->now_ticks;
	self->row.cycles = cycles - self->row_cycles;
	if (self->row.end_ticks > self->row.start_ticks)
		synth_output_truth(self->output, &self->row);
	self->row.start_ticks = self->now_ticks;
	self->row_cycles = cycles;
}

/* The truth from now on; a row goes on where nothing changed. */
static void open_row(struct synth_core *self, gboolean halted)
{
	struct synth_truth *row = &self->row;
	const char *owner_class = place_class(self, halted);
	const char *vcpu = self->place.vcpu;

	if (row->owner_class != NULL && strcmp(row->owner_class, owner_class) == 0 &&
	    row->el == self->place.el && row->vmid == self->place.vmid &&
	    row->context_id == self->place.context_id && strcmp(row->vcpu, vcpu) == 0 &&
	    self->row_halted == halted)
		return;
	close_row(self);
	row->core = self->index;
	row->owner_class = owner_class;
	row->el = self->place.el;
	row->vmid = self->place.vmid;
	row->context_id = self->place.context_id;
	row->vcpu = vcpu;
	self->row_halted = halted; /* a halted guest keeps its class, but not its row */
}

static guint64 timestamp(const struct synth_core *self)
{
	return self->scenario->trace.timestamp_start + self->now_ticks;
}

static void emit_timestamp(struct synth_core *self)
{
	const struct scenario_trace *trace = &self->scenario->trace;
	const guint64 cycles = cycles_at(self, self->busy_ticks) - self->counted_cycles;

	if (!self->traced || trace->timestamps == SCENARIO_TIMESTAMPS_OFF)
		return;
	etm4_encoder_flush(&self->encoder);
	synth_output_mark(self->output, self->index, SYNTH_MARK_TIMESTAMP, self->now_ticks);
	if (trace->timestamp_cycles && trace->cycles && !self->cycles_unknown)
		etm4_encoder_timestamp_cycles(&self->encoder, timestamp(self),
		                              (guint32)MIN(cycles, G_MAXUINT32));
	else
		etm4_encoder_timestamp(&self->encoder, timestamp(self));
	self->last_timestamp_ticks = self->now_ticks;
}

/* After a change of owner. */
static void emit_switch_timestamp(struct synth_core *self)
{
	if (self->scenario->trace.timestamps == SCENARIO_TIMESTAMPS_SWITCH)
		emit_timestamp(self);
}

static struct etm4_context context_of(const struct synth_place *place)
{
	return (struct etm4_context) {
		.el = (uint8_t)place->el,
		.aarch64 = true,
		.non_secure = !place->secure,
		.vmid = place->vmid,
		.context_id = place->context_id,
	};
}

static void emit_position(struct synth_core *self)
{
	const struct etm4_context context = context_of(&self->place);

	etm4_encoder_address_context(&self->encoder, self->pc_va, ETM4_IS0, &context);
}

/* The cycles up to the P0 element that was sent last. */
static void emit_cycles(struct synth_core *self)
{
	const guint64 now = cycles_at(self, self->busy_ticks);
	const guint64 cycles = now - self->counted_cycles;

	if (!self->traced)
		return;
	if (self->cycles_unknown) {
		if (etm4_encoder_cycle_count_unknown(&self->encoder, 0))
			self->counted_cycles = now;
		self->cycles_unknown = FALSE;
		return;
	}
	if (etm4_encoder_cycle_count(&self->encoder, (guint32)MIN(cycles, G_MAXUINT32), 0))
		self->counted_cycles = now;
}

static void emit_sync(struct synth_core *self)
{
	etm4_encoder_flush(&self->encoder);
	synth_output_mark(self->output, self->index, SYNTH_MARK_SYNC, self->now_ticks);
	etm4_encoder_sync(&self->encoder);
	self->sync_at_bytes = self->encoder.written_bytes + self->scenario->trace.sync_bytes;
}

static void plan_p0(struct synth_core *self)
{
	const guint64 gap = self->scenario->trace.p0_gap_cycles;

	self->next_p0_cycles = cycles_at(self, self->busy_ticks) +
	                       synth_core_random(self, gap - gap / 4, gap + gap / 4);
}

/* Tracing starts, or starts again, in the present place. */
static void resume(struct synth_core *self)
{
	self->traced = TRUE;
	etm4_encoder_trace_on(&self->encoder);
	emit_position(self);
	emit_timestamp(self);
	self->counted_cycles = cycles_at(self, self->busy_ticks);
	plan_p0(self);
}

static guint64 text_address(struct synth_core *self, guint64 base, guint64 size_bytes)
{
	return base + (synth_core_random(self, 0, size_bytes - 4) & ~G_GUINT64_CONSTANT(3));
}

/* Somewhere in the code that such a place runs. */
static guint64 place_address(struct synth_core *self, const struct synth_place *place)
{
	switch (place->el) {
	case 0:
		return text_address(self, 0x400000 + (guint64)place->context_id * 0x100000, 0x8000);
	case 1:
		return text_address(self, G_GUINT64_CONSTANT(0xFFFF800008020000), 0x800000);
	case 2:
		return text_address(self, 0x200000, 0x57000);
	default:
		return text_address(self, 0x10000, 0x4000);
	}
}

/* A branch to an address: mostly near by. With the return stack half of them are
 * calls and returns that need no address. */
static void emit_branch(struct synth_core *self)
{
	const gboolean near = synth_core_random(self, 0, 9) < 7;
	const guint64 target = near ? (self->pc_va & ~G_GUINT64_CONSTANT(0x1FF)) +
	                                       (synth_core_random(self, 0, 127) * 4)
	                            : place_address(self, &self->place);

	if (self->scenario->trace.return_stack && synth_core_random(self, 0, 1) == 0) {
		const guint64 back = self->pc_va + 4;

		etm4_encoder_atom(&self->encoder, true);
		etm4_encoder_call(&self->encoder, back, ETM4_IS0);
		etm4_encoder_atom(&self->encoder, true);
		if (!etm4_encoder_predict(&self->encoder, back, ETM4_IS0))
			etm4_encoder_address(&self->encoder, back, ETM4_IS0);
		self->pc_va = back;
		return;
	}
	etm4_encoder_atom(&self->encoder, true);
	etm4_encoder_address(&self->encoder, target, ETM4_IS0);
	self->pc_va = target;
}

/* A P0 element with what goes along: some atoms, a cycle count, what is due. */
static void emit_p0(struct synth_core *self)
{
	const struct scenario_trace *trace = &self->scenario->trace;
	const guint64 n_atoms = synth_core_random(self, 1, 24);
	const gboolean is_loop = synth_core_random(self, 0, 1) == 0;

	plan_p0(self);
	if (!self->traced)
		return;
	for (guint64 i = 0; i < n_atoms; i++)
		etm4_encoder_atom(&self->encoder, is_loop || synth_core_random(self, 0, 3) != 0);
	if (synth_core_random(self, 0, 99) < trace->address_percent)
		emit_branch(self);
	emit_cycles(self);
	if (trace->timestamps == SCENARIO_TIMESTAMPS_PERIODIC &&
	    self->now_ticks - self->last_timestamp_ticks >= trace->timestamp_period_ticks)
		emit_timestamp(self);
	if (self->encoder.written_bytes >= self->sync_at_bytes) {
		emit_sync(self);
		/* Hardware may send atoms before the position. */
		if (synth_core_random(self, 0, 3) == 0)
			etm4_encoder_atom(&self->encoder, true);
		emit_position(self);
		emit_timestamp(self);
	}
}

static void begin_gap(struct synth_core *self)
{
	const gboolean was_traced = self->traced;

	self->traced = FALSE;
	open_row(self, self->row_halted);
	if (self->gap == SYNTH_GAP_DISCARD && was_traced) {
		etm4_encoder_flush(&self->encoder);
		synth_output_mark(self->output, self->index, SYNTH_MARK_DISCARD, self->now_ticks);
		etm4_encoder_discard(&self->encoder);
	}
}

/* What was lost is known when there is room again (seen on a Juno: overflow, A-sync,
 * trace info, trace on, address with context). */
static void end_gap(struct synth_core *self)
{
	const enum synth_gap gap = self->gap;

	self->gap = SYNTH_GAP_NONE;
	open_row(self, self->row_halted);
	if (gap == SYNTH_GAP_OVERFLOW) {
		etm4_encoder_flush(&self->encoder);
		synth_output_mark(self->output, self->index, SYNTH_MARK_OVERFLOW, self->now_ticks);
		etm4_encoder_overflow(&self->encoder);
		self->cycles_unknown = self->scenario->trace.cycles;
	}
	emit_sync(self);
	if (filter_passes(self, &self->place))
		resume(self);
}

/* The next event of this core, or NULL. */
static const struct scenario_event *pending_event(struct synth_core *self)
{
	const GArray *events = self->scenario->events;

	while (self->next_event < events->len) {
		const struct scenario_event *event =
			&g_array_index(events, struct scenario_event, self->next_event);

		if (event->core == self->index)
			return event;
		self->next_event++;
	}
	return NULL;
}

static enum synth_gap gap_of(enum scenario_event_kind kind)
{
	switch (kind) {
	case SCENARIO_EVENT_OVERFLOW:
		return SYNTH_GAP_OVERFLOW;
	case SCENARIO_EVENT_OFF:
		return SYNTH_GAP_OFF;
	case SCENARIO_EVENT_DISCARD:
		return SYNTH_GAP_DISCARD;
	}
	return SYNTH_GAP_NONE;
}

/* Begins and ends the gaps that are due now. */
static void update_gap(struct synth_core *self)
{
	if (self->gap != SYNTH_GAP_NONE && self->now_ticks >= self->gap_end_ticks)
		end_gap(self);

	const struct scenario_event *event = pending_event(self);

	if (event == NULL || event->at_ticks > self->now_ticks || self->gap != SYNTH_GAP_NONE)
		return;
	self->next_event++;
	synth_core_gap(self, gap_of(event->kind), event->duration_ticks);
}

void synth_core_gap(struct synth_core *self, enum synth_gap gap, guint64 ticks)
{
	if (self->gap != SYNTH_GAP_NONE || ticks == 0 || self->ended)
		return;
	self->gap = gap;
	self->gap_end_ticks = self->now_ticks + ticks;
	begin_gap(self);
}

/* How far time may go before something other than execution happens. */
static guint64 next_boundary(struct synth_core *self, guint64 end_ticks)
{
	const struct scenario_event *event = pending_event(self);

	if (self->gap != SYNTH_GAP_NONE)
		return MIN(end_ticks, self->gap_end_ticks);
	if (event != NULL && event->at_ticks > self->now_ticks)
		return MIN(end_ticks, event->at_ticks);
	return end_ticks;
}

static guint64 ticks_to_p0(const struct synth_core *self)
{
	const guint64 now = cycles_at(self, self->busy_ticks);
	const guint64 hz = self->scenario->core_hz;
	const guint64 cycles = self->next_p0_cycles > now ? self->next_p0_cycles - now : 0;

	return MAX(1, (cycles * self->scenario->timestamp_hz + hz - 1) / hz);
}

static guint64 end_ticks(const struct synth_core *self, guint64 ticks)
{
	return MIN(self->now_ticks + ticks, self->scenario->duration_ticks);
}

/* The window closes: a last P0 element and timestamp say when. */
static void end_if_due(struct synth_core *self)
{
	if (self->ended || self->now_ticks < self->scenario->duration_ticks)
		return;
	if (self->traced) {
		etm4_encoder_atom(&self->encoder, true);
		emit_cycles(self);
		emit_timestamp(self);
	}
	etm4_encoder_flush(&self->encoder);
	close_row(self);
	self->traced = FALSE;
	self->ended = TRUE;
}

void synth_core_run(struct synth_core *self, guint64 ticks)
{
	const guint64 end = end_ticks(self, ticks);

	if (self->ended)
		return;
	open_row(self, FALSE);
	while (self->now_ticks < end) {
		const guint64 boundary = next_boundary(self, end);
		const guint64 to_p0 = ticks_to_p0(self);
		const gboolean reaches_p0 = self->now_ticks + to_p0 <= boundary;
		const guint64 step = reaches_p0 ? to_p0 : boundary - self->now_ticks;

		self->now_ticks += step;
		self->busy_ticks += step;
		if (reaches_p0)
			emit_p0(self);
		update_gap(self);
	}
	end_if_due(self);
}

void synth_core_halt(struct synth_core *self, guint64 ticks)
{
	const guint64 end = end_ticks(self, ticks);

	if (ticks == 0 || self->ended)
		return;
	if (self->scenario->trace.halt_timestamps && !self->row_halted)
		emit_switch_timestamp(self);
	open_row(self, TRUE);
	while (self->now_ticks < end) {
		self->now_ticks = next_boundary(self, end);
		update_gap(self);
	}
	end_if_due(self);
}

/* Moves on to `place`: packets stop or start where the filter says so. The address and
 * context of the new place come out where it is traced, or where `shows` says that
 * the branch into it was. */
static void move_to(struct synth_core *self, const struct synth_place *place, guint64 pc_va,
                    gboolean shows)
{
	if (self->ended)
		return;

	const gboolean was_traced = self->traced;
	const gboolean passes = self->gap == SYNTH_GAP_NONE && filter_passes(self, place);

	self->place = *place;
	self->pc_va = pc_va;
	open_row(self, FALSE);
	if (was_traced && (passes || shows)) {
		emit_position(self);
		emit_switch_timestamp(self);
	} else if (was_traced) {
		emit_switch_timestamp(self);
	} else if (passes) {
		resume(self);
	}
	self->traced = passes;
}

/* The handler that the vector table gives for an exception taken to `to_el` from
 * `from_el` (Arm ARM D1.3: 0x200 from the same level, 0x400 from a lower one). */
static guint64 vector_address(guint type, guint from_el, guint to_el)
{
	const guint64 base = to_el == 1 ? linux_vectors_va : to_el == 2 ? xen_vectors_va : 0x1000;
	const guint64 group = from_el == to_el ? 0x200 : 0x400;

	switch (type) {
	case ETM4_EXCEPTION_IRQ:
		return base + group + 0x80;
	case ETM4_EXCEPTION_FIQ:
		return base + group + 0x100;
	case ETM4_EXCEPTION_SYSTEM_ERROR:
		return base + group + 0x180;
	default:
		return base + group;
	}
}

void synth_core_exception(struct synth_core *self, guint type, const struct synth_place *place)
{
	/* A call returns to the next instruction, anything else to the interrupted one. */
	const guint64 return_va = self->pc_va + (type == ETM4_EXCEPTION_CALL ? 4 : 0);
	const struct etm4_exception exception = {
		.type = (uint16_t)type,
		.long_form = synth_core_random(self, 0, 15) == 0,
		.address_kind = ETM4_EXCEPTION_RETURN,
		.return_address_va = return_va,
	};

	if (self->traced) {
		etm4_encoder_exception(&self->encoder, &exception);
		emit_cycles(self);
	}
	move_to(self, place, vector_address(type, self->place.el, place->el), TRUE);
	plan_p0(self);
}

void synth_core_return(struct synth_core *self, const struct synth_place *place, guint64 target_va)
{
	/* ERET: an atom E, and the target unless it is filtered out. */
	if (self->traced) {
		etm4_encoder_atom(&self->encoder, true);
		emit_cycles(self);
	}
	move_to(self, place, target_va, FALSE);
	plan_p0(self);
}

void synth_core_context(struct synth_core *self, const struct synth_place *place)
{
	const struct etm4_context context = context_of(place);

	if (self->ended)
		return;
	self->place = *place;
	open_row(self, FALSE);
	if (!self->traced)
		return;
	/* The new values are seen from the ISB on, which is a P0 element. */
	etm4_encoder_atom(&self->encoder, true);
	emit_cycles(self);
	etm4_encoder_context(&self->encoder, &context);
	emit_switch_timestamp(self);
}

void synth_core_serve(struct synth_core *self, const char *vcpu)
{
	if (self->ended)
		return;
	self->place.vcpu = vcpu;
	open_row(self, FALSE);
}

void synth_core_begin(struct synth_core *self, const struct synth_place *place)
{
	self->place = *place;
	self->pc_va = place_address(self, place);
	open_row(self, FALSE);
	emit_sync(self);
	if (filter_passes(self, place))
		resume(self);
	plan_p0(self);
	update_gap(self);
}
