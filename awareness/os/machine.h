/* machine.h: machines, their vCPUs and their tasks, as values
 *
 * What the awareness of a hypervisor and of an operating system fill in and what
 * the listings print. A machine is the hypervisor itself (number 0, its vCPUs are
 * the physical cores) or a guest (its number is its VMID). These structures read
 * nothing; they are remade at every stop, and nothing in them outlives it.
 */
#pragma once

#include "awareness/mmu/space.h"
#include "awareness/os/program.h"
#include "awareness/os/registers.h"
#include "base/system-file.h"

enum vcpu_state {
	VCPU_RUNNING,
	VCPU_RUNNABLE, /* wants to run, another one does */
	VCPU_BLOCKED,
	VCPU_OFFLINE,
	VCPU_STATE_UNKNOWN,
};

struct vcpu {
	unsigned id;
	enum vcpu_state state; /* as the hypervisor accounts it */
	int pcpu;              /* where it runs or last ran; -1 where not known */
	/* TRUE where a core has this vCPU loaded, by the hypervisor's own word. The
	 * accounted state may lag behind it. */
	gboolean live;
	unsigned live_cpu; /* that core, as the target counts */
	struct va va;      /* of the hypervisor's structure; 0 for a physical core */
	uint64_t pause_flags;
	struct register_set registers;
};

enum task_state {
	TASK_RUNNING, /* on a vCPU or ready */
	TASK_SLEEPING,
	TASK_DISK_SLEEP,
	TASK_STOPPED,
	TASK_TRACED,
	TASK_DEAD,
	TASK_ZOMBIE,
	TASK_PARKED,
	TASK_IDLE,
	TASK_BLOCKED,   /* FreeRTOS: in a delayed or waiting list */
	TASK_SUSPENDED, /* FreeRTOS */
	TASK_UNKNOWN,
};

struct task {
	int64_t pid; /* of the process */
	int64_t tid;
	int64_t parent; /* pid, or -1 */
	char *name;
	enum task_state state;
	gboolean is_kernel;
	gboolean on_cpu; /* what is saved of it is stale */
	int vcpu;        /* the vCPU it runs on or last ran on; -1 where not known */
	int64_t priority;
	struct va va;       /* of the system's structure */
	struct va stack;    /* lowest address of its kernel stack; 0 where not known */
	struct va mm;       /* of its memory map; 0 for kernel threads */
	gboolean has_table; /* `table` is valid */
	struct ipa table;   /* its stage 1 root table */
	char *waits_for;    /* in the system's words, where it keeps them; else NULL */
};

/* What awareness of one kind of operating system a machine has. */
struct guest_os;

struct machine {
	unsigned number;
	enum machine_kind kind;
	char *name;    /* from the user, else "xen", "dom0", "dom1", ... */
	int domain_id; /* -1 for the hypervisor and for a system without one */
	unsigned vmid;
	uint64_t vttbr;
	char *state;      /* "running", "paused", "shut down (crash)", ... */
	char *uuid;       /* NULL where there is none */
	struct va va;     /* of the hypervisor\'s structure; 0 where there is none */
	GPtrArray *vcpus; /* of struct vcpu * */
	GPtrArray *tasks; /* of struct task *, NULL until they were asked for */
	GPtrArray *gaps;  /* of char *: what could not be seen, and why */

	/* Guest physical memory (stage 2 alone), or the hypervisor's view of the bus. */
	struct space *physical;
	/* The kernel's or hypervisor's own space; NULL where it could not be found. */
	struct space *kernel;
	gboolean has_program;
	struct program program;
	/* Where its kernel was at an earlier stop: worth the first try, never trusted. */
	gboolean has_slide;
	uint64_t slide;
	struct guest_os *os; /* NULL for bare metal and where nothing was found */
};

struct machine *machine_new(unsigned number, enum machine_kind kind);
void machine_free(struct machine *self);

struct vcpu *machine_add_vcpu(struct machine *self, unsigned id);
struct task *task_new(void);
void task_free(struct task *self);

/* Notes what could not be seen; gaps with the same words are noted once. */
void machine_add_gap(struct machine *self, const char *format, ...) G_GNUC_PRINTF(2, 3);

const char *vcpu_state_name(enum vcpu_state state);

/* The letter of /proc/PID/stat where there is one: "R", "S", ...; and words. */
const char *task_state_letter(enum task_state state);
const char *task_state_name(enum task_state state);

/* Stage 1 as the vCPU's registers say. FALSE where they are not known. */
gboolean vcpu_stage1(const struct vcpu *vcpu, struct vmsa_stage1 *out);
