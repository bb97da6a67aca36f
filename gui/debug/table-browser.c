#include "gui/debug/table-browser.h"

#include "awareness/mmu/address.h"
#include "gui/debug/columns.h"
#include "gui/debug/look.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	COLUMN_INPUT,
	COLUMN_OUTPUT,
	COLUMN_SIZE,
	COLUMN_ATTRIBUTES,
	COLUMN_LOOK,
	COLUMN_ADDRESS,
	COLUMNS
};

struct _HvsTableBrowser {
	GtkBox parent_instance;
	GtkWidget *view, *which, *from, *show, *more, *note;
	HvsSession *session;
	GtkListStore *store;
	guint64 next; /* where what is not shown yet begins */
};

G_DEFINE_TYPE(HvsTableBrowser, hvs_table_browser, GTK_TYPE_BOX)

static guint signal_address;

static void add_mapping(HvsTableBrowser *self, const struct look_mappings *answer,
                        const struct look_mapping *one)
{
	g_autofree char *input = g_strdup_printf("0x%016" G_GINT64_MODIFIER "x", one->input);
	g_autofree char *output = g_strdup_printf("%s:0x%" G_GINT64_MODIFIER "x",
	                                          one->to_ipa ? "ipa" : "pa", one->output);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT " KiB", one->len_bytes / 1024);
	g_autofree char *address =
		g_strdup_printf("%s0x%" G_GINT64_MODIFIER "x", answer->space, one->input);

	gtk_list_store_insert_with_values(self->store, NULL, -1, COLUMN_INPUT, input, COLUMN_OUTPUT,
	                                  output, COLUMN_SIZE, size, COLUMN_ATTRIBUTES,
	                                  one->attributes, COLUMN_LOOK, LOOK_PLAIN, COLUMN_ADDRESS,
	                                  address, -1);
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	HvsTableBrowser *self = owner;
	const struct look_mappings *list = answer;
	const char *note = error != NULL ? error->message : list != NULL ? list->gap : NULL;

	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), NULL);
	gtk_list_store_clear(self->store);
	for (guint i = 0; list != NULL && i < list->mappings->len; i++) {
		const struct look_mapping *one = g_ptr_array_index(list->mappings, i);

		add_mapping(self, list, one);
		self->next = one->input + one->len_bytes;
	}
	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), GTK_TREE_MODEL(self->store));
	gtk_widget_set_sensitive(self->more, list != NULL && list->more);
	gtk_widget_set_visible(self->note, note != NULL);
	gtk_label_set_text(GTK_LABEL(self->note), note != NULL ? note : "");
}

static void ask(HvsTableBrowser *self, guint64 from)
{
	const char *which = gtk_combo_box_get_active_id(GTK_COMBO_BOX(self->which));
	const struct selection selection = hvs_session_selection(self->session);
	const struct look_table_request request = {
		.machine = selection.machine,
		.tid = strcmp(which, "own") == 0 ? selection.tid : -1,
		.stage2 = strcmp(which, "stage2") == 0,
		.from = from,
	};

	hvs_session_ask(self->session, &look_tables, g_memdup2(&request, sizeof(request)), answered,
	                self);
}

static void show_clicked(HvsTableBrowser *self)
{
	const char *text = gtk_entry_get_text(GTK_ENTRY(self->from));
	uint64_t from = 0;

	if (*text != '\0' && !address_parse_number(text, &from)) {
		gtk_label_set_text(
			GTK_LABEL(self->note),
			_("The first address is a number, 0x in front for hexadecimal."));
		gtk_widget_show(self->note);
		return;
	}
	ask(self, from);
}

static void more_clicked(HvsTableBrowser *self)
{
	ask(self, self->next);
}

static void row_activated(HvsTableBrowser *self, GtkTreePath *path)
{
	g_autofree char *address = NULL;
	GtkTreeIter row;

	if (!gtk_tree_model_get_iter(GTK_TREE_MODEL(self->store), &row, path))
		return;
	gtk_tree_model_get(GTK_TREE_MODEL(self->store), &row, COLUMN_ADDRESS, &address, -1);
	g_signal_emit(self, signal_address, 0, address);
}

static void hvs_table_browser_dispose(GObject *object)
{
	HvsTableBrowser *self = HVS_TABLE_BROWSER(object);

	g_clear_object(&self->session);
	g_clear_object(&self->store);
	G_OBJECT_CLASS(hvs_table_browser_parent_class)->dispose(object);
}

static void hvs_table_browser_class_init(HvsTableBrowserClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_table_browser_dispose;
	signal_address = g_signal_new("address", HVS_TYPE_TABLE_BROWSER, G_SIGNAL_RUN_LAST, 0, NULL,
	                              NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/table-browser.ui");
	COLUMNS_BIND(class, HvsTableBrowser, view);
	COLUMNS_BIND(class, HvsTableBrowser, which);
	COLUMNS_BIND(class, HvsTableBrowser, from);
	COLUMNS_BIND(class, HvsTableBrowser, show);
	COLUMNS_BIND(class, HvsTableBrowser, more);
	COLUMNS_BIND(class, HvsTableBrowser, note);
}

static void hvs_table_browser_init(HvsTableBrowser *self)
{
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->store = gtk_list_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING,
	                                 G_TYPE_STRING, G_TYPE_INT, G_TYPE_STRING);
	gtk_widget_set_sensitive(self->more, FALSE);
	columns_add(view, _("From"), COLUMN_INPUT, COLUMN_LOOK, COLUMN_MONO);
	columns_add(view, _("To"), COLUMN_OUTPUT, COLUMN_LOOK, COLUMN_MONO);
	columns_add(view, _("Size"), COLUMN_SIZE, COLUMN_LOOK, COLUMN_RIGHT);
	columns_add(view, _("Attributes"), COLUMN_ATTRIBUTES, COLUMN_LOOK, COLUMN_WIDE);
	gtk_tree_view_set_model(view, GTK_TREE_MODEL(self->store));
	g_signal_connect_swapped(view, "row-activated", G_CALLBACK(row_activated), self);
	g_signal_connect_swapped(self->show, "clicked", G_CALLBACK(show_clicked), self);
	g_signal_connect_swapped(self->from, "activate", G_CALLBACK(show_clicked), self);
	g_signal_connect_swapped(self->more, "clicked", G_CALLBACK(more_clicked), self);
}

GtkWidget *hvs_table_browser_new(HvsSession *session)
{
	HvsTableBrowser *self = g_object_new(HVS_TYPE_TABLE_BROWSER, NULL);

	self->session = g_object_ref(session);
	return GTK_WIDGET(self);
}
