/* sim-zynqmp: the simulated board as a program
 *
 * sim-zynqmp SOCKET [ETM0 [ETM1 [ETM2 [ETM3 [STM]]]]]: serves remote_bitbang on a
 * unix socket; each file is what that source emits, over and over, while it is on.
 * "-" leaves a source silent. Ends with its standard input.
 */
#include "tests/sim/server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	CNTFID0 = 0x20,
	TIMESTAMP_HZ = 62500000, /* of the lab's captures, which are what it is mostly fed with */
};

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;

	if (argc < 2 || argc > 2 + SIM_N_SOURCES) {
		g_printerr("usage: sim-zynqmp SOCKET [ETM0 ETM1 ETM2 ETM3 STM]\n");
		return 2;
	}
	struct sim_soc *soc = sim_soc_new();

	/* Its sources never end: leave time for the debug port. */
	soc->bytes_per_tick = 256;
	sim_soc_find(soc, "tsgen")->regs[CNTFID0 / 4] = TIMESTAMP_HZ;
	for (guint i = 0; i < (guint)argc - 2; i++) {
		char *contents;
		gsize len_bytes;

		if (strcmp(argv[2 + i], "-") == 0)
			continue;
		if (!g_file_get_contents(argv[2 + i], &contents, &len_bytes, &error)) {
			g_printerr("sim-zynqmp: %s\n", error->message);
			return 1;
		}
		g_autoptr(GBytes) feed = g_bytes_new_take(contents, len_bytes);

		sim_soc_feed(soc, i, feed, TRUE);
	}
	struct sim_server *server = sim_server_new(soc, argv[1]);

	if (server == NULL) {
		g_printerr("sim-zynqmp: cannot listen on %s\n", argv[1]);
		return 1;
	}
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0)
		continue;
	sim_server_free(server);
	sim_soc_free(soc);
	return 0;
}
