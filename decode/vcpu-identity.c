#include "decode/vcpu-identity.h"

#include <math.h>
#include <string.h>

/* Weights of what can happen when a guest is entered. Only their ratios matter. They were
 * set by hand on one lab run and judged on the same run: no independent validation
 * (docs/internals/decode.md has the figures). */
static const double weight_fits = 1;             /* context ID and address as it left */
static const double weight_fits_otherwise = 0.3; /* address as after emulation or a retry */
static const double weight_no_address = 0.1;     /* context ID fits, an address is missing */
static const double weight_unseen_end = 0.02;    /* trace was lost while it ran */
static const double weight_misfit = 1e-5;        /* neither: the hypervisor moved it */
static const double weight_misfit_stale = 1e-3;  /* the same, but it may have run unseen */
static const double weight_new = 1e-3;           /* first time */
static const double weight_began_inside = 0.5;   /* first time, running when trace began */
static const double weight_not_beacon = 1e-9;    /* its bound task says it is another */
static const double weight_nobody = 1e-12;       /* no vCPU can have been it */
/* Where it comes back: at once on the core that it left last, after that core idled, on a
 * core that ran others since, on another core. */
static const double weight_resumes = 1;
static const double weight_idled = 0.6;
static const double weight_same_core = 0.3;
static const double weight_other_core = 0.1;
static const double weight_overtakes = 0.002; /* another comes although one has just left */

/* What one more vCPU must explain (in natural logarithms of the weights), where their number
 * is not known. */
static const double worth_of_vcpu = 12;

static const double confidence_max = 0.9999;
static const double confidence_min = 0.5; /* below, it is not known */

enum {
	STATES_MAX = 96,
	DEPARTURE_SLACK_NS = 500, /* cores' clocks agree no better */
	EMULATED_STEP = 4,        /* bytes of an A64 instruction */
	TYPE_CALL = 2,
	TYPE_TRAP = 3,
	NO_STATE = G_MAXUINT32
};

enum slot_kind {
	SLOT_UNSEEN = 0,
	SLOT_SUSPENDED,
	SLOT_RUNNING
};

/* What one vCPU is doing in one hypothesis. */
struct slot {
	guint8 kind;
	guint8 last;  /* SUSPENDED: no other of this domain left its core since */
	guint8 stale; /* SUSPENDED: it may have run where trace was lost */
	guint8 unused;
	guint32 core;
	guint32 exit; /* SUSPENDED: index of how it left */
};

struct state {
	struct slot slots[IDENTITY_VCPUS_MAX];
};

/* How a vCPU left a core. */
struct way_out {
	gint64 context_id;
	guint64 address_va;
	gint32 type;
	guint8 has_address;
	guint8 lost;
	guint8 unused[2];
};

/* One step of one hypothesis: from a state of the layer before to one of the next. */
struct step {
	guint32 from, to;
	gint32 number; /* entered; IDENTITY_NO_NUMBER: nobody that is known */
	gboolean same; /* it is the one that had just left the core */
	double weight;
};

struct layer {
	guint first_step, n_steps;
	guint n_states; /* after it */
	gint piece;     /* entered; PIECE_NONE for an exit */
};

struct event {
	gint64 time_ns;
	gint piece;
	gint order; /* of events at one time */
	gboolean enters;
};

struct solver {
	const struct identity_config *config;
	const struct exit_list *list;
	guint n_slots;
	guint32 beacon_numbers; /* numbers that beacons tell apart */
	gint *beacon_of;        /* per piece, IDENTITY_NO_NUMBER where none */
	GArray *ways;           /* struct way_out */
	GHashTable *way_index;  /* struct way_out * -> index + 1 */
	GArray *layers;         /* struct layer */
	GArray *steps;          /* struct step */
	struct state *states, *next;
	double *forward, *next_forward; /* of the current layer's states */
	GArray *all_forward;            /* double: of every layer's states, one after the other */
	guint n_states, n_next;
	/* Logarithm of the weight of the best story that leads to each state. */
	double *best, *next_best;
};

static const struct guest_piece *piece_at(const struct solver *self, gint i)
{
	return &g_array_index(self->list->pieces, struct guest_piece, (guint)i);
}

gint identity_cpu_of_task(const char *name)
{
	static const char *const prefixes[] = { "ksoftirqd/", "migration/",   "cpuhp/",
		                                "kworker/",   "idle_inject/", "rcuc/",
		                                "irq_work/",  "watchdog/",    "stopper/" };
	const char *rest = NULL;
	char *end;
	guint64 number;

	for (guint i = 0; rest == NULL && i < G_N_ELEMENTS(prefixes); i++) {
		if (g_str_has_prefix(name, prefixes[i]))
			rest = name + strlen(prefixes[i]);
	}
	if (rest == NULL || !g_ascii_isdigit(*rest))
		return IDENTITY_NO_NUMBER;
	number = g_ascii_strtoull(rest, &end, 10);
	if (number >= IDENTITY_VCPUS_MAX || (*end != '\0' && *end != ':'))
		return IDENTITY_NO_NUMBER;
	return (gint)number;
}

/* The CPU that a piece's tasks are bound to; where they contradict each other, none. */
static gint find_beacon(const struct solver *self, const struct guest_piece *piece)
{
	gint found = IDENTITY_NO_NUMBER;

	if (self->config->beacons == NULL)
		return found;
	for (guint i = 0; i < piece->n_contexts; i++) {
		const guint32 context =
			g_array_index(self->list->contexts, guint32, piece->first_context + i);
		const gint number = GPOINTER_TO_INT(g_hash_table_lookup(
					    self->config->beacons, GUINT_TO_POINTER(context))) -
		                    1;

		if (number < 0)
			continue;
		if (found != IDENTITY_NO_NUMBER && found != number)
			return IDENTITY_NO_NUMBER;
		found = number;
	}
	return found;
}

static guint way_hash(gconstpointer key)
{
	const struct way_out *way = key;

	return g_int64_hash(&way->address_va) * 31 + g_int64_hash(&way->context_id) +
	       (guint)way->type * 7 + way->lost;
}

static gboolean way_equal(gconstpointer a, gconstpointer b)
{
	const struct way_out *x = a, *y = b;

	return x->context_id == y->context_id && x->address_va == y->address_va &&
	       x->type == y->type && x->has_address == y->has_address && x->lost == y->lost;
}

static guint32 way_of(struct solver *self, const struct guest_piece *piece)
{
	struct way_out way = { .lost = TRUE };
	guint known;

	if (piece->left) {
		way = (struct way_out) {
			.context_id = piece->exit_context_id,
			.address_va = piece->has_return_address ? piece->return_address_va : 0,
			.type = piece->type,
			.has_address = piece->has_return_address != FALSE,
		};
	}
	known = GPOINTER_TO_UINT(g_hash_table_lookup(self->way_index, &way));
	if (known != 0)
		return known - 1;
	g_array_append_val(self->ways, way);
	g_hash_table_insert(self->way_index, g_memdup2(&way, sizeof way),
	                    GUINT_TO_POINTER(self->ways->len));
	return self->ways->len - 1;
}

/* How well the way in fits the way out. An executed call returns behind itself, to itself
 * where the hypervisor makes it run again; an instruction that was trapped or aborted is
 * skipped once it has been emulated, or tried again. */
static double weight_of_address(const struct way_out *way, guint64 address_va)
{
	const guint64 step = address_va - way->address_va;

	if (step == 0)
		return way->type == TYPE_TRAP ? weight_fits_otherwise : weight_fits;
	if (way->type == TYPE_CALL && (step == -(guint64)EMULATED_STEP || step == EMULATED_STEP))
		return weight_fits_otherwise;
	if (way->type != TYPE_CALL && step == EMULATED_STEP)
		return weight_fits;
	return 0;
}

static double weight_of_fit(const struct solver *self, const struct slot *slot,
                            const struct guest_piece *piece)
{
	const struct way_out *way = &g_array_index(self->ways, struct way_out, slot->exit);
	const double misfit = slot->stale ? weight_misfit_stale : weight_misfit;
	double weight;

	if (way->lost || !piece->entered)
		return weight_unseen_end;
	if (way->context_id != OWNER_NO_VALUE && piece->entry_context_id != OWNER_NO_VALUE &&
	    way->context_id != piece->entry_context_id)
		return misfit;
	if (!way->has_address || !piece->has_address)
		return weight_no_address;
	weight = weight_of_address(way, piece->entry_address_va);
	return weight > 0 ? weight : misfit;
}

/* The piece before this one on its core, where a visit leads from one to the other. */
static gint piece_before(const struct solver *self, gint at)
{
	if (at == 0 || !piece_at(self, at)->entered || !piece_at(self, at - 1)->left)
		return PIECE_NONE;
	return at - 1;
}

/* Whether the vCPU of `slot` is the one that left the core just before piece `at`. */
static gboolean has_just_left(const struct solver *self, const struct slot *slot, gint at)
{
	const gint before = piece_before(self, at);

	return before != PIECE_NONE && piece_at(self, before)->vmid == self->config->vmid &&
	       slot->kind == SLOT_SUSPENDED && slot->last && slot->core == piece_at(self, at)->core;
}

static gboolean has_idled(const struct solver *self, gint at)
{
	const gint before = piece_before(self, at);

	return before != PIECE_NONE && g_array_index(self->list->visits, struct hypervisor_visit,
	                                             (guint)piece_at(self, before)->visit)
	                                               .idle_ns > 0;
}

static double weight_of_place(const struct solver *self, const struct state *state, guint number,
                              gint at)
{
	const struct slot *slot = &state->slots[number];
	const struct guest_piece *piece = piece_at(self, at);
	const gint before = piece_before(self, at);
	const gboolean idled = has_idled(self, at);

	if (has_just_left(self, slot, at))
		return idled ? weight_idled : weight_resumes;
	/* One of this domain has just left by an interrupt, a call or an abort, and nothing
	 * says that it gave the core up. */
	if (before != PIECE_NONE && !idled && piece_at(self, before)->vmid == self->config->vmid &&
	    piece_at(self, before)->type != TYPE_TRAP)
		return weight_overtakes;
	return slot->core == piece->core ? weight_same_core : weight_other_core;
}

/* How likely it is that `number` enters as piece `at` in this state; 0: it cannot. *place is
 * the part of it that habit alone gives (where vCPUs tend to run): it helps to choose among
 * vCPUs, but is no reason to believe in one more. */
static double weight_of(const struct solver *self, const struct state *state, guint number, gint at,
                        double *place)
{
	const struct slot *slot = &state->slots[number];
	const struct guest_piece *piece = piece_at(self, at);
	const gint beacon = self->beacon_of[at];
	double weight = 0;

	*place = 1;
	switch (slot->kind) {
	case SLOT_RUNNING:
		return 0;
	case SLOT_SUSPENDED:
		*place = weight_of_place(self, state, number, at);
		weight = weight_of_fit(self, slot, piece) * *place;
		break;
	default:
		/* Those that nothing tells apart come in the order of their numbers. */
		for (guint i = 0; i < number; i++) {
			if (state->slots[i].kind == SLOT_UNSEEN &&
			    (self->beacon_numbers & (1u << number)) == 0 &&
			    (self->beacon_numbers & (1u << i)) == 0)
				return 0;
		}
		weight = piece->entered ? weight_new : weight_began_inside;
		break;
	}
	if (beacon != IDENTITY_NO_NUMBER && beacon != (gint)number)
		weight *= weight_not_beacon;
	return weight;
}

/* The index of `state` in the next layer; adds it where it is not there. */
static guint32 next_state(struct solver *self, const struct state *state)
{
	for (guint i = 0; i < self->n_next; i++) {
		if (memcmp(&self->next[i], state, self->n_slots * sizeof state->slots[0]) == 0)
			return i;
	}
	self->next[self->n_next] = *state;
	self->next_forward[self->n_next] = 0;
	self->next_best[self->n_next] = -G_MAXDOUBLE;
	return self->n_next++;
}

static void add_step(struct solver *self, guint from, const struct state *to, gint number,
                     gboolean same, double weight, double place)
{
	const struct step step = { from, next_state(self, to), number, same, weight };

	self->next_forward[step.to] += self->forward[from] * weight;
	self->next_best[step.to] =
		MAX(self->next_best[step.to], self->best[from] + log(weight / place));
	g_array_append_val(self->steps, step);
}

static void enter(struct solver *self, guint from, gint at)
{
	const struct state *state = &self->states[from];
	const guint32 core = piece_at(self, at)->core;

	for (guint number = 0; number < self->n_slots; number++) {
		double place;
		const double weight = weight_of(self, state, number, at, &place);
		struct state to = *state;

		if (weight <= 0)
			continue;
		to.slots[number] = (struct slot) { .kind = SLOT_RUNNING, .core = core };
		add_step(self, from, &to, (gint)number,
		         has_just_left(self, &state->slots[number], at), weight, place);
	}
	add_step(self, from, state, IDENTITY_NO_NUMBER, FALSE, weight_nobody, 1);
}

static void leave(struct solver *self, guint from, gint at)
{
	const struct guest_piece *piece = piece_at(self, at);
	struct state to = self->states[from];
	gboolean found = FALSE;

	for (guint i = 0; i < self->n_slots; i++) {
		struct slot *slot = &to.slots[i];

		if (slot->kind == SLOT_RUNNING && slot->core == piece->core && !found) {
			*slot = (struct slot) { .kind = SLOT_SUSPENDED,
				                .last = TRUE,
				                .core = piece->core,
				                .exit = way_of(self, piece) };
			found = TRUE;
		} else if (slot->kind == SLOT_SUSPENDED) {
			slot->last = slot->last && slot->core != piece->core;
			slot->stale = slot->stale || !piece->left;
		}
	}
	add_step(self, from, &to, IDENTITY_NO_NUMBER, FALSE, 1, 1);
}

static int compare_doubles_down(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Drops the least likely states of the next layer, so that at most STATES_MAX are left,
 * and scales the rest to a sum of 1. */
static void finish_layer(struct solver *self, struct layer *layer)
{
	g_autofree guint32 *moved = g_new(guint32, self->n_next);
	double least = 0, sum = 0;
	guint kept = 0;

	if (self->n_next > STATES_MAX) {
		g_autofree double *sorted =
			g_memdup2(self->next_forward, self->n_next * sizeof(double));

		qsort(sorted, self->n_next, sizeof(double), compare_doubles_down);
		least = sorted[STATES_MAX - 1];
	}
	for (guint i = 0; i < self->n_next; i++)
		sum += self->next_forward[i];
	least = MAX(least, sum * 1e-18);
	for (guint i = 0; i < self->n_next; i++) {
		moved[i] = NO_STATE;
		if (self->next_forward[i] < least || kept == STATES_MAX)
			continue;
		moved[i] = kept;
		self->next[kept] = self->next[i];
		self->next_best[kept] = self->next_best[i];
		self->next_forward[kept++] = self->next_forward[i] / sum;
	}
	for (guint i = layer->first_step; i < self->steps->len; i++) {
		struct step *step = &g_array_index(self->steps, struct step, i);

		step->to = moved[step->to];
		step->weight /= sum;
	}
	layer->n_steps = self->steps->len - layer->first_step;
	layer->n_states = kept;
	self->n_next = kept;
}

static void run_event(struct solver *self, const struct event *event)
{
	struct layer layer = { .first_step = self->steps->len,
		               .piece = event->enters ? event->piece : PIECE_NONE };
	struct state *states = self->states;
	double *forward = self->forward, *best = self->best;

	self->n_next = 0;
	for (guint i = 0; i < self->n_states; i++) {
		if (event->enters)
			enter(self, i, event->piece);
		else
			leave(self, i, event->piece);
	}
	finish_layer(self, &layer);
	g_array_append_val(self->layers, layer);
	self->states = self->next;
	self->forward = self->next_forward;
	self->next = states;
	self->next_forward = forward;
	self->best = self->next_best;
	self->next_best = best;
	self->n_states = self->n_next;
	g_array_append_vals(self->all_forward, self->forward, self->n_states);
}

static void run_forward(struct solver *self, const GArray *events)
{
	for (guint i = 0; i < events->len; i++)
		run_event(self, &g_array_index(events, struct event, i));
}

/* Logarithm of the weight of the best story. */
static double best_story(const struct solver *self)
{
	double best = -G_MAXDOUBLE;

	for (guint i = 0; i < self->n_states; i++)
		best = MAX(best, self->best[i]);
	return best;
}

static int compare_events(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->order != y->order)
		return x->order - y->order;
	return x->piece - y->piece;
}

static GArray *find_events(const struct solver *self)
{
	GArray *events = g_array_new(FALSE, FALSE, sizeof(struct event));

	for (guint i = 0; i < self->list->pieces->len; i++) {
		const struct guest_piece *piece = piece_at(self, (gint)i);
		struct event event = { piece->begin_ns, (gint)i, 1, TRUE };

		if (piece->vmid != self->config->vmid)
			continue;
		g_array_append_val(events, event);
		event.enters = FALSE;
		event.time_ns = MAX(piece->end_ns - DEPARTURE_SLACK_NS, piece->begin_ns);
		event.order = event.time_ns > piece->begin_ns ? 0 : 2;
		g_array_append_val(events, event);
	}
	qsort(events->data, events->len, sizeof(struct event), compare_events);
	return events;
}

/* Gives a piece what its layer's steps say, weighed by what came before and after. */
static void settle_piece(const struct solver *self, const struct layer *layer,
                         const double *forward, const double *backward, struct identity *identity)
{
	double sums[IDENTITY_VCPUS_MAX] = { 0 }, all = 0, same = 0;
	guint best = 0;

	for (guint i = 0; i < layer->n_steps; i++) {
		const struct step *step =
			&g_array_index(self->steps, struct step, layer->first_step + i);
		double weight;

		if (step->to == NO_STATE)
			continue;
		weight = forward[step->from] * step->weight * backward[step->to];
		all += weight;
		if (step->number >= 0)
			sums[step->number] += weight;
		if (step->same)
			same += weight;
	}
	for (guint i = 1; i < self->n_slots; i++) {
		if (sums[i] > sums[best])
			best = i;
	}
	if (all <= 0)
		return;
	identity->same = CLAMP(same / all, 0, 1);
	identity->confidence = MIN(sums[best] / all, confidence_max);
	if (identity->confidence < confidence_min) {
		identity->confidence = 0;
		return;
	}
	identity->number = (gint)best;
	identity->known = KNOWN_INFERRED;
}

static void run_backward(const struct solver *self, struct identity *identities)
{
	g_autofree double *after = g_new(double, STATES_MAX);
	g_autofree double *before = g_new(double, STATES_MAX);
	guint at = self->all_forward->len - self->n_states;

	for (guint i = 0; i < STATES_MAX; i++)
		after[i] = 1;
	for (guint l = self->layers->len; l-- > 0;) {
		const struct layer *layer = &g_array_index(self->layers, struct layer, l);
		const guint n_before =
			l > 0 ? g_array_index(self->layers, struct layer, l - 1).n_states : 1;
		double *swap = before;
		double largest = 0;

		at -= n_before;
		if (layer->piece != PIECE_NONE)
			settle_piece(self, layer, &g_array_index(self->all_forward, double, at),
			             after, &identities[layer->piece]);
		memset(before, 0, STATES_MAX * sizeof(double));
		for (guint i = 0; i < layer->n_steps; i++) {
			const struct step *step =
				&g_array_index(self->steps, struct step, layer->first_step + i);

			if (step->to != NO_STATE)
				before[step->from] += step->weight * after[step->to];
		}
		for (guint i = 0; i < n_before; i++)
			largest = MAX(largest, before[i]);
		for (guint i = 0; i < n_before && largest > 0; i++)
			before[i] /= largest;
		before = after;
		after = swap;
	}
}

/* Whether piece `at` must be the vCPU of the piece before it: the same thread went on where
 * it had been interrupted. */
static gboolean is_sure_link(const struct solver *self, gint at)
{
	const gint before = piece_before(self, at);
	const struct guest_piece *to = piece_at(self, at), *from;

	if (before == PIECE_NONE || !self->config->unique_contexts)
		return FALSE;
	from = piece_at(self, before);
	return from->vmid == to->vmid && from->exit_context_id > 0 &&
	       from->exit_context_id == to->entry_context_id && from->has_return_address &&
	       to->has_address && from->return_address_va == to->entry_address_va;
}

/* Beacons say outright; what must be the same vCPU as such a piece is as sure. Where a
 * beacon contradicts the whole story, nothing is exact about it. */
static void settle_exact(const struct solver *self, struct identity *identities)
{
	const guint n = self->list->pieces->len;

	for (guint i = 0; i < n; i++) {
		const gint beacon = self->beacon_of[i];

		if (piece_at(self, (gint)i)->vmid != self->config->vmid)
			continue;
		if (self->config->n_vcpus == 1 ||
		    (beacon != IDENTITY_NO_NUMBER && identities[i].number == beacon)) {
			identities[i].number = MAX(beacon, 0);
			identities[i].known = KNOWN_EXACT;
		}
	}
	for (guint i = 1; i < n; i++) {
		if (is_sure_link(self, (gint)i) && identities[i - 1].known == KNOWN_EXACT &&
		    identities[i].number == identities[i - 1].number)
			identities[i].known = KNOWN_EXACT;
	}
	for (guint i = n; i-- > 1;) {
		if (is_sure_link(self, (gint)i) && identities[i].known == KNOWN_EXACT &&
		    identities[i].number == identities[i - 1].number)
			identities[i - 1].known = KNOWN_EXACT;
	}
	for (guint i = 0; i < n; i++) {
		if (piece_at(self, (gint)i)->vmid != self->config->vmid)
			continue;
		if (identities[i].known == KNOWN_EXACT)
			identities[i].confidence = 1;
		if (is_sure_link(self, (gint)i))
			identities[i].same = 1;
	}
}

/* One core, one vCPU: numbered in the order of the cores. */
static void settle_pinned(const struct solver *self, struct identity *identities,
                          struct identity_summary *summary)
{
	g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);
	guint n_vcpus = 0;

	for (guint i = 0; i < self->list->pieces->len; i++) {
		const struct guest_piece *piece = piece_at(self, (gint)i);
		const gpointer core = GUINT_TO_POINTER(piece->core + 1);
		const gint before = piece_before(self, (gint)i);
		guint number;

		if (piece->vmid != self->config->vmid)
			continue;
		if (!g_hash_table_contains(numbers, core))
			g_hash_table_insert(numbers, core, GUINT_TO_POINTER(++n_vcpus));
		number = GPOINTER_TO_UINT(g_hash_table_lookup(numbers, core)) - 1;
		identities[i] = (struct identity) {
			.number = (gint)number,
			.known = KNOWN_EXACT,
			.confidence = 1,
			.same = before != PIECE_NONE && piece_at(self, before)->vmid == piece->vmid,
		};
	}
	*summary = (struct identity_summary) { .n_vcpus = n_vcpus };
}

static void solver_init(struct solver *self, const struct identity_config *config,
                        const struct exit_list *list, guint n_vcpus)
{
	const guint n_candidates = STATES_MAX * (IDENTITY_VCPUS_MAX + 1);
	guint n_beacons = 0;

	*self = (struct solver) { .config = config, .list = list };
	self->beacon_of = g_new(gint, MAX(list->pieces->len, 1));
	for (guint i = 0; i < list->pieces->len; i++) {
		const struct guest_piece *piece = piece_at(self, (gint)i);

		self->beacon_of[i] =
			piece->vmid == config->vmid ? find_beacon(self, piece) : IDENTITY_NO_NUMBER;
		if (self->beacon_of[i] != IDENTITY_NO_NUMBER) {
			self->beacon_numbers |= 1u << self->beacon_of[i];
			n_beacons = MAX(n_beacons, (guint)self->beacon_of[i] + 1);
		}
	}
	self->n_slots = CLAMP(MAX(n_vcpus, n_beacons), 1, IDENTITY_VCPUS_MAX);
	self->ways = g_array_new(FALSE, FALSE, sizeof(struct way_out));
	self->way_index = g_hash_table_new_full(way_hash, way_equal, g_free, NULL);
	self->layers = g_array_new(FALSE, FALSE, sizeof(struct layer));
	self->steps = g_array_new(FALSE, FALSE, sizeof(struct step));
	self->all_forward = g_array_new(FALSE, FALSE, sizeof(double));
	self->states = g_new0(struct state, n_candidates);
	self->next = g_new0(struct state, n_candidates);
	self->forward = g_new0(double, n_candidates);
	self->next_forward = g_new0(double, n_candidates);
	self->best = g_new0(double, n_candidates);
	self->next_best = g_new0(double, n_candidates);
	self->n_states = 1;
	self->forward[0] = 1;
	g_array_append_vals(self->all_forward, self->forward, 1);
}

static void solver_deinit(struct solver *self)
{
	g_free(self->beacon_of);
	g_array_unref(self->ways);
	g_hash_table_unref(self->way_index);
	g_array_unref(self->layers);
	g_array_unref(self->steps);
	g_array_unref(self->all_forward);
	g_free(self->states);
	g_free(self->next);
	g_free(self->forward);
	g_free(self->next_forward);
	g_free(self->best);
	g_free(self->next_best);
}

void identity_settle(const struct identity_config *config, const struct exit_list *list,
                     struct identity *identities, struct identity_summary *summary)
{
	g_autoptr(GArray) events = NULL;
	struct solver solver;

	for (guint i = 0; i < list->pieces->len; i++) {
		if (g_array_index(list->pieces, struct guest_piece, i).vmid == config->vmid)
			identities[i] = (struct identity) { .number = IDENTITY_NO_NUMBER };
	}
	solver_init(&solver, config, list, MAX(config->n_vcpus, 1));
	if (config->pinned) {
		settle_pinned(&solver, identities, summary);
		solver_deinit(&solver);
		return;
	}
	events = find_events(&solver);
	run_forward(&solver, events);
	/* Not known how many: as long as one more makes the story that much likelier. */
	while (config->n_vcpus == 0 && solver.n_slots < IDENTITY_VCPUS_MAX) {
		struct solver more;

		solver_init(&more, config, list, solver.n_slots + 1);
		run_forward(&more, events);
		if (best_story(&more) < best_story(&solver) + worth_of_vcpu) {
			solver_deinit(&more);
			break;
		}
		solver_deinit(&solver);
		solver = more;
	}
	run_backward(&solver, identities);
	settle_exact(&solver, identities);
	*summary = (struct identity_summary) { .numbered = solver.beacon_numbers };
	if (config->n_vcpus == 1)
		summary->numbered |= 1;
	summary->n_vcpus = config->n_vcpus;
	for (guint i = 0; i < list->pieces->len; i++) {
		if (piece_at(&solver, (gint)i)->vmid == config->vmid)
			summary->n_vcpus = MAX(summary->n_vcpus, (guint)(identities[i].number + 1));
	}
	solver_deinit(&solver);
}
