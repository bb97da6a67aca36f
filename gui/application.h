/* application.h: hvscope-gui
 *
 * One GtkApplication; each recording or capture that is opened has a window.
 */
#pragma once

#include <gtk/gtk.h>

#define HVS_TYPE_APPLICATION (hvs_application_get_type())
G_DECLARE_FINAL_TYPE(HvsApplication, hvs_application, HVS, APPLICATION, GtkApplication)

HvsApplication *hvs_application_new(void);
