/* perf-file.h: writes perf.data as perf does
 *
 * For tests: a capture's trace with CoreSight metadata v0, v1 or v2, per CPU or per
 * thread, AUX data cut into records.
 */
#pragma once

#include "capture/snapshot.h"

struct perf_file_options {
	guint version; /* of the metadata: 0, 1, 2 */
	gboolean per_thread;
	guint64 record_bytes; /* an AUX record each; 0: one for all */
	guint64 aux_flags;    /* of every record but the first */
	gboolean pipe;        /* `perf record -o -` */
	gboolean whole;       /* the AUX data in one record, else in two */
};

/* The snapshot has one buffer of frames and ETMv4 sources. */
GByteArray *perf_file_from_snapshot(const struct snapshot *snapshot,
                                    const struct perf_file_options *options);
