/* decode-job.h: a capture becomes a recording behind the window
 *
 * Runs decode_capture() in a thread of its own and brings progress and the end to
 * the main thread. Knows no widget.
 */
#pragma once

#include <glib.h>

typedef struct decode_job decode_job;

typedef void (*decode_job_progress_fn)(double share, gpointer data);
/* `recording` is the path written, or NULL where `error` is set (cancelled too). The
 * job is gone after it. */
typedef void (*decode_job_done_fn)(const char *recording, const GError *error, gpointer data);

/* The capture's system.ini is used where it has one. */
decode_job *decode_job_start(const char *capture, const char *recording,
                             decode_job_progress_fn progress, decode_job_done_fn done,
                             gpointer data);

/* The end comes by `done`, soon. */
void decode_job_cancel(decode_job *self);

/* Nothing is called any more; the thread ends by itself. */
void decode_job_abandon(decode_job *self);
