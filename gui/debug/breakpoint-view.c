#include "gui/debug/breakpoint-view.h"

#include "gui/debug/columns.h"
#include "gui/debug/look.h"

#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>

enum {
	COLUMN_ID,
	COLUMN_TEXT,
	COLUMN_KIND,
	COLUMN_MACHINE,
	COLUMN_TASK,
	COLUMN_HITS,
	COLUMN_SKIPPED,
	COLUMN_LOOK,
	COLUMNS
};

struct _HvsBreakpointView {
	GtkBox parent_instance;
	GtkWidget *view, *address, *machine, *task, *kind, *add, *remove, *note;
	HvsSession *session;
	GtkListStore *store;
};

G_DEFINE_TYPE(HvsBreakpointView, hvs_breakpoint_view, GTK_TYPE_BOX)

static void add_row(HvsBreakpointView *self, const struct look_break *one)
{
	gtk_list_store_insert_with_values(
		self->store, NULL, -1, COLUMN_ID, one->id, COLUMN_TEXT, one->text, COLUMN_KIND,
		one->kind, COLUMN_MACHINE, one->machine, COLUMN_TASK, one->task, COLUMN_HITS,
		one->hits, COLUMN_SKIPPED, one->skipped, COLUMN_LOOK, LOOK_PLAIN, -1);
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	HvsBreakpointView *self = owner;
	const struct look_break_list *list = answer;

	gtk_widget_set_visible(self->note, error != NULL);
	if (error != NULL)
		gtk_label_set_text(GTK_LABEL(self->note), error->message);
	if (list == NULL)
		return;
	gtk_list_store_clear(self->store);
	for (guint i = 0; i < list->breaks->len; i++)
		add_row(self, g_ptr_array_index(list->breaks, i));
}

/* Hits and skipped stops are others now. */
static void ask(HvsBreakpointView *self)
{
	hvs_session_ask(self->session, &look_breaks, NULL, answered, self);
}

static void add_clicked(HvsBreakpointView *self)
{
	struct look_break_change *change;
	const char *address = gtk_entry_get_text(GTK_ENTRY(self->address));
	const char *task = gtk_entry_get_text(GTK_ENTRY(self->task));

	if (*address == '\0') {
		gtk_widget_grab_focus(self->address);
		return;
	}
	change = g_new0(struct look_break_change, 1);
	change->address = g_strdup(address);
	change->machine = hvs_session_selection(self->session).machine;
	change->any_machine =
		strcmp(gtk_combo_box_get_active_id(GTK_COMBO_BOX(self->machine)), "any") == 0;
	change->task = *task != '\0' ? g_strdup(task) : NULL;
	change->kind = (enum target_break_kind)atoi(
		gtk_combo_box_get_active_id(GTK_COMBO_BOX(self->kind)));
	change->len_bytes = change->kind >= TARGET_WATCH_WRITE ? 8 : 4;
	hvs_session_ask(self->session, &look_breaks, change, answered, self);
	gtk_entry_set_text(GTK_ENTRY(self->address), "");
}

static void remove_clicked(HvsBreakpointView *self)
{
	GtkTreeSelection *chosen = gtk_tree_view_get_selection(GTK_TREE_VIEW(self->view));
	struct look_break_change *change;
	GtkTreeIter row;

	if (!gtk_tree_selection_get_selected(chosen, NULL, &row))
		return;
	change = g_new0(struct look_break_change, 1);
	gtk_tree_model_get(GTK_TREE_MODEL(self->store), &row, COLUMN_ID, &change->remove, -1);
	hvs_session_ask(self->session, &look_breaks, change, answered, self);
}

static void state_taken(HvsBreakpointView *self)
{
	gtk_widget_set_sensitive(self->add, hvs_session_can(self->session, TARGET_CAN_BREAK));
}

static void hvs_breakpoint_view_dispose(GObject *object)
{
	HvsBreakpointView *self = HVS_BREAKPOINT_VIEW(object);

	g_clear_object(&self->session);
	g_clear_object(&self->store);
	G_OBJECT_CLASS(hvs_breakpoint_view_parent_class)->dispose(object);
}

static void hvs_breakpoint_view_class_init(HvsBreakpointViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_breakpoint_view_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/breakpoint-view.ui");
	COLUMNS_BIND(class, HvsBreakpointView, view);
	COLUMNS_BIND(class, HvsBreakpointView, address);
	COLUMNS_BIND(class, HvsBreakpointView, machine);
	COLUMNS_BIND(class, HvsBreakpointView, task);
	COLUMNS_BIND(class, HvsBreakpointView, kind);
	COLUMNS_BIND(class, HvsBreakpointView, add);
	COLUMNS_BIND(class, HvsBreakpointView, remove);
	COLUMNS_BIND(class, HvsBreakpointView, note);
}

static void hvs_breakpoint_view_init(HvsBreakpointView *self)
{
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->store = gtk_list_store_new(COLUMNS, G_TYPE_UINT, G_TYPE_STRING, G_TYPE_STRING,
	                                 G_TYPE_STRING, G_TYPE_STRING, G_TYPE_UINT64, G_TYPE_UINT64,
	                                 G_TYPE_INT);
	columns_add(view, _("Number"), COLUMN_ID, COLUMN_LOOK, COLUMN_RIGHT);
	columns_add(view, _("Address"), COLUMN_TEXT, COLUMN_LOOK, COLUMN_WIDE);
	columns_add(view, _("Kind"), COLUMN_KIND, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, _("Machine"), COLUMN_MACHINE, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, _("Task"), COLUMN_TASK, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, _("Hits"), COLUMN_HITS, COLUMN_LOOK, COLUMN_RIGHT);
	columns_add(view, _("Stops of others"), COLUMN_SKIPPED, COLUMN_LOOK, COLUMN_RIGHT);
	gtk_tree_view_set_model(view, GTK_TREE_MODEL(self->store));
	g_signal_connect_swapped(self->add, "clicked", G_CALLBACK(add_clicked), self);
	g_signal_connect_swapped(self->address, "activate", G_CALLBACK(add_clicked), self);
	g_signal_connect_swapped(self->task, "activate", G_CALLBACK(add_clicked), self);
	g_signal_connect_swapped(self->remove, "clicked", G_CALLBACK(remove_clicked), self);
}

GtkWidget *hvs_breakpoint_view_new(HvsSession *session)
{
	HvsBreakpointView *self = g_object_new(HVS_TYPE_BREAKPOINT_VIEW, NULL);

	self->session = g_object_ref(session);
	g_signal_connect_object(session, "stopped", G_CALLBACK(ask), self, G_CONNECT_SWAPPED);
	g_signal_connect_object(session, "state", G_CALLBACK(state_taken), self, G_CONNECT_SWAPPED);
	return GTK_WIDGET(self);
}
