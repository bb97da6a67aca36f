/* debug-registers.h: system registers by name, for instruction insertion
 *
 * Names and encodings (Arm ARM, DDI 0487, D17) of the AArch64 system registers that
 * a debugger of hypervisors needs, and the A64 instructions that move them. The
 * exception level that an access needs follows from op1. Pure data.
 */
#pragma once

#include <glib.h>

struct debug_register {
	const char *name;
	guint8 op0, op1, crn, crm, op2;
};

extern const struct debug_register debug_registers[];
extern const guint n_debug_registers;

/* By name, any case; NULL where it is none. */
const struct debug_register *debug_register_find(const char *name);
/* 0 .. 3: the lowest exception level that may read it. */
guint debug_register_level(const struct debug_register *reg);
/* MRS Xt, reg and MSR reg, Xt. */
guint32 debug_register_mrs(const struct debug_register *reg, guint t);
guint32 debug_register_msr(const struct debug_register *reg, guint t);
