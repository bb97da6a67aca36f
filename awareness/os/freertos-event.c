/* What a FreeRTOS task waits for, and what the AArch64 port saved of it. */
#include "awareness/os/freertos-private.h"

enum event_limits {
	REGISTRY_MAX = 1024,
	NAME_BYTES_MAX = 64,
};

/* The frame at pxTopOfStack (portable/GCC/ARM_CA53_64_BIT, portASM.S), in 8-byte words. */
enum frame_words {
	FRAME_HAS_FPU = 0,
	FRAME_NESTING = 1,
	FRAME_FPU_WORDS = 64, /* Q30, Q31 .. Q0, Q1, where there are any */
	FRAME_ELR = 2,
	FRAME_SPSR = 3,
	FRAME_X30 = 4,   /* and XZR */
	FRAME_PAIRS = 6, /* X28, X29, then X26, X27, down to X0, X1 */
	FRAME_WORDS = 36,
};

/* A list's end holds the greatest of all ticks (listINITIALISE), and its links lead to
 * items or itself. */
static gboolean is_list(struct freertos_os *self, struct machine *machine, uint64_t list)
{
	uint64_t ones = self->delay_bytes == 4 ? 0xffffffffull : ~0ull;
	uint64_t value, fields[LAYOUT_FIELDS_MAX];

	return space_read_uint(machine->kernel, (struct va) { list + self->sentinel },
	                       self->delay_bytes, &value, NULL) &&
	       value == ones &&
	       layout_read(&self->list, machine->kernel, (struct va) { list }, fields, NULL) &&
	       (fields[0] == 0) == (fields[1] == list + self->sentinel);
}

/* vQueueAddToRegistry()'s name for it, or NULL. */
static char *registry_name(struct freertos_os *self, struct machine *machine, uint64_t queue)
{
	const struct symbol *symbol = symbols_by_name(machine->program.symbols, "xQueueRegistry");
	uint64_t n_items = symbol != NULL && self->has_registry
	                           ? MIN(symbol->size_bytes / self->registry_bytes, REGISTRY_MAX)
	                           : 0;
	struct va va;

	if (n_items == 0 || !program_address(&machine->program, "xQueueRegistry", &va, NULL))
		return NULL;
	for (; n_items > 0; n_items--, va.value += self->registry_bytes) {
		uint64_t handle, name;

		if (space_read_uint(machine->kernel,
		                    (struct va) { va.value + self->registry_handle }, 8, &handle,
		                    NULL) &&
		    handle == queue &&
		    space_read_uint(machine->kernel, (struct va) { va.value + self->registry_name },
		                    8, &name, NULL))
			return space_read_string(machine->kernel, (struct va) { name },
			                         NAME_BYTES_MAX, NULL);
	}
	return NULL;
}

char *freertos_describe_event(struct freertos_os *self, struct machine *machine, uint64_t list)
{
	uint64_t as_sender = list - self->senders, as_receiver = list - self->receivers;
	gboolean sends = self->has_queues && is_list(self, machine, list) &&
	                 is_list(self, machine, as_sender + self->receivers);
	gboolean receives = self->has_queues && !sends && is_list(self, machine, list) &&
	                    is_list(self, machine, as_receiver + self->senders);
	uint64_t queue = sends ? as_sender : as_receiver;
	g_autofree char *name = sends || receives ? registry_name(self, machine, queue) : NULL;
	g_autofree char *symbol = NULL;

	if (!sends && !receives) {
		symbol = program_name_address(&machine->program, (struct va) { list });
		return g_strdup_printf("the list at 0x%" G_GINT64_MODIFIER "x%s%s", list,
		                       symbol != NULL ? ", " : "", symbol != NULL ? symbol : "");
	}
	return g_strdup_printf("queue 0x%" G_GINT64_MODIFIER "x%s%s%s, to %s", queue,
	                       name != NULL ? " (" : "", name != NULL ? name : "",
	                       name != NULL ? ")" : "", sends ? "send" : "receive");
}

gboolean freertos_saved_registers(struct guest_os *os, struct machine *machine,
                                  const struct task *task, struct register_set *kernel,
                                  struct register_set *user, GError **error)
{
	struct freertos_os *self = (struct freertos_os *)os;
	uint64_t words[FRAME_WORDS], top, has_fpu;
	struct va frame;

	(void)user;
	if (!space_read_uint(machine->kernel, layout_member(&self->tcb, task->va, TCB_TOP), 8, &top,
	                     error) ||
	    !space_read_uint(machine->kernel, (struct va) { top }, 8, &has_fpu, error))
		return FALSE;
	if (has_fpu > 1) {
		g_set_error(error, OS_ERROR, OS_ERROR_NONSENSE,
		            "at 0x%" G_GINT64_MODIFIER "x, pxTopOfStack of %s, is no frame of the "
		            "AArch64 port (its FPU flag is 0x%" G_GINT64_MODIFIER "x)",
		            top, task->name, has_fpu);
		return FALSE;
	}
	frame.value = top + (has_fpu != 0 ? FRAME_FPU_WORDS * 8 : 0);
	if (!space_read(machine->kernel, frame, words, sizeof(words), NULL, error))
		return FALSE;
	for (unsigned i = 0; i < 30; i++) {
		g_autofree char *name = g_strdup_printf("x%u", i);
		uint64_t word = words[FRAME_PAIRS + (28 - (i & ~1u)) + (i & 1)];

		register_set_put(kernel, name, GUINT64_FROM_LE(word), REGISTER_SOURCE_SAVED_TASK,
		                 task->on_cpu);
	}
	register_set_put(kernel, "x30", GUINT64_FROM_LE(words[FRAME_X30]),
	                 REGISTER_SOURCE_SAVED_TASK, task->on_cpu);
	register_set_put(kernel, "pc", GUINT64_FROM_LE(words[FRAME_ELR]),
	                 REGISTER_SOURCE_SAVED_TASK, task->on_cpu);
	register_set_put(kernel, "cpsr", GUINT64_FROM_LE(words[FRAME_SPSR]),
	                 REGISTER_SOURCE_SAVED_TASK, task->on_cpu);
	register_set_put(kernel, "sp", frame.value + sizeof(words), REGISTER_SOURCE_SAVED_TASK,
	                 task->on_cpu);
	return TRUE;
}
