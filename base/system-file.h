/* system-file.h: names for numbers
 *
 * Reads system.ini, the user's description of the traced system: tick rate, core
 * names, hypervisor, and one group a machine (docs/system-file.md). All of it is
 * optional. It is input like any other: whatever is not understood is an error
 * that names the file, the group and, for a slip, the nearest known name. Knows
 * nothing of captures and recordings; opens none of the files it names.
 *
 * A names file (docs/names.md), what `hvscope names` saw in a halted target, has the
 * same form and more: when it was taken, when tasks started, what they are bound to,
 * and where each vCPU stood. system_file_merge() puts several together; the tasks then
 * have periods in which their names are right.
 *
 * Immutable once loaded, so threads may share it.
 */
#pragma once

#include <glib.h>

#define SYSTEM_FILE_ERROR (system_file_error_quark())
GQuark system_file_error_quark(void);

enum system_file_error {
	SYSTEM_FILE_ERROR_READ,    /* the file cannot be read */
	SYSTEM_FILE_ERROR_SYNTAX,  /* not the form of a key file, or something twice */
	SYSTEM_FILE_ERROR_UNKNOWN, /* an unknown group or key */
	SYSTEM_FILE_ERROR_VALUE,   /* a value out of its range or form */
	SYSTEM_FILE_ERROR_WRITE,   /* the file cannot be written */
};

enum {
	SYSTEM_NO_VALUE = -1
};

enum machine_kind {
	MACHINE_KIND_UNSAID,
	MACHINE_KIND_XEN,
	MACHINE_KIND_LINUX,
	MACHINE_KIND_FREERTOS,
	MACHINE_KIND_BARE,
};

/* "xen", "linux", ...; NULL for MACHINE_KIND_UNSAID. */
const char *machine_kind_name(enum machine_kind kind);

/* Times are ticks of the trace timestamp. */
struct system_task {
	guint32 context_id;
	char *name;
	gint64 pid;         /* of its process; SYSTEM_NO_VALUE where unsaid */
	gint cpu;           /* the only CPU (of its guest) that it may run on; SYSTEM_NO_VALUE:
	                     * any, or unsaid */
	gboolean is_kernel; /* a thread of the guest's kernel */
	gboolean has_start; /* started_ticks is known */
	gint64 started_ticks;
	guint64 start_key; /* its start on the guest's own clock, which tells it from another
	                    * task that had its number; 0 where unsaid */
	/* The name is right in [from_ticks, to_ticks). */
	gint64 from_ticks; /* G_MININT64: since ever */
	gint64 to_ticks;   /* G_MAXINT64: until further notice */
	/* A later look did not find the task any more: it ended at some time in this period,
	 * and another may have had its number before that look. */
	gboolean doubtful;
};

/* Where a vCPU stood when the target was halted. */
struct system_vcpu {
	guint number;       /* in its guest */
	gboolean has_taken; /* taken_ticks is known */
	gint64 taken_ticks; /* when */
	gboolean live;      /* a core had it loaded */
	gint pcpu;          /* that core, else where it ran last; SYSTEM_NO_VALUE: unsaid */
	gint el;            /* 0 or 1; SYSTEM_NO_VALUE where unsaid */
	gboolean has_pc;    /* pc_va is known: */
	guint64 pc_va;      /* the next instruction of the guest */
	gint64 context_id;  /* CONTEXTIDR_EL1; SYSTEM_NO_VALUE where unsaid */
};

/* One look at a halted target, which became one names file. */
struct system_look {
	char *path;         /* of the file */
	char *target;       /* what was looked at: "core:dump.core"; NULL where unsaid */
	gboolean has_taken; /* taken_ticks is known */
	gint64 taken_ticks;
};

/* STM channels, both inclusive. */
struct system_channels {
	guint32 first, last;
};

struct system_machine {
	guint machine; /* 0 is the hypervisor */
	char *name;    /* NULL where unsaid */
	enum machine_kind kind;
	gint vmid;     /* machine N is VMID N unless said otherwise; SYSTEM_NO_VALUE for
	                * machine 0 */
	guint vcpus;   /* 0 where unsaid */
	char *symbols; /* path, relative ones resolved against the file; NULL where unsaid */
	char *image;   /* likewise */
	/* Of the symbols, as lower-case hexadecimal digits; NULL where unsaid. */
	char *build_id;
	/* The guest writes the number of the running thread into CONTEXTIDR_EL1, for sure. */
	gboolean writes_context_ids;
	/* The tasks are not all: one that is not there may live all the same. */
	gboolean partial;
	/* struct system_task, in order of context ID and time. Those of one context ID do
	 * not overlap. */
	GArray *tasks;
	GArray *vcpu_states; /* struct system_vcpu, in order of number and time */
	/* Who serves this machine's requests, and how they can be seen. */
	gint backend;         /* number of that machine; SYSTEM_NO_VALUE where unsaid */
	char **backend_tasks; /* names or context IDs of its tasks that do; NULL: any */
	GArray *notify_va;    /* guint64: where this machine's notifying hypercalls stand;
	                       * empty: not known */
	GArray *stm_channels; /* struct system_channels of its markers */
};

struct system_file {
	char *path;           /* as given, for messages */
	guint64 timestamp_hz; /* ticks per second, 0 where unsaid */
	char **core_names;    /* in order of the capture's cores; NULL where unsaid */
	char *hypervisor;     /* "xen", ...; NULL where unsaid */
	char *scheduler;      /* as written; NULL where unsaid */
	GPtrArray *machines;  /* struct system_machine *, in order of number */
	GArray *looks;        /* struct system_look, in order of time */
};

struct system_file *system_file_load(const char *path, GError **error);

/* The same from memory; `path` serves messages and relative paths. */
struct system_file *system_file_parse(const char *text, gsize length, const char *path,
                                      GError **error);
void system_file_free(struct system_file *self);

/* For who makes one: empty, then a machine of that number, VMID `number`, with no tasks
 * and no vCPU states. Numbers must differ. */
struct system_file *system_file_new(const char *path);
struct system_machine *system_file_add_machine(struct system_file *self, guint number);

/* Puts machines and tasks in their order, once all are there. */
void system_file_sort(struct system_file *self);

/* Writes a names file to `path`, whole or not at all; `comment` (lines without '#'; may be
 * NULL) goes on top. Names are made fit to be read back: valid UTF-8, not empty. Error:
 * SYSTEM_FILE_ERROR_WRITE. */
gboolean system_file_write_names(const struct system_file *self, const char *comment,
                                 const char *path, GError **error);

/* The system file at `path` (NULL: none) together with the names files at `names_paths`
 * (NULL-terminated; NULL: none), as system_file_merge() does it. */
struct system_file *system_file_load_with_names(const char *path, const char *const *names_paths,
                                                GError **error);

/* The names files of a capture, names.ini and names-*.ini, in order of their names. The
 * capture is its directory or a file in it. Free with g_strfreev(); empty where there are
 * none. */
char **system_file_find_names(const char *capture);

/* One file out of a description by the user (may be NULL) and names files. What the user
 * says of the system and its machines goes before; machines are the same where their VMID
 * is. Of a task, a names file knows since when it has its context ID, and that it still
 * had when the file was taken; a later file tells whether it is still there. Where no
 * names file knows a task, the user's stands. Nothing of the arguments is kept.
 * Error: SYSTEM_FILE_ERROR_VALUE where several names files do not all say when they were
 * taken. */
struct system_file *system_file_merge(const struct system_file *user,
                                      const struct system_file *const *names, guint n_names,
                                      GError **error);

typedef struct system_file system_file;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(system_file, system_file_free)

/* Whether `self` says hypervisor=xen. `self` may be NULL. */
gboolean system_file_is_xen(const struct system_file *self);

/* The machine of that number or VMID, or NULL. `self` may be NULL. The result
 * belongs to `self`. */
const struct system_machine *system_file_machine(const struct system_file *self, guint machine);
const struct system_machine *system_file_machine_of_vmid(const struct system_file *self,
                                                         gint64 vmid);

/* The task's name, or NULL; the last one's where several bore the context ID. `machine`
 * may be NULL. */
const char *system_machine_task(const struct system_machine *machine, gint64 context_id);

/* The task that bore the context ID at that time, or NULL. `machine` may be NULL. */
const struct system_task *system_machine_task_at(const struct system_machine *machine,
                                                 gint64 context_id, gint64 ticks);

/* The context IDs (guint32, to be unreffed) of the backend's tasks that serve `machine`, which
 * has a backend; none: any may. Names that no task of it has are left out, and appended to
 * `unknown` (char *; the strings belong to `machine`). */
GArray *system_file_backend_tasks(const struct system_file *self,
                                  const struct system_machine *machine, GPtrArray *unknown);

/* Whether `machine` writes its markers to `channel`. */
gboolean system_machine_has_channel(const struct system_machine *machine, guint32 channel);

/* What to call a domain: its machine's name, else "domain N" under Xen, where
 * VMID n+1 is domain n, else "VMID N". `self` may be NULL. Free the result. */
char *system_file_domain_label(const struct system_file *self, gint64 vmid);

/* What to call a task: its name, else "context N". Free the result. */
char *system_file_task_label(const struct system_machine *machine, gint64 context_id);

/* The labels of numbers without a name, as above. Free the results. */
char *label_of_vmid(gint64 vmid, gboolean is_xen);
char *label_of_context(gint64 context_id);
