/* export.h: a recording's range as a file of another format
 *
 * SVG, PDF and PNG are the picture (picture/page.h); CSV, Chrome JSON and Perfetto
 * are its intervals. Each call writes exactly one file, or none on failure. Reads
 * the recording through a reader of its own caller; knows no window.
 */
#pragma once

#include "analysis/export/output.h"
#include "analysis/picture/picture.h"

#define EXPORT_ERROR (export_error_quark())
GQuark export_error_quark(void);

enum export_error {
	EXPORT_ERROR_RANGE, /* nothing of the recording lies in it */
	EXPORT_ERROR_LANE,  /* no such lane */
};

enum export_format {
	EXPORT_SVG,
	EXPORT_PDF,
	EXPORT_PNG,
	EXPORT_CSV,
	EXPORT_CHROME,
	EXPORT_PERFETTO,
	EXPORT_FORMATS
};

const char *export_format_name(enum export_format format);
gboolean export_format_parse(const char *text, enum export_format *out);

struct export_options {
	enum export_format format;
	gint64 from_ns;
	gint64 to_ns;   /* exclusive; 0: the window's end */
	char **lanes;   /* ids, or patterns with * and ?; NULL: as a window shows at first */
	guint width_px; /* of the page, at scale 1 */
	double scale;   /* PNG: pixels for one of the page */
	enum theme_kind theme;
	enum colour_by colour_by;
};

void export_options_init(struct export_options *self);

/* Errors: RECORDING_ERROR, EXPORT_ERROR, G_IO_ERROR. */
gboolean export_file(recording_reader *reader, const struct export_options *options,
                     const char *path, GError **error);

/* What the writers of one format get. */
struct export_job {
	recording_reader *reader;
	const struct export_options *options;
	gint64 from_ns;
	gint64 to_ns;
	struct lane_set lanes;
	GPtrArray *tracks; /* struct track */
	GArray *shown;     /* guint: indexes of lanes, in order */
};

/* Whether one of the shown lanes takes that core's, that owner's time. */
gboolean export_takes_track(const struct export_job *job, guint track);
/* What a track is called among all others: "dom0 vCPU 0". Free the result. */
char *export_track_name(const struct track *track);
gboolean export_takes(const struct export_job *job, guint core, guint owner);

gboolean export_svg(const struct export_job *job, output_file *output, GError **error);
gboolean export_pdf(const struct export_job *job, output_file *output, GError **error);
gboolean export_png(const struct export_job *job, output_file *output, GError **error);
gboolean export_csv(const struct export_job *job, output_file *output, GError **error);
gboolean export_chrome(const struct export_job *job, output_file *output, GError **error);
gboolean export_perfetto(const struct export_job *job, output_file *output, GError **error);
