#include "analysis/picture/page.h"

#include "analysis/account.h"
#include "analysis/picture/flow.h"

#include <string.h>

enum {
	MARGIN_PX = 12,
	LABEL_PX = 190,
	LANE_PX = 22,
	LANE_GAP_PX = 3,
	TITLE_PX = 24,
	LEGEND_ROW_PX = 18,
	RULER_PX = 24,
	FOOT_PX = 20,
	TEXT_PX = 11,
	LEGEND_ENTRY_PX = 130,
};

char *page_time_note(const recording_reader *reader)
{
	const char *base = recording_reader_meta(reader, "time_base");
	const char *source = recording_reader_meta(reader, "timestamp_hz_source");

	if (g_strcmp0(base, "bytes") == 0)
		return g_strdup("The capture has neither timestamps nor cycle counts: bytes of "
		                "trace instead of time.");
	if (g_strcmp0(base, "cycles") == 0)
		return g_strdup("The capture has no timestamps: cores are not aligned with each "
		                "other.");
	if (g_strcmp0(recording_reader_meta(reader, "time"), "modelled") == 0)
		return g_strdup("Time is modelled: the capture's clock is an emulator's.");
	if (g_strcmp0(source, "assumed") == 0)
		return g_strdup("The tick rate is not known: 1 tick is taken for 1 ns.");
	return NULL;
}

/* As reports write it: "<0.1%" where something would show as nothing. */
static char *share_text(gint64 part_ns, double whole_ns)
{
	const double percent = whole_ns > 0 ? (double)part_ns / whole_ns * 100 : 0;

	if (part_ns > 0 && percent < 0.05)
		return g_strdup("<0.1%");
	if ((double)part_ns < whole_ns && percent >= 99.95)
		return g_strdup(">99.9%");
	return g_strdup_printf("%.1f%%", percent);
}

char *page_coverage(recording_reader *reader, const struct axis *axis, GError **error)
{
	struct account account;
	double whole_ns;
	char *line;

	if (!account_init(&account, reader, error))
		return NULL;
	whole_ns = (double)account.window_ns * (double)account.n_cores;
	if (account.n_cores == 0) {
		line = g_strdup("Coverage: the capture has no core");
	} else {
		g_autofree char *traced = share_text(account.total.attributed_ns, whole_ns);
		g_autofree char *untraced = share_text(account.total.untraced_ns, whole_ns);
		g_autofree char *lost = share_text(account.total.lost_ns, whole_ns);
		g_autofree char *unknown = share_text(account.total.unknown_ns, whole_ns);
		g_autofree char *window = axis_duration(axis, account.window_ns);

		line = g_strdup_printf("Coverage: traced %s of %" G_GSIZE_FORMAT " core%s x %s; "
		                       "untraced %s, lost %s, unknown %s",
		                       traced, account.n_cores, account.n_cores == 1 ? "" : "s",
		                       window, untraced, lost, unknown);
	}
	account_deinit(&account);
	return line;
}

char *page_owner_name(const recording_reader *reader, guint owner)
{
	gsize n;
	const struct row_owner *owners = recording_reader_owners(reader, &n);
	g_autofree char *domain = NULL;
	g_autofree char *task = NULL;
	struct names names;

	if (owner >= n)
		return g_strdup("?");
	names_init(&names, reader);
	domain = names_domain(&names, &owners[owner]);
	task = names_task(&names, &owners[owner]);
	if (task == NULL)
		return g_steal_pointer(&domain);
	return g_strdup_printf("%s / %s", domain, task);
}

/* The hypervisor's reasons are told apart where they have colours. */
static const char *legend_name(const struct picture_row *row, guint slot)
{
	if (row->track != NULL && row->by != COLOUR_BY_REASON &&
	    g_str_has_prefix(track_key_at(row->track, slot)->id, "hypervisor/"))
		return "hypervisor for it";
	return picture_row_name(row, slot);
}

static void legend_add(struct page *self, const struct picture_row *row, guint slot)
{
	const struct page_legend entry = { legend_name(row, slot), picture_row_rgb(row, slot),
		                           picture_row_hatched(row, slot) };

	for (guint i = 0; i < self->legend->len; i++) {
		const struct page_legend *known =
			&g_array_index(self->legend, struct page_legend, i);

		if (strcmp(known->name, entry.name) == 0 && known->rgb == entry.rgb)
			return;
	}
	g_array_append_val(self->legend, entry);
}

/* What some column of the picture shows: owners first, then states, reasons and stages of
 * rows that have several. */
static void find_legend(struct page *self)
{
	self->legend = g_array_new(FALSE, FALSE, sizeof(struct page_legend));
	for (guint pass = 0; pass < 2; pass++) {
		for (guint i = 0; i < self->picture->n_rows; i++) {
			const struct picture_row *row = &self->picture->rows[i];
			guint64 seen = 0;

			/* What each message is, its lane says. */
			if ((row->slots != NULL) != (pass == 0) ||
			    (row->track != NULL && row->track->kind == TRACK_STM) ||
			    lane_set_get(self->source->lanes, row->lane)->track_key !=
			            LANE_ALL_KEYS)
				continue;
			for (guint x = 0; x < self->picture->view.width_px; x++)
				seen |= row->present[x];
			for (; seen != 0; seen &= seen - 1) {
				const guint slot = (guint)__builtin_ctzll(seen);

				/* Running has its domain's colour, in a shade a core. */
				if (row->track == NULL || row->track->kind != TRACK_VCPU ||
				    !track_key_at(row->track, slot)->running)
					legend_add(self, row, slot);
			}
		}
	}
}

static guint legend_columns(const struct page *self)
{
	return MAX((page_width(self) - 2 * MARGIN_PX) / LEGEND_ENTRY_PX, 1);
}

gboolean page_init(struct page *self, const struct picture *picture,
                   const struct picture_source *source, enum theme_kind theme, GError **error)
{
	const struct picture_view *view = &picture->view;
	const gint64 step_ns = MAX((view->to_ns - view->from_ns) / 1000, 1);
	g_autofree char *name = g_path_get_basename(recording_reader_path(source->reader));
	g_autofree char *from = NULL;
	g_autofree char *to = NULL;
	g_autofree char *length = NULL;
	g_autofree char *coverage = NULL;
	struct axis axis;

	axis_init(&axis, source->reader);
	coverage = page_coverage(source->reader, &axis, error);
	if (coverage == NULL)
		return FALSE;
	*self = (struct page) { .picture = picture,
		                .source = source,
		                .theme = theme_get(theme),
		                .axis = axis,
		                .label_px = LABEL_PX,
		                .lane_px = LANE_PX };
	from = axis_instant(&axis, view->from_ns, step_ns);
	to = axis_instant(&axis, view->to_ns, step_ns);
	length = axis_duration(&axis, view->to_ns - view->from_ns);
	self->title = g_strdup_printf("%s: %s to %s (%s)", name, from, to, length);
	self->note = page_time_note(source->reader);
	self->coverage = g_steal_pointer(&coverage);
	find_legend(self);
	self->legend_rows = (self->legend->len + legend_columns(self) - 1) / legend_columns(self);
	return TRUE;
}

void page_deinit(struct page *self)
{
	g_free(self->title);
	g_free(self->note);
	g_free(self->coverage);
	g_clear_pointer(&self->legend, g_array_unref);
}

guint page_picture_width(guint page_width_px)
{
	return page_width_px > 2 * MARGIN_PX + LABEL_PX ? page_width_px - 2 * MARGIN_PX - LABEL_PX
	                                                : 1;
}

guint page_width(const struct page *self)
{
	return self->picture->view.width_px + 2 * MARGIN_PX + LABEL_PX;
}

static guint lanes_top(const struct page *self)
{
	return MARGIN_PX + TITLE_PX + self->legend_rows * LEGEND_ROW_PX + RULER_PX;
}

static guint lanes_height(const struct page *self)
{
	return self->picture->n_rows * (LANE_PX + LANE_GAP_PX);
}

guint page_height(const struct page *self)
{
	return lanes_top(self) + lanes_height(self) + FOOT_PX * (self->note != NULL ? 2u : 1u) +
	       MARGIN_PX;
}

/* `string`, cut with an ellipsis where it is wider than `room_px`. Free the result. */
static char *fit(const struct canvas *canvas, double size, const char *string, double room_px)
{
	g_autofree char *text = g_strdup(string);

	if (canvas->text_width(canvas->data, size, text) <= room_px)
		return g_steal_pointer(&text);
	for (glong n = g_utf8_strlen(text, -1) - 1; n > 0; n--) {
		g_autofree char *start = g_utf8_substring(string, 0, n);

		g_free(text);
		text = g_strconcat(start, "\342\200\246", NULL);
		if (canvas->text_width(canvas->data, size, text) <= room_px)
			break;
	}
	return g_steal_pointer(&text);
}

static void draw_head(const struct page *self, const struct canvas *canvas)
{
	const struct canvas_text title = { .x = MARGIN_PX,
		                           .y = MARGIN_PX + 13,
		                           .size = 13,
		                           .bold = TRUE,
		                           .rgb = self->theme->text };
	const guint columns = legend_columns(self);

	canvas->group_begin(canvas->data, "head", NULL);
	canvas->text(canvas->data, &title, self->title);
	for (guint i = 0; i < self->legend->len; i++) {
		const struct page_legend *entry =
			&g_array_index(self->legend, struct page_legend, i);
		const double x = MARGIN_PX + (i % columns) * LEGEND_ENTRY_PX;
		const double y = MARGIN_PX + TITLE_PX + (i / columns) * LEGEND_ROW_PX;
		const struct canvas_rect rect = { x, y, 12, 12, entry->rgb, entry->hatched };
		const struct canvas_text text = {
			.x = x + 17, .y = y + 10, .size = TEXT_PX, .rgb = self->theme->text
		};
		g_autofree char *name = fit(canvas, TEXT_PX, entry->name, LEGEND_ENTRY_PX - 24);

		canvas->rect(canvas->data, &rect, entry->name);
		canvas->text(canvas->data, &text, name);
	}
	canvas->group_end(canvas->data);
}

static void draw_ruler(const struct page *self, const struct canvas *canvas)
{
	enum {
		MARK_PX = 110
	};
	const struct picture_view *view = &self->picture->view;
	const gint64 step_ns = axis_step_ns(view->to_ns - view->from_ns, view->width_px, MARK_PX);
	const double left = MARGIN_PX + LABEL_PX;
	const double top = lanes_top(self);
	gint64 at_ns = view->from_ns / step_ns * step_ns;

	if (at_ns < view->from_ns)
		at_ns += step_ns;
	canvas->group_begin(canvas->data, "ruler", NULL);
	for (; at_ns <= view->to_ns; at_ns += step_ns) {
		const double x = left + (double)(at_ns - view->from_ns) * view->width_px /
		                                (double)(view->to_ns - view->from_ns);
		g_autofree char *label = axis_instant(&self->axis, at_ns, step_ns);
		const double width = canvas->text_width(canvas->data, TEXT_PX, label);
		struct canvas_text text = {
			.x = x + 3, .y = top - 9, .size = TEXT_PX, .rgb = self->theme->faint
		};

		/* A label that would leave the page stands left of its mark. */
		if (x + 3 + width > left + view->width_px) {
			text.anchor = CANVAS_END;
			text.x = x - 3;
		}
		canvas->line(canvas->data, x, top - 18, x, top + lanes_height(self),
		             self->theme->grid);
		canvas->text(canvas->data, &text, label);
	}
	canvas->group_end(canvas->data);
}

/* What one run of equal columns shows, for its title. */
static char *run_title(const struct page *self, const struct picture_row *row, guint first,
                       guint past)
{
	const struct picture_view *view = &self->picture->view;
	const gint64 step_ns = MAX((view->to_ns - view->from_ns) / view->width_px, 1);
	g_autofree char *from = axis_instant(&self->axis, picture_instant(view, first), step_ns);
	g_autofree char *to = axis_instant(&self->axis, picture_instant(view, past), step_ns);
	GString *text = g_string_new(NULL);
	double sum_ns = 0;

	if (row->slots != NULL && row->owner[first] < PICTURE_OWNER_SEVERAL) {
		g_autofree char *name = page_owner_name(self->source->reader, row->owner[first]);

		g_string_append_printf(text, "%s, %s to %s", name, from, to);
		return g_string_free(text, FALSE);
	}
	for (guint s = 0; s < row->n_slots; s++)
		sum_ns += row->time_ns[(gsize)first * row->n_slots + s];
	for (guint s = 0; s < row->n_slots; s++) {
		if ((row->present[first] >> s & 1) == 0)
			continue;
		g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "",
		                       picture_row_name(row, s));
		if (sum_ns > 0 && row->look == LANE_LOOK_TIME)
			g_string_append_printf(text, " %.1f%%",
			                       row->time_ns[(gsize)first * row->n_slots + s] /
			                               sum_ns * 100);
	}
	if (row->look == LANE_LOOK_COUNT)
		g_string_append_printf(text, ", %u", row->count[first]);
	g_string_append_printf(text, ", %s to %s", from, to);
	return g_string_free(text, FALSE);
}

static gboolean same_column(const struct picture_row *row, const guint16 *a, const guint16 *b,
                            guint column_a, guint column_b)
{
	return row->owner[column_a] == row->owner[column_b] &&
	       memcmp(a, b, row->n_slots * sizeof *a) == 0;
}

static void draw_run(const struct page *self, const struct canvas *canvas,
                     const struct picture_row *row, const guint16 *heights, guint first, guint past,
                     double top)
{
	g_autofree char *title = NULL;
	double bottom = top + LANE_PX;

	if (row->present[first] == 0)
		return;
	title = run_title(self, row, first, past);
	for (guint s = 0; s < row->n_slots; s++) {
		const struct canvas_rect rect = {
			.x = MARGIN_PX + LABEL_PX + first,
			.y = bottom - heights[s],
			.width = past - first,
			.height = heights[s],
			.rgb = picture_row_rgb(row, s),
			.hatched = picture_row_hatched(row, s),
		};

		if (heights[s] == 0)
			continue;
		canvas->rect(canvas->data, &rect, title);
		bottom -= heights[s];
	}
}

/* Names inside bars, where a slot has columns for itself and there is room. */
static void draw_bar_names(const struct page *self, const struct canvas *canvas,
                           const struct picture_row *row, double top)
{
	enum {
		ROOM_PX = 30
	};
	const guint width = self->picture->view.width_px;
	struct canvas_text text = { .y = top + 15, .size = TEXT_PX, .anchor = CANVAS_MIDDLE };
	guint first = 0;

	if (row->look != LANE_LOOK_TIME ||
	    lane_set_get(self->source->lanes, row->lane)->capacity > 1)
		return;
	for (guint x = 1; x <= width; x++) {
		const guint64 present = row->present[first];

		if (x < width && row->present[x] == present)
			continue;
		if (__builtin_popcountll(present) == 1 && x - first >= ROOM_PX) {
			const guint slot = (guint)__builtin_ctzll(present);
			const char *name = picture_row_name(row, slot);

			text.x = MARGIN_PX + LABEL_PX + (first + x) / 2.0;
			text.rgb = palette_text_on(picture_row_rgb(row, slot));
			if (canvas->text_width(canvas->data, TEXT_PX, name) <= x - first - 6)
				canvas->text(canvas->data, &text, name);
		}
		first = x;
	}
}

static void draw_bars(const struct page *self, const struct canvas *canvas,
                      const struct picture_row *row, double top)
{
	const guint width = self->picture->view.width_px;
	const guint capacity = lane_set_get(self->source->lanes, row->lane)->capacity;
	g_autofree guint16 *heights = g_new0(guint16, row->n_slots + 1);
	g_autofree guint16 *next = g_new0(guint16, row->n_slots + 1);
	guint first = 0;

	for (guint x = 0; x <= width; x++) {
		if (x < width)
			picture_column_heights(self->picture, row, capacity, x, LANE_PX, next);
		if (x > 0 && x < width && same_column(row, heights, next, first, x))
			continue;
		if (x > 0)
			draw_run(self, canvas, row, heights, first, x, top);
		memcpy(heights, next, row->n_slots * sizeof *heights);
		first = x;
	}
}

static void draw_lane(const struct page *self, const struct canvas *canvas, guint index)
{
	const struct picture_row *row = &self->picture->rows[index];
	const struct lane *lane = lane_set_get(self->source->lanes, row->lane);
	const double top = lanes_top(self) + index * (LANE_PX + LANE_GAP_PX);
	const double indent = lane->depth * 12.0;
	const struct canvas_text text = { .x = MARGIN_PX + indent,
		                          .y = top + 15,
		                          .size = TEXT_PX + 1,
		                          .bold = lane->depth == 0,
		                          .rgb = self->theme->text };
	const struct canvas_rect back = {
		MARGIN_PX + LABEL_PX, top,  self->picture->view.width_px, LANE_PX,
		self->theme->lane,    FALSE
	};
	g_autofree char *id = g_strdup_printf("lane-%s", lane->id);
	g_autofree char *name = fit(canvas, TEXT_PX + 1, lane->name, LABEL_PX - indent - 8);

	canvas->group_begin(canvas->data, id, lane->whole);
	canvas->text(canvas->data, &text, name);
	if (lane->kind != LANE_GROUP) {
		canvas->rect(canvas->data, &back, NULL);
		draw_bars(self, canvas, row, top);
		draw_bar_names(self, canvas, row, top);
	}
	canvas->group_end(canvas->data);
}

static double page_x_of(gpointer data, gint64 at_ns)
{
	const struct page *self = data;
	const struct picture_view *view = &self->picture->view;

	return MARGIN_PX + LABEL_PX +
	       (double)(at_ns - view->from_ns) * view->width_px /
	               (double)(view->to_ns - view->from_ns);
}

static gboolean page_y_of(gpointer data, guint lane, double *y)
{
	const struct page *self = data;

	for (guint i = 0; i < self->picture->n_rows; i++) {
		if (self->picture->rows[i].lane == lane) {
			*y = lanes_top(self) + i * (LANE_PX + LANE_GAP_PX) + LANE_PX / 2.0;
			return TRUE;
		}
	}
	return FALSE;
}

struct arrows {
	const struct page *page;
	const struct canvas *canvas;
};

/* Only arrows of which both ends are in the picture: it is not clipped. */
static void draw_flow(const struct track *track, guint flow, gpointer data)
{
	const struct arrows *self = data;
	const struct page *page = self->page;
	const struct picture_view *view = &page->picture->view;
	const struct row_request *request =
		&g_array_index(track->requests, struct row_request, flow - 1);
	const struct flow_place place = { page_x_of, page_y_of, (gpointer)page };

	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if (request->t_ns[i] != OWNER_NO_VALUE &&
		    (request->t_ns[i] < view->from_ns || request->t_ns[i] > view->to_ns))
			return;
	}
	flow_draw(page->source, track, flow, self->canvas, &place, page->theme->text);
}

static void draw_arrows(const struct page *self, const struct canvas *canvas)
{
	const struct picture_view *view = &self->picture->view;
	struct arrows arrows = { self, canvas };

	canvas->group_begin(canvas->data, "arrows", NULL);
	flow_foreach(self->source, view->from_ns, view->to_ns, self->picture->filter, draw_flow,
	             &arrows);
	canvas->group_end(canvas->data);
}

static void draw_foot(const struct page *self, const struct canvas *canvas)
{
	struct canvas_text text = { .x = MARGIN_PX,
		                    .y = lanes_top(self) + lanes_height(self) + 16,
		                    .size = TEXT_PX,
		                    .rgb = self->theme->faint };

	canvas->group_begin(canvas->data, "foot", NULL);
	canvas->text(canvas->data, &text, self->coverage);
	text.y += FOOT_PX;
	if (self->note != NULL)
		canvas->text(canvas->data, &text, self->note);
	canvas->group_end(canvas->data);
}

void page_draw(const struct page *self, const struct canvas *canvas)
{
	const struct canvas_rect paper = {
		0, 0, page_width(self), page_height(self), self->theme->paper, FALSE
	};

	canvas->rect(canvas->data, &paper, NULL);
	draw_head(self, canvas);
	draw_ruler(self, canvas);
	for (guint i = 0; i < self->picture->n_rows; i++)
		draw_lane(self, canvas, i);
	draw_arrows(self, canvas);
	draw_foot(self, canvas);
}
