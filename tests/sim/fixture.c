#include "tests/sim/fixture.h"

#include "capture/link-openocd.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static const char configuration[] = "adapter driver remote_bitbang\n"
				    "remote_bitbang host %s/jtag\n"
				    "transport select jtag\n"
				    "reset_config none\n"
				    "gdb_port disabled\n"
				    "telnet_port disabled\n"
				    "tcl_port 0\n"
				    "source [find target/xilinx_zynqmp.cfg]\n"
				    "%s\n"
				    "%s\n"
				    "init\n";

/* A test that aborts leaves no OpenOCD behind. */
static void die_with_parent(gpointer user_data)
{
	(void)user_data;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* OpenOCD says which port it took. */
static guint16 wait_for_port(const char *log_path)
{
	for (int i = 0; i < 1000; i++) {
		g_autofree char *text = NULL;
		const char *line;

		if (g_file_get_contents(log_path, &text, NULL, NULL) &&
		    (line = strstr(text, "for tcl connections")) != NULL) {
			while (line > text && line[-1] != '\n')
				line--;
			line = strstr(line, "port ");
			return (guint16)atoi(line + strlen("port "));
		}
		g_usleep(10000);
	}
	g_error("openocd does not come up; see %s", log_path);
}

gboolean fixture_init(struct fixture *self, const char *extra)
{
	return fixture_init_view(self, extra, TRUE);
}

gboolean fixture_init_view(struct fixture *self, const char *extra, gboolean with_apb)
{
	static const char apb[] = "target create uscale.apb mem_ap -dap uscale.dap -ap-num 1";
	g_autofree char *program = g_find_program_in_path("openocd");
	g_autofree char *socket_path = NULL;
	g_autofree char *config_path = NULL;
	g_autofree char *config = NULL;
	g_autofree char *log_path = NULL;
	g_autoptr(GSubprocessLauncher) launcher = NULL;
	g_autoptr(GError) error = NULL;

	memset(self, 0, sizeof *self);
	if (program == NULL) {
		g_test_skip("openocd is not installed");
		return FALSE;
	}
	self->dir = g_dir_make_tmp("hvscope-sim-XXXXXX", NULL);
	g_assert_nonnull(self->dir);
	socket_path = g_build_filename(self->dir, "jtag", NULL);
	config_path = g_build_filename(self->dir, "openocd.cfg", NULL);
	log_path = g_build_filename(self->dir, "openocd.log", NULL);
	self->soc = sim_soc_new();
	self->server = sim_server_new(self->soc, socket_path);
	g_assert_nonnull(self->server);
	config = g_strdup_printf(configuration, self->dir, with_apb ? apb : "",
	                         extra != NULL ? extra : "");
	g_assert_true(g_file_set_contents(config_path, config, -1, NULL));
	launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDERR_MERGE);
	g_subprocess_launcher_set_stdout_file_path(launcher, log_path);
	g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
	self->openocd =
		g_subprocess_launcher_spawn(launcher, &error, program, "-f", config_path, NULL);
	g_assert_no_error(error);
	self->port = wait_for_port(log_path);
	return TRUE;
}

void fixture_kill_openocd(struct fixture *self)
{
	g_subprocess_force_exit(self->openocd);
	g_subprocess_wait(self->openocd, NULL, NULL);
}

void fixture_remove_tree(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		if (g_file_test(child, G_FILE_TEST_IS_DIR))
			fixture_remove_tree(child);
		else
			g_remove(child);
	}
	g_clear_pointer(&dir, g_dir_close);
	g_rmdir(path);
}

void fixture_deinit(struct fixture *self)
{
	if (self->dir == NULL)
		return;
	fixture_kill_openocd(self);
	g_clear_object(&self->openocd);
	sim_server_free(self->server);
	sim_soc_free(self->soc);
	fixture_remove_tree(self->dir);
	g_clear_pointer(&self->dir, g_free);
}

struct link *fixture_link(const struct fixture *self)
{
	struct link_openocd_config config = { "127.0.0.1", self->port, 1, 0, 20 };
	g_autoptr(GError) error = NULL;
	struct link *link = link_openocd_new(&config, &error);

	g_assert_no_error(error);
	return link;
}

void fixture_assert_no_violations(const struct fixture *self)
{
	g_mutex_lock(&self->soc->lock);
	for (guint i = 0; i < self->soc->violations->len; i++)
		g_test_message("%s", (const char *)g_ptr_array_index(self->soc->violations, i));
	guint n = self->soc->violations->len;

	g_mutex_unlock(&self->soc->lock);
	g_assert_cmpuint(n, ==, 0);
}
