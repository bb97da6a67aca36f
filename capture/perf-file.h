/* perf-file.h: what a perf.data file holds of CoreSight trace
 *
 * Reads the metadata of the trace units, the AUX buffers and the records that say where
 * perf stopped and started again (tools/perf/Documentation/perf.data-file-format.txt and
 * util/cs-etm.h of the Linux sources). It writes nothing and decodes nothing; inside the
 * importer only (import-perf.c).
 *
 * Everything in a file is untrusted. A perf_file borrows the bytes that it was made of.
 */
#pragma once

#include "capture/import.h"

struct perf_kind {
	guint64 magic;
	const char *type;
	const char *const *names; /* of the registers in the metadata */
	guint n_names;            /* and so many values in metadata v0 */
};

/* One CPU's block of the metadata. */
struct perf_cpu {
	const struct perf_kind *kind;
	guint64 number;
	guint64 values[8];
	guint n_values;
	gboolean has_hw_id;
	guint8 trace_id;
};

/* A piece of an AUX buffer: trace between two stops. */
struct perf_piece {
	guint64 offset, len_bytes;
	guint64 flags;
};

/* Bytes of one AUXTRACE record, in the AUX buffer's own count. */
struct perf_chunk {
	guint64 offset;
	const guint8 *bytes;
	guint64 len_bytes;
};

/* One AUX buffer. */
struct perf_queue {
	guint32 index;
	gint32 cpu;     /* -1: a thread's */
	GArray *chunks; /* struct perf_chunk */
};

struct perf_file {
	const char *path; /* for messages */
	const guint8 *bytes;
	guint64 len_bytes;
	GArray *cpus;       /* struct perf_cpu */
	GArray *queues;     /* struct perf_queue */
	GHashTable *pieces; /* CPU (gint64) -> GArray of struct perf_piece; -1: without a CPU */
	guint64 pmu_type;
	guint64 sample_type;
	gboolean has_sample_id;
	guint64 metadata_version;
	gboolean metadata_only; /* the first of two passes */
};

void perf_file_init(struct perf_file *self, const char *path, const guint8 *bytes, gsize len_bytes);
void perf_file_deinit(struct perf_file *self);

/* Reads all records. Errors: IMPORT_ERROR_MALFORMED with the byte, IMPORT_ERROR_UNSUPPORTED. */
gboolean perf_file_read(struct perf_file *self, GError **error);

/* An AUX buffer's trace, with a barrier wherever perf stopped and started again. *is_raw: it
 * has no frames. Counts gaps and notes what is not known in `result`. Free with
 * g_byte_array_unref. */
GByteArray *perf_queue_assemble(const struct perf_file *self, const struct perf_queue *queue,
                                struct import_result *result, gboolean *is_raw);
