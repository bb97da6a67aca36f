/* inspector-private.h: what the inspector's two halves share
 *
 * inspector.c has its pages of time, events and durations, inspector-tables.c those that
 * are tables of reports.
 */
#pragma once

#include "gui/timeline/inspector.h"
#include "gui/timeline/worker.h"

struct _HvsInspector {
	GtkNotebook parent_instance;
	HvsDocument *document;
	HvsView *view;
	HvsTimeline *timeline;
	hvs_worker *worker;
	hvs_worker *tables_worker; /* these may take longer than the sums */
	gulong document_changed;
	gulong view_changed;
	guint update; /* source */
	struct axis axis;
	struct view_range asked;

	GtkWidget *instance; /* label */
	GtkWidget *range;    /* label */
	GtkListStore *times;
	GtkListStore *items;
	GtkWidget *items_view;
	GtkWidget *items_note;
	GtkListStore *bins;
	GtkWidget *bins_note;
	GtkWidget *tables[TABLES];
	GtkWidget *tables_note[TABLES];
	GArray *places[TABLES]; /* struct table_place, one a row of the figures shown */
};

extern guint inspector_signal_go;

/* A page: what is said above, and a scrolled table (NULL: none). */
void inspector_add_page(HvsInspector *self, const char *title, GtkWidget *head, GtkWidget *table);

void inspector_tables_build(HvsInspector *self);
/* The tables of that range; they come later. */
void inspector_tables_ask(HvsInspector *self, struct view_range range);
void inspector_tables_forget(HvsInspector *self);
