/* recordings.h: what the simulated board's sources emit */
#pragma once

#include "tests/sim/fixture.h"

/* Gives each source up to max_bytes of one trace ID of a recording of real hardware. FALSE
 * after g_test_skip where the recordings are not there. */
gboolean recordings_feed(struct fixture *f, gsize max_bytes);
