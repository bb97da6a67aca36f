/* write-traffic-recording PATH [CORES [TIME_BASE [no-vcpus]]]: for tests that are scripts. */
#include "tests/analysis/traffic-recording.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
	const struct traffic_options options = {
		.n_cores = argc > 2 ? (guint)atoi(argv[2]) : 2,
		.time_base = argc > 3 ? argv[3] : "timestamps",
		.vcpus = argc <= 4,
	};

	if (argc < 2 || options.n_cores == 1)
		return 2;
	traffic_recording_write(argv[1], &options);
	return 0;
}
