/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.h: which instructions a trace unit's filters let through
 *
 * ViewInst as TRCVICTLR, TRCVIIECTLR, the address comparators and the VMID and context
 * ID comparators define it (Arm IHI 0064, "Filtering models"; register fields 7.3).
 * It answers for one unit and one range of instructions; that a P0 element that began
 * is traced to its end is the trace unit's business. Start/stop comparators and the
 * resource selectors behind VICTLR.EVENT are not modelled: they count as true.
 */
#pragma once

#include "capture/virtual-etm/flow.h"

enum {
	VIEW_COMPARATORS = 8 /* four pairs, as an A53 has */
};

/* The registers of the filters. Bits are the hardware's. */
struct view_registers {
	uint32_t victlr;   /* EXLEVEL_S [19:16], EXLEVEL_NS [22:20] */
	uint32_t viiectlr; /* INCLUDE [7:0], EXCLUDE [23:16]: comparator pairs */
	uint64_t acvr[VIEW_COMPARATORS];
	uint32_t acatr[VIEW_COMPARATORS]; /* CONTEXTTYPE [3:2], CONTEXT [6:4], EXLEVEL_S [11:8],
	                                   * EXLEVEL_NS [14:12] */
	uint32_t cidcvr;                  /* comparator 0, the only one */
	uint32_t vmidcvr;
};

enum view_context_type {
	VIEW_CONTEXT_CID = 1 << 2,
	VIEW_CONTEXT_VMID = 2 << 2,
	VIEW_CONTEXT_MASK = 3 << 2,
};

struct view_range {
	uint64_t first_va, last_va; /* inclusive */
};

/* What the filters come to in one context. */
struct view {
	bool excluded;     /* nothing of this context */
	bool everything;   /* all of this context */
	bool has_includes; /* some pair is selected for inclusion, matching or not */
	unsigned n_include, n_exclude;
	struct view_range include[VIEW_COMPARATORS / 2];
	struct view_range exclude[VIEW_COMPARATORS / 2];
};

void view_resolve(struct view *self, const struct view_registers *registers,
                  const struct flow_context *context);

/* Whether any of the `n` instructions from `va` passes. */
bool view_passes(const struct view *self, uint64_t va, unsigned n);
