#include "tests/sim/core.h"

#include "capture/coresight/debug-registers.h"

#include <string.h>

enum {
	STATUS_RUNNING = 0x02,
	STATUS_BREAKPOINT = 0x07,
	STATUS_REQUEST = 0x13,
	STATUS_STEP = 0x1B,
	STATUS_WATCHPOINT = 0x2B,
	N_BREAKPOINTS = 6,
	N_WATCHPOINTS = 4,
	STEPS_PER_TICK = 256,
};

static guint key_of(guint op0, guint op1, guint crn, guint crm, guint op2)
{
	return (op0 & 1) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2;
}

static guint64 *sysreg(const struct sim_core *core, guint key)
{
	guint64 *value = g_hash_table_lookup(core->sysregs, GUINT_TO_POINTER(key));

	if (value == NULL) {
		value = g_new0(guint64, 1);
		g_hash_table_insert(core->sysregs, GUINT_TO_POINTER(key), value);
	}
	return value;
}

gboolean sim_core_set(struct sim_core *core, const char *name, guint64 value)
{
	const struct debug_register *reg = debug_register_find(name);

	if (reg == NULL)
		return FALSE;
	*sysreg(core, key_of(reg->op0, reg->op1, reg->crn, reg->crm, reg->op2)) = value;
	return TRUE;
}

guint64 sim_core_get(const struct sim_core *core, const char *name)
{
	const struct debug_register *reg = debug_register_find(name);

	return *sysreg(core, key_of(reg->op0, reg->op1, reg->crn, reg->crm, reg->op2));
}

void sim_core_free(gpointer core)
{
	struct sim_core *self = core;

	if (self == NULL)
		return;
	g_hash_table_unref(self->sysregs);
	g_free(self);
}

struct sim_core *sim_core_of(struct sim_soc *soc, guint index)
{
	g_autofree char *name = g_strdup_printf("dbg%u", index);

	return sim_soc_find(soc, name)->core;
}

static void halt(struct sim_core *core, guint32 status)
{
	core->halted = TRUE;
	core->status = status;
	core->dlr = core->pc;
	core->dspsr = core->pstate;
	core->error = FALSE;
}

/* DLR and DSPSR say where it goes on. */
static void restart(struct sim_core *core)
{
	core->halted = FALSE;
	core->restarted = TRUE;
	core->status = STATUS_RUNNING;
	core->pc = core->dlr;
	core->pstate = core->dspsr;
	core->el = (guint)(core->pstate >> 2 & 3);
}

/* What DCPS leaves behind at the level that it enters. */
static void spoil(struct sim_core *core, guint el)
{
	static const char *const names[][4] = {
		{ NULL, "ELR_EL1", "SPSR_EL1", "ESR_EL1" },
		{ NULL, "ELR_EL2", "SPSR_EL2", "ESR_EL2" },
		{ NULL, "ELR_EL3", "SPSR_EL3", "ESR_EL3" },
	};

	for (guint i = 1; i < 4; i++)
		sim_core_set(core, names[el - 1][i], 0xDEADDEADDEADDEAD);
	core->dlr = core->dspsr = 0xDEADDEADDEADDEAD;
}

static gboolean move_sysreg(struct sim_core *core, guint32 instruction, gboolean read, guint t)
{
	guint op1 = instruction >> 16 & 7;
	guint level = op1 == 3 ? 0 : op1 == 4 ? 2 : op1 == 6 ? 3 : 1;
	guint64 *value = sysreg(core, key_of(instruction >> 19 & 1, op1, instruction >> 12 & 0xF,
	                                     instruction >> 8 & 0xF, instruction >> 5 & 7));

	if (core->el < level)
		return FALSE;
	if (read)
		core->x[t] = *value;
	else
		*value = core->x[t];
	return TRUE;
}

/* The moves between X registers and what has no system register number here. */
static gboolean move_special(struct sim_core *core, guint32 instruction)
{
	guint t = instruction & 0x1F;

	switch (instruction & ~0x1Fu) {
	case 0xD5130400: /* msr dbgdtr_el0, xt */
		core->dtr_tx = (guint32)core->x[t];
		core->dtr_rx = (guint32)(core->x[t] >> 32);
		core->tx_full = TRUE;
		return TRUE;
	case 0xD5330400: /* mrs xt, dbgdtr_el0 */
		core->x[t] = core->dtr_rx | (guint64)core->dtr_tx << 32;
		core->rx_full = FALSE;
		return TRUE;
	case 0xD5130500: /* msr dbgdtrtx_el0, xt */
		core->dtr_tx = (guint32)core->x[t];
		core->tx_full = TRUE;
		return TRUE;
	case 0xD5330500: /* mrs xt, dbgdtrrx_el0 */
		core->x[t] = core->dtr_rx;
		core->rx_full = FALSE;
		return TRUE;
	case 0xD53B4520:
		core->x[t] = core->dlr;
		return TRUE;
	case 0xD51B4520:
		core->dlr = core->x[t];
		return TRUE;
	case 0xD53B4500:
		core->x[t] = core->dspsr;
		return TRUE;
	case 0xD51B4500:
		core->dspsr = core->x[t];
		return TRUE;
	default:
		return FALSE;
	}
}

static gboolean insert(struct sim_core *core, guint32 instruction)
{
	guint t = instruction & 0x1F;

	if ((instruction & ~3u) == 0xD4A00000 && (instruction & 3) > core->el) {
		core->el = instruction & 3;
		spoil(core, core->el);
		return TRUE;
	}
	/* dsb, isb; then umov xt, vn.d[i]: vector registers are all 0. */
	if ((instruction & 0xFFFFF09F) == 0xD503309F)
		return TRUE;
	if (t > 30 && instruction != 0x9100001F)
		return FALSE;
	if ((instruction & 0xFFEFFC00) == 0x4E083C00) {
		core->x[t] = 0;
		return TRUE;
	}
	if (move_special(core, instruction))
		return TRUE;
	if ((instruction & ~0x1Fu) == 0x910003E0) {
		core->x[t] = core->sp_el[core->el];
		return TRUE;
	}
	if (instruction == 0x9100001F) {
		core->sp_el[core->el] = core->x[0];
		return TRUE;
	}
	if ((instruction & 0xFFE0FFE0) == 0xAA0003E0 && (instruction >> 16 & 0x1F) < 31) {
		core->x[t] = core->x[instruction >> 16 & 0x1F];
		return TRUE;
	}
	if ((instruction & 0xFFD00000) == 0xD5100000)
		return move_sysreg(core, instruction, (instruction & 1u << 21) != 0, t);
	return FALSE;
}

static guint32 read_scr(struct sim_component *debug)
{
	const struct sim_core *core = debug->core;
	guint32 value = (debug->regs[0x088 / 4] & (1u << 14)) | core->status | 0xFu << 10 |
	                core->el << 8 | 1u << 24;

	if (core->error)
		value |= 1u << 6;
	if (core->tx_full)
		value |= 1u << 29;
	if (core->rx_full)
		value |= 1u << 30;
	return value;
}

static gboolean debug_write(struct sim_component *debug, guint32 reg, guint32 value)
{
	struct sim_core *core = debug->core;

	switch (reg) {
	case 0x080:
		core->dtr_rx = value;
		core->rx_full = TRUE;
		return TRUE;
	case 0x08C:
		core->dtr_tx = value;
		return TRUE;
	case 0x084:
		if (!core->halted) {
			sim_soc_violation(debug->soc, "%s: EDITR written while it runs",
			                  debug->name);
			return TRUE;
		}
		core->n_inserted++;
		if (!core->error && !insert(core, value))
			core->error = TRUE;
		return TRUE;
	case 0x090:
		if ((value & 4) != 0)
			core->error = FALSE;
		return TRUE;
	case 0x314:
		return TRUE;
	default:
		return FALSE;
	}
}

static gboolean debug_access(struct sim_component *debug, gboolean write, guint32 reg,
                             guint32 *value)
{
	struct sim_core *core = debug->core;

	if (write)
		return debug_write(debug, reg, *value);
	switch (reg) {
	case 0x080:
		*value = core->dtr_rx;
		return TRUE;
	case 0x08C:
		*value = core->dtr_tx;
		core->tx_full = FALSE;
		return TRUE;
	case 0x030:
	case 0x034:
		*value = (guint32)(core->hit_va >> (reg == 0x034 ? 32 : 0));
		return TRUE;
	case 0x088:
		*value = read_scr(debug);
		return TRUE;
	case 0x314:
		/* EDPRSR: HALTED, and SDR, which a read clears (Arm DDI 0487, H9.2.32). */
		*value = debug->regs[reg / 4] | (core->halted ? 1u << 4 : 0) |
		         (core->restarted ? 1u << 11 : 0);
		core->restarted = FALSE;
		return TRUE;
	default:
		return FALSE;
	}
}

static gboolean context_matches(const struct sim_component *debug, guint index)
{
	const struct sim_core *core = debug->core;
	guint32 control = debug->regs[(0x408 + 16 * index) / 4];
	gboolean task = debug->regs[(0x400 + 16 * index) / 4] ==
	                (guint32)sim_core_get(core, "CONTEXTIDR_EL1");
	gboolean machine = debug->regs[(0x404 + 16 * index) / 4] ==
	                   (sim_core_get(core, "VTTBR_EL2") >> 48 & 0xFF);

	if ((control & 1) == 0)
		return FALSE;
	switch (control >> 20 & 0xF) {
	case 3:
		return task;
	case 9:
		return machine;
	case 0xB:
		return task && machine;
	default:
		return FALSE;
	}
}

static gboolean breakpoint_matches(const struct sim_component *debug)
{
	const struct sim_core *core = debug->core;

	if ((debug->regs[0x088 / 4] & 1u << 14) == 0)
		return FALSE;
	for (guint i = 0; i < N_BREAKPOINTS; i++) {
		guint32 control = debug->regs[(0x408 + 16 * i) / 4];
		guint64 addr = debug->regs[(0x400 + 16 * i) / 4] |
		               (guint64)debug->regs[(0x404 + 16 * i) / 4] << 32;
		guint type = control >> 20 & 0xF;

		if ((control & 1) == 0 || type > 1 || addr != core->pc)
			continue;
		if (type == 0 || context_matches(debug, control >> 16 & 0xF))
			return TRUE;
	}
	return FALSE;
}

/* The access of `core` that a watchpoint means, where it does one now. */
static gboolean watchpoint_matches(const struct sim_component *debug)
{
	struct sim_core *core = debug->core;
	guint kind = core->data_is_load ? 1 : 2;

	if ((debug->regs[0x088 / 4] & 1u << 14) == 0 || core->data_va == 0 ||
	    (core->pc & (SIM_CORE_LOOP_BYTES - 1)) != 0)
		return FALSE;
	for (guint i = 0; i < N_WATCHPOINTS; i++) {
		guint32 control = debug->regs[(0x808 + 16 * i) / 4];
		guint64 addr = debug->regs[(0x800 + 16 * i) / 4] |
		               (guint64)debug->regs[(0x804 + 16 * i) / 4] << 32;

		if ((control & 1) == 0 || (control >> 3 & kind) == 0 ||
		    addr != (core->data_va & ~7ull) ||
		    (control >> 5 & 1u << (core->data_va & 7)) == 0)
			continue;
		if ((control & 1u << 20) == 0 || context_matches(debug, control >> 16 & 0xF)) {
			core->hit_va = core->data_va;
			return TRUE;
		}
	}
	return FALSE;
}

void sim_core_tick(struct sim_component *debug)
{
	struct sim_core *core = debug->core;
	gboolean stepping = (debug->regs[0x024 / 4] & 4) != 0;

	for (guint i = 0; core != NULL && !core->halted && i < STEPS_PER_TICK; i++) {
		/* Where it was halted it goes on, not over and over again. */
		core->pc = (core->pc & ~(guint64)(SIM_CORE_LOOP_BYTES - 1)) |
		           ((core->pc + 4) & (SIM_CORE_LOOP_BYTES - 1));
		if (stepping)
			halt(core, STATUS_STEP);
		else if (breakpoint_matches(debug))
			halt(core, STATUS_BREAKPOINT);
		else if (watchpoint_matches(debug))
			halt(core, STATUS_WATCHPOINT);
	}
}

void sim_core_trigger(struct sim_soc *soc, guint index, guint output)
{
	struct sim_core *core = sim_core_of(soc, index);

	if (core == NULL)
		return;
	if (output == 0) {
		core->request = TRUE;
		if (!core->halted)
			halt(core, STATUS_REQUEST);
	} else if (output == 1 && core->halted) {
		if (core->request)
			sim_soc_violation(soc, "core %u restarted with a debug request up", index);
		restart(core);
	}
}

void sim_core_acknowledge(struct sim_soc *soc, guint index)
{
	struct sim_core *core = sim_core_of(soc, index);

	if (core != NULL)
		core->request = FALSE;
}

gboolean sim_core_request_is_up(struct sim_soc *soc, guint index)
{
	struct sim_core *core = sim_core_of(soc, index);

	return core != NULL && core->request;
}

void sim_cores_attach(struct sim_soc *soc)
{
	soc->debug_access = debug_access;
	for (guint i = 0; i < SIM_N_CORES; i++) {
		g_autofree char *name = g_strdup_printf("dbg%u", i);
		struct sim_component *debug = sim_soc_find(soc, name);
		struct sim_core *core = g_new0(struct sim_core, 1);

		core->sysregs = g_hash_table_new_full(NULL, NULL, NULL, g_free);
		core->status = STATUS_RUNNING;
		core->el = 2;
		core->pstate = 2 << 2 | 1;
		debug->core = core;
	}
}
