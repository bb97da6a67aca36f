/* Layout profiles of Xen 4.17 and 4.20, made from debug builds of Debian's sources, are
 * what libdw reads, are what was measured of 4.17 elsewhere, and serve the release
 * builds of the same configuration, which hold no DWARF. */
#include "awareness/symbols/image.h"
#include "awareness/symbols/profile.h"
#include "awareness/symbols/symbol-error.h"
#include "tests/awareness/layout-compare.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

/* Xen 4.17.5, defconfig, gcc 12. */
static const struct {
	const char *type, *path;
	uint64_t offset_bytes;
} measured[] = {
	{ "struct domain", "max_vcpus", 4 },
	{ "struct domain", "vcpu", 8 },
	{ "struct domain", "next_in_list", 136 },
	{ "struct domain", "is_dying", 320 },
	{ "struct domain", "is_shutting_down", 440 },
	{ "struct domain", "pause_count", 452 },
	{ "struct domain", "handle", 1672 },
	{ "struct domain", "arch.p2m.root", 552 },
	{ "struct domain", "arch.p2m.vmid", 560 },
	{ "struct domain", "arch.p2m.vttbr", 568 },
	{ "struct vcpu", "domain", 16 },
	{ "struct vcpu", "runstate", 208 },
	{ "struct vcpu", "is_running", 271 },
	{ "struct vcpu", "pause_flags", 296 },
	{ "struct vcpu", "arch.saved_context", 640 },
	{ "struct vcpu", "arch.stack", 744 },
	{ "struct vcpu", "arch.cpu_info", 752 },
	{ "struct vcpu", "arch.ttbcr", 792 },
	{ "struct vcpu", "arch.ttbr0", 800 },
	{ "struct vcpu", "arch.ttbr1", 808 },
	{ "struct vcpu", "arch.mair", 832 },
	{ "struct vcpu", "arch.sctlr", 848 },
	{ "struct vcpu", "arch.contextidr", 868 },
	{ "struct vcpu", "arch.hcr_el2", 896 },
	{ "struct cpu_user_regs", "cpsr", 264 },
	{ "struct cpu_user_regs", "hsr", 272 },
	{ "struct cpu_user_regs", "spsr_el1", 288 },
	{ "struct cpu_user_regs", "sp_el0", 312 },
	{ "struct cpu_user_regs", "sp_el1", 320 },
	{ "struct cpu_user_regs", "elr_el1", 328 },
};

static char *builds_dir;

static char *build_path(const char *version, const char *kind)
{
	g_autofree char *name = g_strconcat(version, "-", kind, NULL);

	return g_build_filename(builds_dir, name, NULL);
}

/* Runs xen-builds once. FALSE after g_test_skip(). */
static gboolean builds_make(void)
{
	static int status = -1;
	const char *cache = g_getenv("HVSCOPE_LAB_CACHE");
	g_autofree char *script = g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "tests",
	                                           "awareness", "xen-builds", NULL);

	if (builds_dir == NULL)
		builds_dir = cache != NULL ? g_build_filename(cache, "xen-layouts", NULL)
		                           : g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"),
		                                              "build", "lab", "xen-layouts", NULL);
	if (status < 0) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GSubprocess) process = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE,
		                                                  &error, script, builds_dir, NULL);

		g_assert_no_error(error);
		g_subprocess_wait(process, NULL, NULL);
		status = g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process)
		                                             : 1;
	}
	if (status == 77)
		g_test_skip("Xen's sources cannot be had or built here (see stderr)");
	else
		g_assert_cmpint(status, ==, 0);
	return status == 0;
}

/* `release` may be NULL. */
static int run_profile(const char *debug, const char *release, const char *output)
{
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "hvscope", NULL);
	g_autoptr(GSubprocess) process = g_subprocess_new(
		G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL, program, "profile", "make", debug, "-o",
		output, release != NULL ? "--fits" : NULL, release, NULL);

	g_assert_nonnull(process);
	g_subprocess_wait(process, NULL, NULL);
	return g_subprocess_get_exit_status(process);
}

static struct types *profile_of(const char *version, const char *release, const char *output)
{
	g_autofree char *debug = build_path(version, "debug");
	g_autoptr(GError) error = NULL;
	struct types *types;

	g_assert_cmpint(run_profile(debug, release, output), ==, 0);
	types = profile_load(output, &error);
	g_assert_no_error(error);
	g_test_message("Xen %s: %u structs and unions as libdw reads them", version,
	               layouts_compare(debug, types));
	return types;
}

static void test_4_17(void)
{
	g_autofree char *output = g_build_filename(g_get_tmp_dir(), "hvscope-4.17.profile", NULL);
	g_autofree char *release = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(types_t) types = NULL;
	g_autoptr(image_t) image = NULL;

	if (!builds_make())
		return;
	release = build_path("4.17", "release");
	types = profile_of("4.17", release, output);
	for (size_t i = 0; i < G_N_ELEMENTS(measured); i++) {
		uint64_t offset = 0;

		g_test_message("%s.%s", measured[i].type, measured[i].path);
		g_assert_true(
			types_offset(types, measured[i].type, measured[i].path, &offset, NULL));
		g_assert_cmpuint(offset, ==, measured[i].offset_bytes);
	}
	/* The release build: symbols of its own, types by the profile that names it. */
	image = image_open(release, NULL, &error);
	g_assert_no_error(error);
	g_assert_false(dwarf_is_present(image_elf(image)));
	g_assert_true(profile_fits(output, image_build_id(image)));
	g_assert_nonnull(symbols_by_name(image_symbols(image, NULL), "domain_list"));
	g_unlink(output);
}

static void test_4_20(void)
{
	g_autofree char *output = g_build_filename(g_get_tmp_dir(), "hvscope-4.20.profile", NULL);
	g_autoptr(types_t) types = NULL;
	uint64_t offset;

	if (!builds_make())
		return;
	types = profile_of("4.20", NULL, output);
	g_assert_true(types_offset(types, "struct vcpu", "arch.cpu_info", &offset, NULL));
	g_unlink(output);
}

/* A build of another version is refused, not taken. */
static void test_misfit(void)
{
	g_autofree char *output = g_build_filename(g_get_tmp_dir(), "hvscope-misfit.profile", NULL);
	g_autofree char *debug = NULL, *other = NULL;

	if (!builds_make())
		return;
	debug = build_path("4.17", "debug");
	other = build_path("4.20", "debug");
	g_assert_cmpint(run_profile(debug, other, output), ==, 1);
	g_assert_false(g_file_test(output, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
	int result;

	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/xen-layouts/4.17", test_4_17);
	g_test_add_func("/xen-layouts/4.20", test_4_20);
	g_test_add_func("/xen-layouts/misfit", test_misfit);
	result = g_test_run();
	g_free(builds_dir);
	return result;
}
