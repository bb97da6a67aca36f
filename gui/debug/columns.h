/* columns.h: columns of text for the panel's lists
 *
 * What every list of the panel has in common: fixed-width text, a colour and a weight by
 * row. Holds nothing.
 */
#pragma once

#include <gtk/gtk.h>

enum column_kind {
	COLUMN_PLAIN,
	COLUMN_MONO = 1 << 0,
	COLUMN_RIGHT = 1 << 1,
	COLUMN_SORTED = 1 << 2, /* a click on its head sorts */
	COLUMN_WIDE = 1 << 3,   /* takes what room is left */
};

/* What a row looks like, in the model's column `look` (gint). */
enum column_look {
	LOOK_PLAIN,
	LOOK_FAINT,   /* not on a core, not known */
	LOOK_CHANGED, /* other than at the stop before */
	LOOK_STRONG,  /* current, live */
	LOOK_WRONG,
};

GtkTreeViewColumn *columns_add(GtkTreeView *view, const char *title, gint column, gint look,
                               enum column_kind kind);

/* The template's child `name`, where struct TYPE has the member of that name. */
#define COLUMNS_BIND(class, TYPE, name)                                                            \
	gtk_widget_class_bind_template_child_full(GTK_WIDGET_CLASS(class), #name, FALSE,           \
	                                          G_STRUCT_OFFSET(struct _##TYPE, name))
