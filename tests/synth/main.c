/* synth SCENARIO DIR: runs a scenario into a capture directory (see README.md). */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/synth/capture-dir.h"

static void usage(FILE *to)
{
	fputs("synth SCENARIO DIRECTORY\n"
	      "Makes a synthetic ETMv4/STM capture with ground truth out of a scenario file;\n"
	      "tests/synth/README.md says what one looks like.\n",
	      to);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;

	setlocale(LC_ALL, "");
	if (argc == 2 && g_strcmp0(argv[1], "--help") == 0) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (argc != 3) {
		usage(stderr);
		return 2;
	}

	g_autoptr(Scenario) scenario = scenario_read(argv[1], &error);

	if (scenario == NULL || !capture_dir_write(scenario, argv[2], &error)) {
		fprintf(stderr, "synth: %s\n", error->message);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
