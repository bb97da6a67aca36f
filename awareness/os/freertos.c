/* Tasks out of FreeRTOS's lists. A task is in exactly one state list by its state item
 * (tasks.c): ready, by priority; delayed; suspended; to be deleted. Its event item tells
 * what it waits for besides. */
#include "awareness/os/freertos-private.h"

#include <string.h>

enum freertos_limits {
	TASKS_MAX = 4096,
	PRIORITIES_MAX = 1024,
	CORES_MAX = 64,
	NAME_BYTES_MAX = 64,
};

static const struct field tcb_fields[] = {
	[TCB_TOP] = { "pxTopOfStack", FALSE },
	[TCB_PRIORITY] = { "uxPriority", FALSE },
	[TCB_STACK] = { "pxStack", FALSE },
	[TCB_NAME] = { "pcTaskName", FALSE },
	[TCB_EVENT_CONTAINER] = { "xEventListItem.pxContainer|xEventListItem.pvContainer", FALSE },
	[TCB_STACK_END] = { "pxEndOfStack", TRUE },
	[TCB_NUMBER] = { "uxTCBNumber", TRUE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(tcb_fields) == TCB_FIELDS);

enum list_field {
	LIST_ITEMS,
	LIST_FIRST,
};

static const struct field list_fields[] = {
	[LIST_ITEMS] = { "uxNumberOfItems", FALSE },
	[LIST_FIRST] = { "xListEnd.pxNext", FALSE },
};

enum item_field {
	ITEM_NEXT,
	ITEM_OWNER,
};

static const struct field item_fields[] = {
	[ITEM_NEXT] = { "pxNext", FALSE },
	[ITEM_OWNER] = { "pvOwner", FALSE },
};

gboolean freertos_is(const struct program *program)
{
	return program_has(program, "pxCurrentTCB") || program_has(program, "pxCurrentTCBs");
}

/* One listing. */
struct listing {
	struct freertos_os *self;
	struct machine *machine;
	GPtrArray *tasks;
	GHashTable *seen; /* TCBs */
};

static struct task *add_task(struct listing *l, struct va va, enum task_state state)
{
	uint64_t fields[LAYOUT_FIELDS_MAX];
	struct task *task;
	g_autoptr(GError) error = NULL;

	if (l->tasks->len >= TASKS_MAX ||
	    !layout_read(&l->self->tcb, l->machine->kernel, va, fields, &error)) {
		machine_add_gap(l->machine, "a list of tasks breaks off after %u: %s",
		                l->tasks->len, error != NULL ? error->message : "too many");
		return NULL;
	}
	g_hash_table_add(l->seen, GSIZE_TO_POINTER(va.value));
	task = task_new();
	task->va = va;
	task->tid = l->self->tcb.found[TCB_NUMBER] ? (int64_t)fields[TCB_NUMBER]
	                                           : (int64_t)l->tasks->len + 1;
	task->pid = task->tid;
	task->is_kernel = TRUE;
	task->state = state;
	task->priority = (int64_t)fields[TCB_PRIORITY];
	task->stack.value = fields[TCB_STACK];
	task->name =
		space_read_string(l->machine->kernel, layout_member(&l->self->tcb, va, TCB_NAME),
	                          l->self->name_bytes, NULL);
	if (task->name == NULL)
		task->name = g_strdup("?");
	if (fields[TCB_EVENT_CONTAINER] != 0 && state != TASK_DEAD) {
		/* In the list of the suspended stands also who waits without a limit. */
		task->state = state == TASK_RUNNING ? state : TASK_BLOCKED;
		task->waits_for =
			freertos_describe_event(l->self, l->machine, fields[TCB_EVENT_CONTAINER]);
	}
	g_ptr_array_add(l->tasks, task);
	return task;
}

/* All owners of one list's items. */
static void add_list(struct listing *l, struct va list, const char *name, enum task_state state)
{
	struct freertos_os *self = l->self;
	uint64_t fields[LAYOUT_FIELDS_MAX];
	uint64_t end = list.value + self->sentinel;
	g_autoptr(GError) error = NULL;

	if (!layout_read(&self->list, l->machine->kernel, list, fields, &error)) {
		machine_add_gap(l->machine, "%s: %s", name, error->message);
		return;
	}
	for (uint64_t item = fields[LIST_FIRST], n = 0; item != end; n++) {
		uint64_t values[LAYOUT_FIELDS_MAX];
		struct va tcb;

		if (n >= fields[LIST_ITEMS] || !layout_read(&self->item, l->machine->kernel,
		                                            (struct va) { item }, values, &error)) {
			machine_add_gap(l->machine, "%s breaks off after %u of %u items: %s", name,
			                (unsigned)n, (unsigned)fields[LIST_ITEMS],
			                error != NULL ? error->message : "its links go on");
			return;
		}
		tcb.value = values[ITEM_OWNER];
		if (g_hash_table_contains(l->seen, GSIZE_TO_POINTER(tcb.value))) {
			machine_add_gap(l->machine,
			                "%s: the task at 0x%" G_GINT64_MODIFIER
			                "x is in two lists, or in a circle",
			                name, tcb.value);
			return;
		}
		if (add_task(l, tcb, state) == NULL)
			return;
		item = values[ITEM_NEXT];
	}
}

static void add_variable(struct listing *l, const char *name, enum task_state state)
{
	struct va va;

	/* A build without suspension, or deletion, has no such list. */
	if (program_address(&l->machine->program, name, &va, NULL))
		add_list(l, va, name, state);
}

static void add_ready(struct listing *l)
{
	const struct program *program = &l->machine->program;
	const struct symbol *symbol = symbols_by_name(program->symbols, "pxReadyTasksLists");
	uint64_t n_lists = 0;
	struct va va;

	if (symbol != NULL && l->self->list.struct_bytes != 0)
		n_lists = MIN(symbol->size_bytes / l->self->list.struct_bytes, PRIORITIES_MAX);
	if (n_lists == 0 || !program_address(program, "pxReadyTasksLists", &va, NULL)) {
		machine_add_gap(l->machine,
		                "the ready tasks: no pxReadyTasksLists of a known size");
		return;
	}
	while (n_lists-- > 0) {
		g_autofree char *name = g_strdup_printf("pxReadyTasksLists[%u]", (unsigned)n_lists);

		add_list(l, (struct va) { va.value + n_lists * l->self->list.struct_bytes }, name,
		         TASK_RUNNING);
	}
}

/* The TCB that runs on a core; 0 where it cannot be read. */
static uint64_t current_of(struct machine *machine, unsigned cpu)
{
	const char *name =
		program_has(&machine->program, "pxCurrentTCBs") ? "pxCurrentTCBs" : "pxCurrentTCB";
	uint64_t tcb = 0;
	struct va va;

	if (cpu < CORES_MAX && program_address(&machine->program, name, &va, NULL))
		space_read_uint(machine->kernel, (struct va) { va.value + (uint64_t)cpu * 8 }, 8,
		                &tcb, NULL);
	return tcb;
}

static gboolean is_smp(const struct machine *machine)
{
	return program_has(&machine->program, "pxCurrentTCBs");
}

static void mark_running(struct listing *l)
{
	for (guint i = 0; i < l->machine->vcpus->len; i++) {
		const struct vcpu *vcpu = g_ptr_array_index(l->machine->vcpus, i);
		uint64_t tcb =
			vcpu->id == 0 || is_smp(l->machine) ? current_of(l->machine, vcpu->id) : 0;

		for (guint n = 0; tcb != 0 && n < l->tasks->len; n++) {
			struct task *task = g_ptr_array_index(l->tasks, n);

			if (task->va.value != tcb)
				continue;
			task->on_cpu = TRUE;
			task->vcpu = (int)vcpu->id;
			task->state = TASK_RUNNING;
		}
	}
}

static int by_number(gconstpointer a, gconstpointer b)
{
	const struct task *x = *(const struct task *const *)a;
	const struct task *y = *(const struct task *const *)b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static void list_tasks(struct guest_os *os, struct machine *machine, GPtrArray *tasks)
{
	struct listing l = {
		.self = (struct freertos_os *)os,
		.machine = machine,
		.tasks = tasks,
		.seen = g_hash_table_new(g_direct_hash, g_direct_equal),
	};

	add_ready(&l);
	add_variable(&l, "xPendingReadyList", TASK_RUNNING);
	add_variable(&l, "xDelayedTaskList1", TASK_BLOCKED);
	add_variable(&l, "xDelayedTaskList2", TASK_BLOCKED);
	add_variable(&l, "xSuspendedTaskList", TASK_SUSPENDED);
	add_variable(&l, "xTasksWaitingTermination", TASK_DEAD);
	mark_running(&l);
	if (l.self->tcb.found[TCB_NUMBER])
		g_ptr_array_sort(tasks, by_number);
	g_hash_table_unref(l.seen);
}

static gboolean current(struct guest_os *os, struct machine *machine, const struct vcpu *vcpu,
                        struct va *task, GError **error)
{
	uint64_t tcb = vcpu->id == 0 || is_smp(machine) ? current_of(machine, vcpu->id) : 0;

	(void)os;
	if (tcb == 0) {
		g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
		            "the scheduler of %s has no task on vCPU %u", machine->name, vcpu->id);
		return FALSE;
	}
	task->value = tcb;
	return TRUE;
}

static gboolean tid_of(struct guest_os *os, struct machine *machine, struct va task, int64_t *tid)
{
	struct freertos_os *self = (struct freertos_os *)os;
	uint64_t fields[LAYOUT_FIELDS_MAX];

	if (!self->tcb.found[TCB_NUMBER] ||
	    !layout_read(&self->tcb, machine->kernel, task, fields, NULL))
		return FALSE;
	*tid = (int64_t)fields[TCB_NUMBER];
	return TRUE;
}

static gboolean stack_of(struct guest_os *os, struct machine *machine, const struct task *task,
                         struct va *low, struct va *high, GError **error)
{
	struct freertos_os *self = (struct freertos_os *)os;
	uint64_t fields[LAYOUT_FIELDS_MAX];

	if (!layout_read(&self->tcb, machine->kernel, task->va, fields, error))
		return FALSE;
	if (fields[TCB_STACK_END] <= fields[TCB_STACK]) {
		g_set_error(error, OS_ERROR, OS_ERROR_UNSUPPORTED,
		            "where the stack of %s ends is not recorded "
		            "(configRECORD_STACK_HIGH_ADDRESS)",
		            task->name);
		return FALSE;
	}
	low->value = fields[TCB_STACK];
	/* The last word belongs to the stack. */
	high->value = (fields[TCB_STACK_END] + 16) & ~15ull;
	return TRUE;
}

static void freertos_free(struct guest_os *os)
{
	g_free(os->name);
	g_free(os->banner);
	g_free(os);
}

static void resolve_queues(struct freertos_os *self, const struct program *program)
{
	self->has_queues = types_offset(program->types, "struct QueueDefinition",
	                                "xTasksWaitingToSend", &self->senders, NULL) &&
	                   types_offset(program->types, "struct QueueDefinition",
	                                "xTasksWaitingToReceive", &self->receivers, NULL);
	self->has_registry = program_has(program, "xQueueRegistry") &&
	                     types_offset(program->types, "struct QUEUE_REGISTRY_ITEM",
	                                  "pcQueueName", &self->registry_name, NULL) &&
	                     types_offset(program->types, "struct QUEUE_REGISTRY_ITEM", "xHandle",
	                                  &self->registry_handle, NULL) &&
	                     types_size(program->types, "struct QUEUE_REGISTRY_ITEM",
	                                &self->registry_bytes, NULL) &&
	                     self->registry_bytes > 0;
}

static gboolean resolve(struct freertos_os *self, const struct program *program, GError **error)
{
	struct type_place place;

	if (!layout_init(&self->tcb, program, "struct tskTaskControlBlock", tcb_fields, TCB_FIELDS,
	                 error) ||
	    !layout_init(&self->list, program, "struct xLIST", list_fields, 2, error) ||
	    !layout_init(&self->item, program, "struct xLIST_ITEM", item_fields, 2, error) ||
	    !types_offset(program->types, "struct xLIST", "xListEnd", &self->sentinel, error) ||
	    !types_member(program->types, "struct xLIST_ITEM", "xItemValue", &place, error))
		return FALSE;
	self->delay_bytes = place.size_bytes;
	if (!types_member(program->types, "struct tskTaskControlBlock", "pcTaskName", &place,
	                  error))
		return FALSE;
	self->name_bytes = MIN(place.size_bytes, NAME_BYTES_MAX);
	resolve_queues(self, program);
	return TRUE;
}

gboolean freertos_attach(struct machine *machine, GError **error)
{
	struct freertos_os *self = g_new0(struct freertos_os, 1);

	self->os = (struct guest_os) {
		.name = g_strdup("FreeRTOS"),
		.list_tasks = list_tasks,
		.current = current,
		.tid_of = tid_of,
		.saved_registers = freertos_saved_registers,
		.stack = stack_of,
		.free = freertos_free,
	};
	if (!resolve(self, &machine->program, error)) {
		freertos_free(&self->os);
		return FALSE;
	}
	machine->os = &self->os;
	machine->kind = MACHINE_KIND_FREERTOS;
	return TRUE;
}
