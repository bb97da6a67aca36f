/* code-view.h: source or instructions at a frame
 *
 * Shows the source where its file is on this machine, else instructions.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_CODE_VIEW (hvs_code_view_get_type())
G_DECLARE_FINAL_TYPE(HvsCodeView, hvs_code_view, HVS, CODE_VIEW, GtkBox)

GtkWidget *hvs_code_view_new(HvsSession *session);

struct look_frame;
void hvs_code_view_show(HvsCodeView *self, const struct look_frame *frame);
