/* sample-recording.h: a small recording for the tests of the rooms above
 *
 * Three cores over a window of SAMPLE_WINDOW_NS: core 0 runs a Xen guest with two
 * tasks, the hypervisor and idle, with one gap; core 1 another guest, filtered
 * EL2 and an unknown beginning; core 2 has no trace. The sums are in the .c file
 * beside the spans.
 */
#pragma once

#include "schema/rows.h"

enum {
	SAMPLE_WINDOW_NS = 1000000,
	SAMPLE_VCPUS = 3,
	SAMPLE_RUNS = 4,
	SAMPLE_FUNCTIONS = 2,
	SAMPLE_EXITS = 2,
	SAMPLE_CALLS = 2,
	SAMPLE_REQUESTS = 2
};

/* Writes it to `path`; `time` is "measured" or "modelled". Aborts on failure. */
void sample_recording_write(const char *path, const char *time);

/* The same, measured, with what its vCPUs did: one row at least of each table and of each kind. */
void sample_recording_write_guests(const char *path);
extern const struct row_vcpu sample_vcpus[SAMPLE_VCPUS];
extern const struct row_vcpu_run sample_runs[SAMPLE_RUNS]; /* in the order of vCPU and start */
extern const struct row_function sample_functions[SAMPLE_FUNCTIONS];
extern const struct row_exit sample_exits[SAMPLE_EXITS]; /* one of core 0, one of core 1 */
extern const struct row_hypervisor_call sample_calls[SAMPLE_CALLS]; /* of core 0 */
extern const struct row_request sample_requests[SAMPLE_REQUESTS];
