/* dap.h: an Arm JTAG-DP with two MEM-APs
 *
 * ADIv5.2 (IHI 0031), chapter B3: 35-bit DPACC and APACC scans whose answer is
 * that of the scan before; WAIT with overrun detection and STICKYORUN; sticky
 * errors that discard AP accesses until they are cleared. AP 0 is an AXI-AP,
 * AP 1 an APB-AP. What lies behind an AP is a bus callback.
 *
 * Two things that a reader of results rests on and that a model must keep:
 * after a WAIT under ORUNDETECT everything is discarded until STICKYORUN is
 * cleared, and the read result changes only on reads.
 */
#pragma once

#include <glib.h>

/* One word (or byte, half word in its lane) on the bus of an AP. FALSE is a bus
 * error, which sets STICKYERR. `size` is in bytes. */
typedef gboolean (*dap_access_fn)(gpointer data, guint ap, gboolean write, guint64 addr, guint size,
                                  guint32 *value);

struct dap_ap {
	guint32 csw;
	guint64 tar;
	guint32 idr;
	guint32 base;
	guint32 cfg;
	guint max_size_log2;
	guint min_size_log2;
};

struct dap {
	guint32 ctrl_stat;
	guint32 select;
	guint32 read_result;
	gboolean last_was_wait;
	guint busy_scans; /* so many scans answer WAIT before the access is done */
	struct dap_ap aps[2];
	dap_access_fn access;
	gpointer data;
	/* Faults and figures, set and read by tests. */
	guint wait_every; /* every n-th AP access takes wait_scans scans; 0: never */
	guint wait_scans;
	gboolean wait_forever;
	gboolean no_power; /* the power-up requests are never acknowledged */
	guint64 n_accesses;
	guint64 n_waits;
};

void dap_init(struct dap *dap, dap_access_fn access, gpointer data);
/* Power-on reset: sticky flags and power requests are gone. */
void dap_reset(struct dap *dap);
/* Capture-DR and Update-DR of the 35-bit scans. `is_ap` tells APACC from DPACC. */
guint64 dap_capture(struct dap *dap, gboolean is_ap);
void dap_update(struct dap *dap, gboolean is_ap, guint64 value);
/* Update-DR of the ABORT register. */
void dap_abort(struct dap *dap, guint64 value);
