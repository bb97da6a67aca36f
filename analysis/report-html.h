/* report-html.h: a recording's report as one HTML file
 *
 * Self-contained (no script, no link, pictures as inline SVG), for paper and for a phone:
 * what was captured, who used the processors, what vCPUs did, exits, overhead, latency,
 * backend, method and limits. Makes its tables of analysis/figures.h, so it says what the
 * text reports say. The recording is untrusted: every text from it is escaped.
 */
#pragma once

#include "analysis/schedule.h"

/* Writes `path`, or leaves it as it was. Errors: RECORDING_ERROR, EXPORT_ERROR,
 * G_IO_ERROR, G_FILE_ERROR. */
gboolean report_html_write(recording_reader *reader, const char *path, GError **error);
