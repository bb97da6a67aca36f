/* capture-qemu.h: `hvscope capture --link qemu`
 *
 * The part of the verb that runs a system in QEMU with the virtual ETM;
 * verb-capture.c chooses it. argv[0] is "capture".
 */
#pragma once

#include <glib.h>

/* Whether the arguments ask for it: --link qemu, before any "--". */
gboolean capture_qemu_wanted(int argc, char **argv);

int capture_qemu_run(int argc, char **argv);
