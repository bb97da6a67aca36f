/* `hvscope names`: what a halted target knows that its trace does not say. */
#include "cli/format.h"
#include "cli/names-write.h"
#include "cli/verb.h"

struct options {
	char *target, *system, *output, *taken;
	gint64 offset_ticks;
	gboolean run_on;
};

static void options_clear(struct options *self)
{
	g_free(self->target);
	g_free(self->system);
	g_free(self->output);
	g_free(self->taken);
}

static int write_names(const struct options *options, struct names_job *job)
{
	g_autoptr(GPtrArray) gaps = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *output = format_text(options->output);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	struct names_counts counts;

	job->gaps = gaps;
	if (!names_write(job, &counts, &error))
		return verb_fail("names", error);
	for (guint i = 0; i < gaps->len; i++) {
		g_autofree char *gap = format_text(g_ptr_array_index(gaps, i));

		g_printerr("hvscope names: %s\n", gap);
	}
	if (!counts.has_taken)
		g_printerr("hvscope names: when the target was halted is not known: the names "
		           "hold for all times; --taken TICKS would say it\n");
	text = names_counts_text(&counts);
	g_print("%s: %s; next: hvscope decode CAPTURE --names %s -o REC.hvs\n", output, text,
	        output);
	return EXIT_CODE_DONE;
}

static int names_run(int argc, char **argv)
{
	struct options options = { 0 };
	struct names_job job = { 0 };
	const GOptionEntry entries[] = {
		{ "target", 't', 0, G_OPTION_ARG_STRING, &options.target,
		  "a halted target or a dump, as for hvscope debug", "TARGET" },
		{ "system", 's', 0, G_OPTION_ARG_FILENAME, &options.system,
		  "names and symbols of the machines (docs/system-file.md)", "FILE" },
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &options.output,
		  "the names file to write", "FILE" },
		{ "taken", 0, 0, G_OPTION_ARG_STRING, &options.taken,
		  "the trace timestamp when the target was halted, where it cannot tell itself",
		  "TICKS" },
		{ "timestamp-offset", 0, 0, G_OPTION_ARG_INT64, &options.offset_ticks,
		  "trace timestamp less system counter, where they are not one", "TICKS" },
		{ "run", 0, 0, G_OPTION_ARG_NONE, &options.run_on,
		  "let a live target run on afterwards (it stays halted)", NULL },
		G_OPTION_ENTRY_NULL
	};
	guint64 taken = 0;
	int code;

	if (!verb_parse(&argc, &argv, NULL,
	                "Writes down what a halted target knows that its trace does not say: "
	                "which domain a VMID is, which task a context ID is and since when, where "
	                "each vCPU stood (docs/names.md).",
	                entries))
		return EXIT_CODE_USAGE;
	if (argc != 1)
		code = verb_usage("names", "takes no '%s'", argv[1]);
	else if (options.target == NULL)
		code = verb_usage("names", "--target is missing");
	else if (options.output == NULL)
		code = verb_usage("names", "no -o FILE given");
	else if (options.taken != NULL &&
	         !g_ascii_string_to_unsigned(options.taken, 10, 0, G_MAXINT64 - 1, &taken, NULL))
		code = verb_usage("names", "--taken %s: expected a number of ticks", options.taken);
	else {
		job = (struct names_job) {
			.target = options.target,
			.system = options.system,
			.output = options.output,
			.run_on = options.run_on,
			.has_taken = options.taken != NULL,
			.taken_ticks = (gint64)taken,
			.offset_ticks = options.offset_ticks,
		};
		code = write_names(&options, &job);
	}
	options_clear(&options);
	return code;
}

const struct verb verb_names = { "names", "write down the names that a halted target knows",
	                         names_run };
