/* snapshot-text.h: a capture as text, for tests
 *
 * Says everything that snapshot_open found in lines that a test can compare; the
 * registers and dumps of a device as a count. Owns nothing.
 */
#pragma once

#include "capture/snapshot.h"

/* Free with g_free. */
char *snapshot_text(const struct snapshot *snapshot);
