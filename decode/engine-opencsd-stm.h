/* engine-opencsd-stm.h: STM (STPv2) packets to events, through OpenCSD
 *
 * The STM half of engine_opencsd_new(); see engine.h for the interface. Master and
 * channel are taken from the packets: OpenCSD 1.3.3's full decoder does not reset
 * them at a VERSION packet (MIPI STPv2, 6.2), its packet processor does.
 */
#pragma once

#include "decode/engine.h"

struct engine *engine_opencsd_stm_new(const struct snapshot_device *device, trace_event_fn emit,
                                      gpointer user_data, GError **error);
