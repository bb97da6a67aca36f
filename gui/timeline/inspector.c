#include "gui/timeline/inspector-private.h"

#include "analysis/picture/page.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	TIME_NAME,
	TIME_TIME,
	TIME_SHARE,
	TIME_SPANS,
	TIME_NS, /* for sorting */
	TIME_COLUMNS
};

enum {
	ITEM_TIME,
	ITEM_WHAT,
	ITEM_WHO,
	ITEM_WHERE,
	ITEM_START_NS,
	ITEM_END_NS,
	ITEM_LANE,
	ITEM_COLUMNS
};

enum {
	BIN_FROM,
	BIN_COUNT,
	BIN_BAR,
	BIN_COLUMNS
};

enum {
	ITEMS_SHOWN_MAX = 1000,
	UPDATE_MS = 30
};

G_DEFINE_TYPE(HvsInspector, hvs_inspector, GTK_TYPE_NOTEBOOK)

guint inspector_signal_go;
static guint signal_filter;

static struct view_range range_of(HvsInspector *self)
{
	const struct view_range selection = hvs_view_selection(self->view);

	return selection.to_ns > selection.from_ns ? selection : hvs_view_range(self->view);
}

/* Rows of time: an owner each, those of one name as one. */
static void fill_times(HvsInspector *self, const struct range_account *account)
{
	recording_reader *reader = hvs_document_reader(self->document);
	const guint8 *filter = hvs_document_filter(self->document);
	g_autoptr(GHashTable) rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	const double whole_ns =
		(double)(account->to_ns - account->from_ns) * (double)MAX(account->n_cores, 1);
	GHashTableIter iter;
	gpointer key;
	gpointer value;

	for (guint i = 0; i < account->n_owners; i++) {
		char *name = page_owner_name(reader, i);
		gint64 *sums = g_hash_table_lookup(rows, name);

		if (filter != NULL && !filter[i]) {
			g_free(name);
			continue;
		}
		if (sums == NULL) {
			sums = g_new0(gint64, 2);
			g_hash_table_insert(rows, g_strdup(name), sums);
		}
		sums[0] += range_account_owner_ns(account, i);
		sums[1] += (gint64)range_account_owner_spans(account, i);
		g_free(name);
	}
	gtk_list_store_clear(self->times);
	g_hash_table_iter_init(&iter, rows);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const gint64 *sums = value;
		g_autofree char *time = axis_duration(&self->axis, sums[0]);
		g_autofree char *share = g_strdup_printf(
			"%.2f%%", whole_ns > 0 ? (double)sums[0] / whole_ns * 100 : 0);
		g_autofree char *spans = g_strdup_printf("%" G_GINT64_FORMAT, sums[1]);

		if (sums[0] > 0 || sums[1] > 0)
			gtk_list_store_insert_with_values(self->times, NULL, -1, TIME_NAME, key,
			                                  TIME_TIME, time, TIME_SHARE, share,
			                                  TIME_SPANS, spans, TIME_NS, sums[0], -1);
	}
}

static void fill_bins(HvsInspector *self, const struct range_answer *answer)
{
	const struct range_histogram *histogram = &answer->histogram;
	guint64 largest = 1;
	g_autofree char *note = NULL;

	gtk_list_store_clear(self->bins);
	if (!answer->has_histogram) {
		gtk_label_set_text(
			GTK_LABEL(self->bins_note),
			_("Too many intervals for a histogram: select a shorter range."));
		return;
	}
	for (guint i = 0; i < RANGE_BINS; i++)
		largest = MAX(largest, histogram->bins[i]);
	for (guint i = 0; i < RANGE_BINS; i++) {
		g_autofree char *from = axis_duration(&self->axis, i > 0 ? (gint64)1 << i : 0);
		g_autofree char *count = g_strdup_printf("%" G_GUINT64_FORMAT, histogram->bins[i]);

		if (histogram->bins[i] > 0)
			gtk_list_store_insert_with_values(
				self->bins, NULL, -1, BIN_FROM, from, BIN_COUNT, count, BIN_BAR,
				(gint)(histogram->bins[i] * 100 / largest), -1);
	}
	if (histogram->count == 0) {
		note = g_strdup(_("The hypervisor did not run here."));
	} else {
		g_autofree char *p50 =
			axis_duration(&self->axis, range_histogram_percentile(histogram, 50));
		g_autofree char *p99 =
			axis_duration(&self->axis, range_histogram_percentile(histogram, 99));
		g_autofree char *max = axis_duration(&self->axis, histogram->max_ns);

		note = g_strdup_printf(_("%" G_GUINT64_FORMAT " visits to the hypervisor: median "
		                         "%s, p99 %s, longest %s (by count)"),
		                       histogram->count, p50, p99, max);
	}
	gtk_label_set_text(GTK_LABEL(self->bins_note), note);
}

static void answered(const struct range_answer *answer, const GError *error, gpointer data)
{
	HvsInspector *self = data;

	if (answer != NULL) {
		fill_times(self, &answer->account);
		fill_bins(self, answer);
	} else if (error != NULL && !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
		g_signal_emit_by_name(self->document, "failed", error->message);
	}
}

static void fill_item(HvsInspector *self, guint track_index, guint index)
{
	const struct picture_source *source = hvs_document_source(self->document);
	const struct track *track = source->tracks->pdata[track_index];
	const struct track_item *item = &g_array_index(track->items, struct track_item, index);
	const struct track_key *key = &g_array_index(track->keys, struct track_key, item->key);
	gsize n;
	const struct row_core *cores = recording_reader_cores(source->reader, &n);
	g_autofree char *time = axis_instant(&self->axis, item->start_ns, 1);
	g_autofree char *what = g_strdup_printf("%s: %s", track->item, key->name);
	g_autofree char *who = NULL;
	g_autofree char *where =
		item->core != LANE_ALL_CORES ? names_core(&cores[item->core]) : g_strdup("");

	if (item->owner < source->slots->n_owners)
		who = page_owner_name(source->reader, item->owner);
	else if (track->texts != NULL)
		who = g_strdup(track->texts->pdata[index]);
	gtk_list_store_insert_with_values(
		self->items, NULL, -1, ITEM_TIME, time, ITEM_WHAT, what, ITEM_WHO,
		who != NULL ? who : "", ITEM_WHERE, where, ITEM_START_NS, item->start_ns,
		ITEM_END_NS, item->start_ns + item->duration_ns, ITEM_LANE,
		(gint)track_lane_of_item(track, source->lanes, index), -1);
}

static gboolean is_shown(HvsInspector *self, gint page)
{
	return gtk_notebook_get_current_page(GTK_NOTEBOOK(self)) == page;
}

/* How many items of the track begin in the range, and, while there is room, a row for each
 * where their page is to be seen. */
static guint fill_track(HvsInspector *self, guint track_index, struct view_range range,
                        guint *shown)
{
	const struct picture_source *source = hvs_document_source(self->document);
	const struct track *track = source->tracks->pdata[track_index];
	const guint8 *filter = hvs_document_filter(self->document);
	const gboolean rows = is_shown(self, INSPECTOR_EVENTS);
	const guint past = track_lower(track, range.to_ns);
	guint count = 0;

	for (guint i = track_lower(track, range.from_ns); i < past; i++) {
		const guint owner = track_item_at(track, i)->owner;

		if (filter == NULL && (!rows || *shown == ITEMS_SHOWN_MAX))
			return count + past - i;
		if (filter != NULL && owner < source->slots->n_owners && !filter[owner])
			continue;
		count++;
		if (rows && *shown < ITEMS_SHOWN_MAX) {
			fill_item(self, track_index, i);
			++*shown;
		}
	}
	return count;
}

/* The first items of the range, and how many there are. */
static void fill_items(HvsInspector *self, struct view_range range)
{
	const struct picture_source *source = hvs_document_source(self->document);
	const guint8 *filter = hvs_document_filter(self->document);
	GString *note = g_string_new(NULL);
	guint shown = 0;

	/* Without a view, a thousand rows cost a tenth. */
	gtk_tree_view_set_model(GTK_TREE_VIEW(self->items_view), NULL);
	gtk_list_store_clear(self->items);
	for (guint t = 0; source->tracks != NULL && t < source->tracks->len; t++) {
		const struct track *track = source->tracks->pdata[t];

		/* What a vCPU did is in the schedule. */
		if (track->kind == TRACK_VCPU || !track_passes(track, source->reader, filter))
			continue;

		g_string_append_printf(note, "%s%s: %u", note->len > 0 ? ", " : "", track->name,
		                       fill_track(self, t, range, &shown));
		if (track->n_left_out > 0)
			g_string_append_printf(note, _(" (%" G_GUINT64_FORMAT " more not loaded)"),
			                       track->n_left_out);
	}
	gtk_tree_view_set_model(GTK_TREE_VIEW(self->items_view), GTK_TREE_MODEL(self->items));
	if (shown == ITEMS_SHOWN_MAX)
		g_string_append_printf(note, _("; the first %u are listed"), shown);
	gtk_label_set_text(GTK_LABEL(self->items_note), note->str);
	g_string_free(note, TRUE);
}

static void say_range(HvsInspector *self, struct view_range range)
{
	const struct view_range selection = hvs_view_selection(self->view);
	g_autofree char *from = axis_instant(&self->axis, range.from_ns, 1);
	g_autofree char *to = axis_instant(&self->axis, range.to_ns, 1);
	g_autofree char *length = axis_duration(&self->axis, range.to_ns - range.from_ns);
	g_autofree char *text = g_strdup_printf(
		"%s: %s\n%s to %s",
		selection.to_ns > selection.from_ns ? _("Selected") : _("Shown"), length, from, to);
	const gint64 a_ns = hvs_view_marker(self->view, 0);
	const gint64 b_ns = hvs_view_marker(self->view, 1);

	if (a_ns != VIEW_NOWHERE && b_ns != VIEW_NOWHERE) {
		g_autofree char *delta = axis_duration(&self->axis, b_ns - a_ns);
		g_autofree char *whole = g_strdup_printf("%s\nB - A: %s", text, delta);

		gtk_label_set_text(GTK_LABEL(self->range), whole);
	} else {
		gtk_label_set_text(GTK_LABEL(self->range), text);
	}
}

static gboolean update(gpointer data)
{
	HvsInspector *self = data;
	const struct view_range range = range_of(self);
	recording_reader *reader = hvs_document_reader(self->document);
	gsize n;
	const struct row_owner *owners = recording_reader_owners(reader, &n);
	g_autofree guint8 *hypervisor = g_new0(guint8, n + 1);

	self->update = 0;
	for (gsize i = 0; i < n; i++)
		hypervisor[i] = owners[i].owner_class == OWNER_HYPERVISOR;
	hypervisor[n] = G_MAXUINT8;
	self->asked = range;
	say_range(self, range);
	fill_items(self, range);
	/* What is not to be seen is worked out when it is. */
	if (is_shown(self, INSPECTOR_TIME) || is_shown(self, INSPECTOR_DURATIONS))
		hvs_worker_ask_range(self->worker, range.from_ns, range.to_ns, hypervisor, answered,
		                     self);
	else if (!is_shown(self, INSPECTOR_INTERVAL) && !is_shown(self, INSPECTOR_EVENTS))
		inspector_tables_ask(self, range);
	return G_SOURCE_REMOVE;
}

static void schedule_update(HvsInspector *self)
{
	if (self->update == 0)
		self->update = g_timeout_add(UPDATE_MS, update, self);
}

static void view_changed(HvsInspector *self)
{
	const struct view_range range = range_of(self);

	say_range(self, range);
	if (range.from_ns != self->asked.from_ns || range.to_ns != self->asked.to_ns)
		schedule_update(self);
}

void hvs_inspector_update_instance(HvsInspector *self)
{
	const struct instance *instance =
		self->timeline != NULL ? hvs_timeline_instance(self->timeline) : NULL;
	g_autofree char *text = NULL;

	if (instance != NULL)
		text = instance_describe(self->document, instance, &self->axis);
	gtk_label_set_text(GTK_LABEL(self->instance),
	                   text != NULL ? text
	                                : _("Click an interval to see what it is, or drag over a "
	                                    "range to see its sums."));
}

static void forget(HvsInspector *self)
{
	if (self->update != 0)
		g_source_remove(self->update);
	self->update = 0;
	g_clear_pointer(&self->worker, hvs_worker_free);
	g_clear_pointer(&self->tables_worker, hvs_worker_free);
	inspector_tables_forget(self);
	if (self->document != NULL)
		g_signal_handler_disconnect(self->document, self->document_changed);
	if (self->view != NULL)
		g_signal_handler_disconnect(self->view, self->view_changed);
	g_clear_object(&self->document);
	g_clear_object(&self->view);
	self->timeline = NULL;
}

void hvs_inspector_set(HvsInspector *self, HvsDocument *document, HvsView *view,
                       HvsTimeline *timeline)
{
	forget(self);
	gtk_list_store_clear(self->times);
	gtk_list_store_clear(self->items);
	gtk_list_store_clear(self->bins);
	if (document == NULL)
		return;
	self->document = g_object_ref(document);
	self->view = g_object_ref(view);
	self->timeline = timeline;
	self->worker = hvs_worker_new(hvs_document_path(document));
	self->tables_worker = hvs_worker_new(hvs_document_path(document));
	axis_init(&self->axis, hvs_document_reader(document));
	/* Filters and tracks change what is listed; so do tiles, which cost a look only. */
	self->document_changed =
		g_signal_connect_swapped(document, "changed", G_CALLBACK(schedule_update), self);
	self->view_changed =
		g_signal_connect_swapped(view, "changed", G_CALLBACK(view_changed), self);
	hvs_inspector_update_instance(self);
	schedule_update(self);
}

static void time_activated(GtkTreeView *view, GtkTreePath *path, GtkTreeViewColumn *column,
                           HvsInspector *self)
{
	GtkTreeIter iter;
	g_autofree char *name = NULL;

	(void)column;
	if (!gtk_tree_model_get_iter(gtk_tree_view_get_model(view), &iter, path))
		return;
	gtk_tree_model_get(gtk_tree_view_get_model(view), &iter, TIME_NAME, &name, -1);
	g_signal_emit(self, signal_filter, 0, name);
}

static void item_activated(GtkTreeView *view, GtkTreePath *path, GtkTreeViewColumn *column,
                           HvsInspector *self)
{
	GtkTreeModel *model = gtk_tree_view_get_model(view);
	GtkTreeIter iter;
	gint64 start_ns;
	gint64 end_ns;
	gint lane;

	(void)column;
	if (!gtk_tree_model_get_iter(model, &iter, path))
		return;
	gtk_tree_model_get(model, &iter, ITEM_START_NS, &start_ns, ITEM_END_NS, &end_ns, ITEM_LANE,
	                   &lane, -1);
	g_signal_emit(self, inspector_signal_go, 0, start_ns, end_ns, lane);
}

static void add_column(GtkWidget *view, const char *title, gint column, gint sort, gboolean right)
{
	GtkCellRenderer *cell = gtk_cell_renderer_text_new();
	GtkTreeViewColumn *added =
		gtk_tree_view_column_new_with_attributes(title, cell, "text", column, NULL);

	g_object_set(cell, "xalign", right ? 1.0f : 0.0f, NULL);
	gtk_tree_view_column_set_resizable(added, TRUE);
	if (sort >= 0)
		gtk_tree_view_column_set_sort_column_id(added, sort);
	gtk_tree_view_append_column(GTK_TREE_VIEW(view), added);
}

/* A page: what is said above, and a scrolled table. */
void inspector_add_page(HvsInspector *self, const char *title, GtkWidget *head, GtkWidget *table)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
	GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);

	g_object_set(head, "xalign", 0.0f, "wrap", TRUE, "selectable", TRUE, "margin", 6, NULL);
	gtk_box_pack_start(GTK_BOX(box), head, FALSE, FALSE, 0);
	if (table != NULL) {
		gtk_container_add(GTK_CONTAINER(scrolled), table);
		gtk_box_pack_start(GTK_BOX(box), scrolled, TRUE, TRUE, 0);
		atk_object_set_name(gtk_widget_get_accessible(table), title);
	} else {
		gtk_widget_destroy(g_object_ref_sink(scrolled));
		g_object_unref(scrolled);
	}
	g_object_set_data(G_OBJECT(box), "table", table);
	gtk_widget_show_all(box);
	gtk_notebook_append_page(GTK_NOTEBOOK(self), box, gtk_label_new(title));
}

static void build_times(HvsInspector *self)
{
	GtkWidget *view;

	self->times = gtk_list_store_new(TIME_COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING,
	                                 G_TYPE_STRING, G_TYPE_INT64);
	gtk_tree_sortable_set_sort_column_id(GTK_TREE_SORTABLE(self->times), TIME_NS,
	                                     GTK_SORT_DESCENDING);
	view = gtk_tree_view_new_with_model(GTK_TREE_MODEL(self->times));
	add_column(view, _("Owner"), TIME_NAME, TIME_NAME, FALSE);
	add_column(view, _("Time"), TIME_TIME, TIME_NS, TRUE);
	add_column(view, _("Share"), TIME_SHARE, -1, TRUE);
	add_column(view, _("Spans"), TIME_SPANS, -1, TRUE);
	gtk_widget_set_tooltip_text(view, _("Double-click a row to see only it"));
	g_signal_connect(view, "row-activated", G_CALLBACK(time_activated), self);
	self->range = gtk_label_new(NULL);
	inspector_add_page(self, _("Time"), self->range, view);
}

static void build_items(HvsInspector *self)
{
	GtkWidget *view;

	self->items = gtk_list_store_new(ITEM_COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING,
	                                 G_TYPE_STRING, G_TYPE_INT64, G_TYPE_INT64, G_TYPE_INT);
	view = gtk_tree_view_new_with_model(GTK_TREE_MODEL(self->items));
	self->items_view = view;
	add_column(view, _("Time"), ITEM_TIME, ITEM_START_NS, TRUE);
	add_column(view, _("What"), ITEM_WHAT, ITEM_WHAT, FALSE);
	add_column(view, _("Of"), ITEM_WHO, ITEM_WHO, FALSE);
	add_column(view, _("Where"), ITEM_WHERE, ITEM_WHERE, FALSE);
	gtk_tree_view_set_activate_on_single_click(GTK_TREE_VIEW(view), TRUE);
	g_signal_connect(view, "row-activated", G_CALLBACK(item_activated), self);
	self->items_note = gtk_label_new(NULL);
	inspector_add_page(self, _("Events"), self->items_note, view);
}

static void build_bins(HvsInspector *self)
{
	GtkWidget *view;

	self->bins = gtk_list_store_new(BIN_COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_INT);
	view = gtk_tree_view_new_with_model(GTK_TREE_MODEL(self->bins));
	add_column(view, _("From"), BIN_FROM, -1, TRUE);
	add_column(view, _("Count"), BIN_COUNT, -1, TRUE);
	gtk_tree_view_insert_column_with_attributes(GTK_TREE_VIEW(view), -1, _("Share"),
	                                            gtk_cell_renderer_progress_new(), "value",
	                                            BIN_BAR, NULL);
	self->bins_note = gtk_label_new(NULL);
	inspector_add_page(self, _("Durations"), self->bins_note, view);
}

static void hvs_inspector_dispose(GObject *object)
{
	HvsInspector *self = HVS_INSPECTOR(object);

	forget(self);
	g_clear_object(&self->times);
	g_clear_object(&self->items);
	g_clear_object(&self->bins);
	G_OBJECT_CLASS(hvs_inspector_parent_class)->dispose(object);
}

static void hvs_inspector_class_init(HvsInspectorClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_inspector_dispose;
	inspector_signal_go =
		g_signal_new("go", HVS_TYPE_INSPECTOR, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
	                     G_TYPE_NONE, 3, G_TYPE_INT64, G_TYPE_INT64, G_TYPE_INT);
	signal_filter = g_signal_new("filter", HVS_TYPE_INSPECTOR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
	                             NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void page_switched(HvsInspector *self)
{
	if (self->document != NULL)
		schedule_update(self);
}

static void hvs_inspector_init(HvsInspector *self)
{
	build_times(self);
	self->instance = gtk_label_new(NULL);
	inspector_add_page(self, _("Interval"), self->instance, NULL);
	inspector_tables_build(self);
	build_items(self);
	build_bins(self);
	gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(self)), "hvs-pages");
	g_signal_connect_after(self, "switch-page", G_CALLBACK(page_switched), NULL);
	gtk_notebook_popup_enable(GTK_NOTEBOOK(self));
	gtk_notebook_set_scrollable(GTK_NOTEBOOK(self), TRUE);
}

void hvs_inspector_show_page(HvsInspector *self, gint page)
{
	GtkWidget *box = gtk_notebook_get_nth_page(GTK_NOTEBOOK(self), page);
	GtkWidget *table = box != NULL ? g_object_get_data(G_OBJECT(box), "table") : NULL;

	gtk_notebook_set_current_page(GTK_NOTEBOOK(self), page);
	if (table != NULL)
		gtk_widget_grab_focus(table);
}

GtkWidget *hvs_inspector_new(void)
{
	return g_object_new(HVS_TYPE_INSPECTOR, "visible", TRUE, NULL);
}
