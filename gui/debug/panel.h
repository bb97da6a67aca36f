/* panel.h: the stop-mode panel
 *
 * One page of the window: buttons and status above, the system's tree and the list of
 * tasks on the left, call chain, code and registers of what is selected beside them, and
 * below memory, translation, page tables, breakpoints, waits and console. It puts the
 * views together and owns their session; what can be done by name is the window's.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_PANEL (hvs_panel_get_type())
G_DECLARE_FINAL_TYPE(HvsPanel, hvs_panel, HVS, PANEL, GtkBox)

GtkWidget *hvs_panel_new(void);

HvsSession *hvs_panel_session(HvsPanel *self);

/* Puts the cursor where one types to narrow the list of tasks. */
void hvs_panel_find_task(HvsPanel *self);
/* Puts the cursor into the console. */
void hvs_panel_focus_console(HvsPanel *self);
