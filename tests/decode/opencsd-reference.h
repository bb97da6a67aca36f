/* opencsd-reference.h: what OpenCSD itself says of a capture's source
 *
 * The oracle of the engine tests: OpenCSD's own frame demultiplexer and packet
 * processor (or full decoder) over a whole buffer, in one piece, with nothing of ours
 * in between. Events come out as lines of text, one shape for both sides of a
 * comparison.
 */
#pragma once

#include "capture/snapshot.h"
#include "decode/event.h"

/* Lines of the packets of `source` (ETMv4) in its first buffer, in order:
 * GPtrArray of char *. */
GPtrArray *reference_packets(const struct snapshot *snapshot, const struct snapshot_source *source);

/* The same of the full decoder's elements, with the memory images of the source's core. */
GPtrArray *reference_elements(const struct snapshot *snapshot,
                              const struct snapshot_source *source);

/* Lines of our engine's events for the same source. */
GPtrArray *engine_lines(const struct snapshot *snapshot, const struct snapshot_source *source);
