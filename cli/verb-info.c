#include "cli/info.h"

static int info_run(int argc, char **argv)
{
	gboolean json = FALSE;
	gboolean registers = FALSE;
	const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &json, "print JSON",
		                           NULL },
		                         { "registers", 0, 0, G_OPTION_ARG_NONE, &registers,
		                           "of a capture: every recorded register too", NULL },
		                         G_OPTION_ENTRY_NULL };

	if (!verb_parse(&argc, &argv, "CAPTURE|REC.hvs",
	                "What is inside a capture directory or a recording.", entries))
		return EXIT_CODE_USAGE;
	if (argc != 2)
		return verb_usage("info", argc < 2 ? "no capture or recording given"
		                                   : "takes one capture or recording");
	/* What is no directory can only be meant as a recording, but for its snapshot.ini. */
	if (g_file_test(argv[1], G_FILE_TEST_IS_DIR) || g_str_has_suffix(argv[1], "snapshot.ini"))
		return info_capture(argv[1], json, registers);
	return info_recording(argv[1], json);
}

const struct verb verb_info = { "info", "what is inside a capture or a recording", info_run };
