#include "analysis/export/depths.h"
#include "analysis/export/export.h"
#include "analysis/picture/page.h"

/* Trace Event Format, JSON object form: complete events (ph X) one thread a core, and one for
 * each row that the items of a track need; what has no length is an instant (ph i). Times are
 * microseconds, with the nanoseconds as decimals. */
struct chrome {
	const struct export_job *job;
	output_file *output;
	guint core;     /* index */
	char **names;   /* of owners, escaped */
	gboolean comma; /* one event is there already */
};

enum {
	PID_CORES = 1,
	PID_TRACKS = 2
};

/* A string's inside, RFC 8259 section 7. */
static char *escaped(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	GString *out = g_string_new(NULL);

	for (const char *at = valid; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			g_string_append_printf(out, "\\%c", *at);
		else if ((guchar)*at < 0x20)
			g_string_append_printf(out, "\\u%04x", (guint)(guchar)*at);
		else
			g_string_append_c(out, *at);
	}
	return g_string_free(out, FALSE);
}

static void put_name(struct chrome *self, const char *what, int pid, guint tid, const char *name)
{
	g_autofree char *text = escaped(name);

	output_printf(self->output,
	              "%s{\"name\":\"%s\",\"ph\":\"M\",\"pid\":%d,\"tid\":%u,\"args\":{\"name\":"
	              "\"%s\"}}",
	              self->comma ? ",\n" : "", what, pid, tid, text);
	self->comma = TRUE;
}

static gboolean put_span(const struct row_span *row, gpointer data)
{
	const struct chrome *self = data;
	const struct export_job *job = self->job;
	const gint64 from_ns = MAX(row->start_ns, job->from_ns);
	const gint64 to_ns = MIN(row->start_ns + row->duration_ns, job->to_ns);

	if (!export_takes(job, self->core, row->owner) || to_ns < from_ns ||
	    (to_ns == from_ns && row->duration_ns > 0))
		return TRUE;
	output_printf(
		self->output,
		",\n{\"name\":\"%s\",\"ph\":\"X\",\"pid\":%d,\"tid\":%u,\"ts\":%" G_GINT64_FORMAT
		".%03d,\"dur\":%" G_GINT64_FORMAT ".%03d}",
		self->names[row->owner], PID_CORES, self->core + 1, from_ns / 1000,
		(int)(from_ns % 1000), (to_ns - from_ns) / 1000, (int)((to_ns - from_ns) % 1000));
	return output_ok(self->output);
}

static void put_item(struct chrome *self, const struct track *track, const struct track_item *item,
                     guint tid)
{
	const gint64 from_ns = MAX(item->start_ns, self->job->from_ns);
	const gint64 to_ns = MIN(item->start_ns + item->duration_ns, self->job->to_ns);
	g_autofree char *name = escaped(track_key_at(track, item->key)->name);

	output_printf(self->output,
	              ",\n{\"name\":\"%s\",\"ph\":\"%s\",\"pid\":%d,\"tid\":%u,"
	              "\"ts\":%" G_GINT64_FORMAT ".%03d",
	              name, item->duration_ns > 0 ? "X" : "i", PID_TRACKS, tid, from_ns / 1000,
	              (int)(from_ns % 1000));
	if (item->duration_ns > 0)
		output_printf(self->output, ",\"dur\":%" G_GINT64_FORMAT ".%03d}",
		              (to_ns - from_ns) / 1000, (int)((to_ns - from_ns) % 1000));
	else
		output_text(self->output, ",\"s\":\"t\"}");
}

/* A thread for each row that the track's items need. */
static void put_items(struct chrome *self, const struct track *track, guint first_tid)
{
	g_autofree char *name = export_track_name(track);
	struct depths depths = { .n = 0 };
	guint named = 0;

	for (guint i = track_reaching(track, 0, self->job->from_ns); i < track->items->len;
	     i = track_reaching(track, i + 1, self->job->from_ns)) {
		const struct track_item *item = track_item_at(track, i);
		guint depth;

		if (item->start_ns >= self->job->to_ns || !output_ok(self->output))
			break;
		depth = depths_place(&depths, item->start_ns, item->start_ns + item->duration_ns);
		if (depth == DEPTH_NONE)
			continue;
		for (; named < depths.n; named++)
			put_name(self, "thread_name", PID_TRACKS, first_tid + named, name);
		put_item(self, track, item, first_tid + depth);
	}
}

gboolean export_chrome(const struct export_job *job, output_file *output, GError **error)
{
	struct chrome chrome = { .job = job, .output = output };
	gsize n_cores;
	gsize n_owners;
	const struct row_core *cores = recording_reader_cores(job->reader, &n_cores);
	g_autofree char *path = g_path_get_basename(recording_reader_path(job->reader));
	gboolean done = TRUE;

	recording_reader_owners(job->reader, &n_owners);
	chrome.names = g_new0(char *, n_owners + 1);
	for (guint i = 0; i < n_owners; i++) {
		g_autofree char *name = page_owner_name(job->reader, i);

		chrome.names[i] = escaped(name);
	}
	output_text(output, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
	put_name(&chrome, "process_name", PID_CORES, 0, path);
	for (chrome.core = 0; done && chrome.core < n_cores; chrome.core++) {
		g_autofree char *name = names_core(&cores[chrome.core]);

		put_name(&chrome, "thread_name", PID_CORES, chrome.core + 1, name);
		done = recording_reader_spans(job->reader, cores[chrome.core].core, job->from_ns,
		                              job->to_ns, put_span, &chrome, error);
	}
	for (guint t = 0; done && t < job->tracks->len; t++) {
		const struct track *track = job->tracks->pdata[t];

		if (export_takes_track(job, t))
			put_items(&chrome, track, 1 + t * DEPTHS_MAX);
	}
	output_text(output, "\n]}\n");
	g_strfreev(chrome.names);
	return done;
}
