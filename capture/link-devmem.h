/* link-devmem.h: a target from inside, by /dev/mem
 *
 * Maps pages of /dev/mem as they are asked for: the CPU's view of components and of
 * memory. It runs on the target itself, as root; under Xen the window must be in
 * Dom0's stage 2 (list it in the host device tree) [U]. A component whose clock is
 * off can hang the bus here, which no software can catch: check the clocks first.
 */
#pragma once

#include "capture/link.h"

/* `path` NULL: /dev/mem. A plain file serves tests. */
struct link *link_devmem_new(const char *path, GError **error);
