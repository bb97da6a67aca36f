#include "decode/exits.h"

#include "decode/lane.h"

/* ETMv4 exception types (Arm IHI 0064, Exception packets, A profile). */
enum {
	TYPE_CALL = 2,
	TYPE_TRAP = 3,
	TYPE_SERROR = 4,
	TYPE_INST_DEBUG = 6,
	TYPE_DATA_DEBUG = 7,
	TYPE_INST_FAULT = 11,
	TYPE_DATA_FAULT = 12,
	TYPE_IRQ = 14,
	TYPE_FIQ = 15,
};

void exit_list_init(struct exit_list *self)
{
	self->pieces = g_array_new(FALSE, TRUE, sizeof(struct guest_piece));
	self->visits = g_array_new(FALSE, TRUE, sizeof(struct hypervisor_visit));
	self->contexts = g_array_new(FALSE, FALSE, sizeof(guint32));
	self->calls = g_array_new(FALSE, FALSE, sizeof(struct visit_call));
}

void exit_list_deinit(struct exit_list *self)
{
	g_array_unref(self->pieces);
	g_array_unref(self->visits);
	g_array_unref(self->contexts);
	g_array_unref(self->calls);
}

enum exit_instruction exit_instruction_of(guint32 word)
{
	static const struct {
		guint32 mask, value;
		enum exit_instruction instruction;
	} known[] = {
		{ 0xffe0001f, 0xd4000002, INSTRUCTION_HVC },
		{ 0xffe0001f, 0xd4000003, INSTRUCTION_SMC },
		{ 0xffffffff, 0xd503207f, INSTRUCTION_WFI },
		{ 0xffffffff, 0xd503205f, INSTRUCTION_WFE },
		{ 0xffd00000, 0xd5100000, INSTRUCTION_SYSREG }, /* MSR (register), MRS */
		{ 0xffd80000, 0xd5080000, INSTRUCTION_SYSREG }, /* SYS, SYSL: DC, TLBI, .. */
	};

	for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
		if ((word & known[i].mask) == known[i].value)
			return known[i].instruction;
	}
	return INSTRUCTION_OTHER;
}

enum exit_reason exit_reason_of(gint type, enum exit_instruction instruction, gboolean descheduled)
{
	switch (type) {
	case OWNER_NO_VALUE:
		return EXIT_UNKNOWN;
	case TYPE_CALL:
		return EXIT_CALL;
	case TYPE_TRAP:
		if (instruction != INSTRUCTION_UNKNOWN)
			descheduled =
				instruction == INSTRUCTION_WFI || instruction == INSTRUCTION_WFE;
		return descheduled ? EXIT_WFI : EXIT_TRAP;
	case TYPE_SERROR:
		return EXIT_SERROR;
	case TYPE_INST_DEBUG:
	case TYPE_DATA_DEBUG:
		return EXIT_DEBUG;
	case TYPE_INST_FAULT:
		return EXIT_INST_ABORT;
	case TYPE_DATA_FAULT:
		return EXIT_DATA_ABORT;
	case TYPE_IRQ:
		return EXIT_IRQ;
	case TYPE_FIQ:
		return EXIT_FIQ;
	default:
		return EXIT_OTHER;
	}
}

/* One core on its way through its spans. */
struct walk {
	struct exit_list *list;
	const struct decode_source *source;
	guint core;
	guint exception, entry, call; /* the next ones of the source */
	gint piece;                   /* open, or PIECE_NONE */
	gint visit;                   /* open, or PIECE_NONE */
	gint64 since_idle_ns;         /* EL2 time of the open visit since its last halt */
};

static struct guest_piece *piece_at(struct walk *self)
{
	return &g_array_index(self->list->pieces, struct guest_piece, self->piece);
}

static struct hypervisor_visit *visit_at(struct walk *self)
{
	return &g_array_index(self->list->visits, struct hypervisor_visit, self->visit);
}

/* The first exception from a guest to somewhere else at or after where `segment` began, or
 * NULL where it has none. */
static const struct owner_exception *find_exception(struct walk *self,
                                                    const struct owner_segment *segment)
{
	const GArray *exceptions = self->source->exceptions;

	for (; self->exception < exceptions->len; self->exception++) {
		const struct owner_exception *exception =
			&g_array_index(exceptions, struct owner_exception, self->exception);

		if (exception->position.sequence < segment->begin.sequence)
			continue;
		if (exception->position.sequence > segment->end.sequence)
			return NULL;
		if (exception->from.owner_class == OWNER_GUEST &&
		    exception->to.owner_class != OWNER_GUEST)
			return exception;
	}
	return NULL;
}

static const struct owner_entry *find_entry(struct walk *self, const struct owner_segment *segment)
{
	const GArray *entries = self->source->entries;

	for (; self->entry < entries->len; self->entry++) {
		const struct owner_entry *entry =
			&g_array_index(entries, struct owner_entry, self->entry);

		if (entry->position.sequence < segment->begin.sequence)
			continue;
		return entry->position.sequence <= segment->end.sequence ? entry : NULL;
	}
	return NULL;
}

/* When the guest's own interrupt vector was reached, where the entry took one at once. */
static gint64 find_injection(const struct walk *self, const struct owner_entry *entry)
{
	const GArray *exceptions = self->source->exceptions;

	for (guint i = self->exception; i < exceptions->len; i++) {
		const struct owner_exception *exception =
			&g_array_index(exceptions, struct owner_exception, i);
		gint64 time_ns;

		if (exception->position.sequence < entry->position.sequence)
			continue;
		if (exception->position.p0 > entry->position.p0 + 1 ||
		    exception->to.owner_class != OWNER_GUEST || exception->type != TYPE_IRQ)
			return OWNER_NO_VALUE;
		time_ns = timebase_at(&self->source->timebase, &exception->position).time_ns -
		          visit_at((struct walk *)self)->begin_ns;
		return MAX(time_ns, 0);
	}
	return OWNER_NO_VALUE;
}

static void piece_context(struct walk *self, gint64 context_id)
{
	struct guest_piece *piece = piece_at(self);
	guint32 value;

	piece->exit_context_id = context_id;
	if (context_id == OWNER_NO_VALUE)
		return;
	value = (guint32)context_id;
	for (guint i = 0; i < piece->n_contexts; i++) {
		if (g_array_index(self->list->contexts, guint32, piece->first_context + i) == value)
			return;
	}
	piece->n_contexts++;
	g_array_append_val(self->list->contexts, value);
}

/* Of a guest that is not traced itself, the registers were last seen in EL2: they may be of
 * another. */
static gint64 traced_context(const struct lane_span *span)
{
	return span->certainty == CERTAINTY_TRACED ? span->owner.context_id : OWNER_NO_VALUE;
}

static void piece_open(struct walk *self, const struct lane_span *span,
                       const struct owner_segment *segment)
{
	const struct owner_entry *entry = find_entry(self, segment);
	struct guest_piece piece = {
		.core = self->core,
		.vmid = span->owner.vmid,
		.begin_ns = span->begin_ns,
		.first_context = self->list->contexts->len,
		.entry_context_id = traced_context(span),
		.type = OWNER_NO_VALUE,
		.visit = PIECE_NONE,
		.entered = self->visit != PIECE_NONE,
	};

	if (entry != NULL && span->certainty == CERTAINTY_TRACED) {
		piece.has_address = entry->has_address;
		piece.entry_address_va = entry->address_va;
	}
	if (self->visit != PIECE_NONE) {
		struct hypervisor_visit *visit = visit_at(self);

		visit->to = (gint)self->list->pieces->len;
		visit->end_ns = span->begin_ns;
		if (visit->idle_ns > 0)
			visit->wake_ns = self->since_idle_ns;
		if (entry != NULL && entry->interrupted)
			visit->injection_ns = find_injection(self, entry);
		self->visit = PIECE_NONE;
	}
	self->piece = (gint)self->list->pieces->len;
	g_array_append_val(self->list->pieces, piece);
}

static void piece_add(struct walk *self, const struct lane_span *span)
{
	struct guest_piece *piece = piece_at(self);

	piece->end_ns = span->end_ns;
	piece->guest_ns += span->end_ns - span->begin_ns;
	piece->cycles += span->cycles;
	piece_context(self, traced_context(span));
}

static void visit_open(struct walk *self, const struct lane_span *span,
                       const struct owner_segment *segment)
{
	const struct owner_exception *exception = find_exception(self, segment);
	struct guest_piece *piece = piece_at(self);
	const struct hypervisor_visit visit = {
		.core = self->core,
		.begin_ns = span->begin_ns,
		.end_ns = span->begin_ns,
		.from = self->piece,
		.to = PIECE_NONE,
		.wake_ns = OWNER_NO_VALUE,
		.injection_ns = OWNER_NO_VALUE,
		.trace_offset = span->begin_offset,
		.first_call = self->list->calls->len,
	};

	piece->left = TRUE;
	piece->visit = (gint)self->list->visits->len;
	if (exception != NULL) {
		piece->type = (gint)exception->type;
		piece->has_return_address = exception->has_return_address;
		piece->return_address_va = exception->return_address_va;
		if (exception->from.context_id != OWNER_NO_VALUE)
			piece->exit_context_id = exception->from.context_id;
	}
	self->visit = piece->visit;
	self->piece = PIECE_NONE;
	self->since_idle_ns = 0;
	g_array_append_val(self->list->visits, visit);
}

/* The open visit's calls up to the end of `segment`; those before it are nobody's. */
static void visit_add_calls(struct walk *self, const struct owner_segment *segment)
{
	const GArray *calls = self->source->calls;

	for (; self->call < calls->len; self->call++) {
		const struct hypervisor_call *call =
			&g_array_index(calls, struct hypervisor_call, self->call);
		struct visit_call added = { .function = call->function };

		if (call->position.sequence > segment->end.sequence)
			return;
		if (call->position.sequence < segment->begin.sequence)
			continue;
		added.time_ns = timebase_at(&self->source->timebase, &call->position).time_ns;
		visit_at(self)->n_calls++;
		g_array_append_val(self->list->calls, added);
	}
}

static void visit_add(struct walk *self, const struct lane_span *span)
{
	struct hypervisor_visit *visit = visit_at(self);
	const gint64 duration_ns = span->end_ns - span->begin_ns;

	visit->end_ns = span->end_ns;
	switch (span->owner.owner_class) {
	case OWNER_IDLE:
		if (visit->idle_ns > 0)
			visit->idle_hypervisor_ns += self->since_idle_ns;
		self->since_idle_ns = 0;
		visit->idle_ns += duration_ns;
		break;
	case OWNER_UNTRACED:
		visit->untraced = TRUE;
		visit->hypervisor_ns += duration_ns;
		break;
	case OWNER_HYPERVISOR:
		visit->hypervisor_ns += duration_ns;
		self->since_idle_ns += duration_ns;
		visit->cycles += span->cycles;
		break;
	default:
		break;
	}
}

/* Trace is missing: what was open was not seen to its end. */
static void walk_break(struct walk *self)
{
	self->piece = PIECE_NONE;
	self->visit = PIECE_NONE;
}

/* Whether a gap after a guest is one visit to an EL2 that the trace unit leaves out. Where
 * EL2 is merely outside the traced addresses, other guests may be in the gap too. */
static gboolean is_visit(struct walk *self, const struct owner_segment *gap)
{
	return (self->source->tracker.config.excluded_el & 1 << 2) != 0 &&
	       (self->piece == PIECE_NONE || find_exception(self, gap) != NULL);
}

static void walk_span(struct walk *self, const struct lane_span *span)
{
	const struct owner_segment *segment =
		span->segment >= 0 ? &g_array_index(self->source->segments, struct owner_segment,
	                                            (guint)span->segment)
				   : NULL;
	const enum owner_class owner_class = span->owner.owner_class;

	if (segment == NULL) {
		walk_break(self);
	} else if (owner_class == OWNER_GUEST) {
		if (self->piece != PIECE_NONE && piece_at(self)->vmid != span->owner.vmid)
			walk_break(self);
		if (self->piece == PIECE_NONE)
			piece_open(self, span, segment);
		piece_add(self, span);
	} else if (owner_class == OWNER_HYPERVISOR || owner_class == OWNER_IDLE ||
	           owner_class == OWNER_UNTRACED) {
		if (owner_class == OWNER_UNTRACED && !is_visit(self, segment)) {
			walk_break(self);
			return;
		}
		if (self->piece != PIECE_NONE)
			visit_open(self, span, segment);
		if (self->visit != PIECE_NONE) {
			visit_add(self, span);
			visit_add_calls(self, segment);
		}
	} else if (owner_class != OWNER_SECURE) {
		walk_break(self);
	}
}

void exit_list_add_core(struct exit_list *self, guint core, const struct decode_source *source,
                        const GArray *lane)
{
	struct walk walk = {
		.list = self,
		.source = source,
		.core = core,
		.piece = PIECE_NONE,
		.visit = PIECE_NONE,
	};

	for (guint i = 0; source != NULL && i < lane->len; i++)
		walk_span(&walk, &g_array_index(lane, struct lane_span, i));
}
