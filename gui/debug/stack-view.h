/* stack-view.h: the call chain of what is selected
 *
 * From where it stands through kernel and hypervisor, with the borders. "frame" (a
 * struct look_frame, valid during the call) says that one was chosen.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_STACK_VIEW (hvs_stack_view_get_type())
G_DECLARE_FINAL_TYPE(HvsStackView, hvs_stack_view, HVS, STACK_VIEW, GtkBox)

GtkWidget *hvs_stack_view_new(HvsSession *session);
