#include "gui/window-private.h"

#include "gui/commands.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	PAN_PERCENT = 15,
	ZOOM_PERCENT = 70,
};

/* Most actions need a recording: this is what they are called with. */
typedef void (*window_fn)(HvsWindow *self);

static char *choose_file(HvsWindow *self, const char *title)
{
	GtkWidget *dialog = gtk_file_chooser_dialog_new(
		title, GTK_WINDOW(self), GTK_FILE_CHOOSER_ACTION_OPEN, _("Cancel"),
		GTK_RESPONSE_CANCEL, _("Open"), GTK_RESPONSE_ACCEPT, NULL);
	GtkFileFilter *filter = gtk_file_filter_new();
	GtkFileFilter *all = gtk_file_filter_new();
	char *path = NULL;

	gtk_file_filter_set_name(filter, _("Recordings and captures"));
	gtk_file_filter_add_pattern(filter, "*.hvs");
	gtk_file_filter_add_pattern(filter, "snapshot.ini");
	gtk_file_filter_set_name(all, _("All files"));
	gtk_file_filter_add_pattern(all, "*");
	gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), filter);
	gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), all);
	gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_ACCEPT);
	if (gtk_dialog_run(GTK_DIALOG(dialog)) == GTK_RESPONSE_ACCEPT)
		path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog));
	gtk_widget_destroy(dialog);
	return path;
}

static void do_open(HvsWindow *self)
{
	g_autofree char *path = choose_file(self, _("Open a recording or a capture"));
	g_autoptr(GFile) file = path != NULL ? g_file_new_for_path(path) : NULL;

	if (file != NULL)
		hvs_window_open(self, file);
}

static void do_compare(HvsWindow *self)
{
	g_autofree char *path = choose_file(self, _("Open a second recording"));

	if (path != NULL)
		window_open_second(self, path);
}

static void do_cancel_decode(HvsWindow *self)
{
	if (self->job != NULL)
		decode_job_cancel(self->job);
}

static void do_zoom_in(HvsWindow *self)
{
	hvs_view_zoom(self->view, hvs_timeline_focus_ns(window_timeline(self)),
	              ZOOM_PERCENT / 100.0, TRUE);
}

static void do_zoom_out(HvsWindow *self)
{
	hvs_view_zoom(self->view, hvs_timeline_focus_ns(window_timeline(self)),
	              100.0 / ZOOM_PERCENT, TRUE);
}

static void do_pan_left(HvsWindow *self)
{
	hvs_view_pan(self->view, -PAN_PERCENT / 100.0, TRUE);
}

static void do_pan_right(HvsWindow *self)
{
	hvs_view_pan(self->view, PAN_PERCENT / 100.0, TRUE);
}

static void do_zoom_fit(HvsWindow *self)
{
	hvs_view_show_all(self->view);
}

static void do_zoom_selection(HvsWindow *self)
{
	const struct view_range selection = hvs_view_selection(self->view);

	if (selection.to_ns > selection.from_ns)
		hvs_view_show(self->view, selection.from_ns, selection.to_ns, TRUE);
}

static void do_undo(HvsWindow *self)
{
	hvs_view_undo(self->view);
}

static void do_redo(HvsWindow *self)
{
	hvs_view_redo(self->view);
}

/* The first time the interval comes to the middle, the second it fills the window. */
static void do_focus(HvsWindow *self)
{
	const struct instance *instance = hvs_timeline_instance(window_timeline(self));
	const struct view_range range = hvs_view_range(self->view);
	const gint64 span_ns = range.to_ns - range.from_ns;
	gint64 middle_ns;
	gint64 room_ns;

	if (instance == NULL)
		return;
	middle_ns = instance->start_ns + instance->duration_ns / 2;
	room_ns = MAX(instance->duration_ns / 10, 50);
	if (self->focused_ns == instance->start_ns)
		hvs_view_show(self->view, instance->start_ns - room_ns,
		              instance->start_ns + instance->duration_ns + room_ns, TRUE);
	else
		hvs_view_show(self->view, middle_ns - span_ns / 2,
		              middle_ns - span_ns / 2 + span_ns, TRUE);
	self->focused_ns = instance->start_ns;
}

static void say_error(HvsWindow *self, const GError *error)
{
	if (error != NULL)
		hvs_window_say(self, GTK_MESSAGE_ERROR, error->message);
}

static void do_choose(HvsWindow *self)
{
	HvsTimeline *timeline = window_timeline(self);
	const struct view_range range = hvs_view_range(self->view);
	g_autoptr(GError) error = NULL;

	hvs_timeline_choose_at(timeline, hvs_timeline_lane(timeline),
	                       range.from_ns + (range.to_ns - range.from_ns) / 2, &error);
	say_error(self, error);
}

static void choose_and_show(HvsWindow *self, const struct instance *instance)
{
	const struct view_range range = hvs_view_range(self->view);
	const gint64 span_ns = range.to_ns - range.from_ns;
	const gint64 end_ns = instance->start_ns + instance->duration_ns;

	if (instance->start_ns < range.from_ns || instance->start_ns >= range.to_ns ||
	    (end_ns > range.to_ns && instance->duration_ns < span_ns)) {
		const gint64 from_ns =
			instance->start_ns + MIN(instance->duration_ns, span_ns) / 2 - span_ns / 2;

		hvs_view_show(self->view, from_ns, from_ns + span_ns, TRUE);
	}
	hvs_timeline_choose(window_timeline(self), instance);
}

static void step(HvsWindow *self, gboolean forward)
{
	const struct instance *instance = hvs_timeline_instance(window_timeline(self));
	struct instance next;
	g_autoptr(GError) error = NULL;

	if (instance == NULL)
		do_choose(self);
	else if (instance_next(window_document(self), instance, forward, &next, &error))
		choose_and_show(self, &next);
	say_error(self, error);
}

static void do_next(HvsWindow *self)
{
	step(self, TRUE);
}

static void do_previous(HvsWindow *self)
{
	step(self, FALSE);
}

/* Along a chain where the item has one, else to what ran next on that processor. */
static void follow(HvsWindow *self, gboolean forward)
{
	const struct instance *instance = hvs_timeline_instance(window_timeline(self));
	HvsDocument *document = window_document(self);
	const struct picture_source *source = hvs_document_source(document);
	struct instance next;
	g_autoptr(GError) error = NULL;

	if (instance == NULL)
		return;
	if (instance_follow(document, instance, forward, &next)) {
		choose_and_show(self, &next);
	} else if (instance->core != LANE_ALL_CORES) {
		gsize n;
		const struct row_core *cores = recording_reader_cores(source->reader, &n);
		g_autofree char *id = g_strdup_printf("core/%u", cores[instance->core].core);
		struct instance from = *instance;

		from.lane = lane_set_find(source->lanes, id);
		from.is_item = FALSE;
		if (instance_next(document, &from, forward, &next, &error))
			choose_and_show(self, &next);
	}
	say_error(self, error);
}

static void do_follow(HvsWindow *self)
{
	follow(self, TRUE);
}

static void do_follow_back(HvsWindow *self)
{
	follow(self, FALSE);
}

static void do_lane_up(HvsWindow *self)
{
	hvs_timeline_move_lane(window_timeline(self), -1);
}

static void do_lane_down(HvsWindow *self)
{
	hvs_timeline_move_lane(window_timeline(self), 1);
}

static void do_select_interval(HvsWindow *self)
{
	const struct instance *instance = hvs_timeline_instance(window_timeline(self));

	if (instance != NULL)
		hvs_view_select(self->view, instance->start_ns,
		                instance->start_ns + instance->duration_ns);
}

static void do_clear(HvsWindow *self)
{
	hvs_view_select(self->view, 0, 0);
	hvs_timeline_choose(window_timeline(self), NULL);
}

static void do_mark_a(HvsWindow *self)
{
	hvs_view_set_marker(self->view, 0, hvs_timeline_focus_ns(window_timeline(self)));
}

static void do_mark_b(HvsWindow *self)
{
	hvs_view_set_marker(self->view, 1, hvs_timeline_focus_ns(window_timeline(self)));
}

static void do_clear_marks(HvsWindow *self)
{
	for (guint i = 0; i < VIEW_MARKERS; i++)
		hvs_view_set_marker(self->view, i, VIEW_NOWHERE);
}

static void do_bookmark(HvsWindow *self)
{
	const gint64 at_ns = hvs_timeline_focus_ns(window_timeline(self));
	GtkWidget *dialog = gtk_dialog_new_with_buttons(
		_("Bookmark"), GTK_WINDOW(self), GTK_DIALOG_MODAL | GTK_DIALOG_USE_HEADER_BAR,
		_("Cancel"), GTK_RESPONSE_CANCEL, _("Add"), GTK_RESPONSE_ACCEPT, NULL);
	GtkWidget *entry = gtk_entry_new();

	gtk_entry_set_placeholder_text(GTK_ENTRY(entry), _("Note"));
	gtk_entry_set_activates_default(GTK_ENTRY(entry), TRUE);
	gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_ACCEPT);
	gtk_container_add(GTK_CONTAINER(gtk_dialog_get_content_area(GTK_DIALOG(dialog))), entry);
	gtk_widget_show_all(dialog);
	if (gtk_dialog_run(GTK_DIALOG(dialog)) == GTK_RESPONSE_ACCEPT)
		hvs_view_add_bookmark(self->view, at_ns, gtk_entry_get_text(GTK_ENTRY(entry)));
	gtk_widget_destroy(dialog);
}

static void do_next_bookmark(HvsWindow *self)
{
	const GArray *bookmarks = hvs_view_bookmarks(self->view);
	const struct view_range range = hvs_view_range(self->view);
	const gint64 span_ns = range.to_ns - range.from_ns;
	const gint64 middle_ns = range.from_ns + span_ns / 2;
	guint i = 0;

	while (i < bookmarks->len &&
	       g_array_index(bookmarks, struct view_bookmark, i).at_ns <= middle_ns)
		i++;
	if (bookmarks->len > 0) {
		const gint64 at_ns =
			g_array_index(bookmarks, struct view_bookmark, i % bookmarks->len).at_ns;

		hvs_view_show(self->view, at_ns - span_ns / 2, at_ns - span_ns / 2 + span_ns, TRUE);
	}
}

static void do_remove_bookmark(HvsWindow *self)
{
	const GArray *bookmarks = hvs_view_bookmarks(self->view);
	const gint64 at_ns = hvs_timeline_focus_ns(window_timeline(self));
	guint nearest = 0;

	for (guint i = 1; i < bookmarks->len; i++) {
		if (ABS(g_array_index(bookmarks, struct view_bookmark, i).at_ns - at_ns) <
		    ABS(g_array_index(bookmarks, struct view_bookmark, nearest).at_ns - at_ns))
			nearest = i;
	}
	hvs_view_remove_bookmark(self->view, nearest);
}

static void flip(HvsWindow *self, enum lane_flag flag)
{
	const guint lane = hvs_timeline_lane(window_timeline(self));
	HvsDocument *document = window_document(self);

	hvs_document_set_lane_flag(document, lane, flag,
	                           !hvs_document_lane_flag(document, lane, flag));
}

static void do_fold(HvsWindow *self)
{
	flip(self, LANE_FOLDED);
}

static void do_pin(HvsWindow *self)
{
	flip(self, LANE_PINNED);
}

static void do_hide(HvsWindow *self)
{
	flip(self, LANE_HIDDEN);
}

static void do_show_lanes(HvsWindow *self)
{
	HvsDocument *document = window_document(self);
	const guint n = hvs_document_source(document)->lanes->lanes->len;

	for (guint i = 0; i < n; i++)
		hvs_document_set_lane_flag(document, i, LANE_HIDDEN, FALSE);
}

static void do_lane_raise(HvsWindow *self)
{
	hvs_document_move_lane(window_document(self), hvs_timeline_lane(window_timeline(self)), -1);
}

static void do_lane_lower(HvsWindow *self)
{
	hvs_document_move_lane(window_document(self), hvs_timeline_lane(window_timeline(self)), 1);
}

/* A domain's or task's lane names its owners; another lane's chosen interval does. */
static void do_filter_lane(HvsWindow *self)
{
	HvsDocument *document = self->document;
	const struct lane *lane = lane_set_get(hvs_document_source(document)->lanes,
	                                       hvs_timeline_lane(self->timeline));
	const struct instance *instance = hvs_timeline_instance(self->timeline);

	if (lane->kind == LANE_OWNERS && lane->owners != NULL) {
		hvs_document_add_filter(document, lane->whole);
	} else if (instance != NULL && !instance->is_item) {
		g_autofree char *name = instance_name(document, instance);

		hvs_document_add_filter(document, name);
	}
}

static void do_clear_filters(HvsWindow *self)
{
	const GPtrArray *filters = hvs_document_filters(self->document);

	while (filters->len > 0) {
		g_autofree char *name = g_strdup(filters->pdata[0]);

		hvs_document_remove_filter(self->document, name);
	}
}

static void do_search_lanes(HvsWindow *self)
{
	gtk_widget_show(self->lane_search);
	gtk_widget_grab_focus(self->lane_search);
}

static void do_find(HvsWindow *self)
{
	gtk_search_bar_set_search_mode(GTK_SEARCH_BAR(self->find_bar), TRUE);
	gtk_widget_grab_focus(self->find_entry);
}

static void do_find_next(HvsWindow *self)
{
	window_find_step(self, 1);
}

static void do_find_previous(HvsWindow *self)
{
	window_find_step(self, -1);
}

static void do_palette(HvsWindow *self)
{
	commands_palette_run(GTK_WINDOW(self));
}

static void do_fullscreen(HvsWindow *self)
{
	const GdkWindowState state = gdk_window_get_state(gtk_widget_get_window(GTK_WIDGET(self)));

	if ((state & GDK_WINDOW_STATE_FULLSCREEN) != 0)
		gtk_window_unfullscreen(GTK_WINDOW(self));
	else
		gtk_window_fullscreen(GTK_WINDOW(self));
}

static const struct {
	const char *name;
	window_fn fn;
	gboolean always; /* also without a recording */
} actions[] = {
	{ "open", do_open, TRUE },
	{ "compare", do_compare, FALSE },
	{ "export", window_export, FALSE },
	{ "close-recording", window_close, FALSE },
	{ "cancel-decode", do_cancel_decode, TRUE },
	{ "zoom-in", do_zoom_in, FALSE },
	{ "zoom-out", do_zoom_out, FALSE },
	{ "pan-left", do_pan_left, FALSE },
	{ "pan-right", do_pan_right, FALSE },
	{ "zoom-fit", do_zoom_fit, FALSE },
	{ "zoom-selection", do_zoom_selection, FALSE },
	{ "focus", do_focus, FALSE },
	{ "undo", do_undo, FALSE },
	{ "redo", do_redo, FALSE },
	{ "next", do_next, FALSE },
	{ "previous", do_previous, FALSE },
	{ "follow", do_follow, FALSE },
	{ "follow-back", do_follow_back, FALSE },
	{ "choose", do_choose, FALSE },
	{ "lane-up", do_lane_up, FALSE },
	{ "lane-down", do_lane_down, FALSE },
	{ "select-interval", do_select_interval, FALSE },
	{ "clear", do_clear, FALSE },
	{ "mark-a", do_mark_a, FALSE },
	{ "mark-b", do_mark_b, FALSE },
	{ "clear-marks", do_clear_marks, FALSE },
	{ "bookmark", do_bookmark, FALSE },
	{ "next-bookmark", do_next_bookmark, FALSE },
	{ "remove-bookmark", do_remove_bookmark, FALSE },
	{ "fold", do_fold, FALSE },
	{ "pin", do_pin, FALSE },
	{ "hide", do_hide, FALSE },
	{ "show-lanes", do_show_lanes, FALSE },
	{ "lane-raise", do_lane_raise, FALSE },
	{ "lane-lower", do_lane_lower, FALSE },
	{ "filter-lane", do_filter_lane, FALSE },
	{ "clear-filters", do_clear_filters, FALSE },
	{ "search-lanes", do_search_lanes, FALSE },
	{ "find", do_find, FALSE },
	{ "find-next", do_find_next, FALSE },
	{ "find-previous", do_find_previous, FALSE },
	{ "palette", do_palette, TRUE },
	{ "fullscreen", do_fullscreen, TRUE },
};

static void activated(GSimpleAction *action, GVariant *parameter, gpointer data)
{
	const char *name = g_action_get_name(G_ACTION(action));

	(void)parameter;
	for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
		if (strcmp(actions[i].name, name) == 0)
			actions[i].fn(data);
	}
}

static void save_view(GSimpleAction *action, GVariant *parameter, gpointer data)
{
	(void)action;
	hvs_view_save(HVS_WINDOW(data)->view,
	              (guint)CLAMP(g_variant_get_int32(parameter), 0, VIEW_SAVED - 1));
}

static void restore_view(GSimpleAction *action, GVariant *parameter, gpointer data)
{
	(void)action;
	hvs_view_restore(HVS_WINDOW(data)->view,
	                 (guint)CLAMP(g_variant_get_int32(parameter), 0, VIEW_SAVED - 1));
}

/* A page of the numbers beside the picture, and into its table. */
static void show_page(GSimpleAction *action, GVariant *parameter, gpointer data)
{
	(void)action;
	hvs_inspector_show_page(HVS_WINDOW(data)->inspector, g_variant_get_int32(parameter));
}

static void change_grid(GSimpleAction *action, GVariant *state, gpointer data)
{
	hvs_timeline_set_grid(HVS_WINDOW(data)->timeline, g_variant_get_boolean(state));
	g_simple_action_set_state(action, state);
}

static void change_relative(GSimpleAction *action, GVariant *state, gpointer data)
{
	hvs_timeline_set_relative(HVS_WINDOW(data)->timeline, g_variant_get_boolean(state));
	g_simple_action_set_state(action, state);
}

static void change_dark(GSimpleAction *action, GVariant *state, gpointer data)
{
	HvsWindow *self = data;

	self->theme = g_variant_get_boolean(state) ? THEME_DARK : window_bright_theme();
	g_simple_action_set_state(action, state);
	window_apply_theme(self);
}

static void change_colour(GSimpleAction *action, GVariant *state, gpointer data)
{
	HvsWindow *self = data;
	enum colour_by by;

	if (!colour_by_parse(g_variant_get_string(state, NULL), &by))
		return;
	g_simple_action_set_state(action, state);
	if (self->document != NULL)
		hvs_document_set_look(self->document, by, self->theme);
	if (self->second != NULL)
		hvs_document_set_look(self->second, by, self->theme);
}

void window_add_actions(HvsWindow *self)
{
	static const GActionEntry entries[] = {
		{ .name = "save-view", .activate = save_view, .parameter_type = "i" },
		{ .name = "restore-view", .activate = restore_view, .parameter_type = "i" },
		{ .name = "page", .activate = show_page, .parameter_type = "i" },
		{ .name = "grid", .state = "false", .change_state = change_grid },
		{ .name = "relative", .state = "false", .change_state = change_relative },
		{ .name = "dark", .state = "false", .change_state = change_dark },
		{ .name = "colour",
		  .parameter_type = "s",
		  .state = "'domain'",
		  .change_state = change_colour },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
		const GActionEntry entry = { .name = actions[i].name, .activate = activated };

		g_action_map_add_action_entries(G_ACTION_MAP(self), &entry, 1, self);
	}
	g_action_map_add_action_entries(G_ACTION_MAP(self), entries, G_N_ELEMENTS(entries), self);
}

static void set_enabled(HvsWindow *self, const char *name, gboolean enabled)
{
	g_simple_action_set_enabled(
		G_SIMPLE_ACTION(g_action_map_lookup_action(G_ACTION_MAP(self), name)), enabled);
}

void window_update_actions(HvsWindow *self)
{
	for (gsize i = 0; i < G_N_ELEMENTS(actions); i++)
		set_enabled(self, actions[i].name, actions[i].always || self->document != NULL);
	set_enabled(self, "undo", self->document != NULL && hvs_view_can_undo(self->view));
	set_enabled(self, "redo", self->document != NULL && hvs_view_can_redo(self->view));
	set_enabled(self, "open", self->job == NULL);
	window_debug_update(self);
}
