/* connect-dialog.h: which target to connect to
 *
 * What to connect by (gdb, a board, a dump, a raw image), where, the system file, and the
 * targets of before. It connects to nothing itself.
 */
#pragma once

#include <gtk/gtk.h>

#define HVS_TYPE_CONNECT_DIALOG (hvs_connect_dialog_get_type())
G_DECLARE_FINAL_TYPE(HvsConnectDialog, hvs_connect_dialog, HVS, CONNECT_DIALOG, GtkDialog)

GtkWidget *hvs_connect_dialog_new(GtkWindow *parent);

/* What was chosen: new strings; `system_path` NULL for none. FALSE where nothing was. */
gboolean hvs_connect_dialog_result(HvsConnectDialog *self, char **target, char **system_path);
