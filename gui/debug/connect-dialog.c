#include "gui/debug/connect-dialog.h"

#include "gui/debug/columns.h"
#include "gui/debug/recent-targets.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	COLUMN_TARGET,
	COLUMN_SYSTEM,
	COLUMN_LOOK,
	COLUMNS
};

struct _HvsConnectDialog {
	GtkDialog parent_instance;
	GtkWidget *kind, *where, *browse_where, *system, *browse_system, *recent_frame, *recent;
	GtkListStore *store;
};

G_DEFINE_TYPE(HvsConnectDialog, hvs_connect_dialog, GTK_TYPE_DIALOG)

static const struct {
	const char *kind, *example;
	gboolean is_file;
} kinds[] = {
	{ "gdb:", N_("localhost:1234, or unix:/path/to/socket"), FALSE },
	{ "coresight:openocd:", N_("localhost:6666+zynqmp"), FALSE },
	{ "core:", N_("a file that Freeze wrote, or an emulator"), TRUE },
	{ "ram:", N_("ram.bin+state.json"), TRUE },
};

static gsize kind_index(HvsConnectDialog *self)
{
	const gint active = gtk_combo_box_get_active(GTK_COMBO_BOX(self->kind));

	return (gsize)CLAMP(active, 0, (gint)G_N_ELEMENTS(kinds) - 1);
}

static void kind_chosen(HvsConnectDialog *self)
{
	gtk_entry_set_placeholder_text(GTK_ENTRY(self->where), _(kinds[kind_index(self)].example));
	gtk_widget_set_sensitive(self->browse_where, kinds[kind_index(self)].is_file);
}

static void take_file(HvsConnectDialog *self, GtkWidget *entry, const char *title)
{
	GtkWidget *chooser = gtk_file_chooser_dialog_new(
		title, GTK_WINDOW(self), GTK_FILE_CHOOSER_ACTION_OPEN, _("Cancel"),
		GTK_RESPONSE_CANCEL, _("Open"), GTK_RESPONSE_ACCEPT, NULL);

	if (gtk_dialog_run(GTK_DIALOG(chooser)) == GTK_RESPONSE_ACCEPT) {
		g_autofree char *path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(chooser));

		gtk_entry_set_text(GTK_ENTRY(entry), path != NULL ? path : "");
	}
	gtk_widget_destroy(chooser);
}

static void browse_where_clicked(HvsConnectDialog *self)
{
	take_file(self, self->where, _("Open a dump"));
}

static void browse_system_clicked(HvsConnectDialog *self)
{
	take_file(self, self->system, _("Choose the system file"));
}

/* Takes a target's description apart into the two fields. */
static void set_target(HvsConnectDialog *self, const char *target)
{
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_has_prefix(target, kinds[i].kind)) {
			gtk_combo_box_set_active(GTK_COMBO_BOX(self->kind), (gint)i);
			gtk_entry_set_text(GTK_ENTRY(self->where), target + strlen(kinds[i].kind));
			return;
		}
	}
}

static void take_row(HvsConnectDialog *self, GtkTreeIter *row)
{
	g_autofree char *target = NULL;
	g_autofree char *system_path = NULL;

	gtk_tree_model_get(GTK_TREE_MODEL(self->store), row, COLUMN_TARGET, &target, COLUMN_SYSTEM,
	                   &system_path, -1);
	set_target(self, target);
	gtk_entry_set_text(GTK_ENTRY(self->system), system_path != NULL ? system_path : "");
}

static void row_chosen(HvsConnectDialog *self, GtkTreeSelection *chosen)
{
	GtkTreeIter row;

	if (gtk_tree_selection_get_selected(chosen, NULL, &row))
		take_row(self, &row);
}

static void row_activated(HvsConnectDialog *self)
{
	gtk_dialog_response(GTK_DIALOG(self), GTK_RESPONSE_ACCEPT);
}

gboolean hvs_connect_dialog_result(HvsConnectDialog *self, char **target, char **system_path)
{
	const char *where = gtk_entry_get_text(GTK_ENTRY(self->where));
	const char *system = gtk_entry_get_text(GTK_ENTRY(self->system));

	if (*where == '\0')
		return FALSE;
	*target = g_strconcat(kinds[kind_index(self)].kind, where, NULL);
	*system_path = *system != '\0' ? g_strdup(system) : NULL;
	return TRUE;
}

static void hvs_connect_dialog_dispose(GObject *object)
{
	g_clear_object(&HVS_CONNECT_DIALOG(object)->store);
	G_OBJECT_CLASS(hvs_connect_dialog_parent_class)->dispose(object);
}

static void hvs_connect_dialog_class_init(HvsConnectDialogClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_connect_dialog_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/connect-dialog.ui");
	COLUMNS_BIND(class, HvsConnectDialog, kind);
	COLUMNS_BIND(class, HvsConnectDialog, where);
	COLUMNS_BIND(class, HvsConnectDialog, browse_where);
	COLUMNS_BIND(class, HvsConnectDialog, system);
	COLUMNS_BIND(class, HvsConnectDialog, browse_system);
	COLUMNS_BIND(class, HvsConnectDialog, recent_frame);
	COLUMNS_BIND(class, HvsConnectDialog, recent);
}

static void hvs_connect_dialog_init(HvsConnectDialog *self)
{
	g_autoptr(GPtrArray) before = recent_targets_load();

	gtk_widget_init_template(GTK_WIDGET(self));
	gtk_dialog_add_buttons(GTK_DIALOG(self), _("Cancel"), GTK_RESPONSE_CANCEL, _("Connect"),
	                       GTK_RESPONSE_ACCEPT, NULL);
	gtk_dialog_set_default_response(GTK_DIALOG(self), GTK_RESPONSE_ACCEPT);
	self->store = gtk_list_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_INT);
	for (guint i = 0; i < before->len; i++) {
		const struct recent_target *one = g_ptr_array_index(before, i);

		gtk_list_store_insert_with_values(self->store, NULL, -1, COLUMN_TARGET, one->target,
		                                  COLUMN_SYSTEM, one->system_path, -1);
	}
	columns_add(GTK_TREE_VIEW(self->recent), "", COLUMN_TARGET, COLUMN_LOOK, COLUMN_WIDE);
	gtk_tree_view_set_model(GTK_TREE_VIEW(self->recent), GTK_TREE_MODEL(self->store));
	gtk_widget_set_visible(self->recent_frame, before->len > 0);
	g_signal_connect_swapped(self->kind, "changed", G_CALLBACK(kind_chosen), self);
	g_signal_connect_swapped(self->browse_where, "clicked", G_CALLBACK(browse_where_clicked),
	                         self);
	g_signal_connect_swapped(self->browse_system, "clicked", G_CALLBACK(browse_system_clicked),
	                         self);
	g_signal_connect_swapped(gtk_tree_view_get_selection(GTK_TREE_VIEW(self->recent)),
	                         "changed", G_CALLBACK(row_chosen), self);
	g_signal_connect_swapped(self->recent, "row-activated", G_CALLBACK(row_activated), self);
	kind_chosen(self);
	gtk_widget_grab_focus(self->where);
}

GtkWidget *hvs_connect_dialog_new(GtkWindow *parent)
{
	return g_object_new(HVS_TYPE_CONNECT_DIALOG, "transient-for", parent, "use-header-bar", 1,
	                    NULL);
}
