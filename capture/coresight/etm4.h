/* etm4.h: programs an ETMv4 trace unit
 *
 * Turns what is to be traced into the register sequence of an Embedded Trace
 * Macrocell v4 (IHI 0064): what to include (exception levels, address ranges, one
 * VMID or context ID) and what to put into the stream. Pure: it builds programs and
 * reads identification registers; the session runs them.
 */
#pragma once

#include "capture/coresight/access.h"

enum {
	ETM4_MAX_RANGES = 8,
};

enum etm4_filter {
	ETM4_FILTER_NONE,
	ETM4_FILTER_VMID,
	ETM4_FILTER_CONTEXT_ID,
};

struct etm4_range {
	guint64 start_va; /* inclusive */
	guint64 last_va;  /* inclusive: the last instruction */
};

/* Bits of TRCCONFIGR. */
enum etm4_config_bits {
	ETM4_BRANCH_BROADCAST = 1u << 3,
	ETM4_CYCLE_COUNT = 1u << 4,
	ETM4_CONTEXT_ID = 1u << 6,
	ETM4_VMID = 1u << 7,
	ETM4_TIMESTAMP = 1u << 11,
	ETM4_RETURN_STACK = 1u << 12,
};

/* TRCVICTLR: trace non-secure EL1 and EL2; EL2 alone; all of EL0-EL2. */
enum etm4_view_inst {
	ETM4_VIEW_EL1_EL2 = 0x001B0201,
	ETM4_VIEW_EL2 = 0x003B0201,
	ETM4_VIEW_ALL_NS = 0x000B0201,
};

struct etm4_config {
	guint32 config;        /* TRCCONFIGR */
	guint32 view_inst;     /* TRCVICTLR */
	guint8 trace_id;       /* 1 .. 0x6F */
	guint sync_log2;       /* A-sync every 2^n bytes */
	guint cycle_threshold; /* TRCCCCTLR; raised to TRCIDR3's minimum by etm4_ids_fit */
	gboolean stall;        /* stall the core rather than overflow: intrusive */
	struct etm4_range ranges[ETM4_MAX_RANGES];
	guint n_ranges; /* 0: all addresses */
	enum etm4_filter filter;
	guint64 filter_value;
};

/* What the trace unit can do. */
struct etm4_ids {
	guint32 idr[14]; /* TRCIDR0 .. TRCIDR13 */
	guint n_address_pairs;
	guint n_context_ids, n_vmids;
	guint n_resource_selectors;
	guint min_cycle_threshold;
	gboolean has_stall;
};

/* Reads TRCIDR0-13. */
gboolean etm4_ids_read(struct access *access, guint component, struct etm4_ids *ids,
                       GError **error);
/* What a Cortex-A53 has, for a dry run. */
void etm4_ids_assume_a53(struct etm4_ids *ids);
/* Fails where `config` asks for more than there is; raises the cycle threshold. */
gboolean etm4_ids_fit(const struct etm4_ids *ids, const char *name, struct etm4_config *config,
                      GError **error);

/* Power, OS lock, authentication, and whether somebody else uses it. */
gboolean etm4_check(struct access *access, guint component, gboolean take, GError **error);
void etm4_program_start(struct sequence *program, guint component, const struct etm4_config *config,
                        const struct etm4_ids *ids);
void etm4_program_stop(struct sequence *program, guint component);
