/* profile.h: the layouts of a program that carries none itself
 *
 * A release Xen has no DWARF. A profile is a text file, made from a debug build of
 * the same source and configuration, that holds every type's layout and every
 * variable's type, and names the build ids that it fits. It holds no symbols: those
 * come from the program's own table.
 *
 * A profile is looked for by build id in hvscope/profiles of the user's and the
 * system's data directories (XDG), in files that end in .profile.
 */
#pragma once

#include "awareness/symbols/elf-file.h"
#include "awareness/symbols/dwarf.h"
#include "awareness/symbols/types.h"

#include <glib.h>

struct profile_request {
	/* Build ids, besides the debug build's own, that it is declared to fit;
	 * NULL-terminated, or NULL. */
	const char *const *fits;
	/* Names ("struct vcpu") to keep, with all that they contain; NULL keeps all. */
	const char *const *only;
};

/* Writes the profile of a debug build. Errors: SYMBOL_ERROR_NOT_FOUND where the file
 * has no DWARF or no build id, _OPEN where `path` cannot be written. */
gboolean profile_make(const char *debug_elf, const struct profile_request *request,
                      const char *path, GError **error);

/* Compares the sizes of the variables that both symbol tables have: another
 * configuration shows there. Returns FALSE with SYMBOL_ERROR_TYPE, naming examples,
 * where they differ; `compared` is how many there were (0 if one is stripped). */
gboolean profile_check_fit(struct elf_file *debug, struct elf_file *release, size_t *compared,
                           GError **error);

/* Reads one. Errors: SYMBOL_ERROR_OPEN, _DAMAGED. */
struct types *profile_load(const char *path, GError **error);
struct types *profile_parse(const char *text, size_t len_bytes, const char *name, GError **error);

/* Whether the profile names the build id. Reads only the file's head. */
gboolean profile_fits(const char *path, const char *build_id);

/* The path of an installed profile for the build id, or NULL. Free with g_free(). */
char *profile_find(const char *build_id);
