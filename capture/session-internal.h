/* session-internal.h: what the session's files share
 *
 * session-plan.c turns a plan into sequences, session.c runs them, session-output.c
 * stores trace and registers and writes the directory. For nobody else.
 */
#pragma once

#include "capture/coresight/sequence.h"
#include "capture/session.h"
#include "capture/snapshot-writer.h"

void session_program_sink(struct sequence *program, const struct session_plan *plan,
                          const struct session_config *config);
/* `skip`, parallel to plan->components, or NULL. */
void session_program_path(struct sequence *program, const struct session_plan *plan,
                          const struct session_config *config, const gboolean *skip);
void session_program_sources(struct sequence *program, const struct session_plan *plan,
                             guint32 timestamp_hz);
/* Sources and sink. */
void session_program_stop(struct sequence *program, const struct session_plan *plan);
/* Sink and links, after draining. */
void session_program_off(struct sequence *program, const struct session_plan *plan);

struct saved_register {
	guint component;
	const char *name;
	guint64 value;
};

struct session {
	const struct session_plan *plan;
	const struct session_config *config;
	struct access access;
	GCancellable *stop;
	session_progress_fn progress;
	gpointer progress_data;
	struct session_result *result;
	gboolean *skip;      /* parallel to plan->components */
	GArray *registers;   /* struct saved_register */
	gboolean programmed; /* something may be on */
	struct tmc_status status;
	guint64 tsgen_start, tsgen_end;
	guint64 counter_start, counter_end;
	guint32 tsgen_hz;
	gint64 wall_start_us;
	SnapshotWriter *writer;
	char *trace_path;
	char *ballast_path;
	int trace_fd;
};

void session_report(struct session *self, enum session_phase phase, guint64 done, guint64 total);
void session_note(struct session *self, const char *format, ...) G_GNUC_PRINTF(2, 3);
const struct session_source *session_source_at(const struct session *self, guint i);
const char *session_name_of(const struct session *self, guint component);

/* The sources' registers as they are now, for the capture. What cannot be read is left out. */
void session_save_registers(struct session *self);
gboolean session_open_trace(struct session *self, GError **error);
/* A tmc_drain_fn. */
gboolean session_store(gpointer data, const guint8 *bytes, gsize len_bytes, GError **error);
/* Ends the trace file and writes the directory. */
gboolean session_write_capture(struct session *self, GError **error);
