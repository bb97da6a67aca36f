/* picture.h: what a halted system was, as values
 *
 * Machines, vCPUs and tasks copied out of the awareness core in the worker thread, so
 * that the window can show them while the worker is busy and after the target is gone.
 * Immutable once made; any thread.
 */
#pragma once

#include "debugger/command.h"

struct picture_vcpu {
	guint id;
	char *state;
	gboolean live;
	gint pcpu; /* -1 where not known */
	guint el;
	guint64 pc;
	char *where; /* "function+0x4", or NULL */
	gint64 tid;  /* of the task on it; -1: none known */
	char *task;  /* its name, or NULL */
};

struct picture_task {
	gint64 pid, tid, parent;
	char *name;
	const char *letter; /* of /proc */
	const char *state;
	gboolean is_kernel;
	gboolean on_cpu;
	gint vcpu;
	gint64 priority;
};

struct picture_machine {
	guint number;
	char *name;
	char *system; /* "Linux 6.1.0", "Xen 4.17", "bare" */
	char *state;
	gint domain; /* -1: none */
	guint vmid;
	gboolean live;    /* a core has one of its vCPUs loaded */
	gboolean listed;  /* its tasks were asked for */
	GPtrArray *vcpus; /* struct picture_vcpu */
	GPtrArray *tasks; /* struct picture_task */
	GPtrArray *gaps;  /* char * */
};

struct picture_system {
	GPtrArray *machines; /* struct picture_machine, the hypervisor first */
};

/* Where the target stopped. */
struct picture_stop {
	char *reason; /* "breakpoint 1 (dom1:::do_nanosleep)" */
	guint cpu;
	gint machine; /* its number; -1: none known */
	char *machine_name;
	gint vcpu; /* -1 */
	gint64 tid;
	char *task;
	guint64 pc;
	char *where;
	guint64 skipped; /* stops of others that were stepped over */
};

/* Copies what is known now: of a machine whose tasks were not asked for, none. */
struct picture_system *picture_new(struct debug *debug);
struct picture_system *picture_ref(struct picture_system *self);
void picture_unref(struct picture_system *self);

/* NULL where there is none; each takes NULL for nothing. */
const struct picture_machine *picture_machine(const struct picture_system *self, gint number);
const struct picture_task *picture_machine_task(const struct picture_machine *self, gint64 tid);
const struct picture_vcpu *picture_machine_vcpu(const struct picture_machine *self, gint id);

struct picture_stop *picture_stop_new(const struct stop_place *at);
void picture_stop_free(struct picture_stop *self);
/* "breakpoint 1 (x): core 0, dom1 vCPU 1, task sh (45)". A new string. */
char *picture_stop_text(const struct picture_stop *self);
