#include "gui/window-private.h"

#include <glib/gi18n.h>

void window_find_clear(HvsWindow *self)
{
	g_clear_pointer(&self->finder, hvs_worker_free);
	g_clear_pointer(&self->hits, g_array_unref);
	self->hit = 0;
	if (self->find_count != NULL)
		gtk_label_set_text(GTK_LABEL(self->find_count), "");
}

/* The lane that shows a hit best: its track's, or its core's. */
static gint lane_of(HvsWindow *self, const struct find_hit *hit)
{
	const struct picture_source *source = hvs_document_source(self->document);
	g_autofree char *id = NULL;
	guint lane;

	if (hit->track == G_MAXUINT) {
		gsize n;
		const struct row_core *cores = recording_reader_cores(source->reader, &n);

		id = g_strdup_printf("core/%u", cores[hit->core].core);
	} else {
		return (gint)track_lane_of_item(source->tracks->pdata[hit->track], source->lanes,
		                                hit->item);
	}
	lane = lane_set_find(source->lanes, id);
	return lane == LANE_NO_PARENT ? -1 : (gint)lane;
}

static void show_hit(HvsWindow *self)
{
	const struct find_hit *hit = &g_array_index(self->hits, struct find_hit, self->hit);
	g_autofree char *text = g_strdup_printf(
		self->hits->len == FIND_HITS_MAX ? _("%u of the first %u") : _("%u of %u"),
		self->hit + 1, self->hits->len);

	gtk_label_set_text(GTK_LABEL(self->find_count), text);
	window_go(self, hit->start_ns, hit->start_ns, lane_of(self, hit));
}

void window_find_step(HvsWindow *self, gint by)
{
	if (self->hits == NULL || self->hits->len == 0)
		return;
	self->hit = (guint)((gint)self->hit + by + (gint)self->hits->len) % self->hits->len;
	show_hit(self);
}

static void found(const GArray *hits, const GError *error, gpointer data)
{
	HvsWindow *self = data;
	const struct view_range range = hvs_view_range(self->view);

	g_clear_pointer(&self->hits, g_array_unref);
	if (hits == NULL) {
		if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
			hvs_window_say(self, GTK_MESSAGE_ERROR, error->message);
		return;
	}
	if (hits->len == 0) {
		gtk_label_set_text(GTK_LABEL(self->find_count), _("nothing found"));
		return;
	}
	self->hits = g_array_ref((GArray *)hits);
	self->hit = 0;
	while (self->hit + 1 < hits->len &&
	       g_array_index(hits, struct find_hit, self->hit).start_ns < range.from_ns)
		self->hit++;
	show_hit(self);
}

static void find(HvsWindow *self)
{
	const char *text = gtk_entry_get_text(GTK_ENTRY(self->find_entry));
	struct find_query query;
	g_autoptr(GError) error = NULL;

	g_clear_pointer(&self->hits, g_array_unref);
	if (self->document == NULL || *text == '\0') {
		gtk_label_set_text(GTK_LABEL(self->find_count), "");
		return;
	}
	if (!find_query_parse(text, &query, &error)) {
		gtk_label_set_text(GTK_LABEL(self->find_count), error->message);
		return;
	}
	if (self->finder == NULL)
		self->finder = hvs_worker_new(hvs_document_path(self->document));
	gtk_label_set_text(GTK_LABEL(self->find_count), _("searching"));
	hvs_worker_ask_find(self->finder, &query,
	                    (GPtrArray *)hvs_document_source(self->document)->tracks, found, self);
	find_query_clear(&query);
}

static void next(HvsWindow *self)
{
	if (self->hits == NULL)
		find(self);
	else
		window_find_step(self, 1);
}

static void previous(HvsWindow *self)
{
	window_find_step(self, -1);
}

static void stopped(HvsWindow *self)
{
	gtk_search_bar_set_search_mode(GTK_SEARCH_BAR(self->find_bar), FALSE);
	gtk_widget_grab_focus(GTK_WIDGET(self->timeline));
}

void window_find_init(HvsWindow *self)
{
	gtk_search_bar_connect_entry(GTK_SEARCH_BAR(self->find_bar), GTK_ENTRY(self->find_entry));
	g_signal_connect_swapped(self->find_entry, "search-changed", G_CALLBACK(find), self);
	g_signal_connect_swapped(self->find_entry, "activate", G_CALLBACK(next), self);
	g_signal_connect_swapped(self->find_entry, "next-match", G_CALLBACK(next), self);
	g_signal_connect_swapped(self->find_entry, "previous-match", G_CALLBACK(previous), self);
	g_signal_connect_swapped(self->find_entry, "stop-search", G_CALLBACK(stopped), self);
}
