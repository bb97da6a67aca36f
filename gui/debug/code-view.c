#include "gui/debug/code-view.h"

#include "gui/debug/columns.h"
#include "gui/debug/look.h"

#include <glib/gi18n.h>

enum {
	COLUMN_MARK,
	COLUMN_PLACE,
	COLUMN_TEXT,
	COLUMN_LOOK,
	COLUMNS
};

struct _HvsCodeView {
	GtkBox parent_instance;
	GtkWidget *view, *where, *source, *note;
	HvsSession *session;
	GtkListStore *code;
	GtkListStore *text; /* of the source */
	gint code_row;      /* the current one; -1: none */
	gint text_row;
};

G_DEFINE_TYPE(HvsCodeView, hvs_code_view, GTK_TYPE_BOX)

/* Returns the row that is current, or -1. */
static gint fill(GtkListStore *store, GPtrArray *lines)
{
	gint current = -1;
	gint n = 0;

	gtk_list_store_clear(store);
	for (guint i = 0; i < lines->len; i++) {
		const struct look_line *line = g_ptr_array_index(lines, i);
		g_autofree char *place =
			line->number != 0
				? g_strdup_printf("%u", line->number)
				: g_strdup_printf("0x%016" G_GINT64_MODIFIER "x", line->address);
		g_autofree char *label =
			line->label != NULL ? g_strdup_printf("%s:", line->label) : NULL;

		if (label != NULL) {
			gtk_list_store_insert_with_values(store, NULL, -1, COLUMN_PLACE, "",
			                                  COLUMN_TEXT, label, COLUMN_LOOK,
			                                  LOOK_FAINT, -1);
			n++;
		}
		if (line->current)
			current = n;
		gtk_list_store_insert_with_values(store, NULL, -1, COLUMN_MARK,
		                                  line->current ? "\342\226\266" : "", COLUMN_PLACE,
		                                  place, COLUMN_TEXT, line->text, COLUMN_LOOK,
		                                  line->current ? LOOK_STRONG : LOOK_PLAIN, -1);
		n++;
	}
	return current;
}

static void show(HvsCodeView *self)
{
	gboolean source = gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(self->source)) &&
	                  gtk_widget_get_sensitive(self->source);
	gint row = source ? self->text_row : self->code_row;

	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view),
	                        GTK_TREE_MODEL(source ? self->text : self->code));
	if (row >= 0) {
		g_autoptr(GtkTreePath) path = gtk_tree_path_new_from_indices(row, -1);

		gtk_tree_view_scroll_to_cell(GTK_TREE_VIEW(self->view), path, NULL, TRUE, 0.4f, 0);
	}
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	HvsCodeView *self = owner;
	const struct look_lines *lines = answer;
	const char *note = error != NULL ? error->message : lines != NULL ? lines->gap : NULL;

	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), NULL);
	gtk_list_store_clear(self->code);
	gtk_list_store_clear(self->text);
	self->code_row = self->text_row = -1;
	if (lines != NULL) {
		self->code_row = fill(self->code, lines->lines);
		self->text_row = fill(self->text, lines->source);
	}
	gtk_widget_set_sensitive(self->source, self->text_row >= 0);
	gtk_widget_set_visible(self->note, note != NULL);
	gtk_label_set_text(GTK_LABEL(self->note), note != NULL ? note : "");
	show(self);
}

void hvs_code_view_show(HvsCodeView *self, const struct look_frame *frame)
{
	g_autofree char *where = NULL;

	if (frame == NULL) {
		gtk_label_set_text(GTK_LABEL(self->where), "");
		answered(self, NULL, NULL);
		return;
	}
	where = g_strdup_printf(
		"%s: %s%s%s", frame->machine, frame->function != NULL ? frame->function : "??",
		frame->file != NULL ? _(", ") : "", frame->file != NULL ? frame->file : "");
	gtk_label_set_text(GTK_LABEL(self->where), where);
	hvs_session_ask(self->session, &look_code,
	                look_place_new(frame->space, frame->pc, frame->file, frame->line), answered,
	                self);
}

static void hvs_code_view_dispose(GObject *object)
{
	HvsCodeView *self = HVS_CODE_VIEW(object);

	g_clear_object(&self->session);
	g_clear_object(&self->code);
	g_clear_object(&self->text);
	G_OBJECT_CLASS(hvs_code_view_parent_class)->dispose(object);
}

static void hvs_code_view_class_init(HvsCodeViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_code_view_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/code-view.ui");
	COLUMNS_BIND(class, HvsCodeView, view);
	COLUMNS_BIND(class, HvsCodeView, where);
	COLUMNS_BIND(class, HvsCodeView, source);
	COLUMNS_BIND(class, HvsCodeView, note);
}

static GtkListStore *make_store(void)
{
	return gtk_list_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_INT);
}

static void hvs_code_view_init(HvsCodeView *self)
{
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->code = make_store();
	self->text = make_store();
	columns_add(view, "", COLUMN_MARK, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, "", COLUMN_PLACE, COLUMN_LOOK, COLUMN_MONO | COLUMN_RIGHT);
	columns_add(view, "", COLUMN_TEXT, COLUMN_LOOK, COLUMN_MONO | COLUMN_WIDE);
	gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(self->source), TRUE);
	g_signal_connect_swapped(self->source, "toggled", G_CALLBACK(show), self);
}

GtkWidget *hvs_code_view_new(HvsSession *session)
{
	HvsCodeView *self = g_object_new(HVS_TYPE_CODE_VIEW, NULL);

	self->session = g_object_ref(session);
	return GTK_WIDGET(self);
}
