/* figures-view.h: a table of figures on the screen
 *
 * Any table of analysis/figures.h as a GtkTreeView: columns, sorting and how a cell is
 * written. Says which row was clicked; what that means is its user's concern.
 */
#pragma once

#include "analysis/figures.h"
#include "analysis/picture/axis.h"

#include <gtk/gtk.h>

/* Whether a row is shown. */
typedef gboolean (*figures_keep_fn)(const struct figures *figures, guint row, gpointer data);
/* `row` is that of the figures that filled the view. */
typedef void (*figures_chosen_fn)(GtkWidget *view, guint row, gpointer data);

GtkWidget *figures_view_new(figures_chosen_fn chosen, gpointer data);

/* Replaces what is shown, keeps the order that the user chose. `keep` may be NULL. The
 * figures are copied. */
void figures_view_fill(GtkWidget *view, const struct figures *figures, const struct axis *axis,
                       figures_keep_fn keep, gpointer data);
