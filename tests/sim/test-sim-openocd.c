/* The debugger's target openocd: on the simulated board, through a real OpenOCD and its own
 * aarch64 targets. */
#include "awareness/target/target.h"
#include "tests/sim/core.h"
#include "tests/sim/fixture.h"

#include <string.h>

enum {
	RAM = 0x100000,
	CORES = 4,
};

struct bench {
	struct fixture f;
	struct target *target;
};

/* Four cores at EL2 in loops of their own, and some memory. */
static gboolean bench_init(struct bench *self)
{
	g_autofree char *spec = NULL;
	guint8 memory[4096];
	g_autoptr(GError) error = NULL;

	if (!fixture_init(&self->f, NULL))
		return FALSE;
	for (guint i = 0; i < sizeof(memory); i++)
		memory[i] = (guint8)(i * 7 + i / 256);
	g_mutex_lock(&self->f.soc->lock);
	sim_cores_attach(self->f.soc);
	sim_soc_memory_write(self->f.soc, RAM, memory, sizeof(memory));
	for (guint i = 0; i < CORES; i++) {
		struct sim_core *core = sim_core_of(self->f.soc, i);

		core->pc = 0x400000 + i * 0x10000;
		core->el = 2;
		core->pstate = 2 << 2 | 1;
		for (guint x = 0; x < 31; x++)
			core->x[x] = 0x1111111100000000ull * (x % 15) + i * 256 + x;
		sim_core_set(core, "ELR_EL2", 0x7700 + i);
	}
	g_mutex_unlock(&self->f.soc->lock);
	spec = g_strdup_printf("openocd:127.0.0.1:%u", self->f.port);
	self->target = target_open(spec, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(target_cpu_count(self->target), ==, CORES);
	return TRUE;
}

static void bench_deinit(struct bench *self)
{
	target_free(self->target);
	fixture_deinit(&self->f);
}

static guint64 get(struct bench *self, unsigned cpu, const char *name)
{
	struct target_register value = { 0 };
	g_autoptr(GError) error = NULL;

	target_register_get(self->target, cpu, name, &value, &error);
	g_assert_no_error(error);
	return value.low;
}

static void test_registers(void)
{
	struct bench bench;
	struct target_register value = { .low = 0x123456789abcdef0 };
	g_autoptr(GError) error = NULL;

	if (!bench_init(&bench))
		return;
	for (unsigned cpu = 0; cpu < CORES; cpu++) {
		for (unsigned x = 0; x < 31; x++) {
			g_autofree char *name = g_strdup_printf("x%u", x);

			g_assert_cmphex(get(&bench, cpu, name), ==,
			                0x1111111100000000ull * (x % 15) + cpu * 256 + x);
		}
		g_assert_cmphex(get(&bench, cpu, "pc") & ~0xfffull, ==, 0x400000 + cpu * 0x10000);
		g_assert_cmphex(get(&bench, cpu, "cpsr") & 0xf, ==, 9);
		g_assert_cmphex(get(&bench, cpu, "ELR_EL2"), ==, 0x7700 + cpu);
	}
	target_register_set(bench.target, 1, "x7", &value, &error);
	g_assert_no_error(error);
	g_assert_false(target_register_get(bench.target, 0, "TTBR0_EL1", &value, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_REGISTER);
	g_assert_false(target_capabilities(bench.target) & TARGET_HAS_SYSTEM_REGISTERS);
	bench_deinit(&bench);
}

static void test_memory(void)
{
	struct bench bench;
	uint8_t bytes[64] = { 0 }, nothing[16], more[4] = { 1, 2, 3, 4 };
	struct target_transfer transfers[] = {
		{ .pa = { RAM + 3 }, .data = bytes, .len_bytes = 61 },
		{ .pa = { 0xfffc0000 }, .data = nothing, .len_bytes = 16 },
	};
	struct target_transfer write = { .pa = { RAM + 5 }, .data = more, .len_bytes = 4 };
	g_autoptr(GError) error = NULL;

	if (!bench_init(&bench))
		return;
	target_read(bench.target, transfers, 2, &error);
	g_assert_no_error(error);
	g_assert_true(transfers[0].ok);
	for (unsigned i = 0; i < 61; i++)
		g_assert_cmpuint(bytes[i], ==, (uint8_t)((i + 3) * 7));
	/* What is not there fails alone. */
	g_assert_false(transfers[1].ok);
	target_write(bench.target, &write, 1, &error);
	g_assert_no_error(error);
	target_read(bench.target, transfers, 1, &error);
	g_assert_no_error(error);
	g_assert_true(memcmp(bytes + 2, more, sizeof(more)) == 0);
	g_assert_cmpuint(bytes[6], ==, (uint8_t)(9 * 7));
	bench_deinit(&bench);
}

static void test_run(void)
{
	struct bench bench;
	struct target_break point = { .kind = TARGET_BREAK_HARDWARE, .len_bytes = 4 };
	struct target_stop stop;
	guint64 pc;
	g_autoptr(GError) error = NULL;

	if (!bench_init(&bench))
		return;
	pc = get(&bench, 2, "pc");
	target_step(bench.target, 2, &error);
	g_assert_no_error(error);
	g_assert_cmphex(get(&bench, 2, "pc"), ==, pc + 4);
	point.va.value = 0x420100;
	target_break_set(bench.target, &point, &error);
	g_assert_no_error(error);
	target_continue(bench.target, &error);
	g_assert_no_error(error);
	target_wait(bench.target, 20000, &stop, &error);
	g_assert_no_error(error);
	g_assert_cmpint(stop.reason, ==, TARGET_STOP_BREAK);
	g_assert_cmphex(get(&bench, 2, "pc"), ==, 0x420100);
	target_break_clear(bench.target, &point, &error);
	g_assert_no_error(error);
	target_continue(bench.target, &error);
	g_assert_no_error(error);
	target_wait(bench.target, 200, &stop, &error);
	g_assert_no_error(error);
	g_assert_cmpint(stop.reason, ==, TARGET_STOP_NONE);
	target_halt(bench.target, &error);
	g_assert_no_error(error);
	bench_deinit(&bench);
}

static void test_refusals(void)
{
	struct bench bench;
	struct target_break point = { .kind = TARGET_BREAK_SOFTWARE, .len_bytes = 4 };
	uint8_t byte;
	struct target_transfer transfer = { .pa = { RAM }, .data = &byte, .len_bytes = 1 };
	g_autoptr(GError) error = NULL;

	g_assert_null(target_open("openocd:127.0.0.1:1", &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_OPEN);
	g_clear_error(&error);
	if (!bench_init(&bench))
		return;
	g_assert_false(target_break_set(bench.target, &point, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	fixture_kill_openocd(&bench.f);
	g_assert_false(target_read(bench.target, &transfer, 1, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_LINK);
	bench_deinit(&bench);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sim/openocd/registers", test_registers);
	g_test_add_func("/sim/openocd/memory", test_memory);
	g_test_add_func("/sim/openocd/run", test_run);
	g_test_add_func("/sim/openocd/refusals", test_refusals);
	return g_test_run();
}
