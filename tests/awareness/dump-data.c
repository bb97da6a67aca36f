#include "tests/awareness/dump-data.h"

#include <gio/gio.h>
#include <glib/gstdio.h>

static char *data_file(const char *name)
{
	const char *data = g_getenv("HVSCOPE_DATA");
	g_autofree char *fallback =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "..", "shared", "data", NULL);

	return g_build_filename(data != NULL ? data : fallback, "dump-xen-128m", name, NULL);
}

static void unpack(const char *packed, const char *to)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GSubprocessLauncher) launcher =
		g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
	g_autoptr(GSubprocess) process = NULL;

	g_subprocess_launcher_set_stdout_file_path(launcher, to);
	process = g_subprocess_launcher_spawn(launcher, &error, "xz", "-dc", packed, NULL);
	g_assert_no_error(error);
	g_assert_true(g_subprocess_wait_check(process, NULL, &error));
}

gboolean dump_data_init(struct dump_data *self)
{
	g_autofree char *packed = data_file("ram.bin.xz");
	g_autofree char *expected = data_file("walk-expected.txt");
	g_autofree char *xen = data_file("xen-syms");
	g_autofree char *linux_path = data_file("vmlinux-mini.zst");
	g_autofree char *bare = data_file("bm.elf");
	g_autofree char *text = NULL;

	if (!g_file_test(packed, G_FILE_TEST_EXISTS)) {
		g_test_skip("the data has no dump-xen-128m");
		return FALSE;
	}
	self->dir = g_dir_make_tmp("hvscope-dump-XXXXXX", NULL);
	self->ram = g_build_filename(self->dir, "ram.bin", NULL);
	self->system = g_build_filename(self->dir, "system.ini", NULL);
	self->state = data_file("state.json");
	self->target = g_strdup_printf("ram:%s+%s", self->ram, self->state);
	unpack(packed, self->ram);
	text = g_strdup_printf("[system]\nhypervisor = xen\n[machine 0]\nkind = xen\nsymbols = %s\n"
	                       "[machine 1]\nkind = linux\nsymbols = %s\n"
	                       "[machine 2]\nkind = linux\nsymbols = %s\n"
	                       "[machine 3]\nkind = linux\nsymbols = %s\n"
	                       "[machine 4]\nkind = bare\nsymbols = %s\n",
	                       xen, linux_path, linux_path, linux_path, bare);
	g_assert_true(g_file_set_contents(self->system, text, -1, NULL));
	g_assert_true(g_file_get_contents(expected, &self->expected, NULL, NULL));
	return TRUE;
}

void dump_data_deinit(struct dump_data *self)
{
	g_unlink(self->ram);
	g_unlink(self->system);
	g_rmdir(self->dir);
	g_free(self->dir);
	g_free(self->ram);
	g_free(self->state);
	g_free(self->target);
	g_free(self->system);
	g_free(self->expected);
}
