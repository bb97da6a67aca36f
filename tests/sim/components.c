/* What each component's registers do, and its identity registers. */
#include "tests/sim/core.h"
#include "tests/sim/soc.h"

#include <string.h>

enum {
	LAR = 0xFB0,
	LSR = 0xFB4,
	LOCK_KEY = 0xC5ACCE55u,
};

struct identity {
	enum sim_kind kind;
	guint32 devtype, devid, authstatus, devarch;
};

static const struct identity identities[] = {
	{ SIM_ETM, 0x13, 0, 0, 0x47704A13 },          { SIM_TMC_ETF, 0x32, 0x0280, 0, 0 },
	{ SIM_TMC_ETR, 0x21, 0x0340, 0, 0 },          { SIM_FUNNEL, 0x12, 0x38, 0, 0 },
	{ SIM_REPLICATOR, 0x22, 0x32, 0, 0 },         { SIM_TPIU, 0x11, 0xA0, 0, 0 },
	{ SIM_STM, 0x63, 0x10000, 0xAA, 0x47710A63 }, { SIM_CTI, 0x14, 0x40800, 0, 0x47701A14 },
	{ SIM_DEBUG, 0x15, 0, 0xFF, 0x47706A15 },
};

/* ID registers: TRCIDR8-13 at 0x180, TRCIDR0-7 at 0x1E0 (a Cortex-A53's). */
static void set_etm_ids(struct sim_component *etm)
{
	static const guint32 id0[8] = { 0x28000EA1, 0x4100F402, 0x00000488, 0x0D7B0004,
		                        0x11170004, 0x284708C0, 0,          0 };

	memcpy(&etm->regs[0x1E0 / 4], id0, sizeof id0);
	etm->regs[0x304 / 4] = 0xA; /* OS Lock implemented and locked */
	etm->regs[0x314 / 4] = 1;   /* powered */
}

static void set_debug_ids(struct sim_component *core)
{
	core->regs[0x314 / 4] = 1;          /* EDPRSR: powered up */
	core->regs[0x088 / 4] = 0x03000002; /* EDSCR: running, both DCC directions empty */
	core->regs[0xD00 / 4] = 0x410FD034; /* MIDR_EL1 */
	core->regs[0xD20 / 4] = 0x2222;     /* EDPFR: EL0-EL3 in both states */
	core->regs[0xD28 / 4] = 0x10305106; /* EDDFR: 6 breakpoints, 4 watchpoints */
	core->regs[0xD38 / 4] = 0x1122;
}

void sim_component_reset(struct sim_component *component)
{
	struct sim_component *self = component;

	memset(self->regs, 0, sizeof self->regs);
	self->unlocked = FALSE;
	formatter_flush(&self->formatter);
	sim_fabric_start_sink(self);
	if (self->kind == SIM_ETM)
		set_etm_ids(self);
	if (self->kind == SIM_DEBUG)
		set_debug_ids(self);
	if (self->kind == SIM_FUNNEL)
		self->regs[0] = 0x300;
	if (self->kind == SIM_REPLICATOR)
		self->regs[0] = self->regs[1] = 0xFF;
	if (self->kind == SIM_TMC_ETF) {
		self->size_bytes = self->index == 1 ? 4096 : 8192;
		self->regs[1] = self->size_bytes / 4;
	}
	if (self->kind == SIM_TMC_ETR) {
		self->regs[1] = 0x400;
		self->regs[0x110 / 4] = 0x40;
	}
}

static guint32 identity_register(const struct sim_component *self, guint32 reg)
{
	static const guint8 cidr[4] = { 0x0D, 0x90, 0x05, 0xB1 };
	/* The part number is kept in the place of PIDR0 and PIDR1. */
	guint32 part = self->regs[0xFE0 / 4];

	switch (reg) {
	case 0xFE0:
		return part & 0xFF;
	case 0xFE4:
		return 0xB0 | (part >> 8 & 0xF);
	case 0xFE8:
		return 0x0B;
	case 0xFD0:
		return 0x04;
	case 0xFF4:
		if (self->kind == SIM_ROM && self->regs[0xFF0 / 4] == 0)
			return 0x10;
		G_GNUC_FALLTHROUGH;
	case 0xFF0:
	case 0xFF8:
	case 0xFFC:
		return self->regs[0xFF0 / 4] != 0 ? self->regs[0xFF0 / 4] : cidr[(reg - 0xFF0) / 4];
	default:
		break;
	}
	for (guint i = 0; i < G_N_ELEMENTS(identities); i++) {
		if (identities[i].kind != self->kind)
			continue;
		if (reg == 0xFCC)
			return identities[i].devtype;
		if (reg == 0xFC8)
			return identities[i].devid;
		if (reg == 0xFBC)
			return identities[i].devarch;
		if (reg == 0xFB8 && self->kind == SIM_ETM)
			return self->soc->non_secure_debug ? 0xFF : 0xBB;
		if (reg == 0xFB8)
			return identities[i].authstatus;
	}
	return 0;
}

static gboolean etm_access(struct sim_component *self, gboolean write, guint32 reg, guint32 *value)
{
	gboolean on = (self->regs[1] & 1) != 0;

	if (!write && reg == 0x00C) {
		*value = on ? 0 : 3;
		return TRUE;
	}
	if (write && reg == 0x300) {
		self->regs[0x304 / 4] = 0x8 | ((*value & 1) << 1);
		return TRUE;
	}
	if (!write)
		return FALSE;
	if (reg >= 0x1E0 && reg < 0x200)
		return TRUE;
	if (reg < 0x300 || reg >= 0x400) {
		if ((self->regs[0x304 / 4] & 2) != 0) {
			sim_soc_violation(self->soc, "%s: 0x%03X written with the OS lock set",
			                  self->name, reg);
			return TRUE;
		}
		if (on && reg != 0x004)
			sim_soc_violation(self->soc, "%s: 0x%03X written while it is on",
			                  self->name, reg);
	}
	return FALSE;
}

static guint32 tmc_status(const struct sim_component *self)
{
	gboolean on = (self->regs[0x20 / 4] & 1) != 0;
	gboolean ready = !on || self->stopped;
	guint32 status = 0;

	if (self->full)
		status |= 1;
	if (ready && !self->never_ready)
		status |= 1u << 2;
	if (ready)
		status |= 1u << 3;
	if (!self->full && self->write_pointer == 0)
		status |= 1u << 4;
	if (self->mem_error)
		status |= 1u << 5;
	return status;
}

static guint32 tmc_pop(struct sim_component *self)
{
	guint32 word;

	if ((self->regs[0x20 / 4] & 1) == 0 || !self->stopped || self->kind != SIM_TMC_ETF) {
		sim_soc_violation(self->soc, "%s: RRD read while it is not stopped", self->name);
		return 0xFFFFFFFF;
	}
	if (self->to_read_bytes == 0)
		return 0xFFFFFFFF;
	memcpy(&word, self->ram + self->read_pointer, 4);
	self->read_pointer = (self->read_pointer + 4) % self->size_bytes;
	self->to_read_bytes -= 4;
	return word;
}

static void tmc_stop(struct sim_component *self)
{
	self->stopped = TRUE;
	self->read_pointer = self->full ? self->write_pointer : 0;
	self->to_read_bytes = self->full ? self->size_bytes : self->write_pointer;
}

static void tmc_flush_request(struct sim_component *self, gboolean from_cti)
{
	guint32 ffcr = self->regs[0x304 / 4];
	gboolean running = (self->regs[0x20 / 4] & 1) != 0 && !self->stopped;

	if (!running || (from_cti && (ffcr & 1u << 4) == 0))
		return;
	sim_fabric_flush(self);
	if ((ffcr & 1u << 12) != 0)
		tmc_stop(self);
}

static gboolean tmc_read(struct sim_component *self, guint32 reg, guint32 *value)
{
	gboolean etr = self->kind == SIM_TMC_ETR;
	guint64 base = etr ? self->regs[0x118 / 4] | (guint64)self->regs[0x11C / 4] << 32 : 0;

	switch (reg) {
	case 0x00C:
		*value = tmc_status(self);
		return TRUE;
	case 0x010:
		*value = tmc_pop(self);
		return TRUE;
	case 0x014:
		*value = (guint32)(base + self->read_pointer);
		return TRUE;
	case 0x018:
		*value = (guint32)(base + self->write_pointer);
		return TRUE;
	case 0x038:
		*value = (guint32)((base + self->read_pointer) >> 32);
		return TRUE;
	case 0x03C:
		*value = (guint32)((base + self->write_pointer) >> 32);
		return TRUE;
	case 0x300:
		*value = self->stopped || (self->regs[0x20 / 4] & 1) == 0 ? 2 : 0;
		return TRUE;
	default:
		return FALSE;
	}
}

static gboolean tmc_write(struct sim_component *self, guint32 reg, guint32 value)
{
	gboolean on = (self->regs[0x20 / 4] & 1) != 0;

	switch (reg) {
	case 0x004:
		if (self->kind == SIM_TMC_ETR && !on)
			self->regs[1] = value;
		return TRUE;
	case 0x00C:
		return TRUE;
	case 0x014:
	case 0x018:
	case 0x038:
	case 0x03C:
		return TRUE;
	case 0x020:
		if (!on && (value & 1) != 0)
			sim_fabric_start_sink(self);
		if (on && (value & 1) == 0 && self->held->len > 0)
			sim_soc_violation(self->soc, "%s: switched off with bytes in it",
			                  self->name);
		self->regs[0x20 / 4] = value & 1;
		return TRUE;
	case 0x028:
	case 0x110:
	case 0x118:
	case 0x11C:
		if (on)
			sim_soc_violation(self->soc, "%s: 0x%03X written while CTL=1", self->name,
			                  reg);
		return FALSE;
	case 0x304:
		self->regs[0x304 / 4] = value & ~0x40u;
		if ((value & 0x40) != 0)
			tmc_flush_request(self, FALSE);
		return TRUE;
	default:
		return FALSE;
	}
}

static gboolean tpiu_access(struct sim_component *self, gboolean write, guint32 reg, guint32 *value)
{
	if (!write && reg == 0x300) {
		*value = self->stopped ? 2 : 0;
		return TRUE;
	}
	if (!write && reg == 0x000) {
		*value = 0xFFFF;
		return TRUE;
	}
	if (!write || reg != 0x304)
		return FALSE;
	if ((*value & 0x1000) == 0 && (*value & 2) != 0 && (self->regs[0x304 / 4] & 2) == 0)
		sim_fabric_start_sink(self);
	if ((*value & 2) != 0)
		self->stopped = FALSE;
	self->regs[0x304 / 4] = *value & ~0x40u;
	if ((*value & 0x40) != 0) {
		sim_fabric_flush(self);
		self->stopped = (*value & 0x1000) != 0;
	}
	return TRUE;
}

static gboolean stm_access(struct sim_component *self, gboolean write, guint32 reg, guint32 *value)
{
	/* TCSR.BUSY is hardware's. */
	if (write && reg == 0xE80) {
		self->regs[reg / 4] = *value & ~(1u << 23);
		return TRUE;
	}
	return FALSE;
}

void sim_cti_input(struct sim_component *cti, guint trigger)
{
	struct sim_soc *soc = cti->soc;
	guint32 channels = (cti->regs[0] & 1) != 0 ? cti->regs[0x20 / 4 + trigger] : 0;

	channels &= cti->regs[0x140 / 4];
	for (guint i = 0; i < soc->components->len && channels != 0; i++) {
		struct sim_component *other = g_ptr_array_index(soc->components, i);

		if (other->kind != SIM_CTI || (other->regs[0] & 1) == 0 ||
		    strcmp(other->name, "cti0") != 0)
			continue;
		/* SoC CTI 0: outputs 0, 2, 4, 6 flush ETF1, ETF2, ETR, TPIU. */
		if ((other->regs[0xA0 / 4 + 0] & channels & other->regs[0x140 / 4]) != 0)
			tmc_flush_request(sim_soc_find(soc, "etf1"), TRUE);
		if ((other->regs[0xA0 / 4 + 2] & channels & other->regs[0x140 / 4]) != 0)
			tmc_flush_request(sim_soc_find(soc, "etf2"), TRUE);
		if ((other->regs[0xA0 / 4 + 4] & channels & other->regs[0x140 / 4]) != 0)
			tmc_flush_request(sim_soc_find(soc, "etr"), TRUE);
	}
}

static void drive_outputs(const struct sim_component *cti, guint32 channels)
{
	for (guint output = 0; output < 2; output++) {
		if ((cti->regs[0xA0 / 4 + output] & channels) != 0)
			sim_core_trigger(cti->soc, cti->index, output);
	}
}

/* A core's CTI drives debug request and restart; the SoC's have nobody here. */
static gboolean cti_access(struct sim_component *self, gboolean write, guint32 reg, guint32 *value)
{
	guint32 channels;

	if (strncmp(self->name, "corecti", strlen("corecti")) != 0)
		return FALSE;
	if (!write && reg == 0x134) {
		*value = sim_core_request_is_up(self->soc, self->index) ? 1 : 0;
		return TRUE;
	}
	if (write && reg == 0x010) {
		if ((*value & 1) != 0)
			sim_core_acknowledge(self->soc, self->index);
		return TRUE;
	}
	if (!write || reg != 0x01C || (self->regs[0] & 1) == 0)
		return FALSE;
	channels = *value;
	drive_outputs(self, channels);
	/* What the gate lets out reaches the other cores' CTIs by the channel matrix. */
	channels &= self->regs[0x140 / 4];
	for (guint i = 0; i < self->soc->components->len && channels != 0; i++) {
		const struct sim_component *other = g_ptr_array_index(self->soc->components, i);

		if (other != self && g_str_has_prefix(other->name, "corecti") &&
		    (other->regs[0] & 1) != 0)
			drive_outputs(other, channels & other->regs[0x140 / 4]);
	}
	return TRUE;
}

/* Word `index` of a ROM table: the chip's lists the SoC's components and the cores' table,
 * which lists those of the cores. 0 ends it. */
static guint32 rom_word(const struct sim_component *self, guint index)
{
	static const guint32 cores_table = 0x400000;

	for (guint i = 0; i < self->soc->components->len; i++) {
		const struct sim_component *other = g_ptr_array_index(self->soc->components, i);
		gboolean of_cores = other->offset > cores_table;

		if (other == self || of_cores != (self->offset == cores_table))
			continue;
		if (index-- == 0)
			return (other->offset - self->offset) | 3;
	}
	return 0;
}

static gboolean kind_access(struct sim_component *self, gboolean write, guint32 reg, guint32 *value)
{
	switch (self->kind) {
	case SIM_ETM:
		return etm_access(self, write, reg, value);
	case SIM_TMC_ETF:
	case SIM_TMC_ETR:
		return write ? tmc_write(self, reg, *value) : tmc_read(self, reg, value);
	case SIM_TPIU:
		return tpiu_access(self, write, reg, value);
	case SIM_STM:
		return stm_access(self, write, reg, value);
	case SIM_TSGEN:
		if (write || (reg != 0x8 && reg != 0xC))
			return FALSE;
		*value = (guint32)(self->soc->counter >> (reg == 0xC ? 32 : 0));
		return TRUE;
	case SIM_DEBUG:
		return self->soc->debug_access != NULL &&
		       self->soc->debug_access(self, write, reg, value);
	case SIM_CTI:
		return cti_access(self, write, reg, value);
	case SIM_ROM:
		if (write || self->regs[reg / 4] != 0)
			return FALSE;
		*value = rom_word(self, reg / 4);
		return TRUE;
	case SIM_PLAIN:
	case SIM_FUNNEL:
	case SIM_REPLICATOR:
		return FALSE;
	}
	return FALSE;
}

gboolean sim_component_access(struct sim_component *component, gboolean write, gboolean external,
                              guint32 reg, guint32 *value)
{
	struct sim_component *self = component;
	gboolean locked = self->stuck_lock || (!external && !self->unlocked);

	if (write && reg == LAR) {
		/* The lock is the CPU side's; the debug port neither needs nor changes it. */
		if (!external)
			self->unlocked = *value == LOCK_KEY;
		return TRUE;
	}
	if (!write && reg == LSR) {
		*value = external && !self->stuck_lock ? 0 : locked ? 3 : 1;
		return TRUE;
	}
	if (reg >= 0xFB8) {
		if (!write)
			*value = identity_register(self, reg);
		return TRUE;
	}
	if (write && locked && self->kind != SIM_TSGEN && self->kind != SIM_PLAIN &&
	    self->kind != SIM_ROM)
		return TRUE; /* the write is ignored, without an error */
	if (kind_access(self, write, reg, value))
		return TRUE;
	if (write)
		self->regs[reg / 4] = *value;
	else
		*value = self->regs[reg / 4];
	return TRUE;
}
