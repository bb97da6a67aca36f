/* kernel-memo.h: a kernel that was found before
 *
 * Keeps in the symbol cache what kernel-finder.h found out by reading tens of
 * megabytes, and recognises the kernel later by two reads: its banner and its
 * build id at the places where they were. Private to awareness/symbols.
 *
 * Places are kept relative to the start of the range that was searched, so that
 * KASLR does not matter; a range that begins elsewhere in the image simply is not
 * recognised.
 */
#pragma once

#include "awareness/symbols/kernel-finder.h"
#include "awareness/symbols/kernel-window.h"

/* TRUE, and `found` filled, where the window holds a kernel that is known. */
gboolean kernel_memo_recall(struct symbol_cache *cache, struct kernel_window *window,
                            struct kernel_found *found);

/* `build_id_va` is where the note's 20 bytes stand; `btf` may be NULL. */
void kernel_memo_store(struct symbol_cache *cache, const struct kernel_window *window,
                       const struct kernel_found *found, uint64_t build_id_va, GBytes *btf);
