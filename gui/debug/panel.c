#include "gui/debug/panel.h"

#include "gui/debug/breakpoint-view.h"
#include "gui/debug/code-view.h"
#include "gui/debug/columns.h"
#include "gui/debug/console-view.h"
#include "gui/debug/look.h"
#include "gui/debug/memory-view.h"
#include "gui/debug/register-view.h"
#include "gui/debug/stack-view.h"
#include "gui/debug/system-tree.h"
#include "gui/debug/table-browser.h"
#include "gui/debug/task-list.h"
#include "gui/debug/translation-view.h"
#include "gui/debug/wait-view.h"

#include <glib/gi18n.h>

struct _HvsPanel {
	GtkBox parent_instance;
	GtkWidget *cancel, *spinner, *progress, *status, *heading, *problems;
	GtkWidget *views, *left, *lower, *stack_box, *code_box, *register_box;
	HvsSession *session;
	HvsTaskList *tasks;
	HvsMemoryView *memory;
	HvsTranslationView *translation;
	HvsCodeView *code;
	GtkWidget *console;
};

G_DEFINE_TYPE(HvsPanel, hvs_panel, GTK_TYPE_BOX)

static char *status_text(HvsPanel *self)
{
	const struct scene_stop *stop = hvs_session_stop(self->session);
	const char *target = hvs_session_target(self->session);

	switch (hvs_session_state(self->session)) {
	case SESSION_CLOSED:
		return g_strdup(_("No target. Connect to one, or open a dump."));
	case SESSION_OPENING:
		return g_strdup_printf(_("Connecting to %s"), target);
	case SESSION_RUNNING:
		return g_strdup_printf(_("Running: %s. What is shown is of the last stop."),
		                       target);
	case SESSION_LOST:
		return g_strdup_printf(_("Not connected: what is shown was seen last of %s"),
		                       target);
	case SESSION_STOPPED:
		break;
	}
	return stop != NULL ? scene_stop_text(stop) : g_strdup_printf(_("Halted: %s"), target);
}

/* What is not of now is readable, and looks it. */
static void state_taken(HvsPanel *self)
{
	g_autofree char *text = status_text(self);
	gboolean now = hvs_session_state(self->session) == SESSION_STOPPED;
	AtkObject *accessible = gtk_widget_get_accessible(self->views);

	gtk_label_set_text(GTK_LABEL(self->status), text);
	gtk_widget_set_opacity(self->views, now ? 1 : 0.55);
	atk_object_set_name(accessible, now ? _("Of now") : _("Of the last stop"));
}

static void busy_taken(HvsPanel *self)
{
	guint reads, kilobytes;
	const char *what = hvs_session_busy(self->session, &reads, &kilobytes);
	g_autofree char *text = what == NULL
	                                ? g_strdup_printf(_("%u reads, %u KiB"), reads, kilobytes)
	                                : g_strdup_printf(_("Asking for %s: %u reads, %u KiB"),
	                                                  what, reads, kilobytes);

	if (hvs_session_state(self->session) == SESSION_RUNNING && what != NULL) {
		g_free(text);
		text = g_strdup(_("Running"));
	}
	if (hvs_session_state(self->session) == SESSION_CLOSED) {
		g_free(text);
		text = g_strdup("");
	}
	gtk_label_set_text(GTK_LABEL(self->progress), text);
	g_object_set(self->spinner, "active", what != NULL, NULL);
	gtk_widget_set_visible(self->cancel, what != NULL);
}

static char *heading_text(const struct scene_machine *machine, const struct scene_task *task,
                          const struct scene_vcpu *vcpu)
{
	GString *text = g_string_new(NULL);

	if (task != NULL)
		g_string_append_printf(text, _("%s (%" G_GINT64_FORMAT "), %s%s, in "), task->name,
		                       task->tid, task->state,
		                       task->on_cpu ? _(", on a vCPU") : "");
	else if (vcpu != NULL && machine->number != 0)
		g_string_append_printf(
			text, vcpu->live ? _("vCPU %u, live, of ") : _("vCPU %u, inactive, of "),
			vcpu->id);
	else if (vcpu != NULL)
		g_string_append_printf(text, _("core %u of "), vcpu->id);
	g_string_append_printf(text, "%s: %s", machine->name, machine->system);
	if (machine->domain >= 0)
		g_string_append_printf(text, _(", domain %d, VMID %u, %s"), machine->domain,
		                       machine->vmid, machine->state);
	return g_string_free(text, FALSE);
}

static void heading_taken(HvsPanel *self)
{
	const struct selection selection = hvs_session_selection(self->session);
	const struct scene_machine *machine =
		scene_machine(hvs_session_scene(self->session), selection.machine);
	g_autofree char *heading = NULL;
	g_autoptr(GString) problems = g_string_new(NULL);

	if (machine != NULL)
		heading = heading_text(machine, scene_machine_task(machine, selection.tid),
		                       scene_machine_vcpu(machine, selection.vcpu));
	for (guint i = 0; machine != NULL && i < machine->gaps->len; i++)
		g_string_append_printf(problems, "%s%s: %s", i > 0 ? "\n" : "\342\232\240 ",
		                       machine->name,
		                       (const char *)g_ptr_array_index(machine->gaps, i));
	gtk_label_set_text(GTK_LABEL(self->heading), heading != NULL ? heading : "");
	gtk_label_set_text(GTK_LABEL(self->problems), problems->str);
	gtk_widget_set_visible(self->problems, problems->len > 0);
}

static void frame_chosen(HvsPanel *self, const struct look_frame *frame)
{
	hvs_code_view_show(self->code, frame);
	if (frame != NULL) {
		g_autofree char *stack =
			g_strdup_printf("%s0x%" G_GINT64_MODIFIER "x", frame->space, frame->sp);

		hvs_memory_view_suggest(self->memory, stack);
	}
}

static void address_chosen(HvsPanel *self, const char *address)
{
	hvs_memory_view_go(self->memory, address);
	gtk_notebook_set_current_page(GTK_NOTEBOOK(self->lower), 0);
}

static void add_page(GtkWidget *notebook, GtkWidget *page, const char *title)
{
	gtk_notebook_append_page(GTK_NOTEBOOK(notebook), page, gtk_label_new(title));
}

static void fill_box(GtkWidget *box, GtkWidget *child)
{
	gtk_box_pack_start(GTK_BOX(box), child, TRUE, TRUE, 0);
}

static void add_views(HvsPanel *self)
{
	GtkWidget *stack = hvs_stack_view_new(self->session);
	GtkWidget *tables = hvs_table_browser_new(self->session);

	self->tasks = HVS_TASK_LIST(hvs_task_list_new(self->session));
	self->memory = HVS_MEMORY_VIEW(hvs_memory_view_new(self->session));
	self->translation = HVS_TRANSLATION_VIEW(hvs_translation_view_new(self->session));
	self->code = HVS_CODE_VIEW(hvs_code_view_new(self->session));
	self->console = hvs_console_view_new(self->session);
	add_page(self->left, hvs_system_tree_new(self->session), _("System"));
	add_page(self->left, GTK_WIDGET(self->tasks), _("Tasks"));
	fill_box(self->stack_box, stack);
	fill_box(self->code_box, GTK_WIDGET(self->code));
	fill_box(self->register_box, hvs_register_view_new(self->session));
	add_page(self->lower, GTK_WIDGET(self->memory), _("Memory"));
	add_page(self->lower, GTK_WIDGET(self->translation), _("Translation"));
	add_page(self->lower, tables, _("Page tables"));
	add_page(self->lower, hvs_breakpoint_view_new(self->session), _("Breakpoints"));
	add_page(self->lower, hvs_wait_view_new(self->session), _("Waits"));
	add_page(self->lower, self->console, _("Console"));
	g_signal_connect_object(stack, "frame", G_CALLBACK(frame_chosen), self, G_CONNECT_SWAPPED);
	g_signal_connect_object(self->translation, "address", G_CALLBACK(address_chosen), self,
	                        G_CONNECT_SWAPPED);
	g_signal_connect_object(tables, "address", G_CALLBACK(address_chosen), self,
	                        G_CONNECT_SWAPPED);
}

HvsSession *hvs_panel_session(HvsPanel *self)
{
	return self->session;
}

void hvs_panel_find_task(HvsPanel *self)
{
	gtk_notebook_set_current_page(GTK_NOTEBOOK(self->left), 1);
	hvs_task_list_focus(self->tasks);
}

void hvs_panel_focus_console(HvsPanel *self)
{
	gtk_notebook_set_current_page(
		GTK_NOTEBOOK(self->lower),
		gtk_notebook_page_num(GTK_NOTEBOOK(self->lower), self->console));
	gtk_widget_child_focus(self->console, GTK_DIR_TAB_BACKWARD);
}

static void hvs_panel_dispose(GObject *object)
{
	g_clear_object(&HVS_PANEL(object)->session);
	G_OBJECT_CLASS(hvs_panel_parent_class)->dispose(object);
}

static void hvs_panel_class_init(HvsPanelClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_panel_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/panel.ui");
	COLUMNS_BIND(class, HvsPanel, cancel);
	COLUMNS_BIND(class, HvsPanel, spinner);
	COLUMNS_BIND(class, HvsPanel, progress);
	COLUMNS_BIND(class, HvsPanel, status);
	COLUMNS_BIND(class, HvsPanel, heading);
	COLUMNS_BIND(class, HvsPanel, problems);
	COLUMNS_BIND(class, HvsPanel, views);
	COLUMNS_BIND(class, HvsPanel, left);
	COLUMNS_BIND(class, HvsPanel, lower);
	COLUMNS_BIND(class, HvsPanel, stack_box);
	COLUMNS_BIND(class, HvsPanel, code_box);
	COLUMNS_BIND(class, HvsPanel, register_box);
}

static void connect_session(HvsPanel *self, const char *signal, GCallback taken)
{
	g_signal_connect_object(self->session, signal, taken, self, G_CONNECT_SWAPPED);
}

static void hvs_panel_init(HvsPanel *self)
{
	gtk_widget_init_template(GTK_WIDGET(self));
	self->session = hvs_session_new();
	add_views(self);
	connect_session(self, "state", G_CALLBACK(state_taken));
	connect_session(self, "stopped", G_CALLBACK(state_taken));
	connect_session(self, "busy", G_CALLBACK(busy_taken));
	connect_session(self, "scene", G_CALLBACK(heading_taken));
	connect_session(self, "selected", G_CALLBACK(heading_taken));
	state_taken(self);
}

GtkWidget *hvs_panel_new(void)
{
	return g_object_new(HVS_TYPE_PANEL, NULL);
}
