/* Usage: write-sample-recording NAME.hvs measured|modelled */
#include "tests/schema/sample-recording.h"

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	sample_recording_write(argv[1], argv[2]);
	return 0;
}
