/* account.h: who used the processors
 *
 * Time and cycles per core and owner over the whole window, and the part of the
 * window that is nobody's, so that it adds up: the time of all rows + lost +
 * untraced + unknown = cores x window, to the nanosecond. Made from the sums that
 * the recording carries; reads no span. Prints nothing.
 */
#pragma once

#include "analysis/names.h"

struct account_row {
	guint core;
	struct row_owner owner;
	gint64 time_ns;   /* halted_ns included */
	guint64 cycles;   /* 0 where the capture has no cycle counts */
	gint64 halted_ns; /* time in which no cycles were counted */
	guint64 spans;
};

/* The time of one core. */
struct account_core {
	const struct row_core *core; /* belongs to the reader */
	gint64 attributed_ns;        /* of its rows */
	guint64 cycles;              /* of its rows */
	gint64 lost_ns;
	gint64 untraced_ns;
	gint64 unknown_ns; /* unknown owner, or no span at all */
};

struct account {
	gint64 window_ns;
	gsize n_cores;
	struct account_core *cores; /* in order of the recording's cores */
	GArray *rows; /* struct account_row in order of core, class, EL, VMID, context ID: one
	               * each, none of them lost, untraced or unknown, but for a core without
	               * attributed time: it has one row of class unknown and time 0 */
	struct account_core total; /* over all cores; .core is NULL */
	double coverage;           /* attributed time / (cores x window), 1 for an empty window */
};

/* FALSE with RECORDING_ERROR where the recording's sums contradict each other. */
gboolean account_init(struct account *self, recording_reader *reader, GError **error);
void account_deinit(struct account *self);

enum account_by {
	ACCOUNT_BY_CORE,   /* and class; lost, untraced and unknown are groups too */
	ACCOUNT_BY_DOMAIN, /* hypervisor, idle, ... are domains here */
	ACCOUNT_BY_TASK,   /* domain and task */
	ACCOUNT_BY_EL,     /* and class */
};

/* Rows that share a key, summed. */
struct account_group {
	guint core; /* by core: index into account.cores, else 0 */
	gint el;    /* by EL, else OWNER_NO_VALUE */
	enum owner_class owner_class;
	char *domain; /* as names_domain(); NULL by core and by EL */
	char *task;   /* by task; NULL where there is none */
	gint64 time_ns;
	guint64 cycles;
	gint64 halted_ns;
	guint64 spans;
};

/* Groups in a reading order: cores in theirs, ELs upwards, the rest by falling
 * time (by falling cycles where `by_cycles`). Unref the result. */
GArray *account_group_by(const struct account *self, const struct names *names, enum account_by by,
                         gboolean by_cycles);
