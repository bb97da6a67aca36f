/* wait-view.h: what every waiting task waits in
 *
 * Asked for when it is shown: it follows every task's call chain.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_WAIT_VIEW (hvs_wait_view_get_type())
G_DECLARE_FINAL_TYPE(HvsWaitView, hvs_wait_view, HVS, WAIT_VIEW, GtkBox)

GtkWidget *hvs_wait_view_new(HvsSession *session);
