#include "gui/debug/register-view.h"

#include "gui/debug/columns.h"
#include "gui/debug/look.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	COLUMN_NAME,
	COLUMN_VALUE,
	COLUMN_SOURCE,
	COLUMN_LOOK,
	COLUMNS
};

/* A register as it was seen last, and before that. */
struct memory {
	guint serial;
	guint64 value;
	gboolean has_before;
	guint64 before;
};

struct _HvsRegisterView {
	GtkBox parent_instance;
	GtkWidget *view, *note;
	HvsSession *session;
	GtkTreeStore *store;
	GHashTable *remembered; /* "1 -1 45 user x0" -> struct memory */
	GHashTable *unfolded;   /* names of registers that the user opened */
};

G_DEFINE_TYPE(HvsRegisterView, hvs_register_view, GTK_TYPE_BOX)

/* Remembers the value; TRUE where the stop before had another. */
static gboolean is_changed(HvsRegisterView *self, const struct look_register *one)
{
	const struct selection selection = hvs_session_selection(self->session);
	const guint serial = hvs_session_serial(self->session);
	g_autofree char *key =
		g_strdup_printf("%d %d %" G_GINT64_FORMAT " %s %s", selection.machine,
	                        selection.vcpu, selection.tid, one->group, one->name);
	struct memory *memory = g_hash_table_lookup(self->remembered, key);

	if (memory == NULL) {
		memory = g_new0(struct memory, 1);
		memory->serial = serial;
		memory->value = one->value;
		g_hash_table_insert(self->remembered, g_steal_pointer(&key), memory);
		return FALSE;
	}
	if (memory->serial != serial) {
		memory->serial = serial;
		memory->has_before = TRUE;
		memory->before = memory->value;
	}
	memory->value = one->value;
	return memory->has_before && memory->before != memory->value;
}

static void add_register(HvsRegisterView *self, const struct look_register *one)
{
	g_autofree char *value = g_strdup_printf("0x%016" G_GINT64_MODIFIER "x%s%s", one->value,
	                                         one->symbol != NULL ? "  " : "",
	                                         one->symbol != NULL ? one->symbol : "");
	g_autofree char *source =
		g_strdup_printf("%s%s", one->source, one->doubtful ? _(" (in doubt)") : "");
	g_autofree char *name = *one->group != '\0'
	                                ? g_strdup_printf("%s %s", one->group, one->name)
	                                : g_strdup(one->name);
	GtkTreeIter row;

	gtk_tree_store_insert_with_values(self->store, &row, NULL, -1, COLUMN_NAME, name,
	                                  COLUMN_VALUE, value, COLUMN_SOURCE, source, COLUMN_LOOK,
	                                  is_changed(self, one) ? LOOK_CHANGED
	                                  : one->doubtful       ? LOOK_FAINT
	                                                        : LOOK_PLAIN,
	                                  -1);
	for (guint i = 0; i < one->fields->len; i++)
		gtk_tree_store_insert_with_values(self->store, NULL, &row, -1, COLUMN_VALUE,
		                                  g_ptr_array_index(one->fields, i), -1);
}

/* Unfolds what the user had unfolded. */
static void restore(HvsRegisterView *self)
{
	GtkTreeModel *model = GTK_TREE_MODEL(self->store);
	GtkTreeIter row;
	gboolean any = gtk_tree_model_get_iter_first(model, &row);

	for (; any; any = gtk_tree_model_iter_next(model, &row)) {
		g_autofree char *name = NULL;
		g_autoptr(GtkTreePath) path = NULL;

		gtk_tree_model_get(model, &row, COLUMN_NAME, &name, -1);
		if (!g_hash_table_contains(self->unfolded, name))
			continue;
		path = gtk_tree_model_get_path(model, &row);
		gtk_tree_view_expand_row(GTK_TREE_VIEW(self->view), path, FALSE);
	}
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	HvsRegisterView *self = owner;
	const struct look_register_list *list = answer;
	GtkAdjustment *adjustment = gtk_scrollable_get_vadjustment(GTK_SCROLLABLE(self->view));
	const double at = gtk_adjustment_get_value(adjustment);

	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), NULL);
	gtk_tree_store_clear(self->store);
	for (guint i = 0; list != NULL && i < list->registers->len; i++)
		add_register(self, g_ptr_array_index(list->registers, i));
	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), GTK_TREE_MODEL(self->store));
	restore(self);
	gtk_adjustment_set_value(adjustment, at);
	gtk_widget_set_visible(self->note, error != NULL);
	if (error != NULL)
		gtk_label_set_text(GTK_LABEL(self->note), error->message);
}

static void selection_taken(HvsRegisterView *self)
{
	const struct selection selection = hvs_session_selection(self->session);

	hvs_session_ask(self->session, &look_registers, g_memdup2(&selection, sizeof(selection)),
	                answered, self);
}

static void note_unfolded(HvsRegisterView *self, GtkTreeIter *row, gboolean unfolded)
{
	char *name = NULL;

	gtk_tree_model_get(GTK_TREE_MODEL(self->store), row, COLUMN_NAME, &name, -1);
	if (unfolded)
		g_hash_table_add(self->unfolded, name);
	else
		g_hash_table_remove(self->unfolded, name);
	if (!unfolded)
		g_free(name);
}

static void row_unfolded(HvsRegisterView *self, GtkTreeIter *row)
{
	note_unfolded(self, row, TRUE);
}

static void row_folded(HvsRegisterView *self, GtkTreeIter *row)
{
	note_unfolded(self, row, FALSE);
}

static void hvs_register_view_dispose(GObject *object)
{
	HvsRegisterView *self = HVS_REGISTER_VIEW(object);

	g_clear_object(&self->session);
	g_clear_object(&self->store);
	g_clear_pointer(&self->remembered, g_hash_table_unref);
	g_clear_pointer(&self->unfolded, g_hash_table_unref);
	G_OBJECT_CLASS(hvs_register_view_parent_class)->dispose(object);
}

static void hvs_register_view_class_init(HvsRegisterViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_register_view_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/register-view.ui");
	COLUMNS_BIND(class, HvsRegisterView, view);
	COLUMNS_BIND(class, HvsRegisterView, note);
}

static void hvs_register_view_init(HvsRegisterView *self)
{
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->remembered = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	self->unfolded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	self->store = gtk_tree_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING,
	                                 G_TYPE_INT);
	columns_add(view, _("Register"), COLUMN_NAME, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, _("Value"), COLUMN_VALUE, COLUMN_LOOK, COLUMN_MONO | COLUMN_WIDE);
	columns_add(view, _("From"), COLUMN_SOURCE, COLUMN_LOOK, COLUMN_PLAIN);
	gtk_tree_view_set_model(view, GTK_TREE_MODEL(self->store));
	g_signal_connect_swapped(view, "row-expanded", G_CALLBACK(row_unfolded), self);
	g_signal_connect_swapped(view, "row-collapsed", G_CALLBACK(row_folded), self);
}

GtkWidget *hvs_register_view_new(HvsSession *session)
{
	HvsRegisterView *self = g_object_new(HVS_TYPE_REGISTER_VIEW, NULL);

	self->session = g_object_ref(session);
	g_signal_connect_object(session, "selected", G_CALLBACK(selection_taken), self,
	                        G_CONNECT_SWAPPED);
	return GTK_WIDGET(self);
}
