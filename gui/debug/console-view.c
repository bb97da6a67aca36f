#include "gui/debug/console-view.h"

#include "gui/debug/look.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	OUTPUT_MAX_CHARS = 1 << 20, /* older text goes */
	ANSWER_MAX_BYTES = 1 << 18  /* of one command */
};

struct _HvsConsoleView {
	GtkBox parent_instance;
	GtkWidget *text, *entry;
	HvsSession *session;
	GPtrArray *history; /* char * */
	guint at;           /* index in it; its length: what is being typed */
};

G_DEFINE_TYPE(HvsConsoleView, hvs_console_view, GTK_TYPE_BOX)

static void print(HvsConsoleView *self, const char *said)
{
	GtkTextBuffer *buffer = gtk_text_view_get_buffer(GTK_TEXT_VIEW(self->text));
	g_autofree char *valid =
		g_utf8_make_valid(said, (gssize)MIN(strlen(said), ANSWER_MAX_BYTES));
	GtkTextIter end;
	gint extra = gtk_text_buffer_get_char_count(buffer) - OUTPUT_MAX_CHARS;

	if (extra > 0) {
		GtkTextIter start;

		gtk_text_buffer_get_start_iter(buffer, &start);
		gtk_text_buffer_get_iter_at_offset(buffer, &end, extra);
		gtk_text_buffer_delete(buffer, &start, &end);
	}
	gtk_text_buffer_get_end_iter(buffer, &end);
	gtk_text_buffer_insert(buffer, &end, valid, -1);
	if (strlen(said) > ANSWER_MAX_BYTES)
		gtk_text_buffer_insert(buffer, &end, _("\n(the rest is left out)\n"), -1);
	gtk_text_buffer_place_cursor(buffer, &end);
	gtk_text_view_scroll_mark_onscreen(GTK_TEXT_VIEW(self->text),
	                                   gtk_text_buffer_get_insert(buffer));
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	if (answer != NULL)
		print(owner, answer);
	if (error != NULL) {
		print(owner, error->message);
		print(owner, "\n");
	}
}

static void entered(HvsConsoleView *self)
{
	const char *line = gtk_entry_get_text(GTK_ENTRY(self->entry));
	g_autofree char *echo = g_strdup_printf("> %s\n", line);

	if (*line == '\0')
		return;
	print(self, echo);
	if (hvs_session_state(self->session) != SESSION_STOPPED) {
		print(self, _("The target is not halted.\n"));
		return;
	}
	g_ptr_array_add(self->history, g_strdup(line));
	self->at = self->history->len;
	hvs_session_ask(self->session, &look_command,
	                look_command_new(line, hvs_session_selection(self->session), FALSE),
	                answered, self);
	gtk_entry_set_text(GTK_ENTRY(self->entry), "");
}

static gsize common_length(char **words)
{
	gsize n = strlen(words[0]);

	for (gsize i = 1; words[i] != NULL; i++) {
		gsize same = 0;

		while (same < n && words[i][same] == words[0][same])
			same++;
		n = same;
	}
	return n;
}

/* One way on is taken, several are shown. */
static void completed(gpointer owner, gpointer answer, const GError *error)
{
	HvsConsoleView *self = owner;
	const char *line = gtk_entry_get_text(GTK_ENTRY(self->entry));
	const char *word = strrchr(line, ' ');
	g_auto(GStrv) words = NULL;
	g_autofree char *whole = NULL;

	if (answer == NULL || error != NULL || *(const char *)answer == '\0')
		return;
	word = word != NULL ? word + 1 : line;
	words = g_strsplit(answer, "\n", -1);
	if (!g_str_has_prefix(words[0], word))
		return;
	whole = g_strdup_printf("%.*s%.*s", (int)(word - line), line, (int)common_length(words),
	                        words[0]);
	if (words[1] != NULL && strcmp(whole, line) == 0) {
		print(self, answer);
		print(self, "\n");
	}
	gtk_entry_set_text(GTK_ENTRY(self->entry), whole);
	gtk_editable_set_position(GTK_EDITABLE(self->entry), -1);
}

static void step_history(HvsConsoleView *self, gint by)
{
	guint at = (guint)CLAMP((gint)self->at + by, 0, (gint)self->history->len);

	self->at = at;
	gtk_entry_set_text(GTK_ENTRY(self->entry),
	                   at < self->history->len ? g_ptr_array_index(self->history, at) : "");
	gtk_editable_set_position(GTK_EDITABLE(self->entry), -1);
}

static gboolean key_pressed(HvsConsoleView *self, GdkEventKey *event)
{
	if (event->keyval == GDK_KEY_Up || event->keyval == GDK_KEY_Down) {
		step_history(self, event->keyval == GDK_KEY_Up ? -1 : 1);
		return GDK_EVENT_STOP;
	}
	if (event->keyval == GDK_KEY_Tab && (event->state & GDK_MODIFIER_MASK) == 0) {
		hvs_session_ask(self->session, &look_command,
		                look_command_new(gtk_entry_get_text(GTK_ENTRY(self->entry)),
		                                 hvs_session_selection(self->session), TRUE),
		                completed, self);
		return GDK_EVENT_STOP;
	}
	return GDK_EVENT_PROPAGATE;
}

static void hvs_console_view_dispose(GObject *object)
{
	HvsConsoleView *self = HVS_CONSOLE_VIEW(object);

	g_clear_object(&self->session);
	g_clear_pointer(&self->history, g_ptr_array_unref);
	G_OBJECT_CLASS(hvs_console_view_parent_class)->dispose(object);
}

static void hvs_console_view_class_init(HvsConsoleViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_console_view_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/console-view.ui");
	gtk_widget_class_bind_template_child_full(GTK_WIDGET_CLASS(class), "text", FALSE,
	                                          G_STRUCT_OFFSET(HvsConsoleView, text));
	gtk_widget_class_bind_template_child_full(GTK_WIDGET_CLASS(class), "entry", FALSE,
	                                          G_STRUCT_OFFSET(HvsConsoleView, entry));
}

static void hvs_console_view_init(HvsConsoleView *self)
{
	gtk_widget_init_template(GTK_WIDGET(self));
	self->history = g_ptr_array_new_with_free_func(g_free);
	g_signal_connect_swapped(self->entry, "activate", G_CALLBACK(entered), self);
	g_signal_connect_swapped(self->entry, "key-press-event", G_CALLBACK(key_pressed), self);
}

GtkWidget *hvs_console_view_new(HvsSession *session)
{
	HvsConsoleView *self = g_object_new(HVS_TYPE_CONSOLE_VIEW, NULL);

	self->session = g_object_ref(session);
	return GTK_WIDGET(self);
}
