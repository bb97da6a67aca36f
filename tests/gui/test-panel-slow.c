/* The panel on a link as slow as a debug probe's: 5 ms for each read and 200 KB/s. What is
 * asserted is what the link's model says of the reads that were made, which no load of this
 * machine can change; what the main loop's longest pause was is told. */
#include "gui/debug/panel.h"
#include "tests/awareness/dump-data.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	LATENCY_MS = 5,
	KILOBYTES_PER_S = 200,
	REGISTER_BYTES = 4096, /* of a core, once a stop */
	CORES = 2,
	TREE_MS = 5000,
	SELECT_MS = 1000,
	TICK_MS = 5,
	PATIENCE_MS = 120000
};

struct pauses {
	gint64 last_us;
	gint64 longest_us;
	guint over_50_ms;
	gint64 last_cpu_us, longest_cpu_us; /* of this thread: what no other program adds to */
};

static gint64 cpu_time_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static gboolean tick(gpointer data)
{
	struct pauses *self = data;
	const gint64 now_us = g_get_monotonic_time();
	const gint64 pause_us = now_us - self->last_us;

	const gint64 cpu_us = cpu_time_us();

	if (self->last_us != 0) {
		self->longest_cpu_us = MAX(self->longest_cpu_us, cpu_us - self->last_cpu_us);
		self->longest_us = MAX(self->longest_us, pause_us);
		self->over_50_ms += pause_us > 50000 ? 1 : 0;
	}
	self->last_us = now_us;
	self->last_cpu_us = cpu_us;
	return G_SOURCE_CONTINUE;
}

/* FALSE after g_test_skip() where there is no X server to be had. */
static gboolean need_display(GPid *server)
{
	g_autofree char *program = g_find_program_in_path("Xvfb");
	g_autofree char *number = NULL;
	g_autofree char *display = NULL;
	char text[16] = "";
	int fds[2];
	const char *argv[] = { program, "-displayfd", NULL, "-nolisten", "tcp", NULL };

	if (program == NULL) {
		g_test_skip("no Xvfb");
		return FALSE;
	}
	g_assert_true(g_unix_open_pipe(fds, 0, NULL));
	number = g_strdup_printf("%d", fds[1]);
	argv[2] = number;
	g_assert_true(g_spawn_async(NULL, (char **)(gpointer)argv, NULL,
	                            G_SPAWN_LEAVE_DESCRIPTORS_OPEN | G_SPAWN_STDERR_TO_DEV_NULL,
	                            NULL, NULL, server, NULL));
	close(fds[1]);
	g_assert_cmpint(read(fds[0], text, sizeof(text) - 1), >, 0);
	close(fds[0]);
	display = g_strdup_printf(":%d", atoi(text));
	g_setenv("DISPLAY", display, TRUE);
	return TRUE;
}

static gboolean all_listed(HvsSession *session)
{
	const struct scene_system *scene = hvs_session_scene(session);

	for (guint i = 0; scene != NULL && i < scene->machines->len; i++) {
		if (!((const struct scene_machine *)scene->machines->pdata[i])->listed)
			return FALSE;
	}
	return scene != NULL && scene->machines->len == 5;
}

static gboolean is_idle(HvsSession *session)
{
	guint reads, kilobytes;

	return hvs_session_busy(session, &reads, &kilobytes) == NULL;
}

static void run_until(HvsSession *session, gboolean (*condition)(HvsSession *session))
{
	const gint64 end_us = g_get_monotonic_time() + (gint64)PATIENCE_MS * 1000;

	while (!condition(session)) {
		g_assert_cmpint(g_get_monotonic_time(), <, end_us);
		g_main_context_iteration(NULL, TRUE);
	}
}

static void run_for(guint ms)
{
	const gint64 end_us = g_get_monotonic_time() + (gint64)ms * 1000;

	while (g_get_monotonic_time() < end_us)
		g_main_context_iteration(NULL, TRUE);
}

/* What the link takes for that. */
static guint modelled_ms(guint reads, guint kilobytes)
{
	return reads * LATENCY_MS + (kilobytes + 1) * 1024 / KILOBYTES_PER_S;
}

static void test_slow(void)
{
	struct pauses pauses = { 0 };
	struct dump_data data;
	GPid server;
	g_autofree char *target = NULL;
	GtkWidget *window, *panel;
	HvsSession *session;
	guint reads, kilobytes, before_reads, before_kilobytes, ms, timer;
	gint64 from_us;

	if (!dump_data_init(&data))
		return;
	if (!need_display(&server)) {
		dump_data_deinit(&data);
		return;
	}
	g_assert_true(gtk_init_check(NULL, NULL));
	target = g_strdup_printf("slow:%d:%d:%s", LATENCY_MS, KILOBYTES_PER_S, data.target);
	window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
	panel = hvs_panel_new();
	session = hvs_panel_session(HVS_PANEL(panel));
	gtk_container_add(GTK_CONTAINER(window), panel);
	gtk_window_set_default_size(GTK_WINDOW(window), 1280, 800);
	gtk_widget_show(window);
	run_for(300);

	timer = g_timeout_add(TICK_MS, tick, &pauses);
	from_us = g_get_monotonic_time();
	hvs_session_open(session, target, data.system);
	run_until(session, all_listed);
	run_for(200);
	run_until(session, is_idle);
	hvs_session_busy(session, &reads, &kilobytes);
	ms = modelled_ms(reads, kilobytes) +
	     CORES * (LATENCY_MS + REGISTER_BYTES / KILOBYTES_PER_S);
	g_test_message("tree with all tasks and the first selection: %u reads, %u KiB, %u ms on "
	               "the link; %.1f s here",
	               reads, kilobytes, ms,
	               (double)(g_get_monotonic_time() - from_us) / G_USEC_PER_SEC);
	g_assert_cmpuint(ms, <, TREE_MS);

	before_reads = reads;
	before_kilobytes = kilobytes;
	hvs_session_select(session, (struct selection) { 3, -1, 40 });
	run_for(200);
	run_until(session, is_idle);
	hvs_session_busy(session, &reads, &kilobytes);
	ms = modelled_ms(reads - before_reads, kilobytes - before_kilobytes);
	g_test_message("a task selected: %u reads, %u KiB, %u ms on the link", reads - before_reads,
	               kilobytes - before_kilobytes, ms);
	g_assert_cmpuint(reads, >, before_reads);
	g_assert_cmpuint(ms, <, SELECT_MS);
	g_test_message("longest pause of the window: %.1f ms, %u over 50 ms; of its own work "
	               "%.1f ms",
	               (double)pauses.longest_us / 1000, pauses.over_50_ms,
	               (double)pauses.longest_cpu_us / 1000);

	/* Cancelled in the middle: no harm, and asking again gives it all. */
	hvs_session_close(session);
	hvs_session_open(session, target, data.system);
	run_for(400);
	hvs_session_cancel(session);
	g_assert_cmpint(hvs_session_state(session), ==, SESSION_LOST);
	hvs_session_open(session, target, data.system);
	run_until(session, all_listed);
	g_source_remove(timer);
	gtk_widget_destroy(window);
	kill(server, SIGTERM);
	g_spawn_close_pid(server);
	dump_data_deinit(&data);
}

int main(int argc, char **argv)
{
	g_setenv("NO_AT_BRIDGE", "1", TRUE);
	g_setenv("GSETTINGS_BACKEND", "memory", TRUE);
	g_setenv("GDK_BACKEND", "x11", TRUE);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/gui/panel/slow", test_slow);
	return g_test_run();
}
