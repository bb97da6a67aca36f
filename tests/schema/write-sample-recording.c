/* Usage: write-sample-recording NAME.hvs measured|modelled|guests */
#include "tests/schema/sample-recording.h"

#include <string.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (strcmp(argv[2], "guests") == 0)
		sample_recording_write_guests(argv[1]);
	else
		sample_recording_write(argv[1], argv[2]);
	return 0;
}
