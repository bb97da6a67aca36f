/* core.h: one synthetic core and its trace unit
 *
 * Lives through what it is told (run, halt, exception, return, context change), emits the
 * ETMv4 packets that the scenario's trace settings make of it, and writes the truth.
 * Decides nothing by itself but the small change: where branches go, when a P0 element
 * is due. At the scenario's end it stops, whatever it is told. One core, one thread; `output` and
 * `scenario` outlive it.
 */
#pragma once

#include "capture/etm4-encoder.h"
#include "tests/synth/output.h"

/* Who has the core. */
struct synth_place {
	guint el;
	gboolean secure;
	guint32 vmid, context_id;
	const char *vcpu; /* "" where none; lives as long as the scenario */
};

/* Why there is no trace just now. */
enum synth_gap {
	SYNTH_GAP_NONE,
	SYNTH_GAP_OVERFLOW,
	SYNTH_GAP_OFF,
	SYNTH_GAP_DISCARD
};

struct synth_core {
	const struct scenario *scenario;
	struct synth_output *output;
	guint index;
	struct etm4_encoder encoder;
	guint64 random;

	guint64 now_ticks;
	guint64 busy_ticks;     /* the cycle counter runs with these */
	guint64 counted_cycles; /* at the last cycle count packet, or trace on */
	guint64 next_p0_cycles;
	guint64 last_timestamp_ticks;
	guint64 sync_at_bytes;   /* of this source */
	gboolean cycles_unknown; /* the next cycle count is, after an overflow */

	struct synth_place place;
	guint64 pc_va;
	gboolean traced; /* packets come out just now */
	gboolean ended;  /* the scenario is over: nothing happens any more */

	enum synth_gap gap;
	guint64 gap_end_ticks;
	guint next_event; /* into scenario->events */

	/* The truth row that is open. */
	struct synth_truth row;
	guint64 row_cycles; /* the core's when it began */
	gboolean row_halted;
};

void synth_core_init(struct synth_core *self, const struct scenario *scenario, guint index,
                     struct synth_output *output);

/* The scenario's start: tracing begins here. */
void synth_core_begin(struct synth_core *self, const struct synth_place *place);

/* Executes in the present place. */
void synth_core_run(struct synth_core *self, guint64 ticks);

/* WFI: the clock goes on, the cycle counter does not. */
void synth_core_halt(struct synth_core *self, guint64 ticks);

/* An exception of an enum etm4_exception_type, whose handler runs at `place`. */
void synth_core_exception(struct synth_core *self, guint type, const struct synth_place *place);

/* An exception return to `place`; to where it was left, if `target_va` is that. */
void synth_core_return(struct synth_core *self, const struct synth_place *place, guint64 target_va);

/* VMID or context ID changed under the running code. */
void synth_core_context(struct synth_core *self, const struct synth_place *place);

/* The hypervisor turns to another vCPU, which no packet tells: truth only. */
void synth_core_serve(struct synth_core *self, const char *vcpu);

/* No trace for so long, from now on. What happens meanwhile is simulated all the same. */
void synth_core_gap(struct synth_core *self, enum synth_gap gap, guint64 ticks);

/* Uniform in [min, max], the same for the same scenario and core. */
guint64 synth_core_random(struct synth_core *self, guint64 min, guint64 max);

/* The trace ID of core `index`, and the registers of its trace unit. */
guint8 synth_core_trace_id(guint index);
struct etm4_registers synth_core_registers(const struct scenario *scenario);
guint32 synth_core_victlr(const struct scenario *scenario);
