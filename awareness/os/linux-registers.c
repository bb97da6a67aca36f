/* Where Linux keeps the registers of a task, and which task runs. */
#include "awareness/os/linux-private.h"

enum {
	N_X = 31,
};

/* struct cpu_context: what __switch_to saved. */
static gboolean put_context(struct linux_os *self, struct machine *machine, const struct task *task,
                            struct register_set *out, GError **error)
{
	static const char *const members[] = { "x19", "x20", "x21", "x22", "x23", "x24", "x25",
		                               "x26", "x27", "x28", "fp",  "sp",  "pc" };
	struct va base = layout_member(&self->task, task->va, LINUX_TASK_CONTEXT);

	for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
		uint64_t offset, value;

		if (!types_offset(machine->program.types, "struct cpu_context", members[i], &offset,
		                  error) ||
		    !space_read_uint(machine->kernel, (struct va) { base.value + offset }, 8,
		                     &value, error))
			return FALSE;
		register_set_put(out, i == 10 ? "x29" : members[i], value,
		                 REGISTER_SOURCE_SAVED_TASK, task->on_cpu);
	}
	return TRUE;
}

/* The last frame of the kernel stack: struct pt_regs of the entry from user code. */
static gboolean put_pt_regs(struct linux_os *self, struct machine *machine, const struct task *task,
                            struct register_set *out, GError **error)
{
	uint64_t size_bytes;
	struct va at;

	if (self->stack_bytes == 0)
		linux_find_stack_size(self, machine);
	if (self->stack_bytes == 0 || task->stack.value == 0) {
		g_set_error(error, OS_ERROR, OS_ERROR_UNSUPPORTED,
		            "the size of kernel stacks is not known");
		return FALSE;
	}
	if (!types_size(machine->program.types, "struct pt_regs", &size_bytes, error))
		return FALSE;
	at.value = task->stack.value + self->stack_bytes - size_bytes;
	for (unsigned i = 0; i < N_X + 3; i++) {
		static const char *const tail[] = { "sp", "pc", "pstate" };
		g_autofree char *path =
			i < N_X ? g_strdup_printf("regs[%u]", i) : g_strdup(tail[i - N_X]);
		g_autofree char *name = i < N_X        ? g_strdup_printf("x%u", i)
		                        : i == N_X + 2 ? g_strdup("cpsr")
		                                       : g_strdup(path);
		uint64_t offset, value;

		if (!types_offset(machine->program.types, "struct pt_regs", path, &offset, error) ||
		    !space_read_uint(machine->kernel, (struct va) { at.value + offset }, 8, &value,
		                     error))
			return FALSE;
		register_set_put(out, name, value, REGISTER_SOURCE_PT_REGS, FALSE);
	}
	return TRUE;
}

gboolean linux_saved_registers(struct guest_os *os, struct machine *machine,
                               const struct task *task, struct register_set *kernel,
                               struct register_set *user, GError **error)
{
	struct linux_os *self = (struct linux_os *)os;

	if (!self->task.found[LINUX_TASK_CONTEXT]) {
		g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS,
		            "where this kernel saves a task's registers is not known");
		return FALSE;
	}
	if (!put_context(self, machine, task, kernel, error))
		return FALSE;
	return task->is_kernel || put_pt_regs(self, machine, task, user, error);
}

gboolean linux_stack(struct guest_os *os, struct machine *machine, const struct task *task,
                     struct va *low, struct va *high, GError **error)
{
	struct linux_os *self = (struct linux_os *)os;

	if (self->stack_bytes == 0)
		linux_find_stack_size(self, machine);
	if (self->stack_bytes == 0 || task->stack.value == 0) {
		g_set_error(error, OS_ERROR, OS_ERROR_UNSUPPORTED,
		            "the size of kernel stacks is not known");
		return FALSE;
	}
	*low = task->stack;
	high->value = task->stack.value + self->stack_bytes;
	return TRUE;
}

/* Whether `sp` is in the stack of the task at `va`. */
static gboolean stack_holds(struct linux_os *self, struct machine *machine, uint64_t va,
                            uint64_t sp)
{
	uint64_t stack;

	return self->stack_bytes != 0 &&
	       space_read_uint(machine->kernel,
	                       layout_member(&self->task, (struct va) { va }, LINUX_TASK_STACK), 8,
	                       &stack, NULL) &&
	       sp >= stack && sp - stack < self->stack_bytes;
}

/* SP_EL0 holds the task only between the kernel's entry and its exit, where it has another
 * address of the kernel than a user's; __entry_task, per CPU through TPIDR_EL1, holds it
 * always (arch/arm64/kernel/process.c), but is already the next task's while __switch_to()
 * works. Where kallsyms leaves that variable out, SP_EL0 has to do. */
gboolean linux_current(struct guest_os *os, struct machine *machine, const struct vcpu *vcpu,
                       struct va *task, GError **error)
{
	struct linux_os *self = (struct linux_os *)os;
	struct va variable;
	uint64_t offset, entry = 0, cpsr, sp_el0 = 0, sp;
	gboolean has_entry, has_sp_el0;

	has_entry = program_address(&machine->program, "__entry_task", &variable, NULL) &&
	            register_set_get(&vcpu->registers, "TPIDR_EL1", &offset) &&
	            space_read_uint(machine->kernel, (struct va) { variable.value + offset }, 8,
	                            &entry, NULL);
	has_sp_el0 = register_set_get(&vcpu->registers, "cpsr", &cpsr) && (cpsr >> 2 & 3) == 1 &&
	             register_set_get(&vcpu->registers, "SP_EL0", &sp_el0) &&
	             linux_is_kernel_va((struct va) { sp_el0 });
	if (!has_entry && !has_sp_el0) {
		g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
		            "which task vCPU %u runs is not known: the symbols lack __entry_task, "
		            "or it cannot be read, and it is in user code",
		            vcpu->id);
		return FALSE;
	}
	task->value = has_sp_el0 ? sp_el0 : entry;
	/* Within a switch the stack decides. */
	if (has_entry && has_sp_el0 && entry != sp_el0 &&
	    register_set_get(&vcpu->registers, "sp", &sp) && stack_holds(self, machine, entry, sp))
		task->value = entry;
	return TRUE;
}
