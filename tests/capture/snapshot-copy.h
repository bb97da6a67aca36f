/* snapshot-copy.h: everything that a capture says, written once more
 *
 * For tests: what is read through snapshot.h goes out through snapshot-writer.h.
 */
#pragma once

#include "capture/snapshot-writer.h"

/* All devices, dumps, buffers, links, clusters and rates. The writer is not finished. */
void snapshot_copy(struct snapshot_writer *writer, const struct snapshot *snapshot);
