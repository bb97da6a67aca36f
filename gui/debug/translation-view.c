#include "gui/debug/translation-view.h"

#include "gui/debug/columns.h"
#include "gui/debug/look.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	COLUMN_STEP,
	COLUMN_IPA,
	COLUMN_PA,
	COLUMN_DESCRIPTOR,
	COLUMN_LOOK,
	COLUMN_ADDRESS,
	COLUMNS
};

struct _HvsTranslationView {
	GtkBox parent_instance;
	GtkWidget *view, *address, *note;
	HvsSession *session;
	GtkListStore *store;
	char *asked;
};

G_DEFINE_TYPE(HvsTranslationView, hvs_translation_view, GTK_TYPE_BOX)

static guint signal_address;

static void add_step(HvsTranslationView *self, const struct look_step *step)
{
	g_autofree char *name = g_strdup_printf(
		_("%sstage %u, level %d"), step->for_table ? "    " : "", step->stage, step->level);
	g_autofree char *ipa = step->stage == 1 && step->ipa != step->pa
	                               ? g_strdup_printf("ipa:0x%" G_GINT64_MODIFIER "x", step->ipa)
	                               : g_strdup("");
	g_autofree char *pa = g_strdup_printf("pa:0x%" G_GINT64_MODIFIER "x", step->pa);
	g_autofree char *descriptor =
		g_strdup_printf("0x%016" G_GINT64_MODIFIER "x", step->descriptor);

	gtk_list_store_insert_with_values(self->store, NULL, -1, COLUMN_STEP, name, COLUMN_IPA, ipa,
	                                  COLUMN_PA, pa, COLUMN_DESCRIPTOR, descriptor, COLUMN_LOOK,
	                                  step->for_table ? LOOK_FAINT : LOOK_PLAIN, COLUMN_ADDRESS,
	                                  pa, -1);
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	HvsTranslationView *self = owner;
	const struct look_walk *walk = answer;
	g_autoptr(GString) text = g_string_new(error != NULL ? error->message : "");

	gtk_list_store_clear(self->store);
	for (guint i = 0; walk != NULL && i < walk->steps->len; i++)
		add_step(self, g_ptr_array_index(walk->steps, i));
	for (guint i = 0; walk != NULL && i < walk->result->len; i++)
		g_string_append_printf(text, "%s%s", i > 0 ? "\n" : "",
		                       (const char *)g_ptr_array_index(walk->result, i));
	gtk_label_set_text(GTK_LABEL(self->note), text->str);
}

static void ask(HvsTranslationView *self)
{
	if (self->asked != NULL && *self->asked != '\0')
		hvs_session_ask(self->session, &look_translation, g_strdup(self->asked), answered,
		                self);
}

void hvs_translation_view_go(HvsTranslationView *self, const char *address)
{
	g_free(self->asked);
	self->asked = g_strdup(address);
	gtk_entry_set_text(GTK_ENTRY(self->address), self->asked);
	ask(self);
}

static void entered(HvsTranslationView *self)
{
	const char *text = gtk_entry_get_text(GTK_ENTRY(self->address));
	g_autofree char *space = hvs_session_space(self->session);
	g_autofree char *whole = strstr(text, "::") != NULL || g_str_has_prefix(text, "pa:")
	                                 ? g_strdup(text)
	                                 : g_strconcat(space, text, NULL);

	hvs_translation_view_go(self, whole);
}

static void row_activated(HvsTranslationView *self, GtkTreePath *path)
{
	g_autofree char *address = NULL;
	GtkTreeIter row;

	if (!gtk_tree_model_get_iter(GTK_TREE_MODEL(self->store), &row, path))
		return;
	gtk_tree_model_get(GTK_TREE_MODEL(self->store), &row, COLUMN_ADDRESS, &address, -1);
	g_signal_emit(self, signal_address, 0, address);
}

static void hvs_translation_view_dispose(GObject *object)
{
	HvsTranslationView *self = HVS_TRANSLATION_VIEW(object);

	g_clear_object(&self->session);
	g_clear_object(&self->store);
	g_clear_pointer(&self->asked, g_free);
	G_OBJECT_CLASS(hvs_translation_view_parent_class)->dispose(object);
}

static void hvs_translation_view_class_init(HvsTranslationViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_translation_view_dispose;
	signal_address = g_signal_new("address", HVS_TYPE_TRANSLATION_VIEW, G_SIGNAL_RUN_LAST, 0,
	                              NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/translation-view.ui");
	COLUMNS_BIND(class, HvsTranslationView, view);
	COLUMNS_BIND(class, HvsTranslationView, address);
	COLUMNS_BIND(class, HvsTranslationView, note);
}

static void hvs_translation_view_init(HvsTranslationView *self)
{
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->store = gtk_list_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING,
	                                 G_TYPE_STRING, G_TYPE_INT, G_TYPE_STRING);
	columns_add(view, _("Step"), COLUMN_STEP, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, _("Guest physical"), COLUMN_IPA, COLUMN_LOOK, COLUMN_MONO);
	columns_add(view, _("Physical"), COLUMN_PA, COLUMN_LOOK, COLUMN_MONO);
	columns_add(view, _("Descriptor"), COLUMN_DESCRIPTOR, COLUMN_LOOK,
	            COLUMN_MONO | COLUMN_WIDE);
	gtk_tree_view_set_model(view, GTK_TREE_MODEL(self->store));
	g_signal_connect_swapped(view, "row-activated", G_CALLBACK(row_activated), self);
	g_signal_connect_swapped(self->address, "activate", G_CALLBACK(entered), self);
}

GtkWidget *hvs_translation_view_new(HvsSession *session)
{
	HvsTranslationView *self = g_object_new(HVS_TYPE_TRANSLATION_VIEW, NULL);

	self->session = g_object_ref(session);
	g_signal_connect_object(session, "selected", G_CALLBACK(ask), self, G_CONNECT_SWAPPED);
	return GTK_WIDGET(self);
}
