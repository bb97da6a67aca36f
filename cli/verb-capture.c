#include "cli/capture-board.h"
#include "cli/capture-qemu.h"
#include "cli/verb.h"

#include <string.h>

/* Chooses by the first word; everything else is the chosen one's. */
static int capture_run(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "probe") == 0) {
		argv[1] = (char *)"capture probe";
		return capture_probe_run(argc - 1, argv + 1);
	}
	if (capture_qemu_wanted(argc, argv))
		return capture_qemu_run(argc, argv);
	return capture_board_run(argc, argv);
}

const struct verb verb_capture = { "capture",
	                           "record trace from a board or QEMU into a capture directory",
	                           capture_run };
