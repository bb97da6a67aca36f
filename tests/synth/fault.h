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
 * What is lost of a core: from its last mark before the damage, to the second timestamp
 * after the first A-sync that lies wholly behind the damage; to the end where there is
 * none. */
gboolean fault_apply(const struct scenario *scenario, const char *dir, GError **error);
