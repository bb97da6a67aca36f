/* writer.h: writes a recording
 *
 * Takes rows and makes NAME.hvs, an SQLite database that hvscope.sql documents.
 * Writes to a temporary name beside NAME and renames it when finished: NAME is
 * either absent, the old file, or complete. Fills the aggregates (account) and
 * the levels of detail while spans go by. Knows no trace packets and does not
 * judge the rows, but for what would break the tables (see spans).
 *
 * One writer belongs to one thread.
 */
#pragma once

#include "schema/rows.h"

typedef struct recording_writer recording_writer;

/* Begins NAME.hvs at `path`. An existing recording is replaced on finish. */
struct recording_writer *recording_writer_new(const char *path, GError **error);

/* Drops everything written and removes the temporary file, unless finished. */
void recording_writer_free(struct recording_writer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(recording_writer, recording_writer_free)

/* meta: one value a key; setting a key again replaces it. Keys are documented in
 * hvscope.sql. */
gboolean recording_writer_meta(struct recording_writer *self, const char *key, const char *value,
                               GError **error);
gboolean recording_writer_meta_int(struct recording_writer *self, const char *key, gint64 value,
                                   GError **error);

gboolean recording_writer_core(struct recording_writer *self, const struct row_core *row,
                               GError **error);
gboolean recording_writer_machine(struct recording_writer *self, const struct row_machine *row,
                                  GError **error);
gboolean recording_writer_task(struct recording_writer *self, const struct row_task *row,
                               GError **error);

/* In order of machine, context ID and time; the first is index 0. Owners may name those
 * that were written before. */
gboolean recording_writer_task_name(struct recording_writer *self, const struct row_task_name *row,
                                    GError **error);

/* The index of this owner, the same for equal owners; the first call adds it. */
guint recording_writer_owner(struct recording_writer *self, const struct row_owner *owner);

/* All spans of one core, in order: gapless and disjoint (each starts where the one
 * before ended), one call a core, cores in ascending order. `spans` are read in
 * one INSERT..SELECT from a virtual table; fills account and levels of detail.
 * Rows that are not in order are an error and nothing of the core is written. */
gboolean recording_writer_spans(struct recording_writer *self, guint core,
                                const struct row_span *spans, gsize n_spans, GError **error);

gboolean recording_writer_gap(struct recording_writer *self, const struct row_gap *row,
                              GError **error);
gboolean recording_writer_exception(struct recording_writer *self, const struct row_exception *row,
                                    GError **error);
gboolean recording_writer_stm(struct recording_writer *self, const struct row_stm *row,
                              GError **error);
gboolean recording_writer_quality(struct recording_writer *self, const struct row_quality *row,
                                  GError **error);
gboolean recording_writer_quality_event(struct recording_writer *self,
                                        const struct row_quality_event *row, GError **error);

/* vCPUs and what they did. Runs and exits go in in any order; each is checked against the
 * vCPUs written before it. */
gboolean recording_writer_vcpu(struct recording_writer *self, const struct row_vcpu *row,
                               GError **error);
gboolean recording_writer_vcpu_run(struct recording_writer *self, const struct row_vcpu_run *row,
                                   GError **error);
gboolean recording_writer_exit(struct recording_writer *self, const struct row_exit *row,
                               GError **error);
/* Functions before the exits and calls that name them. */
gboolean recording_writer_function(struct recording_writer *self, const struct row_function *row,
                                   GError **error);
gboolean recording_writer_hypervisor_call(struct recording_writer *self,
                                          const struct row_hypervisor_call *row, GError **error);
gboolean recording_writer_request(struct recording_writer *self, const struct row_request *row,
                                  GError **error);

/* Commits, and renames to the final name. The writer can then only be freed. */
gboolean recording_writer_finish(struct recording_writer *self, GError **error);
