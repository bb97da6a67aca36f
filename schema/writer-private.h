/* writer-private.h: what the halves of the writer share
 *
 * writer.c makes the file and takes what was traced; writer-vcpu.c takes what was
 * made of it. For the schema room only.
 */
#pragma once

#include "schema/batch-vtab.h"
#include "schema/db.h"
#include "schema/packed.h"
#include "schema/partial-file.h"
#include "schema/span-vtab.h"
#include "schema/writer.h"

enum statement {
	STATEMENT_META,
	STATEMENT_CORE,
	STATEMENT_MACHINE,
	STATEMENT_TASK,
	STATEMENT_TASK_NAME,
	STATEMENT_OWNER,
	STATEMENT_OWNER_NAME,
	STATEMENT_SPANS,
	STATEMENT_ACCOUNT,
	STATEMENT_UNCERTAINTY,
	STATEMENT_LOD,
	STATEMENT_GAP,
	STATEMENT_EXCEPTION,
	STATEMENT_STM,
	STATEMENT_QUALITY,
	STATEMENT_QUALITY_EVENT,
	STATEMENT_VCPU,
	STATEMENT_VCPU_RUN,
	STATEMENT_EXIT,
	STATEMENT_PACKED,
	STATEMENT_FUNCTION,
	STATEMENT_CALL,
	STATEMENT_REQUEST,
	STATEMENTS
};

enum packed_kind {
	PACKED_RUNS,
	PACKED_EXITS,
	PACKED_KINDS
};

/* The blob of packed rows under way. */
struct packer {
	GByteArray *bytes; /* NULL before the first row */
	struct packed_state state;
	gint64 lane, last_ns;
	guint n_rows, n_blobs;
	gboolean unordered; /* rows came out of order: nothing is packed */
};

struct recording_writer {
	struct partial_file file;
	struct db db;
	sqlite3_stmt *statements[STATEMENTS]; /* prepared on first use */
	struct span_source source;            /* what hvscope_spans shows */
	GArray *owners;                       /* struct row_owner, by index */
	GHashTable *owner_index;              /* struct row_owner * -> index + 1 */
	guint n_task_names;                   /* written so far */
	GHashTable *cores;                    /* core number + 1, of core rows */
	GHashTable *span_cores;               /* core number + 1, of cores with spans */
	guint n_vcpus;                        /* rows of vcpu */
	guint n_functions;                    /* rows of hypervisor_function */
	gint64 window_ns;                     /* from meta, or -1 */
	gint64 end_ns;                        /* of the last span of any core */
	gint64 sequence;                      /* running number of gaps, exceptions, .. */
	gboolean failed;                      /* half-written: it can only be dropped */
	struct packer packers[PACKED_KINDS];
	/* Rows that are not in their table yet, and how SQLite sees them. */
	GArray *pending_runs;  /* struct row_vcpu_run */
	GArray *pending_exits; /* struct row_exit */
	struct batch_source batch_runs, batch_exits;
};

/* writer-batch.c: rows that go into their tables many at a time. */
void writer_batch_init(struct recording_writer *self);
void writer_batch_deinit(struct recording_writer *self);
gboolean writer_batch_register(struct recording_writer *self, GError **error);
gboolean writer_flush_runs(struct recording_writer *self, GError **error);
gboolean writer_flush_exits(struct recording_writer *self, GError **error);

/* Packs a row that was written to its table. */
gboolean writer_pack_run(struct recording_writer *self, const struct row_vcpu_run *row,
                         GError **error);
gboolean writer_pack_exit(struct recording_writer *self, const struct row_exit *row,
                          GError **error);
gboolean writer_packed_finish(struct recording_writer *self, GError **error);
void writer_packed_free(struct recording_writer *self);

/* The statement, ready to be bound; NULL with `error` set where the writer cannot write. */
sqlite3_stmt *writer_statement(struct recording_writer *self, enum statement which, GError **error);

gboolean writer_run(struct recording_writer *self, sqlite3_stmt *statement, const char *doing,
                    GError **error);

static inline void bind_int(sqlite3_stmt *statement, int at, gint64 value)
{
	sqlite3_bind_int64(statement, at, value);
}

/* OWNER_NO_VALUE is NULL. */
static inline void bind_value(sqlite3_stmt *statement, int at, gint64 value)
{
	if (value == OWNER_NO_VALUE)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_int64(statement, at, value);
}
