#include "gui/timeline/inspector-private.h"

#include "gui/timeline/figures-view.h"

#include <glib/gi18n.h>
#include <string.h>

/* A row of a domain that the filters leave. */
static gboolean row_passes(const struct figures *figures, guint row, gpointer data)
{
	HvsInspector *self = data;
	const GPtrArray *filters = hvs_document_filters(self->document);

	for (guint f = 0; f < filters->len; f++) {
		g_auto(GStrv) parts = g_strsplit(filters->pdata[f], " / ", 2);

		for (guint i = 0; i < figures->n_columns; i++) {
			const char *name = figures->columns[i].name;

			if ((strcmp(name, "domain") == 0 || strcmp(name, "frontend") == 0 ||
			     strcmp(name, "backend") == 0) &&
			    g_strcmp0(figures_at(figures, row, i)->text, parts[0]) == 0)
				return TRUE;
		}
	}
	return filters->len == 0;
}

static void tables_answered(const struct tables *tables, const GError *error, gpointer data)
{
	static const char *const empty[TABLES] = {
		N_("No vCPU ran here, or the recording does not tell them apart."),
		N_("No exit began here, or the recording does not tell vCPUs apart."),
		N_("Nothing here to measure a latency of."),
		N_("No request of a frontend to its backend began here."),
	};
	static const char *const notes[TABLES] = {
		N_("As 'hvscope report sched'. Click a row for its longest wait."),
		N_("As 'hvscope report exits': EL2 time. Click a row for the longest."),
		N_("As 'hvscope report latency'."),
		N_("As 'hvscope report backend'. Click a row for the request; ] goes along it."),
	};
	HvsInspector *self = data;

	if (tables == NULL) {
		if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
			g_signal_emit_by_name(self->document, "failed", error->message);
		return;
	}
	for (guint i = 0; i < TABLES; i++) {
		figures_view_fill(self->tables[i], tables->figures[i], &self->axis, row_passes,
		                  self);
		gtk_label_set_text(GTK_LABEL(self->tables_note[i]),
		                   _(figures_rows(tables->figures[i]) > 0 ? notes[i] : empty[i]));
		g_clear_pointer(&self->places[i], g_array_unref);
		self->places[i] = g_array_ref(tables->places[i]);
	}
}

static void table_chosen(GtkWidget *view, guint row, gpointer data)
{
	HvsInspector *self = data;

	for (guint i = 0; i < TABLES; i++) {
		const struct table_place *place;
		guint lane;

		if (self->tables[i] != view || self->places[i] == NULL ||
		    row >= self->places[i]->len)
			continue;
		place = &g_array_index(self->places[i], struct table_place, row);
		if (place->lane == NULL)
			continue;
		lane = lane_set_find(hvs_document_source(self->document)->lanes, place->lane);
		g_signal_emit(self, inspector_signal_go, 0, place->start_ns, place->end_ns,
		              lane == LANE_NO_PARENT ? -1 : (gint)lane);
	}
}

void inspector_tables_build(HvsInspector *self)
{
	static const char *const titles[TABLES] = { N_("Schedule"), N_("Exits"), N_("Latency"),
		                                    N_("Requests") };

	for (guint i = 0; i < TABLES; i++) {
		self->tables[i] = figures_view_new(table_chosen, self);
		self->tables_note[i] = gtk_label_new(NULL);
		inspector_add_page(self, _(titles[i]), self->tables_note[i], self->tables[i]);
		gtk_label_set_selectable(GTK_LABEL(self->tables_note[i]), FALSE);
	}
}

void inspector_tables_ask(HvsInspector *self, struct view_range range)
{
	hvs_worker_ask_tables(self->tables_worker, range.from_ns, range.to_ns, tables_answered,
	                      self);
}

void inspector_tables_forget(HvsInspector *self)
{
	for (guint i = 0; i < TABLES; i++)
		g_clear_pointer(&self->places[i], g_array_unref);
}
