#include "gui/debug/columns.h"

/* Colours that are read on light and dark ground. */
static void show(GtkTreeViewColumn *column, GtkCellRenderer *cell, GtkTreeModel *model,
                 GtkTreeIter *iter, gpointer data)
{
	static const char *const colours[] = {
		[LOOK_FAINT] = "#888888",
		[LOOK_CHANGED] = "#d4510b",
		[LOOK_WRONG] = "#c01c28",
	};
	gint look;

	(void)column;
	gtk_tree_model_get(model, iter, GPOINTER_TO_INT(data), &look, -1);
	look = CLAMP(look, LOOK_PLAIN, LOOK_WRONG);
	g_object_set(cell, "foreground", look < (gint)G_N_ELEMENTS(colours) ? colours[look] : NULL,
	             "weight",
	             look == LOOK_STRONG || look == LOOK_CHANGED ? PANGO_WEIGHT_BOLD
	                                                         : PANGO_WEIGHT_NORMAL,
	             NULL);
}

GtkTreeViewColumn *columns_add(GtkTreeView *view, const char *title, gint column, gint look,
                               enum column_kind kind)
{
	GtkCellRenderer *cell = gtk_cell_renderer_text_new();
	GtkTreeViewColumn *made =
		gtk_tree_view_column_new_with_attributes(title, cell, "text", column, NULL);

	if ((kind & COLUMN_MONO) != 0)
		g_object_set(cell, "family", "Monospace", NULL);
	g_object_set(cell, "xalign", (kind & COLUMN_RIGHT) != 0 ? 1.0 : 0.0, "ypad", 1, NULL);
	gtk_tree_view_column_set_resizable(made, TRUE);
	gtk_tree_view_column_set_expand(made, (kind & COLUMN_WIDE) != 0);
	/* An ellipsis has no width of its own to ask for. */
	if ((kind & COLUMN_WIDE) != 0)
		gtk_tree_view_column_set_min_width(made, 130);
	if ((kind & COLUMN_WIDE) != 0)
		g_object_set(cell, "ellipsize", PANGO_ELLIPSIZE_END, NULL);
	if ((kind & COLUMN_SORTED) != 0)
		gtk_tree_view_column_set_sort_column_id(made, column);
	gtk_tree_view_column_set_cell_data_func(made, cell, show, GINT_TO_POINTER(look), NULL);
	gtk_tree_view_append_column(view, made);
	return made;
}
