#include "awareness/backtrace.h"

#include "awareness/prologue.h"
#include "awareness/symbols/unwind.h"

#include <string.h>

enum {
	/* Where the bounds of a stack are not known, this much above SP may be it. */
	STACK_GUESS_BYTES = 1 << 20,
	USER_STACK_BYTES = 8 << 20,
};

/* One chain that is being made, through one program after the other. */
struct chain {
	struct system *system;
	struct backtrace *out;
	/* What the callbacks read. */
	struct space *space;
	const struct program *program; /* NULL for user code */
	const struct machine *machine;
	enum unwind_end end;
	struct unwind_registers last; /* of the last frame */
};

static gboolean read_stack(gpointer data, uint64_t va, void *buffer, size_t len_bytes)
{
	struct chain *chain = data;

	return space_read(chain->space, (struct va) { va }, buffer, len_bytes, NULL, NULL);
}

/* Xen keeps no frame records and has no frame information in its release: the code
 * itself has to say. */
static gboolean row_from_code(struct chain *chain, uint64_t pc, struct cfi_row *row)
{
	uint64_t offset;
	const struct symbol *symbol =
		symbols_by_address(chain->program->symbols, pc - chain->program->slide, &offset);
	size_t n_words = (size_t)(offset / 4);
	g_autofree uint32_t *words = NULL;

	if (symbol == NULL || symbol->kind != SYMBOL_FUNCTION || n_words > PROLOGUE_WORDS_MAX)
		return FALSE;
	words = g_new(uint32_t, n_words + 1);
	return space_read(chain->space, (struct va) { pc - offset }, words, n_words * 4, NULL,
	                  NULL) &&
	       prologue_row(words, n_words, row);
}

static gboolean find_row(gpointer data, uint64_t pc, struct cfi_row *row)
{
	struct chain *chain = data;
	struct dwarf *dwarf;

	if (chain->program == NULL)
		return FALSE;
	dwarf = image_dwarf(chain->program->image, NULL);
	if (dwarf != NULL && dwarf_cfi_row(dwarf, pc - chain->program->slide, row, NULL))
		return TRUE;
	return chain->machine->kind == MACHINE_KIND_XEN && row_from_code(chain, pc, row);
}

static gboolean is_code(gpointer data, uint64_t pc)
{
	struct chain *chain = data;
	struct pa pa;

	/* The kernel's init code is unmapped after the boot, and still at the bottom of
	 * the idle task's chain. */
	return pc != 0 && (space_translate(chain->space, (struct va) { pc }, &pa, NULL) ||
	                   (chain->program != NULL &&
	                    symbols_by_address(chain->program->symbols, pc - chain->program->slide,
	                                       NULL) != NULL));
}

static const char *how_text(enum unwind_how how)
{
	static const char *const texts[] = {
		[UNWIND_START] = "start",
		[UNWIND_CFI] = "CFI",
		[UNWIND_RECORD] = "frame record",
		[UNWIND_LINK] = "link register",
	};

	return texts[how];
}

static void add_frame(struct chain *chain, const struct unwind_frame *frame,
                      enum backtrace_border border)
{
	const struct program *program = chain->program;
	struct backtrace_frame one = {
		.border = border,
		.machine = chain->machine,
		.pc = frame->registers.pc,
		.sp = frame->registers.sp,
		.how = how_text(frame->how),
	};
	struct dwarf *dwarf = program != NULL ? image_dwarf(program->image, NULL) : NULL;
	struct dwarf_frames lines = { 0 };
	uint64_t linked = frame->lookup_pc - (program != NULL ? program->slide : 0);
	const struct symbol *symbol;

	if (dwarf != NULL && dwarf_frames_at(dwarf, linked, &lines, NULL)) {
		for (size_t i = 0; i + 1 < lines.count; i++) {
			struct backtrace_frame inlined = one;

			inlined.function = g_strdup(lines.frames[i].function);
			inlined.file = g_strdup(lines.frames[i].file);
			inlined.line = lines.frames[i].line;
			inlined.inlined = TRUE;
			g_array_append_val(chain->out->frames, inlined);
			one.border = BACKTRACE_SAME;
		}
		if (lines.count > 0) {
			one.file = g_strdup(lines.frames[lines.count - 1].file);
			one.line = lines.frames[lines.count - 1].line;
		}
		dwarf_frames_clear(&lines);
	}
	symbol = program != NULL ? symbols_by_address(program->symbols, linked, &one.offset) : NULL;
	if (symbol != NULL) {
		one.function = g_strdup(symbol->name);
		one.offset += frame->registers.pc - frame->lookup_pc;
	}
	g_array_append_val(chain->out->frames, one);
}

/* Registers of a set as the unwinder wants them. FALSE without pc and sp. */
static gboolean start_from(const struct register_set *set, struct unwind_registers *out)
{
	struct unwind_registers start = { 0 };

	if (!register_set_get(set, "pc", &start.pc) || !register_set_get(set, "sp", &start.sp))
		return FALSE;
	for (unsigned i = 0; i < 31; i++) {
		char name[4];

		g_snprintf(name, sizeof(name), "x%u", i);
		if (register_set_get(set, name, &start.x[i]))
			start.valid |= 1u << i;
	}
	*out = start;
	return TRUE;
}

static void walk_stack(struct chain *chain, const struct unwind_registers *start, struct va low,
                       struct va high, enum backtrace_border border)
{
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(struct unwind_frame));
	struct unwind_config config = {
		.read = read_stack,
		.row = find_row,
		.is_code = is_code,
		.data = chain,
		.stack_low = low.value,
		.stack_high = high.value,
		.va_bits = 48,
	};

	chain->end = unwind_stack(&config, start, frames);
	chain->last = *start;
	if (frames->len > 0)
		chain->last = g_array_index(frames, struct unwind_frame, frames->len - 1).registers;
	for (guint i = 0; i < frames->len; i++)
		add_frame(chain, &g_array_index(frames, struct unwind_frame, i),
		          i == 0 ? border : BACKTRACE_SAME);
}

/* A stack of which only SP is known. */
static void guess_stack(uint64_t sp, uint64_t n_bytes, struct va *low, struct va *high)
{
	low->value = sp;
	high->value = sp + n_bytes < sp ? ~0ull : sp + n_bytes;
}

/* User code: no symbols are known, so frame records have to do. */
static void walk_user(struct chain *chain, struct machine *machine, const struct task *task,
                      const struct register_set *set, enum backtrace_border border)
{
	struct space *space = linux_process_space(machine, task, NULL);
	struct unwind_registers start;
	struct va low, high;

	if (space == NULL || !start_from(set, &start)) {
		space_free(space);
		return;
	}
	guess_stack(start.sp, USER_STACK_BYTES, &low, &high);
	chain->space = space;
	chain->program = NULL;
	chain->machine = machine;
	walk_stack(chain, &start, low, high, border);
	space_free(space);
}

static void conclude(struct chain *chain)
{
	struct backtrace *out = chain->out;

	out->end = g_strdup(unwind_end_text(chain->end));
	out->whole = chain->end == UNWIND_END_RECORD_ZERO || chain->end == UNWIND_END_MARK ||
	             chain->end == UNWIND_END_UNDEFINED;
}

static void free_frame(gpointer data)
{
	struct backtrace_frame *frame = data;

	g_free(frame->function);
	g_free(frame->file);
}

static void backtrace_init(struct backtrace *self)
{
	*self = (struct backtrace) {
		.frames = g_array_new(FALSE, FALSE, sizeof(struct backtrace_frame)),
	};
	g_array_set_clear_func(self->frames, free_frame);
}

void backtrace_deinit(struct backtrace *self)
{
	g_clear_pointer(&self->frames, g_array_unref);
	g_clear_pointer(&self->end, g_free);
}

/* From an interrupt's stack back to the task's: the last frame record of the one points
 * into the other. */
static gboolean cross_stacks(struct chain *chain, struct va low, struct va high,
                             struct unwind_registers *next)
{
	uint64_t record = chain->last.x[29];
	uint64_t words[2];

	if (chain->end == UNWIND_END_RECORD_ZERO || (chain->last.valid >> 29 & 1) == 0 ||
	    record < low.value || record > high.value - sizeof(words) ||
	    !space_read(chain->space, (struct va) { record }, words, sizeof(words), NULL, NULL))
		return FALSE;
	*next = (struct unwind_registers) { .sp = record + sizeof(words), .valid = 1u << 29 };
	next->x[29] = GUINT64_FROM_LE(words[0]);
	next->pc = unwind_strip(GUINT64_FROM_LE(words[1]), 48);
	return is_code(chain, next->pc);
}

/* The kernel's frames of a task, then its user frames. */
static void walk_kernel_then_user(struct chain *chain, struct machine *machine,
                                  const struct task *task, const struct register_set *kernel,
                                  const struct register_set *user, enum backtrace_border border)
{
	struct unwind_registers start;
	struct va low, high;

	if (start_from(kernel, &start)) {
		gboolean known = task != NULL && machine->os->stack != NULL &&
		                 machine->os->stack(machine->os, machine, task, &low, &high, NULL);

		gboolean elsewhere = !known || start.sp < low.value || start.sp >= high.value;
		struct va other_low = low, other_high = high;

		if (elsewhere)
			guess_stack(start.sp, STACK_GUESS_BYTES, &other_low, &other_high);
		chain->space = machine->kernel;
		chain->program = &machine->program;
		chain->machine = machine;
		walk_stack(chain, &start, other_low, other_high, border);
		if (known && elsewhere && cross_stacks(chain, low, high, &start))
			walk_stack(chain, &start, low, high, BACKTRACE_SAME);
	}
	if (task != NULL && user->values->len > 0 && chain->end == UNWIND_END_RECORD_ZERO)
		walk_user(chain, machine, task, user, BACKTRACE_USER);
}

/* In the first instructions of the kernel's entry, and the last of its exit, x29 is still or
 * again the user's: the chain goes on with what the exception saved. */
static void cross_entry(struct chain *chain, struct machine *machine, const struct task *task,
                        const struct register_set *core)
{
	uint64_t spsr, elr, sp, fp;
	struct register_set user;

	if (chain->end != UNWIND_END_STACK || task == NULL || task->is_kernel ||
	    !register_set_get(core, "SPSR_EL1", &spsr) || (spsr & 0xf) != 0 ||
	    !register_set_get(core, "ELR_EL1", &elr) || !register_set_get(core, "SP_EL0", &sp) ||
	    !register_set_get(core, "x29", &fp) || chain->last.x[CFI_FP] != fp ||
	    linux_is_kernel_va((struct va) { fp }) || linux_is_kernel_va((struct va) { sp }) ||
	    linux_is_kernel_va((struct va) { elr }))
		return;
	register_set_init(&user);
	register_set_put(&user, "pc", elr, REGISTER_SOURCE_CORE, FALSE);
	register_set_put(&user, "sp", sp, REGISTER_SOURCE_CORE, FALSE);
	register_set_put(&user, "x29", fp, REGISTER_SOURCE_CORE, FALSE);
	walk_user(chain, machine, task, &user, BACKTRACE_USER);
	register_set_deinit(&user);
}

/* The guest's side of a vCPU, by the level that it stands in. */
static void walk_guest(struct chain *chain, struct machine *machine, const struct vcpu *vcpu,
                       enum backtrace_border border)
{
	struct task *task = system_current_task(chain->system, machine, vcpu);
	struct register_set ignored, user;
	struct unwind_registers start;
	uint64_t cpsr = 0;

	register_set_get(&vcpu->registers, "cpsr", &cpsr);
	if (machine->kernel == NULL || !start_from(&vcpu->registers, &start))
		return;
	if ((cpsr & 0xc) == 0) {
		if (task != NULL)
			walk_user(chain, machine, task, &vcpu->registers, border);
		return;
	}
	register_set_init(&ignored);
	register_set_init(&user);
	if (task != NULL && machine->os->saved_registers != NULL)
		machine->os->saved_registers(machine->os, machine, task, &ignored, &user, NULL);
	if (machine->has_program) {
		walk_kernel_then_user(chain, machine, task, &vcpu->registers, &user, border);
		cross_entry(chain, machine, task, &vcpu->registers);
	} else {
		struct va low, high;

		guess_stack(start.sp, STACK_GUESS_BYTES, &low, &high);
		chain->space = machine->kernel;
		chain->program = NULL;
		chain->machine = machine;
		walk_stack(chain, &start, low, high, border);
	}
	register_set_deinit(&ignored);
	register_set_deinit(&user);
}

static void walk_hypervisor(struct chain *chain, struct machine *hypervisor,
                            const struct unwind_registers *start)
{
	struct va low, high;

	if (!xen_stack(system_xen(chain->system), (struct va) { start->sp }, &low, &high))
		guess_stack(start->sp, STACK_GUESS_BYTES, &low, &high);
	chain->space = hypervisor->kernel;
	chain->program = &hypervisor->program;
	chain->machine = hypervisor;
	walk_stack(chain, start, low, high, BACKTRACE_SAME);
}

/* The guest vCPU that a core has loaded, or NULL while the idle vCPU runs. */
static struct vcpu *guest_of_core(struct system *system, unsigned cpu, struct machine **machine)
{
	GPtrArray *machines = system_machines(system);

	for (guint i = 1; i < machines->len; i++) {
		*machine = g_ptr_array_index(machines, i);
		for (guint n = 0; n < (*machine)->vcpus->len; n++) {
			struct vcpu *vcpu = g_ptr_array_index((*machine)->vcpus, n);

			if (vcpu->live && vcpu->live_cpu == cpu)
				return vcpu;
		}
	}
	return NULL;
}

gboolean backtrace_vcpu(struct system *system, struct machine *machine, const struct vcpu *vcpu,
                        struct backtrace *out, GError **error)
{
	struct chain chain = { .system = system, .out = out };
	struct machine *hypervisor = g_ptr_array_index(system_machines(system), 0);
	struct unwind_registers start;
	gboolean in_hypervisor = FALSE;
	uint64_t cpsr = 0;

	if (!start_from(&vcpu->registers, &start)) {
		g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
		            "the registers of %s:%u are not known", machine->name, vcpu->id);
		return FALSE;
	}
	backtrace_init(out);
	register_set_get(&vcpu->registers, "cpsr", &cpsr);
	if (machine->number == 0 && system_xen(system) != NULL) {
		struct machine *guest = NULL;
		const struct vcpu *loaded = guest_of_core(system, vcpu->id, &guest);

		in_hypervisor = (cpsr & 0xc) == 8;
		if (in_hypervisor)
			walk_hypervisor(&chain, machine, &start);
		if (loaded != NULL)
			walk_guest(&chain, guest, loaded,
			           in_hypervisor ? BACKTRACE_GUEST : BACKTRACE_SAME);
	} else if (vcpu->va.value != 0 && xen_saved_context(system_xen(system), vcpu, &start)) {
		/* Descheduled: where Xen will go on with it, then the guest's own. */
		walk_hypervisor(&chain, hypervisor, &start);
		walk_guest(&chain, machine, vcpu, BACKTRACE_GUEST);
	} else {
		walk_guest(&chain, machine, vcpu, BACKTRACE_SAME);
	}
	conclude(&chain);
	return TRUE;
}

gboolean backtrace_task(struct system *system, struct machine *machine, const struct task *task,
                        struct backtrace *out, GError **error)
{
	struct chain chain = { .system = system, .out = out };
	struct register_set kernel, user;
	gboolean done;

	for (guint i = 0; i < machine->vcpus->len; i++) {
		const struct vcpu *vcpu = g_ptr_array_index(machine->vcpus, i);

		if (system_current_task(system, machine, vcpu) == task)
			return backtrace_vcpu(system, machine, vcpu, out, error);
	}
	if (machine->os == NULL || machine->os->saved_registers == NULL) {
		g_set_error(error, OS_ERROR, OS_ERROR_UNSUPPORTED,
		            "%s saves no registers of its tasks", machine->name);
		return FALSE;
	}
	register_set_init(&kernel);
	register_set_init(&user);
	done = machine->os->saved_registers(machine->os, machine, task, &kernel, &user, error);
	if (done) {
		backtrace_init(out);
		walk_kernel_then_user(&chain, machine, task, &kernel, &user, BACKTRACE_SAME);
		conclude(&chain);
	}
	register_set_deinit(&kernel);
	register_set_deinit(&user);
	return done;
}
