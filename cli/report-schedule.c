#include "analysis/schedule.h"
#include "cli/figures-print.h"
#include "cli/report.h"

#include <string.h>

typedef struct figures *(*make_figures_fn)(const struct schedule_rows *rows);

/* The first table is the report's rows in JSON and CSV. */
static const struct schedule_report {
	const char *name;
	const char *about;
	make_figures_fn tables[4]; /* NULL ends them */
	guint limits[3];           /* rows shown as text */
} schedule_reports[] = {
	{ "sched",
	  "Which vCPU ran when and where, and how long each waited.",
	  { schedule_figures, schedule_preemption },
	  { G_MAXUINT, 20 } },
	{ "exits",
	  "Why guests left to the hypervisor, and how long it took.",
	  { exits_figures },
	  { G_MAXUINT } },
	{ "overhead",
	  "What the hypervisor cost each vCPU and core.",
	  { overhead_by_vcpu, overhead_by_core },
	  { G_MAXUINT, G_MAXUINT } },
	{ "latency",
	  "How long wakes, interrupts, switches and preempted vCPUs took.",
	  { latency_figures },
	  { G_MAXUINT } },
	{ "backend",
	  "Requests between a frontend and its backend, stage by stage.",
	  { backend_stages, backend_pairs, backend_requests },
	  { G_MAXUINT, G_MAXUINT, 20 } },
};

struct schedule_options {
	struct schedule_filter filter;
	gboolean json, csv;
};

/* "1.5ms", "200us", "3s", or plain nanoseconds. */
static gboolean parse_time(const char *text, gint64 *out_ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "", 1 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
	char *end;
	const double value = g_ascii_strtod(text, &end);

	if (end == text || !(value >= 0) || value > 1e12)
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		if (strcmp(end, units[i].unit) == 0 && value * units[i].ns < 9e18) {
			*out_ns = (gint64)(value * units[i].ns);
			return TRUE;
		}
	}
	return FALSE;
}

static const struct schedule_report *find_report(const char *name)
{
	const char *space = strrchr(name, ' ');

	for (gsize i = 0; i < G_N_ELEMENTS(schedule_reports); i++) {
		if (strcmp(space != NULL ? space + 1 : name, schedule_reports[i].name) == 0)
			return &schedule_reports[i];
	}
	return NULL; /* all */
}

static void print_censored(const struct schedule_rows *rows)
{
	guint n = 0, n_requests = 0;

	for (guint i = 0; i < rows->exits->len; i++)
		n += g_array_index(rows->exits, struct row_exit, i).censored != FALSE;
	if (n > 0)
		g_print("Censored: %u exit%s whose end was not seen, left out of the spreads.\n", n,
		        n == 1 ? "" : "s");
	for (guint i = 0; i < rows->requests->len; i++)
		n_requests +=
			g_array_index(rows->requests, struct row_request, i).censored != FALSE;
	if (n_requests > 0)
		g_print("Censored: %u request%s that lost trace or an end of the window "
		        "touches.\n",
		        n_requests, n_requests == 1 ? "" : "s");
}

static void print_text(const struct schedule_report *report, const struct schedule_rows *rows)
{
	for (guint i = 0; report->tables[i] != NULL; i++) {
		struct figures *figures = report->tables[i](rows);

		figures_print(figures, rows->reader, report->limits[i]);
		figures_free(figures);
	}
}

static void add_tables(JsonBuilder *builder, const struct schedule_report *report,
                       const struct schedule_rows *rows)
{
	for (guint i = 0; report->tables[i] != NULL; i++) {
		struct figures *figures = report->tables[i](rows);

		figures_print_json(figures, builder, i == 0 ? "rows" : figures->name);
		figures_free(figures);
	}
}

static void print_json(const struct schedule_report *report, const struct schedule_rows *rows,
                       const struct account *account)
{
	g_autoptr(JsonBuilder) builder = json_builder_new();

	json_builder_begin_object(builder);
	json_add_double(builder, "coverage", account->coverage);
	json_add_int(builder, "window_ns", account->window_ns);
	json_add_int(builder, "from_ns", rows->filter.from_ns);
	json_add_int(builder, "to_ns", rows->filter.to_ns);
	json_add_text(builder, "time", recording_reader_meta(rows->reader, "time"));
	if (report != NULL) {
		add_tables(builder, report, rows);
	} else {
		json_add_array(builder, "rows");
		for (gsize i = 0; i < G_N_ELEMENTS(schedule_reports); i++) {
			json_builder_begin_object(builder);
			json_add_text(builder, "report", schedule_reports[i].name);
			add_tables(builder, &schedule_reports[i], rows);
			json_builder_end_object(builder);
		}
		json_builder_end_array(builder);
	}
	json_builder_end_object(builder);
	json_print(builder);
}

static void print_all(const struct schedule_report *report, const struct schedule_rows *rows,
                      const struct account *account)
{
	report_print_head(rows->reader, account);
	for (gsize i = 0; i < G_N_ELEMENTS(schedule_reports); i++) {
		if (report == NULL || report == &schedule_reports[i])
			print_text(&schedule_reports[i], rows);
	}
	g_print("\nPercentiles are by count. ");
	print_censored(rows);
	report_print_coverage(rows->reader, account);
}

static int print(const struct schedule_report *report, const struct schedule_options *options,
                 recording_reader *reader, const char *name)
{
	g_autoptr(GError) error = NULL;
	struct schedule_rows rows;
	struct account account;

	if (!schedule_rows_init(&rows, reader, &options->filter, &error))
		return verb_fail(name, error);
	if (!account_init(&account, reader, &error)) {
		schedule_rows_deinit(&rows);
		return verb_fail(name, error);
	}
	if (options->json) {
		print_json(report, &rows, &account);
	} else if (options->csv && report != NULL) {
		struct figures *figures = report->tables[0](&rows);

		figures_print_csv(figures);
		figures_free(figures);
	} else {
		print_all(report, &rows, &account);
	}
	account_deinit(&account);
	schedule_rows_deinit(&rows);
	return EXIT_CODE_DONE;
}

static int schedule_run(int argc, char **argv)
{
	struct schedule_options options = {
		.filter = { .vcpu = OWNER_NO_VALUE, .to_ns = G_MAXINT64 },
	};
	g_autofree char *domain = NULL, *from = NULL, *to = NULL, *threshold = NULL;
	const GOptionEntry entries[] = {
		{ "json", 0, 0, G_OPTION_ARG_NONE, &options.json, "print JSON", NULL },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &options.csv, "print the first table as CSV",
		  NULL },
		{ "domain", 0, 0, G_OPTION_ARG_STRING, &domain, "only this domain", "NAME" },
		{ "vcpu", 0, 0, G_OPTION_ARG_INT, &options.filter.vcpu,
		  "only this vCPU of its domain", "N" },
		{ "from", 0, 0, G_OPTION_ARG_STRING, &from, "from this time on (1.5ms)", "TIME" },
		{ "to", 0, 0, G_OPTION_ARG_STRING, &to, "up to this time", "TIME" },
		{ "threshold", 0, 0, G_OPTION_ARG_STRING, &threshold,
		  "count what takes longer as a spike", "TIME" },
		G_OPTION_ENTRY_NULL
	};
	g_autofree char *name = g_strdup(argv[0]);
	const struct schedule_report *report = find_report(name);
	g_autoptr(recording_reader) reader = NULL;
	int code = EXIT_CODE_DONE;

	if (!verb_parse(&argc, &argv, "REC.hvs",
	                report != NULL ? report->about
	                               : "All of sched, exits, overhead, latency "
	                                 "and backend.",
	                entries))
		return EXIT_CODE_USAGE;
	options.filter.domain = domain;
	if ((from != NULL && !parse_time(from, &options.filter.from_ns)) ||
	    (to != NULL && !parse_time(to, &options.filter.to_ns)) ||
	    (threshold != NULL && !parse_time(threshold, &options.filter.threshold_ns)))
		return verb_usage(name, "a time is a number with ns, us, ms or s, as in 1.5ms");
	if (options.csv && report == NULL)
		return verb_usage(name, "--csv is for one report, not for all");
	reader = report_open(name, argc, argv, &code);
	return reader != NULL ? print(report, &options, reader, name) : code;
}

const struct verb report_sched = { "sched", "run states and waits of each vCPU", schedule_run };
const struct verb report_exits = { "exits",
	                           "why guests left to the hypervisor, and the time it took",
	                           schedule_run };
const struct verb report_overhead = { "overhead", "what the hypervisor cost each vCPU and core",
	                              schedule_run };
const struct verb report_latency = { "latency", "wakes, interrupts, switches, preempted vCPUs",
	                             schedule_run };
const struct verb report_backend = { "backend", "requests of a frontend to its backend, by stage",
	                             schedule_run };
const struct verb report_all = { "all", "sched, exits, overhead, latency and backend",
	                         schedule_run };
