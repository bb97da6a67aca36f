#include "cli/capture-qemu.h"

#include "awareness/symbols/symbols.h"
#include "capture/qemu-run.h"
#include "capture/snapshot.h"
#include "cli/names-write.h"
#include "cli/verb.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#define PLUGIN_NAME "hvscope-virtual-etm.so"

enum {
	TRACE_ID = 0x10,
	SYNC_LOG2 = 12,
	DEFAULT_SHIFT = 2, /* 4 ns an instruction: a core of 250 MHz */
	CYCLE_THRESHOLD = 64,
	SCHEDULE_THRESHOLD = 16, /* visits are short, and cost little */
};

/* As typed. */
struct options {
	char *link, *out, *preset, *start, *stop, *duration, *plugin, *qemu, *stm, *max_size;
	char *names, *system;
	char **ranges, **symbols;
	gint shift, cycle_threshold;
	gboolean no_return_stack, no_names, dry_run, quiet;
};

/* Where the names of this capture come from. */
struct naming {
	const struct options *options;
	const char *target; /* NULL: there are none to be had */
	gboolean after;     /* a dump, which is there when QEMU has ended */
	gboolean done;
	char *folder, *socket; /* of a gdb server of our own; else NULL */
	char *own_target;
};

/* Symbols of the files given, for addresses by name. */
struct names {
	GPtrArray *files;  /* elf_file */
	GPtrArray *tables; /* struct symbols */
};

static void options_clear(struct options *self)
{
	char **words[] = { &self->link, &self->out,      &self->preset, &self->start,
		           &self->stop, &self->duration, &self->plugin, &self->qemu,
		           &self->stm,  &self->max_size, &self->names,  &self->system };

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		g_clear_pointer(words[i], g_free);
	g_clear_pointer(&self->ranges, g_strfreev);
	g_clear_pointer(&self->symbols, g_strfreev);
}

static gboolean wrong(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean wrong(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_propagate_error(
		error, g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, args));
	va_end(args);
	return FALSE;
}

gboolean capture_qemu_wanted(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--link=qemu") == 0)
			return TRUE;
		if (strcmp(argv[i], "--link") == 0 && i + 1 < argc &&
		    strcmp(argv[i + 1], "qemu") == 0)
			return TRUE;
	}
	return FALSE;
}

static void names_clear(struct names *self)
{
	g_clear_pointer(&self->tables, g_ptr_array_unref);
	g_clear_pointer(&self->files, g_ptr_array_unref);
}

static gboolean names_load(struct names *self, char **paths, GError **error)
{
	self->files = g_ptr_array_new_with_free_func((GDestroyNotify)elf_file_unref);
	self->tables = g_ptr_array_new_with_free_func((GDestroyNotify)symbols_free);
	for (guint i = 0; paths != NULL && paths[i] != NULL; i++) {
		struct elf_file *file = elf_file_open(paths[i], error);
		struct symbols *table;

		if (file == NULL)
			return FALSE;
		g_ptr_array_add(self->files, file);
		table = symbols_new_from_elf(file, error);
		if (table == NULL)
			return FALSE;
		g_ptr_array_add(self->tables, table);
	}
	return TRUE;
}

static gboolean parse_number(const char *text, guint64 *value)
{
	char *end;

	if (!g_ascii_isdigit(*text))
		return FALSE;
	*value = g_ascii_strtoull(text, &end, 0);
	return *end == '\0';
}

/* "0x40080000", "context_switch", "context_switch+0x10". */
static gboolean parse_address(const struct names *names, const char *text, guint64 *va,
                              guint64 *size_bytes, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(text, "+", 2);
	guint64 offset = 0;

	*size_bytes = 4;
	if (parse_number(text, va))
		return TRUE;
	if (parts[1] != NULL && !parse_number(parts[1], &offset))
		return wrong(error, "%s: expected SYMBOL+OFFSET, as in context_switch+0x10", text);
	for (guint i = 0; i < names->tables->len; i++) {
		const struct symbol *symbol =
			symbols_by_name(g_ptr_array_index(names->tables, i), parts[0]);

		if (symbol == NULL)
			continue;
		*va = symbol->address + offset;
		if (offset == 0 && symbol->size_bytes > 4)
			*size_bytes = symbol->size_bytes;
		return TRUE;
	}
	return wrong(error,
	             names->tables->len > 0
	                     ? "%s: neither a number nor a symbol of the --symbols given"
	                     : "%s: no number, and no --symbols FILE says what it is",
	             text);
}

/* "150ms" and its like; FALSE without an error where it is no time. */
static gboolean parse_time(const char *text, guint64 *ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 } };
	char *end;
	const double number = g_ascii_strtod(text, &end);

	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		if (end != text && strcmp(end, units[i].unit) == 0 && number >= 0 &&
		    number * units[i].ns < 1e18) {
			*ns = (guint64)(number * units[i].ns);
			return TRUE;
		}
	}
	return FALSE;
}

/* "insn:1000000", "2s", and for start and stop an address with "@EL". */
static gboolean parse_edge(const struct names *names, const char *option, const char *text,
                           struct qemu_edge *edge, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(text, "@", 2);
	guint64 value, size_bytes;

	edge->el = -1;
	if (g_str_has_prefix(text, "insn:") && parse_number(text + strlen("insn:"), &value)) {
		edge->kind = QEMU_EDGE_INSTRUCTIONS;
	} else if (parse_time(text, &value)) {
		edge->kind = QEMU_EDGE_TIME_NS;
	} else if (edge->relative) {
		return wrong(error, "%s %s: expected a time, as in 150ms, or insn:NUMBER", option,
		             text);
	} else {
		if (!parse_address(names, parts[0], &value, &size_bytes, error)) {
			g_prefix_error(error, "%s ", option);
			return FALSE;
		}
		edge->kind = QEMU_EDGE_ADDRESS_VA;
		if (parts[1] != NULL) {
			guint64 el;

			if (!parse_number(parts[1], &el) || el > 3)
				return wrong(error, "%s %s: expected @0 to @3 for the level",
				             option, text);
			edge->el = (gint)el;
		}
	}
	edge->value = value;
	return TRUE;
}

/* "FIRST-LAST", addresses or symbols; or one symbol with its size. */
static gboolean parse_range(const struct names *names, const char *text, struct etm4_range *range,
                            GError **error)
{
	g_auto(GStrv) parts = g_strsplit(text, "-", 2);
	guint64 size_bytes;

	if (!parse_address(names, parts[0], &range->start_va, &size_bytes, error))
		goto failed;
	range->last_va = range->start_va + size_bytes - 4;
	if (parts[1] != NULL) {
		if (!parse_address(names, parts[1], &range->last_va, &size_bytes, error))
			goto failed;
		range->last_va += size_bytes - 4;
	}
	if (range->last_va >= range->start_va)
		return TRUE;
	wrong(error, "it ends before it begins");
failed:
	g_prefix_error(error, "--range %s: ", text);
	return FALSE;
}

static gboolean parse_preset(const char *text, struct etm4_config *etm, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 2);
	const gboolean is_domain = strcmp(words[0], "domain") == 0;
	const gboolean is_task = strcmp(words[0], "task") == 0;

	etm->config =
		ETM4_CYCLE_COUNT | ETM4_CONTEXT_ID | ETM4_VMID | ETM4_TIMESTAMP | ETM4_RETURN_STACK;
	etm->cycle_threshold = CYCLE_THRESHOLD;
	etm->view_inst = ETM4_VIEW_ALL_NS;
	if (strcmp(text, "full") == 0)
		return TRUE;
	if (strcmp(text, "exits") == 0) {
		etm->view_inst = ETM4_VIEW_EL1_EL2;
		return TRUE;
	}
	if (strcmp(text, "schedule") == 0) {
		etm->view_inst = ETM4_VIEW_EL2;
		etm->cycle_threshold = SCHEDULE_THRESHOLD;
		return TRUE;
	}
	etm->filter = is_domain ? ETM4_FILTER_VMID : ETM4_FILTER_CONTEXT_ID;
	if ((is_domain || is_task) && words[1] != NULL &&
	    parse_number(words[1], &etm->filter_value) &&
	    etm->filter_value <= (is_domain ? 0xFF : G_MAXUINT32))
		return TRUE;
	return wrong(error,
	             "--preset %s: expected full, exits, schedule, 'domain VMID' or "
	             "'task CONTEXT-ID'",
	             text);
}

/* "0x20000000+16M". */
static gboolean parse_size(const char *text, guint64 *bytes)
{
	char *end;

	if (!g_ascii_isdigit(*text))
		return FALSE;
	*bytes = g_ascii_strtoull(text, &end, 0);
	switch (*end) {
	case 'K':
		*bytes <<= 10;
		break;
	case 'M':
		*bytes <<= 20;
		break;
	case 'G':
		*bytes <<= 30;
		break;
	default:
		return *end == '\0';
	}
	return end[1] == '\0';
}

static gboolean parse_memory(const struct options *options, struct qemu_run_config *config,
                             GError **error)
{
	if (options->stm != NULL) {
		g_auto(GStrv) parts = g_strsplit(options->stm, "+", 2);

		if (!parse_number(parts[0], &config->stm_pa) || parts[1] == NULL ||
		    !parse_size(parts[1], &config->stm_bytes) || config->stm_bytes == 0)
			return wrong(error, "--stm %s: expected ADDRESS+SIZE, as in 0x20000000+1M",
			             options->stm);
	}
	if (options->max_size != NULL && !parse_size(options->max_size, &config->max_bytes))
		return wrong(error, "--max-size %s: expected a size, as in 64M", options->max_size);
	return TRUE;
}

static gboolean parse_window(const struct options *options, const struct names *names,
                             struct qemu_run_config *config, GError **error)
{
	config->stop.relative = options->duration != NULL;
	if (options->duration != NULL && options->stop != NULL)
		return wrong(error, "--for and --stop exclude each other");
	if (options->start != NULL &&
	    !parse_edge(names, "--start", options->start, &config->start, error))
		return FALSE;
	if (options->duration != NULL)
		return parse_edge(names, "--for", options->duration, &config->stop, error);
	return options->stop == NULL ||
	       parse_edge(names, "--stop", options->stop, &config->stop, error);
}

static gboolean parse_etm(const struct options *options, const struct names *names,
                          struct etm4_config *etm, GError **error)
{
	etm->trace_id = TRACE_ID;
	etm->sync_log2 = SYNC_LOG2;
	if (!parse_preset(options->preset != NULL ? options->preset : "full", etm, error))
		return FALSE;
	if (options->no_return_stack)
		etm->config &= ~(guint32)ETM4_RETURN_STACK;
	if (options->cycle_threshold < 0 || options->cycle_threshold > 0xFFF)
		return wrong(error,
		             "--cycle-threshold %d: expected 1 to 4095, or 0 for the preset's",
		             options->cycle_threshold);
	if (options->cycle_threshold > 0)
		etm->cycle_threshold = (guint)options->cycle_threshold;
	for (guint i = 0; options->ranges != NULL && options->ranges[i] != NULL; i++) {
		if (etm->n_ranges == ETM4_MAX_RANGES)
			return wrong(error, "--range: more than %d", ETM4_MAX_RANGES);
		if (!parse_range(names, options->ranges[i], &etm->ranges[etm->n_ranges], error))
			return FALSE;
		etm->n_ranges++;
	}
	return TRUE;
}

/* Beside the program, as built or as installed. */
static char *find_plugin(const struct options *options, GError **error)
{
	static const char *const places[] = { "../capture/virtual-etm", "capture/virtual-etm",
		                              "../lib/hvscope", "../lib/x86_64-linux-gnu/hvscope" };
	g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = program != NULL ? g_path_get_dirname(program) : g_strdup(".");
	const char *given =
		options->plugin != NULL ? options->plugin : g_getenv("HVSCOPE_VIRTUAL_ETM");

	if (given != NULL) {
		if (g_file_test(given, G_FILE_TEST_EXISTS))
			return g_strdup(given);
		wrong(error, "the plugin '%s' is not there", given);
		return NULL;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		g_autofree char *path = g_build_filename(folder, places[i], PLUGIN_NAME, NULL);

		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return g_canonicalize_filename(path, NULL);
	}
	wrong(error,
	      "the plugin " PLUGIN_NAME " is not beside '%s': ./run virtual-etm builds it, "
	      "or give --plugin FILE",
	      program != NULL ? program : "hvscope");
	return NULL;
}

/* Splits the user's part of the command line into program and arguments. */
static void take_command(const struct options *options, char **words,
                         struct qemu_run_config *config)
{
	config->program = options->qemu != NULL ? options->qemu : "qemu-system-aarch64";
	if (words[0] != NULL && words[0][0] != '-' && options->qemu == NULL) {
		config->program = words[0];
		words++;
	}
	config->arguments = (const char *const *)words;
	config->give_icount = TRUE;
	for (; *words != NULL; words++) {
		if (strcmp(*words, "-icount") == 0 || strcmp(*words, "--icount") == 0)
			config->give_icount = FALSE;
	}
}

static int report(const struct qemu_run_config *config)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) capture = snapshot_open(config->out_dir, &error);
	const char *instructions = "?", *gaps = "0";

	if (capture == NULL)
		return verb_fail("capture", error);
	for (guint i = 0; i < capture->n_properties; i++) {
		if (strcmp(capture->properties[i].key, "instructions_traced") == 0)
			instructions = capture->properties[i].value;
		else if (strcmp(capture->properties[i].key, "flow_gaps") == 0)
			gaps = capture->properties[i].value;
	}
	if (strcmp(gaps, "0") != 0)
		g_printerr("hvscope capture: the flow of the program was lost %s times; each is a "
		           "gap in the trace\n",
		           gaps);
	g_print("%s: %u cores, %s instructions, %" G_GUINT64_FORMAT
	        " bytes of trace; next: hvscope decode %s\n",
	        config->out_dir, capture->n_cores, instructions,
	        capture->n_buffers > 0 ? capture->buffers[0].size_bytes : 0, config->out_dir);
	return EXIT_CODE_DONE;
}

static gboolean make_config(const struct options *options, struct qemu_run_config *config,
                            GError **error)
{
	struct names names = { NULL, NULL };
	gboolean good;

	if (options->out == NULL)
		return wrong(error, "--out DIR is missing, where the capture goes");
	if (options->shift < 0 || options->shift > 10)
		return wrong(error, "--icount-shift %d: expected 0 to 10", options->shift);
	config->out_dir = options->out;
	config->icount_shift = (guint)options->shift;
	good = names_load(&names, options->symbols, error) &&
	       parse_etm(options, &names, &config->etm, error) &&
	       parse_window(options, &names, config, error) && parse_memory(options, config, error);
	names_clear(&names);
	return good;
}

static void take_names(gpointer data)
{
	struct naming *self = data;
	const struct names_job job = { .target = self->target, .system = self->options->system };

	names_write_to_capture(&job, self->options->out, self->options->quiet);
	self->done = TRUE;
}

static gboolean has_gdb_server(char **words)
{
	for (; *words != NULL; words++) {
		if (strcmp(*words, "-s") == 0 || strcmp(*words, "-gdb") == 0 ||
		    strcmp(*words, "--gdb") == 0)
			return TRUE;
	}
	return FALSE;
}

/* By QEMU's own gdb server, at a socket of ours, unless the user says where else. */
static gboolean naming_init(struct naming *self, const struct options *options, char **words,
                            struct qemu_run_config *config, GError **error)
{
	const gboolean by_qemu = options->names == NULL || strcmp(options->names, "qemu") == 0;

	*self = (struct naming) { .options = options };
	if (options->no_names || (options->names == NULL && options->system == NULL))
		return TRUE;
	if (!by_qemu) {
		self->target = options->names;
		self->after = !g_str_has_prefix(self->target, "gdb:");
	} else if (has_gdb_server(words)) {
		return wrong(error, "QEMU's arguments have a gdb server of their own: say "
		                    "--names gdb:HOST:PORT, or --no-names");
	} else {
		self->folder = g_dir_make_tmp("hvscope-names-XXXXXX", error);
		if (self->folder == NULL)
			return FALSE;
		self->socket = g_build_filename(self->folder, "gdb", NULL);
		self->own_target = g_strdup_printf("gdb:unix:%s", self->socket);
		self->target = self->own_target;
		config->gdb_socket = self->socket;
	}
	if (!self->after) {
		config->at_end = take_names;
		config->at_end_data = self;
	}
	return TRUE;
}

static void naming_deinit(struct naming *self)
{
	if (self->socket != NULL)
		g_unlink(self->socket);
	if (self->folder != NULL)
		g_rmdir(self->folder);
	g_free(self->folder);
	g_free(self->socket);
	g_free(self->own_target);
}

static int run_named(const struct options *options, struct naming *naming,
                     const struct qemu_run_config *config)
{
	g_autoptr(GError) error = NULL;

	if (options->dry_run) {
		g_auto(GStrv) command = qemu_run_command(config, &error);
		g_autofree char *line = command != NULL ? g_strjoinv(" ", command) : NULL;

		if (line == NULL)
			return verb_fail("capture", error);
		g_print("%s\n", line);
		return EXIT_CODE_DONE;
	}
	if (!qemu_run(config, &error))
		return verb_fail("capture", error);
	if (naming->after)
		take_names(naming);
	else if (naming->target != NULL && !naming->done)
		g_printerr("hvscope capture: no names: QEMU ended before its window did\n");
	return options->quiet ? EXIT_CODE_DONE : report(config);
}

static int run(const struct options *options, char **words)
{
	struct qemu_run_config config = { .stop = { .el = -1 } };
	g_autoptr(GError) error = NULL;
	g_autofree char *plugin = NULL;
	struct naming naming;
	int code;

	if (!make_config(options, &config, &error))
		return verb_usage("capture", "%s", error->message);
	take_command(options, words, &config);
	plugin = find_plugin(options, &error);
	if (plugin == NULL)
		return verb_fail("capture", error);
	config.plugin = plugin;
	code = naming_init(&naming, options, words, &config, &error)
	               ? run_named(options, &naming, &config)
	               : verb_usage("capture", "%s", error->message);
	naming_deinit(&naming);
	return code;
}

int capture_qemu_run(int argc, char **argv)
{
	struct options options = { .shift = DEFAULT_SHIFT };
	const GOptionEntry entries[] = {
		{ "link", 0, 0, G_OPTION_ARG_STRING, &options.link, "qemu: a system in QEMU",
		  "qemu" },
		{ "out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, "Capture directory to write",
		  "DIR" },
		{ "preset", 0, 0, G_OPTION_ARG_STRING, &options.preset,
		  "full (default), exits, schedule, 'domain VMID' or 'task CONTEXT-ID'", "WHAT" },
		{ "range", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.ranges,
		  "Trace these instructions only: SYMBOL or FIRST-LAST, up to four", "RANGE" },
		{ "symbols", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.symbols,
		  "ELF file whose symbols name addresses here", "FILE" },
		{ "start", 0, 0, G_OPTION_ARG_STRING, &options.start,
		  "Begin at a time (2s), insn:NUMBER, or an address or symbol[@EL]", "WHEN" },
		{ "stop", 0, 0, G_OPTION_ARG_STRING, &options.stop, "End then", "WHEN" },
		{ "for", 0, 0, G_OPTION_ARG_STRING, &options.duration,
		  "End so long after the start: 100ms or insn:NUMBER", "LENGTH" },
		{ "max-size", 0, 0, G_OPTION_ARG_STRING, &options.max_size,
		  "End when the trace is this large", "SIZE" },
		{ "stm", 0, 0, G_OPTION_ARG_STRING, &options.stm,
		  "Stores to this memory are STM stimulus", "ADDRESS+SIZE" },
		{ "cycle-threshold", 0, 0, G_OPTION_ARG_INT, &options.cycle_threshold,
		  "Count cycles at least so many at a time", "N" },
		{ "no-return-stack", 0, 0, G_OPTION_ARG_NONE, &options.no_return_stack,
		  "Trace the target of every return", NULL },
		{ "icount-shift", 0, 0, G_OPTION_ARG_INT, &options.shift,
		  "An instruction takes 2^N ns (default 2)", "N" },
		{ "system", 0, 0, G_OPTION_ARG_FILENAME, &options.system,
		  "System file; at the end names are taken from the machine (docs/names.md)",
		  "FILE" },
		{ "names", 0, 0, G_OPTION_ARG_STRING, &options.names,
		  "Take them from here: qemu, or a target as of hvscope debug", "TARGET" },
		{ "no-names", 0, 0, G_OPTION_ARG_NONE, &options.no_names, "Take none", NULL },
		{ "plugin", 0, 0, G_OPTION_ARG_FILENAME, &options.plugin,
		  "The virtual ETM's plugin", "FILE" },
		{ "qemu", 0, 0, G_OPTION_ARG_FILENAME, &options.qemu,
		  "QEMU (default qemu-system-aarch64)", "PROGRAM" },
		{ "dry-run", 'n', 0, G_OPTION_ARG_NONE, &options.dry_run,
		  "Print the command and run nothing", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &options.quiet, "No summary", NULL },
		{ NULL },
	};
	int code = EXIT_CODE_USAGE;

	if (verb_parse(&argc, &argv, "-- QEMU-ARGUMENTS...",
	               "Runs a system in QEMU and traces it with a virtual ETM.", entries)) {
		int first = 1;

		if (first < argc && strcmp(argv[first], "--") == 0)
			first++;
		code = first < argc ? run(&options, argv + first)
		                    : verb_usage("capture", "QEMU's own arguments are missing "
		                                            "after --");
	}
	options_clear(&options);
	return code;
}
