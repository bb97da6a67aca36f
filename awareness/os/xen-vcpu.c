/* Which copy of a vCPU's registers is true (docs/internals/awareness.md):
 *
 *   running, core halted at EL0/1: general and EL1 registers in the core
 *   running, core halted at EL2:   general in Xen's frame, EL1 registers in the core
 *   not running:                   frame on its own stack, EL1 registers in struct vcpu
 */
#include "awareness/os/xen-private.h"

#include "awareness/symbols/unwind.h"

#include <string.h>

const char *const xen_saved_names[] = {
	"SCTLR_EL1",   "TCR_EL1",    "TTBR0_EL1",      "TTBR1_EL1", "MAIR_EL1",  "VBAR_EL1",
	"ESR_EL1",     "FAR_EL1",    "CONTEXTIDR_EL1", "TPIDR_EL0", "TPIDR_EL1", "TPIDRRO_EL0",
	"HCR_EL2",     "MDCR_EL2",   "CPACR_EL1",      "ACTLR_EL1", "AMAIR_EL1", "PAR_EL1",
	"CNTKCTL_EL1", "VMPIDR_EL2", "AFSR0_EL1",      "AFSR1_EL1",
};

/* In the same order. TCR_EL1 is `ttbcr` in Xen, after its 32-bit name. */
const struct field xen_saved_fields[] = {
	{ "arch.sctlr", FALSE },      { "arch.ttbcr|arch.tcr", FALSE },
	{ "arch.ttbr0", FALSE },      { "arch.ttbr1", FALSE },
	{ "arch.mair", FALSE },       { "arch.vbar", FALSE },
	{ "arch.esr", TRUE },         { "arch.far", TRUE },
	{ "arch.contextidr", FALSE }, { "arch.tpidr_el0", FALSE },
	{ "arch.tpidr_el1", FALSE },  { "arch.tpidrro_el0", TRUE },
	{ "arch.hcr_el2", FALSE },    { "arch.mdcr_el2", TRUE },
	{ "arch.cpacr", TRUE },       { "arch.actlr", TRUE },
	{ "arch.amair", TRUE },       { "arch.par", TRUE },
	{ "arch.cntkctl", TRUE },     { "arch.vmpidr", TRUE },
	{ "arch.afsr0", TRUE },       { "arch.afsr1", TRUE },
};
const size_t xen_n_saved_fields = G_N_ELEMENTS(xen_saved_fields);
G_STATIC_ASSERT(G_N_ELEMENTS(xen_saved_fields) == G_N_ELEMENTS(xen_saved_names));

/* struct cpu_user_regs; xN first, then those of frame_names[]. */
const struct field xen_frame_fields[] = {
	{ "x0", FALSE },       { "x1", FALSE },     { "x2", FALSE },     { "x3", FALSE },
	{ "x4", FALSE },       { "x5", FALSE },     { "x6", FALSE },     { "x7", FALSE },
	{ "x8", FALSE },       { "x9", FALSE },     { "x10", FALSE },    { "x11", FALSE },
	{ "x12", FALSE },      { "x13", FALSE },    { "x14", FALSE },    { "x15", FALSE },
	{ "x16", FALSE },      { "x17", FALSE },    { "x18", FALSE },    { "x19", FALSE },
	{ "x20", FALSE },      { "x21", FALSE },    { "x22", FALSE },    { "x23", FALSE },
	{ "x24", FALSE },      { "x25", FALSE },    { "x26", FALSE },    { "x27", FALSE },
	{ "x28", FALSE },      { "fp", FALSE },     { "lr", FALSE },     { "pc", FALSE },
	{ "cpsr", FALSE },     { "sp_el0", FALSE }, { "sp_el1", FALSE }, { "elr_el1", FALSE },
	{ "spsr_el1", FALSE }, { "hsr", TRUE },
};
const size_t xen_n_frame_fields = G_N_ELEMENTS(xen_frame_fields);

static const char *const frame_names[] = {
	"pc", "cpsr", "SP_EL0", "SP_EL1", "ELR_EL1", "SPSR_EL1", "ESR_EL2",
};

enum {
	N_X = 31,
};

static void put_sp(struct register_set *set)
{
	const struct register_value *cpsr = register_set_find(set, "cpsr");
	const struct register_value *sp;

	if (cpsr == NULL)
		return;
	/* SPSel is bit 0 of the mode; EL0 uses SP_EL0 always. */
	sp = register_set_find(set, (cpsr->value & 0xd) == 5 ? "SP_EL1" : "SP_EL0");
	if (sp != NULL)
		register_set_put(set, "sp", sp->value, sp->source, sp->doubtful);
}

static void put_frame(struct xen *self, struct machine *machine, struct vcpu *vcpu,
                      struct va cpu_info, gboolean doubtful)
{
	struct va frame = { cpu_info.value + self->frame_in_cpu_info };
	uint64_t values[LAYOUT_FIELDS_MAX];
	g_autoptr(GError) error = NULL;

	if (!layout_read(&self->frame, self->program.space, frame, values, &error)) {
		machine_add_gap(machine, "vCPU %u: %s", vcpu->id, error->message);
		return;
	}
	for (unsigned i = 0; i < self->frame.n_fields; i++) {
		g_autofree char *x = i < N_X ? g_strdup_printf("x%u", i) : NULL;

		if (self->frame.found[i])
			register_set_put(&vcpu->registers, i < N_X ? x : frame_names[i - N_X],
			                 values[i], REGISTER_SOURCE_FRAME, doubtful);
	}
}

static void put_saved(struct xen *self, struct machine *machine, struct vcpu *vcpu,
                      gboolean doubtful)
{
	uint64_t values[LAYOUT_FIELDS_MAX];
	g_autoptr(GError) error = NULL;

	if (!layout_read(&self->saved, self->program.space, vcpu->va, values, &error)) {
		machine_add_gap(machine, "vCPU %u: %s", vcpu->id, error->message);
		return;
	}
	for (size_t i = 0; i < xen_n_saved_fields; i++) {
		if (self->saved.found[i])
			register_set_put(&vcpu->registers, xen_saved_names[i], values[i],
			                 REGISTER_SOURCE_SAVED_VCPU, doubtful);
	}
}

static void put_core(struct xen *self, struct vcpu *vcpu, const char *const *names, size_t n_names)
{
	struct target *target = pagecache_target(self->cache);

	for (size_t i = 0; i < n_names; i++) {
		struct target_register value;

		if (target_register_get(target, vcpu->live_cpu, names[i], &value, NULL))
			register_set_put(&vcpu->registers, names[i], value.low,
			                 REGISTER_SOURCE_CORE, FALSE);
	}
}

/* The stack pointer in use is the core's `sp`; of the banked one an emulator may show what
 * it was at the last change of level (QEMU does). */
static void put_core_sp(struct xen *self, struct vcpu *vcpu)
{
	struct target_register value;
	uint64_t cpsr;

	if (register_set_get(&vcpu->registers, "cpsr", &cpsr) &&
	    target_register_get(pagecache_target(self->cache), vcpu->live_cpu, "sp", &value, NULL))
		register_set_put(&vcpu->registers, (cpsr & 0xd) == 5 ? "SP_EL1" : "SP_EL0",
		                 value.low, REGISTER_SOURCE_CORE, FALSE);
}

/* The general registers of a vCPU whose core is at EL0 or EL1, or stands in Xen's
 * vectors with all of them still in place; then `pc` and `cpsr` are in ELR_EL2 and
 * SPSR_EL2. */
static void put_core_general(struct xen *self, struct vcpu *vcpu, gboolean in_vectors)
{
	static const char *const level1[] = { "pc",     "cpsr",    "SP_EL0",
		                              "SP_EL1", "ELR_EL1", "SPSR_EL1" };
	static const char *const level2[] = { "SP_EL0", "SP_EL1", "ELR_EL1", "SPSR_EL1" };
	uint64_t value;

	for (unsigned i = 0; i < N_X; i++) {
		g_autofree char *x = g_strdup_printf("x%u", i);
		const char *name = x;

		put_core(self, vcpu, &name, 1);
		/* The code that stores them uses a few already. */
		if (in_vectors && register_set_get(&vcpu->registers, x, &value))
			register_set_put(&vcpu->registers, x, value, REGISTER_SOURCE_CORE, TRUE);
	}
	if (!in_vectors) {
		put_core(self, vcpu, level1, G_N_ELEMENTS(level1));
		put_core_sp(self, vcpu);
		return;
	}
	put_core(self, vcpu, level2, G_N_ELEMENTS(level2));
	put_core(self, vcpu, (const char *const[]) { "ELR_EL2", "SPSR_EL2" }, 2);
	if (register_set_get(&vcpu->registers, "ELR_EL2", &value))
		register_set_put(&vcpu->registers, "pc", value, REGISTER_SOURCE_CORE, TRUE);
	if (register_set_get(&vcpu->registers, "SPSR_EL2", &value))
		register_set_put(&vcpu->registers, "cpsr", value, REGISTER_SOURCE_CORE, TRUE);
}

static const struct xen_core *find_core(const struct xen *self, struct vcpu *vcpu)
{
	for (unsigned i = 0; i < self->n_cores; i++) {
		if (self->cores[i].curr_vcpu.value == vcpu->va.value) {
			vcpu->live = TRUE;
			vcpu->live_cpu = i;
			return &self->cores[i];
		}
	}
	return NULL;
}

/* The vCPU that a core is leaving: Xen counts it as running until all is saved. */
static gboolean is_being_saved(const struct xen *self, const uint64_t *fields)
{
	uint64_t cpu = fields[VCPU_PROCESSOR];

	return fields[VCPU_IS_RUNNING] != 0 && cpu < self->n_cores && self->cores[cpu].switching;
}

void xen_read_vcpu_registers(struct xen *self, struct machine *machine, struct vcpu *vcpu,
                             const uint64_t *fields)
{
	const struct xen_core *core = find_core(self, vcpu);
	struct va cpu_info = { fields[VCPU_CPU_INFO] };
	/* curr_vcpu moves before the registers do: until VTTBR_EL2 has followed, the
	 * core holds the EL1 registers of the vCPU that it leaves. */
	gboolean switching = core != NULL && core->switching;
	gboolean loaded = core != NULL && core->vttbr == machine->vttbr && !switching;
	gboolean doubtful = (core != NULL && !loaded && !switching) ||
	                    (core == NULL && is_being_saved(self, fields));

	put_saved(self, machine, vcpu, doubtful);
	if (core == NULL || (core->el >= 2 && !core->entering) || !loaded)
		put_frame(self, machine, vcpu, cpu_info, core != NULL && !loaded && !switching);
	else
		put_core_general(self, vcpu, core->el >= 2);
	if (loaded)
		put_core(self, vcpu, xen_saved_names, xen_n_saved_fields);
	put_sp(&vcpu->registers);
}

gboolean xen_saved_context(struct xen *self, const struct vcpu *vcpu, struct unwind_registers *out)
{
	static const char *const names[] = { "x19", "x20", "x21", "x22", "x23", "x24", "x25",
		                             "x26", "x27", "x28", "fp",  "sp",  "pc" };
	struct unwind_registers context = { 0 };

	if (self == NULL || vcpu->live)
		return FALSE;
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_strconcat("arch.saved_context.", names[i], NULL);
		uint64_t offset, value;

		if (!types_offset(self->program.types, "struct vcpu", path, &offset, NULL) ||
		    !space_read_uint(self->program.space, (struct va) { vcpu->va.value + offset },
		                     8, &value, NULL))
			return FALSE;
		if (i < 11) {
			context.x[19 + i] = value;
			context.valid |= 1u << (19 + i);
		} else if (i == 11) {
			context.sp = value;
		} else {
			context.pc = value;
		}
	}
	*out = context;
	return TRUE;
}
