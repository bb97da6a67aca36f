/* The window's side of the stop-mode panel: its page, its actions, and the way between a
 * task in the panel and its time in the timeline. */
#include "gui/window-private.h"

#include "gui/debug/connect-dialog.h"
#include "gui/debug/panel.h"
#include "gui/debug/recent-targets.h"

#include <glib/gi18n.h>
#include <string.h>

static HvsSession *session_of(HvsWindow *self)
{
	return hvs_panel_session(HVS_PANEL(self->panel));
}

static void said(HvsWindow *self, gboolean wrong, const char *text)
{
	hvs_window_say(self, wrong ? GTK_MESSAGE_ERROR : GTK_MESSAGE_INFO, text);
}

static void set_enabled(HvsWindow *self, const char *name, gboolean enabled)
{
	g_simple_action_set_enabled(
		G_SIMPLE_ACTION(g_action_map_lookup_action(G_ACTION_MAP(self), name)), enabled);
}

static void update(HvsWindow *self)
{
	const enum session_state state =
		self->panel != NULL ? hvs_session_state(session_of(self)) : SESSION_CLOSED;
	const gboolean can_run =
		self->panel != NULL && hvs_session_can(session_of(self), TARGET_CAN_RUN);

	set_enabled(self, "debug-disconnect", state != SESSION_CLOSED && state != SESSION_LOST);
	set_enabled(self, "debug-run", can_run);
	set_enabled(self, "debug-step", can_run);
	set_enabled(self, "debug-next", can_run);
	set_enabled(self, "debug-finish", can_run);
	set_enabled(self, "debug-halt", state == SESSION_RUNNING);
	set_enabled(self, "debug-freeze", state == SESSION_STOPPED);
	set_enabled(self, "debug-cancel", state != SESSION_CLOSED);
	set_enabled(self, "debug-tasks", state != SESSION_CLOSED);
	set_enabled(self, "debug-console", state != SESSION_CLOSED);
	set_enabled(self, "debug-timeline", state != SESSION_CLOSED && self->document != NULL);
}

static void stop_taken(HvsWindow *self)
{
	const struct scene_stop *stop = hvs_session_stop(session_of(self));
	g_autofree char *text = scene_stop_text(stop);
	g_autofree char *title = g_strdup_printf("%s \342\200\223 hvscope", text);

	gtk_window_set_title(GTK_WINDOW(self), title);
}

static void state_taken(HvsWindow *self)
{
	HvsSession *session = session_of(self);
	g_autofree char *title = NULL;

	update(self);
	if (hvs_session_state(session) == SESSION_RUNNING)
		title = g_strdup(_("running \342\200\223 hvscope"));
	else if (hvs_session_state(session) == SESSION_STOPPED && hvs_session_stop(session) == NULL)
		title = g_strdup_printf("%s \342\200\223 hvscope", hvs_session_target(session));
	if (hvs_session_state(session) == SESSION_STOPPED && hvs_session_stop(session) == NULL)
		recent_targets_add(hvs_session_target(session), hvs_session_system_path(session));
	if (title != NULL)
		gtk_window_set_title(GTK_WINDOW(self), title);
}

/* Made when it is first needed: a window for recordings alone has no second page. */
static void need_panel(HvsWindow *self)
{
	if (self->panel == NULL) {
		self->panel = hvs_panel_new();
		hvs_window_add_page(self, self->panel, "debug", _("Debugger"));
		g_signal_connect_object(session_of(self), "said", G_CALLBACK(said), self,
		                        G_CONNECT_SWAPPED);
		g_signal_connect_object(session_of(self), "state", G_CALLBACK(state_taken), self,
		                        G_CONNECT_SWAPPED);
		g_signal_connect_object(session_of(self), "stopped", G_CALLBACK(stop_taken), self,
		                        G_CONNECT_SWAPPED);
	}
	gtk_stack_set_visible_child(GTK_STACK(self->pages), self->panel);
}

void hvs_window_debug(HvsWindow *self, const char *target, const char *system_path)
{
	need_panel(self);
	hvs_session_open(session_of(self), target, system_path);
}

static void do_connect(HvsWindow *self)
{
	GtkWidget *dialog = hvs_connect_dialog_new(GTK_WINDOW(self));
	g_autofree char *target = NULL;
	g_autofree char *system_path = NULL;

	if (gtk_dialog_run(GTK_DIALOG(dialog)) == GTK_RESPONSE_ACCEPT &&
	    hvs_connect_dialog_result(HVS_CONNECT_DIALOG(dialog), &target, &system_path))
		hvs_window_debug(self, target, system_path);
	gtk_widget_destroy(dialog);
}

static void do_disconnect(HvsWindow *self)
{
	hvs_session_close(session_of(self));
}

static void do_run(HvsWindow *self)
{
	hvs_session_go(session_of(self), "run");
}

static void do_halt(HvsWindow *self)
{
	hvs_session_halt(session_of(self));
}

static void do_step(HvsWindow *self)
{
	hvs_session_go(session_of(self), "step");
}

static void do_next(HvsWindow *self)
{
	hvs_session_go(session_of(self), "next");
}

static void do_finish(HvsWindow *self)
{
	hvs_session_go(session_of(self), "finish");
}

static void do_cancel(HvsWindow *self)
{
	hvs_session_cancel(session_of(self));
}

static void do_tasks(HvsWindow *self)
{
	need_panel(self);
	hvs_panel_find_task(HVS_PANEL(self->panel));
}

static void do_console(HvsWindow *self)
{
	need_panel(self);
	hvs_panel_focus_console(HVS_PANEL(self->panel));
}

/* Over gdb nobody says where the RAM is: then the user does, once. */
static GtkWidget *ram_entry(HvsWindow *self)
{
	GtkWidget *entry = gtk_entry_new();
	const char *before = g_object_get_data(G_OBJECT(self), "freeze-ram");

	gtk_entry_set_placeholder_text(GTK_ENTRY(entry),
	                               _("RAM as BASE+LENGTH, where the target does not say"));
	gtk_entry_set_width_chars(GTK_ENTRY(entry), 48);
	gtk_entry_set_activates_default(GTK_ENTRY(entry), TRUE);
	if (before != NULL)
		gtk_entry_set_text(GTK_ENTRY(entry), before);
	atk_object_set_name(gtk_widget_get_accessible(entry), _("RAM"));
	gtk_widget_show(entry);
	return entry;
}

static void do_freeze(HvsWindow *self)
{
	GtkWidget *dialog = gtk_file_chooser_dialog_new(
		_("Freeze"), GTK_WINDOW(self), GTK_FILE_CHOOSER_ACTION_SAVE, _("Cancel"),
		GTK_RESPONSE_CANCEL, _("Freeze"), GTK_RESPONSE_ACCEPT, NULL);
	GtkFileChooser *chooser = GTK_FILE_CHOOSER(dialog);
	GtkWidget *entry = ram_entry(self);

	gtk_file_chooser_set_extra_widget(chooser, entry);
	gtk_file_chooser_set_do_overwrite_confirmation(chooser, TRUE);
	gtk_file_chooser_set_current_name(chooser, "frozen.core");
	gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_ACCEPT);
	if (gtk_dialog_run(GTK_DIALOG(dialog)) == GTK_RESPONSE_ACCEPT) {
		g_autofree char *path = gtk_file_chooser_get_filename(chooser);
		const char *ram = gtk_entry_get_text(GTK_ENTRY(entry));

		g_object_set_data_full(G_OBJECT(self), "freeze-ram", g_strdup(ram), g_free);
		hvs_session_freeze(session_of(self), path, ram);
	}
	gtk_widget_destroy(dialog);
}

/* Whose time an owner's is: VMID and context ID are what a machine and its task are known
 * by in both worlds. FALSE where the trace does not say. */
static gboolean owner_selection(HvsWindow *self, guint owner, struct selection *out)
{
	gsize n;
	const struct row_owner *owners =
		recording_reader_owners(hvs_document_reader(self->document), &n);
	const struct scene_machine *machine;

	if (owner >= n)
		return FALSE;
	*out = (struct selection) { .machine = -1, .vcpu = -1, .tid = -1 };
	if (owners[owner].owner_class == OWNER_HYPERVISOR ||
	    owners[owner].owner_class == OWNER_IDLE)
		out->machine = 0;
	else if (owners[owner].owner_class == OWNER_GUEST)
		out->machine = (gint)owners[owner].vmid;
	machine = scene_machine(hvs_session_scene(session_of(self)), out->machine);
	if (machine == NULL)
		return FALSE;
	if (scene_machine_task(machine, owners[owner].context_id) != NULL && out->machine != 0)
		out->tid = owners[owner].context_id;
	else if (machine->vcpus->len > 0)
		out->vcpu = (gint)((const struct scene_vcpu *)machine->vcpus->pdata[0])->id;
	return TRUE;
}

void window_debug_follow(HvsWindow *self)
{
	const struct instance *instance = hvs_timeline_instance(self->timeline);
	struct selection selection;

	if (self->panel != NULL && self->document != NULL && instance != NULL &&
	    hvs_session_scene(session_of(self)) != NULL &&
	    owner_selection(self, instance->owner, &selection))
		hvs_session_select(session_of(self), selection);
}

void window_debug_show(HvsWindow *self)
{
	if (self->panel == NULL || hvs_session_scene(session_of(self)) == NULL)
		return;
	window_debug_follow(self);
	gtk_stack_set_visible_child(GTK_STACK(self->pages), self->panel);
}

/* The lane that holds the least beside the task's own time. */
static guint lane_of(HvsWindow *self, const guint8 *wanted, gsize n_owners)
{
	const struct lane_set *lanes = hvs_document_source(self->document)->lanes;
	guint best = LANE_NO_PARENT;
	gsize best_extra = G_MAXSIZE;

	for (guint i = 0; i < lanes->lanes->len; i++) {
		const struct lane *lane = lane_set_get(lanes, i);
		gsize extra = 0;
		gboolean has = FALSE;

		if (lane->kind != LANE_OWNERS || lane->owners == NULL ||
		    lane->core != LANE_ALL_CORES)
			continue;
		for (gsize n = 0; n < n_owners; n++) {
			has = has || (lane->owners[n] && wanted[n]);
			extra += lane->owners[n] && !wanted[n] ? 1 : 0;
		}
		if (has && extra < best_extra) {
			best = i;
			best_extra = extra;
		}
	}
	return best;
}

/* Goes back from the end to the last interval of an owner that is meant. */
static gboolean last_run(HvsWindow *self, guint lane, const guint8 *wanted, struct instance *out,
                         GError **error)
{
	struct instance from = { .lane = lane, .start_ns = hvs_document_window_ns(self->document) };
	struct instance found;

	for (guint tries = 0; tries < 10000; tries++) {
		if (!instance_next(self->document, &from, FALSE, &found, error))
			return FALSE;
		if (wanted[found.owner]) {
			*out = found;
			return TRUE;
		}
		from = found;
	}
	return FALSE;
}

static void do_timeline(HvsWindow *self)
{
	const struct selection selection = hvs_session_selection(session_of(self));
	gsize n;
	const struct row_owner *owners =
		recording_reader_owners(hvs_document_reader(self->document), &n);
	g_autofree guint8 *wanted = g_new0(guint8, n + 1);
	g_autoptr(GError) error = NULL;
	struct instance found;
	guint lane;

	for (gsize i = 0; i < n; i++)
		wanted[i] = selection.machine == 0
		                    ? owners[i].owner_class == OWNER_HYPERVISOR
		                    : owners[i].owner_class == OWNER_GUEST &&
		                              owners[i].vmid == selection.machine &&
		                              (selection.tid < 0 ||
		                               owners[i].context_id == selection.tid);
	lane = lane_of(self, wanted, n);
	if (lane == LANE_NO_PARENT || !last_run(self, lane, wanted, &found, &error)) {
		hvs_window_say(self, GTK_MESSAGE_INFO,
		               error != NULL
		                       ? error->message
		                       : _("The recording shows no time of what is selected."));
		return;
	}
	gtk_stack_set_visible_child_name(GTK_STACK(self->pages), "recording");
	window_go(self, found.start_ns, found.start_ns + found.duration_ns, (gint)lane);
	gtk_widget_grab_focus(GTK_WIDGET(self->timeline));
}

static const struct {
	const char *name;
	void (*fn)(HvsWindow *self);
} actions[] = {
	{ "debug-connect", do_connect }, { "debug-disconnect", do_disconnect },
	{ "debug-run", do_run },         { "debug-halt", do_halt },
	{ "debug-step", do_step },       { "debug-next", do_next },
	{ "debug-finish", do_finish },   { "debug-freeze", do_freeze },
	{ "debug-cancel", do_cancel },   { "debug-tasks", do_tasks },
	{ "debug-console", do_console }, { "debug-timeline", do_timeline },
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

/* A second click on an interval opens it in the panel; the first has selected it. */
static gboolean timeline_pressed(HvsWindow *self, GdkEventButton *event)
{
	if (event->type == GDK_2BUTTON_PRESS && event->button == GDK_BUTTON_PRIMARY)
		window_debug_show(self);
	return GDK_EVENT_PROPAGATE;
}

void window_debug_init(HvsWindow *self)
{
	for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
		const GActionEntry entry = { .name = actions[i].name, .activate = activated };

		g_action_map_add_action_entries(G_ACTION_MAP(self), &entry, 1, self);
	}
	g_signal_connect_swapped(self->timeline, "button-press-event", G_CALLBACK(timeline_pressed),
	                         self);
	update(self);
}

void window_debug_update(HvsWindow *self)
{
	update(self);
}
