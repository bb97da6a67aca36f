#include "analysis/report-html.h"

#include "analysis/account.h"
#include "analysis/export/export.h"

#include <glib/gstdio.h>
#include <string.h>

enum {
	ROWS_MAX = 60, /* of one table; the text reports have all */
	PICTURE_WIDTH = 900
};

static const char style[] =
	"body{font:15px/1.45 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0 auto;"
	"max-width:1000px;padding:1em}"
	"h1{font-size:1.5em;margin:.2em 0}h2{font-size:1.15em;margin:1.6em 0 .4em;"
	"border-bottom:1px solid #bbb;break-after:avoid}"
	".scroll{overflow-x:auto}svg{max-width:100%;height:auto}"
	"table{border-collapse:collapse;font-size:.85em}th,td{padding:.15em .6em;text-align:left;"
	"white-space:nowrap}th{border-bottom:1px solid #888}tr{break-inside:avoid}"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
	"tbody tr:nth-child(even){background:#f3f5f7}.note{color:#444;font-size:.9em}"
	"@media print{body{max-width:none;font-size:9pt;padding:0}.scroll{overflow:visible}"
	"table{font-size:6.5pt}th,td{padding:.1em .35em}}"
	"@page{size:A4 landscape;margin:12mm}";

static void add_escaped(GString *out, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text != NULL ? text : "-", -1);
	g_autofree char *escaped = g_markup_escape_text(valid, -1);

	g_string_append(out, escaped);
}

static void add_time(GString *out, double time_ns)
{
	if (time_ns >= 1e9)
		g_string_append_printf(out, "%.3f s", time_ns / 1e9);
	else if (time_ns >= 1e6)
		g_string_append_printf(out, "%.2f ms", time_ns / 1e6);
	else if (time_ns >= 1e3)
		g_string_append_printf(out, "%.2f &#181;s", time_ns / 1e3);
	else
		g_string_append_printf(out, "%.0f ns", time_ns);
}

static void add_cell(GString *out, const struct figure *figure, enum figure_kind kind)
{
	g_string_append(out, kind == FIGURE_TEXT ? "<td>" : "<td class=n>");
	if (!figure->known)
		g_string_append(out, "&#8211;");
	else if (kind == FIGURE_TEXT)
		add_escaped(out, figure->text);
	else if (kind == FIGURE_TIME)
		add_time(out, figure->value);
	else if (kind == FIGURE_SHARE)
		g_string_append_printf(out, "%.1f%%", 100 * figure->value);
	else
		g_string_append_printf(out, kind == FIGURE_COUNT ? "%.0f" : "%.1f", figure->value);
	g_string_append(out, "</td>");
}

static void add_table(GString *out, struct figures *figures)
{
	const guint rows = figures_rows(figures);

	g_string_append_printf(out, "<h2>%s</h2>\n", figures->title);
	if (rows == 0) {
		g_string_append(out, "<p>None in this recording.</p>\n");
		figures_free(figures);
		return;
	}
	g_string_append(out, "<div class=scroll><table><thead><tr>");
	for (guint i = 0; i < figures->n_columns; i++)
		g_string_append_printf(out, "<th%s>%s</th>",
		                       figures->columns[i].kind == FIGURE_TEXT ? "" : " class=n",
		                       figures->columns[i].title);
	g_string_append(out, "</tr></thead><tbody>\n");
	for (guint row = 0; row < MIN(rows, ROWS_MAX); row++) {
		g_string_append(out, "<tr>");
		for (guint i = 0; i < figures->n_columns; i++)
			add_cell(out, figures_at(figures, row, i), figures->columns[i].kind);
		g_string_append(out, "</tr>\n");
	}
	g_string_append(out, "</tbody></table></div>\n");
	if (rows > ROWS_MAX)
		g_string_append_printf(out, "<p class=note>The first %u of %u rows.</p>\n",
		                       ROWS_MAX, rows);
	figures_free(figures);
}

/* Run states as one bar a vCPU, each as long as the window. */
static void add_state_bars(GString *out, const struct schedule_rows *rows)
{
	static const struct {
		const char *name, *colour;
		guint column;
	} states[] = { { "guest", "#2f7f4f", 2 },
		       { "hypervisor", "#c8553d", 3 },
		       { "runnable", "#e0a526", 4 },
		       { "blocked", "#c9d3dc", 5 },
		       { "unknown", "#eeeeee", 6 } };
	struct figures *figures = schedule_figures(rows);
	const guint n = figures_rows(figures);
	const double width = PICTURE_WIDTH - 160, whole = (double)MAX(rows->range_ns, 1);

	g_string_append_printf(out,
	                       "<svg viewBox='0 0 %d %u' width='%d' role='img' font-size='13' "
	                       "font-family='sans-serif'><title>Run states</title>\n",
	                       PICTURE_WIDTH, n * 22 + 26, PICTURE_WIDTH);
	for (guint k = 0; k < G_N_ELEMENTS(states); k++)
		g_string_append_printf(
			out,
			"<rect x='%u' y='4' width='12' height='12' fill='%s' stroke='#888'/>"
			"<text x='%u' y='15'>%s</text>\n",
			150 + k * 120, states[k].colour, 168 + k * 120, states[k].name);
	for (guint row = 0; row < n; row++) {
		double x = 150;

		g_string_append_printf(out, "<text x='144' y='%u' text-anchor='end'>",
		                       row * 22 + 40);
		add_escaped(out, figures_at(figures, row, 1)->text);
		g_string_append(out, "</text>");
		for (guint k = 0; k < G_N_ELEMENTS(states); k++) {
			const double value = figures_at(figures, row, states[k].column)->value;
			const double length = MIN(value / whole * width, 150 + width - x);

			g_string_append_printf(out,
			                       "<rect x='%.2f' y='%u' width='%.2f' height='16' "
			                       "fill='%s'><title>%s %.1f%%</title></rect>",
			                       x, row * 22 + 27, MAX(length, 0), states[k].colour,
			                       states[k].name, 100 * value / whole);
			x += MAX(length, 0);
		}
		g_string_append(out, "\n");
	}
	g_string_append(out, "</svg>\n");
	figures_free(figures);
}

static const char *const stage_colours[] = { "#7a5195", "#e0a526", "#bc5090", "#ef8e5b",
	                                     "#2f7f4f", "#4a7fb5", "#8c6d31", "#c8553d" };

/* One row of the stages: its part of the pair's bar, and its line of the legend below. */
static void add_request_part(GString *out, struct figures *figures, guint row, guint part, double x,
                             double length, guint top)
{
	const char *colour = stage_colours[part % G_N_ELEMENTS(stage_colours)];
	const guint y = top + 40 + part * 18;

	g_string_append_printf(out,
	                       "<rect x='%.2f' y='%u' width='%.2f' height='20' fill='%s'/>"
	                       "<rect x='150' y='%u' width='12' height='12' fill='%s'/>"
	                       "<text x='168' y='%u'>%s, ",
	                       x, top + 4, MAX(length, 0), colour, y - 10, colour, y,
	                       figures_at(figures, row, 2)->text);
	add_time(out, figures_at(figures, row, figures->n_columns - 1)->value);
	g_string_append_printf(out, ", %s</text>\n", figures_at(figures, row, 3)->text);
}

/* Each pair's mean request, stage after stage; a bar as long as the longest of them. */
static void add_request_bars(GString *out, const struct schedule_rows *rows)
{
	struct figures *figures = backend_stages(rows);
	const guint n = figures_rows(figures), mean = figures->n_columns - 1;
	const double width = PICTURE_WIDTH - 160;
	double longest = 1, x = 150;
	guint top = 0, part = 0, height = 0;

	for (guint row = 0; row < n; row++) {
		const gboolean is_total = strcmp(figures_at(figures, row, 2)->text, "total") == 0;

		height += is_total ? 36 : 18;
		if (is_total)
			longest = MAX(longest, figures_at(figures, row, mean)->value);
	}
	g_string_append_printf(out,
	                       "<svg viewBox='0 0 %d %u' width='%d' role='img' font-size='13' "
	                       "font-family='sans-serif'><title>Mean requests by stage</title>\n",
	                       PICTURE_WIDTH, height, PICTURE_WIDTH);
	for (guint row = 0; row < n; row++) {
		const char *stage = figures_at(figures, row, 2)->text;
		const double length = figures_at(figures, row, mean)->value / longest * width;

		if (strcmp(stage, "scheduling") == 0)
			continue;
		if (strcmp(stage, "total") != 0) {
			add_request_part(out, figures, row, part++, x, MIN(length, 150 + width - x),
			                 top);
			x += length;
			continue;
		}
		g_string_append_printf(out, "<text x='144' y='%u' text-anchor='end'>", top + 18);
		add_escaped(out, figures_at(figures, row, 0)->text);
		g_string_append(out, "</text>\n");
		top += 36 + part * 18;
		part = 0;
		x = 150;
	}
	g_string_append(out, "</svg>\n");
	figures_free(figures);
}

static void add_backend(GString *out, const struct schedule_rows *rows)
{
	if (rows->requests->len > 0) {
		g_string_append(out, "<h2>Where a request spends its time</h2>\n");
		add_request_bars(out, rows);
	}
	add_table(out, backend_stages(rows));
	add_table(out, backend_pairs(rows));
	add_table(out, backend_requests(rows));
}

/* The timeline as `export --format svg` draws it, without the XML prolog. */
static gboolean add_timeline(GString *out, recording_reader *reader, GError **error)
{
	struct export_options options;
	g_autofree char *path = NULL, *svg = NULL;
	const char *start;
	gboolean done;
	const int fd = g_file_open_tmp("hvscope-report-XXXXXX.svg", &path, error);

	if (fd < 0)
		return FALSE;
	g_close(fd, NULL);
	export_options_init(&options);
	options.format = EXPORT_SVG;
	options.width_px = PICTURE_WIDTH;
	done = export_file(reader, &options, path, error) &&
	       g_file_get_contents(path, &svg, NULL, error);
	g_unlink(path);
	if (!done)
		return FALSE;
	start = strstr(svg, "<svg");
	g_string_append(out, start != NULL ? start : "");
	return TRUE;
}

static void add_settings(GString *out, const recording_reader *reader,
                         const struct account *account)
{
	static const struct {
		const char *key, *title;
	} keys[] = { { "capture_path", "Capture" },
		     { "capture_identity", "Identity" },
		     { "trace_bytes", "Trace bytes" },
		     { "hypervisor", "Hypervisor" },
		     { "scheduler", "Scheduler" },
		     { "timestamp_hz", "Timestamp ticks/s" },
		     { "core_hz", "Core clock (Hz)" },
		     { "time_base", "Time base" },
		     { "time", "Time" },
		     { "tool_version", "hvscope" } };
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);

	g_string_append(out, "<h2>Capture settings</h2>\n<div class=scroll><table><tbody>");
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		const char *value = recording_reader_meta(reader, keys[i].key);

		if (value == NULL)
			continue;
		g_string_append_printf(out, "<tr><td>%s</td><td>", keys[i].title);
		add_escaped(out, value);
		g_string_append(out, "</td></tr>\n");
	}
	for (gsize i = 0; i < n; i++) {
		g_autofree char *name = names_core(&cores[i]);

		g_string_append(out, "<tr><td>Core ");
		add_escaped(out, name);
		g_string_append(out, "</td><td>");
		add_escaped(out, cores[i].type);
		g_string_append(out, ", ");
		add_escaped(out, cores[i].protocol);
		g_string_append_printf(out, ", %" G_GUINT64_FORMAT " bytes</td></tr>\n",
		                       cores[i].trace_bytes);
	}
	g_string_append_printf(out,
	                       "<tr><td>Coverage</td><td>%.2f%%</td></tr></tbody></table></div>\n",
	                       100 * account->coverage);
}

static const char method[] =
	"<h2>Method and limits</h2>\n<p>Everything here was measured from outside, by processor "
	"trace; nothing was added to the hypervisor or its guests. Which vCPU ran is not in the "
	"trace: it is worked out from context IDs and resume addresses over the whole recording. "
	"The columns Exact and Inferred say for how much of a vCPU's guest time that is certain, "
	"or inferred with a confidence above one half; the rest is under <i>domain</i>/?. "
	"Runnable and blocked are told from how a vCPU left its core; when a blocked vCPU was "
	"woken is not seen, so blocked lasts until it runs. Percentiles are by count. Visits "
	"that touch lost trace are left out of every distribution and counted as censored. An "
	"exit's reason is the exception's type; WFI is a trap after which another vCPU ran or "
	"the core idled. Requests come from software markers, which are exact, or from the "
	"frontend's and the backend's hypercalls and tasks, which is inferred and called so; a "
	"stage whose name has a plus holds what could not be told apart. t0 the frontend "
	"notifies, t1 the hypervisor wakes the backend, t2 its vCPU runs, t3 its interrupt "
	"handler, t4 its task, t5 it answers, t6 the hypervisor wakes the frontend, t7 its vCPU "
	"runs, t8 its handler.</p>\n";

static gboolean add_body(GString *out, recording_reader *reader, const struct schedule_rows *rows,
                         const struct account *account, GError **error)
{
	const char *time = recording_reader_meta(reader, "time");

	g_string_append(out, "<h1>hvscope report</h1>\n<p>");
	add_time(out, (double)account->window_ns);
	g_string_append_printf(out, " of %" G_GSIZE_FORMAT " cores, %.1f%% traced.",
	                       account->n_cores, 100 * account->coverage);
	if (g_strcmp0(time, "modelled") == 0)
		g_string_append(out,
		                " <b>Time is modelled</b>: the capture's clock is an emulator's.");
	g_string_append(out, "</p>\n<h2>Timeline</h2>\n");
	if (!add_timeline(out, reader, error))
		return FALSE;
	g_string_append(out, "<h2>What the vCPUs did</h2>\n");
	add_state_bars(out, rows);
	add_table(out, schedule_figures(rows));
	add_table(out, overhead_by_vcpu(rows));
	add_table(out, overhead_by_core(rows));
	add_table(out, exits_figures(rows));
	add_table(out, latency_figures(rows));
	add_backend(out, rows);
	g_string_append(out, method);
	add_settings(out, reader, account);
	return TRUE;
}

gboolean report_html_write(recording_reader *reader, const char *path, GError **error)
{
	const struct schedule_filter filter = { .vcpu = OWNER_NO_VALUE, .to_ns = G_MAXINT64 };
	g_autoptr(GString) out = g_string_new("<!DOCTYPE html>\n<html lang='en'><head>"
	                                      "<meta charset='utf-8'><meta name='viewport' "
	                                      "content='width=device-width,initial-scale=1'>"
	                                      "<title>hvscope report</title><style>");
	struct schedule_rows rows;
	struct account account;
	gboolean done;

	if (!schedule_rows_init(&rows, reader, &filter, error))
		return FALSE;
	if (!account_init(&account, reader, error)) {
		schedule_rows_deinit(&rows);
		return FALSE;
	}
	g_string_append_printf(out, "%s</style></head><body>\n", style);
	done = add_body(out, reader, &rows, &account, error);
	g_string_append(out, "</body></html>\n");
	account_deinit(&account);
	schedule_rows_deinit(&rows);
	return done && g_file_set_contents(path, out->str, (gssize)out->len, error);
}
