/* target.h: one interface to whatever holds the memory and the registers
 *
 * A target is a halted (or haltable) system behind a debug link, or a file that
 * one was frozen into. It knows physical memory, the registers of each core, run
 * control and breakpoints; it has no notion of virtual addresses, machines or
 * tasks, and it keeps no copy of what it reads (pagecache.h does). One thread at
 * a time. What it hands out is untrusted.
 */
#pragma once

#include "awareness/mmu/address.h"

#include <glib.h>
#include <stdint.h>

#define TARGET_ERROR (target_error_quark())
GQuark target_error_quark(void);

enum target_error {
	TARGET_ERROR_SPEC,        /* the target's description makes no sense */
	TARGET_ERROR_OPEN,        /* it cannot be reached, or the file cannot be read */
	TARGET_ERROR_LINK,        /* the link broke or the peer talks nonsense */
	TARGET_ERROR_MEMORY,      /* there is no such memory, or it cannot be reached */
	TARGET_ERROR_REGISTER,    /* there is no such register */
	TARGET_ERROR_REFUSED,     /* the target said yes and did not do it */
	TARGET_ERROR_UNSUPPORTED, /* this kind of target cannot do that */
	TARGET_ERROR_TIMEOUT,
};

enum target_capability {
	TARGET_CAN_WRITE_MEMORY = 1 << 0,
	TARGET_CAN_WRITE_REGISTERS = 1 << 1,
	TARGET_CAN_RUN = 1 << 2, /* halt, continue, step */
	TARGET_CAN_BREAK = 1 << 3,
	TARGET_CAN_WATCH = 1 << 4,
	/* The breakpoint unit compares the VMID by itself (DBGBCR.BT): no software
	 * filter is needed. */
	TARGET_CAN_BREAK_VMID = 1 << 5,
	/* The EL1 and EL2 system registers are there, not only the general ones. */
	TARGET_HAS_SYSTEM_REGISTERS = 1 << 6,
};

enum target_limits {
	TARGET_CPUS_MAX = 256,
};

/* One piece of memory to move. `ok` is written by the call: FALSE means that
 * this piece could not be moved, and `data` then holds nothing of worth. */
struct target_transfer {
	struct pa pa;
	void *data; /* caller's; len_bytes of it */
	size_t len_bytes;
	gboolean ok;
};

struct target_region {
	struct pa base;
	uint64_t len_bytes;
};

/* Registers are up to 128 bits wide (v0 to v31). */
struct target_register {
	uint64_t low;
	uint64_t high; /* 0 for all but the vector registers */
};

enum target_stop_reason {
	TARGET_STOP_NONE, /* still running when the time was up */
	TARGET_STOP_HALT, /* as asked, or halted from the start */
	TARGET_STOP_STEP,
	TARGET_STOP_BREAK,
	TARGET_STOP_WATCH,
	TARGET_STOP_EXIT, /* the target is gone */
};

struct target_stop {
	enum target_stop_reason reason;
	unsigned cpu; /* the core that stopped first; the others halt with it */
	struct va watch_va;
};

enum target_break_kind {
	TARGET_BREAK_SOFTWARE,
	TARGET_BREAK_HARDWARE,
	TARGET_WATCH_WRITE,
	TARGET_WATCH_READ,
	TARGET_WATCH_ACCESS,
};

struct target_break {
	enum target_break_kind kind;
	struct va va;
	unsigned len_bytes; /* of the instruction (4) or of the watched range */
	/* Only in this machine, only in this task, where the target compares them by itself
	 * (TARGET_CAN_BREAK_VMID); others stop in every machine, as if it was FALSE. */
	gboolean only_vmid, only_context_id;
	uint16_t vmid;
	uint32_t context_id;
};

/* What the link was asked for since it was opened. */
struct target_cost {
	uint64_t reads; /* contiguous pieces, each one transaction on the link */
	uint64_t bytes_read;
	uint64_t failed_reads;
	uint64_t register_reads;
};

struct target;

/* Opens what `spec` names: gdb:HOST:PORT, gdb:unix:PATH, openocd:HOST:PORT, core:FILE or
 * ram:FILE+STATE. Live targets are halted by it. Errors:
 * TARGET_ERROR_SPEC, _OPEN, _LINK. */
struct target *target_open(const char *spec, GError **error);

/* Lets go of the link. A live target is left as it is, halted or running. */
void target_free(struct target *self);

/* What the link is, as given to target_open(); owned by the target. */
const char *target_describe(const struct target *self);

/* A set of enum target_capability. */
unsigned target_capabilities(const struct target *self);

/* 1 to TARGET_CPUS_MAX. Cores count from 0 in every call below. */
unsigned target_cpu_count(const struct target *self);

/* The RAM that is known to be there, sorted, disjoint, owned by the target. None
 * means that the target does not know: then nothing may be read on speculation,
 * for a read of a device can change it. */
const struct target_region *target_regions(const struct target *self, size_t *n_regions);

/* TRUE if all of [pa, pa + len_bytes) is known RAM, or if none is known at all. */
gboolean target_is_ram(const struct target *self, struct pa pa, uint64_t len_bytes);

/* How many bytes one transaction should fetch at best: 4096 for a file, less
 * over a slow link. A power of two, 64 to 4096. */
unsigned target_line_bytes(const struct target *self);

/* Moves all pieces, in one go where the link allows it. Returns FALSE only when
 * the link itself failed (TARGET_ERROR_LINK, _TIMEOUT); a piece that is not there
 * is ok == FALSE and no error. Fails with TARGET_ERROR_UNSUPPORTED where memory
 * cannot be written. */
gboolean target_read(struct target *self, struct target_transfer *transfers, size_t n_transfers,
                     GError **error);
gboolean target_write(struct target *self, const struct target_transfer *transfers,
                      size_t n_transfers, GError **error);

/* The names of core 0's registers as the target writes them, NULL-terminated,
 * owned by the target. */
const char *const *target_register_names(const struct target *self);

/* Reads a register by its architectural name (`SCTLR_EL1`, `x0`, `pc`, `cpsr`) or
 * by the target's own. QEMU leaves out the _EL1 of some (`SCTLR`, `VBAR`): those
 * are found by the full name too, and never under that of another level. Errors:
 * TARGET_ERROR_REGISTER, _LINK. */
gboolean target_register_get(struct target *self, unsigned cpu, const char *name,
                             struct target_register *out, GError **error);

/* Writes a register and reads it back: QEMU's gdbstub answers OK to the write of
 * a system register and ignores it. Errors: TARGET_ERROR_REFUSED where it reads
 * back differently, _UNSUPPORTED, _REGISTER, _LINK. */
gboolean target_register_set(struct target *self, unsigned cpu, const char *name,
                             const struct target_register *value, GError **error);

/* Counts up whenever memory or registers may have changed: the key to anything
 * that is kept between calls. */
uint64_t target_epoch(const struct target *self);

struct target_cost target_cost(const struct target *self);

/* Run control, TARGET_CAN_RUN. All cores run and halt together; a step moves one
 * core by one instruction, and the others may run meanwhile only if the target
 * cannot hold them. target_wait() returns TRUE with reason TARGET_STOP_NONE when
 * the time was up. */
gboolean target_is_running(const struct target *self);
gboolean target_halt(struct target *self, GError **error);
gboolean target_continue(struct target *self, GError **error);
gboolean target_step(struct target *self, unsigned cpu, GError **error);
gboolean target_wait(struct target *self, unsigned timeout_ms, struct target_stop *out,
                     GError **error);

/* Breakpoints and watchpoints, by VA on every core and in every machine. */
gboolean target_break_set(struct target *self, const struct target_break *what, GError **error);
gboolean target_break_clear(struct target *self, const struct target_break *what, GError **error);
