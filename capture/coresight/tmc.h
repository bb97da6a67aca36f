/* tmc.h: programs a Trace Memory Controller
 *
 * ETF, ETB and ETR are one design (CoreSight TMC TRM, DDI 0461): a circular buffer
 * as a sink, or a FIFO as a link between two parts of the network. This builds the
 * programs; draining is here as well, since it depends on what the pointers say.
 */
#pragma once

#include "capture/coresight/access.h"

/* What a stopped sink says about itself; kept with the capture. */
struct tmc_status {
	guint32 sts;
	gboolean full; /* it wrapped: the oldest trace is gone */
	gboolean memory_error;
	guint64 read_pointer, write_pointer;
	guint64 size_bytes; /* of the buffer */
	guint64 used_bytes; /* to be drained */
};

/* Fails where it is on already (CTL=1), unless `take`. */
gboolean tmc_check(struct access *access, guint component, gboolean take, GError **error);

/* Before any of the three below where somebody else may have left it on. */
void tmc_program_take(struct sequence *program, guint component);
/* As a sink in its own RAM. */
void tmc_program_sink(struct sequence *program, guint component);
/* As a link: trace passes through. */
void tmc_program_link(struct sequence *program, guint component);
/* An ETR as a sink in memory that nobody else owns. */
void tmc_program_memory_sink(struct sequence *program, guint component, guint64 buffer_pa,
                             guint32 buffer_bytes);
/* Adds to a started sink: stop when a trigger arrives at its flush input. */
void tmc_program_stop_on_trigger(struct sequence *program, guint component);
/* Flushes and stops; the sink can then be read. */
void tmc_program_stop(struct sequence *program, guint component);
/* After draining. */
void tmc_program_off(struct sequence *program, guint component);
/* Empties a link and switches it off. Skipped, the next session times out. */
void tmc_program_link_off(struct sequence *program, guint component);

gboolean tmc_read_status(struct access *access, guint component, struct tmc_status *status,
                         GError **error);

/* Called with what was drained, in order; FALSE with an error ends the drain. */
typedef gboolean (*tmc_drain_fn)(gpointer data, const guint8 *bytes, gsize len_bytes,
                                 GError **error);

/* Reads a stopped sink from its oldest byte on: an ETF through its RRD register, an ETR from
 * memory at its read pointer, in two parts where it wrapped. */
gboolean tmc_drain(struct access *access, guint component, const struct tmc_status *status,
                   guint64 buffer_pa, tmc_drain_fn drain, gpointer data, GError **error);
