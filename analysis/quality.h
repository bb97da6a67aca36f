/* quality.h: how far a recording can be trusted
 *
 * Where trace is missing and why, what the decoder counted, and how uncertain
 * its times are. Each figure of every other report rests on these. Prints
 * nothing and fixes nothing.
 */
#pragma once

#include "analysis/account.h"

/* The gaps of one core that have one reason. */
struct quality_gaps {
	guint core;   /* core number */
	char *reason; /* "overflow", "no-sync", ... */
	guint64 count;
	gint64 time_ns; /* of all of them */
	gint64 longest_ns;
	guint64 bytes; /* of trace between their begin and end offsets */
};

/* How far the starts of a core's spans may be off. */
struct quality_uncertainty {
	guint64 spans;
	gint64 mean_ns; /* over its spans, each counted once */
	gint64 max_ns;
};

struct quality {
	struct account account;
	struct quality_uncertainty *uncertainty; /* one a core, as account.cores */
	GArray *gaps;     /* struct quality_gaps, in order of core and reason */
	GArray *counts;   /* struct row_quality, in order of source and name; strings owned here */
	GArray *events;   /* struct row_quality_event, in the order of the trace, at most
	                   * QUALITY_EVENTS_MAX; strings owned here */
	guint64 n_events; /* of all */
	GStringChunk *text;
};

enum {
	QUALITY_EVENTS_MAX = 100000
};

/* Reads every span once, for the uncertainty. */
gboolean quality_init(struct quality *self, recording_reader *reader, GError **error);
void quality_deinit(struct quality *self);
