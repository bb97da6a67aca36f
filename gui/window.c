#include "gui/window-private.h"

#include "analysis/picture/page.h"
#include "gui/commands.h"
#include "gui/marks-file.h"

#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

G_DEFINE_TYPE(HvsWindow, hvs_window, GTK_TYPE_APPLICATION_WINDOW)

HvsTimeline *window_timeline(HvsWindow *self)
{
	if (self->second_timeline != NULL &&
	    gtk_widget_has_focus(GTK_WIDGET(self->second_timeline)))
		return self->second_timeline;
	return self->timeline;
}

HvsDocument *window_document(HvsWindow *self)
{
	return window_timeline(self) == self->second_timeline ? self->second : self->document;
}

void hvs_window_say(HvsWindow *self, GtkMessageType type, const char *message)
{
	AtkObject *accessible = gtk_widget_get_accessible(self->message_bar);

	gtk_info_bar_set_message_type(GTK_INFO_BAR(self->message_bar), type);
	gtk_label_set_text(GTK_LABEL(self->message), message);
	gtk_info_bar_set_revealed(GTK_INFO_BAR(self->message_bar), TRUE);
	atk_object_set_name(accessible, message);
}

static void unsay(HvsWindow *self)
{
	gtk_info_bar_set_revealed(GTK_INFO_BAR(self->message_bar), FALSE);
}

static void document_failed(HvsWindow *self, const char *message)
{
	hvs_window_say(self, GTK_MESSAGE_ERROR, message);
}

static void chip_clicked(GtkWidget *chip, HvsWindow *self)
{
	g_autofree char *name = g_strdup(g_object_get_data(G_OBJECT(chip), "filter"));

	hvs_document_remove_filter(self->document, name);
}

static void remove_child(GtkWidget *child, gpointer data)
{
	(void)data;
	gtk_widget_destroy(child);
}

/* Filters as buttons that remove them. Made again only when they are others. */
static void update_chips(HvsWindow *self)
{
	const GPtrArray *filters = hvs_document_filters(self->document);
	g_autoptr(GString) now = g_string_new(NULL);
	const char *before = g_object_get_data(G_OBJECT(self->chips), "filters");

	for (guint i = 0; i < filters->len; i++)
		g_string_append_printf(now, "%s\n", (const char *)filters->pdata[i]);
	if (g_strcmp0(before, now->str) == 0)
		return;
	g_object_set_data_full(G_OBJECT(self->chips), "filters", g_strdup(now->str), g_free);
	gtk_container_foreach(GTK_CONTAINER(self->chips), remove_child, NULL);
	for (guint i = 0; i < filters->len; i++) {
		const char *name = filters->pdata[i];
		g_autofree char *label = g_strdup_printf(_("only %s  \303\227"), name);
		GtkWidget *chip = gtk_button_new_with_label(label);

		g_object_set_data_full(G_OBJECT(chip), "filter", g_strdup(name), g_free);
		gtk_widget_set_tooltip_text(chip, _("Remove this filter"));
		g_signal_connect(chip, "clicked", G_CALLBACK(chip_clicked), self);
		gtk_container_add(GTK_CONTAINER(self->chips), chip);
	}
	gtk_widget_set_visible(self->chips, filters->len > 0);
	gtk_widget_show_all(self->chips);
	gtk_widget_set_visible(self->chips, filters->len > 0);
}

/* What is not dark: high contrast where the desktop has that. */
enum theme_kind window_bright_theme(void)
{
	g_autofree char *name = NULL;

	g_object_get(gtk_settings_get_default(), "gtk-theme-name", &name, NULL);
	return name != NULL && g_str_has_prefix(name, "HighContrast") ? THEME_CONTRAST
	                                                              : THEME_LIGHT;
}

void window_apply_theme(HvsWindow *self)
{
	g_object_set(gtk_settings_get_default(), "gtk-application-prefer-dark-theme",
	             self->theme == THEME_DARK, NULL);
	hvs_timeline_set_theme(self->timeline, self->theme);
	hvs_overview_set_theme(self->overview, self->theme);
	if (self->second_timeline != NULL)
		hvs_timeline_set_theme(self->second_timeline, self->theme);
	if (self->document != NULL)
		hvs_document_set_look(self->document, hvs_document_colour_by(self->document),
		                      self->theme);
	if (self->second != NULL)
		hvs_document_set_look(self->second, hvs_document_colour_by(self->second),
		                      self->theme);
}

static void close_second(HvsWindow *self)
{
	if (self->second_timeline == NULL)
		return;
	gtk_widget_destroy(gtk_widget_get_parent(GTK_WIDGET(self->second_timeline)));
	self->second_timeline = NULL;
	g_clear_object(&self->second);
}

void window_close(HvsWindow *self)
{
	g_autoptr(GError) error = NULL;

	window_find_clear(self);
	close_second(self);
	if (self->document == NULL)
		return;
	if (!marks_file_save(self->document, self->view, &error))
		g_message("%s", error->message);
	g_signal_handler_disconnect(self->document, self->failed_handler);
	g_signal_handler_disconnect(self->document, self->changed_handler);
	hvs_timeline_set(self->timeline, NULL, NULL);
	hvs_overview_set(self->overview, NULL, NULL);
	hvs_inspector_set(self->inspector, NULL, NULL, NULL);
	g_clear_object(&self->document);
	gtk_stack_set_visible_child_name(GTK_STACK(self->stack), "empty");
	gtk_window_set_title(GTK_WINDOW(self), "hvscope");
	window_update_actions(self);
}

static void say_coverage(HvsWindow *self)
{
	recording_reader *reader = hvs_document_reader(self->document);
	g_autofree char *note = page_time_note(reader);
	g_autofree char *coverage = NULL;
	g_autoptr(GError) error = NULL;
	struct axis axis;

	axis_init(&axis, reader);
	coverage = page_coverage(reader, &axis, &error);
	gtk_label_set_text(GTK_LABEL(self->coverage), coverage != NULL ? coverage : error->message);
	gtk_label_set_text(GTK_LABEL(self->note), note != NULL ? note : "");
}

static void remember_recent(const char *path)
{
	g_autofree char *uri = g_filename_to_uri(path, NULL, NULL);
	const GtkRecentData recent = { .mime_type = (char *)"application/x-hvscope-recording",
		                       .app_name = (char *)"hvscope",
		                       .app_exec = (char *)"hvscope-gui %f" };

	if (uri != NULL)
		gtk_recent_manager_add_full(gtk_recent_manager_get_default(), uri, &recent);
}

static void open_recording(HvsWindow *self, const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HvsDocument) document = hvs_document_new(path, &error);
	g_autofree char *name = g_path_get_basename(path);
	g_autofree char *title = g_strdup_printf("%s \342\200\223 hvscope", name);

	if (document == NULL) {
		hvs_window_say(self, GTK_MESSAGE_ERROR, error->message);
		return;
	}
	window_close(self);
	unsay(self);
	self->document = g_object_ref(document);
	hvs_document_set_look(document, COLOUR_BY_DOMAIN, self->theme);
	hvs_view_reset(self->view, hvs_document_window_ns(document));
	if (!marks_file_load(document, self->view, &error))
		hvs_window_say(self, GTK_MESSAGE_WARNING, error->message);
	self->failed_handler =
		g_signal_connect_swapped(document, "failed", G_CALLBACK(document_failed), self);
	self->changed_handler =
		g_signal_connect_swapped(document, "changed", G_CALLBACK(update_chips), self);
	hvs_timeline_set(self->timeline, document, self->view);
	hvs_overview_set(self->overview, document, self->view);
	hvs_inspector_set(self->inspector, document, self->view, self->timeline);
	say_coverage(self);
	update_chips(self);
	gtk_window_set_title(GTK_WINDOW(self), title);
	gtk_stack_set_visible_child_name(GTK_STACK(self->stack), "timeline");
	gtk_widget_grab_focus(GTK_WIDGET(self->timeline));
	window_update_actions(self);
	remember_recent(path);
	if (self->compare_path != NULL) {
		g_autofree char *second = g_steal_pointer(&self->compare_path);

		window_open_second(self, second);
	}
}

static GtkWidget *chart_box(HvsTimeline *timeline)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);
	GtkWidget *bar =
		gtk_scrollbar_new(GTK_ORIENTATION_VERTICAL, hvs_timeline_adjustment(timeline));

	gtk_box_pack_start(GTK_BOX(box), GTK_WIDGET(timeline), TRUE, TRUE, 0);
	gtk_box_pack_start(GTK_BOX(box), bar, FALSE, FALSE, 0);
	gtk_widget_show_all(box);
	return box;
}

static void lane_menu(HvsTimeline *timeline, guint lane, GdkEventButton *event, HvsWindow *self)
{
	GtkWidget *menu = gtk_menu_new_from_model(self->lane_menu);

	(void)lane;
	gtk_menu_attach_to_widget(GTK_MENU(menu), GTK_WIDGET(timeline), NULL);
	g_signal_connect(menu, "selection-done", G_CALLBACK(gtk_widget_destroy), NULL);
	gtk_menu_popup_at_pointer(GTK_MENU(menu), (GdkEvent *)event);
}

static void instance_chosen(HvsTimeline *timeline, HvsWindow *self)
{
	GtkNotebook *pages = GTK_NOTEBOOK(self->inspector);
	GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(self));

	if (timeline == self->timeline)
		hvs_inspector_update_instance(self->inspector);
	window_debug_follow(self);
	window_update_actions(self);
	/* Whoever goes through a table wants to keep it. */
	if (focus != NULL && gtk_widget_is_ancestor(focus, GTK_WIDGET(pages)))
		return;
	if (hvs_timeline_instance(timeline) != NULL)
		gtk_notebook_set_current_page(pages, INSPECTOR_INTERVAL);
	else if (gtk_notebook_get_current_page(pages) == INSPECTOR_INTERVAL)
		gtk_notebook_set_current_page(pages, INSPECTOR_TIME);
}

/* Half of the room for each: known once the window has its size. */
static gboolean halve_charts(gpointer data)
{
	GtkWidget *charts = data;

	gtk_paned_set_position(GTK_PANED(charts), gtk_widget_get_allocated_height(charts) / 2);
	g_object_unref(charts);
	return G_SOURCE_REMOVE;
}

void window_open_second(HvsWindow *self, const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HvsDocument) document = hvs_document_new(path, &error);

	if (document == NULL) {
		hvs_window_say(self, GTK_MESSAGE_ERROR, error->message);
		return;
	}
	close_second(self);
	self->second = g_object_ref(document);
	g_signal_connect_object(document, "failed", G_CALLBACK(document_failed), self,
	                        G_CONNECT_SWAPPED);
	self->second_timeline = HVS_TIMELINE(hvs_timeline_new());
	g_signal_connect(self->second_timeline, "lane-menu", G_CALLBACK(lane_menu), self);
	gtk_paned_pack2(GTK_PANED(self->charts), chart_box(self->second_timeline), TRUE, FALSE);
	/* After the layout, which GTK does at a higher priority. */
	g_idle_add_full(G_PRIORITY_LOW, halve_charts, g_object_ref(self->charts), NULL);
	hvs_view_widen(self->view, hvs_document_window_ns(document));
	hvs_timeline_set(self->second_timeline, document, self->view);
	window_apply_theme(self);
}

void hvs_window_compare(HvsWindow *self, const char *path)
{
	if (self->document != NULL) {
		window_open_second(self, path);
		return;
	}
	g_free(self->compare_path);
	self->compare_path = g_strdup(path);
}

static void decode_progress(double share, gpointer data)
{
	HvsWindow *self = data;

	gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(self->decoding_bar), share);
}

static void decode_done(const char *recording, const GError *error, gpointer data)
{
	HvsWindow *self = data;

	self->job = NULL;
	gtk_stack_set_visible_child_name(GTK_STACK(self->stack),
	                                 self->document != NULL ? "timeline" : "empty");
	if (recording != NULL)
		open_recording(self, recording);
	else
		hvs_window_say(self, GTK_MESSAGE_ERROR, error->message);
	window_update_actions(self);
}

/* The recording goes beside the capture where that can be written, else to the cache. */
static char *recording_path_for(const char *capture)
{
	g_autofree char *beside = g_strconcat(capture, ".hvs", NULL);
	g_autofree char *parent = g_path_get_dirname(capture);
	g_autofree char *name = g_path_get_basename(beside);
	g_autofree char *cache = NULL;

	if (access(parent, W_OK) == 0)
		return g_steal_pointer(&beside);
	cache = g_build_filename(g_get_user_cache_dir(), "hvscope", NULL);
	g_mkdir_with_parents(cache, 0700);
	return g_build_filename(cache, name, NULL);
}

static void decode_capture_at(HvsWindow *self, const char *capture)
{
	g_autofree char *recording = recording_path_for(capture);
	g_autofree char *label = g_strdup_printf(_("Decoding %s"), capture);

	if (self->job != NULL)
		return;
	unsay(self);
	gtk_label_set_text(GTK_LABEL(self->decoding_label), label);
	gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(self->decoding_bar), 0);
	gtk_stack_set_visible_child_name(GTK_STACK(self->stack), "decoding");
	self->job = decode_job_start(capture, recording, decode_progress, decode_done, self);
	window_update_actions(self);
}

void hvs_window_open(HvsWindow *self, GFile *file)
{
	g_autofree char *path = g_file_get_path(file);
	g_autofree char *name = path != NULL ? g_path_get_basename(path) : NULL;
	g_autofree char *snapshot = NULL;

	if (path == NULL) {
		hvs_window_say(self, GTK_MESSAGE_ERROR,
		               _("Only files on this machine can be opened."));
		return;
	}
	snapshot = g_build_filename(path, "snapshot.ini", NULL);
	if (g_file_test(snapshot, G_FILE_TEST_EXISTS)) {
		decode_capture_at(self, path);
	} else if (strcmp(name, "snapshot.ini") == 0) {
		g_autofree char *directory = g_path_get_dirname(path);

		decode_capture_at(self, directory);
	} else {
		open_recording(self, path);
	}
}

void hvs_window_add_page(HvsWindow *self, GtkWidget *page, const char *name, const char *title)
{
	gtk_stack_add_titled(GTK_STACK(self->pages), page, name, title);
	gtk_widget_show(self->switcher);
}

void window_go(HvsWindow *self, gint64 start_ns, gint64 end_ns, gint lane)
{
	const struct view_range range = hvs_view_range(self->view);
	const gint64 span_ns = range.to_ns - range.from_ns;
	g_autoptr(GError) error = NULL;

	if (start_ns < range.from_ns || end_ns > range.to_ns) {
		const gint64 middle_ns = start_ns + (end_ns - start_ns) / 2;

		hvs_view_show(self->view, middle_ns - span_ns / 2,
		              middle_ns - span_ns / 2 + MAX(span_ns, end_ns - start_ns), TRUE);
	}
	if (lane >= 0 && !hvs_timeline_choose_at(self->timeline, (guint)lane, start_ns, &error))
		hvs_window_say(self, GTK_MESSAGE_ERROR, error->message);
}

static void inspector_goes(HvsInspector *inspector, gint64 start_ns, gint64 end_ns, gint lane,
                           HvsWindow *self)
{
	(void)inspector;
	window_go(self, start_ns, end_ns, lane);
}

static void inspector_filters(HvsInspector *inspector, const char *name, HvsWindow *self)
{
	(void)inspector;
	hvs_document_add_filter(self->document, name);
}

static void lanes_searched(HvsWindow *self)
{
	if (self->document != NULL)
		hvs_document_search_lanes(self->document,
		                          gtk_entry_get_text(GTK_ENTRY(self->lane_search)));
}

static void lanes_search_stopped(HvsWindow *self)
{
	gtk_entry_set_text(GTK_ENTRY(self->lane_search), "");
	gtk_widget_hide(self->lane_search);
	gtk_widget_grab_focus(GTK_WIDGET(self->timeline));
}

static gboolean key_pressed(GtkWidget *widget, GdkEventKey *event)
{
	GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(widget));
	const gboolean charting = focus != NULL && HVS_IS_TIMELINE(focus);
	const char *page = gtk_stack_get_visible_child_name(GTK_STACK(HVS_WINDOW(widget)->pages));
	const struct command *command = NULL;

	/* Letters belong to whoever is typing; Enter and arrows to the tables. */
	if (g_strcmp0(page, "recording") == 0 && !GTK_IS_ENTRY(focus) && !GTK_IS_LABEL(focus))
		command = commands_of_key(event);
	if (command != NULL && (charting || gdk_keyval_to_upper(event->keyval) !=
	                                            gdk_keyval_to_lower(event->keyval))) {
		command_run(command, widget);
		return TRUE;
	}
	return GTK_WIDGET_CLASS(hvs_window_parent_class)->key_press_event(widget, event);
}

static void dropped(GtkWidget *widget, GdkDragContext *context, gint x, gint y,
                    GtkSelectionData *data, guint info, guint time, gpointer user_data)
{
	g_auto(GStrv) uris = gtk_selection_data_get_uris(data);

	(void)x;
	(void)y;
	(void)info;
	(void)user_data;
	if (uris != NULL && uris[0] != NULL) {
		g_autoptr(GFile) file = g_file_new_for_uri(uris[0]);

		hvs_window_open(HVS_WINDOW(widget), file);
	}
	gtk_drag_finish(context, uris != NULL, FALSE, time);
}

static void recent_chosen(GtkRecentChooser *chooser, HvsWindow *self)
{
	g_autofree char *uri = gtk_recent_chooser_get_current_uri(chooser);
	g_autoptr(GFile) file = uri != NULL ? g_file_new_for_uri(uri) : NULL;

	if (file != NULL)
		hvs_window_open(self, file);
}

static void build_recent(HvsWindow *self)
{
	GtkWidget *menu = gtk_recent_chooser_menu_new();
	GtkRecentFilter *filter = gtk_recent_filter_new();

	gtk_recent_filter_add_application(filter, "hvscope");
	gtk_recent_chooser_set_filter(GTK_RECENT_CHOOSER(menu), filter);
	gtk_recent_chooser_set_sort_type(GTK_RECENT_CHOOSER(menu), GTK_RECENT_SORT_MRU);
	g_signal_connect(menu, "item-activated", G_CALLBACK(recent_chosen), self);
	gtk_menu_button_set_popup(GTK_MENU_BUTTON(self->recent_button), menu);
}

static void hvs_window_dispose(GObject *object)
{
	HvsWindow *self = HVS_WINDOW(object);

	if (self->timeline != NULL)
		window_close(self);
	self->timeline = NULL;
	if (self->job != NULL)
		decode_job_abandon(self->job);
	self->job = NULL;
	g_clear_pointer(&self->compare_path, g_free);
	if (self->view != NULL)
		g_signal_handler_disconnect(self->view, self->view_handler);
	g_clear_object(&self->view);
	G_OBJECT_CLASS(hvs_window_parent_class)->dispose(object);
}

static void bind(GtkWidgetClass *widget, const char *name, gssize offset)
{
	gtk_widget_class_bind_template_child_full(widget, name, FALSE, offset);
}

#define BIND(name) bind(widget, #name, G_STRUCT_OFFSET(HvsWindow, name))

static void hvs_window_class_init(HvsWindowClass *class)
{
	GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

	G_OBJECT_CLASS(class)->dispose = hvs_window_dispose;
	widget->key_press_event = key_pressed;
	gtk_widget_class_set_template_from_resource(widget, "/org/hvscope/gui/window.ui");
	BIND(pages);
	BIND(stack);
	BIND(switcher);
	BIND(recent_button);
	BIND(menu_button);
	BIND(message_bar);
	BIND(message);
	BIND(decoding_label);
	BIND(decoding_bar);
	BIND(find_bar);
	BIND(find_entry);
	BIND(find_count);
	BIND(chips);
	BIND(overview_box);
	BIND(paned);
	BIND(charts);
	BIND(inspector_box);
	BIND(lane_search);
	BIND(coverage);
	BIND(note);
}

static void build_menus(HvsWindow *self)
{
	g_autoptr(GtkBuilder) builder = gtk_builder_new();

	/* Menus stand beside the template, which makes only the widgets. */
	gtk_builder_add_from_resource(builder, "/org/hvscope/gui/menus.ui", NULL);
	self->lane_menu = G_MENU_MODEL(g_object_ref(gtk_builder_get_object(builder, "lane_menu")));
	gtk_menu_button_set_menu_model(GTK_MENU_BUTTON(self->menu_button),
	                               G_MENU_MODEL(gtk_builder_get_object(builder, "main_menu")));
	g_object_set_data_full(G_OBJECT(self), "lane-menu", self->lane_menu, g_object_unref);
}

static void build_charts(HvsWindow *self)
{
	self->timeline = HVS_TIMELINE(hvs_timeline_new());
	g_signal_connect(self->timeline, "lane-menu", G_CALLBACK(lane_menu), self);
	g_signal_connect(self->timeline, "selected", G_CALLBACK(instance_chosen), self);
	gtk_paned_pack1(GTK_PANED(self->charts), chart_box(self->timeline), TRUE, FALSE);
	self->overview = HVS_OVERVIEW(hvs_overview_new());
	gtk_box_pack_start(GTK_BOX(self->overview_box), GTK_WIDGET(self->overview), TRUE, TRUE, 0);
	self->inspector = HVS_INSPECTOR(hvs_inspector_new());
	gtk_box_pack_start(GTK_BOX(self->inspector_box), GTK_WIDGET(self->inspector), TRUE, TRUE,
	                   0);
	g_signal_connect(self->inspector, "go", G_CALLBACK(inspector_goes), self);
	g_signal_connect(self->inspector, "filter", G_CALLBACK(inspector_filters), self);
}

/* Eight tabs are to be seen at once. */
static void install_style(void)
{
	g_autoptr(GtkCssProvider) css = gtk_css_provider_new();

	gtk_css_provider_load_from_data(css,
	                                "notebook.hvs-pages > header > tabs > tab {"
	                                " padding: 3px 5px; margin: 0; min-width: 0; }",
	                                -1, NULL);
	gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(css),
	                                          GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}

static void hvs_window_init(HvsWindow *self)
{
	gtk_widget_init_template(GTK_WIDGET(self));
	self->view = hvs_view_new();
	self->theme = window_bright_theme();
	install_style();
	build_menus(self);
	build_charts(self);
	build_recent(self);
	window_add_actions(self);
	window_debug_init(self);
	window_find_init(self);
	self->view_handler = g_signal_connect_swapped(self->view, "changed",
	                                              G_CALLBACK(window_update_actions), self);
	g_signal_connect_swapped(self->message_bar, "response", G_CALLBACK(unsay), self);
	g_signal_connect_swapped(self->lane_search, "search-changed", G_CALLBACK(lanes_searched),
	                         self);
	g_signal_connect_swapped(self->lane_search, "stop-search", G_CALLBACK(lanes_search_stopped),
	                         self);
	gtk_drag_dest_set(GTK_WIDGET(self), GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
	gtk_drag_dest_add_uri_targets(GTK_WIDGET(self));
	g_signal_connect(self, "drag-data-received", G_CALLBACK(dropped), NULL);
	gtk_application_window_set_help_overlay(GTK_APPLICATION_WINDOW(self),
	                                        GTK_SHORTCUTS_WINDOW(commands_shortcuts_window()));
	window_apply_theme(self);
	window_update_actions(self);
}

HvsWindow *hvs_window_new(GtkApplication *application)
{
	return g_object_new(HVS_TYPE_WINDOW, "application", application, NULL);
}
