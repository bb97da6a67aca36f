/* lane.h: one core's time, from places to nanoseconds
 *
 * Takes what a source gathered and a settled time base, and makes the core's spans:
 * gapless over the whole window, with idle time cut out of the hypervisor's. Pure:
 * reads and writes nothing.
 */
#pragma once

#include "decode/source.h"

/* Part of the core's time with one owner; times from the reference tick. */
struct lane_span {
	struct row_owner owner;
	enum span_certainty certainty;
	const char *gap_reason; /* LOST: static text */
	gint64 begin_ns, end_ns;
	gint64 halted_ns;
	gint64 uncertainty_ns;
	guint64 cycles;
	guint64 begin_offset, end_offset; /* of the formatted trace */
	gint segment;                     /* index in the source's segments, -1 where none */
};

/* When the source's trace began and ended. FALSE where its time is not known. */
gboolean lane_extent(const struct decode_source *source, gint64 *begin_ns, gint64 *end_ns);

/* The spans of one core over [window_begin_ns, window_end_ns): GArray of struct
 * lane_span, to be unreffed. `source` is NULL for a core without trace. Before the
 * first and after the last trace the core is unknown; a beginning without
 * synchronisation is lost from the window's start on. */
GArray *lane_spans(const struct decode_source *source, gint64 window_begin_ns,
                   gint64 window_end_ns);
