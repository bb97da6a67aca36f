/* breakpoint-view.h: break- and watchpoints
 *
 * With the machine and task that each means, hits, and stops of others that were
 * stepped over.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_BREAKPOINT_VIEW (hvs_breakpoint_view_get_type())
G_DECLARE_FINAL_TYPE(HvsBreakpointView, hvs_breakpoint_view, HVS, BREAKPOINT_VIEW, GtkBox)

GtkWidget *hvs_breakpoint_view_new(HvsSession *session);
