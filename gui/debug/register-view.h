/* register-view.h: the registers of what is selected
 *
 * Each with the copy that it comes from; system registers unfold into their fields.
 * What is another than at the stop before stands out.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_REGISTER_VIEW (hvs_register_view_get_type())
G_DECLARE_FINAL_TYPE(HvsRegisterView, hvs_register_view, HVS, REGISTER_VIEW, GtkBox)

GtkWidget *hvs_register_view_new(HvsSession *session);
