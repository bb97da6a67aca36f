/* kallsyms.h: a kernel's own table of symbols, found by its shape
 *
 * Private to awareness/symbols; kernel-finder.h is the way in. Works on a window of
 * memory and knows no kernel version: each array is found by what must be true of
 * it, and a candidate counts only if all of them fit together.
 */
#pragma once

#include "awareness/symbols/kernel-window.h"
#include "awareness/symbols/symbols.h"

/* The tables for one place where the digits' tokens were seen (the address of the
 * "0" of "0\0" "1\0" ... "9\0"). NULL where it is no token table or the rest does
 * not fit. */
struct symbols *kallsyms_read(struct kernel_window *window, uint64_t digits_va);
