#include "awareness/os/linux-private.h"

#include "awareness/os/linux-discover.h"

#include <string.h>

static const struct field task_fields[] = {
	[LINUX_TASK_STATE] = { "__state|state", FALSE },
	[LINUX_TASK_FLAGS] = { "flags", FALSE },
	[LINUX_TASK_PID] = { "pid", FALSE },
	[LINUX_TASK_TGID] = { "tgid", FALSE },
	[LINUX_TASK_COMM] = { "comm", FALSE },
	[LINUX_TASK_MM] = { "mm", FALSE },
	[LINUX_TASK_STACK] = { "stack", FALSE },
	[LINUX_TASK_TASKS] = { "tasks.next", FALSE },
	[LINUX_TASK_SIGNAL] = { "signal", FALSE },
	[LINUX_TASK_THREAD_NODE] = { "thread_node.next", FALSE },
	[LINUX_TASK_ON_CPU] = { "on_cpu", TRUE },
	[LINUX_TASK_CPU] = { "thread_info.cpu|cpu", TRUE },
	[LINUX_TASK_PARENT] = { "real_parent", TRUE },
	[LINUX_TASK_EXIT_STATE] = { "exit_state", TRUE },
	[LINUX_TASK_PRIO] = { "prio", TRUE },
	[LINUX_TASK_CONTEXT] = { "thread.cpu_context", TRUE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(task_fields) == LINUX_TASK_FIELDS);

enum linux_bits {
	/* include/linux/sched.h, the same from 4.19 to 6.12 */
	STATE_INTERRUPTIBLE = 0x1,
	STATE_UNINTERRUPTIBLE = 0x2,
	STATE_STOPPED = 0x4,
	STATE_TRACED = 0x8,
	EXIT_DEAD = 0x10,
	EXIT_ZOMBIE = 0x20,
	STATE_PARKED = 0x40,
	STATE_DEAD = 0x80,
	STATE_NOLOAD = 0x400,
	FLAG_KTHREAD = 0x00200000,
};

gboolean linux_is_kernel_va(struct va va)
{
	return (va.value >> 55 & 1) != 0;
}

/* As fs/proc/array.c reports it: the lowest reported bit set, but an
 * uninterruptible wait that is no load is idle. */
static enum task_state state_of(uint64_t state, uint64_t exit_state)
{
	uint64_t both = state | exit_state;

	if ((state & (STATE_UNINTERRUPTIBLE | STATE_NOLOAD)) ==
	            (STATE_UNINTERRUPTIBLE | STATE_NOLOAD) &&
	    exit_state == 0)
		return TASK_IDLE;
	if ((exit_state & EXIT_ZOMBIE) != 0)
		return TASK_ZOMBIE;
	if ((exit_state & EXIT_DEAD) != 0 || (state & STATE_DEAD) != 0)
		return TASK_DEAD;
	if ((both & STATE_INTERRUPTIBLE) != 0)
		return TASK_SLEEPING;
	if ((both & STATE_UNINTERRUPTIBLE) != 0)
		return TASK_DISK_SLEEP;
	if ((both & STATE_STOPPED) != 0)
		return TASK_STOPPED;
	if ((both & STATE_TRACED) != 0)
		return TASK_TRACED;
	if ((both & STATE_PARKED) != 0)
		return TASK_PARKED;
	return TASK_RUNNING;
}

/* The root table of a process, as the IPA that TTBR0 would hold. */
static gboolean find_table(struct linux_os *self, struct machine *machine, struct va mm,
                           struct ipa *out, GError **error)
{
	struct vmsa_walk walk;
	uint64_t pgd;

	if (!space_read_uint(machine->kernel, (struct va) { mm.value + self->mm_pgd }, 8, &pgd,
	                     error))
		return FALSE;
	space_walk(machine->kernel, (struct va) { pgd }, &walk);
	if (!walk.has_ipa) {
		g_set_error(error, OS_ERROR, OS_ERROR_MEMORY,
		            "the root table at 0x%" G_GINT64_MODIFIER "x is not mapped", pgd);
		return FALSE;
	}
	*out = walk.ipa;
	return TRUE;
}

static struct task *make_task(struct linux_os *self, struct machine *machine, struct va va,
                              const uint64_t *fields)
{
	struct task *task = task_new();
	g_autoptr(GError) error = NULL;

	task->va = va;
	task->pid = (int32_t)fields[LINUX_TASK_TGID];
	task->tid = (int32_t)fields[LINUX_TASK_PID];
	task->state = state_of(fields[LINUX_TASK_STATE], fields[LINUX_TASK_EXIT_STATE]);
	task->is_kernel = (fields[LINUX_TASK_FLAGS] & FLAG_KTHREAD) != 0;
	task->on_cpu = fields[LINUX_TASK_ON_CPU] != 0;
	task->vcpu = self->task.found[LINUX_TASK_CPU] ? (int)fields[LINUX_TASK_CPU] : -1;
	task->priority = (int32_t)fields[LINUX_TASK_PRIO];
	task->stack.value = fields[LINUX_TASK_STACK];
	task->mm.value = fields[LINUX_TASK_MM];
	task->name =
		space_read_string(machine->kernel, layout_member(&self->task, va, LINUX_TASK_COMM),
	                          self->comm_bytes, NULL);
	if (task->mm.value != 0) {
		task->has_table = find_table(self, machine, task->mm, &task->table, &error);
		if (!task->has_table)
			machine_add_gap(machine, "memory of %s (%" G_GINT64_FORMAT "): %s",
			                task->name, task->pid, error->message);
	}
	return task;
}

/* One walk through the lists. */
struct listing {
	struct linux_os *self;
	struct machine *machine;
	GPtrArray *tasks;
	GHashTable *seen; /* task structures, against circles */
	GHashTable *pids; /* structure -> pid, for the parents */
	GArray *parents;  /* of uint64_t, beside tasks */
};

/* Reads one task; FALSE where the list cannot be trusted past it. */
static gboolean add_task(struct listing *l, struct va va, uint64_t *fields)
{
	g_autoptr(GError) error = NULL;
	struct task *task;

	if (l->tasks->len >= LINUX_TASKS_MAX) {
		machine_add_gap(l->machine, "more than %u tasks; the rest is left out",
		                LINUX_TASKS_MAX);
		return FALSE;
	}
	if (!linux_is_kernel_va(va) || (va.value & 7) != 0 ||
	    !layout_read(&l->self->task, l->machine->kernel, va, fields, &error)) {
		machine_add_gap(l->machine, "the list of tasks breaks off after %u: %s",
		                l->tasks->len,
		                error != NULL ? error->message : "a link points nowhere");
		return FALSE;
	}
	g_hash_table_add(l->seen, GSIZE_TO_POINTER(va.value));
	task = make_task(l->self, l->machine, va, fields);
	g_hash_table_insert(l->pids, GSIZE_TO_POINTER(va.value), GSIZE_TO_POINTER(task->pid));
	g_ptr_array_add(l->tasks, task);
	g_array_append_val(l->parents, fields[LINUX_TASK_PARENT]);
	return TRUE;
}

/* The other threads of the process whose leader is `leader`. */
static void add_threads(struct listing *l, struct va leader, const uint64_t *leader_fields)
{
	uint64_t head = leader_fields[LINUX_TASK_SIGNAL] + l->self->thread_head;
	uint64_t next = leader_fields[LINUX_TASK_THREAD_NODE];
	uint64_t node =
		layout_member(&l->self->task, leader, LINUX_TASK_THREAD_NODE).value - leader.value;

	/* From the leader around to the head: in a process of one thread that is the
	 * next link, and nothing more needs to be read. */
	while (next != head) {
		uint64_t fields[LAYOUT_FIELDS_MAX];
		struct va va = { next - node };

		if (g_hash_table_contains(l->seen, GSIZE_TO_POINTER(va.value))) {
			machine_add_gap(l->machine,
			                "the threads of %" G_GINT64_FORMAT " run in a circle",
			                (gint64)(int32_t)leader_fields[LINUX_TASK_TGID]);
			return;
		}
		if (!add_task(l, va, fields))
			return;
		next = fields[LINUX_TASK_THREAD_NODE];
	}
}

static void resolve_parents(struct listing *l)
{
	for (guint i = 0; i < l->tasks->len; i++) {
		struct task *task = g_ptr_array_index(l->tasks, i);
		gpointer pid;

		if (g_hash_table_lookup_extended(
			    l->pids, GSIZE_TO_POINTER(g_array_index(l->parents, uint64_t, i)), NULL,
			    &pid))
			task->parent = (gint64)GPOINTER_TO_SIZE(pid);
	}
}

static void walk_lists(struct listing *l, struct va init_task)
{
	uint64_t link =
		layout_member(&l->self->task, init_task, LINUX_TASK_TASKS).value - init_task.value;
	uint64_t fields[LAYOUT_FIELDS_MAX];
	struct va va = init_task;
	g_autoptr(GError) error = NULL;

	g_hash_table_add(l->seen, GSIZE_TO_POINTER(init_task.value));
	g_hash_table_insert(l->pids, GSIZE_TO_POINTER(init_task.value), GSIZE_TO_POINTER(0));
	if (!layout_read(&l->self->task, l->machine->kernel, va, fields, &error)) {
		machine_add_gap(l->machine, "the list of tasks: %s", error->message);
		return;
	}
	for (;;) {
		va.value = fields[LINUX_TASK_TASKS] - link;
		if (va.value == init_task.value)
			return;
		if (g_hash_table_contains(l->seen, GSIZE_TO_POINTER(va.value))) {
			machine_add_gap(l->machine, "the list of tasks runs in a circle after %u",
			                l->tasks->len);
			return;
		}
		if (!add_task(l, va, fields))
			return;
		if (l->self->has_threads)
			add_threads(l, va, fields);
	}
}

/* Whether a user task's stack of this size ends in the frame of its entry from user
 * code: a processor state of EL0, and the frame record of two zeros that ends every
 * chain. */
static gboolean stack_fits(const struct program *program, struct space *kernel,
                           const struct task *task, uint64_t size_bytes)
{
	uint64_t frame_bytes, pstate, pc, record;
	uint64_t offset_pstate, offset_pc, offset_record;
	uint64_t zeros[2];
	struct va at;

	if (!types_size(program->types, "struct pt_regs", &frame_bytes, NULL) ||
	    !types_offset(program->types, "struct pt_regs", "pstate", &offset_pstate, NULL) ||
	    !types_offset(program->types, "struct pt_regs", "pc", &offset_pc, NULL) ||
	    !types_offset(program->types, "struct pt_regs", "stackframe", &offset_record, NULL))
		return FALSE;
	at.value = task->stack.value + size_bytes - frame_bytes;
	record = at.value + offset_record;
	return space_read_uint(kernel, (struct va) { at.value + offset_pstate }, 8, &pstate,
	                       NULL) &&
	       space_read_uint(kernel, (struct va) { at.value + offset_pc }, 8, &pc, NULL) &&
	       space_read(kernel, (struct va) { record }, zeros, sizeof(zeros), NULL, NULL) &&
	       (pstate & 0x1f) == 0 && pc != 0 && !linux_is_kernel_va((struct va) { pc }) &&
	       zeros[0] == 0 && zeros[1] == 0;
}

/* Where neither symbols nor types tell THREAD_SIZE, the stacks of user tasks do: two
 * must agree. */
void linux_find_stack_size(struct linux_os *self, struct machine *machine)
{
	GPtrArray *tasks = machine->tasks;

	if (tasks == NULL)
		return;
	for (uint64_t size = 8192; size <= 65536 && self->stack_bytes == 0; size *= 2) {
		unsigned n_fit = 0, n_tried = 0;

		for (guint i = 0; i < tasks->len && n_tried < 4; i++) {
			const struct task *task = g_ptr_array_index(tasks, i);

			if (task->mm.value == 0 || task->on_cpu || task->stack.value == 0)
				continue;
			n_tried++;
			n_fit += stack_fits(&machine->program, machine->kernel, task, size) ? 1 : 0;
		}
		if (n_fit >= 2 && n_fit == n_tried)
			self->stack_bytes = size;
	}
}

static void list_tasks(struct guest_os *os, struct machine *machine, GPtrArray *tasks)
{
	struct listing l = {
		.self = (struct linux_os *)os,
		.machine = machine,
		.tasks = tasks,
		.seen = g_hash_table_new(g_direct_hash, g_direct_equal),
		.pids = g_hash_table_new(g_direct_hash, g_direct_equal),
		.parents = g_array_new(FALSE, FALSE, sizeof(uint64_t)),
	};
	g_autoptr(GError) error = NULL;
	struct va init_task;

	if (program_address(&machine->program, "init_task", &init_task, &error))
		walk_lists(&l, init_task);
	else
		machine_add_gap(machine, "the list of tasks: %s", error->message);
	resolve_parents(&l);
	g_hash_table_unref(l.seen);
	g_hash_table_unref(l.pids);
	g_array_unref(l.parents);
}

static gboolean tid_of(struct guest_os *os, struct machine *machine, struct va task, int64_t *tid)
{
	struct linux_os *self = (struct linux_os *)os;
	uint64_t pid;

	if (!space_read_uint(machine->kernel, layout_member(&self->task, task, LINUX_TASK_PID), 4,
	                     &pid, NULL))
		return FALSE;
	*tid = (int32_t)pid;
	return TRUE;
}

static void linux_os_free(struct guest_os *os)
{
	g_free(os->name);
	g_free(os->banner);
	g_free(os);
}

/* THREAD_SIZE is a constant of the build that leaves a trace only in the linker
 * script's symbols and in the type of a union. */
static uint64_t stack_size(const struct program *program)
{
	static const char *const pairs[][2] = {
		{ "__start_init_task", "__end_init_task" },
		{ "__start_init_stack", "__end_init_stack" },
		{ "init_stack", "__end_init_task" },
	};
	uint64_t size_bytes = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(pairs) && size_bytes == 0; i++) {
		struct va start, end;

		if (program_address(program, pairs[i][0], &start, NULL) &&
		    program_address(program, pairs[i][1], &end, NULL) && end.value > start.value)
			size_bytes = end.value - start.value;
	}
	if (size_bytes == 0 && program->types != NULL)
		types_size(program->types, "union thread_union", &size_bytes, NULL);
	return size_bytes <= 1 << 20 && (size_bytes & (size_bytes - 1)) == 0 ? size_bytes : 0;
}

static gboolean resolve(struct linux_os *self, const struct program *program, GError **error)
{
	struct type_place comm;

	if (!layout_init(&self->task, program, "struct task_struct", task_fields, LINUX_TASK_FIELDS,
	                 error) ||
	    !types_offset(program->types, "struct mm_struct", "pgd", &self->mm_pgd, error) ||
	    !types_member(program->types, "struct task_struct", "comm", &comm, error))
		return FALSE;
	self->comm_bytes = MIN(comm.size_bytes, 64);
	self->has_threads = types_offset(program->types, "struct signal_struct", "thread_head",
	                                 &self->thread_head, NULL);
	self->stack_bytes = stack_size(program);
	return TRUE;
}

/* "Linux version 6.1.176 (lab@lab) (gcc ...)": two words are the name. */
static char *name_from(const char *banner)
{
	g_auto(GStrv) words = g_strsplit(banner, " ", 4);

	if (g_strv_length(words) < 3)
		return g_strdup("Linux");
	return g_strdup_printf("Linux %s", words[2]);
}

/* Takes `place`. */
static gboolean attach_at(struct machine *machine, struct image *image, struct linux_place *place,
                          GError **error)
{
	struct program program;
	struct linux_os *self;

	if (!program_init(&program, image, place->kernel, place->slide, error)) {
		space_free(place->kernel);
		g_free(place->banner);
		return FALSE;
	}
	self = g_new0(struct linux_os, 1);
	self->os = (struct guest_os) {
		.name = name_from(place->banner),
		.banner = place->banner,
		.list_tasks = list_tasks,
		.current = linux_current,
		.tid_of = tid_of,
		.saved_registers = linux_saved_registers,
		.stack = linux_stack,
		.log = linux_log,
		.detail = linux_detail,
		.clock = linux_clock,
		.writes_context_ids = linux_writes_context_ids,
		.free = linux_os_free,
	};
	space_free(machine->kernel);
	machine->kernel = place->kernel;
	machine->program = program;
	machine->has_program = TRUE;
	machine->kind = MACHINE_KIND_LINUX;
	if (!resolve(self, &program, error)) {
		linux_os_free(&self->os);
		return FALSE;
	}
	machine->os = &self->os;
	return TRUE;
}

gboolean linux_attach(struct machine *machine, struct pagecache *cache, struct image *image,
                      GError **error)
{
	struct linux_place place;

	return linux_find(machine, cache, image, &place, error) &&
	       attach_at(machine, image, &place, error);
}

gboolean linux_attach_unknown(struct machine *machine, struct pagecache *cache,
                              struct symbol_cache *remembered, struct image **image, GError **error)
{
	struct discovery found;
	struct linux_place place = { 0 };

	if (!linux_discover(machine, cache, remembered, &found, error))
		return FALSE;
	place.kernel = found.kernel;
	place.banner = found.banner;
	if (!attach_at(machine, found.image, &place, error)) {
		machine->has_program = FALSE;
		image_free(found.image);
		return FALSE;
	}
	*image = found.image;
	return TRUE;
}

struct space *linux_process_space(struct machine *machine, const struct task *task, GError **error)
{
	struct space_config config;

	if (!task->has_table || machine->kernel == NULL) {
		g_set_error(error, OS_ERROR, OS_ERROR_UNSUPPORTED,
		            task->mm.value == 0
		                    ? "%s (%" G_GINT64_FORMAT
		                      ") is a kernel thread and has no memory of its own"
		                    : "the root table of %s (%" G_GINT64_FORMAT
		                      ") could not be read",
		            task->name, task->tid);
		return NULL;
	}
	config = *space_config_of(machine->kernel);
	config.stage1.ttbr0 = task->table.value;
	/* While the kernel runs with software PAN or exits, TTBR0 walks may be off;
	 * the process's own view has them on. */
	config.stage1.tcr &= ~(1ull << 7);
	return space_new(space_cache(machine->kernel), &config);
}
