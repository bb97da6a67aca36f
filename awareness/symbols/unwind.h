/* unwind.h: the call chain of one stack
 *
 * Pure: registers and a way to read memory go in, frames come out. Call frame
 * information is asked through a callback, frame records (x29, x30 pairs; AAPCS64,
 * 6.4.6) are the fallback. It knows no machine: at an exception frame or the end
 * of a stack it stops and says why, and whoever knows the system goes on from
 * there with new registers.
 *
 * Guards: every frame lies strictly above the last one and inside the stack that
 * was given; callers are looked up at pc - 1 (the return address of a call that
 * never returns may belong to the next function); pointer authentication codes
 * and tags are stripped from return addresses.
 */
#pragma once

#include "awareness/symbols/cfi.h"

#include <glib.h>
#include <stdint.h>

enum unwind_limits {
	UNWIND_FRAMES_MAX = 512
};

struct unwind_registers {
	uint64_t x[31]; /* x29 is the frame pointer, x30 the link register */
	uint64_t sp;
	uint64_t pc;
	uint32_t valid; /* bit n: x[n] is known; sp and pc always are */
};

enum unwind_how {
	UNWIND_START, /* as given */
	UNWIND_CFI,
	UNWIND_RECORD, /* by the frame record that x29 pointed to */
	UNWIND_LINK,   /* pc is x30 of a function without frame (the first step only) */
};

enum unwind_end {
	UNWIND_END_RECORD_ZERO, /* x29 or the return address is 0: the proper end */
	UNWIND_END_MARK,        /* `stop_at_fp` reached: an exception frame's record */
	UNWIND_END_UNDEFINED,   /* CFI says that there is no caller */
	UNWIND_END_STACK,       /* the next frame lies outside the stack */
	UNWIND_END_ORDER,       /* the next frame is not above this one */
	UNWIND_END_MEMORY,      /* the stack could not be read */
	UNWIND_END_CODE,        /* the return address is no code */
	UNWIND_END_LIMIT,
};

struct unwind_frame {
	struct unwind_registers registers;
	uint64_t cfa; /* 0 where it is not known */
	/* What to look the function and line up with: pc for the first frame (and for
	 * one that was interrupted), pc - 1 for callers. */
	uint64_t lookup_pc;
	enum unwind_how how;
};

struct unwind_config {
	/* Reads stack memory at a VA. Returns FALSE where it cannot. */
	gboolean (*read)(gpointer data, uint64_t va, void *buffer, size_t len_bytes);
	/* The rules at a loaded address; `row` is zeroed before. May be NULL. Returns
	 * FALSE where there are none. */
	gboolean (*row)(gpointer data, uint64_t pc, struct cfi_row *row);
	/* Whether a return address can be one. May be NULL: then any but 0. */
	gboolean (*is_code)(gpointer data, uint64_t pc);
	/* Where the function that holds `pc` begins. May be NULL. Without call frame
	 * information it tells a leaf function, whose caller is in x30 alone, from one
	 * with a frame record. */
	gboolean (*function)(gpointer data, uint64_t pc, uint64_t *start);
	gpointer data;
	uint64_t stack_low;  /* the stack, inclusive */
	uint64_t stack_high; /* exclusive; CFA may equal it */
	/* Stop when x29 equals this (Linux: the record in pt_regs); 0 for none. */
	uint64_t stop_at_fp;
	/* Address bits below the PAC: 48 for most kernels (64 - T1SZ). Bit 55 says
	 * which half. 0 leaves return addresses as they are. */
	unsigned va_bits;
};

/* Strips PAC and tag: bits 63..va_bits become copies of bit 55. */
uint64_t unwind_strip(uint64_t address, unsigned va_bits);

/* Appends frames (struct unwind_frame) to `frames`, the first being `start`
 * itself, and says why it ended. Never fails: what cannot go on ends. */
enum unwind_end unwind_stack(const struct unwind_config *config,
                             const struct unwind_registers *start, GArray *frames);

/* For people: "end of the chain", "the stack could not be read", ... */
const char *unwind_end_text(enum unwind_end end);
