/* core.h: a simulated Armv8-A core, as external debug sees it
 *
 * Halts and restarts over its CTI, executes inserted instructions (EDITR) as far as a
 * debugger uses them, keeps its system registers by encoding and refuses those of a
 * higher exception level. It runs no program: while it runs, PC moves by 4, and the
 * breakpoint and watchpoint units look at it and at its one data access, links by VMID and
 * context ID included.
 */
#pragma once

#include "tests/sim/soc.h"

enum {
	SIM_CORE_LOOP_BYTES = 0x1000, /* PC runs round in the 4 KiB where it started */
};

struct sim_core {
	gboolean halted;
	gboolean restarted; /* since EDPRSR was last read */
	guint32 status;     /* EDSCR.STATUS */
	guint el;
	guint64 x[31];
	guint64 sp_el[4];
	guint64 pc;
	guint64 pstate; /* as SPSR_ELx has it */
	guint64 dlr, dspsr;
	GHashTable *sysregs; /* key -> guint64 * */
	guint32 dtr_rx, dtr_tx;
	gboolean tx_full, rx_full, error;
	gboolean request; /* CTI trigger output 0 is up until it is acknowledged */
	guint64 n_inserted;
	/* Once a round of the loop it stores to (or loads from) this address; 0: never. */
	guint64 data_va;
	gboolean data_is_load;
	guint64 hit_va; /* EDWAR */
};

/* Makes debug components behave; cores begin running at EL2 with pc 0. */
void sim_cores_attach(struct sim_soc *soc);
struct sim_core *sim_core_of(struct sim_soc *soc, guint index);
/* By architectural name ("VTTBR_EL2"); FALSE for a name without a known encoding. */
gboolean sim_core_set(struct sim_core *core, const char *name, guint64 value);
guint64 sim_core_get(const struct sim_core *core, const char *name);
/* Time passes for a core that runs. */
void sim_core_tick(struct sim_component *debug);
/* The CTI's trigger outputs: 0 debug request, 1 restart. */
void sim_core_trigger(struct sim_soc *soc, guint index, guint output);
void sim_core_acknowledge(struct sim_soc *soc, guint index);
gboolean sim_core_request_is_up(struct sim_soc *soc, guint index);
void sim_core_free(gpointer core);
