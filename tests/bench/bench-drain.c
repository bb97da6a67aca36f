/* How fast a board is drained: the ETR's memory through a capture session, against OpenOCD's own
 * dump_image of the same bytes over the same link (a simulated board behind a real OpenOCD).
 *
 * The two take turns, each first in every other round, and the medians count: what else runs on
 * the machine falls on both alike.
 */
#include "capture/link-openocd.h"
#include "capture/session.h"
#include "tests/sim/fixture.h"

#include <glib/gstdio.h>
#include <stdlib.h>

enum {
	ROUNDS = 11,
	FEED_BYTES = 50000, /* of each trace unit */
	BUFFER_PA = 0x60000000,
	BUFFER_BYTES = 1 << 20,
};

static void check(const GError *error)
{
	if (error == NULL)
		return;
	g_printerr("bench-drain: %s\n", error->message);
	exit(1);
}

static void feed(struct fixture *f)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(1);
	g_autofree guint8 *bytes = g_malloc(FEED_BYTES);

	for (guint i = 0; i < FEED_BYTES; i++)
		bytes[i] = (guint8)g_rand_int(random);
	g_autoptr(GBytes) trace = g_bytes_new(bytes, FEED_BYTES);

	g_mutex_lock(&f->soc->lock);
	for (guint i = 0; i < SIM_N_CORES; i++)
		sim_soc_feed(f->soc, i, trace, FALSE);
	g_mutex_unlock(&f->soc->lock);
}

/* Bytes a second of a session's drain. */
static double drain(struct fixture *f, const struct session_plan *plan,
                    struct session_config *config, guint64 *len_bytes)
{
	g_autofree char *dir = g_build_filename(f->dir, "capture", NULL);
	g_autoptr(GError) error = NULL;
	struct session_result result;
	struct link *link = fixture_link(f);
	double rate;

	config->out_dir = dir;
	feed(f);
	session_run(plan, config, link, NULL, NULL, NULL, &result, &error);
	check(error);
	link_close(link);
	*len_bytes = result.trace_bytes;
	rate = (double)result.trace_bytes / ((double)result.drain_us / 1e6);
	session_result_clear(&result);
	fixture_remove_tree(dir);
	return rate;
}

/* Bytes a second of OpenOCD's own read of as many bytes, into a file. */
static double dump(struct fixture *f, guint64 len_bytes)
{
	g_autoptr(GError) error = NULL;
	struct link *link = fixture_link(f);
	g_autofree char *command =
		g_strdup_printf("targets uscale.axi; dump_image %s/own.bin 0x%x %" G_GUINT64_FORMAT,
	                        f->dir, (guint)BUFFER_PA, len_bytes);
	gint64 start_us = g_get_monotonic_time();
	g_autofree char *answer = link_openocd_eval(link, command, &error);
	double seconds = (double)(g_get_monotonic_time() - start_us) / 1e6;

	check(error);
	link_close(link);
	return (double)len_bytes / seconds;
}

static gint compare_doubles(gconstpointer a, gconstpointer b)
{
	const double *first = a, *second = b;

	return *first < *second ? -1 : *first > *second;
}

static double median(double *values, gsize n)
{
	qsort(values, n, sizeof *values, compare_doubles);
	return values[n / 2];
}

int main(void)
{
	struct session_config config = { .preset = SESSION_PRESET_FULL,
		                         .sink = "etr",
		                         .stop_core = -1,
		                         .for_us = 50000,
		                         .buffer = { BUFFER_PA, BUFFER_BYTES } };
	double ours[ROUNDS], own[ROUNDS], ratios[ROUNDS];
	g_autoptr(GError) error = NULL;
	guint64 len_bytes;
	struct fixture f;

	g_autoptr(Board) board = board_load("zynqmp", &error);

	check(error);
	g_autoptr(SessionPlan) plan = session_plan_new(board, &config, &error);

	check(error);
	g_autofree char *program = g_find_program_in_path("openocd");

	if (program == NULL || !fixture_init(&f, NULL)) {
		g_printerr("bench-drain: openocd is not installed\n");
		return 1;
	}
	/* Once for nothing, and to know how many bytes there are. */
	drain(&f, plan, &config, &len_bytes);
	for (guint i = 0; i < ROUNDS; i++) {
		if (i % 2 == 0)
			ours[i] = drain(&f, plan, &config, &len_bytes);
		own[i] = dump(&f, len_bytes);
		if (i % 2 != 0)
			ours[i] = drain(&f, plan, &config, &len_bytes);
		ratios[i] = ours[i] / own[i];
	}
	/* Sorts the rounds' own ratios as well. */
	median(ratios, ROUNDS);
	g_print("drain: %" G_GUINT64_FORMAT " bytes, %d rounds: %.0f KB/s, OpenOCD's dump_image "
	        "%.0f KB/s, ratio of medians %.2f, rounds %.2f to %.2f\n",
	        len_bytes, ROUNDS, median(ours, ROUNDS) / 1e3, median(own, ROUNDS) / 1e3,
	        median(ours, ROUNDS) / median(own, ROUNDS), ratios[0], ratios[ROUNDS - 1]);
	fixture_deinit(&f);
	return 0;
}
