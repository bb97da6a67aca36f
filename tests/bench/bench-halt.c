/* What one stop by a debugger costs: cores of the simulated board are halted, asked who runs
 * (PC, VTTBR_EL2 and CONTEXTIDR_EL1 of each) and set going, through a real OpenOCD. Counted in
 * clocks of the JTAG, from the first access to the last: they do not depend on this machine.
 */
#include "capture/coresight/debug.h"
#include "tests/sim/core.h"
#include "tests/sim/fixture.h"

#include <stdlib.h>

enum {
	STOPS = 10,
	CORES = 2, /* as many as the lab's machine has */
};

static void check(gboolean ok, const GError *error)
{
	if (ok)
		return;
	g_printerr("bench-halt: %s\n", error != NULL ? error->message : "failed");
	exit(1);
}

static guint64 clocks(struct fixture *f)
{
	guint64 n;

	g_mutex_lock(&f->soc->lock);
	n = f->soc->n_clocks;
	g_mutex_unlock(&f->soc->lock);
	return n;
}

static void look(struct debug_core *core)
{
	static const char *const names[] = { "pc", "VTTBR_EL2", "CONTEXTIDR_EL1" };
	g_autoptr(GError) error = NULL;
	guint64 value;

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		check(debug_core_get(core, names[i], &value, &error), error);
}

/* Clocks of one stop of all cores. */
static guint64 stop(struct fixture *f, struct debug_core *cores)
{
	g_autoptr(GError) error = NULL;
	guint64 start = clocks(f);

	for (guint i = 0; i < CORES; i++)
		check(debug_core_halt(&cores[i], &error), error);
	for (guint i = 0; i < CORES; i++)
		look(&cores[i]);
	for (guint i = 0; i < CORES; i++)
		check(debug_core_resume(&cores[i], &error), error);
	return clocks(f) - start;
}

int main(void)
{
	struct debug_core cores[CORES];
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_load("zynqmp", &error);
	struct access access;
	struct fixture f;
	guint64 total = 0;
	gint64 start_us;

	check(board != NULL, error);
	g_autofree char *program = g_find_program_in_path("openocd");

	if (program == NULL || !fixture_init(&f, NULL)) {
		g_printerr("bench-halt: openocd is not installed\n");
		return 1;
	}
	g_mutex_lock(&f.soc->lock);
	sim_cores_attach(f.soc);
	g_mutex_unlock(&f.soc->lock);
	struct link *link = fixture_link(&f);

	access_init(&access, link, board);
	for (guint i = 0; i < CORES; i++)
		check(debug_core_init(&cores[i], &access, i, &error), error);
	stop(&f, cores);
	start_us = g_get_monotonic_time();
	for (guint i = 0; i < STOPS; i++)
		total += stop(&f, cores);
	g_print("halt: %d cores, 3 registers each: %" G_GUINT64_FORMAT
	        " JTAG clocks a stop (%.2f ms at 15 MHz), here %.1f ms\n",
	        CORES, total / STOPS, (double)total / STOPS / 15e3,
	        (double)(g_get_monotonic_time() - start_us) / 1e3 / STOPS);
	access_deinit(&access);
	link_close(link);
	fixture_deinit(&f);
	return 0;
}
