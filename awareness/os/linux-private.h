/* linux-private.h: shared by the files linux*.c only */
#pragma once

#include "awareness/os/linux.h"

enum linux_task_field {
	LINUX_TASK_STATE,
	LINUX_TASK_FLAGS,
	LINUX_TASK_PID,
	LINUX_TASK_TGID,
	LINUX_TASK_COMM,
	LINUX_TASK_MM,
	LINUX_TASK_STACK,
	LINUX_TASK_TASKS,
	LINUX_TASK_SIGNAL,
	LINUX_TASK_THREAD_NODE,
	LINUX_TASK_ON_CPU,
	LINUX_TASK_CPU,
	LINUX_TASK_PARENT,
	LINUX_TASK_EXIT_STATE,
	LINUX_TASK_PRIO,
	LINUX_TASK_CONTEXT,
	LINUX_TASK_FIELDS,
};

enum linux_limits {
	LINUX_TASKS_MAX = 65536,
	LINUX_MODULES_MAX = 4096,
};

struct linux_os {
	struct guest_os os;
	struct layout task;
	uint64_t thread_head; /* in struct signal_struct */
	gboolean has_threads;
	uint64_t comm_bytes;
	uint64_t mm_pgd;      /* in struct mm_struct */
	uint64_t stack_bytes; /* THREAD_SIZE; 0 where it is not known */
};

/* Where the kernel is: its space and slide. */
struct linux_place {
	struct space *kernel;
	uint64_t slide;
	char *banner;
};
gboolean linux_find(struct machine *machine, struct pagecache *cache, struct image *image,
                    struct linux_place *out, GError **error);

/* Root tables of the upper half that are worth a try: what the vCPUs' TTBR1_EL1 say,
 * then what lies behind a KPTI trampoline. New array of struct vmsa_stage1. `symbols`
 * may be NULL. */
GArray *linux_propose_roots(const struct machine *machine, struct symbols *symbols);

/* Fills in stack_bytes where it is 0, from the tasks that were listed. */
void linux_find_stack_size(struct linux_os *self, struct machine *machine);

gboolean linux_saved_registers(struct guest_os *os, struct machine *machine,
                               const struct task *task, struct register_set *kernel,
                               struct register_set *user, GError **error);
gboolean linux_stack(struct guest_os *os, struct machine *machine, const struct task *task,
                     struct va *low, struct va *high, GError **error);
gboolean linux_current(struct guest_os *os, struct machine *machine, const struct vcpu *vcpu,
                       struct va *task, GError **error);
char *linux_log(struct guest_os *os, struct machine *machine, GError **error);

/* linux-clock.c */
void linux_detail(struct guest_os *os, struct machine *machine, GPtrArray *tasks,
                  struct task_detail *details);
gboolean linux_clock(struct guest_os *os, struct machine *machine, struct guest_clock *out,
                     GError **error);
gboolean linux_writes_context_ids(struct guest_os *os, struct machine *machine);
