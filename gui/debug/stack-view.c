#include "gui/debug/stack-view.h"

#include "gui/debug/columns.h"
#include "gui/debug/look.h"

#include <glib/gi18n.h>

enum {
	COLUMN_MACHINE,
	COLUMN_FUNCTION,
	COLUMN_PC,
	COLUMN_FILE,
	COLUMN_LOOK,
	COLUMNS
};

struct _HvsStackView {
	GtkBox parent_instance;
	GtkWidget *view, *note;
	HvsSession *session;
	GtkListStore *store;
	GPtrArray *frames; /* struct look_frame, copies */
};

G_DEFINE_TYPE(HvsStackView, hvs_stack_view, GTK_TYPE_BOX)

static guint signal_frame;

static void free_frame(gpointer data)
{
	struct look_frame *self = data;

	g_free(self->machine);
	g_free(self->space);
	g_free(self->function);
	g_free(self->file);
	g_free(self);
}

static void keep_frame(HvsStackView *self, const struct look_frame *frame)
{
	struct look_frame *copy = g_memdup2(frame, sizeof(*frame));

	copy->machine = g_strdup(frame->machine);
	copy->space = g_strdup(frame->space);
	copy->function = g_strdup(frame->function);
	copy->file = g_strdup(frame->file);
	g_ptr_array_add(self->frames, copy);
}

static void add_frame(HvsStackView *self, const struct look_frame *frame)
{
	g_autofree char *pc = g_strdup_printf("0x%016" G_GINT64_MODIFIER "x", frame->pc);
	g_autofree char *base = frame->file != NULL ? g_path_get_basename(frame->file) : NULL;
	g_autofree char *file =
		base != NULL ? g_strdup_printf("%s:%u", base, frame->line) : g_strdup("");
	g_autofree char *machine =
		frame->border != NULL ? g_strdup_printf("%s, %s", frame->machine, frame->border)
				      : g_strdup(frame->machine);
	g_autofree char *function =
		g_strdup_printf("%s%s", frame->function != NULL ? frame->function : "??",
	                        frame->inlined ? _(" (inlined)") : "");

	gtk_list_store_insert_with_values(self->store, NULL, -1, COLUMN_MACHINE, machine,
	                                  COLUMN_FUNCTION, function, COLUMN_PC, pc, COLUMN_FILE,
	                                  file, COLUMN_LOOK,
	                                  frame->border != NULL ? LOOK_STRONG : LOOK_PLAIN, -1);
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	HvsStackView *self = owner;
	const struct look_frames *chain = answer;
	g_autofree char *note = NULL;

	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), NULL);
	gtk_list_store_clear(self->store);
	g_ptr_array_set_size(self->frames, 0);
	for (guint i = 0; chain != NULL && i < chain->frames->len; i++) {
		add_frame(self, g_ptr_array_index(chain->frames, i));
		keep_frame(self, g_ptr_array_index(chain->frames, i));
	}
	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), GTK_TREE_MODEL(self->store));
	if (error != NULL)
		note = g_strdup(error->message);
	else if (chain != NULL && !chain->whole)
		note = g_strdup_printf(_("The chain ends here: %s"), chain->end);
	gtk_widget_set_visible(self->note, note != NULL);
	gtk_label_set_text(GTK_LABEL(self->note), note != NULL ? note : "");
	if (self->frames->len > 0) {
		g_autoptr(GtkTreePath) first = gtk_tree_path_new_first();

		gtk_tree_view_set_cursor(GTK_TREE_VIEW(self->view), first, NULL, FALSE);
	} else {
		g_signal_emit(self, signal_frame, 0, NULL);
	}
}

static void selection_taken(HvsStackView *self)
{
	const struct selection selection = hvs_session_selection(self->session);

	hvs_session_ask(self->session, &look_stack, g_memdup2(&selection, sizeof(selection)),
	                answered, self);
}

static void row_chosen(HvsStackView *self, GtkTreeSelection *chosen)
{
	g_autoptr(GtkTreePath) path = NULL;
	GtkTreeModel *model;
	GtkTreeIter row;
	guint index;

	if (self->frames == NULL || !gtk_tree_selection_get_selected(chosen, &model, &row))
		return;
	path = gtk_tree_model_get_path(model, &row);
	index = (guint)gtk_tree_path_get_indices(path)[0];
	if (index < self->frames->len)
		g_signal_emit(self, signal_frame, 0, g_ptr_array_index(self->frames, index));
}

static void hvs_stack_view_dispose(GObject *object)
{
	HvsStackView *self = HVS_STACK_VIEW(object);

	g_clear_object(&self->session);
	g_clear_object(&self->store);
	g_clear_pointer(&self->frames, g_ptr_array_unref);
	G_OBJECT_CLASS(hvs_stack_view_parent_class)->dispose(object);
}

static void hvs_stack_view_class_init(HvsStackViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_stack_view_dispose;
	signal_frame = g_signal_new("frame", HVS_TYPE_STACK_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
	                            NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/stack-view.ui");
	COLUMNS_BIND(class, HvsStackView, view);
	COLUMNS_BIND(class, HvsStackView, note);
}

static void hvs_stack_view_init(HvsStackView *self)
{
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->frames = g_ptr_array_new_with_free_func(free_frame);
	self->store = gtk_list_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING,
	                                 G_TYPE_STRING, G_TYPE_INT);
	columns_add(view, _("Machine"), COLUMN_MACHINE, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, _("Function"), COLUMN_FUNCTION, COLUMN_LOOK, COLUMN_WIDE);
	columns_add(view, _("Address"), COLUMN_PC, COLUMN_LOOK, COLUMN_MONO);
	columns_add(view, _("Line"), COLUMN_FILE, COLUMN_LOOK, COLUMN_PLAIN);
	gtk_tree_view_set_model(view, GTK_TREE_MODEL(self->store));
	g_signal_connect_swapped(gtk_tree_view_get_selection(view), "changed",
	                         G_CALLBACK(row_chosen), self);
}

GtkWidget *hvs_stack_view_new(HvsSession *session)
{
	HvsStackView *self = g_object_new(HVS_TYPE_STACK_VIEW, NULL);

	self->session = g_object_ref(session);
	g_signal_connect_object(session, "selected", G_CALLBACK(selection_taken), self,
	                        G_CONNECT_SWAPPED);
	return GTK_WIDGET(self);
}
