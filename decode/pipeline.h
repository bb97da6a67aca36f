/* pipeline.h: a capture directory in, a recording out
 *
 * Runs every source of a capture through its engine (in threads), settles one time
 * base for all of them, and writes the recording. The only place of this room that
 * knows files and the schema's writer; the parts it calls are pure.
 */
#pragma once

#include "base/system-file.h"

#include <glib.h>

/* How far decoding is. Called on the caller's thread about ten times a second;
 * returning FALSE cancels. */
typedef gboolean (*decode_progress_fn)(guint64 done_bytes, guint64 total_bytes, gpointer user_data);

struct decode_options {
	const struct system_file *system; /* NULL: none */
	guint jobs;                       /* threads; 0: one a processor */
	gsize block_bytes;                /* of trace read at a time; 0: as suits */
	decode_progress_fn progress;      /* may be NULL */
	gpointer progress_data;
	/* Leaves out what is made of the spans (vCPUs, runs, exits, requests): to measure what
	 * that costs. */
	gboolean spans_only;
};

/* Decodes the capture directory at `capture_path` into the recording at
 * `recording_path`, which is replaced when all went well and untouched otherwise.
 * A source that this version cannot decode is left out with a note in the
 * recording's quality, but where no source is left that is an error. */
gboolean decode_capture(const char *capture_path, const char *recording_path,
                        const struct decode_options *options, GError **error);
