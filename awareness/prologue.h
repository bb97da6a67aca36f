/* prologue.h: unwind rules read from the code itself
 *
 * For programs that carry no call frame information and keep no frame records, as
 * release builds of Xen: the instructions of a function from its start to the address
 * in question say how far the stack pointer moved and where registers were stored.
 * A function's early returns are recognised by their restores. Pure. What moves the
 * stack pointer by a register is not followed.
 *
 * Encodings from Arm DDI 0487, C4.1 (A64 instruction set encoding).
 */
#pragma once

#include "awareness/symbols/cfi.h"

enum prologue_limits {
	PROLOGUE_WORDS_MAX = 65536, /* instructions looked at */
};

/* `words` are the instructions from the function's start up to, not including, the
 * address in question. The row's start and end are left 0. Returns FALSE where the
 * code does something to the stack pointer that is not understood. */
gboolean prologue_row(const uint32_t *words, size_t n_words, struct cfi_row *row);
