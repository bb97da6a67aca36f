/* The physical cores: all registers as the target has them. */
#include "awareness/os/xen.h"

#include <string.h>

static gboolean is_vector(const char *name)
{
	return name[0] == 'v' && g_ascii_isdigit(name[1]);
}

/* QEMU leaves the _EL1 out of these, and names the FPU's state twice. */
static const char *full_name(const char *name)
{
	static const char *const short_names[] = { "SCTLR", "VBAR", "CPACR", "CNTKCTL" };
	static const char *const full_names[] = { "SCTLR_EL1", "VBAR_EL1", "CPACR_EL1",
		                                  "CNTKCTL_EL1" };

	for (gsize i = 0; i < G_N_ELEMENTS(short_names); i++) {
		if (strcmp(name, short_names[i]) == 0)
			return full_names[i];
	}
	return name;
}

void cores_read(struct machine *machine, struct target *target)
{
	const char *const *names = target_register_names(target);

	for (unsigned cpu = 0; cpu < target_cpu_count(target); cpu++) {
		struct vcpu *core = machine_add_vcpu(machine, cpu);

		core->pcpu = (int)cpu;
		core->live = TRUE;
		core->live_cpu = cpu;
		core->state = VCPU_RUNNING;
		for (gsize i = 0; names[i] != NULL; i++) {
			struct target_register value;

			if (!is_vector(names[i]) &&
			    target_register_get(target, cpu, names[i], &value, NULL))
				register_set_put(&core->registers, full_name(names[i]), value.low,
				                 REGISTER_SOURCE_CORE, FALSE);
		}
	}
}

static uint64_t get(struct target *target, unsigned cpu, const char *name, gboolean *all)
{
	struct target_register value = { 0 };

	if (!target_register_get(target, cpu, name, &value, NULL))
		*all = FALSE;
	return value.low;
}

gboolean core_el2_space(struct target *target, unsigned cpu, struct space_config *out)
{
	struct space_config config = { 0 };
	gboolean all = TRUE;
	gboolean optional = TRUE;
	uint64_t hcr = get(target, cpu, "HCR_EL2", &optional);
	uint64_t sctlr = get(target, cpu, "SCTLR_EL2", &all);
	gboolean vhe = (hcr >> 34 & 1) != 0;

	config.stage1 = (struct vmsa_stage1) {
		.regime = vhe ? VMSA_REGIME_EL20 : VMSA_REGIME_EL2,
		.enabled = (sctlr & 1) != 0,
		.big_endian = (sctlr >> 25 & 1) != 0,
		.tcr = get(target, cpu, "TCR_EL2", &all),
		.ttbr0 = get(target, cpu, "TTBR0_EL2", &all),
		.ttbr1 = vhe ? get(target, cpu, "TTBR1_EL2", &all) : 0,
		.mair = get(target, cpu, "MAIR_EL2", &optional),
	};
	vmsa_features_from_id(&config.features, get(target, cpu, "ID_AA64MMFR0_EL1", &optional),
	                      get(target, cpu, "ID_AA64MMFR2_EL1", &optional));
	/* A file without the ID registers: nothing may be refused for its size. */
	if (!optional && config.features.pa_bits == 32)
		config.features.pa_bits = 48;
	if (all)
		*out = config;
	return all;
}
