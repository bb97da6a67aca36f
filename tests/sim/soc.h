/* soc.h: a simulated Zynq UltraScale+, as a debugger sees it
 *
 * The CoreSight part of the chip with the behaviour that a capture rests on: FIFO
 * fill and wrap, flush, formatter, link ETFs that hold bytes until flushed,
 * software locks, sticky bus errors, clocks that can be off, CTIs. No processor
 * runs: ETMs and STM emit bytes that a test has recorded elsewhere, whenever they
 * are programmed to. What it does not prove: clocks, power, SMMU/XMPU, and the
 * real funnel ports.
 *
 * It notes in `violations` what a real chip would answer with UNPREDICTABLE
 * (a TMC's mode written while it runs, an ETM programmed while it is on).
 *
 * Serve it with server.h. Everything here is under `lock`, which the server's
 * thread holds while it handles input; a test takes it to look or to change.
 */
#pragma once

#include "tests/sim/dap.h"
#include "tests/sim/formatter.h"

enum sim_kind {
	SIM_PLAIN, /* identity and storage only */
	SIM_ROM,   /* lists the components behind it; a register that a test sets counts */
	SIM_ETM,
	SIM_TMC_ETF,
	SIM_TMC_ETR,
	SIM_FUNNEL,
	SIM_REPLICATOR,
	SIM_TPIU,
	SIM_STM,
	SIM_TSGEN,
	SIM_CTI,
	SIM_DEBUG,
};

enum {
	SIM_WINDOW_BYTES = 0x800000,
	SIM_N_CORES = 4,
	SIM_SOURCE_STM = 4,
	SIM_N_SOURCES = 5,
};

struct sim_soc;

struct sim_component {
	struct sim_soc *soc;
	enum sim_kind kind;
	char name[12];
	guint index;    /* of its kind: core number, funnel number ... */
	guint32 offset; /* in the debug window */
	guint32 regs[1024];
	gboolean unlocked;   /* software lock, CPU view */
	gboolean stuck_lock; /* fault: LAR takes no key, from either view */
	guint n_bus_errors;  /* fault: so many accesses end in a bus error */
	/* TMC and TPIU */
	struct formatter formatter;
	GByteArray *written; /* every formatted byte since it was started */
	guint8 *ram;         /* an ETF's own, size_bytes */
	guint32 size_bytes;
	guint64 write_pointer;
	guint64 read_pointer;
	guint64 to_read_bytes;
	gboolean full, stopped, never_ready, mem_error;
	GByteArray *held; /* an ETF as link: pairs (id, byte) not yet passed on */
	/* core debug */
	gpointer core;
};

struct sim_source {
	GBytes *feed;
	gboolean repeat;
	gsize position;
	gboolean was_on;
	GByteArray *emitted; /* since it was last switched on */
};

struct sim_write {
	guint32 offset; /* in the debug window */
	guint32 value;
};

struct sim_soc {
	GMutex lock;
	struct dap dap;
	GPtrArray *components;
	GHashTable *by_page; /* window page -> component */
	GHashTable *pages;   /* PA >> 12 -> guint8[4096] */
	struct sim_source sources[SIM_N_SOURCES];
	guint bytes_per_tick;
	guint64 counter; /* TSGEN */
	guint32 clock_lpd, clock_fpd, clock_trace, clock_timestamp;
	guint32 jtag_ctrl;
	guint64 n_clocks; /* of TCK since power-on: the time that everything took, in the JTAG's */
	GArray *writes;   /* struct sim_write, debug window only */
	GPtrArray *violations;
	guint32 funnel2_etf1_port, funnel2_stm_port;
	gboolean non_secure_debug; /* NIDEN and DBGEN */
	guint64 n_system_reads;
	guint fail_memory_after; /* fault: RAM reads beyond so many are bus errors; 0: none */
	/* Called for core debug registers where set (core.h). TRUE: handled. */
	gboolean (*debug_access)(struct sim_component *core, gboolean write, guint32 reg,
	                         guint32 *value);
};

struct sim_soc *sim_soc_new(void);
void sim_soc_free(struct sim_soc *soc);

/* Takes a reference on `feed`. Source 0-3: the ETM of that core; 4: STM. */
void sim_soc_feed(struct sim_soc *soc, guint source, GBytes *feed, gboolean repeat);
struct sim_component *sim_soc_find(struct sim_soc *soc, const char *name);
/* Time passes: sources that are on emit up to bytes_per_tick. */
void sim_soc_tick(struct sim_soc *soc);
/* Power-on values everywhere; RAM keeps what it had. */
void sim_soc_power_cycle(struct sim_soc *soc);
/* Core `index` halts: its CTI trigger input 0 fires. */
void sim_soc_core_halted(struct sim_soc *soc, guint index);
void sim_soc_memory_write(struct sim_soc *soc, guint64 addr_pa, const guint8 *data,
                          gsize len_bytes);
void sim_soc_memory_read(struct sim_soc *soc, guint64 addr_pa, guint8 *data, gsize len_bytes);
/* Name, register and value of everything that a capture could change. One line a
 * register: equal strings mean that all is restored. Free with g_free. */
char *sim_soc_state(struct sim_soc *soc);
void sim_soc_violation(struct sim_soc *soc, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* components.c: one register of one component. FALSE: bus error. */
gboolean sim_component_access(struct sim_component *component, gboolean write, gboolean external,
                              guint32 reg, guint32 *value);
void sim_component_reset(struct sim_component *component);
/* fabric.c: one byte from a source into the ATB network. */
void sim_fabric_emit(struct sim_soc *soc, guint source, guint8 id, guint8 byte);
void sim_fabric_flush(struct sim_component *sink);
void sim_fabric_start_sink(struct sim_component *sink);
gboolean sim_source_on(struct sim_soc *soc, guint source, guint8 *id);
void sim_cti_input(struct sim_component *cti, guint trigger);
