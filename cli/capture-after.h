/* capture-after.h: what `hvscope capture` does besides tracing
 *
 * Names of the target, taken while the trace waits in the sink to be drained, and the window
 * that shows the capture.
 */
#pragma once

#include "capture/session.h"

struct capture_names {
	const char *target; /* as `hvscope debug` takes it */
	const char *system; /* system file; NULL: none */
	gboolean run_on;    /* let the target run afterwards */
	GError *error;      /* why there are none; the caller's to free */
};

/* A session_stopped_fn; `data` is a struct capture_names. Writes names.ini into the capture,
 * where `hvscope decode` finds it. */
void capture_names_take(gpointer data, const struct session_stopped *stopped);

/* The window decodes the capture by itself. It outlives this program. */
gboolean capture_window_open(const char *dir, GError **error);
