/* engine-opencsd-etm4.h: ETMv4 packets to events, through OpenCSD
 *
 * The ETMv4 half of engine_opencsd_new(); see engine.h for the interface. Beyond
 * OpenCSD's packet processor it does two things: it looks for A-sync itself, so that
 * a corrupt byte costs no more trace than up to the next A-sync, and it says nothing
 * between bad data and that point.
 */
#pragma once

#include "decode/engine.h"

/* With `flow` (NULL: none) also what EL2 executed, by OpenCSD's full decoder. */
struct engine *engine_opencsd_etm4_new(const struct snapshot_device *device, trace_event_fn emit,
                                       const struct engine_flow *flow, gpointer user_data,
                                       GError **error);

/* See engine_why_not(). */
char *engine_opencsd_etm4_why_not(const struct snapshot_device *device);
