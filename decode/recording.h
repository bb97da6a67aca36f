/* recording.h: what was decoded, as rows of a recording
 *
 * Takes the sources that pipeline.h has run and settled and writes their rows. Does no
 * decoding and decides nothing about time but the window.
 */
#pragma once

#include "base/system-file.h"
#include "decode/hypervisor-image.h"
#include "decode/source.h"
#include "schema/writer.h"

/* A source that was not decoded. */
struct decode_refusal {
	const struct snapshot_source *source;
	char *why;
};

struct decode_result {
	const struct snapshot *snapshot;
	const struct system_file *system; /* NULL: none */
	GPtrArray *sources;               /* struct decode_source *, run and settled */
	GArray *refusals;                 /* struct decode_refusal */
	struct timebase_config time;
	const char *timestamp_hz_source; /* "system-file", "capture" or "assumed" */
	char *identity;                  /* SHA-256 of the capture */
	struct hypervisor_image *image;
	gboolean spans_only; /* no vCPUs, runs, exits, requests */
};

gboolean decode_result_write(const struct decode_result *self, struct recording_writer *writer,
                             GError **error);
