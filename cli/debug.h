/* debug.h: what `hvscope debug` has beside the commands (debugger/command.h)
 *
 * Holds nothing.
 */
#pragma once

#include "debugger/command.h"

/* Reads commands from the terminal until the end of the input. */
gboolean debug_prompt(struct debug *self, GError **error);
