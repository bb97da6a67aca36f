/* system.h: everything that one halted target runs
 *
 * Puts target, symbols and awareness together: the hypervisor's machine 0, all
 * guests, and in each the operating system that was told or found. It is made anew
 * from the target's memory by system_refresh() after every stop; images stay open.
 * One thread. It owns what it hands out, until the next refresh.
 */
#pragma once

#include "awareness/os/freertos.h"
#include "awareness/os/linux.h"
#include "awareness/os/machine.h"
#include "awareness/os/xen.h"
#include "base/system-file.h"

struct system;

/* `target` and `file` are borrowed; `file` may be NULL. Errors: OS_ERROR_SYMBOLS and
 * those of image.h for symbol files that do not open or do not fit. */
struct system *system_new(struct target *target, const struct system_file *file, GError **error);
void system_free(struct system *self);

/* Reads all again. Errors: as above; then there are no machines. */
gboolean system_refresh(struct system *self, GError **error);

struct target *system_target(struct system *self);
struct pagecache *system_cache(struct system *self);

/* Of struct machine *, the hypervisor first. */
GPtrArray *system_machines(struct system *self);

/* The Xen that was found, or NULL. */
struct xen *system_xen(struct system *self);

/* By number ("2"), name ("domu1"), "vmid:N" or "dom:N". NULL with OS_ERROR_NOT_FOUND,
 * which names the machines that there are. */
struct machine *system_find_machine(struct system *self, const char *name, GError **error);

/* The machine's tasks, read at the first call of a stop. Never NULL; incomplete
 * lists are explained in machine->gaps. */
GPtrArray *system_tasks(struct system *self, struct machine *machine);

/* A task of the machine by pid, 0x-pid or name. Errors: OS_ERROR_NOT_FOUND, also where
 * a name means several (which are listed). */
struct task *system_find_task(struct system *self, struct machine *machine, const char *name,
                              GError **error);

/* The task that runs on a vCPU, by the guest's own word, else by its scheduler's mark
 * on the task; NULL where none is known. */
struct task *system_current_task(struct system *self, struct machine *machine,
                                 const struct vcpu *vcpu);

/* What an address of a user means here: the space to read it in. */
struct place {
	struct machine *machine; /* NULL for a PA where there is no hypervisor */
	struct task *task;       /* NULL for the kernel's own space */
	enum address_kind kind;
	struct va va; /* also for IPA and PA: spaces take all three */
	struct space *space;
	gboolean owns_space;
};

/* Takes `text` apart and resolves machine, task and symbols. `fallback` (may be NULL)
 * is the machine meant where none is written. Give back with place_deinit(). */
gboolean system_find_place(struct system *self, const char *text, struct machine *fallback,
                           struct place *out, GError **error);
void place_deinit(struct place *self);
