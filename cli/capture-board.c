#include "cli/capture-board.h"

#include "awareness/symbols/symbols.h"
#include "base/suggest.h"
#include "base/system-file.h"
#include "capture/link-open.h"
#include "capture/session-sysfs.h"
#include "capture/session.h"
#include "cli/capture-after.h"
#include "cli/verb.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As typed; everything is checked in make_config. */
struct options {
	char *board, *link, *sink, *preset, *duration, *out, *cores, *symbols, *system, *log;
	char *buffer, *tpiu_file, *names;
	char **ranges, **in_use;
	gint stop_core, tpiu_width;
	gboolean dry_run, take, stall, with_stm, quiet, open;
};

static void options_clear(struct options *self)
{
	char **words[] = { &self->board,    &self->link, &self->sink,   &self->preset,
		           &self->duration, &self->out,  &self->cores,  &self->symbols,
		           &self->system,   &self->log,  &self->buffer, &self->tpiu_file,
		           &self->names };

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		g_clear_pointer(words[i], g_free);
	g_clear_pointer(&self->ranges, g_strfreev);
	g_clear_pointer(&self->in_use, g_strfreev);
}

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

static gboolean parse_u64(const char *text, char **end, guint64 *value)
{
	if (!g_ascii_isdigit(*text))
		return FALSE;
	*value = g_ascii_strtoull(text, end, 0);
	return *end != text;
}

/* "64M", "0x4000", "16384". */
static gboolean parse_size(const char *text, guint64 *bytes)
{
	char *end;

	if (!parse_u64(text, &end, bytes))
		return FALSE;
	if (*end == 'K' || *end == 'k')
		*bytes <<= 10, end++;
	else if (*end == 'M')
		*bytes <<= 20, end++;
	else if (*end == 'G')
		*bytes <<= 30, end++;
	return *end == '\0';
}

static gboolean parse_memory(const char *option, const char *text, struct session_memory *memory,
                             GError **error)
{
	char *end;

	if (parse_u64(text, &end, &memory->start_pa) && *end == '+' &&
	    parse_size(end + 1, &memory->len_bytes) && memory->len_bytes > 0)
		return TRUE;
	return wrong(error, "%s %s: expected ADDRESS+SIZE, as in 0x70000000+64M", option, text);
}

/* "2s", "150ms", "500us". */
static gboolean parse_duration(const char *text, guint64 *us, GError **error)
{
	char *end;
	double number = g_ascii_strtod(text, &end);
	double unit = strcmp(end, "s") == 0    ? 1e6
	              : strcmp(end, "ms") == 0 ? 1e3
	              : strcmp(end, "us") == 0 ? 1
	                                       : 0;

	if (end != text && unit > 0 && number > 0 && number * unit < 1e15) {
		*us = (guint64)(number * unit);
		return TRUE;
	}
	return wrong(error, "--for %s: expected a time, as in 2s, 150ms or 500us", text);
}

static gboolean parse_cores(const char *text, guint64 *mask, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);

	for (guint i = 0; words[i] != NULL; i++) {
		char *end;
		guint64 core;

		if (!parse_u64(words[i], &end, &core) || *end != '\0' || core > 63)
			return wrong(error, "--cores %s: expected numbers, as in 0,1", text);
		*mask |= 1ull << core;
	}
	return TRUE;
}

/* "schedule", or "domain NAME|NUMBER": a machine's name of the system file, or a VMID. */
static gboolean parse_preset(const struct options *options, struct session_config *config,
                             GError **error)
{
	const char *preset = options->preset != NULL ? options->preset : "schedule";
	g_auto(GStrv) words = g_strsplit(preset, " ", 2);
	const char *value = words[1];
	gboolean found = FALSE;
	char *end;

	for (guint i = 0; session_preset_name(i) != NULL; i++) {
		if (g_strcmp0(words[0], session_preset_name(i)) == 0) {
			config->preset = (enum session_preset)i;
			found = TRUE;
		}
	}
	if (!found)
		return wrong(error,
		             "--preset %s: expected schedule, exits, full, 'domain NAME', "
		             "'task NUMBER' or stm",
		             preset);
	if (config->preset != SESSION_PRESET_DOMAIN && config->preset != SESSION_PRESET_TASK)
		return value == NULL ||
		       wrong(error, "--preset %s: %s takes nothing more", preset, words[0]);
	if (value == NULL)
		return wrong(error, "--preset %s: of which one? Write --preset '%s NAME'", preset,
		             words[0]);
	if (parse_u64(value, &end, &config->filter_value) && *end == '\0')
		return TRUE;
	if (options->system == NULL)
		return wrong(error,
		             "--preset '%s': names come from --system FILE; without it give "
		             "the %s as a number",
		             preset,
		             config->preset == SESSION_PRESET_DOMAIN ? "VMID" : "context ID");
	g_autoptr(system_file) system = system_file_load(options->system, error);

	if (system == NULL)
		return FALSE;
	for (guint i = 0; i < system->machines->len; i++) {
		const struct system_machine *machine = g_ptr_array_index(system->machines, i);

		if (config->preset == SESSION_PRESET_DOMAIN) {
			if (g_strcmp0(machine->name, value) != 0 || machine->vmid < 0)
				continue;
			config->filter_value = (guint64)machine->vmid;
			return TRUE;
		}
		for (guint n = 0; n < machine->tasks->len; n++) {
			const struct system_task *task =
				&g_array_index(machine->tasks, struct system_task, n);

			if (g_strcmp0(task->name, value) != 0)
				continue;
			config->filter_value = task->context_id;
			return TRUE;
		}
	}
	return wrong(error, "--preset '%s': %s knows no %s of that name", preset, options->system,
	             words[0]);
}

/* What of Xen has to be seen to know who runs where: the vectors, the switch, and the way
 * back to a guest. */
static gboolean ranges_from_xen(const char *path, struct session_config *config, GError **error)
{
	static const struct {
		const char *first, *last; /* `last` is included */
		guint64 size_bytes;       /* 0: as the symbol says */
	} wanted[] = {
		{ "hyp_traps_vector", NULL, 0x800 },
		{ "context_switch", NULL, 0 },
		{ "leave_hypervisor_to_guest", NULL, 0 },
		{ "return_to_new_vcpu64", "return_from_trap", 0x100 },
	};
	g_autoptr(elf_file_t) file = elf_file_open(path, error);
	g_autoptr(symbols_t) symbols = NULL;

	if (file == NULL || (symbols = symbols_new_from_elf(file, error)) == NULL)
		return FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
		const struct symbol *first = symbols_by_name(symbols, wanted[i].first);
		const struct symbol *last =
			wanted[i].last != NULL ? symbols_by_name(symbols, wanted[i].last) : first;
		guint64 size;

		if (first == NULL || last == NULL || last->address < first->address)
			return wrong(error, "%s has no symbol %s: is it Xen's xen-syms?", path,
			             first == NULL ? wanted[i].first : wanted[i].last);
		size = wanted[i].size_bytes != 0 ? wanted[i].size_bytes : last->size_bytes;
		config->ranges[config->n_ranges++] =
			(struct etm4_range) { first->address, last->address + MAX(size, 4) - 4 };
	}
	return TRUE;
}

static gboolean parse_ranges(const struct options *options, struct session_config *config,
                             GError **error)
{
	if (options->symbols != NULL && config->preset == SESSION_PRESET_SCHEDULE &&
	    !ranges_from_xen(options->symbols, config, error))
		return FALSE;
	for (guint i = 0; options->ranges != NULL && options->ranges[i] != NULL; i++) {
		struct etm4_range range;
		char *end;

		if (config->n_ranges == ETM4_MAX_RANGES)
			return wrong(error, "--range: more than %d", ETM4_MAX_RANGES);
		if (!parse_u64(options->ranges[i], &end, &range.start_va) || *end != '-' ||
		    !parse_u64(end + 1, &end, &range.last_va) || *end != '\0' ||
		    range.last_va < range.start_va)
			return wrong(error,
			             "--range %s: expected FIRST-LAST, virtual addresses of "
			             "instructions",
			             options->ranges[i]);
		config->ranges[config->n_ranges++] = range;
	}
	return TRUE;
}

/* On the target itself the kernel says which RAM is its own. */
static void add_own_ram(GArray *in_use)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents("/proc/iomem", &text, NULL, NULL))
		return;
	lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i] != NULL; i++) {
		struct session_memory memory;
		guint64 last;
		char *end;

		if (strstr(lines[i], " : System RAM") == NULL)
			continue;
		memory.start_pa = g_ascii_strtoull(lines[i], &end, 16);
		last = *end == '-' ? g_ascii_strtoull(end + 1, NULL, 16) : 0;
		/* Without privilege the kernel shows zeros. */
		if (last <= memory.start_pa)
			continue;
		memory.len_bytes = last - memory.start_pa + 1;
		g_array_append_val(in_use, memory);
	}
}

static gboolean make_config(const struct options *options, struct session_config *config,
                            GArray *in_use, GError **error)
{
	*config = (struct session_config) { .sink = options->sink != NULL ? options->sink : "etr",
		                            .with_stm = options->with_stm,
		                            .stall = options->stall,
		                            .take = options->take,
		                            .stop_core = options->stop_core,
		                            .tpiu_width = (guint)options->tpiu_width,
		                            .tpiu_file = options->tpiu_file,
		                            .out_dir = options->out };
	if (options->tpiu_width < 0 || options->tpiu_width > 32)
		return wrong(error, "--tpiu-width %d: expected 1 to 32 pins", options->tpiu_width);
	if (!parse_preset(options, config, error) || !parse_ranges(options, config, error))
		return FALSE;
	if (options->duration != NULL && !parse_duration(options->duration, &config->for_us, error))
		return FALSE;
	if (options->cores != NULL && !parse_cores(options->cores, &config->cores, error))
		return FALSE;
	if (options->buffer != NULL &&
	    !parse_memory("--etr-buffer", options->buffer, &config->buffer, error))
		return FALSE;
	for (guint i = 0; options->in_use != NULL && options->in_use[i] != NULL; i++) {
		struct session_memory memory;

		if (!parse_memory("--ram-used", options->in_use[i], &memory, error))
			return FALSE;
		g_array_append_val(in_use, memory);
	}
	if (options->link != NULL && g_str_has_prefix(options->link, "devmem"))
		add_own_ram(in_use);
	config->in_use = (const struct session_memory *)(void *)in_use->data;
	config->n_in_use = in_use->len;
	return TRUE;
}

static char *text_of_seconds(double seconds)
{
	if (seconds >= 120)
		return g_strdup_printf("%.0f min", seconds / 60);
	if (seconds >= 1)
		return g_strdup_printf("%.1f s", seconds);
	if (seconds >= 1e-3)
		return g_strdup_printf("%.1f ms", seconds * 1e3);
	return g_strdup_printf("%.0f us", seconds * 1e6);
}

static void print_plan(const struct session_plan *plan, const struct session_config *config)
{
	g_autoptr(GString) sources = g_string_new(NULL);

	for (guint i = 0; i < plan->sources->len; i++) {
		const struct session_source *source =
			&g_array_index(plan->sources, struct session_source, i);

		g_string_append_printf(sources, "%s%s (ID 0x%02X)", i > 0 ? ", " : "",
		                       board_component(plan->board, source->component)->name,
		                       source->trace_id);
	}
	g_print("board    %s\nsources  %s\nsink     %s", plan->board->title, sources->str,
	        config->sink);
	if (plan->window_s > 0) {
		g_autofree char *window = text_of_seconds(plan->window_s);

		g_print(", %" G_GUINT64_FORMAT " bytes: lasts about %s at the published rate%s",
		        plan->sink_bytes, window,
		        config->preset == SESSION_PRESET_DOMAIN ||
		                        config->preset == SESSION_PRESET_TASK ||
		                        config->n_ranges > 0
		                ? ", longer where the filter drops much"
		                : "");
	}
	g_print("\n");
	for (guint i = 0; i < plan->doubts->len; i++)
		g_print("unsure   %s\n", (const char *)g_ptr_array_index(plan->doubts, i));
}

struct progress {
	gboolean on;
	enum session_phase phase;
	gint64 phase_start_us, printed_us;
};

static void print_progress(gpointer data, enum session_phase phase, guint64 done, guint64 total)
{
	struct progress *self = data;
	gint64 now_us = g_get_monotonic_time();
	double seconds;

	if (phase != self->phase || self->phase_start_us == 0) {
		self->phase = phase;
		self->phase_start_us = now_us;
		self->printed_us = 0;
	}
	if (!self->on || now_us - self->printed_us < 200000)
		return;
	self->printed_us = now_us;
	seconds = (double)(now_us - self->phase_start_us) / 1e6;
	g_printerr("\r\033[K%s", session_phase_name(phase));
	if (phase == SESSION_DRAIN && done > 0 && seconds > 0) {
		double rate = (double)done / seconds;

		g_printerr(" %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
		           " bytes, %.0f KB/s, %.0f s left",
		           done, total, rate / 1e3, (double)(total - MIN(done, total)) / rate);
	} else if (phase == SESSION_RUN && total > 0) {
		g_printerr(" %.1f of %.1f s", (double)done / 1e6, (double)total / 1e6);
	} else if (phase == SESSION_RUN) {
		g_printerr(" %.1f s, end it with Ctrl-C", (double)done / 1e6);
	}
}

/* Signals end a run through a cancellable, from a thread of their own, so that the session
 * always gets to restore the target. */
static gpointer watch_signals(gpointer data)
{
	GCancellable *stop = data;
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	while (sigwait(&set, &number) == 0)
		g_cancellable_cancel(stop);
	return NULL;
}

static void catch_signals(GCancellable *stop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	g_thread_unref(g_thread_new("signals", watch_signals, g_object_ref(stop)));
}

static void print_result(const struct options *options, const struct session_result *result,
                         gboolean ok)
{
	for (guint i = 0; i < result->notes->len; i++)
		g_printerr("note: %s\n", (const char *)g_ptr_array_index(result->notes, i));
	if (ok || result->incomplete != NULL)
		g_print("%s: %" G_GUINT64_FORMAT " bytes of trace in %.1f s%s%s\n", options->out,
		        result->trace_bytes, (double)result->drain_us / 1e6,
		        result->wrapped ? ", wrapped: the oldest trace is gone" : "",
		        result->incomplete != NULL ? ", INCOMPLETE" : "");
	if (result->incomplete != NULL)
		g_printerr("hvscope capture: kept %s\n", result->incomplete);
}

/* Linux on the target does the programming. */
static int capture_sysfs(const struct options *options, const struct session_config *config)
{
	const char *colon = strchr(options->link, ':');
	struct session_sysfs_config sysfs = { .root = colon != NULL ? colon + 1 : "",
		                              .sink = config->sink,
		                              .cores = config->cores,
		                              .for_us = config->for_us,
		                              .buffer_bytes = config->buffer.len_bytes,
		                              .out_dir = options->out };
	g_autoptr(GCancellable) stop = g_cancellable_new();
	g_autoptr(GError) error = NULL;
	struct progress progress = { .on = !options->quiet && isatty(STDERR_FILENO) };
	struct session_result result;
	gboolean ok;

	if (config->preset != SESSION_PRESET_FULL)
		return verb_usage("capture",
		                  "the link sysfs takes --preset full only: Linux's driver "
		                  "never traces EL2, and it programs the filters itself");
	catch_signals(stop);
	ok = session_sysfs_run(&sysfs, stop, print_progress, &progress, &result, &error);
	if (progress.on)
		g_printerr("\r\033[K");
	print_result(options, &result, ok);
	session_result_clear(&result);
	return ok ? EXIT_CODE_DONE : verb_fail("capture", error);
}

static int capture(const struct options *options, const struct session_plan *plan,
                   struct session_config *config)
{
	/* A core whose halt ended the trace is one that somebody wants to look at. */
	struct capture_names names = { .target = options->names,
		                       .system = options->system,
		                       .run_on = config->stop_core < 0 };
	g_autoptr(GCancellable) stop = g_cancellable_new();
	g_autoptr(GError) error = NULL;
	struct progress progress = { .on = !options->quiet && isatty(STDERR_FILENO) };
	struct session_result result;
	gboolean ok;

	catch_signals(stop);
	g_autoptr(Link) link = link_open(options->link, plan->board, &error);

	if (link == NULL)
		return verb_fail("capture", error);
	if (names.target != NULL) {
		config->stopped = capture_names_take;
		config->stopped_data = &names;
	}
	ok = session_run(plan, config, link, stop, print_progress, &progress, &result, &error);
	if (progress.on)
		g_printerr("\r\033[K");
	if (options->log != NULL && !g_file_set_contents(options->log, result.write_log, -1, NULL))
		g_printerr("note: the register log could not be written to %s\n", options->log);
	print_result(options, &result, ok);
	session_result_clear(&result);
	if (ok && names.error != NULL) {
		ok = FALSE;
		g_propagate_error(&error, g_steal_pointer(&names.error));
	}
	g_clear_error(&names.error);
	if (ok && options->open)
		ok = capture_window_open(options->out, &error);
	return ok ? EXIT_CODE_DONE : verb_fail("capture", error);
}

static int run_parsed(const struct options *options)
{
	g_autoptr(GArray) in_use = g_array_new(FALSE, FALSE, sizeof(struct session_memory));
	struct session_config config;
	g_autoptr(GError) error = NULL;

	if (!make_config(options, &config, in_use, &error))
		return verb_usage("capture", "%s", error->message);
	if (options->link != NULL && g_str_has_prefix(options->link, "sysfs")) {
		if (options->out == NULL || config.for_us == 0)
			return verb_usage("capture", "the link sysfs needs --for and -o");
		return capture_sysfs(options, &config);
	}
	if (options->board == NULL)
		return verb_usage("capture", "which board? --board zynqmp, juno, or a .board file");
	g_autoptr(Board) board = board_load(options->board, &error);

	if (board == NULL)
		return verb_fail("capture", error);
	g_autoptr(SessionPlan) plan = session_plan_new(board, &config, &error);

	if (plan == NULL)
		return verb_fail("capture", error);
	if (!options->quiet)
		print_plan(plan, &config);
	if (options->dry_run) {
		g_autofree char *text = session_plan_text(plan, &config);

		g_print("%s", text);
		return EXIT_CODE_DONE;
	}
	if (options->link == NULL)
		return verb_usage("capture", "by which link? --link openocd:localhost:6666, devmem "
		                             "or sysfs; --dry-run needs none");
	if (options->out == NULL)
		return verb_usage("capture", "where to? -o DIRECTORY");
	if (config.for_us == 0 && !isatty(STDIN_FILENO) && config.stop_core < 0)
		return verb_usage("capture", "how long? --for 2s (or a terminal, and Ctrl-C)");
	return capture(options, plan, &config);
}

int capture_board_run(int argc, char **argv)
{
	struct options o = { .stop_core = -1, .tpiu_width = 16 };
	const GOptionEntry entries[] = {
		{ "board", 'b', 0, G_OPTION_ARG_STRING, &o.board, "zynqmp, juno or a .board file",
		  "NAME" },
		{ "link", 'l', 0, G_OPTION_ARG_STRING, &o.link,
		  "openocd:HOST:PORT, devmem or sysfs", "LINK" },
		{ "sink", 's', 0, G_OPTION_ARG_STRING, &o.sink, "etf1, etf2, etr or tpiu (etr)",
		  "NAME" },
		{ "preset", 'p', 0, G_OPTION_ARG_STRING, &o.preset,
		  "schedule, exits, full, 'domain NAME', 'task NAME' or stm (schedule)", "WHAT" },
		{ "for", 'f', 0, G_OPTION_ARG_STRING, &o.duration, "how long: 2s, 150ms", "TIME" },
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &o.out, "the capture directory", "DIR" },
		{ "cores", 0, 0, G_OPTION_ARG_STRING, &o.cores, "only these: 0,1", "LIST" },
		{ "with-stm", 0, 0, G_OPTION_ARG_NONE, &o.with_stm, "the STM too", NULL },
		{ "symbols", 0, 0, G_OPTION_ARG_FILENAME, &o.symbols,
		  "xen-syms: preset schedule traces its switch and return paths only", "FILE" },
		{ "range", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o.ranges,
		  "trace only these addresses (again for more)", "FIRST-LAST" },
		{ "system", 0, 0, G_OPTION_ARG_FILENAME, &o.system, "system file, for names",
		  "FILE" },
		{ "stop-on-halt", 0, 0, G_OPTION_ARG_INT, &o.stop_core,
		  "stop the trace when this core halts (CTI)", "CORE" },
		{ "stall", 0, 0, G_OPTION_ARG_NONE, &o.stall,
		  "stall cores rather than lose trace (intrusive)", NULL },
		{ "etr-buffer", 0, 0, G_OPTION_ARG_STRING, &o.buffer,
		  "memory that is reserved for the ETR and nobody else's", "ADDR+SIZE" },
		{ "ram-used", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o.in_use,
		  "RAM in use, which the buffer must not touch (again for more)", "ADDR+SIZE" },
		{ "tpiu-width", 0, 0, G_OPTION_ARG_INT, &o.tpiu_width,
		  "pins of the trace port (16)", "N" },
		{ "tpiu-file", 0, 0, G_OPTION_ARG_FILENAME, &o.tpiu_file,
		  "where the analyser at the trace port puts what it recorded", "FILE" },
		{ "take", 0, 0, G_OPTION_ARG_NONE, &o.take, "take what somebody else has on",
		  NULL },
		{ "dry-run", 'n', 0, G_OPTION_ARG_NONE, &o.dry_run,
		  "print plan and register accesses, touch nothing", NULL },
		{ "names", 0, 0, G_OPTION_ARG_STRING, &o.names,
		  "halt this target for a moment when the trace is over, and keep its names",
		  "TARGET" },
		{ "open", 0, 0, G_OPTION_ARG_NONE, &o.open,
		  "show it in hvscope-gui when it is there", NULL },
		{ "log", 0, 0, G_OPTION_ARG_FILENAME, &o.log, "write every register write here",
		  "FILE" },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &o.quiet, "no plan, no progress", NULL },
		{ NULL },
	};
	int code = EXIT_CODE_USAGE;

	if (verb_parse(&argc, &argv, NULL,
	               "Captures trace from a board. 'hvscope capture probe' says what is there.",
	               entries))
		code = argc > 1 ? verb_usage("capture", "'%s' is too much", argv[1])
		                : run_parsed(&o);
	options_clear(&o);
	return code;
}
