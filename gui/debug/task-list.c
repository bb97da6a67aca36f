#include "gui/debug/task-list.h"

#include "gui/debug/columns.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	COLUMN_MACHINE,
	COLUMN_TID,
	COLUMN_PID,
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_VCPU,
	COLUMN_PRIORITY,
	COLUMN_LOOK,
	COLUMN_NUMBER,
	COLUMN_TEXT, /* all of it, in lower case, for the filter */
	COLUMNS
};

struct _HvsTaskList {
	GtkBox parent_instance;
	GtkWidget *view, *filter, *count;
	HvsSession *session;
	GtkListStore *store;
	GtkTreeModel *shown;
	char *wanted; /* in lower case */
};

G_DEFINE_TYPE(HvsTaskList, hvs_task_list, GTK_TYPE_BOX)

static gboolean is_wanted(GtkTreeModel *model, GtkTreeIter *row, gpointer data)
{
	HvsTaskList *self = data;
	g_autofree char *text = NULL;
	g_auto(GStrv) words = NULL;

	if (self->wanted == NULL || *self->wanted == '\0')
		return TRUE;
	gtk_tree_model_get(model, row, COLUMN_TEXT, &text, -1);
	words = g_strsplit(self->wanted, " ", -1);
	for (gsize i = 0; text != NULL && words[i] != NULL; i++) {
		if (strstr(text, words[i]) == NULL)
			return FALSE;
	}
	return text != NULL;
}

static void say_count(HvsTaskList *self)
{
	gint all = gtk_tree_model_iter_n_children(GTK_TREE_MODEL(self->store), NULL);
	gint some = gtk_tree_model_iter_n_children(self->shown, NULL);
	g_autofree char *text = some == all ? g_strdup_printf(_("%d tasks"), all)
	                                    : g_strdup_printf(_("%d of %d tasks"), some, all);

	gtk_label_set_text(GTK_LABEL(self->count), text);
}

static void add_task(HvsTaskList *self, const struct scene_machine *machine,
                     const struct scene_machine *before, const struct scene_task *task)
{
	const struct scene_task *old = scene_machine_task(before, task->tid);
	gboolean changed =
		before != NULL && before->listed &&
		(old == NULL || old->state != task->state || old->on_cpu != task->on_cpu);
	g_autofree char *state =
		g_strdup_printf("%s%s %s", task->letter, task->on_cpu ? "*" : "", task->state);
	g_autofree char *text = g_strdup_printf("%s %" G_GINT64_FORMAT " %s %s", machine->name,
	                                        task->tid, task->name, state);
	g_autofree char *lower = g_utf8_strdown(text, -1);

	gtk_list_store_insert_with_values(
		self->store, NULL, -1, COLUMN_MACHINE, machine->name, COLUMN_TID, task->tid,
		COLUMN_PID, task->pid, COLUMN_NAME, task->name, COLUMN_STATE, state, COLUMN_VCPU,
		task->vcpu, COLUMN_PRIORITY, task->priority, COLUMN_LOOK,
		changed           ? LOOK_CHANGED
		: task->on_cpu    ? LOOK_STRONG
		: task->is_kernel ? LOOK_FAINT
				  : LOOK_PLAIN,
		COLUMN_NUMBER, (gint)machine->number, COLUMN_TEXT, lower, -1);
}

static gint64 key_of(const struct selection *selection)
{
	return (gint64)selection->machine << 40 | selection->tid;
}

/* The same row is chosen again where the task is still there. */
static void restore(HvsTaskList *self, gint64 key)
{
	GtkTreeIter row;
	gboolean any = gtk_tree_model_get_iter_first(self->shown, &row);

	for (; any; any = gtk_tree_model_iter_next(self->shown, &row)) {
		struct selection selection;

		gtk_tree_model_get(self->shown, &row, COLUMN_NUMBER, &selection.machine, COLUMN_TID,
		                   &selection.tid, -1);
		if (key_of(&selection) == key) {
			gtk_tree_selection_select_iter(
				gtk_tree_view_get_selection(GTK_TREE_VIEW(self->view)), &row);
			return;
		}
	}
}

static void scene_taken(HvsTaskList *self)
{
	const struct scene_system *scene = hvs_session_scene(self->session);
	const struct scene_system *before = hvs_session_scene_before(self->session);
	const struct selection selection = hvs_session_selection(self->session);

	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), NULL);
	gtk_list_store_clear(self->store);
	for (guint i = 0; scene != NULL && i < scene->machines->len; i++) {
		const struct scene_machine *machine = g_ptr_array_index(scene->machines, i);
		const struct scene_machine *old = scene_machine(before, (gint)machine->number);

		for (guint n = 0; n < machine->tasks->len; n++)
			add_task(self, machine, old, g_ptr_array_index(machine->tasks, n));
	}
	gtk_tree_view_set_model(GTK_TREE_VIEW(self->view), self->shown);
	restore(self, key_of(&selection));
	say_count(self);
}

static void filter_typed(HvsTaskList *self)
{
	g_free(self->wanted);
	self->wanted = g_utf8_strdown(gtk_entry_get_text(GTK_ENTRY(self->filter)), -1);
	gtk_tree_model_filter_refilter(GTK_TREE_MODEL_FILTER(
		gtk_tree_model_sort_get_model(GTK_TREE_MODEL_SORT(self->shown))));
	say_count(self);
}

static void row_activated(HvsTaskList *self, GtkTreePath *path)
{
	struct selection selection = { .vcpu = -1 };
	GtkTreeIter row;

	if (!gtk_tree_model_get_iter(self->shown, &row, path))
		return;
	gtk_tree_model_get(self->shown, &row, COLUMN_NUMBER, &selection.machine, COLUMN_TID,
	                   &selection.tid, -1);
	hvs_session_select(self->session, selection);
}

/* Enter in the filter takes the first that is left. */
static void filter_activated(HvsTaskList *self)
{
	g_autoptr(GtkTreePath) first = gtk_tree_path_new_first();

	row_activated(self, first);
}

void hvs_task_list_focus(HvsTaskList *self)
{
	gtk_widget_grab_focus(self->filter);
}

static void hvs_task_list_dispose(GObject *object)
{
	HvsTaskList *self = HVS_TASK_LIST(object);

	g_clear_object(&self->session);
	g_clear_object(&self->shown);
	g_clear_object(&self->store);
	g_clear_pointer(&self->wanted, g_free);
	G_OBJECT_CLASS(hvs_task_list_parent_class)->dispose(object);
}

static void hvs_task_list_class_init(HvsTaskListClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_task_list_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/task-list.ui");
	COLUMNS_BIND(class, HvsTaskList, view);
	COLUMNS_BIND(class, HvsTaskList, filter);
	COLUMNS_BIND(class, HvsTaskList, count);
}

static void hvs_task_list_init(HvsTaskList *self)
{
	g_autoptr(GtkTreeModel) filtered = NULL;
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->store = gtk_list_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_INT64, G_TYPE_INT64,
	                                 G_TYPE_STRING, G_TYPE_STRING, G_TYPE_INT, G_TYPE_INT64,
	                                 G_TYPE_INT, G_TYPE_INT, G_TYPE_STRING);
	filtered = gtk_tree_model_filter_new(GTK_TREE_MODEL(self->store), NULL);
	gtk_tree_model_filter_set_visible_func(GTK_TREE_MODEL_FILTER(filtered), is_wanted, self,
	                                       NULL);
	self->shown = gtk_tree_model_sort_new_with_model(filtered);
	columns_add(view, _("Machine"), COLUMN_MACHINE, COLUMN_LOOK, COLUMN_SORTED);
	columns_add(view, _("Task"), COLUMN_TID, COLUMN_LOOK, COLUMN_SORTED | COLUMN_RIGHT);
	columns_add(view, _("Process"), COLUMN_PID, COLUMN_LOOK, COLUMN_SORTED | COLUMN_RIGHT);
	columns_add(view, _("Name"), COLUMN_NAME, COLUMN_LOOK, COLUMN_SORTED | COLUMN_WIDE);
	columns_add(view, _("State"), COLUMN_STATE, COLUMN_LOOK, COLUMN_SORTED);
	columns_add(view, _("vCPU"), COLUMN_VCPU, COLUMN_LOOK, COLUMN_SORTED | COLUMN_RIGHT);
	columns_add(view, _("Priority"), COLUMN_PRIORITY, COLUMN_LOOK,
	            COLUMN_SORTED | COLUMN_RIGHT);
	gtk_tree_view_set_model(view, self->shown);
	g_signal_connect_swapped(self->filter, "search-changed", G_CALLBACK(filter_typed), self);
	g_signal_connect_swapped(self->filter, "activate", G_CALLBACK(filter_activated), self);
	g_signal_connect_swapped(view, "row-activated", G_CALLBACK(row_activated), self);
}

GtkWidget *hvs_task_list_new(HvsSession *session)
{
	HvsTaskList *self = g_object_new(HVS_TYPE_TASK_LIST, NULL);

	self->session = g_object_ref(session);
	g_signal_connect_object(session, "scene", G_CALLBACK(scene_taken), self, G_CONNECT_SWAPPED);
	return GTK_WIDGET(self);
}
