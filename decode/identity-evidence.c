#include "decode/identity-private.h"

#include <stdlib.h>
#include <string.h>

/* Weights of what can happen when a guest is entered. Only their ratios matter. Those of
 * places and threads are what five lab runs had (docs/internals/decode.md says which, and how
 * the result did on others). */
static const double weight_fits = 1;             /* context ID and address as it left */
static const double weight_fits_otherwise = 0.3; /* address as after emulation or a retry */
static const double weight_no_address = 0.1;     /* context ID fits, an address is missing */
static const double weight_unseen_end = 0.02;    /* trace was lost while it ran */
static const double weight_misfit = 1e-5;        /* neither: the hypervisor moved it */
static const double weight_misfit_stale = 1e-3;  /* the same, but it may have run unseen */
static const double weight_new = 1e-3;           /* first time */
static const double weight_new_idle = 0.35;      /* likewise, as an idle one that is there */
static const double weight_began_inside = 0.5;   /* first time, running when trace began */
static const double weight_not_beacon = 1e-9;    /* its bound task says it is another */
static const double weight_nobody = 1e-12;       /* no vCPU can have been it */
static const double weight_not_at_end = 0.02;    /* a dump says that it stood elsewhere */

/* Where it comes back: at once on the core that it left last, on a core that ran others
 * since, on another core. */
static const double weight_resumes = 0.85;
static const double weight_last_of_core = 0.7; /* no other of its domain left that core since */
static const double weight_same_core = 0.33;
static const double weight_other_core = 0.35;
static const double weight_other_core_busy = 0.15; /* the core had one of its domain */
static const double weight_overtakes = 0.002;      /* another comes although one has just left */

/* A thread that another vCPU ran last; one that another holds while it is suspended, where
 * context IDs are threads, and where that is not known. */
static const double weight_moved = 0.02;
static const double weight_held_elsewhere = 1e-6;
static const double weight_held_unsure = 0.05;

enum {
	EMULATED_STEP = 4, /* bytes of an A64 instruction */
	CONTEXTS_MAX = 4096
};

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

guint32 way_of(struct solver *self, const struct guest_piece *piece)
{
	struct way_out way = { .lost = TRUE };
	guint known;

	if (self->way_index == NULL)
		self->way_index = g_hash_table_new_full(way_hash, way_equal, g_free, NULL);
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

static const struct way_out *way_at(const struct solver *self, guint32 i)
{
	return &g_array_index(self->ways, struct way_out, i);
}

static double weight_of_fit(const struct solver *self, const struct slot *slot,
                            const struct guest_piece *piece)
{
	const struct way_out *way = way_at(self, slot->exit);
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

double weight_of_end(const struct way_out *way, const struct identity_end *end)
{
	if (way->lost || !way->has_address)
		return weight_no_address;
	if (end->context_id != OWNER_NO_VALUE && way->context_id != OWNER_NO_VALUE &&
	    end->context_id != way->context_id)
		return weight_not_at_end;
	if (!end->has_pc)
		return weight_no_address;
	return MAX(weight_of_address(way, end->pc_va), weight_not_at_end);
}

double weight_of_nobody(void)
{
	return weight_nobody;
}

gint piece_before(const struct solver *self, gint at)
{
	if (at == 0 || !solver_piece(self, at)->entered || !solver_piece(self, at - 1)->left)
		return PIECE_NONE;
	return at - 1;
}

gboolean has_just_left(const struct solver *self, const struct slot *slot, gint at)
{
	const gint before = piece_before(self, at);

	return before != PIECE_NONE && solver_piece(self, before)->vmid == self->config->vmid &&
	       slot->kind == SLOT_SUSPENDED && slot->last &&
	       slot->core == solver_piece(self, at)->core;
}

static gboolean has_idled(const struct solver *self, gint at)
{
	const gint before = piece_before(self, at);

	return before != PIECE_NONE && g_array_index(self->list->visits, struct hypervisor_visit,
	                                             (guint)solver_piece(self, before)->visit)
	                                               .idle_ns > 0;
}

static double weight_of_place(const struct solver *self, const struct slot *slot, gint at)
{
	const struct guest_piece *piece = solver_piece(self, at);
	const gint before = piece_before(self, at);
	const gboolean of_domain =
		before != PIECE_NONE && solver_piece(self, before)->vmid == self->config->vmid;

	if (has_just_left(self, slot, at))
		return weight_resumes;
	/* One of this domain has just left by an interrupt, a call or an abort, and nothing
	 * says that it gave the core up. */
	if (of_domain && !has_idled(self, at) && solver_piece(self, before)->type != TYPE_TRAP)
		return weight_overtakes;
	if (slot->core != piece->core)
		return of_domain ? weight_other_core_busy : weight_other_core;
	return slot->last ? weight_last_of_core : weight_same_core;
}

/* Its threads: which vCPUs ran them last, or hold them. */
static double weight_of_threads(const struct solver *self, const struct state *state, guint number,
                                const struct guest_piece *piece)
{
	const double held =
		self->config->unique_contexts ? weight_held_elsewhere : weight_held_unsure;
	double weight = 1;

	for (guint i = 0; i < piece->n_contexts; i++) {
		const guint32 context =
			g_array_index(self->list->contexts, guint32, piece->first_context + i);

		if (context == 0)
			continue;
		for (guint k = 0; k < self->n_homes; k++) {
			if (self->homes[k] == context && state->homes[k] != 0 &&
			    state->homes[k] != number + 1)
				weight *= weight_moved;
		}
		for (guint k = 0; k < self->n_slots; k++) {
			const struct slot *slot = &state->slots[k];

			if (k != number && slot->kind == SLOT_SUSPENDED && !slot->stale &&
			    !way_at(self, slot->exit)->lost &&
			    way_at(self, slot->exit)->context_id == (gint64)context)
				weight *= held;
		}
	}
	return weight;
}

gboolean looks_idle(const struct solver *self, gint at)
{
	const struct guest_piece *piece = solver_piece(self, at);

	return piece->entered && piece->entry_context_id <= 0;
}

static gboolean is_first_of_core(const struct solver *self, gint at)
{
	return at == 0 || solver_piece(self, at - 1)->core != solver_piece(self, at)->core;
}

static double weight_of_unseen(const struct solver *self, const struct state *state, guint number,
                               gint at)
{
	/* Those that nothing tells apart come in the order of their numbers. */
	for (guint i = 0; i < number; i++) {
		if (state->slots[i].kind == SLOT_UNSEEN &&
		    (self->numbers_known & (1u << number)) == 0 &&
		    (self->numbers_known & (1u << i)) == 0)
			return 0;
	}
	if (!solver_piece(self, at)->entered)
		return is_first_of_core(self, at) ? weight_began_inside : weight_new;
	if (self->may_be_more && number + 1 == self->n_slots)
		return looks_idle(self, at) ? self->weight_of_more : weight_new * weight_new;
	return self->config->n_vcpus > 0 && looks_idle(self, at) ? weight_new_idle : weight_new;
}

double weight_of_entry(const struct solver *self, const struct state *state, guint number, gint at,
                       double *place)
{
	const struct slot *slot = &state->slots[number];
	const struct guest_piece *piece = solver_piece(self, at);
	const gint beacon = self->beacon_of[at];
	double weight;

	*place = 1;
	if (slot->kind == SLOT_RUNNING)
		return 0;
	if (slot->kind == SLOT_SUSPENDED) {
		*place = weight_of_place(self, slot, at) *
		         weight_of_threads(self, state, number, piece);
		weight = weight_of_fit(self, slot, piece) * *place;
	} else {
		weight = weight_of_unseen(self, state, number, at);
		*place = weight_of_threads(self, state, number, piece);
		weight *= *place;
	}
	if (beacon != IDENTITY_NO_NUMBER && beacon != (gint)number)
		weight *= weight_not_beacon;
	return weight;
}

struct thread_count {
	guint32 context;
	guint n;
};

static gint compare_counts_down(gconstpointer a, gconstpointer b)
{
	const struct thread_count *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return x->context < y->context ? -1 : x->context > y->context;
}

void choose_homes(struct solver *self)
{
	g_autoptr(GHashTable) index = g_hash_table_new(NULL, NULL);
	g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(struct thread_count));

	for (guint i = 0; i < self->list->pieces->len; i++) {
		const struct guest_piece *piece = solver_piece(self, (gint)i);

		if (piece->vmid != self->config->vmid)
			continue;
		for (guint k = 0; k < piece->n_contexts; k++) {
			struct thread_count count = { g_array_index(self->list->contexts, guint32,
				                                    piece->first_context + k),
				                      1 };
			const gpointer key = GUINT_TO_POINTER(count.context);
			const guint known = GPOINTER_TO_UINT(g_hash_table_lookup(index, key));

			if (known > 0) {
				g_array_index(counts, struct thread_count, known - 1).n++;
			} else if (count.context != 0 && counts->len < CONTEXTS_MAX) {
				g_array_append_val(counts, count);
				g_hash_table_insert(index, key, GUINT_TO_POINTER(counts->len));
			}
		}
	}
	g_array_sort(counts, compare_counts_down);
	for (guint i = 0; i < MIN(counts->len, HOMES_MAX); i++) {
		if (g_array_index(counts, struct thread_count, i).n > 1)
			self->homes[self->n_homes++] =
				g_array_index(counts, struct thread_count, i).context;
	}
}

void move_homes(const struct solver *self, struct state *state, guint number, gint at)
{
	const struct guest_piece *piece = solver_piece(self, at);

	for (guint i = 0; i < piece->n_contexts; i++) {
		const guint32 context =
			g_array_index(self->list->contexts, guint32, piece->first_context + i);

		for (guint k = 0; k < self->n_homes; k++) {
			if (self->homes[k] == context)
				state->homes[k] = (guint8)(number + 1);
		}
	}
}
