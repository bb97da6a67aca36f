#include "analysis/export/export.h"

#include <string.h>

G_DEFINE_QUARK(hvscope - export - error, export_error)

static const struct {
	const char *name;
	gboolean (*write)(const struct export_job *job, output_file *output, GError **error);
} formats[EXPORT_FORMATS] = {
	[EXPORT_SVG] = { "svg", export_svg },
	[EXPORT_PDF] = { "pdf", export_pdf },
	[EXPORT_PNG] = { "png", export_png },
	[EXPORT_CSV] = { "csv", export_csv },
	[EXPORT_CHROME] = { "chrome", export_chrome },
	[EXPORT_PERFETTO] = { "perfetto", export_perfetto },
};

const char *export_format_name(enum export_format format)
{
	return formats[format].name;
}

gboolean export_format_parse(const char *text, enum export_format *out)
{
	for (guint i = 0; i < EXPORT_FORMATS; i++) {
		if (strcmp(formats[i].name, text) == 0) {
			*out = (enum export_format)i;
			return TRUE;
		}
	}
	return FALSE;
}

void export_options_init(struct export_options *self)
{
	*self = (struct export_options) { .width_px = 1200, .scale = 1 };
}

/* As a window shows it at first: folded lanes without what is in them. */
static gboolean lane_open(const struct lane_set *lanes, const struct lane *lane)
{
	while (lane->parent != LANE_NO_PARENT) {
		lane = lane_set_get(lanes, lane->parent);
		if (lane->folded)
			return FALSE;
	}
	return TRUE;
}

static gboolean choose_lanes(struct export_job *job, GError **error)
{
	char **wanted = job->options->lanes;
	g_autoptr(GArray) order = lane_set_order(&job->lanes);

	for (guint i = 0; wanted == NULL && i < order->len; i++) {
		const guint lane = g_array_index(order, guint, i);

		if (lane_open(&job->lanes, lane_set_get(&job->lanes, lane)))
			g_array_append_val(job->shown, lane);
	}
	for (gsize w = 0; wanted != NULL && wanted[w] != NULL; w++) {
		g_autoptr(GPatternSpec) pattern = g_pattern_spec_new(wanted[w]);
		const guint before = job->shown->len;

		for (guint i = 0; i < order->len; i++) {
			const guint index = g_array_index(order, guint, i);
			const struct lane *lane = lane_set_get(&job->lanes, index);

			if (g_pattern_spec_match_string(pattern, lane->id) ||
			    strcmp(lane->name, wanted[w]) == 0)
				g_array_append_val(job->shown, index);
		}
		if (job->shown->len == before) {
			g_set_error(error, EXPORT_ERROR, EXPORT_ERROR_LANE,
			            "no lane '%s' in %s; lanes are named like 'core/0', "
			            "'domain/NAME', 'domain/NAME/TASK', 'exits/*'",
			            wanted[w], recording_reader_path(job->reader));
			return FALSE;
		}
	}
	return TRUE;
}

gboolean export_takes_track(const struct export_job *job, guint track)
{
	for (guint i = 0; i < job->shown->len; i++) {
		const struct lane *lane =
			lane_set_get(&job->lanes, g_array_index(job->shown, guint, i));

		if (lane->kind == LANE_TRACK && lane->track == track)
			return TRUE;
	}
	return FALSE;
}

char *export_track_name(const struct track *track)
{
	if (track->kind == TRACK_VCPU)
		return g_strdup_printf("%s %s", track->below + strlen("domain/"), track->name);
	if (track->kind == TRACK_REQUESTS)
		return g_strdup_printf("Requests %s", track->name);
	return g_strdup(track->name);
}

gboolean export_takes(const struct export_job *job, guint core, guint owner)
{
	for (guint i = 0; i < job->shown->len; i++) {
		const struct lane *lane =
			lane_set_get(&job->lanes, g_array_index(job->shown, guint, i));

		if (lane->kind == LANE_OWNERS &&
		    (lane->core == LANE_ALL_CORES || lane->core == core) &&
		    (lane->owners == NULL || lane->owners[owner]))
			return TRUE;
	}
	return FALSE;
}

static gboolean choose_range(struct export_job *job, GError **error)
{
	const gint64 window_ns = recording_reader_window_ns(job->reader);

	job->from_ns = job->options->from_ns;
	job->to_ns = job->options->to_ns != 0 ? job->options->to_ns : MAX(window_ns, 1);
	job->to_ns = MIN(job->to_ns, MAX(window_ns, 1));
	if (job->from_ns >= 0 && job->from_ns < job->to_ns)
		return TRUE;
	g_set_error(error, EXPORT_ERROR, EXPORT_ERROR_RANGE,
	            "%s: nothing from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
	            " ns: the recording is %" G_GINT64_FORMAT " ns long",
	            recording_reader_path(job->reader), job->from_ns,
	            job->options->to_ns != 0 ? job->options->to_ns : window_ns, window_ns);
	return FALSE;
}

static void job_deinit(struct export_job *job)
{
	lane_set_deinit(&job->lanes);
	g_clear_pointer(&job->tracks, g_ptr_array_unref);
	g_clear_pointer(&job->shown, g_array_unref);
}

gboolean export_file(recording_reader *reader, const struct export_options *options,
                     const char *path, GError **error)
{
	struct export_job job = { .reader = reader, .options = options };
	g_autoptr(output_file) output = NULL;
	gboolean done;

	job.shown = g_array_new(FALSE, FALSE, sizeof(guint));
	lane_set_init(&job.lanes, reader);
	job.tracks = tracks_load(reader, NULL, error);
	done = job.tracks != NULL;
	if (done)
		tracks_add_lanes(job.tracks, &job.lanes);
	done = done && choose_range(&job, error) && choose_lanes(&job, error);
	if (done)
		output = output_new(path, error);
	done = done && output != NULL && formats[options->format].write(&job, output, error) &&
	       output_finish(output, error);
	job_deinit(&job);
	return done;
}
