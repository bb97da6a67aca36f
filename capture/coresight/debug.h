/* debug.h: halts a core and looks into it, without OpenOCD's own CPU target
 *
 * External debug of an Armv8-A core (Arm ARM, DDI 0487, part H) over its debug and CTI
 * registers: halt and restart by cross trigger, single step, any system register of
 * EL0 to EL3 by inserting MRS and MSR (DCPS to get there), hardware breakpoints and
 * watchpoints, those by VMID included. It does not touch memory and translates no
 * address.
 *
 * What it changes in a halted core (X0, the level that it went to) is put back before
 * the core runs on: PC and PSTATE go through DLR and DSPSR. ELR, SPSR and ESR of a level
 * above the one that was halted become UNKNOWN by DCPS; nothing can hold live state
 * there, but they cannot be shown. One thread.
 */
#pragma once

#include "capture/coresight/access.h"

enum debug_stop {
	DEBUG_RUNNING,
	DEBUG_STOP_REQUEST,    /* an external request, or the other side of a CTI */
	DEBUG_STOP_BREAKPOINT, /* breakpoint, or a HLT instruction */
	DEBUG_STOP_STEP,
	DEBUG_STOP_WATCHPOINT,
	DEBUG_STOP_OTHER, /* reset catch, exception catch ... */
};

struct debug_core {
	struct access *access;
	guint debug, cti; /* components */
	guint core;
	gboolean halted;
	enum debug_stop stop;
	guint entry_el;             /* where it was halted */
	guint current_el;           /* where DCPS has taken it */
	guint64 x0, sp, pc, pstate; /* as they were, or as they were set since */
	guint n_breakpoints, n_watchpoints, n_context_breakpoints;
	guint64 watch_va; /* with DEBUG_STOP_WATCHPOINT: the access that hit (EDWAR) */
	gboolean step_armed;
};

/* What else must hold for a breakpoint or watchpoint to stop the core: its comparator is linked
 * to a context comparator (Arm ARM, DDI 0487, chapter D2). All FALSE: nothing else. */
struct debug_condition {
	gboolean by_vmid, by_context_id;
	guint32 vmid; /* at most 255: VMIDs of 16 bits are compared from Armv8.1 on */
	guint32 context_id;
};

struct debug_break {
	guint64 addr_va; /* a multiple of 4 */
	struct debug_condition only;
};

struct debug_watch {
	guint64 addr_va;
	guint len_bytes; /* [addr, addr + len) lies inside one aligned 8 bytes */
	guint on;        /* enum debug_watch_on, together */
	struct debug_condition only;
};

enum debug_watch_on {
	DEBUG_WATCH_READ = 1,
	DEBUG_WATCH_WRITE = 2,
};

/* Unlocks and looks; changes nothing that runs. Fails where the core has no power. */
gboolean debug_core_init(struct debug_core *self, struct access *access, guint core,
                         GError **error);
/* TRUE in *on where the core's debug registers answer (EDPRSR.PU). */
gboolean debug_core_powered(struct access *access, guint core, gboolean *on, GError **error);

gboolean debug_core_halt(struct debug_core *self, GError **error);
gboolean debug_core_resume(struct debug_core *self, GError **error);
/* The core stays halted, with everything in it as the program left it: for when another debugger
 * goes on. */
gboolean debug_core_leave(struct debug_core *self, GError **error);
/* One instruction, then halted again. */
gboolean debug_core_step(struct debug_core *self, GError **error);
/* Whether a running core has halted; takes note of why. */
gboolean debug_core_poll(struct debug_core *self, GError **error);

/* Names: x0 .. x30, sp, pc, cpsr, and debug-registers.h. The core is halted. */
gboolean debug_core_get(struct debug_core *self, const char *name, guint64 *value, GError **error);
gboolean debug_core_set(struct debug_core *self, const char *name, guint64 value, GError **error);

/* In slot `index` of n_breakpoints or n_watchpoints. One with a condition takes a context
 * comparator too, the last breakpoints; equal conditions share one, and the last that goes sets
 * it free. */
gboolean debug_core_break_set(struct debug_core *self, guint index, const struct debug_break *what,
                              GError **error);
gboolean debug_core_break_clear(struct debug_core *self, guint index, GError **error);
gboolean debug_core_watch_set(struct debug_core *self, guint index, const struct debug_watch *what,
                              GError **error);
gboolean debug_core_watch_clear(struct debug_core *self, guint index, GError **error);
