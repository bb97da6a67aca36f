#include "gui/timeline/instance.h"

#include "analysis/picture/page.h"
#include "gui/timeline/instance-detail.h"

#include <glib/gi18n.h>

struct looking {
	HvsDocument *document;
	const struct lane *lane;
	const guint8 *filter;
	struct instance *out;
	gboolean found;
	gboolean last;    /* the last that fits, not the first */
	gint64 after_ns;  /* starts after this */
	gint64 before_ns; /* starts before this */
};

static gboolean take_span(const struct row_span *row, gpointer data)
{
	struct looking *self = data;

	if ((self->lane->owners != NULL && !self->lane->owners[row->owner]) ||
	    (self->filter != NULL && !self->filter[row->owner]) ||
	    row->start_ns <= self->after_ns || row->start_ns >= self->before_ns)
		return TRUE;
	self->found = TRUE;
	self->out->owner = row->owner;
	self->out->start_ns = row->start_ns;
	self->out->duration_ns = row->duration_ns;
	self->out->uncertainty_ns = row->uncertainty_ns;
	self->out->cycles = row->cycles;
	self->out->halted_ns = row->halted_ns;
	self->out->inferred = row->certainty != CERTAINTY_TRACED;
	self->out->trace_offset = row->trace_offset;
	return self->last;
}

/* Looks through [from, to) of the lane's cores; the earliest (or latest) start wins. */
static gboolean look(struct looking *self, guint lane, gint64 from_ns, gint64 to_ns,
                     struct instance *out, GError **error)
{
	recording_reader *reader = hvs_document_reader(self->document);
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);
	struct instance best = { .lane = lane };
	gboolean any = FALSE;

	for (guint i = 0; i < n; i++) {
		struct instance found = { .lane = lane, .core = i };

		if (self->lane->core != LANE_ALL_CORES && self->lane->core != i)
			continue;
		self->out = &found;
		self->found = FALSE;
		if (!recording_reader_spans(reader, cores[i].core, from_ns, to_ns, take_span, self,
		                            error))
			return FALSE;
		if (self->found && (!any || (found.start_ns < best.start_ns) != self->last))
			best = found;
		any = any || self->found;
	}
	if (any)
		*out = best;
	return any;
}

static gboolean item_fits(HvsDocument *document, const struct lane *lane, guint item)
{
	const struct picture_source *source = hvs_document_source(document);
	const struct track *track = source->tracks->pdata[lane->track];
	const struct track_item *row = &g_array_index(track->items, struct track_item, item);
	const guint8 *filter = hvs_document_filter(document);

	return (lane->track_key == LANE_ALL_KEYS || lane->track_key == row->key) &&
	       (filter == NULL || row->owner >= source->slots->n_owners || filter[row->owner]) &&
	       track_passes(track, source->reader, filter);
}

static void item_fill(HvsDocument *document, guint lane, guint item, struct instance *out)
{
	const struct picture_source *source = hvs_document_source(document);
	const struct track *track = source->tracks->pdata[lane_set_get(source->lanes, lane)->track];
	const struct track_item *row = &g_array_index(track->items, struct track_item, item);

	*out = (struct instance) { .is_item = TRUE,
		                   .lane = lane,
		                   .item = item,
		                   .core = row->core,
		                   .owner = row->owner,
		                   .start_ns = row->start_ns,
		                   .duration_ns = row->duration_ns,
		                   .trace_offset = row->trace_offset };
}

static gboolean item_at(HvsDocument *document, guint lane_index, gint64 at_ns, gint64 reach_ns,
                        struct instance *out)
{
	const struct picture_source *source = hvs_document_source(document);
	const struct lane *lane = lane_set_get(source->lanes, lane_index);
	const struct track *track = source->tracks->pdata[lane->track];
	gint64 best_ns = G_MAXINT64;

	for (guint i = track_reaching(track, 0, at_ns - reach_ns); i < track->items->len;
	     i = track_reaching(track, i + 1, at_ns - reach_ns)) {
		const struct track_item *item = &g_array_index(track->items, struct track_item, i);
		const gint64 end_ns = item->start_ns + item->duration_ns;
		gint64 distance_ns = 0;

		if (item->start_ns > at_ns + reach_ns)
			break;
		if (at_ns < item->start_ns)
			distance_ns = item->start_ns - at_ns;
		else if (at_ns >= end_ns && item->duration_ns > 0)
			distance_ns = at_ns - end_ns + 1; /* the end is the next one's */
		else if (at_ns > end_ns)
			distance_ns = at_ns - end_ns;
		if (distance_ns <= reach_ns && distance_ns < best_ns &&
		    item_fits(document, lane, i)) {
			best_ns = distance_ns;
			item_fill(document, lane_index, i, out);
		}
	}
	return best_ns != G_MAXINT64;
}

gboolean instance_at(HvsDocument *document, guint lane, gint64 at_ns, gint64 reach_ns,
                     struct instance *out, GError **error)
{
	const struct lane *of = lane_set_get(hvs_document_source(document)->lanes, lane);
	struct looking looking = { .document = document,
		                   .lane = of,
		                   .filter = hvs_document_filter(document),
		                   .last = TRUE,
		                   .after_ns = G_MININT64,
		                   .before_ns = G_MAXINT64 };

	if (of->kind == LANE_TRACK)
		return item_at(document, lane, at_ns, reach_ns, out);
	if (of->kind == LANE_GROUP)
		return FALSE;
	if (look(&looking, lane, at_ns, at_ns + 1, out, error))
		return TRUE;
	/* Nothing at the instant itself, but the pixel may have shown something small. */
	return (error == NULL || *error == NULL) && reach_ns > 0 &&
	       look(&looking, lane, at_ns - reach_ns, at_ns + reach_ns, out, error);
}

static gboolean next_item(HvsDocument *document, const struct instance *from, gboolean forward,
                          struct instance *out)
{
	const struct picture_source *source = hvs_document_source(document);
	const struct lane *lane = lane_set_get(source->lanes, from->lane);
	const struct track *track = source->tracks->pdata[lane->track];
	guint i = from->item;

	while (forward ? i + 1 < track->items->len : i > 0) {
		i = forward ? i + 1 : i - 1;
		if (item_fits(document, lane, i)) {
			item_fill(document, from->lane, i, out);
			return TRUE;
		}
	}
	return FALSE;
}

gboolean instance_next(HvsDocument *document, const struct instance *from, gboolean forward,
                       struct instance *out, GError **error)
{
	const gint64 window_ns = hvs_document_window_ns(document);
	const gint64 end_ns = from->start_ns + from->duration_ns;
	struct looking looking = { .document = document,
		                   .filter = hvs_document_filter(document),
		                   .last = !forward };
	g_autoptr(GError) local = NULL;

	looking.lane = lane_set_get(hvs_document_source(document)->lanes, from->lane);
	if (looking.lane->kind != LANE_OWNERS)
		return next_item(document, from, forward, out);
	looking.after_ns = forward ? from->start_ns : G_MININT64;
	looking.before_ns = forward ? G_MAXINT64 : from->start_ns;
	/* Ever wider steps: the next one is mostly near, and a row may be far away. */
	for (gint64 step_ns = MAX(from->duration_ns, 1000);; step_ns *= 8) {
		const gint64 from_ns = forward ? from->start_ns : from->start_ns - step_ns;
		const gint64 to_ns = forward ? end_ns + step_ns : from->start_ns;

		if (look(&looking, from->lane, MAX(from_ns, 0), to_ns, out, &local))
			return TRUE;
		if (local != NULL) {
			g_propagate_error(error, g_steal_pointer(&local));
			return FALSE;
		}
		if (from_ns <= 0 && to_ns > window_ns)
			return FALSE;
		if (forward ? to_ns > window_ns : from_ns <= 0)
			return FALSE;
	}
}

gboolean instance_follow(HvsDocument *document, const struct instance *from, gboolean forward,
                         struct instance *out)
{
	const struct picture_source *source = hvs_document_source(document);
	const struct lane *lane = lane_set_get(source->lanes, from->lane);
	const struct track *track;
	guint32 flow;

	if (!from->is_item)
		return FALSE;
	track = source->tracks->pdata[lane->track];
	flow = g_array_index(track->items, struct track_item, from->item).flow;
	/* Before the first comes G_MAXUINT, which ends the loop too. */
	for (guint i = forward ? from->item + 1 : from->item - 1;
	     flow != TRACK_NO_FLOW && i < track->items->len; i = forward ? i + 1 : i - 1) {
		if (track_item_at(track, i)->flow == flow) {
			item_fill(document, lane_set_find(source->lanes, track->id), i, out);
			return TRUE;
		}
	}
	return FALSE;
}

char *instance_name(HvsDocument *document, const struct instance *self)
{
	const struct picture_source *source = hvs_document_source(document);

	if (self->is_item) {
		const struct track *track =
			source->tracks->pdata[lane_set_get(source->lanes, self->lane)->track];
		const struct track_item *item =
			&g_array_index(track->items, struct track_item, self->item);

		return g_strdup_printf(
			"%s: %s", track->item,
			g_array_index(track->keys, struct track_key, item->key).name);
	}
	return page_owner_name(source->reader, self->owner);
}

static void append_where(GString *text, HvsDocument *document, const struct instance *self)
{
	recording_reader *reader = hvs_document_reader(document);
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);
	const struct row_owner *owners = recording_reader_owners(reader, &n);

	if (self->core != LANE_ALL_CORES) {
		g_autofree char *core = names_core(&cores[self->core]);

		g_string_append_printf(text, _("Where: %s\n"), core);
	}
	if (self->owner < n && owners[self->owner].el >= 0)
		g_string_append_printf(text, _("Exception level: EL%d\n"), owners[self->owner].el);
	if (self->owner < n && self->is_item) {
		g_autofree char *owner = page_owner_name(reader, self->owner);

		g_string_append_printf(text, _("Left: %s\n"), owner);
	}
}

/* Who ran before and after on that core: why it began and ended. */
static void append_neighbours(GString *text, HvsDocument *document, const struct instance *self)
{
	const struct picture_source *source = hvs_document_source(document);
	struct instance from = *self;
	struct instance other;
	gsize n;
	const struct row_core *cores = recording_reader_cores(source->reader, &n);
	g_autofree char *id = NULL;

	if (self->is_item || self->core == LANE_ALL_CORES || hvs_document_filter(document) != NULL)
		return;
	id = g_strdup_printf("core/%u", cores[self->core].core);
	from.lane = lane_set_find(source->lanes, id);
	if (instance_next(document, &from, FALSE, &other, NULL)) {
		g_autofree char *name = instance_name(document, &other);

		g_string_append_printf(text, _("Began after: %s\n"), name);
	}
	if (instance_next(document, &from, TRUE, &other, NULL)) {
		g_autofree char *name = instance_name(document, &other);

		g_string_append_printf(text, _("Ended by: %s\n"), name);
	}
}

char *instance_describe(HvsDocument *document, const struct instance *self, const struct axis *axis)
{
	GString *text = g_string_new(NULL);
	g_autofree char *name = instance_name(document, self);
	g_autofree char *start = axis_instant(axis, self->start_ns, 1);
	g_autofree char *duration = axis_duration(axis, self->duration_ns);

	g_string_append_printf(text, _("Who: %s\n"), name);
	append_where(text, document, self);
	g_string_append_printf(text, _("Start: %s\n"), start);
	if (!self->is_item || self->duration_ns > 0)
		g_string_append_printf(text, _("Duration: %s\n"), duration);
	if (self->cycles > 0)
		g_string_append_printf(text, _("Cycles: %" G_GUINT64_FORMAT "\n"), self->cycles);
	if (self->halted_ns > 0) {
		g_autofree char *halted = axis_duration(axis, self->halted_ns);

		g_string_append_printf(text, _("Halted: %s\n"), halted);
	}
	append_neighbours(text, document, self);
	if (!self->is_item) {
		g_autofree char *uncertainty = axis_duration(axis, self->uncertainty_ns);

		g_string_append_printf(text, _("Start known to: %s\n"), uncertainty);
		g_string_append_printf(text, _("Known: %s\n"),
		                       self->inferred ? _("inferred between an exit and an entry")
		                                      : _("traced"));
	} else {
		const struct picture_source *source = hvs_document_source(document);
		const struct track *track =
			source->tracks->pdata[lane_set_get(source->lanes, self->lane)->track];

		instance_append_item(text, document, track, self->item, axis);
	}
	if (self->trace_offset != TRACK_NO_OFFSET)
		g_string_append_printf(text, _("Trace byte: %" G_GUINT64_FORMAT),
		                       self->trace_offset);
	return g_string_free(text, FALSE);
}
