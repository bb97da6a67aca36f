#include "cli/report.h"

#include "analysis/quality.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/table.h"

enum {
	EVENTS_SHOWN = 20
};

static void print_cores(const recording_reader *reader, const struct quality *quality)
{
	static const struct table_column columns[] = {
		{ "Core" },          { "Source" },        { "Protocol" },
		{ "Trace", TRUE },   { "Traced", TRUE },  { "Untraced", TRUE },
		{ "Lost", TRUE },    { "Unknown", TRUE }, { "Uncertainty", TRUE },
		{ "at most", TRUE },
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
	const double window_ns = (double)quality->account.window_ns;

	if (quality->account.n_cores == 0)
		return;
	for (gsize i = 0; i < quality->account.n_cores; i++) {
		const struct account_core *core = &quality->account.cores[i];
		g_autofree char *name = names_core(core->core);

		table_add(table, format_text(name));
		table_add(table, format_text(core->core->source));
		table_add(table, format_text(core->core->protocol));
		table_add(table, format_bytes(core->core->trace_bytes));
		table_add(table, format_share((double)core->attributed_ns, window_ns));
		table_add(table, format_share((double)core->untraced_ns, window_ns));
		table_add(table, format_share((double)core->lost_ns, window_ns));
		table_add(table, format_share((double)core->unknown_ns, window_ns));
		table_add(table, report_duration(reader, quality->uncertainty[i].mean_ns));
		table_add(table, report_duration(reader, quality->uncertainty[i].max_ns));
	}
	g_print("\nCores\n\n");
	table_print(table, 2);
}

static char *core_label(const struct quality *quality, guint core)
{
	for (gsize i = 0; i < quality->account.n_cores; i++) {
		if (quality->account.cores[i].core->core == core) {
			g_autofree char *name = names_core(quality->account.cores[i].core);

			return format_text(name);
		}
	}
	return g_strdup_printf("core %u", core);
}

static void print_gaps(const recording_reader *reader, const struct quality *quality)
{
	static const struct table_column columns[] = {
		{ "Core" },       { "Reason" },        { "Gaps", TRUE },
		{ "Time", TRUE }, { "Longest", TRUE }, { "Bytes of trace", TRUE },
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

	if (quality->gaps->len == 0) {
		g_print("\nNo gaps in the trace.\n");
		return;
	}
	for (guint i = 0; i < quality->gaps->len; i++) {
		const struct quality_gaps *gaps =
			&g_array_index(quality->gaps, struct quality_gaps, i);

		table_add(table, core_label(quality, gaps->core));
		table_add(table, format_text(gaps->reason));
		table_add(table, format_count(gaps->count));
		table_add(table, report_duration(reader, gaps->time_ns));
		table_add(table, report_duration(reader, gaps->longest_ns));
		table_add(table, format_count(gaps->bytes));
	}
	g_print("\nGaps: trace is missing, the time is nobody's\n\n");
	table_print(table, 2);
}

static void print_counts(const struct quality *quality)
{
	static const struct table_column columns[] = { { "Source" },
		                                       { "What" },
		                                       { "Count", TRUE } };
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

	if (quality->counts->len == 0)
		return;
	for (guint i = 0; i < quality->counts->len; i++) {
		const struct row_quality *count =
			&g_array_index(quality->counts, struct row_quality, i);

		table_add(table, format_text(count->source));
		table_add(table, format_text(count->name));
		table_add(table, format_count(count->count));
	}
	g_print("\nCounted while decoding\n\n");
	table_print(table, 2);
}

static void print_events(const struct quality *quality, guint limit)
{
	static const struct table_column columns[] = {
		{ "Source" }, { "What" }, { "At byte", TRUE }, { "Detail" }
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
	const guint shown = MIN(quality->events->len, limit);

	if (shown == 0)
		return;
	for (guint i = 0; i < shown; i++) {
		const struct row_quality_event *event =
			&g_array_index(quality->events, struct row_quality_event, i);

		table_add(table, format_text(event->source));
		table_add(table, format_text(event->name));
		table_add(table, format_count(event->trace_offset));
		table_add(table, event->detail != NULL ? format_text(event->detail) : NULL);
	}
	g_print("\nWhere it happened");
	if (quality->n_events > shown)
		g_print(" (the first %u of %" G_GUINT64_FORMAT "%s)", shown, quality->n_events,
		        shown < quality->events->len ? "; --events shows more" : "");
	g_print("\n\n");
	table_print(table, 2);
}

static void json_cores(JsonBuilder *builder, const struct quality *quality)
{
	json_add_array(builder, "cores");
	for (gsize i = 0; i < quality->account.n_cores; i++) {
		const struct account_core *core = &quality->account.cores[i];

		json_builder_begin_object(builder);
		json_add_int(builder, "core", core->core->core);
		json_add_text(builder, "name", core->core->name);
		json_add_text(builder, "source", core->core->source);
		json_add_text(builder, "protocol", core->core->protocol);
		json_add_int(builder, "trace_bytes", (gint64)core->core->trace_bytes);
		json_add_int(builder, "traced_ns", core->attributed_ns);
		json_add_int(builder, "untraced_ns", core->untraced_ns);
		json_add_int(builder, "lost_ns", core->lost_ns);
		json_add_int(builder, "unknown_ns", core->unknown_ns);
		json_add_int(builder, "spans", (gint64)quality->uncertainty[i].spans);
		json_add_int(builder, "uncertainty_mean_ns", quality->uncertainty[i].mean_ns);
		json_add_int(builder, "uncertainty_max_ns", quality->uncertainty[i].max_ns);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void json_gaps(JsonBuilder *builder, const struct quality *quality)
{
	json_add_array(builder, "gaps");
	for (guint i = 0; i < quality->gaps->len; i++) {
		const struct quality_gaps *gaps =
			&g_array_index(quality->gaps, struct quality_gaps, i);

		json_builder_begin_object(builder);
		json_add_int(builder, "core", gaps->core);
		json_add_text(builder, "reason", gaps->reason);
		json_add_int(builder, "count", (gint64)gaps->count);
		json_add_int(builder, "time_ns", gaps->time_ns);
		json_add_int(builder, "longest_ns", gaps->longest_ns);
		json_add_int(builder, "bytes", (gint64)gaps->bytes);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void json_counts(JsonBuilder *builder, const struct quality *quality)
{
	json_add_array(builder, "counts");
	for (guint i = 0; i < quality->counts->len; i++) {
		const struct row_quality *count =
			&g_array_index(quality->counts, struct row_quality, i);

		json_builder_begin_object(builder);
		json_add_text(builder, "source", count->source);
		json_add_text(builder, "name", count->name);
		json_add_int(builder, "count", (gint64)count->count);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
	json_add_array(builder, "events");
	for (guint i = 0; i < quality->events->len; i++) {
		const struct row_quality_event *event =
			&g_array_index(quality->events, struct row_quality_event, i);

		json_builder_begin_object(builder);
		json_add_text(builder, "source", event->source);
		json_add_text(builder, "name", event->name);
		json_add_int(builder, "trace_offset", (gint64)event->trace_offset);
		json_add_text(builder, "detail", event->detail);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void print_json(const struct quality *quality)
{
	g_autoptr(JsonBuilder) builder = json_builder_new();

	json_builder_begin_object(builder);
	json_add_int(builder, "window_ns", quality->account.window_ns);
	json_add_double(builder, "coverage", quality->account.coverage);
	json_cores(builder, quality);
	json_gaps(builder, quality);
	json_counts(builder, quality);
	json_builder_end_object(builder);
	json_print(builder);
}

static int quality_run(int argc, char **argv)
{
	gboolean json = FALSE;
	gboolean all_events = FALSE;
	const GOptionEntry entries[] = {
		{ "json", 0, 0, G_OPTION_ARG_NONE, &json, "print JSON", NULL },
		{ "events", 0, 0, G_OPTION_ARG_NONE, &all_events,
		  "show every place in the trace, not the first few", NULL },
		G_OPTION_ENTRY_NULL
	};
	g_autofree char *name = g_strdup(argv[0]);
	g_autoptr(recording_reader) reader = NULL;
	g_autoptr(GError) error = NULL;
	struct quality quality;
	int code = EXIT_CODE_DONE;

	if (!verb_parse(&argc, &argv, "REC.hvs",
	                "How far a recording can be trusted: what is missing, and why.", entries))
		return EXIT_CODE_USAGE;
	reader = report_open(name, argc, argv, &code);
	if (reader == NULL)
		return code;
	if (!quality_init(&quality, reader, &error))
		return verb_fail(name, error);
	if (json) {
		print_json(&quality);
	} else {
		report_print_head(reader, &quality.account);
		print_cores(reader, &quality);
		print_gaps(reader, &quality);
		print_counts(&quality);
		print_events(&quality, all_events ? G_MAXUINT : EVENTS_SHOWN);
		report_print_coverage(reader, &quality.account);
	}
	quality_deinit(&quality);
	return EXIT_CODE_DONE;
}

const struct verb report_quality = { "quality", "what is missing in the trace, and why",
	                             quality_run };
