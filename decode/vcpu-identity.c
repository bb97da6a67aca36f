#include "decode/identity-private.h"

#include <string.h>

/* What one more vCPU must explain (in natural logarithms of the weights), where their number
 * is not known. */
static const double worth_of_vcpu = 12;

/* How likely it is, where their number is not known, that there is one more that looks like
 * others whenever it is entered: idle ones do. */
static const double chance_of_more = 0.3;

static const double confidence_sure = 0.95;
static const double confidence_named = 0.99; /* that a number is the guest's own */

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

/* The vCPU that a piece's markers and tasks name; where they contradict each other, none. */
static gint find_beacon(const struct identity_config *config, const struct exit_list *list,
                        guint at)
{
	const struct guest_piece *piece = &g_array_index(list->pieces, struct guest_piece, at);
	gint found = config->marked != NULL ? config->marked[at] : IDENTITY_NO_NUMBER;

	for (guint i = 0; config->beacons != NULL && i < piece->n_contexts; i++) {
		const guint32 context =
			g_array_index(list->contexts, guint32, piece->first_context + i);
		const gint number = GPOINTER_TO_INT(g_hash_table_lookup(
					    config->beacons, GUINT_TO_POINTER(context))) -
		                    1;

		if (number < 0)
			continue;
		if (found != IDENTITY_NO_NUMBER && found != number)
			return IDENTITY_NO_NUMBER;
		found = number;
	}
	return found < IDENTITY_VCPUS_MAX ? found : IDENTITY_NO_NUMBER;
}

/* What is known outright of the domain's pieces and vCPUs. */
struct given {
	gint *beacon_of;
	guint32 numbers;
	guint n_vcpus; /* at least */
};

static void given_init(struct given *self, const struct identity_config *config,
                       const struct exit_list *list)
{
	*self = (struct given) { .beacon_of = g_new(gint, MAX(list->pieces->len, 1)),
		                 .n_vcpus = MAX(config->n_vcpus, 1) };
	for (guint i = 0; i < list->pieces->len; i++) {
		const struct guest_piece *piece =
			&g_array_index(list->pieces, struct guest_piece, i);

		self->beacon_of[i] = piece->vmid == config->vmid ? find_beacon(config, list, i)
		                                                 : IDENTITY_NO_NUMBER;
		if (self->beacon_of[i] != IDENTITY_NO_NUMBER) {
			self->numbers |= 1u << self->beacon_of[i];
			self->n_vcpus = MAX(self->n_vcpus, (guint)self->beacon_of[i] + 1);
		}
	}
	self->n_vcpus = MIN(self->n_vcpus, IDENTITY_VCPUS_MAX);
}

static void solver_begin(struct solver *solver, const struct identity_config *config,
                         const struct exit_list *list, const struct given *given, guint n_vcpus)
{
	solver_init(solver, config, list, n_vcpus);
	solver->beacon_of = given->beacon_of;
	solver->numbers_known = given->numbers;
	solver_find_orders(solver);
}

/* Whether piece `at` must be the vCPU of the piece before it: the same thread went on where
 * it had been interrupted. */
static gboolean is_sure_link(const struct solver *self, gint at)
{
	const gint before = piece_before(self, at);
	const struct guest_piece *to = solver_piece(self, at), *from;

	if (before == PIECE_NONE || !self->config->unique_contexts)
		return FALSE;
	from = solver_piece(self, before);
	return from->vmid == to->vmid && from->exit_context_id > 0 &&
	       from->exit_context_id == to->entry_context_id && from->has_return_address &&
	       to->has_address && from->return_address_va == to->entry_address_va;
}

/* What was given says outright; what must be the same vCPU as such a piece is as sure. Where
 * it contradicts the whole story, nothing is exact about it. */
static void settle_exact(const struct solver *self, struct identity *identities)
{
	const guint n = self->list->pieces->len;

	for (guint i = 0; i < n; i++) {
		const gint beacon = self->beacon_of[i];

		if (solver_piece(self, (gint)i)->vmid != self->config->vmid)
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
		if (solver_piece(self, (gint)i)->vmid != self->config->vmid)
			continue;
		if (identities[i].known == KNOWN_EXACT)
			identities[i].confidence = 1;
		if (is_sure_link(self, (gint)i))
			identities[i].same = 1;
	}
}

/* The first piece of a number that nothing names is sure to be that number, and says nothing
 * by it: where most of what follows is in doubt, so is that. */
static void settle_names(const struct solver *self, struct identity *identities)
{
	for (guint number = 0; number < self->n_slots; number++) {
		double all_ns = 0, sure_ns = 0, mean = 0;

		if ((self->numbers_known >> number & 1) != 0)
			continue;
		for (guint i = 0; i < self->list->pieces->len; i++) {
			const struct guest_piece *piece = solver_piece(self, (gint)i);

			if (piece->vmid != self->config->vmid ||
			    identities[i].number != (gint)number)
				continue;
			all_ns += (double)piece->guest_ns;
			mean += (double)piece->guest_ns * identities[i].confidence;
			if (identities[i].confidence >= confidence_sure)
				sure_ns += (double)piece->guest_ns;
		}
		if (sure_ns * 2 >= all_ns)
			continue;
		for (guint i = 0; i < self->list->pieces->len; i++) {
			if (solver_piece(self, (gint)i)->vmid == self->config->vmid &&
			    identities[i].number == (gint)number)
				identities[i].confidence =
					MIN(identities[i].confidence, mean / all_ns);
		}
	}
}

/* One core, one vCPU: numbered in the order of the cores. */
static void settle_pinned(const struct identity_config *config, const struct exit_list *list,
                          struct identity *identities, struct identity_summary *summary)
{
	g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);
	const struct solver solver = { .config = config, .list = list }, *self = &solver;
	guint n_vcpus = 0;

	for (guint i = 0; i < self->list->pieces->len; i++) {
		const struct guest_piece *piece = solver_piece(self, (gint)i);
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
			.same = before != PIECE_NONE &&
			        solver_piece(self, before)->vmid == piece->vmid,
		};
	}
	*summary = (struct identity_summary) { .n_vcpus = n_vcpus };
}

/* As long as one more makes the story that much likelier. */
static void find_number(struct solver *solver, const struct given *given, const GArray *events)
{
	/* No story is likelier than one in which all fits. */
	while (solver->n_slots < IDENTITY_VCPUS_MAX && solver_best_story(solver) < -worth_of_vcpu) {
		struct solver more;

		solver_begin(&more, solver->config, solver->list, given, solver->n_slots + 1);
		solver_run_forward(&more, events);
		if (solver_best_story(&more) < solver_best_story(solver) + worth_of_vcpu) {
			solver_deinit(&more);
			return;
		}
		solver_deinit(solver);
		*solver = more;
	}
}

/* There may be one more than was found, which was always entered where another could have
 * been: what is said of the others must allow for it. */
static void allow_for_more(struct solver *solver, const struct given *given, const GArray *events)
{
	struct solver more;
	guint n_alike = 0;

	for (guint i = 0; i < events->len; i++) {
		const struct identity_event *event =
			&g_array_index(events, struct identity_event, i);

		n_alike += event->enters && looks_idle(solver, event->piece);
	}
	if (n_alike == 0 || solver->n_slots == IDENTITY_VCPUS_MAX)
		return;
	solver_begin(&more, solver->config, solver->list, given, solver->n_slots + 1);
	more.may_be_more = TRUE;
	more.weight_of_more = chance_of_more / n_alike;
	solver_run_forward(&more, events);
	solver_deinit(solver);
	*solver = more;
}

/* Nobody's number is the one more's. */
static void forget_more(const struct solver *solver, struct identity *identities)
{
	for (guint i = 0; i < solver->list->pieces->len; i++) {
		if (solver_piece(solver, (gint)i)->vmid == solver->config->vmid &&
		    identities[i].number == (gint)solver->n_slots - 1)
			identities[i] = (struct identity) { .number = IDENTITY_NO_NUMBER,
				                            .same = identities[i].same };
	}
}

/* Gives the numbers of our own order the guest's, where the dump says which is which. */
static void settle_order(const struct solver *self, struct identity *identities, guint32 *numbered)
{
	const struct identity_order *best = NULL;
	double all = 0;

	for (guint i = 0; i < self->n_orders; i++) {
		all += self->orders[i].weight;
		if (best == NULL || self->orders[i].weight > best->weight)
			best = &self->orders[i];
	}
	if (best == NULL || best->weight < confidence_named * all)
		return;
	for (guint i = 0; i < self->list->pieces->len; i++) {
		if (solver_piece(self, (gint)i)->vmid != self->config->vmid ||
		    identities[i].number == IDENTITY_NO_NUMBER ||
		    identities[i].known == KNOWN_EXACT)
			continue;
		identities[i].number = best->numbers[identities[i].number];
		identities[i].confidence = MIN(identities[i].confidence, best->weight / all);
	}
	*numbered |= (1u << self->n_slots) - 1;
}

static void settle_inferred(const struct identity_config *config, const struct exit_list *list,
                            struct identity *identities, struct identity_summary *summary)
{
	g_autoptr(GArray) events = identity_events(config, list);
	struct given given;
	struct solver solver;

	given_init(&given, config, list);
	solver_begin(&solver, config, list, &given, given.n_vcpus);
	solver_run_forward(&solver, events);
	if (config->n_vcpus == 0) {
		find_number(&solver, &given, events);
		allow_for_more(&solver, &given, events);
	}
	solver_run_backward(&solver, identities);
	if (solver.may_be_more)
		forget_more(&solver, identities);
	settle_names(&solver, identities);
	settle_exact(&solver, identities);
	*summary =
		(struct identity_summary) { .n_vcpus = config->n_vcpus, .numbered = given.numbers };
	settle_order(&solver, identities, &summary->numbered);
	if (config->n_vcpus == 1)
		summary->numbered |= 1;
	for (guint i = 0; i < list->pieces->len; i++) {
		if (solver_piece(&solver, (gint)i)->vmid == config->vmid)
			summary->n_vcpus = MAX(summary->n_vcpus, (guint)(identities[i].number + 1));
	}
	solver_deinit(&solver);
	g_free(given.beacon_of);
}

void identity_settle(const struct identity_config *config, const struct exit_list *list,
                     struct identity *identities, struct identity_summary *summary)
{
	for (guint i = 0; i < list->pieces->len; i++) {
		if (g_array_index(list->pieces, struct guest_piece, i).vmid == config->vmid)
			identities[i] = (struct identity) { .number = IDENTITY_NO_NUMBER };
	}
	if (config->pinned)
		settle_pinned(config, list, identities, summary);
	else
		settle_inferred(config, list, identities, summary);
}
