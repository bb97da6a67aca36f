#include "gui/timeline/figures-view.h"

#include <glib/gi18n.h>

/* Of a figure's column: its text and what it is sorted by. After all of them: the row. */
static gint text_column(guint column)
{
	return (gint)(2 * column);
}

static gint sort_column(guint column)
{
	return (gint)(2 * column + 1);
}

struct chosen {
	figures_chosen_fn fn;
	gpointer data;
};

static char *cell_text(const struct figure *figure, enum figure_kind kind, const struct axis *axis)
{
	if (!figure->known)
		return g_strdup("-");
	switch (kind) {
	case FIGURE_COUNT:
		return g_strdup_printf("%.0f", figure->value);
	case FIGURE_TIME:
		return axis_duration(axis, (gint64)figure->value);
	case FIGURE_SHARE:
		return g_strdup_printf("%.1f%%", figure->value * 100);
	case FIGURE_RATE:
		return g_strdup_printf("%.1f/s", figure->value);
	case FIGURE_TEXT:
	default:
		return g_strdup(figure->text);
	}
}

static void activated(GtkTreeView *view, GtkTreePath *path, GtkTreeViewColumn *column,
                      const struct chosen *chosen)
{
	GtkTreeModel *model = gtk_tree_view_get_model(view);
	GtkTreeIter iter;
	guint row;

	(void)column;
	if (!gtk_tree_model_get_iter(model, &iter, path))
		return;
	gtk_tree_model_get(model, &iter, gtk_tree_model_get_n_columns(model) - 1, &row, -1);
	chosen->fn(GTK_WIDGET(view), row, chosen->data);
}

GtkWidget *figures_view_new(figures_chosen_fn chosen, gpointer data)
{
	GtkWidget *view = gtk_tree_view_new();
	struct chosen *handler = g_new(struct chosen, 1);

	*handler = (struct chosen) { chosen, data };
	gtk_tree_view_set_activate_on_single_click(GTK_TREE_VIEW(view), TRUE);
	g_signal_connect_data(view, "row-activated", G_CALLBACK(activated), handler,
	                      (GClosureNotify)(void (*)(void))g_free, 0);
	return view;
}

static GtkListStore *store_new(const struct figures *figures)
{
	const guint n = 2 * figures->n_columns + 1;
	g_autofree GType *types = g_new(GType, n);

	for (guint i = 0; i < figures->n_columns; i++) {
		types[text_column(i)] = G_TYPE_STRING;
		types[sort_column(i)] =
			figures->columns[i].kind == FIGURE_TEXT ? G_TYPE_STRING : G_TYPE_DOUBLE;
	}
	types[n - 1] = G_TYPE_UINT;
	return gtk_list_store_newv((gint)n, types);
}

static void add_columns(GtkWidget *view, const struct figures *figures)
{
	for (guint i = 0; i < figures->n_columns; i++) {
		const struct figure_column *column = &figures->columns[i];
		GtkCellRenderer *cell = gtk_cell_renderer_text_new();
		GtkTreeViewColumn *added = gtk_tree_view_column_new_with_attributes(
			_(column->title), cell, "text", text_column(i), NULL);

		g_object_set(cell, "xalign", column->kind == FIGURE_TEXT ? 0.0f : 1.0f, NULL);
		gtk_tree_view_column_set_alignment(added,
		                                   column->kind == FIGURE_TEXT ? 0.0f : 1.0f);
		gtk_tree_view_column_set_resizable(added, TRUE);
		gtk_tree_view_column_set_sort_column_id(added, sort_column(i));
		gtk_tree_view_append_column(GTK_TREE_VIEW(view), added);
	}
}

static void add_row(GtkListStore *store, const struct figures *figures, guint row,
                    const struct axis *axis)
{
	GtkTreeIter iter;

	gtk_list_store_append(store, &iter);
	for (guint i = 0; i < figures->n_columns; i++) {
		const enum figure_kind kind = figures->columns[i].kind;
		const struct figure *figure = figures_at(figures, row, i);
		g_autofree char *text = cell_text(figure, kind, axis);

		gtk_list_store_set(store, &iter, text_column(i), text, -1);
		if (kind == FIGURE_TEXT)
			gtk_list_store_set(store, &iter, sort_column(i), text, -1);
		else
			gtk_list_store_set(store, &iter, sort_column(i),
			                   figure->known ? figure->value : -1.0, -1);
	}
	gtk_list_store_set(store, &iter, 2 * (gint)figures->n_columns, row, -1);
}

void figures_view_fill(GtkWidget *view, const struct figures *figures, const struct axis *axis,
                       figures_keep_fn keep, gpointer data)
{
	g_autoptr(GtkListStore) store = store_new(figures);
	GtkTreeModel *before = gtk_tree_view_get_model(GTK_TREE_VIEW(view));
	GtkTreePath *cursor = NULL;
	gint sorted_by;
	GtkSortType order;

	if (before == NULL)
		add_columns(view, figures);
	for (guint row = 0; row < figures_rows(figures); row++) {
		if (keep == NULL || keep(figures, row, data))
			add_row(store, figures, row, axis);
	}
	if (before != NULL &&
	    gtk_tree_sortable_get_sort_column_id(GTK_TREE_SORTABLE(before), &sorted_by, &order))
		gtk_tree_sortable_set_sort_column_id(GTK_TREE_SORTABLE(store), sorted_by, order);
	/* Whoever goes down a table stays where he is when its numbers are made again. */
	gtk_tree_view_get_cursor(GTK_TREE_VIEW(view), &cursor, NULL);
	gtk_tree_view_set_model(GTK_TREE_VIEW(view), GTK_TREE_MODEL(store));
	if (cursor != NULL && gtk_tree_path_get_indices(cursor)[0] <
	                              gtk_tree_model_iter_n_children(GTK_TREE_MODEL(store), NULL))
		gtk_tree_view_set_cursor(GTK_TREE_VIEW(view), cursor, NULL, FALSE);
	gtk_tree_path_free(cursor);
}
