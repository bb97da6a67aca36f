/* cfi.h: one row of unwind rules, and what to do with it
 *
 * Pure: a row says how the caller's registers are found from the callee's at one
 * address (DWARF 5, section 6.4; AArch64's numbering is in "DWARF for the Arm
 * 64-bit Architecture", AADWARF64). Rows come from dwarf.h. Rules that are DWARF
 * expressions are not followed: no C compiler's ordinary function has them, and
 * whoever unwinds falls back to frame records.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

enum cfi_register {
	CFI_X0 = 0,
	CFI_FP = 29,
	CFI_LR = 30,
	CFI_SP = 31,
	CFI_REGISTERS = 32,
};

enum cfi_rule_kind {
	CFI_SAME,      /* the caller's value is the callee's, and the default */
	CFI_UNDEFINED, /* the caller's value is lost */
	CFI_AT_CFA,    /* saved in memory at CFA + offset */
	CFI_IS_CFA,    /* the value is CFA + offset itself */
	CFI_REGISTER,  /* in another register, plus offset (for the CFA's own rule) */
	CFI_EXPRESSION,
};

struct cfi_rule {
	enum cfi_rule_kind kind;
	unsigned reg; /* CFI_REGISTER only */
	int64_t offset_bytes;
};

struct cfi_row {
	uint64_t start; /* linked addresses of the function, end exclusive */
	uint64_t end;
	struct cfi_rule cfa; /* CFI_REGISTER or CFI_EXPRESSION */
	unsigned return_register;
	struct cfi_rule rules[CFI_REGISTERS];
};
