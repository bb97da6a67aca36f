#include "tests/sim/jtag.h"

enum state {
	TEST_LOGIC_RESET,
	RUN_TEST_IDLE,
	SELECT_DR,
	CAPTURE_DR,
	SHIFT_DR,
	EXIT1_DR,
	PAUSE_DR,
	EXIT2_DR,
	UPDATE_DR,
	SELECT_IR,
	CAPTURE_IR,
	SHIFT_IR,
	EXIT1_IR,
	PAUSE_IR,
	EXIT2_IR,
	UPDATE_IR,
};

static const guint8 next_state[16][2] = {
	[TEST_LOGIC_RESET] = { RUN_TEST_IDLE, TEST_LOGIC_RESET },
	[RUN_TEST_IDLE] = { RUN_TEST_IDLE, SELECT_DR },
	[SELECT_DR] = { CAPTURE_DR, SELECT_IR },
	[CAPTURE_DR] = { SHIFT_DR, EXIT1_DR },
	[SHIFT_DR] = { SHIFT_DR, EXIT1_DR },
	[EXIT1_DR] = { PAUSE_DR, UPDATE_DR },
	[PAUSE_DR] = { PAUSE_DR, EXIT2_DR },
	[EXIT2_DR] = { SHIFT_DR, UPDATE_DR },
	[UPDATE_DR] = { RUN_TEST_IDLE, SELECT_DR },
	[SELECT_IR] = { CAPTURE_IR, TEST_LOGIC_RESET },
	[CAPTURE_IR] = { SHIFT_IR, EXIT1_IR },
	[SHIFT_IR] = { SHIFT_IR, EXIT1_IR },
	[EXIT1_IR] = { PAUSE_IR, UPDATE_IR },
	[PAUSE_IR] = { PAUSE_IR, EXIT2_IR },
	[EXIT2_IR] = { SHIFT_IR, UPDATE_IR },
	[UPDATE_IR] = { RUN_TEST_IDLE, SELECT_DR },
};

void jtag_chain_init(struct jtag_chain *chain, struct jtag_tap *taps, guint n_taps)
{
	chain->taps = taps;
	chain->n_taps = n_taps;
	chain->state = TEST_LOGIC_RESET;
	for (guint i = 0; i < n_taps; i++) {
		taps[i].ir = taps[i].ir_reset;
		taps[i].shift_length = 1;
	}
}

static void shift_all(struct jtag_chain *chain, gboolean tdi)
{
	guint64 in = tdi ? 1 : 0;

	for (guint i = 0; i < chain->n_taps; i++) {
		struct jtag_tap *tap = &chain->taps[i];
		guint64 out = tap->shift & 1;

		tap->shift = (tap->shift >> 1) | (in << (tap->shift_length - 1));
		in = out;
	}
}

static void capture_all(struct jtag_chain *chain, gboolean ir)
{
	for (guint i = 0; i < chain->n_taps; i++) {
		struct jtag_tap *tap = &chain->taps[i];

		if (ir) {
			tap->shift = tap->ir_capture;
			tap->shift_length = tap->ir_length;
		} else {
			tap->shift = tap->capture(tap, &tap->shift_length);
		}
	}
}

static void enter_state(struct jtag_chain *chain)
{
	for (guint i = 0; i < chain->n_taps; i++) {
		struct jtag_tap *tap = &chain->taps[i];

		if (chain->state == TEST_LOGIC_RESET)
			tap->ir = tap->ir_reset;
		else if (chain->state == UPDATE_IR)
			tap->ir = (guint32)tap->shift;
		else if (chain->state == UPDATE_DR)
			tap->update(tap, tap->shift);
	}
}

void jtag_chain_clock(struct jtag_chain *chain, gboolean tms, gboolean tdi)
{
	guint before = chain->state;

	if (before == SHIFT_DR || before == SHIFT_IR)
		shift_all(chain, tdi);
	else if (before == CAPTURE_DR || before == CAPTURE_IR)
		capture_all(chain, before == CAPTURE_IR);
	chain->state = next_state[before][tms ? 1 : 0];
	if (chain->state != before)
		enter_state(chain);
}

gboolean jtag_chain_tdo(const struct jtag_chain *chain)
{
	if (chain->state != SHIFT_DR && chain->state != SHIFT_IR)
		return TRUE;
	return (chain->taps[chain->n_taps - 1].shift & 1) != 0;
}
