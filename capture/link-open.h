/* link-open.h: a link from its name */
#pragma once

#include "capture/board.h"
#include "capture/link.h"

/* "openocd:[HOST[:PORT]]", "devmem[:FILE]". The board says which access ports. Other names
 * (sysfs, qemu) are no register links and are an error here. */
struct link *link_open(const char *name, const struct board *board, GError **error);
