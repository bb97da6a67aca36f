#include "analysis/picture/flow.h"
#include "tests/analysis/traffic-recording.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

enum {
	WIDTH = 960
};

struct fixture {
	char *path;
	recording_reader *reader;
	struct lane_set lanes;
	struct slot_table slots;
	GPtrArray *tracks;
	tile_store *store;
	struct picture_source source;
	struct picture *picture;
};

static void fixture_up(struct fixture *self, gconstpointer data)
{
	const struct traffic_options options = { 2, "timestamps", TRUE };
	g_autoptr(GError) error = NULL;

	(void)data;
	self->path = g_strdup_printf("%s/track-%d.hvs", g_get_tmp_dir(), (int)getpid());
	traffic_recording_write(self->path, &options);
	self->reader = recording_reader_new(self->path, &error);
	g_assert_no_error(error);
	self->tracks = tracks_load(self->reader, NULL, &error);
	g_assert_no_error(error);
	lane_set_init(&self->lanes, self->reader);
	tracks_add_lanes(self->tracks, &self->lanes);
	slot_table_init(&self->slots, self->reader, COLOUR_BY_DOMAIN, THEME_LIGHT);
	self->store = tile_store_new(self->reader, 0, 1 << 20, NULL, NULL, &error);
	g_assert_no_error(error);
	self->source = (struct picture_source) { self->reader, &self->lanes, &self->slots,
		                                 self->tracks, self->store };
	self->picture = picture_new();
}

static void fixture_down(struct fixture *self, gconstpointer data)
{
	(void)data;
	picture_free(self->picture);
	tile_store_free(self->store);
	slot_table_deinit(&self->slots);
	lane_set_deinit(&self->lanes);
	g_ptr_array_unref(self->tracks);
	recording_reader_free(self->reader);
	g_unlink(self->path);
	g_free(self->path);
}

static const struct track *track_of(const struct fixture *self, const char *id)
{
	for (guint i = 0; i < self->tracks->len; i++) {
		const struct track *track = self->tracks->pdata[i];

		if (strcmp(track->id, id) == 0)
			return track;
	}
	g_test_message("no track %s", id);
	g_test_fail();
	return NULL;
}

static gint64 key_ns(const struct track *track, const char *id)
{
	gint64 sum_ns = 0;

	for (guint i = 0; i < track->items->len; i++) {
		const struct track_item *item = track_item_at(track, i);

		if (strcmp(track_key_at(track, item->key)->id, id) == 0)
			sum_ns += item->duration_ns;
	}
	return sum_ns;
}

/* A vCPU's pieces are gapless, and each state has the time that its rows have. */
static void test_vcpu(struct fixture *self, gconstpointer data)
{
	const struct track *back = track_of(self, "vcpu/dom0/0");
	const struct track *hog = track_of(self, "vcpu/hog/0");
	gint64 at_ns = 0;

	(void)data;
	for (guint i = 0; i < back->items->len; i++) {
		g_assert_cmpint(track_item_at(back, i)->start_ns, ==, at_ns);
		at_ns += track_item_at(back, i)->duration_ns;
	}
	g_assert_cmpint(at_ns, ==, TRAFFIC_WINDOW_NS);
	g_assert_cmpint(key_ns(back, "core/1"), ==, TRAFFIC_REQUESTS * 382000);
	g_assert_cmpint(key_ns(back, "hypervisor/call"), ==, TRAFFIC_REQUESTS * 4000);
	g_assert_cmpint(key_ns(back, "blocked"), ==, TRAFFIC_REQUESTS * 614000);
	g_assert_cmpint(key_ns(hog, "waiting"), ==, TRAFFIC_REQUESTS * 400000);
}

static void test_exits(struct fixture *self, gconstpointer data)
{
	const struct track *exits = track_of(self, "exits");
	const guint irq = lane_set_find(&self->lanes, "exits/irq");

	(void)data;
	g_assert_cmpuint(exits->items->len, ==, 5 * TRAFFIC_REQUESTS);
	g_assert_cmpint(key_ns(exits, "irq"), ==, TRAFFIC_REQUESTS * 8000);
	g_assert_cmpuint(irq, !=, LANE_NO_PARENT);
	/* Each has the owner that it left. */
	for (guint i = 0; i < exits->items->len; i++)
		g_assert_cmpuint(track_item_at(exits, i)->owner, <, self->slots.n_owners);
	g_assert_cmpuint(lane_set_find(&self->lanes, "exits/longest"), !=, LANE_NO_PARENT);
}

/* The stages of a request are gapless; where an instant was not seen, two are one. */
static void test_requests(struct fixture *self, gconstpointer data)
{
	const struct track *track = track_of(self, "requests/front-dom0");
	g_autofree guint *stages = g_new0(guint, TRAFFIC_REQUESTS);
	gint64 sum_ns = 0;

	(void)data;
	g_assert_cmpuint(track->capacity, ==, 1);
	for (guint i = 0; i < track->items->len; i++) {
		const struct track_item *item = track_item_at(track, i);

		g_assert_cmpuint(item->flow, >=, 1);
		g_assert_cmpuint(item->flow, <=, TRAFFIC_REQUESTS);
		stages[item->flow - 1]++;
		if (item->flow == 1)
			sum_ns += item->duration_ns;
	}
	g_assert_cmpint(sum_ns, ==, 428000);
	for (guint i = 0; i < TRAFFIC_REQUESTS; i++)
		g_assert_cmpuint(stages[i], ==, i % 6 == 5 ? 6 : 8);
}

static void test_arrows(struct fixture *self, gconstpointer data)
{
	const struct track *track = track_of(self, "requests/front-dom0");
	g_autoptr(GArray) whole = flow_arrows(&self->source, track, 1);
	g_autoptr(GArray) partial = flow_arrows(&self->source, track, 6);
	const struct flow_arrow *first = &g_array_index(whole, struct flow_arrow, 0);
	const struct flow_arrow *last = &g_array_index(whole, struct flow_arrow, 3);

	(void)data;
	g_assert_cmpuint(whole->len, ==, 4);
	g_assert_cmpint(first->from_ns, ==, 202000);
	g_assert_cmpint(first->to_ns, ==, 207000);
	g_assert_cmpuint(first->from_lane, ==, lane_set_find(&self->lanes, "domain/front"));
	g_assert_cmpuint(first->to_lane, ==, lane_set_find(&self->lanes, "domain/Xen"));
	g_assert_cmpint(last->to_ns, ==, 624000);
	/* Without the hypervisor's part, there and back. */
	g_assert_cmpuint(partial->len, ==, 2);
}

/* Presence of each item in the columns that it touches, for random windows, items or sums. */
static void test_presence(struct fixture *self, gconstpointer data)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(5);

	(void)data;
	for (guint i = 0; i < 200; i++) {
		const struct track *track =
			self->tracks->pdata[g_rand_int_range(random, 0, (gint32)self->tracks->len)];
		const guint lane = lane_set_find(&self->lanes, track->id);
		const gint64 from_ns = g_rand_int_range(random, 0, TRAFFIC_WINDOW_NS - 2000);
		const struct picture_view view = {
			from_ns,
			g_rand_int_range(random, (gint32)from_ns + 1000, TRAFFIC_WINDOW_NS), WIDTH
		};

		picture_compose(self->picture, &self->source, &view, &lane, 1, NULL);
		for (guint k = 0; k < track->items->len; k++) {
			const struct track_item *item = track_item_at(track, k);
			const gint64 x = picture_column(&view, MAX(item->start_ns, from_ns));

			if (item->start_ns >= view.to_ns ||
			    item->start_ns + item->duration_ns <= from_ns)
				continue;
			g_assert_true((self->picture->rows[0].present[x] >> item->key & 1) != 0);
		}
	}
}

/* Lanes of vCPUs stand in their domain, before its tasks. */
static void test_lanes(struct fixture *self, gconstpointer data)
{
	g_autoptr(GArray) order = lane_set_order(&self->lanes);
	const guint domain = lane_set_find(&self->lanes, "domain/dom0");

	(void)data;
	g_assert_cmpuint(order->len, ==, self->lanes.lanes->len);
	for (guint i = 0; i < order->len; i++) {
		const guint lane = g_array_index(order, guint, i);

		if (lane != domain)
			continue;
		g_assert_cmpstr(lane_set_get(&self->lanes, g_array_index(order, guint, i + 1))->id,
		                ==, "vcpu/dom0/0");
		g_assert_cmpstr(lane_set_get(&self->lanes, g_array_index(order, guint, i + 2))->id,
		                ==, "tasks/dom0");
	}
}

/* The whole way back from an item's end finds it, however far back it began. */
static void test_reaching(struct fixture *self, gconstpointer data)
{
	const struct track *track = track_of(self, "exits");
	g_autoptr(GRand) random = g_rand_new_with_seed(9);

	(void)data;
	for (guint n = 0; n < 500; n++) {
		const gint64 at_ns = g_rand_int_range(random, 0, TRAFFIC_WINDOW_NS);
		const guint from = (guint)g_rand_int_range(random, 0, (gint32)track->items->len);
		guint expected = from;

		while (expected < track->items->len &&
		       track_item_at(track, expected)->start_ns +
		                       track_item_at(track, expected)->duration_ns <
		               at_ns)
			expected++;
		g_assert_cmpuint(track_reaching(track, from, at_ns), ==, expected);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct fixture *self, gconstpointer data);
	} tests[] = {
		{ "/analysis/track/vcpu", test_vcpu },
		{ "/analysis/track/exits", test_exits },
		{ "/analysis/track/requests", test_requests },
		{ "/analysis/track/arrows", test_arrows },
		{ "/analysis/track/presence", test_presence },
		{ "/analysis/track/lanes", test_lanes },
		{ "/analysis/track/reaching", test_reaching },
	};

	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].name, struct fixture, NULL, fixture_up, tests[i].fn,
		           fixture_down);
	return g_test_run();
}
