#include "capture/import.h"
#include "cli/verb.h"

#include <stdio.h>
#include <string.h>

struct options {
	char *out, *format, *etms, *core_type, *stm;
	char **registers;
	gint64 timestamp_hz;
};

static gboolean wrong(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean wrong(GError **error, const char *format, ...)
{
	va_list args;
	g_autofree char *message = NULL;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, message);
	return FALSE;
}

static gboolean parse_number(const char *text, guint64 *value)
{
	char *end;

	if (!g_ascii_isdigit(*text))
		return FALSE;
	*value = g_ascii_strtoull(text, &end, 0);
	return *end == '\0';
}

static void source_clear(gpointer data)
{
	g_array_unref(((struct import_source *)data)->registers);
}

static void add_register(struct import_source *source, const char *name, guint64 value)
{
	struct import_register reg = { g_intern_string(name), value };

	g_array_append_val(source->registers, reg);
}

/* "--reg TRCCONFIGR=0x8D1" for all trace units, "--reg 1:TRCIDR0=..." for core 1's. */
static gboolean apply_registers(const struct options *options, GArray *sources, GError **error)
{
	for (guint i = 0; options->registers != NULL && options->registers[i] != NULL; i++) {
		g_auto(GStrv) halves = g_strsplit(options->registers[i], "=", 2);
		char *name = halves[0];
		char *colon = name != NULL ? strchr(name, ':') : NULL;
		guint64 value, core = G_MAXUINT64;

		if (colon != NULL) {
			*colon = '\0';
			if (!parse_number(name, &core))
				return wrong(error, "--reg %s: '%s' is no core number",
				             options->registers[i], name);
			name = colon + 1;
		}
		if (halves[0] == NULL || halves[1] == NULL || !parse_number(halves[1], &value))
			return wrong(error, "--reg %s: expected [CORE:]NAME=VALUE",
			             options->registers[i]);
		for (guint n = 0; n < sources->len; n++) {
			struct import_source *source =
				&g_array_index(sources, struct import_source, n);
			gboolean wanted = core == G_MAXUINT64 || source->core == (gint)core;
			gboolean is_stm = g_str_has_prefix(name, "STM");

			if (wanted && is_stm == (strcmp(source->type, "STM") == 0))
				add_register(source, name, value);
		}
	}
	return TRUE;
}

/* "0x10,0x11": the trace IDs of cores 0, 1 ... */
static gboolean add_etms(const struct options *options, GArray *sources, GError **error)
{
	g_auto(GStrv) words = g_strsplit(options->etms != NULL ? options->etms : "", ",", -1);

	for (guint i = 0; words[i] != NULL; i++) {
		struct import_source source = { .type = "ETM4",
			                        .core = (gint)i,
			                        .core_type = options->core_type != NULL
			                                             ? options->core_type
			                                             : "Cortex-A53" };
		guint64 id;

		if (!parse_number(words[i], &id) || id == 0 || id > 0x6F)
			return wrong(error, "--etm %s: expected trace IDs of 1 to 0x6F, one a core",
			             options->etms);
		source.registers = g_array_new(FALSE, FALSE, sizeof(struct import_register));
		add_register(&source, "TRCTRACEIDR", id);
		g_array_append_val(sources, source);
	}
	return TRUE;
}

static gboolean add_stm(const struct options *options, GArray *sources, GError **error)
{
	struct import_source source = { .type = "STM", .core = -1 };
	guint64 id;

	if (options->stm == NULL)
		return TRUE;
	if (!parse_number(options->stm, &id) || id == 0 || id > 0x6F)
		return wrong(error, "--stm %s: expected a trace ID of 1 to 0x6F", options->stm);
	source.registers = g_array_new(FALSE, FALSE, sizeof(struct import_register));
	add_register(&source, "STMTCSR", id << 16 | 3);
	g_array_append_val(sources, source);
	return TRUE;
}

static gboolean parse_format(const char *text, enum snapshot_format *format, GError **error)
{
	if (text == NULL || strcmp(text, "frames") == 0)
		*format = SNAPSHOT_FORMAT_CORESIGHT;
	else if (strcmp(text, "tpiu") == 0)
		*format = SNAPSHOT_FORMAT_DSTREAM_CORESIGHT;
	else if (strcmp(text, "source") == 0)
		*format = SNAPSHOT_FORMAT_SOURCE_DATA;
	else
		return wrong(error, "--format %s: expected frames, tpiu or source", text);
	return TRUE;
}

static gboolean is_perf_data(const char *path)
{
	char magic[8] = "";
	FILE *file = fopen(path, "rb");
	gboolean is = file != NULL && fread(magic, 1, sizeof magic, file) == sizeof magic &&
	              memcmp(magic, "PERFILE2", sizeof magic) == 0;

	if (file != NULL)
		fclose(file);
	return is;
}

static gboolean import(const struct options *options, const char *path,
                       struct import_result *result, gboolean *usage, GError **error)
{
	g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(struct import_source));
	struct import_raw raw = { .path = path,
		                  .sources = sources,
		                  .timestamp_hz = (guint64)options->timestamp_hz };

	if (is_perf_data(path))
		return import_perf(path, options->out, (guint64)options->timestamp_hz, result,
		                   error);
	g_array_set_clear_func(sources, source_clear);
	*usage = TRUE;
	if (!parse_format(options->format, &raw.format, error) ||
	    !add_etms(options, sources, error) || !add_stm(options, sources, error) ||
	    !apply_registers(options, sources, error))
		return FALSE;
	*usage = FALSE;
	return import_raw(&raw, options->out, result, error);
}

static int run_parsed(const struct options *options, const char *path)
{
	g_autoptr(GError) error = NULL;
	struct import_result result = { 0 };
	gboolean usage = FALSE, ok;
	int code = EXIT_CODE_DONE;

	if (g_file_test(path, G_FILE_TEST_IS_DIR))
		return verb_usage("import",
		                  "%s is a directory: a capture directory needs no import, "
		                  "'hvscope decode %s' reads it",
		                  path, path);
	ok = import(options, path, &result, &usage, &error);
	if (ok) {
		for (guint i = 0; i < result.notes->len; i++)
			g_printerr("note: %s\n", (const char *)g_ptr_array_index(result.notes, i));
		g_print("%s: %" G_GUINT64_FORMAT " bytes of trace, %u source%s, %u buffer%s%s\n",
		        options->out, result.trace_bytes, result.n_sources,
		        result.n_sources == 1 ? "" : "s", result.n_buffers,
		        result.n_buffers == 1 ? "" : "s",
		        result.n_gaps > 0 ? ", with gaps (AUX data was lost)" : "");
	} else {
		code = usage ? verb_usage("import", "%s", error->message)
		             : verb_fail("import", error);
	}
	import_result_clear(&result);
	return code;
}

static int import_run(int argc, char **argv)
{
	struct options o = { 0 };
	const GOptionEntry entries[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &o.out, "the capture directory", "DIR" },
		{ "format", 0, 0, G_OPTION_ARG_STRING, &o.format,
		  "of a raw dump: frames (ETB, ETR), tpiu (with syncs) or source (one source's "
		  "bytes)",
		  "WHAT" },
		{ "etm", 0, 0, G_OPTION_ARG_STRING, &o.etms,
		  "trace IDs of the ETMv4 of core 0, 1 ...: 0x10,0x11", "LIST" },
		{ "stm", 0, 0, G_OPTION_ARG_STRING, &o.stm, "trace ID of the STM", "ID" },
		{ "reg", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o.registers,
		  "a register, of all cores or of one: TRCCONFIGR=0x8D1, 1:TRCIDR0=0x28000EA1",
		  "[CORE:]NAME=VALUE" },
		{ "core-type", 0, 0, G_OPTION_ARG_STRING, &o.core_type, "(Cortex-A53)", "NAME" },
		{ "timestamp-hz", 0, 0, G_OPTION_ARG_INT64, &o.timestamp_hz,
		  "timestamp ticks a second", "HZ" },
		{ NULL },
	};
	int code = EXIT_CODE_USAGE;

	if (verb_parse(&argc, &argv, "FILE",
	               "Makes a capture directory of perf.data (cs_etm), or of a raw dump of a "
	               "trace buffer with the registers that you give.",
	               entries)) {
		if (argc != 2)
			code = verb_usage("import", "one FILE, please");
		else if (o.out == NULL)
			code = verb_usage("import", "where to? -o DIRECTORY");
		else if (o.timestamp_hz < 0)
			code = verb_usage("import", "--timestamp-hz is not negative");
		else
			code = run_parsed(&o, argv[1]);
	}
	g_free(o.out);
	g_free(o.format);
	g_free(o.etms);
	g_free(o.core_type);
	g_free(o.stm);
	g_strfreev(o.registers);
	return code;
}

const struct verb verb_import = { "import", "make a capture of perf.data or of a raw trace dump",
	                          import_run };
