/* task-list.h: every task of every machine
 *
 * One list, sortable by any column and narrowed by what is typed. A double click
 * selects the task in the session.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_TASK_LIST (hvs_task_list_get_type())
G_DECLARE_FINAL_TYPE(HvsTaskList, hvs_task_list, HVS, TASK_LIST, GtkBox)

GtkWidget *hvs_task_list_new(HvsSession *session);

/* Puts the cursor where one types to narrow it. */
void hvs_task_list_focus(HvsTaskList *self);
