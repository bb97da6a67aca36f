#include "gui/marks-file.h"

#include <glib/gstdio.h>
#include <string.h>

static char *marks_path(HvsDocument *document)
{
	return g_strconcat(hvs_document_path(document), ".marks", NULL);
}

static void load_bookmarks(GKeyFile *file, HvsView *view)
{
	g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);

	for (gsize i = 0; groups[i] != NULL; i++) {
		g_autofree char *note = NULL;
		gint64 at_ns;

		if (!g_str_has_prefix(groups[i], "bookmark"))
			continue;
		at_ns = g_key_file_get_int64(file, groups[i], "at_ns", NULL);
		note = g_key_file_get_string(file, groups[i], "note", NULL);
		if (note != NULL && at_ns >= 0 && at_ns <= hvs_view_window_ns(view))
			hvs_view_add_bookmark(view, at_ns, note);
	}
}

gboolean marks_file_load(HvsDocument *document, HvsView *view, GError **error)
{
	static const char *const markers[VIEW_MARKERS] = { "a_ns", "b_ns" };
	g_autofree char *path = marks_path(document);
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(GError) local = NULL;
	g_auto(GStrv) lanes = NULL;

	if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &local)) {
		if (g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
			return TRUE;
		g_propagate_prefixed_error(error, g_steal_pointer(&local),
		                           "%s: cannot read the bookmarks: ", path);
		return FALSE;
	}
	load_bookmarks(file, view);
	for (guint i = 0; i < VIEW_MARKERS; i++) {
		if (g_key_file_has_key(file, "markers", markers[i], NULL))
			hvs_view_set_marker(
				view, i, g_key_file_get_int64(file, "markers", markers[i], NULL));
	}
	lanes = g_key_file_get_string_list(file, "lanes", "changes", NULL, NULL);
	hvs_document_apply_lane_changes(document, lanes);
	return TRUE;
}

gboolean marks_file_save(HvsDocument *document, HvsView *view, GError **error)
{
	static const char *const markers[VIEW_MARKERS] = { "a_ns", "b_ns" };
	g_autofree char *path = marks_path(document);
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_auto(GStrv) lanes = hvs_document_lane_changes(document);
	const GArray *bookmarks = hvs_view_bookmarks(view);
	gboolean any = bookmarks->len > 0 || lanes[0] != NULL;

	for (guint i = 0; i < bookmarks->len; i++) {
		const struct view_bookmark *bookmark =
			&g_array_index(bookmarks, struct view_bookmark, i);
		g_autofree char *group = g_strdup_printf("bookmark %u", i + 1);

		g_key_file_set_int64(file, group, "at_ns", bookmark->at_ns);
		g_key_file_set_string(file, group, "note", bookmark->note);
	}
	for (guint i = 0; i < VIEW_MARKERS; i++) {
		if (hvs_view_marker(view, i) == VIEW_NOWHERE)
			continue;
		g_key_file_set_int64(file, "markers", markers[i], hvs_view_marker(view, i));
		any = TRUE;
	}
	if (lanes[0] != NULL)
		g_key_file_set_string_list(file, "lanes", "changes", (const char *const *)lanes,
		                           g_strv_length(lanes));
	if (!any) {
		g_unlink(path);
		return TRUE;
	}
	if (g_key_file_save_to_file(file, path, error))
		return TRUE;
	g_prefix_error(error, "%s: cannot keep bookmarks and lanes: ", path);
	return FALSE;
}
