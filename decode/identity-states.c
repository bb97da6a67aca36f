#include "decode/identity-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double confidence_max = 0.9999;
/* Where it is not above this, it is not known: a vCPU then never is in two places at a time, as
 * what contradicts each other has 1 together. The rest is rounding. */
static const double confidence_min = 0.5 + 1e-9;

/* What is so much less likely than the rest together is dropped. Above what nobody's entry
 * weighs, so that one is only thought of where nothing else fits. */
static const double weight_hopeless = 1e-10;

enum {
	DEPARTURE_SLACK_NS = 500 /* cores' clocks agree no better */
};

/* The index of `state` in the next layer; adds it where it is not there. */
static guint32 next_state(struct solver *self, const struct state *state)
{
	const gsize n_bytes =
		offsetof(struct state, slots) + self->n_slots * sizeof state->slots[0];

	for (guint i = 0; i < self->n_next; i++) {
		if (memcmp(&self->next[i], state, n_bytes) == 0)
			return i;
	}
	self->next[self->n_next] = *state;
	self->next_forward[self->n_next] = 0;
	self->next_best[self->n_next] = 0;
	return self->n_next++;
}

static void add_step(struct solver *self, guint from, const struct state *to, gint number,
                     gboolean same, double weight, double place)
{
	const struct step step = { from, next_state(self, to), number, same, weight };

	self->next_forward[step.to] += self->forward[from] * weight;
	self->next_best[step.to] =
		MAX(self->next_best[step.to], self->best[from] * (weight / place));
	g_array_append_val(self->steps, step);
}

static void enter(struct solver *self, guint from, gint at)
{
	const struct state *state = &self->states[from];
	const guint32 core = solver_piece(self, at)->core;

	for (guint number = 0; number < self->n_slots; number++) {
		double place;
		const double weight = weight_of_entry(self, state, number, at, &place);
		struct state to = *state;

		if (weight <= 0)
			continue;
		to.slots[number] = (struct slot) { .kind = SLOT_RUNNING, .core = core };
		move_homes(self, &to, number, at);
		add_step(self, from, &to, (gint)number,
		         has_just_left(self, &state->slots[number], at), weight, place);
	}
	add_step(self, from, state, IDENTITY_NO_NUMBER, FALSE, weight_of_nobody(), 1);
}

static void leave(struct solver *self, guint from, gint at)
{
	const struct guest_piece *piece = solver_piece(self, at);
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
	guint32 moved[STATES_MAX * (IDENTITY_VCPUS_MAX + 1)];
	double least = 0, sum = 0, best = 0;
	guint kept = 0;

	if (self->n_next > STATES_MAX) {
		g_autofree double *sorted =
			g_memdup2(self->next_forward, self->n_next * sizeof(double));

		qsort(sorted, self->n_next, sizeof(double), compare_doubles_down);
		least = sorted[STATES_MAX - 1];
	}
	for (guint i = 0; i < self->n_next; i++) {
		sum += self->next_forward[i];
		best = MAX(best, self->next_best[i]);
	}
	/* The best stories' weights are kept less a common factor. */
	if (best > 0)
		self->best_scale += log(best);
	least = MAX(least, sum * weight_hopeless);
	for (guint i = 0; i < self->n_next; i++) {
		moved[i] = NO_STATE;
		if (self->next_forward[i] < least || kept == STATES_MAX)
			continue;
		moved[i] = kept;
		self->next[kept] = self->next[i];
		self->next_best[kept] = best > 0 ? self->next_best[i] / best : 0;
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

static void run_event(struct solver *self, const struct identity_event *event)
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

void solver_run_forward(struct solver *self, const GArray *events)
{
	for (guint i = 0; i < events->len; i++)
		run_event(self, &g_array_index(events, struct identity_event, i));
}

double solver_best_story(const struct solver *self)
{
	double best = 0;

	for (guint i = 0; i < self->n_states; i++)
		best = MAX(best, self->best[i]);
	return best > 0 ? self->best_scale + log(best) : -G_MAXDOUBLE;
}

static int compare_events(const void *a, const void *b)
{
	const struct identity_event *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->order != y->order)
		return x->order - y->order;
	return x->piece - y->piece;
}

GArray *identity_events(const struct identity_config *config, const struct exit_list *list)
{
	GArray *events = g_array_new(FALSE, FALSE, sizeof(struct identity_event));

	for (guint i = 0; i < list->pieces->len; i++) {
		const struct guest_piece *piece =
			&g_array_index(list->pieces, struct guest_piece, i);
		struct identity_event event = { piece->begin_ns, (gint)i, 1, TRUE };

		if (piece->vmid != config->vmid)
			continue;
		g_array_append_val(events, event);
		event.enters = FALSE;
		event.time_ns = MAX(piece->end_ns - DEPARTURE_SLACK_NS, piece->begin_ns);
		event.order = event.time_ns > piece->begin_ns ? 0 : 2;
		g_array_append_val(events, event);
	}
	qsort(events->data, events->len, sizeof(struct identity_event), compare_events);
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

/* How well a state fits the dump, if its slots have these numbers. */
static double weight_of_order(const struct solver *self, const struct state *state,
                              const struct identity_order *order)
{
	double weight = 1;

	for (guint slot = 0; slot < self->n_slots; slot++) {
		for (guint k = 0; k < self->config->n_ends; k++) {
			const struct identity_end *end = &self->config->ends[k];

			if (end->number == order->numbers[slot] &&
			    state->slots[slot].kind == SLOT_SUSPENDED)
				weight *= weight_of_end(&g_array_index(self->ways, struct way_out,
				                                       state->slots[slot].exit),
				                        end);
		}
	}
	return weight;
}

/* How well each of the last states fits what is known of the end. */
static void weigh_end(struct solver *self, double *after)
{
	for (guint i = 0; i < self->n_states; i++) {
		after[i] = self->n_orders > 0 ? 0 : 1;
		for (guint k = 0; k < self->n_orders; k++) {
			const double weight =
				weight_of_order(self, &self->states[i], &self->orders[k]);

			after[i] += weight;
			self->orders[k].weight += weight * self->forward[i];
		}
	}
}

/* All orders of the slots in which each number that is known already stays where it is. */
static void add_orders(struct solver *self, struct identity_order *order, guint slot)
{
	if (slot == self->n_slots) {
		self->orders[self->n_orders++] = *order;
		return;
	}
	for (guint8 number = 0; number < self->n_slots; number++) {
		gboolean taken = (self->numbers_known & (1u << number)) != 0 && number != slot;

		if ((self->numbers_known & (1u << slot)) != 0)
			taken = number != slot;
		for (guint i = 0; i < slot; i++)
			taken = taken || order->numbers[i] == number;
		if (taken)
			continue;
		order->numbers[slot] = number;
		add_orders(self, order, slot + 1);
	}
}

void solver_find_orders(struct solver *self)
{
	struct identity_order order = { .weight = 0 };

	if (self->config->n_ends > 0 && self->config->n_vcpus == self->n_slots &&
	    self->n_slots <= ENDS_MAX)
		add_orders(self, &order, 0);
}

void solver_run_backward(struct solver *self, struct identity *identities)
{
	g_autofree double *after = g_new(double, STATES_MAX);
	g_autofree double *before = g_new(double, STATES_MAX);
	guint at = self->all_forward->len - self->n_states;

	weigh_end(self, after);
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

void solver_init(struct solver *self, const struct identity_config *config,
                 const struct exit_list *list, guint n_vcpus)
{
	const guint n_candidates = STATES_MAX * (IDENTITY_VCPUS_MAX + 1);

	*self = (struct solver) { .config = config, .list = list };
	self->n_slots = CLAMP(n_vcpus, 1, IDENTITY_VCPUS_MAX);
	self->ways = g_array_new(FALSE, FALSE, sizeof(struct way_out));
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
	self->best[0] = 1;
	g_array_append_vals(self->all_forward, self->forward, 1);
	choose_homes(self);
}

void solver_deinit(struct solver *self)
{
	g_clear_pointer(&self->way_index, g_hash_table_unref);
	g_array_unref(self->ways);
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
