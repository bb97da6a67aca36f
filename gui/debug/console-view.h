/* console-view.h: the commands of hvscope debug
 *
 * Up and Down go through what was typed, Tab completes. The selected machine is meant
 * where none is written.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_CONSOLE_VIEW (hvs_console_view_get_type())
G_DECLARE_FINAL_TYPE(HvsConsoleView, hvs_console_view, HVS, CONSOLE_VIEW, GtkBox)

GtkWidget *hvs_console_view_new(HvsSession *session);
