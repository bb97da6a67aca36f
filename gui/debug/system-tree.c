#include "gui/debug/system-tree.h"

#include "gui/debug/columns.h"

#include <glib/gi18n.h>

enum {
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_WHERE,
	COLUMN_LOOK,
	COLUMN_KEY,
	COLUMN_MACHINE,
	COLUMN_VCPU,
	COLUMN_TID,
	COLUMNS
};

struct _HvsSystemTree {
	GtkScrolledWindow parent_instance;
	GtkWidget *view;
	HvsSession *session;
	GtkTreeStore *store;
	GHashTable *rows;   /* key -> GtkTreeIter; a tree store's iters stay valid */
	GHashTable *seen;   /* keys of the scene that is being taken over */
	gboolean selecting; /* by us, not by the user */
};

G_DEFINE_TYPE(HvsSystemTree, hvs_system_tree, GTK_TYPE_SCROLLED_WINDOW)

/* The row of that key, made below `parent` where there is none. */
static GtkTreeIter row_of(HvsSystemTree *self, const char *key, GtkTreeIter *parent,
                          gboolean *is_new)
{
	GtkTreeIter *known = g_hash_table_lookup(self->rows, key);
	GtkTreeIter made;

	g_hash_table_add(self->seen, g_strdup(key));
	*is_new = known == NULL;
	if (known != NULL)
		return *known;
	gtk_tree_store_insert_with_values(self->store, &made, parent, -1, COLUMN_KEY, key,
	                                  COLUMN_VCPU, -1, COLUMN_TID, (gint64)-1, -1);
	g_hash_table_insert(self->rows, g_strdup(key), gtk_tree_iter_copy(&made));
	return made;
}

static void set_row(HvsSystemTree *self, GtkTreeIter *row, const char *name, const char *state,
                    const char *where, enum column_look look)
{
	gtk_tree_store_set(self->store, row, COLUMN_NAME, name, COLUMN_STATE, state, COLUMN_WHERE,
	                   where, COLUMN_LOOK, look, -1);
}

static void show_vcpu(HvsSystemTree *self, const struct scene_machine *machine,
                      const struct scene_vcpu *vcpu, GtkTreeIter *parent)
{
	g_autofree char *key = g_strdup_printf("m%uv%u", machine->number, vcpu->id);
	g_autofree char *name =
		g_strdup_printf(machine->number == 0 ? _("core %u") : _("vCPU %u"), vcpu->id);
	g_autofree char *state = NULL;
	g_autofree char *where = NULL;
	gboolean is_new;
	GtkTreeIter row = row_of(self, key, parent, &is_new);

	if (machine->number == 0)
		state = g_strdup_printf("EL%u", vcpu->el);
	else if (vcpu->live)
		state = g_strdup_printf(_("live on core %d, EL%u"), vcpu->pcpu, vcpu->el);
	else
		state = g_strdup_printf(_("inactive, %s"), vcpu->state);
	where = vcpu->where != NULL ? g_strdup(vcpu->where)
	                            : g_strdup_printf("0x%" G_GINT64_MODIFIER "x", vcpu->pc);
	if (vcpu->task != NULL) {
		char *more = g_strdup_printf("%s (%" G_GINT64_FORMAT "): %s", vcpu->task, vcpu->tid,
		                             where);

		g_free(where);
		where = more;
	}
	set_row(self, &row, name, state, where,
	        vcpu->live || machine->number == 0 ? LOOK_STRONG : LOOK_FAINT);
	gtk_tree_store_set(self->store, &row, COLUMN_MACHINE, (gint)machine->number, COLUMN_VCPU,
	                   (gint)vcpu->id, -1);
}

/* TRUE where the stop before saw the task otherwise, or not at all. */
static gboolean task_changed(HvsSystemTree *self, const struct scene_machine *machine,
                             const struct scene_task *task)
{
	const struct scene_machine *before =
		scene_machine(hvs_session_scene_before(self->session), (gint)machine->number);
	const struct scene_task *old;

	if (before == NULL || !before->listed)
		return FALSE;
	old = scene_machine_task(before, task->tid);
	return old == NULL || old->state != task->state || old->on_cpu != task->on_cpu;
}

static void show_task(HvsSystemTree *self, const struct scene_machine *machine,
                      const struct scene_task *task, GtkTreeIter *parent)
{
	g_autofree char *key = g_strdup_printf("m%ut%" G_GINT64_FORMAT, machine->number, task->tid);
	g_autofree char *name = g_strdup_printf("%s (%" G_GINT64_FORMAT ")", task->name, task->tid);
	g_autofree char *leader =
		g_strdup_printf("m%ut%" G_GINT64_FORMAT, machine->number, task->pid);
	GtkTreeIter *process = g_hash_table_lookup(self->rows, leader);
	gboolean is_new;
	/* A thread stands below its process, which the list has before it. */
	GtkTreeIter row = row_of(
		self, key, task->pid != task->tid && process != NULL ? process : parent, &is_new);

	set_row(self, &row, name, task->on_cpu ? _("on a vCPU") : task->state, "",
	        task_changed(self, machine, task) ? LOOK_CHANGED
	        : task->on_cpu                    ? LOOK_STRONG
	                                          : LOOK_PLAIN);
	gtk_tree_store_set(self->store, &row, COLUMN_MACHINE, (gint)machine->number, COLUMN_TID,
	                   task->tid, -1);
}

static void show_tasks(HvsSystemTree *self, const struct scene_machine *machine,
                       GtkTreeIter *parent)
{
	g_autofree char *key = g_strdup_printf("m%uk", machine->number);
	GtkTreeIter kernel;
	guint n_kernel = 0;
	gboolean is_new;

	for (guint i = 0; i < machine->tasks->len; i++) {
		const struct scene_task *task = g_ptr_array_index(machine->tasks, i);

		n_kernel += task->is_kernel ? 1 : 0;
		if (!task->is_kernel)
			show_task(self, machine, task, parent);
	}
	if (n_kernel > 0) {
		g_autofree char *name = g_strdup_printf(_("%u kernel threads"), n_kernel);

		kernel = row_of(self, key, parent, &is_new);
		set_row(self, &kernel, name, "", "", LOOK_FAINT);
		gtk_tree_store_set(self->store, &kernel, COLUMN_MACHINE, (gint)machine->number, -1);
	}
	for (guint i = 0; i < machine->tasks->len; i++) {
		const struct scene_task *task = g_ptr_array_index(machine->tasks, i);

		if (task->is_kernel)
			show_task(self, machine, task, &kernel);
	}
}

static void show_machine(HvsSystemTree *self, const struct scene_machine *machine)
{
	g_autofree char *key = g_strdup_printf("m%u", machine->number);
	g_autofree char *state = NULL;
	g_autofree char *where = NULL;
	gboolean is_new;
	GtkTreeIter row = row_of(self, key, NULL, &is_new);

	state = g_strdup_printf("%s%s",
	                        machine->number == 0 ? ""
	                        : machine->live      ? _("live, ")
	                                             : _("inactive, "),
	                        machine->state != NULL ? machine->state : "");
	where = machine->gaps->len > 0 ? g_strdup_printf(ngettext("%s  \342\232\240 %u problem",
	                                                          "%s  \342\232\240 %u problems",
	                                                          machine->gaps->len),
	                                                 machine->system, machine->gaps->len)
	                               : g_strdup(machine->system);
	set_row(self, &row, machine->name, state, where,
	        machine->gaps->len > 0                  ? LOOK_WRONG
	        : machine->live || machine->number == 0 ? LOOK_STRONG
	                                                : LOOK_FAINT);
	gtk_tree_store_set(self->store, &row, COLUMN_MACHINE, (gint)machine->number, -1);
	for (guint i = 0; i < machine->gaps->len; i++) {
		g_autofree char *gap_key = g_strdup_printf("m%ug%u", machine->number, i);
		GtkTreeIter gap = row_of(self, gap_key, &row, &is_new);

		set_row(self, &gap, g_ptr_array_index(machine->gaps, i), "", "", LOOK_WRONG);
		gtk_tree_store_set(self->store, &gap, COLUMN_MACHINE, (gint)machine->number, -1);
	}
	for (guint i = 0; i < machine->vcpus->len; i++)
		show_vcpu(self, machine, g_ptr_array_index(machine->vcpus, i), &row);
	show_tasks(self, machine, &row);
}

/* Children first: a removed row takes its children along. */
static gint by_depth(gconstpointer a, gconstpointer b, gpointer data)
{
	HvsSystemTree *self = data;
	GtkTreeIter *first = g_hash_table_lookup(self->rows, a);
	GtkTreeIter *second = g_hash_table_lookup(self->rows, b);

	return gtk_tree_store_iter_depth(self->store, second) -
	       gtk_tree_store_iter_depth(self->store, first);
}

static void remove_gone(HvsSystemTree *self)
{
	GHashTableIter iter;
	gpointer key, value;
	GList *gone = NULL;

	g_hash_table_iter_init(&iter, self->rows);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		if (!g_hash_table_contains(self->seen, key))
			gone = g_list_prepend(gone, key);
	}
	gone = g_list_sort_with_data(gone, by_depth, self);
	for (GList *at = gone; at != NULL; at = at->next) {
		GtkTreeIter row = *(GtkTreeIter *)g_hash_table_lookup(self->rows, at->data);

		gtk_tree_store_remove(self->store, &row);
		g_hash_table_remove(self->rows, at->data);
	}
	g_list_free(gone);
}

/* Machines that were not there before are unfolded. */
static void scene_taken(HvsSystemTree *self)
{
	const struct scene_system *scene = hvs_session_scene(self->session);

	g_hash_table_remove_all(self->seen);
	for (guint i = 0; scene != NULL && i < scene->machines->len; i++) {
		const struct scene_machine *machine = g_ptr_array_index(scene->machines, i);
		g_autofree char *key = g_strdup_printf("m%u", machine->number);
		GtkTreeIter *row = g_hash_table_lookup(self->rows, key);
		gboolean had_children = row != NULL && gtk_tree_model_iter_has_child(
							       GTK_TREE_MODEL(self->store), row);

		show_machine(self, machine);
		row = g_hash_table_lookup(self->rows, key);
		if (!had_children) {
			g_autoptr(GtkTreePath) path =
				gtk_tree_model_get_path(GTK_TREE_MODEL(self->store), row);

			gtk_tree_view_expand_row(GTK_TREE_VIEW(self->view), path, FALSE);
		}
	}
	remove_gone(self);
}

/* Shows what the session has selected. */
static void selection_taken(HvsSystemTree *self)
{
	const struct selection selection = hvs_session_selection(self->session);
	g_autofree char *key =
		selection.tid >= 0
			? g_strdup_printf("m%dt%" G_GINT64_FORMAT, selection.machine, selection.tid)
		: selection.vcpu >= 0 ? g_strdup_printf("m%dv%d", selection.machine, selection.vcpu)
				      : g_strdup_printf("m%d", selection.machine);
	GtkTreeIter *row = g_hash_table_lookup(self->rows, key);
	g_autoptr(GtkTreePath) path = NULL;

	if (row == NULL)
		return;
	path = gtk_tree_model_get_path(GTK_TREE_MODEL(self->store), row);
	self->selecting = TRUE;
	gtk_tree_view_expand_to_path(GTK_TREE_VIEW(self->view), path);
	gtk_tree_view_set_cursor(GTK_TREE_VIEW(self->view), path, NULL, FALSE);
	gtk_tree_view_scroll_to_cell(GTK_TREE_VIEW(self->view), path, NULL, FALSE, 0, 0);
	self->selecting = FALSE;
}

static void row_chosen(HvsSystemTree *self, GtkTreeSelection *chosen)
{
	struct selection selection;
	GtkTreeIter row;

	if (self->selecting || !gtk_tree_selection_get_selected(chosen, NULL, &row))
		return;
	gtk_tree_model_get(GTK_TREE_MODEL(self->store), &row, COLUMN_MACHINE, &selection.machine,
	                   COLUMN_VCPU, &selection.vcpu, COLUMN_TID, &selection.tid, -1);
	hvs_session_select(self->session, selection);
}

static void hvs_system_tree_dispose(GObject *object)
{
	HvsSystemTree *self = HVS_SYSTEM_TREE(object);

	self->selecting = TRUE;
	g_clear_object(&self->session);
	g_clear_object(&self->store);
	g_clear_pointer(&self->rows, g_hash_table_unref);
	g_clear_pointer(&self->seen, g_hash_table_unref);
	G_OBJECT_CLASS(hvs_system_tree_parent_class)->dispose(object);
}

static void hvs_system_tree_class_init(HvsSystemTreeClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_system_tree_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/system-tree.ui");
	COLUMNS_BIND(class, HvsSystemTree, view);
}

static void free_iter(gpointer iter)
{
	gtk_tree_iter_free(iter);
}

static void hvs_system_tree_init(HvsSystemTree *self)
{
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_iter);
	self->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	self->store =
		gtk_tree_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_INT,
	                           G_TYPE_STRING, G_TYPE_INT, G_TYPE_INT, G_TYPE_INT64);
	columns_add(view, _("System"), COLUMN_NAME, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, _("State"), COLUMN_STATE, COLUMN_LOOK, COLUMN_PLAIN);
	columns_add(view, _("Where"), COLUMN_WHERE, COLUMN_LOOK, COLUMN_WIDE);
	gtk_tree_view_set_tooltip_column(view, COLUMN_NAME);
	gtk_tree_view_set_model(view, GTK_TREE_MODEL(self->store));
	g_signal_connect_swapped(gtk_tree_view_get_selection(view), "changed",
	                         G_CALLBACK(row_chosen), self);
}

GtkWidget *hvs_system_tree_new(HvsSession *session)
{
	HvsSystemTree *self = g_object_new(HVS_TYPE_SYSTEM_TREE, NULL);

	self->session = g_object_ref(session);
	g_signal_connect_object(session, "scene", G_CALLBACK(scene_taken), self, G_CONNECT_SWAPPED);
	g_signal_connect_object(session, "selected", G_CALLBACK(selection_taken), self,
	                        G_CONNECT_SWAPPED);
	return GTK_WIDGET(self);
}
