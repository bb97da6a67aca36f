/* suggest.h: "did you mean"
 *
 * Finds the nearest of a list of known names for a word that is none of them,
 * for error messages. Knows nothing of files or options.
 */
#pragma once

#include <glib.h>

/* The entry of `known` (NULL-terminated) with the smallest edit distance to
 * `word`, without regard to ASCII case, or NULL where nothing is near enough
 * to be a likely slip (more than a third of the word differs, at least 2).
 * The result belongs to `known`. */
const char *suggest_nearest(const char *word, const char *const *known);
