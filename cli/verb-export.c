#include "cli/verb.h"

#include "analysis/export/export.h"
#include "analysis/picture/axis.h"
#include "base/suggest.h"

#include <string.h>

enum {
	WIDTH_MIN = 300,
	WIDTH_MAX = 20000
};

/* The options as they were written. */
struct arguments {
	char *format;
	char *output;
	char *from;
	char *to;
	char *lanes;
	char *theme;
	char *colour;
	gint width;
	gdouble scale;
};

static void arguments_deinit(struct arguments *self)
{
	g_free(self->format);
	g_free(self->output);
	g_free(self->from);
	g_free(self->to);
	g_free(self->lanes);
	g_free(self->theme);
	g_free(self->colour);
}

/* EXIT_CODE_DONE, or the code of the usage error that was printed. */
static int read_look(const struct arguments *arguments, struct export_options *options)
{
	static const char *const known[] = {
		"svg", "pdf", "png", "csv", "chrome", "perfetto", NULL
	};

	if (arguments->format == NULL)
		return verb_usage("export", "no --format given");
	if (!export_format_parse(arguments->format, &options->format)) {
		const char *nearest = suggest_nearest(arguments->format, known);

		return verb_usage("export", "no format '%s'%s%s%s", arguments->format,
		                  nearest != NULL ? " (did you mean '" : "",
		                  nearest != NULL ? nearest : "", nearest != NULL ? "'?)" : "");
	}
	if (arguments->theme != NULL && !theme_parse(arguments->theme, &options->theme))
		return verb_usage("export", "--theme takes light, dark or contrast, not '%s'",
		                  arguments->theme);
	if (arguments->colour != NULL && !colour_by_parse(arguments->colour, &options->colour_by))
		return verb_usage("export",
		                  "--colour takes domain, el, task, core or reason, not '%s'",
		                  arguments->colour);
	if (arguments->width < WIDTH_MIN || arguments->width > WIDTH_MAX)
		return verb_usage("export", "--width takes %d to %d, not %d", WIDTH_MIN, WIDTH_MAX,
		                  arguments->width);
	if (!(arguments->scale >= 0.25 && arguments->scale <= 8))
		return verb_usage("export", "--scale takes 0.25 to 8, not %g", arguments->scale);
	options->width_px = (guint)arguments->width;
	options->scale = arguments->scale;
	return EXIT_CODE_DONE;
}

static int read_range(const struct arguments *arguments, gint64 window_ns,
                      struct export_options *options)
{
	if (arguments->from != NULL && !axis_parse(arguments->from, window_ns, &options->from_ns))
		return verb_usage("export", "--from takes a time like 12.5ms or 25%%, not '%s'",
		                  arguments->from);
	if (arguments->to != NULL && !axis_parse(arguments->to, window_ns, &options->to_ns))
		return verb_usage("export", "--to takes a time like 12.5ms or 25%%, not '%s'",
		                  arguments->to);
	if (arguments->to != NULL && options->to_ns <= options->from_ns)
		return verb_usage("export", "--to %s is not after --from %s", arguments->to,
		                  arguments->from != NULL ? arguments->from : "0");
	return EXIT_CODE_DONE;
}

static int export_recording(const struct arguments *arguments, const char *path)
{
	struct export_options options;
	g_auto(GStrv) lanes = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_reader) reader = NULL;
	int code;

	export_options_init(&options);
	code = read_look(arguments, &options);
	if (code != EXIT_CODE_DONE)
		return code;
	reader = recording_reader_new(path, &error);
	if (reader == NULL)
		return verb_fail("export", error);
	code = read_range(arguments, recording_reader_window_ns(reader), &options);
	if (code != EXIT_CODE_DONE)
		return code;
	if (arguments->lanes != NULL) {
		lanes = g_strsplit(arguments->lanes, ",", -1);
		options.lanes = lanes;
	}
	if (!export_file(reader, &options, arguments->output, &error))
		return verb_fail("export", error);
	return EXIT_CODE_DONE;
}

static int export_run(int argc, char **argv)
{
	struct arguments arguments = { .width = 1200, .scale = 1 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &arguments.format,
		  "svg, pdf, png, csv, chrome or perfetto", "FORMAT" },
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &arguments.output, "the file to write",
		  "FILE" },
		{ "from", 0, 0, G_OPTION_ARG_STRING, &arguments.from,
		  "begin there, not at the window's start: 12.5ms, 25%", "TIME" },
		{ "to", 0, 0, G_OPTION_ARG_STRING, &arguments.to, "end there, likewise", "TIME" },
		{ "lanes", 0, 0, G_OPTION_ARG_STRING, &arguments.lanes,
		  "only these: core/0, domain/web, 'domain/web/*', exits, stm", "LANE,..." },
		{ "width", 0, 0, G_OPTION_ARG_INT, &arguments.width,
		  "of the picture in pixels (1200)", "PIXELS" },
		{ "scale", 0, 0, G_OPTION_ARG_DOUBLE, &arguments.scale,
		  "png: pixels drawn for each of them (1)", "N" },
		{ "theme", 0, 0, G_OPTION_ARG_STRING, &arguments.theme, "light, dark or contrast",
		  "NAME" },
		{ "colour", 0, 0, G_OPTION_ARG_STRING, &arguments.colour,
		  "by domain, el, task, core or reason", "BY" },
		G_OPTION_ENTRY_NULL
	};
	int code = EXIT_CODE_USAGE;

	if (verb_parse(&argc, &argv, "REC.hvs",
	               "Writes a range of a recording as a picture or as data: one file.",
	               entries)) {
		if (argc != 2)
			code = verb_usage("export",
			                  argc < 2 ? "no recording given" : "takes one recording");
		else if (arguments.output == NULL)
			code = verb_usage("export", "no -o FILE given");
		else
			code = export_recording(&arguments, argv[1]);
	}
	arguments_deinit(&arguments);
	return code;
}

const struct verb verb_export = { "export", "write a picture (svg, pdf, png) or data (csv, ...)",
	                          export_run };
