/* target-tap.h: a target in front of another
 *
 * Passes everything on to the target behind it. On the way it lets another thread see how
 * much was read, end a long piece of work and halt what runs; and it can make a fast target
 * as slow as a debug probe, for measuring. It owns the target behind it. One thread, but
 * for the struct target_tap_control, whose members are atomic.
 */
#pragma once

#include "awareness/target/target.h"

struct target_tap_control {
	gint cancel;        /* 1: every access fails with TARGET_ERROR_LINK until it is 0 again */
	gint running;       /* 1 from when the target is let go until a wait saw it stop */
	gint lost;          /* 1 once the target behind said TARGET_ERROR_LINK */
	gint halt;          /* 1: a wait halts the target and says so, and puts it back to 0 */
	gint reads;         /* pieces read since it was made */
	gint kilobytes;     /* read, rounded down at each transaction's end */
	guint64 byte_count; /* of the target's own thread */
};

/* What a slow link costs. All 0: nothing. */
struct target_tap_link {
	unsigned latency_us; /* of each piece read, and of a core's registers once a stop */
	unsigned bytes_per_s;
	unsigned line_bytes; /* as target_line_bytes(); 0: that of the target behind */
};

/* Takes `behind`; `control` is borrowed. */
struct target *target_tap_new(struct target *behind, struct target_tap_control *control,
                              const struct target_tap_link *link);

/* The time that the link's model has cost so far, which is also waited for. */
uint64_t target_tap_waited_us(const struct target *self);

/* "slow:LATENCY_MS:KILOBYTES_PER_S:TARGET" taken apart: returns TARGET, which points into
 * `spec`, and fills in `link`; other descriptions come back whole, with `link` zero. */
const char *target_tap_parse(const char *spec, struct target_tap_link *link);
