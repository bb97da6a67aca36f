/* target-coresight.h: a real board as a target of the awareness rooms
 *
 * "coresight:LINK+BOARD", as in coresight:openocd:localhost:6666+zynqmp: cores by
 * external debug (capture/coresight/debug.h), physical memory by the link's memory
 * access port. It stands here because it joins two ground rooms that know
 * nothing of each other.
 *
 * Memory is read past the caches: what a core has written and not yet cleaned is not
 * seen. Hypervisors and kernels run with their tables cached, so a board shows now
 * and then a page table entry of a moment ago; docs/zcu102.md says more.
 */
#pragma once

#include "awareness/target/target.h"

enum {
	TARGET_CORESIGHT_LINE_BYTES = 1024,
};

/* Halts all cores that have power. `where` is what follows "coresight:". */
struct target *target_coresight_open(const char *where, GError **error);

/* target_open, with coresight: as well. */
struct target *target_open_any(const char *spec, GError **error);
