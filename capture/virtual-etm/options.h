/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h: what the plugin is told on QEMU's command line
 *
 * `-plugin PLUGIN.so,out=DIR,shift=2,...`: the capture directory, the window, and the
 * trace unit's registers as numbers, the way a debugger would program them. Friendly
 * names for them are `hvscope capture`'s. docs/internals/virtual-etm.md lists the keys.
 */
#pragma once

#include "capture/virtual-etm/trace-unit.h"

enum window_kind {
	WINDOW_NEVER,
	WINDOW_INSNS,   /* so many instructions of all cores have begun, since power-on */
	WINDOW_TIME,    /* QEMU's virtual clock, ns */
	WINDOW_ADDRESS, /* some core reaches an address */
};

struct window_edge {
	enum window_kind kind;
	uint64_t value;
	int el;        /* ADDRESS: only there; -1: anywhere */
	bool relative; /* INSNS, TIME: counted from the start of the window */
};

struct options {
	char *out; /* the capture directory */
	struct window_edge start;
	struct window_edge stop;
	uint64_t max_bytes; /* of trace; 0: no limit */
	bool exit_at_stop;
	unsigned shift;
	struct trace_unit_registers registers;
	struct trace_unit_fifo fifo;
	uint64_t stm_pa;        /* the stimulus window; STM-500: 256 bytes a port */
	uint64_t stm_len_bytes; /* 0: none */
	uint8_t stm_id;
	uint8_t stm_master; /* of core 0; core n has n more */
};

/* Registers of an A53 with everything that hvscope reads turned on, no filters. */
void options_init(struct options *self);
void options_deinit(struct options *self);

/* FALSE and an error that names the argument. */
gboolean options_parse(struct options *self, int argc, char **argv, GError **error);
