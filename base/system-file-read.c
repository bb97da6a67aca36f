#include "base/suggest.h"
#include "base/system-file-private.h"

#include <string.h>

gboolean place_fail(const struct place *at, const char *key, enum system_file_error code,
                    GError **error, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, SYSTEM_FILE_ERROR, code, "%s: [%s]%s%s: %s", at->file->path, at->group,
	            key != NULL ? " " : "", key != NULL ? key : "", message);
	return FALSE;
}

char *place_hint(const char *word, const char *const *known)
{
	const char *nearest = suggest_nearest(word, known);
	g_autofree char *list = NULL;

	if (nearest != NULL)
		return g_strdup_printf("did you mean '%s'?", nearest);
	list = g_strjoinv(", ", (char **)known);
	return g_strdup_printf("known are %s", list);
}

gboolean place_keys_check(const struct place *at, const char *const *known, GError **error)
{
	g_auto(GStrv) keys = g_key_file_get_keys(at->keys, at->group, NULL, error);

	if (keys == NULL)
		return FALSE;
	for (gsize i = 0; keys[i] != NULL; i++) {
		if (!g_strv_contains(known, keys[i])) {
			g_autofree char *hint = place_hint(keys[i], known);

			return place_fail(at, NULL, SYSTEM_FILE_ERROR_UNKNOWN, error,
			                  "unknown key '%s', %s", keys[i], hint);
		}
	}
	return TRUE;
}

gboolean place_number_parse(const char *text, guint64 max, guint64 *out)
{
	const gboolean hex = g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X");

	return g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, max, out, NULL);
}

gboolean place_number(const struct place *at, const char *key, guint64 min, guint64 max,
                      guint64 *out, GError **error)
{
	g_autofree char *text = g_key_file_get_value(at->keys, at->group, key, NULL);
	guint64 value = 0;

	if (text == NULL)
		return TRUE;
	if (!place_number_parse(g_strchomp(text), max, &value) || value < min) {
		return place_fail(at, key, SYSTEM_FILE_ERROR_VALUE, error,
		                  "expected a whole number from %" G_GUINT64_FORMAT
		                  " to %" G_GUINT64_FORMAT ", found '%s'",
		                  min, max, text);
	}
	*out = value;
	return TRUE;
}

gboolean place_text(const struct place *at, const char *key, char **out, GError **error)
{
	g_autoptr(GError) cause = NULL;
	char *text;

	if (!g_key_file_has_key(at->keys, at->group, key, NULL))
		return TRUE;
	text = g_key_file_get_string(at->keys, at->group, key, &cause);
	if (text == NULL)
		return place_fail(at, key, SYSTEM_FILE_ERROR_VALUE, error, "%s", cause->message);
	if (*g_strchomp(text) == '\0') {
		g_free(text);
		return place_fail(at, key, SYSTEM_FILE_ERROR_VALUE, error, "the value is empty");
	}
	g_free(*out);
	*out = text;
	return TRUE;
}

gboolean place_choice(const struct place *at, const char *key, const char *const *known, char **out,
                      GError **error)
{
	g_autofree char *text = NULL;

	if (!place_text(at, key, &text, error))
		return FALSE;
	if (text != NULL && !g_strv_contains(known, text)) {
		g_autofree char *hint = place_hint(text, known);

		return place_fail(at, key, SYSTEM_FILE_ERROR_VALUE, error, "unknown value '%s', %s",
		                  text, hint);
	}
	*out = g_steal_pointer(&text);
	return TRUE;
}

gboolean place_path(const struct place *at, const char *key, char **out, GError **error)
{
	g_autofree char *text = NULL;
	g_autofree char *directory = g_path_get_dirname(at->file->path);

	if (!place_text(at, key, &text, error))
		return FALSE;
	if (text == NULL)
		return TRUE;
	*out = g_path_is_absolute(text) ? g_steal_pointer(&text)
	                                : g_build_filename(directory, text, NULL);
	return TRUE;
}

gboolean place_list(const struct place *at, const char *key, char ***out, GError **error)
{
	g_autoptr(GError) cause = NULL;

	*out = NULL;
	if (!g_key_file_has_key(at->keys, at->group, key, NULL))
		return TRUE;
	*out = g_key_file_get_string_list(at->keys, at->group, key, NULL, &cause);
	return *out != NULL ||
	       place_fail(at, key, SYSTEM_FILE_ERROR_VALUE, error, "%s", cause->message);
}
