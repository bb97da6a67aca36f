/* The lab's machine, frozen into a core and looked at again with no symbols of its
 * guests: kernels, names and types come out of the memory itself, and the list must be
 * the same, tasks, markers, counters and all. */
#include "awareness/symbols/dwarf.h"
#include "awareness/symbols/elf-file.h"
#include "awareness/target/core-file.h"
#include "tests/awareness/live-lab.h"

#include <glib/gstdio.h>
#include <string.h>

enum {
	GUESTS = 3,
	RAM_BYTES = 512 << 20,
};

/* What a worker's memory says: its marker, and its counter as a number. */
static void append_memory(GString *out, struct machine *machine, const struct task *task,
                          uint64_t marker, uint64_t counter)
{
	struct space *space = linux_process_space(machine, task, NULL);
	g_autofree char *text = NULL;
	uint64_t value = 0;

	if (space == NULL)
		return;
	text = space_read_string(space, (struct va) { marker }, 64, NULL);
	if (text != NULL && g_str_has_prefix(text, "LABXEN-MARKER:") &&
	    space_read_uint(space, (struct va) { counter }, 8, &value, NULL))
		g_string_append_printf(out, " %s %016" G_GINT64_MODIFIER "x", text, value);
	space_free(space);
}

/* One line a task: number, name, state, parent, and what its memory says. */
static char *describe(struct system *system, const char *name, uint64_t marker, uint64_t counter,
                      unsigned *n_markers)
{
	struct machine *machine = system_find_machine(system, name, NULL);
	GString *out = g_string_new(NULL);
	GPtrArray *tasks;

	g_assert_nonnull(machine);
	tasks = system_tasks(system, machine);
	for (guint i = 0; i < tasks->len; i++) {
		const struct task *task = g_ptr_array_index(tasks, i);

		g_string_append_printf(out,
		                       "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s %s %d "
		                       "%" G_GINT64_FORMAT,
		                       task->pid, task->tid, task->name,
		                       task_state_letter(task->state), task->on_cpu, task->parent);
		append_memory(out, machine, task, marker, counter);
		g_string_append_c(out, '\n');
	}
	*n_markers = 0;
	for (const char *at = out->str; (at = strstr(at, "LABXEN-MARKER:")) != NULL; at++)
		++*n_markers;
	for (guint i = 0; i < machine->gaps->len; i++)
		g_test_message("%s: %s", name, (char *)machine->gaps->pdata[i]);
	return g_string_free(out, FALSE);
}

static struct system_file *write_system_file(const struct live_lab *lab)
{
	g_autofree char *path = g_build_filename(lab->dir, "bare.ini", NULL);
	g_autofree char *xen = g_build_filename(lab->dir, "symbols", "xen-syms", NULL);
	g_autofree char *text = g_strdup_printf(
		"[system]\nhypervisor = xen\n[machine 0]\nkind = xen\nsymbols = %s\n", xen);
	struct system_file *file;
	g_autoptr(GError) error = NULL;

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	file = system_file_load(path, &error);
	g_assert_no_error(error);
	return file;
}

static char *run(const char *const *argv, const char *home)
{
	g_autoptr(GSubprocessLauncher) launcher =
		g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
	g_autoptr(GSubprocess) process = NULL;
	g_autoptr(GError) error = NULL;
	char *out = NULL;

	/* Neither profiles nor remembered layouts of the user's own. */
	g_subprocess_launcher_setenv(launcher, "XDG_DATA_HOME", home, TRUE);
	g_subprocess_launcher_setenv(launcher, "XDG_CACHE_HOME", home, TRUE);
	process = g_subprocess_launcher_spawnv(launcher, argv, &error);
	g_assert_no_error(error);
	g_assert_true(g_subprocess_communicate_utf8(process, NULL, NULL, &out, NULL, &error));
	g_assert_cmpint(g_subprocess_get_exit_status(process), ==, 0);
	return out;
}

static char *list_tasks(const struct live_lab *lab, const char *core, const char *xen,
                        const char *home)
{
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "hvscope", NULL);
	g_autofree char *ini = g_build_filename(lab->dir, "system.ini", NULL);
	g_autofree char *other = g_build_filename(lab->dir, "profile.ini", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) parts = NULL;
	g_autofree char *line = g_strconcat("symbols=", xen, NULL);
	g_autofree char *changed = NULL;

	g_assert_true(g_file_get_contents(ini, &text, NULL, NULL));
	parts = g_strsplit(text, "symbols=symbols/xen-syms", 2);
	g_assert_cmpuint(g_strv_length(parts), ==, 2);
	changed = g_strjoinv(line, parts);
	g_assert_true(g_file_set_contents(other, changed, -1, NULL));
	return run((const char *const[]) { program, "debug", "--target", core, "--system", other,
	                                   "--json", "tasks", NULL },
	           home);
}

/* A release build has symbols and no types: those come from a profile, made once from a
 * debug build, and the list is the same. */
static void compare_with_profile(const struct live_lab *lab, const char *core)
{
	const char *cache = g_getenv("HVSCOPE_LAB_CACHE");
	g_autofree char *fallback =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "build", "lab", NULL);
	g_autofree char *objcopy = g_build_filename(cache != NULL ? cache : fallback, "bin",
	                                            "aarch64-linux-gnu-objcopy", NULL);
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "hvscope", NULL);
	g_autofree char *xen = g_build_filename(lab->dir, "symbols", "xen-syms", NULL);
	g_autofree char *stripped = g_build_filename(lab->dir, "xen-release", NULL);
	g_autofree char *home = g_build_filename(lab->dir, "home", NULL);
	g_autofree char *elsewhere = g_build_filename(lab->dir, "elsewhere", NULL);
	g_autofree char *folder = g_build_filename(home, "hvscope", "profiles", NULL);
	g_autofree char *profile = g_build_filename(folder, "xen.profile", NULL);
	g_autofree char *with_types = NULL, *with_profile = NULL;
	struct elf_file *elf;

	g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
	g_free(run((const char *const[]) { objcopy, "--strip-debug", xen, stripped, NULL }, home));
	elf = elf_file_open(stripped, NULL);
	g_assert_nonnull(elf);
	g_assert_false(dwarf_is_present(elf));
	elf_file_unref(elf);
	g_free(run((const char *const[]) { program, "profile", "make", xen, "-o", profile, "--fits",
	                                   stripped, NULL },
	           home));
	with_profile = list_tasks(lab, core, stripped, home);
	/* Types are remembered by build id: not for this one. */
	with_types = list_tasks(lab, core, xen, elsewhere);
	g_assert_cmpuint(strlen(with_types), >, 1000);
	g_assert_cmpstr(with_profile, ==, with_types);
}

void live_frozen_compare(struct live_lab *lab, const char *const guests[], uint64_t ram_base)
{
	static const char *const bare_names[GUESTS] = { "dom0", "dom1", "dom2" };
	g_autofree char *worker = g_build_filename(lab->dir, "symbols", "worker", NULL);
	g_autofree char *path = g_build_filename(lab->dir, "frozen.core", NULL);
	g_autofree char *spec = g_strconcat("core:", path, NULL);
	struct target_region ram = { .base = { ram_base }, .len_bytes = RAM_BYTES };
	struct system_file *file = write_system_file(lab);
	struct image *image;
	struct target *target;
	struct system *system;
	struct target_cost cost;
	uint64_t marker, counter, unreadable = 0;
	g_autoptr(GError) error = NULL;

	image = image_open(worker, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(symbols_address(image_symbols(image, NULL), "marker", &marker));
	g_assert_true(symbols_address(image_symbols(image, NULL), "counter", &counter));
	core_file_write(lab->target, &ram, 1, path, &unreadable, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(unreadable, ==, 0);
	target = target_open(spec, &error);
	g_assert_no_error(error);
	system = system_new(target, file, &error);
	g_assert_no_error(error);
	cost = target_cost(target);
	g_test_message("no symbols: found with %" G_GUINT64_FORMAT " reads, %" G_GUINT64_FORMAT
	               " bytes",
	               cost.reads, cost.bytes_read);
	for (unsigned i = 0; i < GUESTS; i++) {
		unsigned n_markers, n_expected;
		g_autofree char *expected =
			describe(lab->system, guests[i], marker, counter, &n_expected);
		g_autofree char *found =
			describe(system, bare_names[i], marker, counter, &n_markers);

		g_assert_cmpuint(n_expected, >=, 5);
		g_assert_cmpstr(found, ==, expected);
		g_test_message("%s: %u tasks' memory compared", guests[i], n_markers);
	}
	compare_with_profile(lab, spec);
	system_free(system);
	target_free(target);
	system_file_free(file);
	image_free(image);
	g_unlink(path);
}
