/* A profile says what the debug build's DWARF says, type by type; libdw, which the
 * program does not use, says the same. */
#include "awareness/symbols/image.h"
#include "awareness/symbols/profile.h"
#include "awareness/symbols/symbol-error.h"
#include "tests/awareness/layout-compare.h"
#include "tests/awareness/symbol-data.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

struct fixture {
	char *xen;
	char *dir;
	char *profile;
	struct types *types;
};

static gboolean fixture_init(struct fixture *self, const char *const *fits)
{
	struct profile_request request = { .fits = fits };
	g_autoptr(GError) error = NULL;

	self->xen = symbol_data_path("dump-xen-128m/xen-syms");
	if (self->xen == NULL)
		return FALSE;
	self->dir = g_dir_make_tmp("hvscope-profile-XXXXXX", NULL);
	self->profile = g_build_filename(self->dir, "xen.profile", NULL);
	profile_make(self->xen, &request, self->profile, &error);
	g_assert_no_error(error);
	self->types = profile_load(self->profile, &error);
	g_assert_no_error(error);
	return TRUE;
}

static void fixture_deinit(struct fixture *self)
{
	types_free(self->types);
	g_unlink(self->profile);
	g_rmdir(self->dir);
	g_free(self->xen);
	g_free(self->dir);
	g_free(self->profile);
}

static void test_libdw(void)
{
	struct fixture fixture;
	g_autoptr(image_t) image = NULL;
	unsigned by_dwarf, by_profile;

	if (!fixture_init(&fixture, NULL))
		return;
	image = image_open(fixture.xen, NULL, NULL);
	by_dwarf = layouts_compare(fixture.xen, image_types(image, NULL));
	by_profile = layouts_compare(fixture.xen, fixture.types);
	g_test_message("%u structs and unions", by_profile);
	g_assert_cmpuint(by_dwarf, ==, by_profile);
	g_assert_cmpuint(by_profile, >, 500);
	fixture_deinit(&fixture);
}

static void test_rest(void)
{
	struct fixture fixture;
	g_autofree char *text = NULL;
	const struct type *type;
	int64_t value;

	if (!fixture_init(&fixture, NULL))
		return;
	g_assert_cmpstr(types_source(fixture.types), ==, "profile");
	type = types_of_variable(fixture.types, "idle_vcpu", NULL);
	g_assert_nonnull(type);
	text = types_describe(fixture.types, type);
	g_assert_true(g_str_has_prefix(text, "struct vcpu *["));
	g_assert_true(types_enumerator(fixture.types, NULL, "DOMDYING_dead", &value, NULL));
	g_assert_cmpint(value, ==, 2);
	fixture_deinit(&fixture);
}

static void test_fits(void)
{
	static const char other[] = "0123456789012345678901234567890123456789";
	const char *const fits[] = { other, NULL };
	struct fixture fixture;

	if (!fixture_init(&fixture, fits))
		return;
	g_assert_true(profile_fits(fixture.profile, other));
	g_assert_true(profile_fits(fixture.profile, "c7fd876b21c2afc40615ba442ccd17ab16b39fb1"));
	g_assert_false(profile_fits(fixture.profile, "c7fd"));
	g_assert_false(profile_fits("/no/such/file", other));
	fixture_deinit(&fixture);
}

/* A stripped Xen finds its profile by itself and works as the debug build does. */
static void test_stripped(void)
{
	struct fixture fixture;
	g_autofree char *stripped = NULL, *installed = NULL, *profiles = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *bytes = NULL;
	gsize len;
	g_autoptr(image_t) image = NULL;
	uint64_t offset;

	if (!fixture_init(&fixture, NULL))
		return;
	stripped = g_build_filename(fixture.dir, "xen", NULL);
	/* What has no name that is known is not there. */
	g_assert_true(g_file_get_contents(fixture.xen, &bytes, &len, NULL));
	for (char *at = bytes; (at = memmem(at, len - (gsize)(at - bytes), ".debug_", 7)) != NULL;)
		at[1] = 'x';
	g_assert_true(g_file_set_contents(stripped, bytes, (gssize)len, NULL));
	image = image_open(stripped, NULL, &error);
	g_assert_no_error(error);
	g_assert_false(dwarf_is_present(image_elf(image)));
	g_assert_null(image_types(image, &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND);
	g_clear_error(&error);
	/* XDG_DATA_HOME is a folder of this test's own; see main(). */
	profiles = g_build_filename(g_get_user_data_dir(), "hvscope", "profiles", NULL);
	installed = g_build_filename(profiles, "xen.profile", NULL);
	g_assert_cmpint(g_mkdir_with_parents(profiles, 0700), ==, 0);
	g_assert_cmpint(g_rename(fixture.profile, installed), ==, 0);
	g_assert_nonnull(image_types(image, &error));
	g_assert_no_error(error);
	g_assert_true(types_offset(image_types(image, NULL), "struct vcpu", "arch.cpu_info",
	                           &offset, NULL));
	g_assert_cmpuint(offset, ==, 752);
	g_unlink(installed);
	g_unlink(stripped);
	fixture_deinit(&fixture);
}

static void test_refused(void)
{
	static const char *const texts[] = {
		"",
		"hvscope-profile 2\nend\n",
		"hvscope-profile 1\n",
		"hvscope-profile 1\ntype 1 struct 8 0 0 -\nend\n",
		"hvscope-profile 1\ntype x struct 8 0 0 - a\nend\n",
		"hvscope-profile 1\ntype 0 struct 8 0 0 - a\nend\n",
		"hvscope-profile 1\ntype 99999999999 struct 8 0 0 - a\nend\n",
		"hvscope-profile 1\ntype 1 wrong 8 0 0 - a\nend\n",
		"hvscope-profile 1\nvar x\nend\n",
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(types_t) types = NULL;
	static const char cyclic[] = "hvscope-profile 1\n"
				     "type 1 typedef 0 1 0 - t\n"
				     "type 2 struct 8 0 0 - s\nm 0 0 2 -\nm 0 0 7 x\n"
				     "type 3 array 0 3 4 - -\nvar 3 v\nend\n";

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_assert_null(profile_parse(texts[i], strlen(texts[i]), "made", &error));
		g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED);
		g_clear_error(&error);
	}
	types = profile_parse(cyclic, strlen(cyclic), "made", &error);
	g_assert_no_error(error);
	{
		uint64_t offset;

		g_assert_false(types_size(types, "t", &offset, NULL));
		g_assert_false(types_offset(types, "struct s", "nothing", &offset, NULL));
		g_assert_false(types_offset(types, "struct s", "x", &offset, NULL));
		g_assert_false(
			types_size_of(types, types_of_variable(types, "v", NULL), &offset, NULL));
	}
}

int main(int argc, char **argv)
{
	g_autofree char *data_home = g_dir_make_tmp("hvscope-data-XXXXXX", NULL);
	g_autofree char *profiles = g_build_filename(data_home, "hvscope", "profiles", NULL);
	g_autofree char *product = g_path_get_dirname(profiles);
	int result;

	g_setenv("XDG_DATA_HOME", data_home, TRUE);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/profile/libdw", test_libdw);
	g_test_add_func("/profile/rest", test_rest);
	g_test_add_func("/profile/fits", test_fits);
	g_test_add_func("/profile/stripped", test_stripped);
	g_test_add_func("/profile/refused", test_refused);
	result = g_test_run();
	g_rmdir(profiles);
	g_rmdir(product);
	g_rmdir(data_home);
	return result;
}
