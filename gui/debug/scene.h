/* scene.h: what a halted system was, as values
 *
 * Machines, vCPUs and tasks copied out of the awareness core in the worker thread, so
 * that the window can show them while the worker is busy and after the target is gone.
 * Immutable once made; any thread.
 */
#pragma once

#include "debugger/command.h"

struct scene_vcpu {
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

struct scene_task {
	gint64 pid, tid, parent;
	char *name;
	const char *letter; /* of /proc */
	const char *state;
	gboolean is_kernel;
	gboolean on_cpu;
	gint vcpu;
	gint64 priority;
};

struct scene_machine {
	guint number;
	char *name;
	char *system; /* "Linux 6.1.0", "Xen 4.17", "bare" */
	char *state;
	gint domain; /* -1: none */
	guint vmid;
	gboolean live;    /* a core has one of its vCPUs loaded */
	gboolean listed;  /* its tasks were asked for */
	GPtrArray *vcpus; /* struct scene_vcpu */
	GPtrArray *tasks; /* struct scene_task */
	GPtrArray *gaps;  /* char * */
};

struct scene_system {
	GPtrArray *machines; /* struct scene_machine, the hypervisor first */
};

/* Where the target stopped. */
struct scene_stop {
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
struct scene_system *scene_new(struct debug *debug);
struct scene_system *scene_ref(struct scene_system *self);
void scene_unref(struct scene_system *self);

/* NULL where there is none; each takes NULL for nothing. */
const struct scene_machine *scene_machine(const struct scene_system *self, gint number);
const struct scene_task *scene_machine_task(const struct scene_machine *self, gint64 tid);
const struct scene_vcpu *scene_machine_vcpu(const struct scene_machine *self, gint id);

struct scene_stop *scene_stop_new(const struct stop_place *at);
void scene_stop_free(struct scene_stop *self);
/* "breakpoint 1 (x): core 0, dom1 vCPU 1, task sh (45)". A new string. */
char *scene_stop_text(const struct scene_stop *self);
