/* exits.h: a core's guests and its visits to the hypervisor, in turns
 *
 * Takes a core's spans and what its source gathered, and cuts them into pieces (a guest
 * runs, without leaving EL0 and EL1) and visits (EL2, from a guest's exception to the next
 * entry to any guest, idle time included). It says which VMID each piece was, where it was
 * entered and left, and why; which vCPU it was is for vcpu-identity.h. Pure: reads nothing,
 * writes nothing, knows no other core.
 *
 * Which guest a visit served is decided from the piece before and the piece after, never
 * from the VMID at EL2, which is often stale.
 */
#pragma once

#include "decode/source.h"
#include "schema/rows.h"

enum {
	PIECE_NONE = -1
};

/* A guest on a core, from an entry to the exit that follows. Times from the reference
 * tick, like the spans'. */
struct guest_piece {
	guint core;
	gint64 vmid;
	gint64 begin_ns, end_ns;
	gint64 guest_ns; /* in EL0 and EL1; less than the whole where it was in secure state */
	guint64 cycles;
	/* Its distinct context IDs are contexts[first_context .. + n_contexts), and the ones
	 * it had when it was entered and left; OWNER_NO_VALUE where not traced. */
	guint first_context, n_contexts;
	gint64 entry_context_id, exit_context_id;
	gboolean entered;     /* by a visit that was seen whole; else trace began inside it */
	gboolean has_address; /* entered: where it went on */
	guint64 entry_address_va;
	gboolean left; /* by an exit; else trace ended inside it */
	gboolean has_return_address;
	guint64 return_address_va; /* left: preferred return address */
	gint type;                 /* left: ETMv4 exception type; OWNER_NO_VALUE where none */
	gint visit;                /* left: the visit that followed */
};

struct hypervisor_visit {
	guint core;
	gint64 begin_ns, end_ns;
	gint64 hypervisor_ns;      /* in EL2 */
	gint64 idle_ns;            /* halted */
	gint64 idle_hypervisor_ns; /* in EL2 between two halts */
	gint64 wake_ns;    /* from the last halt's end to the entry; OWNER_NO_VALUE without halt */
	guint64 cycles;    /* in EL2, idle time excluded */
	gint from;         /* piece */
	gint to;           /* piece, or PIECE_NONE where trace was lost or ended */
	gboolean untraced; /* EL2 was left out by the trace unit's settings */
	gint64 injection_ns; /* from its start to the guest's own interrupt vector, where the
	                      * entry took one at once; OWNER_NO_VALUE else */
	guint64 trace_offset;
	guint first_call, n_calls; /* of the list's calls */
};

/* The hypervisor entered a function that means something (hypervisor-image.h). */
struct visit_call {
	gint64 time_ns;
	guint function; /* index in the image */
};

struct exit_list {
	GArray *pieces;   /* struct guest_piece, in order of time */
	GArray *visits;   /* struct hypervisor_visit, in order of time */
	GArray *contexts; /* guint32 */
	GArray *calls;    /* struct visit_call, those of each visit together and in order */
};

void exit_list_init(struct exit_list *self);
void exit_list_deinit(struct exit_list *self);

/* Appends what one core did. `lane` is its spans (lane.h) of the same source. */
void exit_list_add_core(struct exit_list *self, guint core, const struct decode_source *source,
                        const GArray *lane);

/* What an exit was for, by its ETMv4 exception type. A trap is a WFI (or WFE) where the
 * instruction is known to be one; where none is known, if `descheduled`: the vCPU was not
 * resumed, or the core idled. */
enum exit_reason exit_reason_of(gint type, enum exit_instruction instruction, gboolean descheduled);

/* Which kind of instruction a word is, as far as exits go (Arm DDI 0487, C4.1). */
enum exit_instruction exit_instruction_of(guint32 word);
