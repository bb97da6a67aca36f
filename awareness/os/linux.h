/* linux.h: what a Linux guest on arm64 says about its tasks
 *
 * Finds where the kernel is (KASLR, KPTI), then reads its own lists: processes and
 * threads, their states, stacks and memory maps, the log, modules, command line.
 * Versions 4.19 to 6.12 by the members that their types name. Knows no hypervisor:
 * it gets vCPU registers and guest physical memory from the machine.
 */
#pragma once

#include "awareness/os/guest-os.h"

/* Finds the kernel of `image` in `machine` and fills machine->kernel and ->program,
 * and ->os. Errors: OS_ERROR_NOT_FOUND where no running kernel matches the symbols
 * (it has not booted yet, or it is another build). */
gboolean linux_attach(struct machine *machine, struct pagecache *cache, struct image *image,
                      GError **error);

struct symbol_cache;

/* The same with nothing given: symbols and types come from the guest's own memory
 * (linux-discover.h). The image that was found is *image, the caller's, and must
 * outlive the machine. */
gboolean linux_attach_unknown(struct machine *machine, struct pagecache *cache,
                              struct symbol_cache *remembered, struct image **image,
                              GError **error);

/* The address space of a process: its own root table below, the kernel's above. The
 * caller frees it. Errors: OS_ERROR_UNSUPPORTED for kernel threads. */
struct space *linux_process_space(struct machine *machine, const struct task *task, GError **error);

/* "vmlinuz root=..." of /proc/cmdline. A new string. */
char *linux_command_line(struct machine *machine, GError **error);

/* The command line of one process, arguments parted by spaces. A new string. */
char *linux_task_command_line(struct machine *machine, const struct task *task, GError **error);

struct linux_module {
	char *name;
	struct va base;
	uint64_t len_bytes;
};
void linux_module_free(struct linux_module *self);

/* New array of struct linux_module *; empty for a kernel without modules. */
GPtrArray *linux_modules(struct machine *machine, GError **error);

/* One area of a process's memory, as a line of /proc/PID/maps. */
struct linux_mapping {
	struct va start, end; /* [start, end) */
	gboolean readable, writable, executable, shared;
	gboolean has_file;
	uint64_t offset_bytes; /* in its file */
	char *name;            /* path within its file system, "[heap]", ..., or NULL */
};
void linux_mapping_free(struct linux_mapping *self);

/* New array of struct linux_mapping *, by address. Where the map is damaged, what was
 * found before, and a gap of the machine. Errors: OS_ERROR_UNSUPPORTED for kernel
 * threads, OS_ERROR_SYMBOLS, SPACE_ERROR. */
GPtrArray *linux_task_maps(struct machine *machine, const struct task *task, GError **error);

/* Whose kernel space is `va`, roughly: TRUE where bit 55 is set. */
gboolean linux_is_kernel_va(struct va va);
