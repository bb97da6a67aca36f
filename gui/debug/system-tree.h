/* system-tree.h: the hypervisor, its guests, their vCPUs and tasks
 *
 * A tree that keeps what was unfolded from stop to stop. A click selects in the
 * session. What is on a core stands out, what is not is faint; what could not be seen
 * stands in red under its machine.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_SYSTEM_TREE (hvs_system_tree_get_type())
G_DECLARE_FINAL_TYPE(HvsSystemTree, hvs_system_tree, HVS, SYSTEM_TREE, GtkScrolledWindow)

GtkWidget *hvs_system_tree_new(HvsSession *session);
