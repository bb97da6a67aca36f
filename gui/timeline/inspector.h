/* inspector.h: numbers beside the picture
 *
 * A notebook: time by owner, the chosen interval, schedule, exits, latency and requests as
 * reports have them, single events, durations. All of them are
 * of the selected range, or of what is shown where none is selected, and follow
 * while it is dragged. Rows go to their instance ("go": start, end, lane or -1) and
 * can become filters ("filter": name).
 */
#pragma once

#include "gui/timeline/timeline.h"

#define HVS_TYPE_INSPECTOR (hvs_inspector_get_type())
G_DECLARE_FINAL_TYPE(HvsInspector, hvs_inspector, HVS, INSPECTOR, GtkNotebook)

enum inspector_page {
	INSPECTOR_TIME,
	INSPECTOR_INTERVAL,
	INSPECTOR_TABLES, /* the first of TABLES */
	INSPECTOR_EVENTS = INSPECTOR_TABLES + 4,
	INSPECTOR_DURATIONS,
};

GtkWidget *hvs_inspector_new(void);
/* Turns to that page (enum inspector_page) and gives the focus to its table. */
void hvs_inspector_show_page(HvsInspector *self, gint page);
void hvs_inspector_set(HvsInspector *self, HvsDocument *document, HvsView *view,
                       HvsTimeline *timeline);
/* The chosen interval is another. */
void hvs_inspector_update_instance(HvsInspector *self);
