/* timebase-anchors.h: which of a source's timestamps are to be believed
 *
 * The part of timebase.c that gives each timestamp its nanoseconds and drops what ran
 * backward or jumped: damaged trace has such. For timebase.c alone; the time base owns
 * the anchors.
 */
#pragma once

#include "decode/timebase.h"

/* Sets time_ns of each anchor and drops the implausible ones. self->config and
 * self->clock are set. */
void timebase_settle_anchors(struct timebase *self);
