/* fault.h: damage to a finished trace file
 *
 * Applies the scenario's faults to cstrace.bin in a capture directory and works out from
 * marks.csv what each core lost. Offsets of faults are into the undamaged file.
 */
#pragma once

#include "tests/synth/scenario.h"

/* Rewrites the trace file and writes lost.csv (which has only its header line where the
 * scenario has no faults). Faults may not overlap.
 *
 * What is lost of a core: from its second last timestamp before the damage (the damage can
 * make the last one look wrong), to the second one after the first A-sync behind the damage and
 * behind an ID byte of the core's own source, where frames can be told apart again (never, after a
 * cut of no multiple of 16 bytes from plain frames); to the end where there is none. */
gboolean fault_apply(const struct scenario *scenario, const char *dir, GError **error);
