#include "cli/report.h"

#include "base/system-file.h"
#include "cli/format.h"
#include "decode/pipeline.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	JOBS_MAX = 256,
	BAR_WIDTH = 30
};

/* SIGINTs so far. The first stops decoding at its next report of progress; who presses on
 * does not want to wait for that. (Wrappers such as timeout(1) send it twice.) */
static volatile sig_atomic_t interrupts;

enum {
	INTERRUPTS_PATIENT = 2,
	EXIT_CODE_INTERRUPTED = 130
};

static void on_interrupt(int number)
{
	(void)number;
	if (++interrupts > INTERRUPTS_PATIENT)
		_exit(EXIT_CODE_INTERRUPTED);
}

static void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
}

static gboolean show_progress(guint64 done_bytes, guint64 total_bytes, gpointer data)
{
	const gboolean terminal = *(const gboolean *)data;
	const double share = total_bytes > 0 ? (double)done_bytes / (double)total_bytes : 1;
	char bar[BAR_WIDTH + 1];

	if (interrupts > 0)
		return FALSE;
	if (!terminal)
		return TRUE;
	for (guint i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < (guint)(share * BAR_WIDTH) ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	g_printerr("\rdecoding [%s] %3.0f%%", bar, share * 100);
	return TRUE;
}

static void clear_progress(gboolean terminal)
{
	if (terminal)
		g_printerr("\r%*s\r", BAR_WIDTH + 20, "");
}

static void print_written(const recording_reader *reader, const struct account *account)
{
	g_autofree char *name = format_text(recording_reader_path(reader));
	g_autofree char *window = report_duration(reader, account->window_ns);
	g_autofree char *traced = format_share(account->coverage, 1);

	g_print("%s: %s of %" G_GSIZE_FORMAT " core%s", name, window, account->n_cores,
	        account->n_cores == 1 ? "" : "s");
	if (account->n_cores > 0)
		g_print(", %s traced", traced);
	g_print("; next: hvscope report time %s\n", name);
}

static int print_summary(const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_reader) reader = recording_reader_new(path, &error);
	struct account account;

	if (reader == NULL || !account_init(&account, reader, &error))
		return verb_fail("decode", error);
	print_written(reader, &account);
	account_deinit(&account);
	return EXIT_CODE_DONE;
}

struct decode_words {
	char *output, *system_path;
	char **names_paths;
	gboolean no_names;
	gint jobs;
};

static void words_clear(struct decode_words *self)
{
	g_free(self->output);
	g_free(self->system_path);
	g_strfreev(self->names_paths);
}

/* What the user names goes before what the capture brings along. NULL without an error
 * where there is nothing. */
static struct system_file *load_system(const char *capture, const struct decode_words *words,
                                       GError **error)
{
	g_auto(GStrv) found = system_file_find_names(capture);
	char **names = words->names_paths;

	if (names == NULL && !words->no_names)
		names = found;
	if (words->system_path == NULL && (names == NULL || names[0] == NULL))
		return NULL;
	return system_file_load_with_names(words->system_path, (const char *const *)names, error);
}

static int decode(const char *capture, const struct decode_words *words)
{
	const char *output = words->output;
	g_autoptr(GError) error = NULL;
	g_autoptr(system_file) system = load_system(capture, words, &error);
	gboolean terminal = isatty(STDERR_FILENO) != 0;
	struct decode_options options = { .system = system,
		                          .jobs = (guint)words->jobs,
		                          .progress = show_progress,
		                          .progress_data = &terminal };
	gboolean done;

	if (error != NULL)
		return verb_fail("decode", error);
	interrupt_catch();
	done = decode_capture(capture, output, &options, &error);
	clear_progress(terminal);
	if (!done)
		return verb_fail("decode", error);
	return print_summary(output);
}

static int decode_run(int argc, char **argv)
{
	struct decode_words words = { 0 };
	int code;
	const GOptionEntry entries[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &words.output,
		  "the recording to write; an old one is replaced when all went well", "REC.hvs" },
		{ "system", 0, 0, G_OPTION_ARG_FILENAME, &words.system_path,
		  "names and tick rate of the traced system", "FILE" },
		{ "names", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words.names_paths,
		  "what hvscope names wrote, also several times; without it the names*.ini of the "
		  "capture",
		  "FILE" },
		{ "no-names", 0, 0, G_OPTION_ARG_NONE, &words.no_names,
		  "do without the names*.ini of the capture", NULL },
		{ "jobs", 'j', 0, G_OPTION_ARG_INT, &words.jobs,
		  "threads to decode with (one a processor)", "N" },
		G_OPTION_ENTRY_NULL
	};

	if (!verb_parse(&argc, &argv, "CAPTURE", "Decodes a capture directory into a recording.",
	                entries))
		return EXIT_CODE_USAGE;
	if (argc != 2)
		code = verb_usage("decode", argc < 2 ? "no capture given" : "takes one capture");
	else if (words.output == NULL)
		code = verb_usage("decode", "no -o REC.hvs given");
	else if (words.jobs < 0 || words.jobs > JOBS_MAX)
		code = verb_usage("decode", "--jobs takes 0 to %d, not %d", JOBS_MAX, words.jobs);
	else
		code = decode(argv[1], &words);
	words_clear(&words);
	return code;
}

const struct verb verb_decode = { "decode", "turn a capture into a recording", decode_run };
