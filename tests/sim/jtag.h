/* jtag.h: a JTAG chain, bit by bit
 *
 * The IEEE 1149.1 state machine over a row of TAPs, driven one TCK at a time. It
 * knows nothing of debug: a TAP has an instruction register and callbacks that
 * load its data register at Capture-DR and take it at Update-DR. taps[0] is next
 * to TDI, the last one next to TDO (OpenOCD declares the one next to TDO first).
 */
#pragma once

#include <glib.h>

struct jtag_tap {
	guint ir_length;  /* bits */
	guint32 ir;       /* the latched instruction */
	guint32 ir_reset; /* what Test-Logic-Reset latches */
	guint32 ir_capture;
	guint64 shift; /* what is being shifted, LSB first out */
	guint shift_length;
	/* Capture-DR: sets *length (bits) and returns the value to shift out. */
	guint64 (*capture)(struct jtag_tap *tap, guint *length);
	/* Update-DR: the value that was shifted in. */
	void (*update)(struct jtag_tap *tap, guint64 value);
	gpointer data;
};

struct jtag_chain {
	struct jtag_tap *taps;
	guint n_taps;
	guint state;
};

/* The chain does not own `taps`. Starts in Test-Logic-Reset. */
void jtag_chain_init(struct jtag_chain *chain, struct jtag_tap *taps, guint n_taps);
/* One rising edge of TCK. */
void jtag_chain_clock(struct jtag_chain *chain, gboolean tms, gboolean tdi);
/* What TDO shows now, before the next rising edge. */
gboolean jtag_chain_tdo(const struct jtag_chain *chain);
