/* SPDX-License-Identifier: GPL-2.0-or-later */
/* a64.h: what an A64 instruction does to the flow of a program
 *
 * Classifies one opcode: does it branch, and where; does it end a P0 element (Arm
 * IHI 0064, "P0 elements": branches, ERET and ISB); does it touch one of the few
 * registers that the virtual ETM follows. It is no disassembler and knows nothing
 * of A32 and T32. Encodings: Arm DDI 0487, C4.1.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum a64_kind {
	A64_PLAIN,
	A64_DIRECT,      /* B, BL */
	A64_CONDITIONAL, /* B.cond, CBZ, CBNZ, TBZ, TBNZ */
	A64_INDIRECT,    /* BR, BLR, RET and their authenticated forms */
	A64_ERET,
	A64_ISB,
	A64_CALL, /* SVC, HVC, SMC: the exception returns behind them */
	A64_WFI,  /* may stop the core */
};

/* What of the followed state an instruction may change or read. */
enum a64_effect {
	A64_WRITES_CONTEXT = 1 << 0, /* VTTBR_EL2, CONTEXTIDR_EL1: in force after the next ISB or
	                              * exception */
	A64_WRITES_VBAR = 1 << 1,
	A64_WRITES_CNTVOFF = 1 << 2,
	A64_READS_CNTPCT = 1 << 3, /* into X[rt] */
	A64_READS_CNTVCT = 1 << 4, /* into X[rt] */
};

struct a64 {
	enum a64_kind kind;
	bool link;            /* BL, BLR: X30 gets the address behind */
	uint8_t rt;           /* of a counter read */
	uint8_t effects;      /* enum a64_effect */
	int32_t offset_bytes; /* DIRECT and CONDITIONAL: target - own address */
};

struct a64 a64_classify(uint32_t opcode);

/* Whether it ends a P0 element. */
static inline bool a64_is_p0(enum a64_kind kind)
{
	return kind >= A64_DIRECT && kind <= A64_ISB;
}
