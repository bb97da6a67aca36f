/* import.h: foreign trace files made into capture directories
 *
 * perf.data with CoreSight trace (cs_etm), and raw dumps of a trace buffer (ETB, ETR,
 * trace port, one source's bytes) with the register values that the user gives. What
 * is a capture directory already needs no import. Trace bytes are copied, never
 * interpreted, but for the trace IDs that occur in frames.
 */
#pragma once

#include "capture/snapshot.h"

#define IMPORT_ERROR (import_error_quark())
GQuark import_error_quark(void);

enum import_error {
	IMPORT_ERROR_READ,
	IMPORT_ERROR_MALFORMED,   /* message: at which byte, what was expected and found */
	IMPORT_ERROR_UNSUPPORTED, /* compressed, another kind of trace, nothing in it */
	IMPORT_ERROR_VALUE,
};

struct import_result {
	guint n_sources;
	guint n_buffers;
	guint64 trace_bytes;
	guint n_gaps;     /* AUX records that say truncated, lost or collision */
	GPtrArray *notes; /* char *, one line each */
};

/* perf.data of `perf record -e cs_etm//...`: metadata v0, v1 and v2, per CPU and per thread.
 * Each AUX buffer becomes a trace buffer; between its AUX records stands a barrier (four
 * FSYNCs) where perf's kernel wrote none. `out_dir` as for snapshot_writer_new; timestamp_hz
 * 0: not known (perf.data does not say). */
gboolean import_perf(const char *path, const char *out_dir, guint64 timestamp_hz,
                     struct import_result *result, GError **error);

/* Reads perf.data in memory and writes nothing: how many CPUs have metadata, how many AUX buffers
 * there are and how many bytes are in them. `name` is for messages. */
gboolean import_perf_inspect(const guint8 *bytes, gsize len_bytes, const char *name,
                             struct import_result *result, GError **error);

struct import_register {
	const char *name;
	guint64 value;
};

/* One trace source of a raw dump, as the user describes it. */
struct import_source {
	const char *type; /* "ETM4", "ETE", "STM" ... */
	gint core;        /* -1: none */
	const char *core_type;
	GArray *registers; /* struct import_register */
};

struct import_raw {
	const char *path;
	enum snapshot_format format;
	GArray *sources;      /* struct import_source */
	guint64 timestamp_hz; /* 0: not known */
};

gboolean import_raw(const struct import_raw *raw, const char *out_dir, struct import_result *result,
                    GError **error);

void import_result_clear(struct import_result *result);

/* Which trace IDs occur in formatted frames. */
void import_ids_in_frames(const guint8 *frames, gsize len_bytes, gboolean ids[128]);
