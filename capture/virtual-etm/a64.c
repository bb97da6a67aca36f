/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/a64.h"

/* op0:op1:CRn:CRm:op2 as bits [20:5] of MSR and MRS hold them, op0's upper bit included. */
#define SYSREG(op0, op1, crn, crm, op2)                                                            \
	((uint32_t)(op0) << 14 | (uint32_t)(op1) << 11 | (uint32_t)(crn) << 7 |                    \
	 (uint32_t)(crm) << 3 | (uint32_t)(op2))

static int32_t signed_field(uint32_t opcode, unsigned low, unsigned width)
{
	const uint32_t value = opcode >> low & ((1u << width) - 1);
	const uint32_t sign = 1u << (width - 1);

	return (int32_t)(value ^ sign) - (int32_t)sign;
}

static uint8_t write_effects(uint32_t sysreg)
{
	switch (sysreg) {
	case SYSREG(3, 0, 13, 0, 1): /* CONTEXTIDR_EL1 */
	case SYSREG(3, 5, 13, 0, 1): /* CONTEXTIDR_EL12 */
	case SYSREG(3, 4, 2, 1, 0):  /* VTTBR_EL2 */
		return A64_WRITES_CONTEXT;
	case SYSREG(3, 0, 12, 0, 0): /* VBAR_EL1 */
	case SYSREG(3, 5, 12, 0, 0): /* VBAR_EL12 */
	case SYSREG(3, 4, 12, 0, 0): /* VBAR_EL2 */
	case SYSREG(3, 6, 12, 0, 0): /* VBAR_EL3 */
		return A64_WRITES_VBAR;
	case SYSREG(3, 4, 14, 0, 3): /* CNTVOFF_EL2 */
		return A64_WRITES_CNTVOFF;
	default:
		return 0;
	}
}

static uint8_t read_effects(uint32_t sysreg)
{
	switch (sysreg) {
	case SYSREG(3, 3, 14, 0, 1): /* CNTPCT_EL0 */
	case SYSREG(3, 3, 14, 0, 5): /* CNTPCTSS_EL0 */
		return A64_READS_CNTPCT;
	case SYSREG(3, 3, 14, 0, 2): /* CNTVCT_EL0 */
	case SYSREG(3, 3, 14, 0, 6): /* CNTVCTSS_EL0 */
		return A64_READS_CNTVCT;
	default:
		return 0;
	}
}

static struct a64 classify_system(uint32_t opcode)
{
	struct a64 self = { .kind = A64_PLAIN };
	const uint32_t sysreg = opcode >> 5 & 0xFFFF;

	if ((opcode & 0xFFFFF0FF) == 0xD50330DF) {
		self.kind = A64_ISB;
	} else if (opcode == 0xD503207F) {
		self.kind = A64_WFI;
	} else if ((opcode & 0xFFF00000) == 0xD5100000) {
		self.effects = write_effects(sysreg);
	} else if ((opcode & 0xFFF00000) == 0xD5300000) {
		self.effects = read_effects(sysreg);
		self.rt = opcode & 31;
	}
	return self;
}

/* Unconditional branch (register): opc, op2 = 11111, op3. */
static struct a64 classify_branch_register(uint32_t opcode)
{
	struct a64 self = { .kind = A64_PLAIN };
	const uint32_t opc = opcode >> 21 & 15;

	switch (opc) {
	case 0: /* BR, BRAAZ */
	case 2: /* RET, RETAA */
	case 8: /* BRAA */
		self.kind = A64_INDIRECT;
		break;
	case 1: /* BLR, BLRAAZ */
	case 9: /* BLRAA */
		self.kind = A64_INDIRECT;
		self.link = true;
		break;
	case 4: /* ERET, ERETAA */
		self.kind = A64_ERET;
		break;
	default: /* DRPS needs debug state */
		break;
	}
	return self;
}

struct a64 a64_classify(uint32_t opcode)
{
	if ((opcode & 0x7C000000) == 0x14000000)
		return (struct a64) { .kind = A64_DIRECT,
			              .link = opcode >> 31 != 0,
			              .offset_bytes = signed_field(opcode, 0, 26) * 4 };
	if ((opcode & 0xFF000000) == 0x54000000 || (opcode & 0x7E000000) == 0x34000000)
		return (struct a64) { .kind = A64_CONDITIONAL,
			              .offset_bytes = signed_field(opcode, 5, 19) * 4 };
	if ((opcode & 0x7E000000) == 0x36000000)
		return (struct a64) { .kind = A64_CONDITIONAL,
			              .offset_bytes = signed_field(opcode, 5, 14) * 4 };
	if ((opcode & 0xFE1F0000) == 0xD61F0000)
		return classify_branch_register(opcode);
	if ((opcode & 0xFFE0001C) == 0xD4000000 && (opcode & 3) != 0)
		return (struct a64) { .kind = A64_CALL };
	if ((opcode & 0xFFC00000) == 0xD5000000)
		return classify_system(opcode);
	return (struct a64) { .kind = A64_PLAIN };
}
