/* system-file.h: names for numbers
 *
 * Reads system.ini, the user's description of the traced system: tick rate, core
 * names, hypervisor, and one group a machine (docs/system-file.md). All of it is
 * optional. It is input like any other: whatever is not understood is an error
 * that names the file, the group and, for a slip, the nearest known name. Knows
 * nothing of captures and recordings; opens none of the files it names.
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

struct system_task {
	guint32 context_id;
	char *name;
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
	GArray *tasks; /* struct system_task, in order of context ID */
};

struct system_file {
	char *path;           /* as given, for messages */
	guint64 timestamp_hz; /* ticks per second, 0 where unsaid */
	char **core_names;    /* in order of the capture's cores; NULL where unsaid */
	char *hypervisor;     /* "xen", ...; NULL where unsaid */
	char *scheduler;      /* as written; NULL where unsaid */
	GPtrArray *machines;  /* struct system_machine *, in order of number */
};

struct system_file *system_file_load(const char *path, GError **error);

/* The same from memory; `path` serves messages and relative paths. */
struct system_file *system_file_parse(const char *text, gsize length, const char *path,
                                      GError **error);
void system_file_free(struct system_file *self);

typedef struct system_file system_file;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(system_file, system_file_free)

/* Whether `self` says hypervisor=xen. `self` may be NULL. */
gboolean system_file_is_xen(const struct system_file *self);

/* The machine of that number or VMID, or NULL. `self` may be NULL. The result
 * belongs to `self`. */
const struct system_machine *system_file_machine(const struct system_file *self, guint machine);
const struct system_machine *system_file_machine_of_vmid(const struct system_file *self,
                                                         gint64 vmid);

/* The task's name, or NULL. `machine` may be NULL. */
const char *system_machine_task(const struct system_machine *machine, gint64 context_id);

/* What to call a domain: its machine's name, else "domain N" under Xen, where
 * VMID n+1 is domain n, else "VMID N". `self` may be NULL. Free the result. */
char *system_file_domain_label(const struct system_file *self, gint64 vmid);

/* What to call a task: its name, else "context N". Free the result. */
char *system_file_task_label(const struct system_machine *machine, gint64 context_id);

/* The labels of numbers without a name, as above. Free the results. */
char *label_of_vmid(gint64 vmid, gboolean is_xen);
char *label_of_context(gint64 context_id);
