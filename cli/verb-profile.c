#include "cli/verb.h"

#include "awareness/symbols/profile.h"

#include <string.h>

struct options {
	char *output;
	char **fits;
	char **only;
};

/* `fits` holds build ids and ELF files; the files are checked, and give theirs. */
static gboolean fits_resolve(const char *debug_elf, char **fits, GPtrArray *build_ids,
                             GError **error)
{
	g_autoptr(elf_file_t) debug = elf_file_open(debug_elf, error);

	if (debug == NULL)
		return FALSE;
	for (; fits != NULL && *fits != NULL; fits++) {
		g_autoptr(elf_file_t) release = NULL;
		size_t compared, len = strlen(*fits);

		if (len == strspn(*fits, "0123456789abcdef") && len >= 8 && len % 2 == 0 &&
		    !g_file_test(*fits, G_FILE_TEST_EXISTS)) {
			g_ptr_array_add(build_ids, g_strdup(*fits));
			continue;
		}
		release = elf_file_open(*fits, error);
		if (release == NULL || !profile_check_fit(debug, release, &compared, error))
			return FALSE;
		if (elf_file_build_id(release) == NULL) {
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s has no build id",
			            *fits);
			return FALSE;
		}
		if (compared == 0)
			g_printerr("hvscope profile: %s has no symbols to compare: taken at your "
			           "word\n",
			           *fits);
		g_ptr_array_add(build_ids, g_strdup(elf_file_build_id(release)));
	}
	return TRUE;
}

static int profile_make_run(const char *debug_elf, const struct options *options)
{
	g_autoptr(GPtrArray) build_ids = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	struct profile_request request = { 0 };

	if (!fits_resolve(debug_elf, options->fits, build_ids, &error))
		return verb_fail("profile", error);
	g_ptr_array_add(build_ids, NULL);
	request.fits = (const char *const *)build_ids->pdata;
	request.only = (const char *const *)options->only;
	if (!profile_make(debug_elf, &request, options->output, &error))
		return verb_fail("profile", error);
	return EXIT_CODE_DONE;
}

static int profile_run(int argc, char **argv)
{
	g_auto(GStrv) fits = NULL, only = NULL;
	g_autofree char *output = NULL;
	struct options options;
	const GOptionEntry entries[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "the profile to write",
		  "FILE" },
		{ "fits", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &fits,
		  "another build that has the same layouts (may be repeated)", "ELF|BUILD-ID" },
		{ "only", 0, 0, G_OPTION_ARG_STRING_ARRAY, &only,
		  "keep this type and what it contains (may be repeated); without it, all",
		  "TYPE" },
		{ NULL },
	};

	if (!verb_parse(&argc, &argv, "make DEBUG_ELF -o FILE",
	                "Writes the layouts of a debug build, for a release build that has none.",
	                entries))
		return EXIT_CODE_USAGE;
	if (argc != 3 || strcmp(argv[1], "make") != 0)
		return verb_usage("profile",
		                  "give it 'make' and one ELF file with debug information");
	if (output == NULL)
		return verb_usage("profile", "say with -o where the profile goes");
	options = (struct options) { output, fits, only };
	return profile_make_run(argv[2], &options);
}

const struct verb verb_profile = { "profile", "make a layout profile from a debug build",
	                           profile_run };
