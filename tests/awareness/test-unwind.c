/* The unwinder against elfutils' libdwfl: on the sleeping tasks of the frozen Xen's
 * three Linuxes, and on a thousand stacks that are put together from random call
 * chains of a real kernel by the rules that libdw reads. */
#include "awareness/symbols/image.h"
#include "awareness/symbols/unwind.h"
#include "awareness/system.h"
#include "awareness/target/target.h"
#include "tests/awareness/dump-data.h"
#include "tests/awareness/symbol-data.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	STACK_BYTES = 16384,
	SAMPLES = 1000,
	DEPTH_MAX = 20,
	FRAMES_MAX = 64
};

/* One stack, for both unwinders. */
struct sample {
	struct unwind_registers registers;
	uint64_t stack_low;
	uint8_t stack[STACK_BYTES];
};

struct chain {
	uint64_t pc[FRAMES_MAX];
	size_t n;
};

/* The oracle. */
struct oracle {
	Dwfl *dwfl;
	Dwfl_Module *module;
	const struct sample *sample;
};

static pid_t oracle_next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	(void)dwfl;
	if (*thread_arg != NULL)
		return 0;
	*thread_arg = arg;
	return 1;
}

static bool oracle_get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl;
	*thread_arg = arg;
	return tid == 1;
}

static bool oracle_read(Dwfl *dwfl, Dwarf_Addr va, Dwarf_Word *word, void *arg)
{
	const struct oracle *self = arg;
	uint64_t offset = va - self->sample->stack_low;

	(void)dwfl;
	if (offset > STACK_BYTES - sizeof(*word))
		return false;
	memcpy(word, self->sample->stack + offset, sizeof(*word));
	return true;
}

static bool oracle_registers(Dwfl_Thread *thread, void *arg)
{
	const struct oracle *self = arg;
	const struct unwind_registers *from = &self->sample->registers;
	Dwarf_Word words[32];

	memcpy(words, from->x, sizeof(from->x));
	words[31] = from->sp;
	dwfl_thread_state_register_pc(thread, from->pc);
	return dwfl_thread_state_registers(thread, 0, 32, words);
}

static const Dwfl_Thread_Callbacks oracle_callbacks = {
	.next_thread = oracle_next_thread,
	.get_thread = oracle_get_thread,
	.memory_read = oracle_read,
	.set_initial_registers = oracle_registers,
};

static int oracle_no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                               const char *file, const char *link, GElf_Word crc, char **out)
{
	(void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc,
		(void)out;
	return -1;
}

static const Dwfl_Callbacks file_callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = oracle_no_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static struct oracle *oracle_new(const char *path, uint64_t slide)
{
	struct oracle *self = g_new0(struct oracle, 1);

	self->dwfl = dwfl_begin(&file_callbacks);
	dwfl_report_begin(self->dwfl);
	self->module = dwfl_report_elf(self->dwfl, "kernel", path, -1, slide, true);
	g_assert_nonnull(self->module);
	dwfl_report_end(self->dwfl, NULL, NULL);
	g_assert_true(dwfl_attach_state(self->dwfl, NULL, 1, &oracle_callbacks, self));
	return self;
}

static void oracle_free(struct oracle *self)
{
	dwfl_end(self->dwfl);
	g_free(self);
}

static int oracle_frame(Dwfl_Frame *frame, void *arg)
{
	struct chain *chain = arg;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, NULL) || chain->n == FRAMES_MAX)
		return DWARF_CB_ABORT;
	if (pc != 0)
		chain->pc[chain->n++] = pc;
	return DWARF_CB_OK;
}

static void oracle_unwind(struct oracle *self, const struct sample *sample, struct chain *chain)
{
	chain->n = 0;
	self->sample = sample;
	/* It ends with an error wherever the chain ends: there is no other way to say
	 * that to it. */
	dwfl_getthread_frames(self->dwfl, 1, oracle_frame, chain);
	/* Its fallback for code without call frame information (the kernel's entry)
	 * takes x30, which at a caller is the return address it is already at, for the
	 * caller's: the last frame comes twice. */
	if (chain->n > 1 && chain->pc[chain->n - 1] == chain->pc[chain->n - 2])
		chain->n--;
}

/* Ours. */
struct ours {
	struct dwarf *dwarf;
	uint64_t slide;
	const struct sample *sample;
};

static gboolean ours_read(gpointer data, uint64_t va, void *buffer, size_t len)
{
	const struct ours *self = data;
	uint64_t offset = va - self->sample->stack_low;

	if (offset > STACK_BYTES || len > STACK_BYTES - offset)
		return FALSE;
	memcpy(buffer, self->sample->stack + offset, len);
	return TRUE;
}

static gboolean ours_row(gpointer data, uint64_t pc, struct cfi_row *row)
{
	const struct ours *self = data;

	return dwarf_cfi_row(self->dwarf, pc - self->slide, row, NULL);
}

static enum unwind_end ours_unwind(struct ours *self, const struct sample *sample,
                                   uint64_t stop_at_fp, struct chain *chain)
{
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(struct unwind_frame));
	struct unwind_config config = {
		.read = ours_read,
		.row = ours_row,
		.data = self,
		.stack_low = sample->stack_low,
		.stack_high = sample->stack_low + STACK_BYTES,
		.stop_at_fp = stop_at_fp,
		.va_bits = 39,
	};
	enum unwind_end end;

	self->sample = sample;
	end = unwind_stack(&config, &sample->registers, frames);
	chain->n = 0;
	for (guint i = 0; i < frames->len && chain->n < FRAMES_MAX; i++)
		chain->pc[chain->n++] = g_array_index(frames, struct unwind_frame, i).registers.pc;
	return end;
}

static void chains_compare(const struct chain *got, const struct chain *want, const char *what)
{
	gboolean same = got->n == want->n && memcmp(got->pc, want->pc, got->n * 8) == 0;

	for (size_t i = 0; !same && i < MAX(got->n, want->n); i++)
		g_test_message("%s %zu: ours 0x%" G_GINT64_MODIFIER
		               "x, libdwfl 0x%" G_GINT64_MODIFIER "x",
		               what, i, i < got->n ? got->pc[i] : 0, i < want->n ? want->pc[i] : 0);
	g_assert_true(same);
}

/* A random place in the kernel's code right behind a call. */
static uint64_t call_site(struct elf_file *file, GRand *random)
{
	const struct elf_section *text = elf_file_section(file, ".text");

	for (;;) {
		uint64_t at =
			(uint64_t)g_rand_int_range(random, 0, (gint32)(text->size_bytes / 4)) * 4;
		uint32_t instruction;

		memcpy(&instruction, text->bytes + at, sizeof(instruction));
		/* BL: bits 31-26 are 100101 (DDI 0487, C6.2). */
		if (instruction >> 26 == 0x25)
			return text->address + at + 4;
	}
}

/* The offset of "base register + offset" that libdw gives as an expression. */
static gboolean operation_offset(const Dwarf_Op *ops, size_t n, unsigned *reg, int64_t *offset)
{
	if (n != 1)
		return FALSE;
	if (ops[0].atom == DW_OP_bregx) {
		*reg = (unsigned)ops[0].number;
		*offset = (int64_t)ops[0].number2;
		return TRUE;
	}
	if (ops[0].atom < DW_OP_breg0 || ops[0].atom > DW_OP_breg31)
		return FALSE;
	*reg = ops[0].atom - DW_OP_breg0;
	*offset = (int64_t)ops[0].number;
	return TRUE;
}

/* Where a register is saved, from the CFA; libdw says DW_OP_call_frame_cfa and a
 * constant that is added. */
static gboolean saved_offset(Dwarf_Frame *frame, int reg, int64_t *offset)
{
	Dwarf_Op memory[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, reg, memory, &ops, &n) != 0 || n < 1 ||
	    ops[0].atom != DW_OP_call_frame_cfa)
		return FALSE;
	*offset = 0;
	if (n == 1)
		return TRUE;
	if (n != 2 || ops[1].atom != DW_OP_plus_uconst)
		return FALSE;
	*offset = (int64_t)ops[1].number;
	return TRUE;
}

static void stack_put(struct sample *sample, uint64_t va, uint64_t word)
{
	uint64_t offset = va - sample->stack_low;

	g_assert_cmpuint(offset, <=, STACK_BYTES - 8);
	memcpy(sample->stack + offset, &word, 8);
}

/* Lays one frame below `sp`. Returns FALSE where the code there has no ordinary
 * frame. */
static gboolean frame_lay(struct sample *sample, Dwarf_CFI *cfi, uint64_t lookup_pc,
                          uint64_t return_pc, uint64_t *sp, uint64_t *fp)
{
	Dwarf_Frame *frame = NULL;
	Dwarf_Op *ops;
	size_t n;
	unsigned reg = 0;
	int64_t size = 0, lr_at, fp_at;
	gboolean ok;

	if (dwarf_cfi_addrframe(cfi, lookup_pc, &frame) != 0)
		return FALSE;
	ok = dwarf_frame_cfa(frame, &ops, &n) == 0 && operation_offset(ops, n, &reg, &size) &&
	     size >= 16 && size < 512 && saved_offset(frame, 30, &lr_at) &&
	     saved_offset(frame, 29, &fp_at) && (reg == 31 || (reg == 29 && fp_at == -size)) &&
	     *sp - (uint64_t)size > sample->stack_low + 64;
	if (ok) {
		stack_put(sample, *sp + (uint64_t)lr_at, return_pc);
		stack_put(sample, *sp + (uint64_t)fp_at, *fp);
		*fp = *sp + (uint64_t)fp_at;
		*sp -= (uint64_t)size;
	}
	free(frame);
	return ok;
}

static void sample_build(struct sample *sample, struct elf_file *file, Dwarf_CFI *cfi,
                         GRand *random, uint64_t bias, size_t *depth)
{
	uint64_t sp = sample->stack_low + STACK_BYTES - 336, fp = 0, pc = 0;
	size_t want = (size_t)g_rand_int_range(random, 1, DEPTH_MAX), laid = 0;

	for (unsigned i = 0; i < STACK_BYTES / 4; i++) {
		uint32_t junk = g_rand_int(random);

		memcpy(sample->stack + i * 4, &junk, 4);
	}
	while (laid < want) {
		uint64_t next = call_site(file, random);

		/* The innermost is looked up where it is, all others before the return. */
		if (!frame_lay(sample, cfi, next - (laid + 1 < want ? 1 : 0) + bias, pc, &sp, &fp))
			continue;
		pc = next;
		laid++;
	}
	sample->registers = (struct unwind_registers) { .sp = sp, .pc = pc };
	sample->registers.x[29] = fp;
	sample->registers.valid = 1u << 29;
	*depth = laid;
}

static void test_random(void)
{
	g_autofree char *packed = symbol_data_path("dump-xen-128m/vmlinux-mini.zst");
	g_autofree char *path = NULL;
	g_autoptr(image_t) image = NULL;
	g_autoptr(GRand) random = g_rand_new_with_seed(20240229);
	g_autofree struct sample *sample = g_new0(struct sample, 1);
	struct oracle *oracle;
	struct ours ours = { 0 };
	Dwarf_Addr bias;
	Dwarf_CFI *cfi;
	int fd;

	if (packed == NULL)
		return;
	fd = g_file_open_tmp("hvscope-unwind-XXXXXX", &path, NULL);
	g_assert_cmpint(fd, >=, 0);
	close(fd);
	{
		g_autofree char *command = g_strdup_printf("zstd -dqf '%s' -o '%s'", packed, path);

		g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	}
	image = image_open(path, NULL, NULL);
	oracle = oracle_new(path, 0);
	cfi = dwfl_module_dwarf_cfi(oracle->module, &bias);
	g_assert_nonnull(cfi);
	ours.dwarf = image_dwarf(image, NULL);
	sample->stack_low = UINT64_C(0xffffffc010000000);
	for (unsigned i = 0; i < SAMPLES; i++) {
		struct chain got, want;
		size_t depth;

		sample_build(sample, image_elf(image), cfi, random, (uint64_t)0 - bias, &depth);
		oracle_unwind(oracle, sample, &want);
		g_assert_cmpint(ours_unwind(&ours, sample, 0, &got), ==, UNWIND_END_RECORD_ZERO);
		chains_compare(&got, &want, "frame");
		g_assert_cmpuint(got.n, ==, depth);
	}
	oracle_free(oracle);
	unlink(path);
}

/* The registers that a task's structure keeps while it sleeps, and its stack. */
static gboolean task_sample(struct machine *machine, const struct task *task, struct sample *sample)
{
	static const char *const saved[] = { "x19", "x20", "x21", "x22", "x23",
		                             "x24", "x25", "x26", "x27", "x28" };
	const struct program *program = &machine->program;
	uint64_t base, value;

	if (task->on_cpu || task->stack.value == 0)
		return FALSE;
	*sample = (struct sample) { .stack_low = task->stack.value };
	g_assert_true(types_offset(program->types, "struct task_struct", "thread.cpu_context",
	                           &base, NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(saved) + 3; i++) {
		const char *name = i < 10 ? saved[i] : i == 10 ? "fp" : i == 11 ? "sp" : "pc";
		uint64_t offset;

		g_assert_true(
			types_offset(program->types, "struct cpu_context", name, &offset, NULL));
		g_assert_true(space_read_uint(machine->kernel,
		                              (struct va) { task->va.value + base + offset }, 8,
		                              &value, NULL));
		if (i < 11) {
			sample->registers.x[19 + i] = value;
			sample->registers.valid |= 1u << (19 + i);
		} else if (i == 11) {
			sample->registers.sp = value;
		} else {
			sample->registers.pc = value;
		}
	}
	return space_read(machine->kernel, task->stack, sample->stack, STACK_BYTES, NULL, NULL);
}

/* Where the frame record of a user task's entry into the kernel stands. */
static uint64_t entry_record(const struct program *program, const struct sample *sample)
{
	uint64_t size = 0, offset = 0;

	g_assert_true(types_size(program->types, "struct pt_regs", &size, NULL));
	g_assert_true(types_offset(program->types, "struct pt_regs", "stackframe", &offset, NULL));
	return sample->stack_low + STACK_BYTES - size + offset;
}

static unsigned machine_compare(struct machine *machine, GPtrArray *tasks, const char *path)
{
	g_autofree struct sample *sample = g_new0(struct sample, 1);
	struct program *program = &machine->program;
	struct oracle *oracle = oracle_new(path, program->slide);
	struct ours ours = { image_dwarf(program->image, NULL), program->slide, NULL };
	unsigned compared = 0;

	for (guint i = 0; i < tasks->len; i++) {
		const struct task *task = tasks->pdata[i];
		struct chain got, want;
		enum unwind_end end;

		if (!task_sample(machine, task, sample))
			continue;
		g_test_message("machine %u, %s (%d)", machine->number, task->name, (int)task->tid);
		oracle_unwind(oracle, sample, &want);
		end = ours_unwind(&ours, sample, entry_record(program, sample), &got);
		g_test_message("%zu frames, %s", got.n, unwind_end_text(end));
		chains_compare(&got, &want, "frame");
		g_assert_cmpuint(got.n, >=, 3);
		g_assert_true(end == UNWIND_END_RECORD_ZERO || end == UNWIND_END_MARK);
		compared++;
	}
	oracle_free(oracle);
	return compared;
}

static void test_dump(void)
{
	struct dump_data dump;
	g_autofree char *packed = symbol_data_path("dump-xen-128m/vmlinux-mini.zst");
	g_autofree char *path = NULL, *command = NULL;
	g_autoptr(GError) error = NULL;
	struct system_file *file;
	struct target *target;
	struct system *system;
	unsigned compared = 0;

	if (packed == NULL || !dump_data_init(&dump))
		return;
	path = g_build_filename(dump.dir, "vmlinux", NULL);
	command = g_strdup_printf("zstd -dqf '%s' -o '%s'", packed, path);
	g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	file = system_file_load(dump.system, &error);
	g_assert_no_error(error);
	target = target_open(dump.target, &error);
	g_assert_no_error(error);
	system = system_new(target, file, &error);
	g_assert_no_error(error);
	for (guint i = 0; i < system_machines(system)->len; i++) {
		struct machine *machine = system_machines(system)->pdata[i];

		if (machine->kind == MACHINE_KIND_LINUX && machine->has_program)
			compared += machine_compare(machine, system_tasks(system, machine), path);
	}
	g_test_message("%u sleeping tasks compared", compared);
	g_assert_cmpuint(compared, >, 90);
	system_free(system);
	target_free(target);
	system_file_free(file);
	unlink(path);
	dump_data_deinit(&dump);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/unwind/random", test_random);
	g_test_add_func("/unwind/dump", test_dump);
	return g_test_run();
}
