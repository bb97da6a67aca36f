/* FreeRTOS out of programs that carry its data as of one moment, in three layouts, and
 * with that data damaged. */
#include "awareness/backtrace.h"
#include "awareness/target/target-fake.h"

#include <elf.h>
#include <glib/gstdio.h>
#include <string.h>

enum {
	RAM_BYTES = 1 << 20,
};
static const uint64_t ram_base = 0x40000000;

struct scene {
	char *dir;
	uint8_t *ram;
	struct target *target;
	struct system_file *file;
	struct system *system;
	struct machine *machine;
};

/* Loads the program as a boot loader would, and makes an AArch64 file of it: it is data
 * only, so that the build machine's compiler will do. */
static char *load_program(struct scene *self, const char *name)
{
	g_autofree char *path =
		g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "tests", "awareness", name, NULL);
	char *copy = g_build_filename(self->dir, "rtos.elf", NULL);
	g_autofree char *bytes = NULL;
	gsize n_bytes;
	Elf64_Ehdr *header;
	const Elf64_Phdr *segments;

	g_assert_true(g_file_get_contents(path, &bytes, &n_bytes, NULL));
	header = (Elf64_Ehdr *)(gpointer)bytes;
	segments = (const Elf64_Phdr *)(gpointer)(bytes + header->e_phoff);
	header->e_machine = EM_AARCH64;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type != PT_LOAD)
			continue;
		g_assert_cmphex(segments[i].p_vaddr, >=, ram_base);
		g_assert_cmphex(segments[i].p_vaddr + segments[i].p_memsz, <=,
		                ram_base + RAM_BYTES);
		memcpy(self->ram + (segments[i].p_vaddr - ram_base), bytes + segments[i].p_offset,
		       segments[i].p_filesz);
	}
	g_assert_true(g_file_set_contents(copy, bytes, (gssize)n_bytes, NULL));
	return copy;
}

static void scene_init(struct scene *self, const char *program, unsigned n_cpus)
{
	static const char *const registers[] = { "SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1",
		                                 "MAIR_EL1",  "pc",      "sp",        "cpsr" };
	g_autofree char *path = NULL;
	g_autofree char *text = NULL;
	g_autofree char *ini = NULL;
	g_autoptr(GError) error = NULL;

	*self = (struct scene) { .dir = g_dir_make_tmp("hvscope-rtos-XXXXXX", NULL) };
	self->target = target_fake_new(n_cpus);
	self->ram = target_fake_add_memory(self->target, (struct pa) { ram_base }, RAM_BYTES);
	for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
		for (gsize i = 0; i < G_N_ELEMENTS(registers); i++)
			target_fake_set_register(self->target, cpu, registers[i],
			                         strcmp(registers[i], "cpsr") == 0 ? 5 : 0);
	}
	target_fake_seal(self->target);
	path = load_program(self, program);
	ini = g_build_filename(self->dir, "system.ini", NULL);
	text = g_strdup_printf("[machine 1]\nname = board\nkind = freertos\nsymbols = %s\n", path);
	g_assert_true(g_file_set_contents(ini, text, -1, NULL));
	self->file = system_file_load(ini, &error);
	g_assert_no_error(error);
	self->system = system_new(self->target, self->file, &error);
	g_assert_no_error(error);
	self->machine = g_ptr_array_index(system_machines(self->system), 0);
	g_unlink(ini);
	g_unlink(path);
}

static void scene_deinit(struct scene *self)
{
	system_free(self->system);
	system_file_free(self->file);
	target_free(self->target);
	g_assert_cmpint(g_rmdir(self->dir), ==, 0);
	g_free(self->dir);
}

/* One line a task: number, state, priority, whether it runs, name, what it waits for. */
static char *describe(struct scene *self)
{
	GPtrArray *tasks = system_tasks(self->system, self->machine);
	GString *out = g_string_new(NULL);
	struct va commands, results;

	g_assert_true(program_address(&self->machine->program, "commands", &commands, NULL));
	g_assert_true(program_address(&self->machine->program, "results", &results, NULL));
	for (guint i = 0; i < tasks->len; i++) {
		const struct task *task = g_ptr_array_index(tasks, i);
		g_autofree char *in_commands = g_strdup_printf(
			"queue 0x%" G_GINT64_MODIFIER "x (commands), to receive", commands.value);
		g_autofree char *in_results =
			g_strdup_printf("queue 0x%" G_GINT64_MODIFIER "x, to send", results.value);
		const char *waits = task->waits_for == NULL                     ? "-"
		                    : g_str_equal(task->waits_for, in_commands) ? "receive"
		                    : g_str_equal(task->waits_for, in_results)  ? "send"
		                                                                : task->waits_for;

		g_string_append_printf(out, "%d %s %d %s %s %s\n", (int)task->tid,
		                       task_state_letter(task->state), (int)task->priority,
		                       task->on_cpu ? "runs" : "-", task->name, waits);
	}
	return g_string_free(out, FALSE);
}

static const char expected_single[] = "1 R 2 runs worker -\n2 R 2 - peer -\n3 R 0 - IDLE -\n"
				      "4 B 3 - receiver receive\n5 B 1 - sender send\n"
				      "6 B 4 - Tmr Svc -\n7 U 1 - stopped -\n8 X 1 - gone -\n";
static const char expected_smp[] = "1 R 2 runs worker -\n2 R 2 runs peer -\n3 R 0 - IDLE -\n"
				   "4 B 3 - receiver receive\n5 B 1 - sender send\n"
				   "6 B 4 - Tmr Svc -\n7 U 1 - stopped -\n8 X 1 - gone -\n";

static void check_layout(const char *program, unsigned n_cpus, const char *expected)
{
	struct scene scene;
	g_autofree char *found = NULL;

	scene_init(&scene, program, n_cpus);
	found = describe(&scene);
	g_assert_cmpuint(scene.machine->gaps->len, ==, 0);
	g_assert_cmpstr(found, ==, expected);
	scene_deinit(&scene);
}

static void test_tasks(void)
{
	check_layout("freertos-v11.elf", 1, expected_single);
}

static void test_old(void)
{
	check_layout("freertos-v9.elf", 1, expected_single);
}

static void test_smp(void)
{
	check_layout("freertos-smp.elf", 2, expected_smp);
}

/* The saved registers of tasks with and without floating point, and the chain from them. */
static void test_registers(void)
{
	struct scene scene;

	scene_init(&scene, "freertos-v11.elf", 1);
	for (unsigned n = 0; n < 2; n++) {
		struct task *task = system_find_task(scene.system, scene.machine,
		                                     n == 0 ? "receiver" : "Tmr Svc", NULL);
		struct register_set set, user;
		struct backtrace chain;
		struct va low, high, loop;
		uint64_t value;
		g_autoptr(GError) error = NULL;

		register_set_init(&set);
		register_set_init(&user);
		scene.machine->os->saved_registers(scene.machine->os, scene.machine, task, &set,
		                                   &user, &error);
		g_assert_no_error(error);
		for (unsigned x = 0; x < 31; x++) {
			g_autofree char *name = g_strdup_printf("x%u", x);

			g_assert_true(register_set_get(&set, name, &value));
			if (x != 29)
				g_assert_cmphex(value, ==, 0x1000 + x);
		}
		g_assert_true(program_address(&scene.machine->program, "task_loop", &loop, NULL));
		g_assert_true(register_set_get(&set, "pc", &value));
		g_assert_cmphex(value, ==, loop.value);
		g_assert_true(scene.machine->os->stack(scene.machine->os, scene.machine, task, &low,
		                                       &high, NULL));
		g_assert_true(register_set_get(&set, "sp", &value));
		g_assert_cmphex(value, ==, high.value - 4 * 8);
		g_assert_true(backtrace_task(scene.system, scene.machine, task, &chain, NULL));
		g_assert_true(chain.whole);
		g_assert_cmpstr(g_array_index(chain.frames, struct backtrace_frame, 0).function, ==,
		                "task_loop");
		backtrace_deinit(&chain);
		register_set_deinit(&set);
		register_set_deinit(&user);
	}
	scene_deinit(&scene);
}

/* Any word of the data may be nonsense: a list with gaps, in bounded time. */
static void test_damaged(void)
{
	GRand *rand = g_rand_new_with_seed(11);
	struct scene scene;
	g_autofree uint8_t *whole = NULL;
	unsigned n_gaps = 0;

	scene_init(&scene, "freertos-v11.elf", 1);
	whole = g_memdup2(scene.ram, RAM_BYTES);
	for (unsigned i = 0; i < 2000; i++) {
		struct va start;
		uint64_t word = g_rand_boolean(rand)
		                        ? g_rand_int(rand)
		                        : ram_base + (uint64_t)g_rand_int_range(rand, 0, 65536) * 8;
		unsigned at = (unsigned)g_rand_int_range(rand, 0, 0x800) * 8;

		g_assert_true(program_address(&scene.machine->program, "pxReadyTasksLists", &start,
		                              NULL));
		start.value = (start.value - ram_base) & ~0xfffull;
		memcpy(scene.ram, whole, RAM_BYTES);
		memcpy(scene.ram + MIN(start.value + at, RAM_BYTES - 8), &word, 8);
		target_fake_poke_register(scene.target, 0, "pc", i);
		g_assert_true(system_refresh(scene.system, NULL));
		scene.machine = g_ptr_array_index(system_machines(scene.system), 0);
		g_free(describe(&scene));
		n_gaps += scene.machine->gaps->len > 0 ? 1 : 0;
	}
	g_test_message("%u of 2000 damages left gaps", n_gaps);
	g_assert_cmpuint(n_gaps, >, 0);
	scene_deinit(&scene);
	g_rand_free(rand);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/freertos/tasks", test_tasks);
	g_test_add_func("/awareness/freertos/old-names", test_old);
	g_test_add_func("/awareness/freertos/smp", test_smp);
	g_test_add_func("/awareness/freertos/registers", test_registers);
	g_test_add_func("/awareness/freertos/damaged", test_damaged);
	return g_test_run();
}
