#include "cli/verb.h"

static int version_run(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return verb_usage("version", "takes no arguments");
	g_print("hvscope %s\n", HVSCOPE_VERSION);
	return EXIT_CODE_DONE;
}

const struct verb verb_version = { "version", "print the version", version_run };
