/* Stop mode: cores of the simulated board, halted and looked into through a real OpenOCD by
 * instruction insertion. */
#include "capture/coresight/debug-registers.h"
#include "capture/coresight/debug.h"
#include "tests/sim/core.h"
#include "tests/sim/fixture.h"

#include <string.h>

enum {
	HALT_MS = 20000, /* longer than a busy machine needs */
};

struct bench {
	struct fixture f;
	struct board *board;
	struct link *link;
	struct access access;
	struct debug_core core;
};

static gboolean bench_init(struct bench *self)
{
	g_autoptr(GError) error = NULL;

	if (!fixture_init(&self->f, NULL))
		return FALSE;
	g_mutex_lock(&self->f.soc->lock);
	sim_cores_attach(self->f.soc);
	g_mutex_unlock(&self->f.soc->lock);
	self->board = board_load("zynqmp", &error);
	g_assert_no_error(error);
	self->link = fixture_link(&self->f);
	access_init(&self->access, self->link, self->board);
	debug_core_init(&self->core, &self->access, 1, &error);
	g_assert_no_error(error);
	return TRUE;
}

static void bench_deinit(struct bench *self)
{
	fixture_assert_no_violations(&self->f);
	access_deinit(&self->access);
	link_close(self->link);
	board_free(self->board);
	fixture_deinit(&self->f);
}

/* At `el`, with values that can be told apart. */
static void prepare(struct bench *self, guint el)
{
	struct sim_core *core = sim_core_of(self->f.soc, 1);

	g_mutex_lock(&self->f.soc->lock);
	core->el = el;
	core->pstate = el << 2 | (el > 0 ? 1 : 0);
	core->pc = 0x400000;
	for (guint i = 0; i < 31; i++)
		core->x[i] = 0x1111111100000000ull * (i % 15) + i;
	for (guint i = 0; i < 4; i++)
		core->sp_el[i] = 0xF000 + i;
	for (guint i = 0; i < n_debug_registers; i++)
		sim_core_set(core, debug_registers[i].name, 0xABCD000000000000ull + i);
	g_mutex_unlock(&self->f.soc->lock);
}

static void test_registers(void)
{
	struct bench bench;

	if (!bench_init(&bench))
		return;
	for (guint el = 0; el < 3; el++) {
		g_autoptr(GError) error = NULL;
		struct sim_core *core = sim_core_of(bench.f.soc, 1);
		guint64 value, pc;
		guint n_lost = 0;

		prepare(&bench, el);
		debug_core_halt(&bench.core, &error);
		g_assert_no_error(error);
		g_assert_cmpint(bench.core.stop, ==, DEBUG_STOP_REQUEST);
		g_assert_cmpuint(bench.core.entry_el, ==, el);
		pc = core->pc;
		for (guint i = 0; i < 31; i++) {
			g_autofree char *name = g_strdup_printf("x%u", i);

			g_assert_true(debug_core_get(&bench.core, name, &value, &error));
			g_assert_cmphex(value, ==, 0x1111111100000000ull * (i % 15) + i);
		}
		g_assert_true(debug_core_get(&bench.core, "sp", &value, &error));
		g_assert_cmphex(value, ==, 0xF000 + el);
		for (guint i = 0; i < n_debug_registers; i++) {
			if (debug_core_get(&bench.core, debug_registers[i].name, &value, &error)) {
				g_assert_cmphex(value, ==, 0xABCD000000000000ull + i);
				continue;
			}
			g_assert_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PROHIBITED);
			g_assert_nonnull(strstr(error->message, "UNKNOWN"));
			g_clear_error(&error);
			n_lost++;
		}
		/* ELR, SPSR and ESR of each level above. */
		g_assert_cmpuint(n_lost, ==, (guint64)3 * (3 - el));
		g_assert_true(debug_core_set(&bench.core, "x7", 0x123456789ABCDEF0, &error));
		g_assert_true(debug_core_set(&bench.core, "TPIDR_EL2", 77, &error));
		debug_core_resume(&bench.core, &error);
		g_assert_no_error(error);
		g_mutex_lock(&bench.f.soc->lock);
		g_assert_false(core->halted);
		g_assert_cmpuint(core->el, ==, el);
		g_assert_cmphex(core->x[0], ==, 0);
		g_assert_cmphex(core->x[7], ==, 0x123456789ABCDEF0);
		g_assert_cmphex(core->pc & ~0xFFFull, ==, pc & ~0xFFFull);
		g_assert_cmphex(core->pstate, ==, el << 2 | (el > 0 ? 1 : 0));
		g_assert_cmphex(sim_core_get(core, "TPIDR_EL2"), ==, 77);
		g_mutex_unlock(&bench.f.soc->lock);
	}
	bench_deinit(&bench);
}

static void test_step(void)
{
	struct bench bench;
	g_autoptr(GError) error = NULL;
	guint64 before, after;

	if (!bench_init(&bench))
		return;
	prepare(&bench, 1);
	g_assert_true(debug_core_halt(&bench.core, &error));
	g_assert_true(debug_core_set(&bench.core, "pc", 0x800100, &error));
	before = 0x800100;
	for (guint i = 0; i < 3; i++) {
		debug_core_step(&bench.core, &error);
		g_assert_no_error(error);
		g_assert_cmpint(bench.core.stop, ==, DEBUG_STOP_STEP);
		g_assert_true(debug_core_get(&bench.core, "pc", &after, &error));
		g_assert_cmphex(after, ==, before + 4);
		before = after;
	}
	bench_deinit(&bench);
}

static gboolean wait_for_halt(struct bench *bench, guint ms)
{
	g_autoptr(GError) error = NULL;
	gint64 end_us = g_get_monotonic_time() + (gint64)ms * 1000;

	while (!bench->core.halted && g_get_monotonic_time() < end_us) {
		debug_core_poll(&bench->core, &error);
		g_assert_no_error(error);
	}
	return bench->core.halted;
}

/* The same address in another machine does not stop the core. */
static void set_context(struct bench *bench, guint64 vmid, guint64 context_id)
{
	g_mutex_lock(&bench->f.soc->lock);
	sim_core_set(sim_core_of(bench->f.soc, 1), "VTTBR_EL2", vmid << 48 | 0x1000);
	sim_core_set(sim_core_of(bench->f.soc, 1), "CONTEXTIDR_EL1", context_id);
	g_mutex_unlock(&bench->f.soc->lock);
}

/* How many of the two context comparators are on. */
static guint contexts_on(struct bench *bench)
{
	const struct sim_component *debug = sim_soc_find(bench->f.soc, "dbg1");
	guint n;

	g_mutex_lock(&bench->f.soc->lock);
	n = (debug->regs[(0x408 + 16 * 4) / 4] & 1) + (debug->regs[(0x408 + 16 * 5) / 4] & 1);
	g_mutex_unlock(&bench->f.soc->lock);
	return n;
}

static void test_break_by_vmid(void)
{
	struct debug_break there = { 0x400080, { TRUE, FALSE, 3, 0 } };
	struct debug_break task = { 0x400080, { FALSE, TRUE, 0, 42 } };
	struct debug_break both = { 0x400080, { TRUE, TRUE, 3, 43 } };
	struct debug_break plain = { 0x400084, { FALSE } };
	struct debug_break odd = { 0x400082, { FALSE } };
	struct debug_break wide = { 0x400080, { TRUE, FALSE, 256, 0 } };
	struct bench bench;
	g_autoptr(GError) error = NULL;

	if (!bench_init(&bench))
		return;
	prepare(&bench, 1);
	g_assert_true(debug_core_halt(&bench.core, &error));
	g_assert_cmpuint(bench.core.n_breakpoints, ==, 6);
	g_assert_cmpuint(bench.core.n_context_breakpoints, ==, 2);
	g_assert_true(debug_core_set(&bench.core, "pc", 0x400000, &error));
	g_assert_true(debug_core_set(&bench.core, "VTTBR_EL2", 2ull << 48 | 0x1000, &error));
	g_assert_true(debug_core_break_set(&bench.core, 0, &there, &error));
	g_assert_true(debug_core_resume(&bench.core, &error));
	g_assert_false(wait_for_halt(&bench, 100));
	set_context(&bench, 3, 0);
	g_assert_true(wait_for_halt(&bench, HALT_MS));
	g_assert_cmpint(bench.core.stop, ==, DEBUG_STOP_BREAKPOINT);
	g_assert_cmphex(bench.core.pc, ==, 0x400080);
	/* Two more conditions than there are comparators left: the second has to go first. */
	g_assert_true(debug_core_break_set(&bench.core, 1, &task, &error));
	g_assert_cmpuint(contexts_on(&bench), ==, 2);
	g_assert_false(debug_core_break_set(&bench.core, 2, &both, &error));
	g_assert_nonnull(strstr(error->message, "all 2 context breakpoints are taken"));
	g_clear_error(&error);
	g_assert_true(debug_core_break_clear(&bench.core, 0, &error));
	g_assert_cmpuint(contexts_on(&bench), ==, 1);
	g_assert_true(debug_core_set(&bench.core, "CONTEXTIDR_EL1", 42, &error));
	g_assert_true(debug_core_resume(&bench.core, &error));
	g_assert_true(wait_for_halt(&bench, HALT_MS));
	g_assert_true(debug_core_break_clear(&bench.core, 1, &error));
	g_assert_cmpuint(contexts_on(&bench), ==, 0);
	/* VMID and context ID at once. */
	g_assert_true(debug_core_break_set(&bench.core, 1, &both, &error));
	set_context(&bench, 2, 43);
	g_assert_true(debug_core_resume(&bench.core, &error));
	g_assert_false(wait_for_halt(&bench, 100));
	set_context(&bench, 3, 43);
	g_assert_true(wait_for_halt(&bench, HALT_MS));
	g_assert_true(debug_core_break_clear(&bench.core, 1, &error));
	g_assert_true(debug_core_break_set(&bench.core, 2, &plain, &error));
	g_assert_true(debug_core_resume(&bench.core, &error));
	g_assert_true(wait_for_halt(&bench, HALT_MS));
	g_assert_cmphex(bench.core.pc, ==, 0x400084);
	g_assert_false(debug_core_break_set(&bench.core, 0, &odd, &error));
	g_clear_error(&error);
	g_assert_false(debug_core_break_set(&bench.core, 0, &wide, &error));
	g_assert_nonnull(strstr(error->message, "8 bits"));
	bench_deinit(&bench);
}

/* The core stores to one address: which watchpoints see it, and what they say. */
static void test_watch(void)
{
	static const struct {
		struct debug_watch watch;
		gboolean hits;
	} cases[] = {
		{ { 0x50001004, 4, DEBUG_WATCH_WRITE, { FALSE } }, TRUE },
		{ { 0x50001000, 8, DEBUG_WATCH_READ | DEBUG_WATCH_WRITE, { FALSE } }, TRUE },
		{ { 0x50001004, 4, DEBUG_WATCH_READ, { FALSE } }, FALSE },
		{ { 0x50001000, 4, DEBUG_WATCH_WRITE, { FALSE } }, FALSE },
		{ { 0x50001006, 1, DEBUG_WATCH_WRITE, { TRUE, FALSE, 7, 0 } }, TRUE },
		{ { 0x50001006, 1, DEBUG_WATCH_WRITE, { TRUE, FALSE, 8, 0 } }, FALSE },
		{ { 0x50001006, 1, DEBUG_WATCH_WRITE, { TRUE, TRUE, 7, 99 } }, TRUE },
		{ { 0x50001006, 1, DEBUG_WATCH_WRITE, { TRUE, TRUE, 7, 98 } }, FALSE },
	};
	struct debug_watch across = { 0x50001006, 4, DEBUG_WATCH_WRITE, { FALSE } };
	struct bench bench;
	g_autoptr(GError) error = NULL;

	if (!bench_init(&bench))
		return;
	prepare(&bench, 1);
	set_context(&bench, 7, 99);
	g_assert_true(debug_core_halt(&bench.core, &error));
	g_assert_cmpuint(bench.core.n_watchpoints, ==, 4);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint64 addr =
			cases[i].watch.addr_va == 0x50001000 ? 0x50001004 : cases[i].watch.addr_va;

		g_mutex_lock(&bench.f.soc->lock);
		sim_core_of(bench.f.soc, 1)->data_va = MAX(addr, 0x50001004);
		g_mutex_unlock(&bench.f.soc->lock);
		g_assert_true(
			debug_core_watch_set(&bench.core, (guint)i % 4, &cases[i].watch, &error));
		g_assert_true(debug_core_resume(&bench.core, &error));
		g_assert_cmpint(wait_for_halt(&bench, cases[i].hits ? HALT_MS : 100), ==,
		                cases[i].hits);
		if (cases[i].hits) {
			g_assert_cmpint(bench.core.stop, ==, DEBUG_STOP_WATCHPOINT);
			g_assert_cmphex(bench.core.watch_va, ==, addr);
		} else {
			g_assert_true(debug_core_halt(&bench.core, &error));
		}
		g_assert_true(debug_core_watch_clear(&bench.core, (guint)i % 4, &error));
		g_assert_cmpuint(contexts_on(&bench), ==, 0);
	}
	g_assert_false(debug_core_watch_set(&bench.core, 0, &across, &error));
	g_assert_nonnull(strstr(error->message, "8 aligned bytes"));
	bench_deinit(&bench);
}

/* Every encoding of the table, as the model sees it, is one register of its own. */
static void test_table(void)
{
	for (guint i = 0; i < n_debug_registers; i++) {
		for (guint k = 0; k < i; k++)
			g_assert_cmphex(debug_register_mrs(&debug_registers[i], 0), !=,
			                debug_register_mrs(&debug_registers[k], 0));
	}
}

static void test_refusals(void)
{
	struct bench bench;
	g_autoptr(GError) error = NULL;
	struct debug_core other;
	guint64 value;

	if (!bench_init(&bench))
		return;
	g_assert_false(debug_core_get(&bench.core, "pc", &value, &error));
	g_assert_nonnull(strstr(error->message, "running"));
	g_clear_error(&error);
	g_assert_true(debug_core_halt(&bench.core, &error));
	g_assert_false(debug_core_get(&bench.core, "ZEBRA_EL1", &value, &error));
	g_clear_error(&error);
	g_mutex_lock(&bench.f.soc->lock);
	sim_soc_find(bench.f.soc, "dbg3")->regs[0x314 / 4] = 0;
	g_mutex_unlock(&bench.f.soc->lock);
	g_assert_false(debug_core_init(&other, &bench.access, 3, &error));
	g_assert_nonnull(strstr(error->message, "not powered"));
	g_clear_error(&error);
	g_assert_false(debug_core_init(&other, &bench.access, 4, &error));
	g_assert_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN);
	bench_deinit(&bench);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sim/debug/registers", test_registers);
	g_test_add_func("/sim/debug/step", test_step);
	g_test_add_func("/sim/debug/break-by-vmid", test_break_by_vmid);
	g_test_add_func("/sim/debug/watch", test_watch);
	g_test_add_func("/sim/debug/table", test_table);
	g_test_add_func("/sim/debug/refusals", test_refusals);
	return g_test_run();
}
