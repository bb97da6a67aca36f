/* rows.h: what a recording holds, row by row
 *
 * The plain C shape of each table of hvscope.sql, shared by the writer, the
 * reader and everything above them. No SQL and no trace packets here. Strings
 * in rows belong to whoever filled the row and are valid during the call that
 * takes or hands out the row.
 */
#pragma once

#include <glib.h>

/* Who had the core. Each instant of each core belongs to exactly one class. */
enum owner_class {
	OWNER_UNKNOWN = 0, /* traced, but before the first context, or after the last event */
	OWNER_GUEST,       /* EL0/EL1 with a traced VMID other than 0 */
	OWNER_HOST,        /* EL0/EL1 without one: bare metal, or user code of a VHE host */
	OWNER_HYPERVISOR,  /* EL2; VMID and context ID as traced, they may be stale */
	OWNER_SECURE,      /* EL3, or secure state */
	OWNER_IDLE,        /* halted (no cycles) in EL2 */
	OWNER_UNTRACED,    /* filtered out by the trace unit's settings */
	OWNER_LOST,        /* overflow, lost synchronisation, bad data */
	OWNER_CLASSES
};

/* How sure an untraced or inferred span is. */
enum span_certainty {
	CERTAINTY_TRACED = 0, /* the trace says so */
	CERTAINTY_BRACKETED,  /* between an exit and an entry, filtered by recorded settings */
};

enum {
	OWNER_NO_VALUE = -1
};

/* One distinct owner. el, vmid and context_id are OWNER_NO_VALUE where the trace
 * does not say. Keyed by all members. */
struct row_owner {
	enum owner_class owner_class;
	gint el;
	gint64 vmid;
	gint64 context_id;
	guint task_name; /* 1 + index of its struct row_task_name; 0 where it has none */
};

/* One core of the snapshot, in its order from 0. Strings may be NULL. */
struct row_core {
	guint core;
	const char *name;     /* device name */
	const char *type;     /* "Cortex-A53" */
	const char *source;   /* trace source device, NULL where none feeds this core */
	const char *protocol; /* "ETMv4" */
	gint trace_id;        /* -1 where none */
	guint64 trace_bytes;  /* bytes of this ID in its buffer, formatting removed */
};

/* One gapless piece of a core's time with one owner. */
struct row_span {
	guint core;
	gint64 start_ns;       /* since the window's start, inclusive */
	gint64 duration_ns;    /* may be 0 where two events share a timestamp */
	guint64 cycles;        /* 0 where the capture has no cycle counts */
	gint64 halted_ns;      /* part of duration_ns without cycles */
	gint64 uncertainty_ns; /* how far start_ns may be off, either way */
	guint owner;           /* index from recording_writer_owner() */
	enum span_certainty certainty;
	guint64 trace_offset; /* byte of the formatted trace that began it */
};

/* Why trace is missing, and where: a gap's time is nobody's. */
struct row_gap {
	guint core;
	gint64 start_ns;
	gint64 duration_ns;
	const char *reason;   /* "overflow", "no-sync", "bad-data", "barrier", "discard" */
	guint64 begin_offset; /* bytes of the formatted trace, begin inclusive, */
	guint64 end_offset;   /* end exclusive */
};

/* One exception taken, as traced. */
struct row_exception {
	guint core;
	gint64 time_ns;
	guint type; /* ETMv4 number, Arm IHI 0064 table of exception types */
	gboolean has_return_address;
	guint64 return_address_va;
	guint from_owner; /* owner indexes; the interrupted one */
	guint to_owner;   /* owner of the handler */
	guint64 trace_offset;
};

/* One STM message. */
struct row_stm {
	const char *source;
	gboolean has_time;
	gint64 time_ns;    /* since the window's start, where has_time */
	guint64 timestamp; /* as traced, 0 where none */
	guint master;
	guint channel;
	const char *kind; /* "data", "flag", "trigger", "frequency", "error" */
	gboolean marked;
	const guint8 *payload;
	gsize payload_bytes;
	guint64 trace_offset;
};

/* A count that says how good a source's trace was ("overflow", "bad-sequence",
 * "unknown-packet", "resync", "timestamp-backward", ...). */
struct row_quality {
	const char *source;
	const char *name;
	guint64 count;
};

/* Where one such thing happened. */
struct row_quality_event {
	const char *source;
	const char *name;
	guint64 trace_offset;
	const char *detail; /* may be NULL */
};

/* Names from the system file. `machine` 0 is the hypervisor. */
struct row_machine {
	guint machine;
	const char *name;
	const char *kind; /* "xen", "linux", "freertos", "bare"; NULL where unsaid */
	gint64 vmid;      /* OWNER_NO_VALUE where none */
	guint vcpus;      /* 0 where unsaid */
};

struct row_task {
	guint machine;
	gint64 context_id;
	const char *name;
};

/* What a context ID meant for a while. */
struct row_task_name {
	guint machine;
	gint64 context_id;
	const char *name;
	gint64 pid;           /* of its process; OWNER_NO_VALUE where unsaid */
	gint cpu;             /* the only one of its guest that it may run on; likewise */
	gint64 valid_from_ns; /* of the window, also negative; G_MININT64: since ever */
	gint64 valid_to_ns;   /* exclusive; G_MAXINT64: until further notice */
	gboolean doubtful;    /* it ended at some time in this period */
};

/* How something that the trace does not say outright is known. */
enum how_known {
	KNOWN_NOT = 0,
	KNOWN_INFERRED, /* with a confidence */
	KNOWN_EXACT,
	KNOWN_WAYS
};

/* What a vCPU did, as Xen's run states, as far as trace can tell. */
enum run_state {
	RUN_RUNNING = 0,
	RUN_RUNNABLE, /* left by an interrupt, waits for a core */
	RUN_BLOCKED,  /* left by its own WFI, call or trap */
	RUN_UNKNOWN,  /* not seen */
	RUN_STATES
};

enum exit_reason {
	EXIT_UNKNOWN = 0,
	EXIT_CALL, /* HVC, SMC */
	EXIT_TRAP,
	EXIT_WFI, /* a trap after which the vCPU did not go on at once */
	EXIT_IRQ,
	EXIT_FIQ,
	EXIT_INST_ABORT,
	EXIT_DATA_ABORT,
	EXIT_SERROR,
	EXIT_DEBUG,
	EXIT_OTHER,
	EXIT_REASONS
};

/* The instruction that an exit was for, where the guest's code is known. */
enum exit_instruction {
	INSTRUCTION_UNKNOWN = 0,
	INSTRUCTION_HVC,
	INSTRUCTION_SMC,
	INSTRUCTION_WFI,
	INSTRUCTION_WFE,
	INSTRUCTION_SYSREG, /* MSR or MRS */
	INSTRUCTION_OTHER,
	INSTRUCTIONS
};

enum exit_end {
	EXIT_ENDED_SAME = 0, /* in the vCPU that it served */
	EXIT_ENDED_OTHER,
	EXIT_ENDED_IDLE,
	EXIT_ENDED_LOST, /* not seen */
	EXIT_ENDS
};

/* One vCPU, or "some vCPU of this domain" where number is OWNER_NO_VALUE. */
struct row_vcpu {
	guint vcpu; /* index from 0 */
	gint64 vmid;
	gint number;       /* in its domain */
	gboolean numbered; /* number is the guest's own CPU number */
};

/* What one vCPU did for a while. */
struct row_vcpu_run {
	guint vcpu;
	gint64 start_ns;
	gint64 duration_ns;
	gint core; /* OWNER_NO_VALUE where it had none */
	enum run_state state;
	gint64 guest_ns;      /* in EL0 and EL1 */
	gint64 hypervisor_ns; /* in EL2 on its behalf */
	guint64 cycles;       /* of guest_ns */
	guint64 exits;        /* visits to EL2 that came back to it */
	enum how_known known;
	double confidence;
};

/* One visit to EL2 that a guest's exception began. */
struct row_exit {
	guint core;
	gint64 start_ns;
	gint64 duration_ns;        /* to the next entry to a guest */
	gint64 hypervisor_ns;      /* in EL2 */
	gint64 idle_ns;            /* halted */
	gint64 idle_hypervisor_ns; /* in EL2 between two halts */
	guint64 cycles;            /* in EL2 */
	enum exit_reason reason;
	gint type; /* ETMv4 exception type; OWNER_NO_VALUE where no exception was traced */
	gboolean has_return_address, has_resume_address;
	guint64 return_address_va;
	guint64 resume_address_va;
	guint vcpu;     /* that was left */
	gint next_vcpu; /* that was entered; OWNER_NO_VALUE where none was seen */
	enum exit_end ended;
	enum how_known known; /* whether it ended in the same vCPU */
	double confidence;
	gint64 wake_ns;      /* OWNER_NO_VALUE where the core did not halt */
	gint64 injection_ns; /* OWNER_NO_VALUE where no interrupt was injected */
	gboolean censored;
	guint64 trace_offset;
	enum exit_instruction instruction;
	guint handler; /* row_function.function + 1; 0 where not known */
};

/* A function of the hypervisor that some visit went through. */
struct row_function {
	guint function; /* index from 0 */
	const char *name;
	const char *role; /* "handler", "interrupt", "wake", "notify", "inject", "switch" */
};

/* A visit entered such a function. */
struct row_hypervisor_call {
	guint core;
	gint64 time_ns;
	guint function;
	guint vcpu; /* that the visit served */
};

enum {
	REQUEST_STAGES = 9
};

/* One request of a frontend to its backend; hvscope.sql says what t0 to t8 are. */
struct row_request {
	guint request;
	gint64 frontend_vmid, backend_vmid;
	gint64 number;               /* from its software markers; OWNER_NO_VALUE without */
	gint64 t_ns[REQUEST_STAGES]; /* OWNER_NO_VALUE where not seen; never go back */
	guint marked;                /* bit n: t_ns[n] is a software marker */
	guint exact;                 /* bit n: t_ns[n] is no inference; all marked ones are none */
	guint notify;                /* the same for requests that one notify carried */
	gboolean censored;
};

/* Whether its times never go back, and only times that were seen are called exact or marked. */
gboolean row_request_is_valid(const struct row_request *row);

/* The same codes in words, as the views of hvscope.sql have them. */
const char *how_known_name(enum how_known known);
const char *run_state_name(enum run_state state);
const char *exit_reason_name(enum exit_reason reason);
const char *exit_end_name(enum exit_end end);
const char *exit_instruction_name(enum exit_instruction instruction); /* NULL for UNKNOWN */

/* Names of the classes as they stand in recordings and reports: "guest", ... */
const char *owner_class_name(enum owner_class owner_class);
