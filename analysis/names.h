/* names.h: what to call an owner
 *
 * Turns the numbers of a recording into names: the machines and tasks that the
 * system file and names files named at decode time, else "domain 1" under Xen, "VMID 2",
 * "context 97". The one place that decides it, so that every report, export and
 * picture says the same. Holds no time and judges nothing.
 *
 * Immutable; lives no longer than its reader.
 */
#pragma once

#include "schema/reader.h"

struct names {
	const recording_reader *reader; /* not owned */
	gboolean is_xen;                /* VMID n+1 is domain n */
	gboolean has_vmid_0;            /* a machine claims VMID 0: the owner of class host */
};

void names_init(struct names *self, const recording_reader *reader);

/* The owner's domain: the guest's name; the hypervisor's for EL2; "host",
 * "secure", "idle", "lost", ... for the other classes. Free the result. */
char *names_domain(const struct names *self, const struct row_owner *owner);

/* The owner's task, or NULL where the context ID is unknown or means nothing: in
 * EL2 it may be stale, so there only a VHE host's own user code has tasks. Free
 * the result. */
char *names_task(const struct names *self, const struct row_owner *owner);

/* What to call the hypervisor: machine 0's name, else "Xen", else "hypervisor". */
const char *names_hypervisor(const struct names *self);

/* What to call a core: its name, else "core N". Free the result. */
char *names_core(const struct row_core *core);
