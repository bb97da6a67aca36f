/* table-browser.h: what page tables map
 *
 * The tables of the selected machine's kernel, of the selected process, or stage 2.
 * "address" (a text) is asked to be shown as memory.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_TABLE_BROWSER (hvs_table_browser_get_type())
G_DECLARE_FINAL_TYPE(HvsTableBrowser, hvs_table_browser, HVS, TABLE_BROWSER, GtkBox)

GtkWidget *hvs_table_browser_new(HvsSession *session);
