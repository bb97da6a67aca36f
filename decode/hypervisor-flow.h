/* hypervisor-flow.h: which functions the hypervisor went through
 *
 * Runs a source's trace once more, through OpenCSD's full decoder, with the hypervisor's code
 * as memory: guests' code is not known to it and is passed over. Notes each entry to a
 * function that means something (hypervisor-image.h) in the source's `calls`, at the same
 * places that its events have. Decides nothing.
 */
#pragma once

#include "decode/hypervisor-image.h"
#include "decode/source.h"

/* After decode_source_run(), from the same or another thread. Where OpenCSD's full decoder
 * gives up, what came before stays and a quality note says so. */
void hypervisor_flow_run(struct decode_source *source, const struct hypervisor_image *image);
