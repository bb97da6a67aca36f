#include "gui/timeline/view.h"

#include <math.h>

struct _HvsView {
	GObject parent_instance;
	gint64 window_ns;
	struct view_range range;
	struct view_range selection;
	struct view_range saved[VIEW_SAVED];
	gint64 markers[VIEW_MARKERS];
	GArray *bookmarks; /* struct view_bookmark */
	GArray *back;      /* struct view_range */
	GArray *forth;
};

G_DEFINE_TYPE(HvsView, hvs_view, G_TYPE_OBJECT)

static guint signal_changed;

enum {
	STEPS_MAX = 200
};

static void bookmark_clear(gpointer data)
{
	g_free(((struct view_bookmark *)data)->note);
}

static void changed(HvsView *self)
{
	g_signal_emit(self, signal_changed, 0);
}

static void hvs_view_finalize(GObject *object)
{
	HvsView *self = HVS_VIEW(object);

	g_array_unref(self->bookmarks);
	g_array_unref(self->back);
	g_array_unref(self->forth);
	G_OBJECT_CLASS(hvs_view_parent_class)->finalize(object);
}

static void hvs_view_class_init(HvsViewClass *class)
{
	G_OBJECT_CLASS(class)->finalize = hvs_view_finalize;
	signal_changed = g_signal_new("changed", HVS_TYPE_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
	                              NULL, G_TYPE_NONE, 0);
}

static void hvs_view_init(HvsView *self)
{
	self->bookmarks = g_array_new(FALSE, FALSE, sizeof(struct view_bookmark));
	g_array_set_clear_func(self->bookmarks, bookmark_clear);
	self->back = g_array_new(FALSE, FALSE, sizeof(struct view_range));
	self->forth = g_array_new(FALSE, FALSE, sizeof(struct view_range));
	hvs_view_reset(self, VIEW_SPAN_MIN_NS);
}

HvsView *hvs_view_new(void)
{
	return g_object_new(HVS_TYPE_VIEW, NULL);
}

void hvs_view_reset(HvsView *self, gint64 window_ns)
{
	self->window_ns = MAX(window_ns, VIEW_SPAN_MIN_NS);
	self->range = (struct view_range) { 0, self->window_ns };
	self->selection = (struct view_range) { 0, 0 };
	for (guint i = 0; i < VIEW_SAVED; i++)
		self->saved[i] = (struct view_range) { 0, 0 };
	for (guint i = 0; i < VIEW_MARKERS; i++)
		self->markers[i] = VIEW_NOWHERE;
	g_array_set_size(self->bookmarks, 0);
	g_array_set_size(self->back, 0);
	g_array_set_size(self->forth, 0);
	changed(self);
}

void hvs_view_widen(HvsView *self, gint64 window_ns)
{
	self->window_ns = MAX(self->window_ns, window_ns);
	hvs_view_show_all(self);
}

gint64 hvs_view_window_ns(HvsView *self)
{
	return self->window_ns;
}

struct view_range hvs_view_range(HvsView *self)
{
	return self->range;
}

static void push(GArray *steps, struct view_range range)
{
	if (steps->len == STEPS_MAX)
		g_array_remove_index(steps, 0);
	g_array_append_val(steps, range);
}

void hvs_view_show(HvsView *self, gint64 from_ns, gint64 to_ns, gboolean step)
{
	const gint64 span_ns = CLAMP(to_ns - from_ns, VIEW_SPAN_MIN_NS, self->window_ns);
	struct view_range range = { CLAMP(from_ns, 0, self->window_ns - span_ns), 0 };

	range.to_ns = range.from_ns + span_ns;
	if (range.from_ns == self->range.from_ns && range.to_ns == self->range.to_ns)
		return;
	if (step) {
		push(self->back, self->range);
		g_array_set_size(self->forth, 0);
	}
	self->range = range;
	changed(self);
}

void hvs_view_zoom(HvsView *self, gint64 at_ns, double factor, gboolean step)
{
	const double span_ns = (double)(self->range.to_ns - self->range.from_ns);
	const double new_ns = CLAMP(span_ns * factor, VIEW_SPAN_MIN_NS, (double)self->window_ns);
	const double share = (double)(at_ns - self->range.from_ns) / span_ns;
	const gint64 from_ns = at_ns - llround(new_ns * share);

	hvs_view_show(self, from_ns, from_ns + llround(new_ns), step);
}

void hvs_view_pan(HvsView *self, double share, gboolean step)
{
	const gint64 by_ns = llround((double)(self->range.to_ns - self->range.from_ns) * share);

	hvs_view_show(self, self->range.from_ns + by_ns, self->range.to_ns + by_ns, step);
}

void hvs_view_show_all(HvsView *self)
{
	hvs_view_show(self, 0, self->window_ns, TRUE);
}

static gboolean go(HvsView *self, GArray *from, GArray *to)
{
	if (from->len == 0)
		return FALSE;
	push(to, self->range);
	self->range = g_array_index(from, struct view_range, from->len - 1);
	g_array_set_size(from, from->len - 1);
	changed(self);
	return TRUE;
}

gboolean hvs_view_undo(HvsView *self)
{
	return go(self, self->back, self->forth);
}

gboolean hvs_view_redo(HvsView *self)
{
	return go(self, self->forth, self->back);
}

gboolean hvs_view_can_undo(HvsView *self)
{
	return self->back->len > 0;
}

gboolean hvs_view_can_redo(HvsView *self)
{
	return self->forth->len > 0;
}

void hvs_view_save(HvsView *self, guint slot)
{
	self->saved[slot] = self->range;
	changed(self);
}

gboolean hvs_view_restore(HvsView *self, guint slot)
{
	const struct view_range saved = self->saved[slot];

	if (saved.to_ns <= saved.from_ns)
		return FALSE;
	hvs_view_show(self, saved.from_ns, saved.to_ns, TRUE);
	return TRUE;
}

struct view_range hvs_view_selection(HvsView *self)
{
	return self->selection;
}

void hvs_view_select(HvsView *self, gint64 from_ns, gint64 to_ns)
{
	self->selection.from_ns = CLAMP(MIN(from_ns, to_ns), 0, self->window_ns);
	self->selection.to_ns = CLAMP(MAX(from_ns, to_ns), 0, self->window_ns);
	changed(self);
}

gint64 hvs_view_marker(HvsView *self, guint marker)
{
	return self->markers[marker];
}

void hvs_view_set_marker(HvsView *self, guint marker, gint64 at_ns)
{
	self->markers[marker] = at_ns == VIEW_NOWHERE ? at_ns : CLAMP(at_ns, 0, self->window_ns);
	changed(self);
}

const GArray *hvs_view_bookmarks(HvsView *self)
{
	return self->bookmarks;
}

void hvs_view_add_bookmark(HvsView *self, gint64 at_ns, const char *note)
{
	const struct view_bookmark bookmark = { at_ns, g_strdup(note) };
	guint i = 0;

	while (i < self->bookmarks->len &&
	       g_array_index(self->bookmarks, struct view_bookmark, i).at_ns <= at_ns)
		i++;
	g_array_insert_val(self->bookmarks, i, bookmark);
	changed(self);
}

void hvs_view_remove_bookmark(HvsView *self, guint index)
{
	if (index < self->bookmarks->len)
		g_array_remove_index(self->bookmarks, index);
	changed(self);
}
