/* core-layout.h: the note layouts of an AArch64 ELF core
 *
 * For target-core.c and core-file.c only. NT_PRSTATUS is Linux's struct
 * elf_prstatus for arm64 (include/uapi/linux/elfcore.h): signal state, then
 * user_pt_regs. QEMU's dump-guest-memory writes the same.
 */
#pragma once

#include <stdint.h>

enum core_prstatus {
	CORE_PRSTATUS_BYTES = 392,
	CORE_PRSTATUS_PID = 32,
	CORE_PRSTATUS_REGS = 112,
	CORE_PRSTATUS_N_REGS = 34, /* x0-x30, sp, pc, pstate */
};
