/* sample-recording.h: a small recording for the tests of the rooms above
 *
 * Three cores over a window of SAMPLE_WINDOW_NS: core 0 runs a Xen guest with two
 * tasks, the hypervisor and idle, with one gap; core 1 another guest, filtered
 * EL2 and an unknown beginning; core 2 has no trace. The sums are in the .c file
 * beside the spans.
 */
#pragma once

#include <glib.h>

enum {
	SAMPLE_WINDOW_NS = 1000000
};

/* Writes it to `path`; `time` is "measured" or "modelled". Aborts on failure. */
void sample_recording_write(const char *path, const char *time);
