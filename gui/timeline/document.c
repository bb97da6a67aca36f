#include "gui/timeline/document.h"

#include "analysis/picture/page.h"

#include <stdlib.h>
#include <string.h>

enum {
	TILE_BUDGET_BYTES = 96 << 20,
	OVERVIEW_BUDGET_BYTES = 16 << 20,
	WORKERS = 2
};

struct lane_state {
	gboolean flags[LANE_FLAGS];
	gint rank; /* among its siblings; less is higher */
};

struct _HvsDocument {
	GObject parent_instance;
	recording_reader *reader;
	struct lane_set lanes;
	struct slot_table slots;
	enum colour_by colour_by;
	enum theme_kind theme;
	GPtrArray *tracks; /* NULL until loaded */
	GCancellable *loading;
	tile_store *store;
	tile_store *overview_store;
	struct picture_source source;
	struct picture_source overview_source;
	GArray *states; /* struct lane_state, one a lane */
	GArray *shown;  /* guint; NULL: to be made again */
	char *search;
	GPtrArray *filters; /* char * */
	guint8 *filter;     /* one a owner, NULL without filters */
	guint idle;
	GMutex idle_mutex; /* of idle: tiles arrive on other threads */
	gboolean failed;
	GPtrArray *early_changes; /* lane changes for lanes that come with the tracks */
};

G_DEFINE_TYPE(HvsDocument, hvs_document, G_TYPE_OBJECT)

enum {
	SIGNAL_CHANGED,
	SIGNAL_FAILED,
	SIGNALS
};
static guint signals[SIGNALS];

static void report_failure(HvsDocument *self, const char *message)
{
	if (self->failed)
		return;
	self->failed = TRUE;
	g_signal_emit(self, signals[SIGNAL_FAILED], 0, message);
}

static gboolean tiles_arrived(gpointer data)
{
	HvsDocument *self = data;
	const GError *error;

	g_mutex_lock(&self->idle_mutex);
	self->idle = 0;
	g_mutex_unlock(&self->idle_mutex);
	error = tile_store_error(self->store);
	if (error == NULL)
		error = tile_store_error(self->overview_store);
	if (error != NULL)
		report_failure(self, error->message);
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
	return G_SOURCE_REMOVE;
}

static void tiles_notify(gpointer data)
{
	HvsDocument *self = data;

	g_mutex_lock(&self->idle_mutex);
	if (self->idle == 0)
		self->idle = g_idle_add(tiles_arrived, self);
	g_mutex_unlock(&self->idle_mutex);
}

static void sources_fill(HvsDocument *self)
{
	self->source = (struct picture_source) { self->reader, &self->lanes, &self->slots,
		                                 self->tracks, self->store };
	self->overview_source = self->source;
	self->overview_source.store = self->overview_store;
}

static void shown_forget(HvsDocument *self)
{
	g_clear_pointer(&self->shown, g_array_unref);
}

static gint first_rank(HvsDocument *self, guint lane)
{
	const gint order = lane_set_get(&self->lanes, lane)->order;

	return order != 0 ? order : (gint)lane;
}

/* One state a lane; those that are there keep theirs. */
static void states_extend(HvsDocument *self)
{
	for (guint i = self->states->len; i < self->lanes.lanes->len; i++) {
		const struct lane *lane = lane_set_get(&self->lanes, i);
		struct lane_state state = { .rank = first_rank(self, i) };

		state.flags[LANE_FOLDED] = lane->folded;
		g_array_append_val(self->states, state);
	}
	shown_forget(self);
}

static void load_tracks(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_reader) reader = recording_reader_new(data, &error);
	GPtrArray *tracks = reader != NULL ? tracks_load(reader, cancellable, &error) : NULL;

	(void)source;
	if (tracks == NULL)
		g_task_return_error(task, g_steal_pointer(&error));
	else
		g_task_return_pointer(task, tracks, (GDestroyNotify)g_ptr_array_unref);
}

static void tracks_loaded(GObject *object, GAsyncResult *result, gpointer data)
{
	HvsDocument *self = HVS_DOCUMENT(object);
	g_autoptr(GError) error = NULL;
	GPtrArray *tracks = g_task_propagate_pointer(G_TASK(result), &error);

	(void)data;
	if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
	    g_cancellable_is_cancelled(self->loading)) {
		g_clear_pointer(&tracks, g_ptr_array_unref);
		return;
	}
	if (tracks == NULL) {
		report_failure(self, error->message);
		return;
	}
	self->tracks = tracks;
	tracks_add_lanes(tracks, &self->lanes);
	states_extend(self);
	sources_fill(self);
	if (self->early_changes != NULL) {
		g_autoptr(GPtrArray) changes = g_steal_pointer(&self->early_changes);

		hvs_document_apply_lane_changes(self, (char **)changes->pdata);
	}
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

HvsDocument *hvs_document_new(const char *path, GError **error)
{
	g_autoptr(HvsDocument) self = g_object_new(HVS_TYPE_DOCUMENT, NULL);
	GTask *task;

	self->reader = recording_reader_new(path, error);
	if (self->reader == NULL)
		return NULL;
	self->store =
		tile_store_new(self->reader, WORKERS, TILE_BUDGET_BYTES, tiles_notify, self, error);
	if (self->store == NULL)
		return NULL;
	self->overview_store =
		tile_store_new(self->reader, 1, OVERVIEW_BUDGET_BYTES, tiles_notify, self, error);
	if (self->overview_store == NULL)
		return NULL;
	lane_set_init(&self->lanes, self->reader);
	slot_table_init(&self->slots, self->reader, self->colour_by, self->theme);
	states_extend(self);
	sources_fill(self);
	task = g_task_new(self, self->loading, tracks_loaded, NULL);
	g_task_set_task_data(task, g_strdup(path), g_free);
	g_task_run_in_thread(task, load_tracks);
	g_object_unref(task);
	return g_steal_pointer(&self);
}

static void hvs_document_dispose(GObject *object)
{
	HvsDocument *self = HVS_DOCUMENT(object);

	g_cancellable_cancel(self->loading);
	/* Workers first: none of them may ask for an idle call any more. */
	g_clear_pointer(&self->store, tile_store_free);
	g_clear_pointer(&self->overview_store, tile_store_free);
	if (self->idle != 0)
		g_source_remove(self->idle);
	self->idle = 0;
	G_OBJECT_CLASS(hvs_document_parent_class)->dispose(object);
}

static void hvs_document_finalize(GObject *object)
{
	HvsDocument *self = HVS_DOCUMENT(object);

	slot_table_deinit(&self->slots);
	lane_set_deinit(&self->lanes);
	g_clear_pointer(&self->tracks, g_ptr_array_unref);
	g_clear_pointer(&self->early_changes, g_ptr_array_unref);
	g_clear_pointer(&self->reader, recording_reader_free);
	g_clear_pointer(&self->shown, g_array_unref);
	g_array_unref(self->states);
	g_ptr_array_unref(self->filters);
	g_object_unref(self->loading);
	g_free(self->filter);
	g_free(self->search);
	g_mutex_clear(&self->idle_mutex);
	G_OBJECT_CLASS(hvs_document_parent_class)->finalize(object);
}

static void hvs_document_class_init(HvsDocumentClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_document_dispose;
	G_OBJECT_CLASS(class)->finalize = hvs_document_finalize;
	signals[SIGNAL_CHANGED] = g_signal_new("changed", HVS_TYPE_DOCUMENT, G_SIGNAL_RUN_LAST, 0,
	                                       NULL, NULL, NULL, G_TYPE_NONE, 0);
	signals[SIGNAL_FAILED] = g_signal_new("failed", HVS_TYPE_DOCUMENT, G_SIGNAL_RUN_LAST, 0,
	                                      NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void hvs_document_init(HvsDocument *self)
{
	self->states = g_array_new(FALSE, TRUE, sizeof(struct lane_state));
	self->filters = g_ptr_array_new_with_free_func(g_free);
	self->loading = g_cancellable_new();
	g_mutex_init(&self->idle_mutex);
}

recording_reader *hvs_document_reader(HvsDocument *self)
{
	return self->reader;
}

const char *hvs_document_path(HvsDocument *self)
{
	return recording_reader_path(self->reader);
}

gint64 hvs_document_window_ns(HvsDocument *self)
{
	return recording_reader_window_ns(self->reader);
}

const struct picture_source *hvs_document_source(HvsDocument *self)
{
	return &self->source;
}

const struct picture_source *hvs_document_overview_source(HvsDocument *self)
{
	return &self->overview_source;
}

void hvs_document_set_look(HvsDocument *self, enum colour_by by, enum theme_kind theme)
{
	if (self->colour_by == by && self->theme == theme)
		return;
	self->colour_by = by;
	self->theme = theme;
	slot_table_deinit(&self->slots);
	slot_table_init(&self->slots, self->reader, by, theme);
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

enum colour_by hvs_document_colour_by(HvsDocument *self)
{
	return self->colour_by;
}

static struct lane_state *state_of(HvsDocument *self, guint lane)
{
	return &g_array_index(self->states, struct lane_state, lane);
}

gboolean hvs_document_lane_flag(HvsDocument *self, guint lane, enum lane_flag flag)
{
	return state_of(self, lane)->flags[flag];
}

void hvs_document_set_lane_flag(HvsDocument *self, guint lane, enum lane_flag flag, gboolean set)
{
	if (state_of(self, lane)->flags[flag] == set)
		return;
	state_of(self, lane)->flags[flag] = set;
	shown_forget(self);
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

void hvs_document_move_lane(HvsDocument *self, guint lane, gint by)
{
	const guint parent = lane_set_get(&self->lanes, lane)->parent;
	const gint rank = state_of(self, lane)->rank;
	guint nearest = LANE_NO_PARENT;

	for (guint i = 0; i < self->lanes.lanes->len; i++) {
		const gint other = state_of(self, i)->rank;

		if (lane_set_get(&self->lanes, i)->parent != parent || (other - rank) * by <= 0)
			continue;
		if (nearest == LANE_NO_PARENT || (other - state_of(self, nearest)->rank) * by < 0)
			nearest = i;
	}
	if (nearest == LANE_NO_PARENT)
		return;
	state_of(self, lane)->rank = state_of(self, nearest)->rank;
	state_of(self, nearest)->rank = rank;
	shown_forget(self);
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

gboolean hvs_document_lane_has_children(HvsDocument *self, guint lane)
{
	for (guint i = lane + 1; i < self->lanes.lanes->len; i++) {
		if (lane_set_get(&self->lanes, i)->parent == lane)
			return TRUE;
	}
	return FALSE;
}

static gboolean contains(const char *text, const char *part)
{
	g_autofree char *folded = g_utf8_casefold(text, -1);
	g_autofree char *wanted = g_utf8_casefold(part, -1);

	return strstr(folded, wanted) != NULL;
}

/* Whether the search names the lane, or one within it. */
static gboolean lane_found(HvsDocument *self, guint index)
{
	const struct lane *lane = lane_set_get(&self->lanes, index);

	if (self->search == NULL || contains(lane->whole, self->search) ||
	    contains(lane->id, self->search))
		return TRUE;
	for (guint i = index + 1; i < self->lanes.lanes->len; i++) {
		if (lane_set_get(&self->lanes, i)->parent == index && lane_found(self, i))
			return TRUE;
	}
	return FALSE;
}

static gint compare_rank(gconstpointer a, gconstpointer b, gpointer data)
{
	HvsDocument *self = data;

	return state_of(self, *(const guint *)a)->rank - state_of(self, *(const guint *)b)->rank;
}

static void show_below(HvsDocument *self, guint parent)
{
	g_autoptr(GArray) children = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint i = 0; i < self->lanes.lanes->len; i++) {
		if (lane_set_get(&self->lanes, i)->parent == parent)
			g_array_append_val(children, i);
	}
	g_array_sort_with_data(children, compare_rank, self);
	for (guint i = 0; i < children->len; i++) {
		const guint lane = g_array_index(children, guint, i);
		const struct lane_state *state = state_of(self, lane);

		if (state->flags[LANE_HIDDEN] || !lane_found(self, lane))
			continue;
		if (!state->flags[LANE_PINNED])
			g_array_append_val(self->shown, lane);
		if (!state->flags[LANE_FOLDED] || self->search != NULL)
			show_below(self, lane);
	}
}

const GArray *hvs_document_shown_lanes(HvsDocument *self)
{
	if (self->shown != NULL)
		return self->shown;
	self->shown = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < self->states->len; i++) {
		if (state_of(self, i)->flags[LANE_PINNED] && !state_of(self, i)->flags[LANE_HIDDEN])
			g_array_append_val(self->shown, i);
	}
	show_below(self, LANE_NO_PARENT);
	return self->shown;
}

void hvs_document_search_lanes(HvsDocument *self, const char *text)
{
	g_free(self->search);
	self->search = text != NULL && *text != '\0' ? g_strdup(text) : NULL;
	shown_forget(self);
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

static void filter_fill(HvsDocument *self)
{
	gsize n;
	const struct row_owner *owners = recording_reader_owners(self->reader, &n);
	struct names names;

	g_clear_pointer(&self->filter, g_free);
	if (self->filters->len > 0) {
		names_init(&names, self->reader);
		self->filter = g_new0(guint8, n + 1);
	}
	for (guint i = 0; self->filter != NULL && i < n; i++) {
		g_autofree char *domain = names_domain(&names, &owners[i]);
		g_autofree char *whole = page_owner_name(self->reader, i);

		for (guint f = 0; f < self->filters->len; f++) {
			const char *name = self->filters->pdata[f];

			if (strcmp(name, domain) == 0 || strcmp(name, whole) == 0)
				self->filter[i] = 1;
		}
	}
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

void hvs_document_add_filter(HvsDocument *self, const char *name)
{
	for (guint i = 0; i < self->filters->len; i++) {
		if (strcmp(self->filters->pdata[i], name) == 0)
			return;
	}
	g_ptr_array_add(self->filters, g_strdup(name));
	filter_fill(self);
}

void hvs_document_remove_filter(HvsDocument *self, const char *name)
{
	for (guint i = 0; i < self->filters->len; i++) {
		if (strcmp(self->filters->pdata[i], name) == 0) {
			g_ptr_array_remove_index(self->filters, i);
			filter_fill(self);
			return;
		}
	}
}

const GPtrArray *hvs_document_filters(HvsDocument *self)
{
	return self->filters;
}

const guint8 *hvs_document_filter(HvsDocument *self)
{
	return self->filter;
}

static const char *const flag_names[LANE_FLAGS] = { "hidden", "folded", "pinned" };

char **hvs_document_lane_changes(HvsDocument *self)
{
	GPtrArray *changes = g_ptr_array_new();

	for (guint i = 0; i < self->states->len; i++) {
		const struct lane *lane = lane_set_get(&self->lanes, i);

		for (guint f = 0; f < LANE_FLAGS; f++) {
			const gboolean at_first = f == LANE_FOLDED && lane->folded;
			const gboolean now = state_of(self, i)->flags[f];

			if (now != at_first)
				g_ptr_array_add(changes,
				                g_strdup_printf("%s%s=%s", now ? "" : "not-",
				                                flag_names[f], lane->id));
		}
		if (state_of(self, i)->rank != first_rank(self, i))
			g_ptr_array_add(
				changes,
				g_strdup_printf("order%d=%s", state_of(self, i)->rank, lane->id));
	}
	g_ptr_array_add(changes, NULL);
	return (char **)g_ptr_array_free(changes, FALSE);
}

static void apply_change(HvsDocument *self, const char *change)
{
	const char *equals = strchr(change, '=');
	const gboolean set = !g_str_has_prefix(change, "not-");
	const char *word = set ? change : change + strlen("not-");
	guint lane;

	if (equals == NULL)
		return;
	lane = lane_set_find(&self->lanes, equals + 1);
	if (g_str_has_prefix(change, "order")) {
		if (lane != LANE_NO_PARENT)
			state_of(self, lane)->rank = atoi(change + strlen("order"));
		else if (self->early_changes != NULL)
			g_ptr_array_insert(self->early_changes, 0, g_strdup(change));
		return;
	}
	for (guint f = 0; f < LANE_FLAGS; f++) {
		if (strlen(flag_names[f]) != (gsize)(equals - word) ||
		    strncmp(flag_names[f], word, (gsize)(equals - word)) != 0)
			continue;
		if (lane != LANE_NO_PARENT)
			state_of(self, lane)->flags[f] = set;
		else if (self->early_changes != NULL)
			g_ptr_array_insert(self->early_changes, 0, g_strdup(change));
	}
}

void hvs_document_apply_lane_changes(HvsDocument *self, char **changes)
{
	if (self->tracks == NULL && self->early_changes == NULL) {
		self->early_changes = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(self->early_changes, NULL);
	}
	for (gsize i = 0; changes != NULL && changes[i] != NULL; i++)
		apply_change(self, changes[i]);
	shown_forget(self);
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}
