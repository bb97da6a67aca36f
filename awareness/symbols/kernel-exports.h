/* kernel-exports.h: what kallsyms leaves out
 *
 * Many distributions' kernels list only functions in kallsyms (no KALLSYMS_ALL).
 * The variables that awareness needs are found in two other tables: the symbols
 * exported to modules (__ksymtab), and BTF's list of per-CPU variables, which
 * becomes addresses as soon as one of them is exported. Private to
 * awareness/symbols.
 */
#pragma once

#include "awareness/symbols/kernel-window.h"
#include "awareness/symbols/symbols.h"
#include "awareness/symbols/types.h"

/* Adds what `symbols` does not have yet. Returns how many. Pages that were not read
 * before are not touched, but for those that the tables lie in. */
size_t kernel_exports_add(struct kernel_window *window, struct symbols *symbols);
size_t kernel_percpu_add(struct types *btf, struct symbols *symbols);
