#include "capture/coresight/debug.h"

#include "capture/coresight/debug-registers.h"

#include <stdlib.h>
#include <string.h>

enum {
	EDECR = 0x024,
	EDWAR = 0x030,
	DTRRX = 0x080,
	EDITR = 0x084,
	EDSCR = 0x088,
	DTRTX = 0x08C,
	EDRCR = 0x090,
	OSLAR = 0x300,
	EDPRSR = 0x314,
	EDDFR = 0xD28,
	BVR = 0x400,
	BCR = 0x408,
	WVR = 0x800,
	WCR = 0x808,

	EDECR_STEP = 1u << 2,
	SCR_STATUS = 0x3F,
	SCR_ERR = 1u << 6,
	SCR_HDE = 1u << 14,
	SCR_ITE = 1u << 24,
	SCR_TX_FULL = 1u << 29,
	RCR_CLEAR_ERRORS = 1u << 2,
	PRSR_POWERED = 1u << 0,
	PRSR_HALTED = 1u << 4,

	STATUS_RUNNING = 0x02,
	STATUS_RESTARTING = 0x01,

	CTI_CONTROL = 0x000,
	CTI_INTACK = 0x010,
	CTI_APPPULSE = 0x01C,
	CTI_OUTEN0 = 0x0A0, /* trigger output 0: debug request */
	CTI_OUTEN1 = 0x0A4, /* trigger output 1: restart */
	CTI_TRIGOUTSTATUS = 0x134,
	CTI_GATE = 0x140,
	/* Channels 0 and 1 are OpenOCD's, 2 is the trace's. Kept inside this CTI by its gate. */
	HALT_CHANNEL = 1u << 3,

	A64_MSR_DTR_X0 = 0xD5130400,
	A64_MRS_X0_DTR = 0xD5330400,
	A64_MOV_X0_SP = 0x910003E0,
	A64_MOV_SP_X0 = 0x9100001F,
	A64_MRS_X0_DLR = 0xD53B4520,
	A64_MSR_DLR_X0 = 0xD51B4520,
	A64_MRS_X0_DSPSR = 0xD53B4500,
	A64_MSR_DSPSR_X0 = 0xD51B4500,
	A64_DCPS = 0xD4A00000,
	/* DCPSn of T32, first half word in the low half. */
	T32_DCPS = 0x8000F78F,

	/* Enabled, non-secure EL0, EL1 and EL2 (HMC, SSC, PMC), all four bytes. */
	BCR_ON = 1u << 14 | 1u << 13 | 0xFu << 5 | 3u << 1 | 1u,
	/* Of an address breakpoint and of a watchpoint alike. */
	LINKED = 1u << 20,
	LINK_SHIFT = 16,
	LINK_MASK = 0xF,
	BCR_TYPE = 0xFu << 20,
	BCR_IS_CONTEXT_ID = 3u << 20,
	BCR_IS_VMID = 9u << 20,
	BCR_IS_BOTH = 0xBu << 20,
	VMID_MAX = 0xFF,
	WCR_ON = 1u << 14 | 1u << 13 | 3u << 1 | 1u,

	WAIT_MS = 1000,
};

static gboolean peek(struct debug_core *self, guint component, guint16 reg, const char *name,
                     guint32 *value, GError **error)
{
	return access_read(self->access, component, reg, name, value, error);
}

static gboolean poke(struct debug_core *self, guint component, guint16 reg, const char *name,
                     guint32 value, GError **error)
{
	return access_poke(self->access, component, reg, name, value, error);
}

/* Waits for (register & mask) == value; *last is what was read last. */
static gboolean await(struct debug_core *self, guint component, guint16 reg, const char *name,
                      guint32 mask, guint32 value, guint32 *last, GError **error)
{
	gint64 end_us = g_get_monotonic_time() + (gint64)WAIT_MS * 1000;

	for (;;) {
		gboolean late = g_get_monotonic_time() >= end_us;

		if (!peek(self, component, reg, name, last, error))
			return FALSE;
		if ((*last & mask) == value)
			return TRUE;
		if (late)
			break;
	}
	g_set_error(
		error, CORESIGHT_ERROR, CORESIGHT_ERROR_TIMEOUT,
		"core %u: %s.%s (0x%03X) did not become 0x%X (mask 0x%X) within %d ms, last read "
		"0x%08X",
		self->core, board_component(self->access->board, component)->name, name, reg, value,
		mask, WAIT_MS, *last);
	return FALSE;
}

static gboolean execute(struct debug_core *self, guint32 instruction, GError **error)
{
	guint32 scr;

	if (!poke(self, self->debug, EDITR, "EDITR", instruction, error) ||
	    !await(self, self->debug, EDSCR, "EDSCR", SCR_ITE, SCR_ITE, &scr, error))
		return FALSE;
	if ((scr & SCR_ERR) == 0)
		return TRUE;
	poke(self, self->debug, EDRCR, "EDRCR", RCR_CLEAR_ERRORS, NULL);
	g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PROHIBITED,
	            "core %u: the inserted instruction 0x%08X is not allowed at EL%u (EDSCR reads "
	            "0x%08X)",
	            self->core, instruction, self->current_el, scr);
	return FALSE;
}

/* X0 out: the low half in DTRTX, the high one in DTRRX (DDI 0487, H4.4). */
static gboolean x0_out(struct debug_core *self, guint64 *value, GError **error)
{
	guint32 scr, low, high;

	if (!execute(self, A64_MSR_DTR_X0, error) ||
	    !await(self, self->debug, EDSCR, "EDSCR", SCR_TX_FULL, SCR_TX_FULL, &scr, error) ||
	    !peek(self, self->debug, DTRRX, "DBGDTRRX", &high, error) ||
	    !peek(self, self->debug, DTRTX, "DBGDTRTX", &low, error))
		return FALSE;
	*value = low | (guint64)high << 32;
	return TRUE;
}

static gboolean x0_in(struct debug_core *self, guint64 value, GError **error)
{
	return poke(self, self->debug, DTRTX, "DBGDTRTX", (guint32)(value >> 32), error) &&
	       poke(self, self->debug, DTRRX, "DBGDTRRX", (guint32)value, error) &&
	       execute(self, A64_MRS_X0_DTR, error);
}

static gboolean through_x0(struct debug_core *self, guint32 instruction, guint64 *value,
                           GError **error)
{
	return execute(self, instruction, error) && x0_out(self, value, error);
}

static gboolean go_to_level(struct debug_core *self, guint el, GError **error)
{
	guint32 scr;

	if (self->current_el >= el)
		return TRUE;
	if (!execute(self, A64_DCPS | el, error)) {
		g_prefix_error(error, "going from EL%u to EL%u: ", self->current_el, el);
		return FALSE;
	}
	if (!peek(self, self->debug, EDSCR, "EDSCR", &scr, error))
		return FALSE;
	self->current_el = scr >> 8 & 3;
	return TRUE;
}

/* A core in AArch32 understands T32: out of there, to EL2, which is AArch64 where a
 * hypervisor of today runs. */
static gboolean leave_aarch32(struct debug_core *self, guint32 scr, GError **error)
{
	if ((scr >> (10 + self->current_el) & 1) != 0)
		return TRUE;
	if (!execute(self, T32_DCPS | 2u << 16, error) ||
	    !peek(self, self->debug, EDSCR, "EDSCR", &scr, error))
		return FALSE;
	self->current_el = scr >> 8 & 3;
	return TRUE;
}

static enum debug_stop stop_of(guint32 scr)
{
	switch (scr & SCR_STATUS) {
	case STATUS_RUNNING:
	case STATUS_RESTARTING:
		return DEBUG_RUNNING;
	case 0x13:
		return DEBUG_STOP_REQUEST;
	case 0x07:
	case 0x2F:
		return DEBUG_STOP_BREAKPOINT;
	case 0x1B:
	case 0x1F:
	case 0x3B:
		return DEBUG_STOP_STEP;
	case 0x2B:
		return DEBUG_STOP_WATCHPOINT;
	default:
		return DEBUG_STOP_OTHER;
	}
}

/* The address of the access that hit a watchpoint (DDI 0487, EDWAR). */
static gboolean watch_address(struct debug_core *self, GError **error)
{
	guint32 low, high;

	if (!peek(self, self->debug, EDWAR, "EDWAR", &low, error) ||
	    !peek(self, self->debug, EDWAR + 4, "EDWAR", &high, error))
		return FALSE;
	self->watch_va = low | (guint64)high << 32;
	return TRUE;
}

/* Takes note of what the inserted instructions will change. */
static gboolean enter_debug(struct debug_core *self, GError **error)
{
	guint32 scr;

	if (!peek(self, self->debug, EDSCR, "EDSCR", &scr, error))
		return FALSE;
	self->stop = stop_of(scr);
	if (self->stop == DEBUG_STOP_WATCHPOINT && !watch_address(self, error))
		return FALSE;
	self->entry_el = self->current_el = scr >> 8 & 3;
	if (!leave_aarch32(self, scr, error) || !x0_out(self, &self->x0, error) ||
	    !through_x0(self, A64_MRS_X0_DLR, &self->pc, error) ||
	    !through_x0(self, A64_MRS_X0_DSPSR, &self->pstate, error) ||
	    !through_x0(self, A64_MOV_X0_SP, &self->sp, error))
		return FALSE;
	self->halted = TRUE;
	return TRUE;
}

gboolean debug_core_powered(struct access *access, guint core, gboolean *on, GError **error)
{
	gint debug = board_find_of_core(access->board, BOARD_DEBUG, (gint)core);
	guint32 status;

	if (debug < 0 || board_find_of_core(access->board, BOARD_CTI, (gint)core) < 0) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "board %s states no debug registers or no CTI of core %u",
		            access->board->name, core);
		return FALSE;
	}
	if (!access_read(access, (guint)debug, EDPRSR, "EDPRSR", &status, error))
		return FALSE;
	*on = (status & PRSR_POWERED) != 0;
	return TRUE;
}

gboolean debug_core_init(struct debug_core *self, struct access *access, guint core, GError **error)
{
	gboolean powered;
	guint32 status, features;

	if (!debug_core_powered(access, core, &powered, error))
		return FALSE;
	*self = (struct debug_core) { .access = access, .core = core };
	self->debug = (guint)board_find_of_core(access->board, BOARD_DEBUG, (gint)core);
	self->cti = (guint)board_find_of_core(access->board, BOARD_CTI, (gint)core);
	if (!powered) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PROHIBITED,
		            "core %u is not powered: EDPRSR (0x314) bit 0 is 0", core);
		return FALSE;
	}
	struct sequence sequence;

	sequence_init(&sequence);
	sequence_unlock(&sequence, self->debug);
	sequence_unlock(&sequence, self->cti);
	gboolean ok = access_run(access, &sequence, error);

	sequence_deinit(&sequence);
	if (!ok || !poke(self, self->debug, OSLAR, "OSLAR_EL1", 0, error) ||
	    !peek(self, self->debug, EDDFR, "EDDFR", &features, error) ||
	    !peek(self, self->debug, EDPRSR, "EDPRSR", &status, error))
		return FALSE;
	self->n_breakpoints = (features >> 12 & 0xF) + 1;
	self->n_watchpoints = (features >> 20 & 0xF) + 1;
	self->n_context_breakpoints = (features >> 28 & 0xF) + 1;
	return (status & PRSR_HALTED) == 0 || enter_debug(self, error);
}

/* Pulses the channel into one trigger output, and leaves the CTI as it was. */
static gboolean pulse(struct debug_core *self, guint16 output, GError **error)
{
	guint32 control, gate, enabled;

	if (!peek(self, self->cti, CTI_CONTROL, "CTICONTROL", &control, error) ||
	    !peek(self, self->cti, CTI_GATE, "CTIGATE", &gate, error) ||
	    !peek(self, self->cti, output, "CTIOUTEN", &enabled, error) ||
	    !poke(self, self->cti, CTI_GATE, "CTIGATE", gate & ~(guint32)HALT_CHANNEL, error) ||
	    !poke(self, self->cti, output, "CTIOUTEN", enabled | HALT_CHANNEL, error) ||
	    !poke(self, self->cti, CTI_CONTROL, "CTICONTROL", 1, error) ||
	    !poke(self, self->cti, CTI_APPPULSE, "CTIAPPPULSE", HALT_CHANNEL, error))
		return FALSE;
	return poke(self, self->cti, output, "CTIOUTEN", enabled, error) &&
	       poke(self, self->cti, CTI_GATE, "CTIGATE", gate, error) &&
	       poke(self, self->cti, CTI_CONTROL, "CTICONTROL", control, error);
}

gboolean debug_core_halt(struct debug_core *self, GError **error)
{
	guint32 status;

	if (self->halted)
		return TRUE;
	if (!pulse(self, CTI_OUTEN0, error))
		return FALSE;
	if (!await(self, self->debug, EDPRSR, "EDPRSR", PRSR_HALTED, PRSR_HALTED, &status, error)) {
		g_prefix_error(error, "halting: is invasive debug allowed (DBGEN)? ");
		return FALSE;
	}
	return enter_debug(self, error);
}

static gboolean acknowledge(struct debug_core *self, GError **error)
{
	guint32 status;

	/* A debug request that is still up would halt the core at once again. */
	return poke(self, self->cti, CTI_INTACK, "CTIINTACK", 1, error) &&
	       await(self, self->cti, CTI_TRIGOUTSTATUS, "CTITRIGOUTSTATUS", 1, 0, &status, error);
}

static gboolean set_bits(struct debug_core *self, guint16 reg, const char *name, guint32 mask,
                         guint32 value, GError **error)
{
	guint32 old;

	if (!peek(self, self->debug, reg, name, &old, error))
		return FALSE;
	return (old & mask) == value ||
	       poke(self, self->debug, reg, name, (old & ~mask) | value, error);
}

gboolean debug_core_leave(struct debug_core *self, GError **error)
{
	return !self->halted ||
	       (x0_in(self, self->pc, error) && execute(self, A64_MSR_DLR_X0, error) &&
	        x0_in(self, self->pstate, error) && execute(self, A64_MSR_DSPSR_X0, error) &&
	        x0_in(self, self->x0, error));
}

gboolean debug_core_resume(struct debug_core *self, GError **error)
{
	if (!self->halted)
		return TRUE;
	if (!debug_core_leave(self, error) || !acknowledge(self, error) ||
	    /* Breakpoints enter debug state only with HDE. */
	    !set_bits(self, EDSCR, "EDSCR", SCR_HDE, SCR_HDE, error) ||
	    !set_bits(self, EDECR, "EDECR", EDECR_STEP, self->step_armed ? EDECR_STEP : 0, error) ||
	    !pulse(self, CTI_OUTEN1, error))
		return FALSE;
	self->halted = FALSE;
	self->stop = DEBUG_RUNNING;
	return TRUE;
}

gboolean debug_core_poll(struct debug_core *self, GError **error)
{
	guint32 status;

	if (self->halted)
		return TRUE;
	if (!peek(self, self->debug, EDPRSR, "EDPRSR", &status, error))
		return FALSE;
	return (status & PRSR_HALTED) == 0 || enter_debug(self, error);
}

gboolean debug_core_step(struct debug_core *self, GError **error)
{
	guint32 status;
	gboolean ok;

	self->step_armed = TRUE;
	ok = debug_core_resume(self, error);
	self->step_armed = FALSE;
	return ok &&
	       await(self, self->debug, EDPRSR, "EDPRSR", PRSR_HALTED, PRSR_HALTED, &status,
	             error) &&
	       enter_debug(self, error) && set_bits(self, EDECR, "EDECR", EDECR_STEP, 0, error);
}

/* 0 .. 30, or -1. */
static gint general(const char *name)
{
	char *end;
	guint64 number;

	if ((name[0] != 'x' && name[0] != 'X') || !g_ascii_isdigit(name[1]))
		return -1;
	number = g_ascii_strtoull(name + 1, &end, 10);
	return *end == '\0' && number <= 30 ? (gint)number : -1;
}

/* The four that are kept here while the core is halted, or NULL. */
static guint64 *kept(struct debug_core *self, const char *name)
{
	if (g_ascii_strcasecmp(name, "x0") == 0)
		return &self->x0;
	if (g_ascii_strcasecmp(name, "sp") == 0)
		return &self->sp;
	if (g_ascii_strcasecmp(name, "pc") == 0)
		return &self->pc;
	return g_ascii_strcasecmp(name, "cpsr") == 0 ? &self->pstate : NULL;
}

static gboolean is_lost(const struct debug_core *self, const struct debug_register *reg)
{
	guint level = debug_register_level(reg);

	return level > self->entry_el &&
	       (g_str_has_prefix(reg->name, "ELR_") || g_str_has_prefix(reg->name, "SPSR_") ||
	        g_str_has_prefix(reg->name, "ESR_"));
}

static const struct debug_register *reach(struct debug_core *self, const char *name, GError **error)
{
	const struct debug_register *reg = debug_register_find(name);

	if (reg == NULL) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "core %u: no register '%s' is known to external debug", self->core,
		            name);
		return NULL;
	}
	if (is_lost(self, reg)) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PROHIBITED,
		            "core %u was halted at EL%u: %s is UNKNOWN, going to EL%u with DCPS "
		            "overwrites it",
		            self->core, self->entry_el, reg->name, debug_register_level(reg));
		return NULL;
	}
	return go_to_level(self, debug_register_level(reg), error) ? reg : NULL;
}

static gboolean need_halt(const struct debug_core *self, GError **error)
{
	if (self->halted)
		return TRUE;
	g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
	            "core %u is running; halt it first", self->core);
	return FALSE;
}

gboolean debug_core_get(struct debug_core *self, const char *name, guint64 *value, GError **error)
{
	const guint64 *here = kept(self, name);
	gint index = general(name);
	const struct debug_register *reg;

	if (!need_halt(self, error))
		return FALSE;
	if (here != NULL) {
		*value = *here;
		return TRUE;
	}
	/* MOV X0, Xn is ORR X0, XZR, Xn. */
	if (index > 0)
		return through_x0(self, 0xAA0003E0u | (guint32)index << 16, value, error);
	reg = reach(self, name, error);
	return reg != NULL && through_x0(self, debug_register_mrs(reg, 0), value, error);
}

gboolean debug_core_set(struct debug_core *self, const char *name, guint64 value, GError **error)
{
	guint64 *here = kept(self, name);
	gint index = general(name);
	const struct debug_register *reg;

	if (!need_halt(self, error))
		return FALSE;
	if (here == &self->sp) {
		/* DCPS selects another stack pointer: only before it can this one be written. */
		if (self->current_el != self->entry_el) {
			g_set_error(
				error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
				"core %u: sp of EL%u can be set only before registers of a higher "
				"level are read; write SP_EL%u",
				self->core, self->entry_el, self->entry_el);
			return FALSE;
		}
		if (!x0_in(self, value, error) || !execute(self, A64_MOV_SP_X0, error))
			return FALSE;
	}
	if (here != NULL) {
		*here = value;
		return TRUE;
	}
	if (index > 0)
		return x0_in(self, value, error) &&
		       execute(self, 0xAA0003E0u | (guint32)index, error);
	reg = reach(self, name, error);
	return reg != NULL && x0_in(self, value, error) &&
	       execute(self, debug_register_msr(reg, 0), error);
}

static gboolean write_pair(struct debug_core *self, guint16 value_reg, guint64 value,
                           guint16 control_reg, guint32 control, GError **error)
{
	/* Off while the address changes. */
	return poke(self, self->debug, control_reg, "control", 0, error) &&
	       poke(self, self->debug, value_reg, "value", (guint32)value, error) &&
	       poke(self, self->debug, (guint16)(value_reg + 4), "value", (guint32)(value >> 32),
	            error) &&
	       (control == 0 || poke(self, self->debug, control_reg, "control", control, error));
}

/* A context breakpoint with that value: one that is there, or a free one. -1: none. */
static gint context_slot(struct debug_core *self, guint64 value, guint32 control, GError **error)
{
	gint free_slot = -1;

	for (guint i = self->n_breakpoints - self->n_context_breakpoints; i < self->n_breakpoints;
	     i++) {
		guint32 now, low, high;

		if (!peek(self, self->debug, (guint16)(BCR + 16 * i), "DBGBCR", &now, error) ||
		    !peek(self, self->debug, (guint16)(BVR + 16 * i), "DBGBVR", &low, error) ||
		    !peek(self, self->debug, (guint16)(BVR + 4 + 16 * i), "DBGBVR", &high, error))
			return -1;
		if (now == control && (low | (guint64)high << 32) == value)
			return (gint)i;
		if ((now & 1) == 0 && free_slot < 0)
			free_slot = (gint)i;
	}
	if (free_slot < 0)
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "core %u: all %u context breakpoints are taken", self->core,
		            self->n_context_breakpoints);
	return free_slot;
}

/* Links a comparator's control word to a context comparator that holds the condition. */
static gboolean link_to(struct debug_core *self, const struct debug_condition *only,
                        guint32 *control, GError **error)
{
	guint32 type = only->by_vmid && only->by_context_id ? BCR_IS_BOTH
	               : only->by_vmid                      ? BCR_IS_VMID
	                                                    : BCR_IS_CONTEXT_ID;
	guint64 value = (only->by_context_id ? only->context_id : 0) |
	                (only->by_vmid ? (guint64)only->vmid << 32 : 0);
	gint slot;

	if (!only->by_vmid && !only->by_context_id)
		return TRUE;
	if (only->by_vmid && only->vmid > VMID_MAX) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "core %u: VMID %u: its breakpoint unit compares 8 bits", self->core,
		            only->vmid);
		return FALSE;
	}
	slot = context_slot(self, value, BCR_ON | type, error);
	if (slot < 0 || !write_pair(self, (guint16)(BVR + 16 * slot), value,
	                            (guint16)(BCR + 16 * slot), BCR_ON | type, error))
		return FALSE;
	*control |= LINKED | (guint32)slot << LINK_SHIFT;
	return TRUE;
}

/* Sets in *used the bits of the context comparators that some control word links to. */
static gboolean links_in_use(struct debug_core *self, guint16 first_control, guint n, guint32 *used,
                             GError **error)
{
	for (guint i = 0; i < n; i++) {
		guint32 control;

		if (!peek(self, self->debug, (guint16)(first_control + 16 * i), "control", &control,
		          error))
			return FALSE;
		if ((control & 1) != 0 && (control & LINKED) != 0)
			*used |= 1u << (control >> LINK_SHIFT & LINK_MASK);
	}
	return TRUE;
}

/* Context comparators that nothing links to any more are switched off. */
static gboolean release_contexts(struct debug_core *self, GError **error)
{
	guint first = self->n_breakpoints - self->n_context_breakpoints;
	guint32 used = 0;

	if (!links_in_use(self, BCR, first, &used, error) ||
	    !links_in_use(self, WCR, self->n_watchpoints, &used, error))
		return FALSE;
	for (guint i = first; i < self->n_breakpoints; i++) {
		guint32 control;

		if (!peek(self, self->debug, (guint16)(BCR + 16 * i), "DBGBCR", &control, error))
			return FALSE;
		if ((control & 1) != 0 && (control & BCR_TYPE) > LINKED && (used & 1u << i) == 0 &&
		    !write_pair(self, (guint16)(BVR + 16 * i), 0, (guint16)(BCR + 16 * i), 0,
		                error))
			return FALSE;
	}
	return TRUE;
}

gboolean debug_core_break_set(struct debug_core *self, guint index, const struct debug_break *what,
                              GError **error)
{
	guint32 control = BCR_ON;

	if (index >= self->n_breakpoints || (what->addr_va & 3) != 0) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "core %u: breakpoint %u at 0x%" G_GINT64_MODIFIER
		            "x: it has %u, on multiples of 4",
		            self->core, index, what->addr_va, self->n_breakpoints);
		return FALSE;
	}
	return link_to(self, &what->only, &control, error) &&
	       write_pair(self, (guint16)(BVR + 16 * index), what->addr_va,
	                  (guint16)(BCR + 16 * index), control, error);
}

gboolean debug_core_break_clear(struct debug_core *self, guint index, GError **error)
{
	return write_pair(self, (guint16)(BVR + 16 * index), 0, (guint16)(BCR + 16 * index), 0,
	                  error) &&
	       release_contexts(self, error);
}

gboolean debug_core_watch_set(struct debug_core *self, guint index, const struct debug_watch *what,
                              GError **error)
{
	guint first = (guint)(what->addr_va & 7);
	guint32 bytes, control;

	if (index >= self->n_watchpoints || what->len_bytes == 0 || what->len_bytes > 8 - first) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "core %u: watchpoint %u on 0x%" G_GINT64_MODIFIER
		            "x, %u bytes: it has %u, each inside 8 aligned bytes",
		            self->core, index, what->addr_va, what->len_bytes, self->n_watchpoints);
		return FALSE;
	}
	bytes = ((1u << what->len_bytes) - 1) << first;
	control = WCR_ON | bytes << 5 | what->on << 3;
	return link_to(self, &what->only, &control, error) &&
	       write_pair(self, (guint16)(WVR + 16 * index), what->addr_va & ~7ull,
	                  (guint16)(WCR + 16 * index), control, error);
}

gboolean debug_core_watch_clear(struct debug_core *self, guint index, GError **error)
{
	return write_pair(self, (guint16)(WVR + 16 * index), 0, (guint16)(WCR + 16 * index), 0,
	                  error) &&
	       release_contexts(self, error);
}
