#include "cli/report.h"

#include "base/suggest.h"
#include "cli/format.h"

#include <string.h>

static const struct verb *const reports[] = {
	&report_time,    &report_quality, &report_sched, &report_exits, &report_overhead,
	&report_latency, &report_backend, &report_all,   &report_html,
};

recording_reader *report_open(const char *report, int argc, char **argv, int *code)
{
	g_autoptr(GError) error = NULL;
	recording_reader *reader;

	if (argc != 2) {
		*code = verb_usage(report, argc < 2 ? "no recording given" : "takes one recording");
		return NULL;
	}
	reader = recording_reader_new(argv[1], &error);
	if (reader == NULL)
		*code = verb_fail(report, error);
	return reader;
}

struct report_time report_time_of(const recording_reader *reader)
{
	const char *base = recording_reader_meta(reader, "time_base");

	if (g_strcmp0(base, "bytes") == 0)
		return (struct report_time) { "Trace", "bytes" };
	if (g_strcmp0(base, "cycles") == 0 && recording_reader_meta(reader, "core_hz") == NULL)
		return (struct report_time) { "Time", "cycles" };
	return (struct report_time) { "Time", NULL };
}

struct time_unit report_unit(const recording_reader *reader, gint64 largest_ns)
{
	const struct report_time time = report_time_of(reader);

	if (time.unit != NULL)
		return (struct time_unit) { .name = time.unit, .ns = 1 };
	return time_unit_for(largest_ns);
}

char *report_duration(const recording_reader *reader, gint64 time_ns)
{
	const struct time_unit unit = report_unit(reader, time_ns);
	g_autofree char *number = NULL;

	if (report_time_of(reader).unit == NULL)
		return format_duration(time_ns);
	number = format_time(time_ns, &unit);
	return g_strdup_printf("%s %s", number, unit.name);
}

static void print_time_notes(const recording_reader *reader)
{
	const char *base = recording_reader_meta(reader, "time_base");
	const char *source = recording_reader_meta(reader, "timestamp_hz_source");
	const char *time = recording_reader_meta(reader, "time");

	if (g_strcmp0(base, "bytes") == 0)
		g_print("This capture has neither timestamps nor cycle counts: instead of time the "
		        "bytes of trace are shown.\n");
	else if (g_strcmp0(base, "cycles") == 0)
		g_print("This capture has no timestamps: times are cycle counts, cores are not "
		        "aligned with each other.\n");
	else if (g_strcmp0(source, "assumed") == 0)
		g_print("The tick rate is not known: times are assumed, 1 tick = 1 ns. Give "
		        "timestamp_hz in a system file.\n");
	if (g_strcmp0(time, "modelled") == 0)
		g_print("Time is modelled: this capture's clock is an emulator's. Judge by cycles "
		        "and their share.\n");
}

void report_print_head(const recording_reader *reader, const struct account *account)
{
	g_autofree char *path = format_text(recording_reader_path(reader));
	g_autofree char *window = report_duration(reader, account->window_ns);
	g_autofree char *scheduler = NULL;
	const char *scheduler_name = recording_reader_meta(reader, "scheduler");
	struct names names;

	names_init(&names, reader);
	g_print("%s: %s of %" G_GSIZE_FORMAT " core%s", path, window, account->n_cores,
	        account->n_cores == 1 ? "" : "s");
	if (recording_reader_meta(reader, "hypervisor") != NULL) {
		g_autofree char *hypervisor = format_text(names_hypervisor(&names));

		g_print(", %s", hypervisor);
	}
	if (scheduler_name != NULL) {
		scheduler = format_text(scheduler_name);
		g_print(", scheduler %s", scheduler);
	}
	g_print("\n");
	print_time_notes(reader);
}

void report_print_coverage(const recording_reader *reader, const struct account *account)
{
	const double whole_ns = (double)account->window_ns * (double)account->n_cores;
	g_autofree char *traced = format_share((double)account->total.attributed_ns, whole_ns);
	g_autofree char *untraced = format_share((double)account->total.untraced_ns, whole_ns);
	g_autofree char *lost = format_share((double)account->total.lost_ns, whole_ns);
	g_autofree char *unknown = format_share((double)account->total.unknown_ns, whole_ns);
	g_autofree char *window = report_duration(reader, account->window_ns);

	if (account->n_cores == 0) {
		g_print("\nCoverage: the capture has no core\n");
		return;
	}
	g_print("\nCoverage: traced %s of %" G_GSIZE_FORMAT
	        " core%s x %s; untraced %s, lost %s, unknown %s\n",
	        traced, account->n_cores, account->n_cores == 1 ? "" : "s", window, untraced, lost,
	        unknown);
}

static void print_help(void)
{
	g_print("Usage: hvscope report NAME [OPTIONS] REC.hvs\n\n"
	        "Prints one report of a recording, as text or with --json.\n\n");
	for (gsize i = 0; i < G_N_ELEMENTS(reports); i++)
		g_print("  %-10s %s\n", reports[i]->name, reports[i]->summary);
	g_print("\n'hvscope report NAME --help' says more.\n");
}

static int report_run(int argc, char **argv)
{
	const char *known[G_N_ELEMENTS(reports) + 1] = { NULL };
	const char *nearest;

	if (argc < 2)
		return verb_usage("report", "no report named");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help();
		return EXIT_CODE_DONE;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(reports); i++) {
		known[i] = reports[i]->name;
		if (strcmp(argv[1], known[i]) == 0) {
			g_autofree char *name = g_strconcat("report ", known[i], NULL);

			argv[1] = name;
			return reports[i]->run(argc - 1, argv + 1);
		}
	}
	nearest = suggest_nearest(argv[1], known);
	if (nearest != NULL)
		return verb_usage("report", "no report '%s' (did you mean '%s'?)", argv[1],
		                  nearest);
	return verb_usage("report", "no report '%s'", argv[1]);
}

const struct verb verb_report = { "report", "print a report: time, quality, sched, exits, ...",
	                          report_run };
