/* reader.h: reads a recording
 *
 * Opens NAME.hvs read-only and hands out its rows as the structs of rows.h. It
 * interprets nothing: sums, names and pictures are made above it. A recording is
 * untrusted: what does not fit its table's rules (hvscope.sql) is an error, never
 * a row.
 *
 * One reader belongs to one thread; a second thread opens a second reader. The
 * small tables are read at open and do not change, so other threads may read
 * those arrays while the reader lives.
 */
#pragma once

#include "schema/db.h"
#include "schema/lod.h"
#include "schema/rows.h"

typedef struct recording_reader recording_reader;

/* Errors: RECORDING_ERROR, with what to do where something can be done. */
recording_reader *recording_reader_new(const char *path, GError **error);
void recording_reader_free(recording_reader *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(recording_reader, recording_reader_free)

/* Whether the file begins like a recording, without saying that it is sound. */
gboolean recording_probe(const char *path);

const char *recording_reader_path(const recording_reader *self);
gint64 recording_reader_window_ns(const recording_reader *self);

/* A value of meta, or NULL. Keys are documented in hvscope.sql. */
const char *recording_reader_meta(const recording_reader *self, const char *key);

/* A value of meta that is a whole number; FALSE where it is absent or no number. */
gboolean recording_reader_meta_int(const recording_reader *self, const char *key, gint64 *out);

/* All of a small table, in order of its key. The arrays belong to the reader. An
 * owner's index is its number in spans and accounts. */
const struct row_core *recording_reader_cores(const recording_reader *self, gsize *n);
const struct row_owner *recording_reader_owners(const recording_reader *self, gsize *n);
const struct row_machine *recording_reader_machines(const recording_reader *self, gsize *n);
const struct row_task *recording_reader_tasks(const recording_reader *self, gsize *n);
/* A name's index is row_owner.task_name less 1. */
const struct row_task_name *recording_reader_task_names(const recording_reader *self, gsize *n);
/* By VMID and number; a vCPU's index is its number in runs and exits. */
const struct row_vcpu *recording_reader_vcpus(const recording_reader *self, gsize *n);

/* The hypervisor's functions that exits and calls name, by index; none where its code was not
 * given to the decoder. */
const struct row_function *recording_reader_functions(const recording_reader *self, gsize *n);

/* One row of account: a core's time with one owner, summed over the window. */
struct row_account {
	guint core;
	guint owner;
	gint64 time_ns; /* halted_ns included */
	guint64 cycles;
	gint64 halted_ns;
	guint64 spans;
};

/* Take one row, valid during the call, and return whether to go on. */
typedef gboolean (*recording_span_fn)(const struct row_span *row, gpointer data);
typedef gboolean (*recording_gap_fn)(const struct row_gap *row, gpointer data);
typedef gboolean (*recording_exception_fn)(const struct row_exception *row, gpointer data);
typedef gboolean (*recording_stm_fn)(const struct row_stm *row, gpointer data);
typedef gboolean (*recording_quality_fn)(const struct row_quality *row, gpointer data);
typedef gboolean (*recording_quality_event_fn)(const struct row_quality_event *row, gpointer data);
typedef gboolean (*recording_account_fn)(const struct row_account *row, gpointer data);
typedef gboolean (*recording_hypervisor_call_fn)(const struct row_hypervisor_call *row,
                                                 gpointer data);
typedef gboolean (*recording_vcpu_run_fn)(const struct row_vcpu_run *row, gpointer data);
typedef gboolean (*recording_exit_fn)(const struct row_exit *row, gpointer data);
typedef gboolean (*recording_request_fn)(const struct row_request *row, gpointer data);
typedef gboolean (*recording_lod_fn)(const struct row_lod *row, gpointer data);

/* The rest go row by row, in order of their key. Rows of time that touch
 * [from_ns, to_ns) are given whole, not clipped. All return TRUE also where the
 * callback stopped them. */
gboolean recording_reader_spans(recording_reader *self, guint core, gint64 from_ns, gint64 to_ns,
                                recording_span_fn fn, gpointer data, GError **error);
gboolean recording_reader_gaps(recording_reader *self, guint core, gint64 from_ns, gint64 to_ns,
                               recording_gap_fn fn, gpointer data, GError **error);
gboolean recording_reader_exceptions(recording_reader *self, guint core, gint64 from_ns,
                                     gint64 to_ns, recording_exception_fn fn, gpointer data,
                                     GError **error);
/* Every message, with and without a time, in the order of the trace. */
gboolean recording_reader_stm(recording_reader *self, recording_stm_fn fn, gpointer data,
                              GError **error);
gboolean recording_reader_quality(recording_reader *self, recording_quality_fn fn, gpointer data,
                                  GError **error);
gboolean recording_reader_quality_events(recording_reader *self, recording_quality_event_fn fn,
                                         gpointer data, GError **error);
gboolean recording_reader_account(recording_reader *self, recording_account_fn fn, gpointer data,
                                  GError **error);

/* What one vCPU did, and each core's visits to EL2 that a guest's exception began: rows
 * that touch [from_ns, to_ns), in order of their start. */
gboolean recording_reader_vcpu_runs(recording_reader *self, guint vcpu, gint64 from_ns,
                                    gint64 to_ns, recording_vcpu_run_fn fn, gpointer data,
                                    GError **error);
/* How many spans a core has, and how far their starts may be off: the sum, and the most. */
gboolean recording_reader_uncertainty(recording_reader *self, guint core, guint64 *spans,
                                      double *sum_ns, gint64 *max_ns, GError **error);

/* Calls of one core in [from_ns, to_ns), in order of time. */
gboolean recording_reader_hypervisor_calls(recording_reader *self, guint core, gint64 from_ns,
                                           gint64 to_ns, recording_hypervisor_call_fn fn,
                                           gpointer data, GError **error);
gboolean recording_reader_exits(recording_reader *self, guint core, gint64 from_ns, gint64 to_ns,
                                recording_exit_fn fn, gpointer data, GError **error);
/* Every request. */
gboolean recording_reader_requests(recording_reader *self, recording_request_fn fn, gpointer data,
                                   GError **error);

/* The coarsest level whose buckets are no wider than `max_width_ns`; *has_level is
 * FALSE where the core has none so fine: read its spans then. */
gboolean recording_reader_lod_level(recording_reader *self, guint core, gint64 max_width_ns,
                                    gboolean *has_level, guint *level, GError **error);

/* Buckets of that level that touch [from_ns, to_ns). */
gboolean recording_reader_lod(recording_reader *self, guint core, guint level, gint64 from_ns,
                              gint64 to_ns, recording_lod_fn fn, gpointer data, GError **error);
