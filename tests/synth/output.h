/* output.h: where a synthetic system's trace and truth go
 *
 * One trace file (all sources through one CoreSight formatter), the truth (who had each
 * core when), marks (where in the file time can be read), and STM messages with their
 * truth. Owns the open files. It knows neither cores nor schedulers.
 */
#pragma once

#include <glib.h>
#include <stdio.h>

#include "capture/cs-formatter.h"
#include "capture/stp-encoder.h"
#include "tests/synth/scenario.h"

/* Where a reader can find its footing again after damage. */
enum synth_mark {
	SYNTH_MARK_SYNC,      /* A-sync begins */
	SYNTH_MARK_TIMESTAMP, /* a timestamp begins */
	SYNTH_MARK_OVERFLOW,  /* an overflow packet begins */
	SYNTH_MARK_DISCARD,
};

/* One interval of one core. Strings live as long as the scenario. */
struct synth_truth {
	guint core;
	guint64 start_ticks, end_ticks;
	guint64 cycles;
	const char *owner_class; /* "guest", ... as the recording names them */
	guint el;
	guint32 vmid, context_id;
	const char *vcpu; /* "" where none */
};

struct synth_output {
	const struct scenario *scenario;
	FILE *trace, *truth, *marks, *messages;
	struct cs_formatter formatter;
	struct stp_encoder stm;
	guint64 stm_bytes_at_sync;
	gboolean stm_started;
	gboolean failed; /* a write did not go through; errno of the first in `write_errno` */
	int write_errno;
};

/* Opens the files in `dir`, which exists. */
gboolean synth_output_open(struct synth_output *self, const struct scenario *scenario,
                           const char *dir, GError **error);

/* Flushes and closes; FALSE where any write failed. Must be called once after a
 * successful open. */
gboolean synth_output_close(struct synth_output *self, GError **error);

/* Bytes of a trace source. */
void synth_output_trace(struct synth_output *self, guint8 trace_id, const guint8 *bytes,
                        gsize len_bytes);

/* Something stands at the place where the next byte will be written. */
void synth_output_mark(struct synth_output *self, guint core, enum synth_mark mark,
                       guint64 at_ticks);

void synth_output_truth(struct synth_output *self, const struct synth_truth *truth);

/* A 32-bit marker with timestamp on `channel`. */
void synth_output_stm(struct synth_output *self, guint64 at_ticks, guint channel, guint64 value);

/* The names of the files in the capture directory. */
#define SYNTH_TRACE_FILE    "cstrace.bin"
#define SYNTH_TRUTH_FILE    "truth.csv"
#define SYNTH_MARKS_FILE    "marks.csv"
#define SYNTH_MESSAGES_FILE "truth-stm.csv"
