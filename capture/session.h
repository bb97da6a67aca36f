/* session.h: one capture from a board, from plan to directory
 *
 * Plans which sources go through which path to which sink and refuses what the
 * board cannot do; checks clocks, identity, power and authentication; programs,
 * waits, stops and flushes in the order that the hardware needs; drains; puts every
 * register back that it changed; and writes a capture directory (snapshot.h). It
 * knows registers through the drivers in coresight/ only, and no trace format.
 *
 * Whatever happens, a failure included, the registers are restored as far as the
 * link still works, and trace that was drained is kept and marked as incomplete.
 */
#pragma once

#include "capture/board.h"
#include "capture/coresight/etm4.h"
#include "capture/coresight/tmc.h"
#include "capture/link.h"

#include <gio/gio.h>

enum session_preset {
	SESSION_PRESET_SCHEDULE, /* EL2 only, with address ranges where given: a long window */
	SESSION_PRESET_EXITS,    /* non-secure EL1 and EL2, with cycle counts */
	SESSION_PRESET_FULL,     /* everything non-secure, with cycle counts */
	SESSION_PRESET_DOMAIN,   /* as full, where the VMID is filter_value */
	SESSION_PRESET_TASK,     /* as full, where the context ID is filter_value */
	SESSION_PRESET_STM,      /* software trace only */
};

struct session_memory {
	guint64 start_pa;
	guint64 len_bytes;
};

/* Trace has stopped and is safe in the sink. */
struct session_stopped {
	const char *dir;    /* where the capture is being written: a file put there is part of it */
	gboolean has_ticks; /* the board has a TSGEN */
	guint64 ticks;      /* trace timestamp: no later than now */
	/* Trace timestamp less system counter, where both could be read and tick alike. */
	gboolean has_offset;
	gint64 offset_ticks;
};

/* Called once, between stop and drain, from the session's thread. The session's link stands
 * still meanwhile; another one may be used, to halt cores as well. */
typedef void (*session_stopped_fn)(gpointer data, const struct session_stopped *stopped);

struct session_config {
	enum session_preset preset;
	const char *sink;     /* component name: "etf1", "etf2", "etr", "tpiu" */
	guint64 cores;        /* bit mask; 0: all that the board has */
	gboolean with_stm;    /* the STM as well as the trace units */
	guint64 filter_value; /* VMID or context ID */
	struct etm4_range ranges[ETM4_MAX_RANGES];
	guint n_ranges;
	gboolean stall;
	gboolean take;  /* take components that somebody else has left on */
	guint64 for_us; /* how long to trace; 0: until `stop`, or until a trigger */
	gint stop_core; /* stop when this core halts (CTI); -1: not */
	/* An ETR's buffer. len_bytes 0: not stated, and an ETR is refused. By giving it the
	 * user states that it is reserved. */
	struct session_memory buffer;
	const struct session_memory *in_use; /* RAM of the host or of domains */
	guint n_in_use;
	guint tpiu_width;      /* pins; 0: 16 */
	const char *tpiu_file; /* what the analyser recorded, raw; needed with a TPIU */
	const char *out_dir;
	session_stopped_fn stopped; /* may be NULL */
	gpointer stopped_data;
};

enum session_phase {
	SESSION_CHECK,
	SESSION_PROGRAM,
	SESSION_RUN,
	SESSION_STOP,
	SESSION_DRAIN,
	SESSION_RESTORE,
	SESSION_WRITE,
};

/* Called between steps, from the session's thread. Bytes are 0 outside SESSION_DRAIN; in
 * SESSION_RUN done/total are microseconds (total 0: open end). */
typedef void (*session_progress_fn)(gpointer data, enum session_phase phase, guint64 done,
                                    guint64 total);

struct session_source {
	guint component;
	gint core; /* -1: the STM */
	guint8 trace_id;
	struct etm4_config etm;
	struct etm4_ids ids;
};

/* What would be done. Made without touching the target. */
struct session_plan {
	const struct board *board;
	guint sink;
	GArray *sources;     /* struct session_source */
	GArray *components;  /* guint, from the sink to the sources, without those */
	GArray *ports;       /* guint32, parallel: funnel ports, replicator output */
	gint tsgen;          /* component, or -1 */
	double rate_bytes_s; /* expected, from published figures; 0: not known */
	double window_s;     /* how long the sink lasts at that rate */
	guint64 sink_bytes;  /* 0: does not fill (TPIU) */
	GPtrArray *doubts;   /* facts marked [S] or [U] that the plan rests on, one line each */
};

struct session_result {
	guint64 trace_bytes;
	gboolean wrapped;
	guint64 drain_us;
	char *incomplete; /* why trace is missing at the end, or NULL */
	char *write_log;  /* every register write, sequence_text's form */
	GPtrArray *notes;
};

struct session_plan *session_plan_new(const struct board *board,
                                      const struct session_config *config, GError **error);
void session_plan_free(struct session_plan *plan);
typedef struct session_plan SessionPlan; /* for g_autoptr(SessionPlan) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SessionPlan, session_plan_free)

/* The register accesses of the start and of the stop, as sequence_text gives them. A trace
 * unit's resources are taken to be a Cortex-A53's. Free with g_free. */
char *session_plan_text(const struct session_plan *plan, const struct session_config *config);

/* Runs it. `stop`, may be NULL: while tracing, it ends the run and what is there is drained;
 * before, it ends the session; while draining, what is drained is kept. On FALSE, `result`
 * says in `incomplete` whether a directory was written nonetheless. */
gboolean session_run(const struct session_plan *plan, const struct session_config *config,
                     struct link *link, GCancellable *stop, session_progress_fn progress,
                     gpointer progress_data, struct session_result *result, GError **error);
void session_result_clear(struct session_result *result);

const char *session_phase_name(enum session_phase phase);
/* "schedule" ...; NULL beyond the last one. */
const char *session_preset_name(guint preset);
