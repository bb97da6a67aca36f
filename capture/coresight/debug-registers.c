#include "capture/coresight/debug-registers.h"

enum {
	MRS = 0xD5300000,
	MSR = 0xD5100000,
};

const struct debug_register debug_registers[] = {
	{ "MIDR_EL1", 3, 0, 0, 0, 0 },
	{ "MPIDR_EL1", 3, 0, 0, 0, 5 },
	{ "REVIDR_EL1", 3, 0, 0, 0, 6 },
	{ "ID_AA64PFR0_EL1", 3, 0, 0, 4, 0 },
	{ "ID_AA64PFR1_EL1", 3, 0, 0, 4, 1 },
	{ "ID_AA64DFR0_EL1", 3, 0, 0, 5, 0 },
	{ "ID_AA64ISAR0_EL1", 3, 0, 0, 6, 0 },
	{ "ID_AA64ISAR1_EL1", 3, 0, 0, 6, 1 },
	{ "ID_AA64MMFR0_EL1", 3, 0, 0, 7, 0 },
	{ "ID_AA64MMFR1_EL1", 3, 0, 0, 7, 1 },
	{ "ID_AA64MMFR2_EL1", 3, 0, 0, 7, 2 },
	{ "MDSCR_EL1", 2, 0, 0, 2, 2 },
	{ "SCTLR_EL1", 3, 0, 1, 0, 0 },
	{ "ACTLR_EL1", 3, 0, 1, 0, 1 },
	{ "CPACR_EL1", 3, 0, 1, 0, 2 },
	{ "TTBR0_EL1", 3, 0, 2, 0, 0 },
	{ "TTBR1_EL1", 3, 0, 2, 0, 1 },
	{ "TCR_EL1", 3, 0, 2, 0, 2 },
	{ "SPSR_EL1", 3, 0, 4, 0, 0 },
	{ "ELR_EL1", 3, 0, 4, 0, 1 },
	{ "SP_EL0", 3, 0, 4, 1, 0 },
	{ "AFSR0_EL1", 3, 0, 5, 1, 0 },
	{ "AFSR1_EL1", 3, 0, 5, 1, 1 },
	{ "ESR_EL1", 3, 0, 5, 2, 0 },
	{ "FAR_EL1", 3, 0, 6, 0, 0 },
	{ "PAR_EL1", 3, 0, 7, 4, 0 },
	{ "MAIR_EL1", 3, 0, 10, 2, 0 },
	{ "AMAIR_EL1", 3, 0, 10, 3, 0 },
	{ "VBAR_EL1", 3, 0, 12, 0, 0 },
	{ "ISR_EL1", 3, 0, 12, 1, 0 },
	{ "CONTEXTIDR_EL1", 3, 0, 13, 0, 1 },
	{ "TPIDR_EL1", 3, 0, 13, 0, 4 },
	{ "CNTKCTL_EL1", 3, 0, 14, 1, 0 },
	{ "CTR_EL0", 3, 3, 0, 0, 1 },
	{ "FPCR", 3, 3, 4, 4, 0 },
	{ "FPSR", 3, 3, 4, 4, 1 },
	{ "TPIDR_EL0", 3, 3, 13, 0, 2 },
	{ "TPIDRRO_EL0", 3, 3, 13, 0, 3 },
	{ "CNTFRQ_EL0", 3, 3, 14, 0, 0 },
	{ "CNTVCT_EL0", 3, 3, 14, 0, 2 },
	{ "CNTV_CTL_EL0", 3, 3, 14, 3, 1 },
	{ "CNTV_CVAL_EL0", 3, 3, 14, 3, 2 },
	{ "VPIDR_EL2", 3, 4, 0, 0, 0 },
	{ "VMPIDR_EL2", 3, 4, 0, 0, 5 },
	{ "SCTLR_EL2", 3, 4, 1, 0, 0 },
	{ "ACTLR_EL2", 3, 4, 1, 0, 1 },
	{ "HCR_EL2", 3, 4, 1, 1, 0 },
	{ "MDCR_EL2", 3, 4, 1, 1, 1 },
	{ "CPTR_EL2", 3, 4, 1, 1, 2 },
	{ "HSTR_EL2", 3, 4, 1, 1, 3 },
	{ "TTBR0_EL2", 3, 4, 2, 0, 0 },
	{ "TCR_EL2", 3, 4, 2, 0, 2 },
	{ "VTTBR_EL2", 3, 4, 2, 1, 0 },
	{ "VTCR_EL2", 3, 4, 2, 1, 2 },
	{ "SPSR_EL2", 3, 4, 4, 0, 0 },
	{ "ELR_EL2", 3, 4, 4, 0, 1 },
	{ "SP_EL1", 3, 4, 4, 1, 0 },
	{ "ESR_EL2", 3, 4, 5, 2, 0 },
	{ "FAR_EL2", 3, 4, 6, 0, 0 },
	{ "HPFAR_EL2", 3, 4, 6, 0, 4 },
	{ "MAIR_EL2", 3, 4, 10, 2, 0 },
	{ "AMAIR_EL2", 3, 4, 10, 3, 0 },
	{ "VBAR_EL2", 3, 4, 12, 0, 0 },
	{ "TPIDR_EL2", 3, 4, 13, 0, 2 },
	{ "CNTVOFF_EL2", 3, 4, 14, 0, 3 },
	{ "CNTHCTL_EL2", 3, 4, 14, 1, 0 },
	{ "CNTHP_CTL_EL2", 3, 4, 14, 2, 1 },
	{ "CNTHP_CVAL_EL2", 3, 4, 14, 2, 2 },
	{ "SCTLR_EL3", 3, 6, 1, 0, 0 },
	{ "SCR_EL3", 3, 6, 1, 1, 0 },
	{ "CPTR_EL3", 3, 6, 1, 1, 2 },
	{ "MDCR_EL3", 3, 6, 1, 3, 1 },
	{ "TTBR0_EL3", 3, 6, 2, 0, 0 },
	{ "TCR_EL3", 3, 6, 2, 0, 2 },
	{ "SPSR_EL3", 3, 6, 4, 0, 0 },
	{ "ELR_EL3", 3, 6, 4, 0, 1 },
	{ "SP_EL2", 3, 6, 4, 1, 0 },
	{ "ESR_EL3", 3, 6, 5, 2, 0 },
	{ "FAR_EL3", 3, 6, 6, 0, 0 },
	{ "MAIR_EL3", 3, 6, 10, 2, 0 },
	{ "VBAR_EL3", 3, 6, 12, 0, 0 },
	{ "TPIDR_EL3", 3, 6, 13, 0, 2 },
};

const guint n_debug_registers = G_N_ELEMENTS(debug_registers);

const struct debug_register *debug_register_find(const char *name)
{
	for (guint i = 0; i < n_debug_registers; i++) {
		if (g_ascii_strcasecmp(debug_registers[i].name, name) == 0)
			return &debug_registers[i];
	}
	return NULL;
}

guint debug_register_level(const struct debug_register *reg)
{
	switch (reg->op1) {
	case 3:
		return 0;
	case 4:
		return 2;
	case 6:
		return 3;
	default:
		return 1;
	}
}

static guint32 fields(const struct debug_register *reg, guint t)
{
	return (guint32)(reg->op0 & 1) << 19 | (guint32)reg->op1 << 16 | (guint32)reg->crn << 12 |
	       (guint32)reg->crm << 8 | (guint32)reg->op2 << 5 | t;
}

guint32 debug_register_mrs(const struct debug_register *reg, guint t)
{
	return MRS | fields(reg, t);
}

guint32 debug_register_msr(const struct debug_register *reg, guint t)
{
	return MSR | fields(reg, t);
}
