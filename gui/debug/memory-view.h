/* memory-view.h: bytes at an address
 *
 * The address is written as everywhere, machine:::space::address; rows can be edited
 * where the target allows it.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_MEMORY_VIEW (hvs_memory_view_get_type())
G_DECLARE_FINAL_TYPE(HvsMemoryView, hvs_memory_view, HVS, MEMORY_VIEW, GtkBox)

GtkWidget *hvs_memory_view_new(HvsSession *session);

/* Shows the address, unless the user has asked for one. */
void hvs_memory_view_suggest(HvsMemoryView *self, const char *address);
void hvs_memory_view_go(HvsMemoryView *self, const char *address);
