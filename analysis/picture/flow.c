#include "analysis/picture/flow.h"

#include <math.h>

enum flow_side {
	SIDE_FRONTEND,
	SIDE_HYPERVISOR,
	SIDE_BACKEND,
	SIDES
};

/* Where each instant of a request happens (hvscope.sql, request). */
static const enum flow_side sides[REQUEST_STAGES] = {
	SIDE_FRONTEND, SIDE_HYPERVISOR, SIDE_BACKEND,  SIDE_BACKEND,  SIDE_BACKEND,
	SIDE_BACKEND,  SIDE_HYPERVISOR, SIDE_FRONTEND, SIDE_FRONTEND,
};

static guint domain_lane(const struct picture_source *source, const struct names *names,
                         const struct row_owner *owner)
{
	g_autofree char *domain = names_domain(names, owner);
	g_autofree char *id = g_strdup_printf("domain/%s", domain);

	return lane_set_find(source->lanes, id);
}

GArray *flow_arrows(const struct picture_source *source, const struct track *track, guint flow)
{
	GArray *arrows = g_array_new(FALSE, FALSE, sizeof(struct flow_arrow));
	const struct row_request *request;
	struct names names;
	guint lanes[SIDES];
	guint from = REQUEST_STAGES;

	if (track->requests == NULL || flow == TRACK_NO_FLOW || flow > track->requests->len)
		return arrows;
	request = &g_array_index(track->requests, struct row_request, flow - 1);
	names_init(&names, source->reader);
	lanes[SIDE_FRONTEND] = domain_lane(
		source, &names,
		&(struct row_owner) { OWNER_GUEST, 1, request->frontend_vmid, OWNER_NO_VALUE });
	lanes[SIDE_BACKEND] = domain_lane(
		source, &names,
		&(struct row_owner) { OWNER_GUEST, 1, request->backend_vmid, OWNER_NO_VALUE });
	lanes[SIDE_HYPERVISOR] = domain_lane(
		source, &names,
		&(struct row_owner) { OWNER_HYPERVISOR, 2, OWNER_NO_VALUE, OWNER_NO_VALUE });
	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if (request->t_ns[i] == OWNER_NO_VALUE || lanes[sides[i]] == LANE_NO_PARENT)
			continue;
		if (from < REQUEST_STAGES && sides[from] != sides[i]) {
			const struct flow_arrow arrow = { request->t_ns[from], request->t_ns[i],
				                          lanes[sides[from]], lanes[sides[i]] };

			g_array_append_val(arrows, arrow);
		}
		from = i;
	}
	return arrows;
}

static void draw_arrow(const struct canvas *canvas, double x1, double y1, double x2, double y2,
                       guint32 rgb)
{
	enum {
		HEAD_PX = 7
	};
	const double angle = atan2(y2 - y1, x2 - x1);

	canvas->line(canvas->data, x1, y1, x2, y2, rgb);
	for (int side = -1; side <= 1; side += 2)
		canvas->line(canvas->data, x2, y2, x2 - HEAD_PX * cos(angle + side * 0.4),
		             y2 - HEAD_PX * sin(angle + side * 0.4), rgb);
}

void flow_draw(const struct picture_source *source, const struct track *track, guint flow,
               const struct canvas *canvas, const struct flow_place *place, guint32 rgb)
{
	g_autoptr(GArray) arrows = flow_arrows(source, track, flow);

	for (guint i = 0; i < arrows->len; i++) {
		const struct flow_arrow *arrow = &g_array_index(arrows, struct flow_arrow, i);
		double y1;
		double y2;

		if (place->y_of(place->data, arrow->from_lane, &y1) &&
		    place->y_of(place->data, arrow->to_lane, &y2) && fabs(y1 - y2) > 1)
			draw_arrow(canvas, place->x_of(place->data, arrow->from_ns), y1,
			           place->x_of(place->data, arrow->to_ns), y2, rgb);
	}
}

static void find_flows(const struct track *track, gint64 from_ns, gint64 to_ns, GHashTable *flows)
{
	guint i = track_reaching(track, 0, from_ns);

	for (; i < track->items->len && g_hash_table_size(flows) <= FLOWS_DRAWN_MAX;
	     i = track_reaching(track, i + 1, from_ns)) {
		const struct track_item *item = track_item_at(track, i);

		if (item->start_ns >= to_ns)
			break;
		if (item->flow != TRACK_NO_FLOW)
			g_hash_table_add(flows, GUINT_TO_POINTER(item->flow));
	}
}

static gint compare_flows(gconstpointer a, gconstpointer b)
{
	const guint x = *(const guint *)a;
	const guint y = *(const guint *)b;

	return (x > y) - (x < y);
}

void flow_foreach(const struct picture_source *source, gint64 from_ns, gint64 to_ns,
                  const guint8 *filter, flow_fn fn, gpointer data)
{
	for (guint t = 0; source->tracks != NULL && t < source->tracks->len; t++) {
		const struct track *track = source->tracks->pdata[t];
		g_autoptr(GHashTable) flows = NULL;
		g_autoptr(GArray) order = NULL;
		GHashTableIter iter;
		gpointer key;

		if (track->requests == NULL || !track_passes(track, source->reader, filter))
			continue;
		flows = g_hash_table_new(NULL, NULL);
		find_flows(track, from_ns, to_ns, flows);
		if (g_hash_table_size(flows) > FLOWS_DRAWN_MAX)
			continue;
		order = g_array_new(FALSE, FALSE, sizeof(guint));
		g_hash_table_iter_init(&iter, flows);
		while (g_hash_table_iter_next(&iter, &key, NULL)) {
			const guint flow = GPOINTER_TO_UINT(key);

			g_array_append_val(order, flow);
		}
		/* In order of number: the same picture each time. */
		g_array_sort(order, compare_flows);
		for (guint i = 0; i < order->len; i++)
			fn(track, g_array_index(order, guint, i), data);
	}
}
