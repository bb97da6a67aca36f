/* scenario.h: what a synthetic system does, as a text file says it
 *
 * Reads a scenario (tests/synth/README.md describes every statement): cores, domains,
 * vCPUs, tasks, how trace is programmed, events at given times, scripts, faults. Pure
 * data: nothing is simulated here. A `struct scenario` owns all it points to and does
 * not change once read.
 *
 * Times are in ticks of the trace's timestamp, which divides a second into whole
 * nanoseconds, so that truth is exact.
 */
#pragma once

#include <glib.h>

#define SCENARIO_ERROR (scenario_error_quark())
GQuark scenario_error_quark(void);
enum scenario_error {
	SCENARIO_ERROR_IO,
	SCENARIO_ERROR_SYNTAX
};

enum {
	SCENARIO_NONE = -1,
	SCENARIO_CORES_MAX = 64
};

/* When timestamps are put into the trace. */
enum scenario_timestamps {
	SCENARIO_TIMESTAMPS_OFF,
	SCENARIO_TIMESTAMPS_SWITCH,   /* after each change of owner, and after a sync */
	SCENARIO_TIMESTAMPS_PERIODIC, /* every `timestamp_period_ticks`, and after a sync */
};

enum scenario_filter {
	SCENARIO_FILTER_NONE,
	SCENARIO_FILTER_EL2,   /* the hypervisor is not traced */
	SCENARIO_FILTER_GUEST, /* EL0 and EL1 are not traced */
};

struct scenario_range {
	guint64 min, max; /* inclusive */
};

struct scenario_trace {
	enum scenario_timestamps timestamps;
	guint64 timestamp_period_ticks;
	gboolean timestamp_cycles; /* timestamps carry a cycle count */
	gboolean cycles;
	guint32 cycle_threshold;
	gboolean vmid, context_id, return_stack;
	guint64 sync_bytes;      /* an A-sync after so many bytes of one source */
	guint64 p0_gap_cycles;   /* how far apart the P0 elements of a long run are */
	guint address_percent;   /* how many of them are indirect branches */
	guint64 fsync_frames;    /* 0: plain frames; else TPIU format */
	guint64 timestamp_start; /* ticks at the scenario's start */
	enum scenario_filter filter;
	gboolean halt_timestamps; /* a timestamp just before each halt */
};

struct scenario_task {
	char *name;
	guint32 context_id;
	struct scenario_range burst_ticks; /* how long it runs */
	struct scenario_range sleep_ticks; /* then sleeps; max 0: goes on at once */
	guint64 syscall_ticks;             /* mean time in EL0 between system calls; 0: none */
	guint kernel_percent;              /* of its time in EL1; 100: a kernel thread */
	char *notify;                      /* task that it wakes after each burst, or NULL */
	gint notify_task;                  /* its index */
	gboolean waits;                    /* after a burst (and its sleep) until notified */
	gint stm_channel;                  /* marks begin and end of bursts there, or NONE */
	guint vcpu;
};

struct scenario_vcpu {
	char *name;
	guint domain;       /* index into domains */
	guint64 cores;      /* bit n: may run on core n */
	guint64 exit_ticks; /* mean time between exits that its own work causes; 0: none */
	gboolean traps_wfi; /* else it halts by itself in EL1 */
	GArray *tasks;      /* guint: indexes into tasks */
};

struct scenario_domain {
	guint id;
	char *name;
	char *kind; /* as in system.ini */
	guint32 vmid;
};

enum scenario_event_kind {
	SCENARIO_EVENT_OVERFLOW,
	SCENARIO_EVENT_OFF,
	SCENARIO_EVENT_DISCARD
};

/* Trace is missing for a while. */
struct scenario_event {
	guint64 at_ticks;
	guint core;
	enum scenario_event_kind kind;
	guint64 duration_ticks;
};

enum scenario_step_kind {
	SCENARIO_STEP_ENTER,     /* the hypervisor enters vCPU `vcpu`, task `task`, at `el` */
	SCENARIO_STEP_RUN,       /* for `ticks` */
	SCENARIO_STEP_HALT,      /* for `ticks`, no cycles */
	SCENARIO_STEP_EXIT,      /* exception to EL2, `exception` */
	SCENARIO_STEP_EXCEPTION, /* exception to EL1 */
	SCENARIO_STEP_RETURN,    /* from EL1 to EL0 */
	SCENARIO_STEP_TASK,      /* EL1 writes CONTEXTIDR for `task` */
	SCENARIO_STEP_VMID,      /* EL2 writes VTTBR_EL2 and CONTEXTIDR_EL1 for `vcpu`, `task` */
	SCENARIO_STEP_SECURE,    /* SMC to EL3 for `ticks` and back */
	SCENARIO_STEP_OVERFLOW,  /* trace lost for `ticks` */
	SCENARIO_STEP_OFF,       /* tracing stopped for `ticks` */
	SCENARIO_STEP_STM,       /* a message of `value` on `channel` */
};

struct scenario_step {
	guint core;
	enum scenario_step_kind kind;
	guint64 ticks;
	guint vcpu;
	guint task;
	guint el;
	guint exception; /* enum etm4_exception_type */
	guint channel;
	guint64 value;
};

enum scenario_fault_kind {
	SCENARIO_FAULT_TRUNCATE, /* the file ends at `offset` */
	SCENARIO_FAULT_CUT,      /* bytes [offset, offset + len) are missing */
	SCENARIO_FAULT_ZERO,     /* they are 0 */
	SCENARIO_FAULT_FLIP,     /* they are XORed with `value` */
};

/* Damage to the finished trace file. Offsets are into it, before any damage. */
struct scenario_fault {
	enum scenario_fault_kind kind;
	guint64 offset;
	guint64 len_bytes;
	guint8 value;
};

struct scenario {
	guint64 seed;
	guint64 duration_ticks;
	guint64 timestamp_hz;
	guint64 core_hz;
	guint64 ns_per_tick;
	guint n_cores;
	char *core_type;
	char *scheduler;
	struct scenario_trace trace;

	guint64 slice_ticks;                /* longest run of a vCPU while another waits */
	struct scenario_range visit_ticks;  /* EL2 visit that returns to the same vCPU */
	struct scenario_range switch_ticks; /* what a change of vCPU adds */
	gint stm_id;                        /* trace ID of the STM, or NONE */
	guint stm_master;

	GArray *domains; /* struct scenario_domain */
	GArray *vcpus;   /* struct scenario_vcpu */
	GArray *tasks;   /* struct scenario_task */
	GArray *events;  /* struct scenario_event, by time */
	GArray *steps;   /* struct scenario_step; a core that has any is not scheduled */
	GArray *faults;  /* struct scenario_fault */
};

struct scenario *scenario_read(const char *path, GError **error);
/* The same from text; `name` stands for the file in messages. */
struct scenario *scenario_parse(const char *text, const char *name, GError **error);
void scenario_free(struct scenario *self);
typedef struct scenario Scenario;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scenario, scenario_free)
