#include "base/suggest.h"

#include <string.h>

/* Levenshtein distance with two rows; both words are short. */
static guint edit_distance(const char *a, const char *b)
{
	const size_t len_b = strlen(b);
	g_autofree guint *previous = g_new(guint, len_b + 1);
	g_autofree guint *current = g_new(guint, len_b + 1);

	for (size_t j = 0; j <= len_b; j++)
		previous[j] = (guint)j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		current[0] = (guint)i + 1;
		for (size_t j = 0; j < len_b; j++) {
			const gboolean same = g_ascii_tolower(a[i]) == g_ascii_tolower(b[j]);
			const guint replace = previous[j] + (same ? 0 : 1);
			const guint edit = MIN(previous[j + 1], current[j]) + 1;

			current[j + 1] = MIN(replace, edit);
		}
		memcpy(previous, current, (len_b + 1) * sizeof *previous);
	}
	return previous[len_b];
}

const char *suggest_nearest(const char *word, const char *const *known)
{
	guint best = MAX(2, (guint)strlen(word) / 3) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; known[i] != NULL; i++) {
		const guint distance = edit_distance(word, known[i]);

		if (distance < best) {
			best = distance;
			nearest = known[i];
		}
	}
	return nearest;
}
