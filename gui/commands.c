#include "gui/commands.h"

#include <glib/gi18n.h>
#include <string.h>

static const struct command commands[] = {
	{ "win.open", N_("File"), N_("Open"), "<Primary>o", NULL },
	{ "win.compare", N_("File"), N_("Open a second recording below"), "<Primary><Shift>o",
	  NULL },
	{ "win.export", N_("File"), N_("Export what is shown"), "<Primary>e", NULL },
	{ "win.close-recording", N_("File"), N_("Close the recording"), "<Primary>w", NULL },
	{ "app.quit", N_("File"), N_("Quit"), "<Primary>q", NULL },
	{ "win.zoom-in", N_("Time"), N_("Zoom in"), "<Primary>plus", "w plus KP_Add" },
	{ "win.zoom-out", N_("Time"), N_("Zoom out"), "<Primary>minus", "s minus KP_Subtract" },
	{ "win.pan-left", N_("Time"), N_("Earlier"), NULL, "a Left" },
	{ "win.pan-right", N_("Time"), N_("Later"), NULL, "d Right" },
	{ "win.zoom-fit", N_("Time"), N_("Show everything"), "<Primary>0", "Home" },
	{ "win.zoom-selection", N_("Time"), N_("Zoom to the selection"), NULL, "z" },
	{ "win.focus", N_("Time"), N_("Go to the chosen interval; again: fill the window with it"),
	  NULL, "f" },
	{ "win.undo", N_("Time"), N_("Back to the range before"), "<Primary>z", "BackSpace" },
	{ "win.redo", N_("Time"), N_("Forward again"), "<Primary><Shift>z", NULL },
	{ "win.next", N_("Intervals"), N_("Next in this lane"), NULL, "period" },
	{ "win.previous", N_("Intervals"), N_("Previous in this lane"), NULL, "comma" },
	{ "win.follow", N_("Intervals"), N_("Follow the chain"), NULL, "bracketright" },
	{ "win.follow-back", N_("Intervals"), N_("Follow the chain back"), NULL, "bracketleft" },
	{ "win.choose", N_("Intervals"), N_("Choose what is in the middle of this lane"), NULL,
	  "Return KP_Enter" },
	{ "win.lane-up", N_("Intervals"), N_("Lane above"), NULL, "Up" },
	{ "win.lane-down", N_("Intervals"), N_("Lane below"), NULL, "Down" },
	{ "win.select-interval", N_("Intervals"), N_("Select the interval's range"), NULL, "r" },
	{ "win.clear", N_("Intervals"), N_("Select nothing"), NULL, "Escape" },
	{ "win.mark-a", N_("Marks"), N_("Put marker A here"), NULL, "m" },
	{ "win.mark-b", N_("Marks"), N_("Put marker B here"), "<Shift>m", NULL },
	{ "win.clear-marks", N_("Marks"), N_("Remove the markers"), NULL, NULL },
	{ "win.bookmark", N_("Marks"), N_("Bookmark with a note"), "<Primary>d", NULL },
	{ "win.next-bookmark", N_("Marks"), N_("Next bookmark"), "F2", NULL },
	{ "win.remove-bookmark", N_("Marks"), N_("Remove the nearest bookmark"), NULL, NULL },
	{ "win.fold", N_("Lanes"), N_("Fold or unfold"), NULL, "space" },
	{ "win.pin", N_("Lanes"), N_("Pin or unpin"), NULL, "p" },
	{ "win.hide", N_("Lanes"), N_("Hide"), NULL, "h" },
	{ "win.show-lanes", N_("Lanes"), N_("Show all hidden lanes"), NULL, NULL },
	{ "win.lane-raise", N_("Lanes"), N_("Move up"), "<Alt>Up", NULL },
	{ "win.lane-lower", N_("Lanes"), N_("Move down"), "<Alt>Down", NULL },
	{ "win.filter-lane", N_("Lanes"), N_("See only this domain or task"), NULL, NULL },
	{ "win.clear-filters", N_("Lanes"), N_("Remove all filters"), NULL, NULL },
	{ "win.search-lanes", N_("Lanes"), N_("Search lanes"), "<Primary>l", NULL },
	{ "win.find", N_("Find"), N_("Find"), "<Primary>f", NULL },
	{ "win.find-next", N_("Find"), N_("Next match"), "F3", NULL },
	{ "win.find-previous", N_("Find"), N_("Previous match"), "<Shift>F3", NULL },
	{ "win.page(0)", N_("Numbers"), N_("Time by owner"), "<Alt>1", NULL },
	{ "win.page(1)", N_("Numbers"), N_("The chosen interval"), "<Alt>2", NULL },
	{ "win.page(2)", N_("Numbers"), N_("Schedule"), "<Alt>3", NULL },
	{ "win.page(3)", N_("Numbers"), N_("Exits"), "<Alt>4", NULL },
	{ "win.page(4)", N_("Numbers"), N_("Latency"), "<Alt>5", NULL },
	{ "win.page(5)", N_("Numbers"), N_("Requests"), "<Alt>6", NULL },
	{ "win.page(6)", N_("Numbers"), N_("Events"), "<Alt>7", NULL },
	{ "win.page(7)", N_("Numbers"), N_("Durations"), "<Alt>8", NULL },
	{ "win.debug-connect", N_("Debugger"), N_("Connect to a target or a dump"), "<Primary>t",
	  NULL },
	{ "win.debug-disconnect", N_("Debugger"), N_("Disconnect"), NULL, NULL },
	{ "win.debug-run", N_("Debugger"), N_("Run"), "F5", NULL },
	{ "win.debug-halt", N_("Debugger"), N_("Halt"), "F6", NULL },
	{ "win.debug-step", N_("Debugger"), N_("Step one instruction"), "F7", NULL },
	{ "win.debug-next", N_("Debugger"), N_("Step over calls"), "F8", NULL },
	{ "win.debug-finish", N_("Debugger"), N_("Finish the function"), "<Shift>F8", NULL },
	{ "win.debug-freeze", N_("Debugger"), N_("Freeze: save everything as a dump"), NULL, NULL },
	{ "win.debug-cancel", N_("Debugger"), N_("Cancel what is asked of the target"), NULL,
	  NULL },
	{ "win.debug-tasks", N_("Debugger"), N_("Find a task"), "<Primary><Shift>t", NULL },
	{ "win.debug-console", N_("Debugger"), N_("Console"), "<Primary><Shift>c", NULL },
	{ "win.debug-timeline", N_("Debugger"), N_("Last run of the selected task"), "<Primary>r",
	  NULL },
	{ "win.palette", N_("Window"), N_("Command palette"), "<Primary><Shift>p", NULL },
	{ "win.show-help-overlay", N_("Window"), N_("Keys and gestures"), "<Primary>F1",
	  "question" },
	{ "win.grid", N_("Window"), N_("Grid lines"), NULL, "g" },
	{ "win.relative", N_("Window"), N_("Count from marker A"), NULL, NULL },
	{ "win.dark", N_("Window"), N_("Dark"), NULL, NULL },
	{ "win.colour::domain", N_("Window"), N_("Colour by domain"), NULL, NULL },
	{ "win.colour::el", N_("Window"), N_("Colour by exception level"), NULL, NULL },
	{ "win.colour::task", N_("Window"), N_("Colour by task"), NULL, NULL },
	{ "win.colour::core", N_("Window"), N_("Colour by processor"), NULL, NULL },
	{ "win.colour::reason", N_("Window"), N_("Colour by exit reason"), NULL, NULL },
	{ "win.fullscreen", N_("Window"), N_("Full screen"), "F11", NULL },
	{ "win.save-view(0)", N_("Views"), N_("Save view 1"), "<Primary><Shift>1", NULL },
	{ "win.save-view(1)", N_("Views"), N_("Save view 2"), "<Primary><Shift>2", NULL },
	{ "win.save-view(2)", N_("Views"), N_("Save view 3"), "<Primary><Shift>3", NULL },
	{ "win.save-view(3)", N_("Views"), N_("Save view 4"), "<Primary><Shift>4", NULL },
	{ "win.save-view(4)", N_("Views"), N_("Save view 5"), "<Primary><Shift>5", NULL },
	{ "win.restore-view(0)", N_("Views"), N_("Go to view 1"), "<Primary>1", NULL },
	{ "win.restore-view(1)", N_("Views"), N_("Go to view 2"), "<Primary>2", NULL },
	{ "win.restore-view(2)", N_("Views"), N_("Go to view 3"), "<Primary>3", NULL },
	{ "win.restore-view(3)", N_("Views"), N_("Go to view 4"), "<Primary>4", NULL },
	{ "win.restore-view(4)", N_("Views"), N_("Go to view 5"), "<Primary>5", NULL },
};

const struct command *commands_all(guint *n)
{
	*n = G_N_ELEMENTS(commands);
	return commands;
}

void commands_install_accels(GtkApplication *application)
{
	for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
		const char *accels[] = { commands[i].accel, NULL };

		/* A capital letter alone would be stolen from every entry. */
		if (commands[i].accel != NULL && !g_str_has_prefix(commands[i].accel, "<Shift>m"))
			gtk_application_set_accels_for_action(application, commands[i].action,
			                                      accels);
	}
}

const struct command *commands_of_key(const GdkEventKey *event)
{
	const guint modifiers = event->state & gtk_accelerator_get_default_mod_mask();

	if (event->keyval == GDK_KEY_M && modifiers == GDK_SHIFT_MASK) {
		for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
			if (strcmp(commands[i].action, "win.mark-b") == 0)
				return &commands[i];
		}
	}
	if ((modifiers & ~(guint)GDK_SHIFT_MASK) != 0)
		return NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_auto(GStrv) keys =
			g_strsplit(commands[i].keys != NULL ? commands[i].keys : "", " ", -1);

		for (gsize k = 0; keys[k] != NULL; k++) {
			if (*keys[k] != '\0' && gdk_keyval_from_name(keys[k]) == event->keyval)
				return &commands[i];
		}
	}
	return NULL;
}

void command_run(const struct command *command, GtkWidget *window)
{
	g_autofree char *name = NULL;
	g_autoptr(GVariant) target = NULL;
	g_autoptr(GError) error = NULL;
	GActionGroup *group = G_ACTION_GROUP(window);
	const char *action;

	if (!g_action_parse_detailed_name(command->action, &name, &target, &error))
		return;
	action = strchr(name, '.') + 1;
	if (g_str_has_prefix(name, "app."))
		group = G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window)));
	/* A switch has no target: activating it turns it over. */
	g_action_group_activate_action(group, action, target);
}

static void append_shortcut(GString *xml, const struct command *command)
{
	g_autofree char *title = g_markup_escape_text(_(command->title), -1);
	g_autofree char *keys = g_strdup(command->accel != NULL ? command->accel : command->keys);
	g_autofree char *escaped = NULL;
	g_auto(GStrv) words = g_strsplit(keys, " ", 2);

	escaped = g_markup_escape_text(words[0], -1);
	g_string_append_printf(xml,
	                       "<child><object class='GtkShortcutsShortcut'><property "
	                       "name='visible'>1</property><property name='accelerator'>%s"
	                       "</property><property name='title'>%s</property></object></child>",
	                       escaped, title);
}

GtkWidget *commands_shortcuts_window(void)
{
	g_autoptr(GString) xml = g_string_new(
		"<interface><object class='GtkShortcutsWindow' id='window'><property "
		"name='modal'>1</property><child><object class='GtkShortcutsSection'><property "
		"name='visible'>1</property><property name='section-name'>all</property><property "
		"name='max-height'>14</property>");
	g_autoptr(GtkBuilder) builder = NULL;
	const char *group = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (commands[i].accel == NULL && commands[i].keys == NULL)
			continue;
		if (g_strcmp0(group, commands[i].group) != 0) {
			g_autofree char *title = g_markup_escape_text(_(commands[i].group), -1);

			if (group != NULL)
				g_string_append(xml, "</object></child>");
			group = commands[i].group;
			g_string_append_printf(
				xml,
				"<child><object class='GtkShortcutsGroup'><property "
				"name='visible'>1</property><property name='title'>%s</property>",
				title);
		}
		append_shortcut(xml, &commands[i]);
	}
	g_string_append(xml, "</object></child></object></child></object></interface>");
	builder = gtk_builder_new_from_string(xml->str, -1);
	return g_object_ref(GTK_WIDGET(gtk_builder_get_object(builder, "window")));
}

/* The palette's dialog. */
struct palette {
	GtkWidget *dialog;
	GtkWidget *entry;
	GtkWidget *list;
};

static gboolean palette_fits(GtkListBoxRow *row, gpointer data)
{
	const struct palette *self = data;
	const struct command *command = g_object_get_data(G_OBJECT(row), "command");
	g_autofree char *title = g_utf8_casefold(_(command->title), -1);
	g_autofree char *typed = g_utf8_casefold(gtk_entry_get_text(GTK_ENTRY(self->entry)), -1);
	g_auto(GStrv) words = g_strsplit(typed, " ", -1);

	for (gsize i = 0; words[i] != NULL; i++) {
		if (strstr(title, words[i]) == NULL)
			return FALSE;
	}
	return TRUE;
}

static void palette_typed(struct palette *self)
{
	gtk_list_box_invalidate_filter(GTK_LIST_BOX(self->list));
	for (gint i = 0;; i++) {
		GtkListBoxRow *row = gtk_list_box_get_row_at_index(GTK_LIST_BOX(self->list), i);

		if (row == NULL)
			break;
		if (palette_fits(row, self)) {
			gtk_list_box_select_row(GTK_LIST_BOX(self->list), row);
			break;
		}
	}
}

static void palette_chosen(struct palette *self)
{
	gtk_dialog_response(GTK_DIALOG(self->dialog), GTK_RESPONSE_ACCEPT);
}

static GtkWidget *palette_row(const struct command *command)
{
	GtkWidget *row = gtk_list_box_row_new();
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
	GtkWidget *title = gtk_label_new(_(command->title));
	guint key = 0;
	GdkModifierType modifiers = 0;

	g_object_set_data(G_OBJECT(row), "command", (gpointer)command);
	g_object_set(box, "margin", 6, NULL);
	gtk_box_pack_start(GTK_BOX(box), title, FALSE, FALSE, 0);
	if (command->accel != NULL)
		gtk_accelerator_parse(command->accel, &key, &modifiers);
	if (key != 0) {
		g_autofree char *label = gtk_accelerator_get_label(key, modifiers);
		GtkWidget *accel = gtk_label_new(label);

		gtk_style_context_add_class(gtk_widget_get_style_context(accel), "dim-label");
		gtk_box_pack_end(GTK_BOX(box), accel, FALSE, FALSE, 0);
	}
	gtk_container_add(GTK_CONTAINER(row), box);
	return row;
}

void commands_palette_run(GtkWindow *parent)
{
	struct palette self = { .dialog = gtk_dialog_new_with_buttons(
					_("Command palette"), parent,
					GTK_DIALOG_MODAL | GTK_DIALOG_USE_HEADER_BAR |
						GTK_DIALOG_DESTROY_WITH_PARENT,
					NULL, NULL) };
	GtkWidget *box = gtk_dialog_get_content_area(GTK_DIALOG(self.dialog));
	GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);
	const struct command *command = NULL;
	GtkListBoxRow *row;

	self.entry = gtk_search_entry_new();
	self.list = gtk_list_box_new();
	for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
		gtk_container_add(GTK_CONTAINER(self.list), palette_row(&commands[i]));
	gtk_list_box_set_filter_func(GTK_LIST_BOX(self.list), palette_fits, &self, NULL);
	g_signal_connect_swapped(self.entry, "changed", G_CALLBACK(palette_typed), &self);
	g_signal_connect_swapped(self.entry, "activate", G_CALLBACK(palette_chosen), &self);
	g_signal_connect_swapped(self.list, "row-activated", G_CALLBACK(palette_chosen), &self);
	gtk_container_add(GTK_CONTAINER(scrolled), self.list);
	gtk_box_pack_start(GTK_BOX(box), self.entry, FALSE, FALSE, 6);
	gtk_box_pack_start(GTK_BOX(box), scrolled, TRUE, TRUE, 0);
	gtk_window_set_default_size(GTK_WINDOW(self.dialog), 460, 420);
	gtk_widget_show_all(self.dialog);
	palette_typed(&self);
	if (gtk_dialog_run(GTK_DIALOG(self.dialog)) == GTK_RESPONSE_ACCEPT) {
		row = gtk_list_box_get_selected_row(GTK_LIST_BOX(self.list));
		if (row != NULL && palette_fits(row, &self))
			command = g_object_get_data(G_OBJECT(row), "command");
	}
	g_signal_handlers_disconnect_by_data(self.entry, &self);
	gtk_list_box_set_filter_func(GTK_LIST_BOX(self.list), NULL, NULL, NULL);
	gtk_widget_destroy(self.dialog);
	if (command != NULL)
		command_run(command, GTK_WIDGET(parent));
}
