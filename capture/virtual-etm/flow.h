/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow.h: what each core executed, from what QEMU's TCG shows of it
 *
 * TCG tells a plugin that a translation block begins; it does not tell how the one
 * before ended. This rebuilds the exact stream of executed instructions, branches and
 * exceptions per core from the beginnings and a few register reads, and hands
 * it to a listener. It is the part that knows how QEMU behaves (the traps are named
 * in docs/internals/virtual-etm.md), yet includes nothing of QEMU's: plugin.c does,
 * and the tests drive this with a made-up machine.
 *
 * It has no notion of packets, filters or files. All cores of a round-robin TCG run in
 * one thread, and a `struct flow` serves that thread.
 */
#pragma once

#include "capture/virtual-etm/a64.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FLOW_CORES_MAX = 16,
	FLOW_BLOCK_MAX = 1024, /* instructions of a block: a page of them */
};

/* A block of instructions as TCG translated it. TCG shares it between all virtual
 * addresses and cores at which its page is mapped. */
struct flow_block {
	uint64_t translated_va; /* only the offset into the page holds wherever it runs */
	struct a64 last;        /* the last instruction; the only one that can branch */
	uint8_t effects;        /* enum a64_effect of all instructions but counter reads */
	uint16_t n;             /* instructions, 1 to FLOW_BLOCK_MAX */
	uint32_t seen_space;    /* listener's own: what it noted last of this block */
	uint64_t seen_va;
	uint32_t code[]; /* n opcodes */
};

/* What of a core's registers is read, and only while the core is at the beginning of
 * a block. X0 to X30 are FLOW_X0 + n. */
enum flow_register {
	FLOW_PC,
	FLOW_CPSR,
	FLOW_VTTBR_EL2,
	FLOW_CONTEXTIDR_EL1,
	FLOW_CNTVOFF_EL2,
	FLOW_SCR_EL3,
	FLOW_VBAR, /* + EL - 1, and so on */
	FLOW_ELR = FLOW_VBAR + 3,
	FLOW_ESR = FLOW_ELR + 3,
	FLOW_SPSR = FLOW_ESR + 3,
	FLOW_X0 = FLOW_SPSR + 3,
	FLOW_REGISTERS = FLOW_X0 + 31,
};

struct flow_context {
	uint8_t el;
	bool non_secure;
	uint8_t vmid;
	uint32_t context_id;
};

/* How a run of instructions ended. */
enum flow_end {
	FLOW_END_NONE,      /* goes on with the next instruction, or an exception came */
	FLOW_END_NOT_TAKEN, /* atom N */
	FLOW_END_TAKEN,     /* atom E, the target is in the opcode; ISB too */
	FLOW_END_INDIRECT,  /* atom E, the target is the address of what comes next */
	FLOW_END_ERET,      /* the same, in another context */
};

struct flow_run {
	struct flow_block *block; /* its first n instructions ran */
	uint64_t va;
	uint16_t n; /* may be 0: then only `end` NONE */
	enum flow_end end;
	bool link;            /* with TAKEN and INDIRECT */
	uint64_t target_va;   /* where it went; known for all ends but NONE */
	uint64_t start_insns; /* flow.insns when it began, for flow_ticks_at */
};

/* An exception, taken from `from` with `return_va` preferred. It shows in ETM's types. */
struct flow_exception {
	uint16_t etm_type; /* enum etm4_exception_type */
	uint64_t return_va;
	const struct flow_context *from;
	uint64_t vector_va; /* the first instruction of the handler, which may never run */
};

/* What the listener is told, in the order in which it happened on the core. `context`
 * is the one in force for what is told. */
struct flow_listener {
	void (*run)(void *data, unsigned core, const struct flow_context *context,
	            const struct flow_run *run);
	void (*exception)(void *data, unsigned core, const struct flow_exception *exception);
	/* What the core did between this and the next run is not known. */
	void (*gap)(void *data, unsigned core);
	/* The core's turn ended at stop_ns, and it goes on now. */
	void (*resume)(void *data, unsigned core, uint64_t stop_ns);
	/* The time became known again after it was not (see flow_time_known). */
	void (*time_known)(void *data);
	void *data;
};

struct flow_core {
	struct flow_block *block; /* began, and is not settled; NULL: nothing known */
	uint64_t va;              /* where it began */
	unsigned cut;             /* instructions of it that ran before TCG restarted behind an
	                           * MMIO access; 0: not cut */
	uint64_t eret_va;         /* where the ERET at the end of the block goes */
	bool eret_known;
	struct flow_context context;
	uint64_t vbar[4]; /* by EL, 1 to 3; all ones where the core has none */
	uint64_t cntvoff;
	bool context_stale;   /* VTTBR or CONTEXTIDR was written since they were read */
	bool waiting;         /* the block ends with WFI */
	bool foreign;         /* in AArch32 state, which is not followed */
	bool present;         /* ever ran */
	bool resumes;         /* its turn ended with the block */
	bool excepted;        /* flow_exception_taken since the block began */
	uint64_t stop_insns;  /* flow.insns when its turn ended */
	uint64_t begun_insns; /* when its last block began */
	uint64_t begun_ns;    /* the same, 0 where the time was not known */
	uint64_t ended_insns; /* and ended */
	uint64_t executed;    /* instructions since flow_init */
};

/* Reads a register of the core that runs. 0 where the core has no such register. */
typedef uint64_t (*flow_read_fn)(void *data, unsigned core, enum flow_register reg);

struct flow {
	struct flow_core cores[FLOW_CORES_MAX];
	unsigned n_cores;
	unsigned el_max; /* the highest implemented: 1 to 3 */
	bool exceptions_told;
	unsigned running;
	flow_read_fn read;
	void *read_data;
	struct flow_listener listener;

	/* Time, as -icount makes it: instructions of all cores, and the guest's own
	 * counter reads to correct it by. */
	uint64_t insns;
	unsigned shift; /* an instruction is 1 << shift ns */
	unsigned tick_ns;
	int64_t base_ns; /* now = base_ns + (insns << shift) */
	bool time_certain;

	/* For the capture's own quality figures. */
	uint64_t n_gaps;            /* not explained by anything known */
	uint64_t n_restarts;        /* a core came back from being off */
	uint64_t n_mmio_restarts;   /* instructions that TCG ran without instrumentation */
	uint64_t n_nested;          /* exceptions whose handler never ran */
	uint64_t n_corrections;     /* counter reads that moved the time */
	uint64_t correction_max_ns; /* the largest of them, idle time not counted */
};

struct flow_config {
	unsigned n_cores; /* 1 to FLOW_CORES_MAX */
	unsigned el_max;
	unsigned shift;
	uint64_t counter_hz;  /* CNTFRQ, at most 1 GHz */
	bool exceptions_told; /* flow_exception_taken will be called */
};

void flow_init(struct flow *self, const struct flow_config *config, flow_read_fn read,
               void *read_data, const struct flow_listener *listener);

/* Fills in what `block` says of itself from its n opcodes. */
void flow_block_init(struct flow_block *block, uint64_t translated_va);

/* `block` begins on `core`, whose registers can be read. */
void flow_begin(struct flow *self, unsigned core, struct flow_block *block);

/* The ERET that ends the block that began last on `core` is about to execute. Without this
 * an exception right behind an ERET into a handler could not be told from two. */
void flow_eret(struct flow *self, unsigned core);

/* QEMU says that `core` took an exception (its plugin API from version 6 on). Older ones do
 * not: then a branch to a vector with all interrupts masked passes for one. */
void flow_exception_taken(struct flow *self, unsigned core);

/* As flow_begin, before the window: keeps the time, tells the listener nothing. */
void flow_begin_unfollowed(struct flow *self, unsigned core, struct flow_block *block);

/* An instruction that is the whole of `block` accessed memory on `core`. TCG calls this
 * without flow_begin where it re-runs an MMIO access out of the middle of a block. */
void flow_access(struct flow *self, unsigned core, struct flow_block *block);

/* The window begins or ends: forgets what is not settled, so that what was told last ends at the
 * beginning of each core's last block. */
void flow_forget(struct flow *self);

/* The time at which the core that runs is, in ns of QEMU's virtual clock, and in counter
 * ticks (CNTPCT). */
uint64_t flow_time_ns(const struct flow *self);
uint64_t flow_time_ticks(const struct flow *self);

/* The ticks when flow.insns was `insns`. */
uint64_t flow_ticks_at(const struct flow *self, uint64_t insns);

/* The ticks at which what was told last of `core` ended; 0 where they were not known. */
uint64_t flow_told_ticks(const struct flow *self, unsigned core);

/* False from the start to the first counter read, and from the moment when all cores
 * waited: QEMU then moves its clock, unseen, to the next timer. */
bool flow_time_known(const struct flow *self);
