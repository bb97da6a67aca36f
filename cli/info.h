/* info.h: the two halves of `hvscope info`
 *
 * A capture is described by its files and registers, nothing is decoded; a
 * recording by its tables. Each prints and returns an enum exit_code.
 */
#pragma once

#include "cli/verb.h"

int info_capture(const char *path, gboolean json, gboolean registers);
int info_recording(const char *path, gboolean json);
