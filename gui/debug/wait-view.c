#include "gui/debug/wait-view.h"

#include "gui/debug/columns.h"
#include "gui/debug/look.h"

#include <glib/gi18n.h>

enum {
	COLUMN_MACHINE,
	COLUMN_TID,
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_IN,
	COLUMN_CALL,
	COLUMN_LOOK,
	COLUMN_NUMBER,
	COLUMNS
};

struct _HvsWaitView {
	GtkBox parent_instance;
	GtkWidget *view, *look, *count;
	HvsSession *session;
	GtkListStore *store;
	guint serial; /* of the stop that is shown */
};

G_DEFINE_TYPE(HvsWaitView, hvs_wait_view, GTK_TYPE_BOX)

static gint machine_number(HvsWaitView *self, const char *name)
{
	const struct scene_system *scene = hvs_session_scene(self->session);

	for (guint i = 0; scene != NULL && i < scene->machines->len; i++) {
		const struct scene_machine *machine = g_ptr_array_index(scene->machines, i);

		if (g_strcmp0(machine->name, name) == 0)
			return (gint)machine->number;
	}
	return -1;
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	HvsWaitView *self = owner;
	const struct look_wait_list *list = answer;
	g_autofree char *text = NULL;

	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), NULL);
	gtk_list_store_clear(self->store);
	for (guint i = 0; list != NULL && i < list->waits->len; i++) {
		const struct look_wait *one = g_ptr_array_index(list->waits, i);

		gtk_list_store_insert_with_values(
			self->store, NULL, -1, COLUMN_MACHINE, one->machine, COLUMN_TID, one->tid,
			COLUMN_NAME, one->name, COLUMN_STATE, one->state, COLUMN_IN,
			one->in != NULL ? one->in : "??", COLUMN_CALL, one->call, COLUMN_LOOK,
			one->call != NULL ? LOOK_PLAIN : LOOK_FAINT, COLUMN_NUMBER,
			machine_number(self, one->machine), -1);
	}
	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), GTK_TREE_MODEL(self->store));
	text = error != NULL
	               ? g_strdup(error->message)
	               : g_strdup_printf(_("%u tasks wait"), list != NULL ? list->waits->len : 0);
	gtk_label_set_text(GTK_LABEL(self->count), text);
}

static void ask(HvsWaitView *self)
{
	self->serial = hvs_session_serial(self->session);
	hvs_session_ask(self->session, &look_waits, NULL, answered, self);
}

/* Only when it is looked at: it follows every chain. */
static void shown(HvsWaitView *self)
{
	if (self->session != NULL && self->serial != hvs_session_serial(self->session))
		ask(self);
}

static void stop_taken(HvsWaitView *self)
{
	if (gtk_widget_get_mapped(GTK_WIDGET(self)))
		ask(self);
}

static void row_activated(HvsWaitView *self, GtkTreePath *path)
{
	struct selection selection = { .vcpu = -1 };
	GtkTreeIter row;

	if (!gtk_tree_model_get_iter(GTK_TREE_MODEL(self->store), &row, path))
		return;
	gtk_tree_model_get(GTK_TREE_MODEL(self->store), &row, COLUMN_NUMBER, &selection.machine,
	                   COLUMN_TID, &selection.tid, -1);
	if (selection.machine >= 0)
		hvs_session_select(self->session, selection);
}

static void hvs_wait_view_dispose(GObject *object)
{
	HvsWaitView *self = HVS_WAIT_VIEW(object);

	g_clear_object(&self->session);
	g_clear_object(&self->store);
	G_OBJECT_CLASS(hvs_wait_view_parent_class)->dispose(object);
}

static void hvs_wait_view_class_init(HvsWaitViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_wait_view_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/wait-view.ui");
	COLUMNS_BIND(class, HvsWaitView, view);
	COLUMNS_BIND(class, HvsWaitView, look);
	COLUMNS_BIND(class, HvsWaitView, count);
}

static void hvs_wait_view_init(HvsWaitView *self)
{
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->store = gtk_list_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_INT64, G_TYPE_STRING,
	                                 G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_INT,
	                                 G_TYPE_INT);
	columns_add(view, _("Machine"), COLUMN_MACHINE, COLUMN_LOOK, COLUMN_SORTED);
	columns_add(view, _("Task"), COLUMN_TID, COLUMN_LOOK, COLUMN_SORTED | COLUMN_RIGHT);
	columns_add(view, _("Name"), COLUMN_NAME, COLUMN_LOOK, COLUMN_SORTED);
	columns_add(view, _("State"), COLUMN_STATE, COLUMN_LOOK, COLUMN_SORTED);
	columns_add(view, _("Waits in"), COLUMN_IN, COLUMN_LOOK, COLUMN_SORTED | COLUMN_WIDE);
	columns_add(view, _("System call"), COLUMN_CALL, COLUMN_LOOK, COLUMN_SORTED | COLUMN_WIDE);
	gtk_tree_view_set_model(view, GTK_TREE_MODEL(self->store));
	g_signal_connect_swapped(self->look, "clicked", G_CALLBACK(ask), self);
	g_signal_connect_swapped(view, "row-activated", G_CALLBACK(row_activated), self);
	g_signal_connect(self, "map", G_CALLBACK(shown), NULL);
}

GtkWidget *hvs_wait_view_new(HvsSession *session)
{
	HvsWaitView *self = g_object_new(HVS_TYPE_WAIT_VIEW, NULL);

	self->session = g_object_ref(session);
	g_signal_connect_object(session, "stopped", G_CALLBACK(stop_taken), self,
	                        G_CONNECT_SWAPPED);
	return GTK_WIDGET(self);
}
