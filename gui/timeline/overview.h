/* overview.h: the strip of the whole recording
 *
 * All processors over the whole window in one lane, with the range that the view
 * shows as a frame. A click or drag moves the view there. Uses tiles of its own.
 */
#pragma once

#include "gui/timeline/document.h"
#include "gui/timeline/view.h"

#include <gtk/gtk.h>

#define HVS_TYPE_OVERVIEW (hvs_overview_get_type())
G_DECLARE_FINAL_TYPE(HvsOverview, hvs_overview, HVS, OVERVIEW, GtkDrawingArea)

GtkWidget *hvs_overview_new(void);
void hvs_overview_set(HvsOverview *self, HvsDocument *document, HvsView *view);
void hvs_overview_set_theme(HvsOverview *self, enum theme_kind theme);
