#include "analysis/picture/track-private.h"

enum {
	STAGES = REQUEST_STAGES - 1 /* stage n lies between t<n> and t<n+1> */
};

/* Waiting for a processor or a task has the colours of waiting. */
static const struct {
	const char *id;
	const char *name;
	guint32 rgb;
} stages[STAGES] = {
	{ "notify", "notify", 0x88ccee },
	{ "backend-scheduling", "backend scheduling", 0xaa4466 },
	{ "upcall", "upcall", 0x44aa99 },
	{ "wake", "thread wake", 0xcc8899 },
	{ "service", "service", 0x009e73 },
	{ "return-notify", "return notify", 0x6699cc },
	{ "frontend-scheduling", "frontend scheduling", 0xdd6677 },
	{ "front-upcall", "front upcall", 0x999933 },
};

/* Requests of one frontend and backend. */
struct pair {
	gint64 frontend_vmid;
	gint64 backend_vmid;
	GArray *requests; /* struct row_request */
};

static void pair_clear(gpointer data)
{
	g_array_unref(((struct pair *)data)->requests);
}

static gboolean take_request(const struct row_request *row, gpointer data)
{
	GArray *pairs = data;
	struct pair new_pair = { row->frontend_vmid, row->backend_vmid, NULL };

	for (guint i = 0; i < pairs->len; i++) {
		struct pair *pair = &g_array_index(pairs, struct pair, i);

		if (pair->frontend_vmid == row->frontend_vmid &&
		    pair->backend_vmid == row->backend_vmid) {
			g_array_append_vals(pair->requests, row, 1);
			return TRUE;
		}
	}
	new_pair.requests = g_array_new(FALSE, FALSE, sizeof(struct row_request));
	g_array_append_vals(new_pair.requests, row, 1);
	g_array_append_val(pairs, new_pair);
	return TRUE;
}

/* The key of what lies between two instants that were seen; others between them were not. */
static guint stage_key(struct track_loader *loader, guint from, guint to)
{
	GString *id = g_string_new(stages[from].id);
	GString *name = g_string_new(stages[from].name);
	guint key;

	for (guint i = from + 1; i < to; i++) {
		g_string_append_printf(id, "+%s", stages[i].id);
		g_string_append_printf(name, " + %s", stages[i].name);
	}
	key = track_loader_key(loader, id->str, name->str, stages[from].rgb, stages[from].rgb);
	g_string_free(id, TRUE);
	g_string_free(name, TRUE);
	return key;
}

static void add_request(struct track_loader *loader, const struct row_request *request, guint flow)
{
	guint from = REQUEST_STAGES;

	for (guint i = 0; i < REQUEST_STAGES; i++) {
		const gint64 at_ns = request->t_ns[i];

		if (at_ns == OWNER_NO_VALUE ||
		    (from < REQUEST_STAGES && at_ns < request->t_ns[from]))
			continue;
		if (from < REQUEST_STAGES) {
			const struct track_item item = { .start_ns = request->t_ns[from],
				                         .duration_ns = at_ns - request->t_ns[from],
				                         .key = stage_key(loader, from, i),
				                         .core = LANE_ALL_CORES,
				                         .owner = TRACK_OWNER_NONE,
				                         .flow = flow,
				                         .trace_offset = TRACK_NO_OFFSET };

			track_loader_add(loader, &item);
		}
		from = i;
	}
}

static gint compare_ns(gconstpointer a, gconstpointer b)
{
	const gint64 x = *(const gint64 *)a;
	const gint64 y = *(const gint64 *)b;

	return (x > y) - (x < y);
}

/* How many are on their way at the same time at most. */
static guint most_at_once(const GArray *items, const GArray *requests)
{
	g_autoptr(GArray) begins = g_array_new(FALSE, FALSE, sizeof(gint64));
	g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(gint64));
	g_autofree gint64 *first = g_new0(gint64, requests->len + 1);
	g_autofree gint64 *last = g_new0(gint64, requests->len + 1);
	guint most = 1;
	guint ended = 0;

	for (guint i = 0; i < requests->len; i++)
		first[i] = G_MAXINT64;
	for (guint i = 0; i < items->len; i++) {
		const struct track_item *item = &g_array_index(items, struct track_item, i);
		const guint r = item->flow - 1;

		first[r] = MIN(first[r], item->start_ns);
		last[r] = MAX(last[r], item->start_ns + item->duration_ns);
	}
	for (guint i = 0; i < requests->len; i++) {
		if (first[i] == G_MAXINT64)
			continue;
		g_array_append_val(begins, first[i]);
		g_array_append_val(ends, last[i]);
	}
	g_array_sort(begins, compare_ns);
	g_array_sort(ends, compare_ns);
	for (guint i = 0; i < begins->len; i++) {
		while (ended < ends->len &&
		       g_array_index(ends, gint64, ended) <= g_array_index(begins, gint64, i))
			ended++;
		most = MAX(most, i + 1 - MIN(ended, i));
	}
	return most;
}

static char *domain_name(const struct track_loading *loading, gint64 vmid)
{
	const struct row_owner owner = { OWNER_GUEST, 1, vmid, OWNER_NO_VALUE };

	return names_domain(&loading->names, &owner);
}

static void add_pair(struct track_loading *loading, const struct pair *pair)
{
	g_autofree char *frontend = domain_name(loading, pair->frontend_vmid);
	g_autofree char *backend = domain_name(loading, pair->backend_vmid);
	g_autofree char *id = g_strdup_printf("requests/%s-%s", frontend, backend);
	g_autofree char *name = g_strdup_printf("%s to %s", frontend, backend);
	struct track_loader loader;

	track_loader_init(&loader, loading, TRACK_REQUESTS, id, name, "request");
	loader.track->below = g_strdup("requests");
	loader.track->key_lanes = TRUE;
	loader.track->vmids[0] = pair->frontend_vmid;
	loader.track->vmids[1] = pair->backend_vmid;
	loader.track->requests = g_array_ref(pair->requests);
	for (guint i = 0; i < pair->requests->len; i++)
		add_request(&loader, &g_array_index(pair->requests, struct row_request, i), i + 1);
	loader.track->capacity = most_at_once(loader.track->items, pair->requests);
	track_loader_finish(&loader);
}

gboolean track_load_requests(struct track_loading *loading, GError **error)
{
	g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(struct pair));

	g_array_set_clear_func(pairs, pair_clear);
	if (!recording_reader_requests(loading->reader, take_request, pairs, error))
		return FALSE;
	for (guint i = 0; i < pairs->len; i++)
		add_pair(loading, &g_array_index(pairs, struct pair, i));
	return TRUE;
}
