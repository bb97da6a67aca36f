#include "analysis/report-html.h"

#include "cli/report.h"

static int html_run(int argc, char **argv)
{
	g_autofree char *output = NULL;
	const GOptionEntry entries[] = { { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
		                           "the file to write", "FILE.html" },
		                         G_OPTION_ENTRY_NULL };
	g_autofree char *name = g_strdup(argv[0]);
	g_autoptr(recording_reader) reader = NULL;
	g_autoptr(GError) error = NULL;
	int code = EXIT_CODE_DONE;

	if (!verb_parse(&argc, &argv, "REC.hvs -o FILE.html",
	                "The whole report as one HTML file, for paper and phone.", entries))
		return EXIT_CODE_USAGE;
	if (output == NULL)
		return verb_usage(name, "give the file to write with -o");
	reader = report_open(name, argc, argv, &code);
	if (reader == NULL)
		return code;
	if (!report_html_write(reader, output, &error))
		return verb_fail(name, error);
	return EXIT_CODE_DONE;
}

const struct verb report_html = { "html", "the whole report as one HTML file", html_run };
