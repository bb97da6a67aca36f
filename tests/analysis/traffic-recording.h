/* traffic-recording.h: a recording in which a frontend talks to its backend
 *
 * Made up, the same each time: two cores, a frontend domain that sends a request each
 * millisecond, a backend that serves it and a third domain that is preempted for it.
 * Every table that a picture shows has rows.
 */
#pragma once

#include <glib.h>

enum {
	TRAFFIC_REQUESTS = 24,
	TRAFFIC_PERIOD_NS = 1000000,
	TRAFFIC_WINDOW_NS = TRAFFIC_REQUESTS * TRAFFIC_PERIOD_NS,
};

struct traffic_options {
	guint n_cores;         /* 2, or more: those beyond are idle; 0: nothing at all */
	const char *time_base; /* meta's: "timestamps", "cycles", "bytes" */
	gboolean vcpus;        /* FALSE: no vCPUs, exits and requests */
};

/* A failure ends the test. */
void traffic_recording_write(const char *path, const struct traffic_options *options);
