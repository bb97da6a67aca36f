#include "gui/window-private.h"

#include "analysis/export/export.h"

#include <glib/gi18n.h>
#include <string.h>

/* By the name's end; chrome's is json, perfetto's the one that its viewer opens. */
static gboolean format_of(const char *path, enum export_format *out)
{
	static const struct {
		const char *suffix;
		enum export_format format;
	} suffixes[] = { { ".svg", EXPORT_SVG },     { ".pdf", EXPORT_PDF },
		         { ".png", EXPORT_PNG },     { ".csv", EXPORT_CSV },
		         { ".json", EXPORT_CHROME }, { ".pftrace", EXPORT_PERFETTO } };

	for (gsize i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		if (g_str_has_suffix(path, suffixes[i].suffix)) {
			*out = suffixes[i].format;
			return TRUE;
		}
	}
	return FALSE;
}

/* The selected range, or what is shown; the lanes that are shown. */
static void export_to(HvsWindow *self, const char *path)
{
	HvsDocument *document = window_document(self);
	const struct view_range selection = hvs_view_selection(self->view);
	const struct view_range range =
		selection.to_ns > selection.from_ns ? selection : hvs_view_range(self->view);
	const GArray *shown = hvs_document_shown_lanes(document);
	g_autoptr(GPtrArray) lanes = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	struct export_options options;

	export_options_init(&options);
	if (!format_of(path, &options.format)) {
		hvs_window_say(self, GTK_MESSAGE_ERROR,
		               _("Name the file .svg, .pdf, .png, .csv, .json (Chrome) or .pftrace "
		                 "(Perfetto): the ending says what to write."));
		return;
	}
	for (guint i = 0; i < shown->len; i++)
		g_ptr_array_add(lanes, lane_set_get(hvs_document_source(document)->lanes,
		                                    g_array_index(shown, guint, i))
		                               ->id);
	g_ptr_array_add(lanes, NULL);
	options.lanes = (char **)lanes->pdata;
	options.from_ns = range.from_ns;
	options.to_ns = MIN(range.to_ns, MAX(hvs_document_window_ns(document), 1));
	options.colour_by = hvs_document_colour_by(document);
	options.theme = self->theme;
	if (export_file(hvs_document_reader(document), &options, path, &error)) {
		g_autofree char *message = g_strdup_printf(_("Written: %s"), path);

		hvs_window_say(self, GTK_MESSAGE_INFO, message);
	} else {
		hvs_window_say(self, GTK_MESSAGE_ERROR, error->message);
	}
}

void window_export(HvsWindow *self)
{
	GtkWidget *dialog;
	g_autofree char *base = NULL;
	g_autofree char *name = NULL;
	g_autofree char *path = NULL;

	if (self->document == NULL)
		return;
	dialog = gtk_file_chooser_dialog_new(
		_("Export"), GTK_WINDOW(self), GTK_FILE_CHOOSER_ACTION_SAVE, _("Cancel"),
		GTK_RESPONSE_CANCEL, _("Export"), GTK_RESPONSE_ACCEPT, NULL);
	base = g_path_get_basename(hvs_document_path(window_document(self)));
	if (g_str_has_suffix(base, ".hvs"))
		base[strlen(base) - strlen(".hvs")] = '\0';
	name = g_strconcat(base, ".svg", NULL);
	gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_ACCEPT);
	gtk_file_chooser_set_do_overwrite_confirmation(GTK_FILE_CHOOSER(dialog), TRUE);
	gtk_file_chooser_set_current_name(GTK_FILE_CHOOSER(dialog), name);
	if (gtk_dialog_run(GTK_DIALOG(dialog)) == GTK_RESPONSE_ACCEPT)
		path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog));
	gtk_widget_destroy(dialog);
	if (path != NULL)
		export_to(self, path);
}
