/* identity-private.h: shared by vcpu-identity.c and identity-*.c only
 *
 * identity-evidence.c says how likely it is that a vCPU is the one entered, in one
 * hypothesis; identity-states.c keeps the hypotheses and passes over the recording in both
 * directions; vcpu-identity.c asks them, and says what of it is exact.
 */
#pragma once

#include "decode/vcpu-identity.h"

enum {
	STATES_MAX = 96,
	ENDS_MAX = 4,    /* vCPUs of a domain that a dump can name */
	ORDERS_MAX = 24, /* ENDS_MAX! */
	HOMES_MAX = 8,   /* threads of a domain that are followed from vCPU to vCPU */
	NO_STATE = G_MAXUINT32,
	TYPE_CALL = 2, /* ETMv4 exception types */
	TYPE_TRAP = 3
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

/* One hypothesis: all that what comes depends on. Compared byte by byte. */
struct state {
	guint8 homes[HOMES_MAX]; /* vCPU + 1 that ran each followed thread last, 0: none */
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

/* An entry or exit, in order of time over all cores. */
struct identity_event {
	gint64 time_ns;
	gint piece;
	gint order; /* of events at one time */
	gboolean enters;
};

/* One way to give the slots the guest's numbers. */
struct identity_order {
	guint8 numbers[ENDS_MAX]; /* of each slot */
	double weight;            /* of the stories that end so, by solver_run_backward() */
};

struct solver {
	const struct identity_config *config;
	const struct exit_list *list;
	guint n_slots;
	gboolean may_be_more;  /* the last slot is one that nothing asks for */
	double weight_of_more; /* that it enters where all alike ones do */
	guint32 numbers_known; /* numbers that bound tasks or markers tell apart */
	/* Which guest's number each slot may be: a dump tells numbers, not slots. */
	struct identity_order orders[ORDERS_MAX];
	guint n_orders;           /* 0: no dump, or too many vCPUs to try all */
	gint *beacon_of;          /* per piece, IDENTITY_NO_NUMBER where none */
	guint32 homes[HOMES_MAX]; /* context IDs of the threads that are followed */
	guint n_homes;
	GArray *ways;          /* struct way_out */
	GHashTable *way_index; /* struct way_out * -> index + 1 */
	GArray *layers;        /* struct layer */
	GArray *steps;         /* struct step */
	struct state *states, *next;
	double *forward, *next_forward; /* of the current layer's states */
	GArray *all_forward;            /* double: of every layer's states, one after the other */
	guint n_states, n_next;
	/* Weight of the best story that leads to each state, but for places and threads, over
	 * exp(best_scale). */
	double *best, *next_best;
	double best_scale;
};

static inline const struct guest_piece *solver_piece(const struct solver *self, gint i)
{
	return &g_array_index(self->list->pieces, struct guest_piece, (guint)i);
}

/* The piece before this one on its core, where a visit leads from one to the other; else
 * PIECE_NONE. */
gint piece_before(const struct solver *self, gint at);

/* Whether the vCPU of `slot` is the one that left the core just before piece `at`. */
gboolean has_just_left(const struct solver *self, const struct slot *slot, gint at);

/* The index of how this piece was left. */
guint32 way_of(struct solver *self, const struct guest_piece *piece);

/* How likely it is that `number` enters as piece `at` in this state; 0: it cannot. *place is
 * the part of it that habit alone gives (where vCPUs and threads tend to run): it helps to
 * choose among vCPUs, but is no reason to believe in one more. */
double weight_of_entry(const struct solver *self, const struct state *state, guint number, gint at,
                       double *place);

/* The entry is nobody's that is known. */
double weight_of_nobody(void);

/* How well a vCPU that was left so fits what a dump taken at the end says of one. */
double weight_of_end(const struct way_out *way, const struct identity_end *end);

/* Chooses the threads to follow: those of most pieces. */
void choose_homes(struct solver *self);

/* Notes in `state` that `number` ran what piece `at` did. */
void move_homes(const struct solver *self, struct state *state, guint number, gint at);

/* Whether a vCPU that is halted in its idle loop would be entered like this: nothing tells
 * such ones apart. */
gboolean looks_idle(const struct solver *self, gint at);

void solver_init(struct solver *self, const struct identity_config *config,
                 const struct exit_list *list, guint n_vcpus);
void solver_deinit(struct solver *self);

/* Makes ready to use a dump; once numbers_known is set. */
void solver_find_orders(struct solver *self);

/* The domain's entries and exits: GArray of struct identity_event, to be unreffed. */
GArray *identity_events(const struct identity_config *config, const struct exit_list *list);

void solver_run_forward(struct solver *self, const GArray *events);

/* Logarithm of the weight of the best story. */
double solver_best_story(const struct solver *self);

/* Fills the identities of the domain's pieces; after solver_run_forward(). */
void solver_run_backward(struct solver *self, struct identity *identities);
