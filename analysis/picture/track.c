#include "analysis/picture/track-private.h"

#include <string.h>

static void key_clear(gpointer data)
{
	struct track_key *key = data;

	g_free(key->id);
	g_free(key->name);
}

static struct track *track_new(enum track_kind kind, const char *id, const char *name,
                               const char *item)
{
	struct track *self = g_new0(struct track, 1);

	self->kind = kind;
	self->id = g_strdup(id);
	self->name = g_strdup(name);
	self->item = g_strdup(item);
	self->capacity = 1;
	self->vmids[0] = self->vmids[1] = OWNER_NO_VALUE;
	self->keys = g_array_new(FALSE, TRUE, sizeof(struct track_key));
	g_array_set_clear_func(self->keys, key_clear);
	self->items = g_array_new(FALSE, FALSE, sizeof(struct track_item));
	return self;
}

static void track_free(gpointer data)
{
	struct track *self = data;

	g_free(self->id);
	g_free(self->name);
	g_free(self->item);
	g_free(self->below);
	g_clear_pointer(&self->requests, g_array_unref);
	g_array_unref(self->keys);
	g_array_unref(self->items);
	g_clear_pointer(&self->block_ends, g_array_unref);
	g_clear_pointer(&self->texts, g_ptr_array_unref);
	for (guint i = 0; i < LOD_LEVELS_MAX; i++)
		g_clear_pointer(&self->levels[i], g_array_unref);
	g_free(self);
}

const struct track_item *track_item_at(const struct track *self, guint item)
{
	return &g_array_index(self->items, struct track_item, item);
}

const struct track_key *track_key_at(const struct track *self, guint key)
{
	return &g_array_index(self->keys, struct track_key, key);
}

guint track_reaching(const struct track *self, guint from, gint64 at_ns)
{
	guint i = from;

	while (i < self->items->len) {
		const struct track_item *item = track_item_at(self, i);

		if (i % TRACK_BLOCK == 0 &&
		    g_array_index(self->block_ends, gint64, i / TRACK_BLOCK) < at_ns)
			i += TRACK_BLOCK;
		else if (item->start_ns + item->duration_ns >= at_ns)
			return i;
		else
			i++;
	}
	return self->items->len;
}

guint track_lower(const struct track *self, gint64 at_ns)
{
	guint low = 0;
	guint high = self->items->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(self->items, struct track_item, middle).start_ns < at_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

guint track_sum_lower(const struct track *self, guint level, gint64 bucket)
{
	const GArray *sums = self->levels[level];
	guint low = 0;
	guint high = sums->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(sums, struct track_sum, middle).bucket < bucket)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void track_loader_init(struct track_loader *self, struct track_loading *loading,
                       enum track_kind kind, const char *id, const char *name, const char *item)
{
	*self = (struct track_loader) { .loading = loading, .sorted = TRUE };
	self->track = track_new(kind, id, name, item);
	self->key_of = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void track_loader_drop(struct track_loader *self)
{
	g_clear_pointer(&self->key_of, g_hash_table_unref);
	g_clear_pointer(&self->track, track_free);
}

guint track_loader_key(struct track_loader *self, const char *id, const char *name, guint32 rgb,
                       guint32 dark_rgb)
{
	GArray *keys = self->track->keys;
	const gboolean full = keys->len == TRACK_KEYS_MAX - 1;
	const char *wanted = full ? "others" : id;
	guint known = GPOINTER_TO_UINT(g_hash_table_lookup(self->key_of, id));
	struct track_key key = { .rgb = rgb, .dark_rgb = dark_rgb };

	if (known == 0)
		known = GPOINTER_TO_UINT(g_hash_table_lookup(self->key_of, wanted));
	if (known != 0)
		return known - 1;
	key.id = g_strdup(wanted);
	key.name = g_strdup(full ? "others" : name);
	g_array_append_val(keys, key);
	g_hash_table_insert(self->key_of, g_strdup(wanted), GUINT_TO_POINTER(keys->len));
	return keys->len - 1;
}

void track_loader_colour(struct track_loader *self, guint key, enum colour_by by, guint32 rgb)
{
	g_array_index(self->track->keys, struct track_key, key).rgb_by[by] = rgb;
}

gboolean track_loader_add(struct track_loader *self, const struct track_item *item)
{
	struct track *track = self->track;

	g_array_index(track->keys, struct track_key, item->key).count++;
	if (self->loading->room == 0) {
		track->n_left_out++;
		return FALSE;
	}
	self->loading->room--;
	if (track->items->len > 0 &&
	    track_item_at(track, track->items->len - 1)->start_ns > item->start_ns)
		self->sorted = FALSE;
	g_array_append_vals(track->items, item, 1);
	track->longest_ns = MAX(track->longest_ns, item->duration_ns);
	return TRUE;
}

static gint compare_items(gconstpointer a, gconstpointer b)
{
	const struct track_item *item_a = a;
	const struct track_item *item_b = b;

	return (item_a->start_ns > item_b->start_ns) - (item_a->start_ns < item_b->start_ns);
}

/* Items and their texts in order of time. */
static void track_sort(struct track *self, gboolean sorted)
{
	g_autoptr(GPtrArray) texts = NULL;

	if (!sorted)
		g_array_sort(self->items, compare_items);
	if (self->texts == NULL)
		return;
	texts = g_steal_pointer(&self->texts);
	self->texts = g_ptr_array_new_full(texts->len, g_free);
	for (guint i = 0; i < self->items->len; i++) {
		struct track_item *item = &g_array_index(self->items, struct track_item, i);

		g_ptr_array_add(self->texts, g_steal_pointer(&texts->pdata[item->owner]));
		item->owner = TRACK_OWNER_NONE;
	}
	g_ptr_array_set_free_func(texts, NULL);
}

static gint compare_sums(gconstpointer a, gconstpointer b)
{
	const struct track_sum *sum_a = a;
	const struct track_sum *sum_b = b;

	if (sum_a->bucket != sum_b->bucket)
		return sum_a->bucket < sum_b->bucket ? -1 : 1;
	return (sum_a->key > sum_b->key) - (sum_a->key < sum_b->key);
}

/* In order, those of one bucket and key as one. */
static void sums_merge(GArray *sums)
{
	guint kept = 0;

	g_array_sort(sums, compare_sums);
	for (guint i = 1; i < sums->len; i++) {
		struct track_sum *to = &g_array_index(sums, struct track_sum, kept);
		const struct track_sum *from = &g_array_index(sums, struct track_sum, i);

		if (compare_sums(to, from) == 0) {
			to->count += from->count;
			to->time_ns += from->time_ns;
			to->longest_ns = MAX(to->longest_ns, from->longest_ns);
		} else {
			g_array_index(sums, struct track_sum, ++kept) = *from;
		}
	}
	g_array_set_size(sums, MIN(sums->len, kept + 1));
}

/* An item that is much longer than a bucket is cut into no more than this many pieces,
 * the last takes the rest: overlapping items could else fill any memory. */
static void sums_add(GArray *sums, const struct track_item *item, gint64 width_ns)
{
	enum {
		PIECES_MAX = 64
	};
	gint64 at_ns = item->start_ns;
	gint64 left_ns = item->duration_ns;

	for (guint piece = 1; piece == 1 || left_ns > 0; piece++) {
		const gint64 room_ns = width_ns - at_ns % width_ns;
		const gint64 part_ns = piece == PIECES_MAX ? left_ns : MIN(room_ns, left_ns);
		const struct track_sum sum = { .bucket = at_ns / width_ns,
			                       .key = item->key,
			                       .count = piece == 1,
			                       .time_ns = (float)part_ns,
			                       .longest_ns = (float)item->duration_ns };

		g_array_append_val(sums, sum);
		at_ns += part_ns;
		left_ns -= part_ns;
	}
}

/* Sums for pictures in which single items would be too many, finest level first. */
static void track_summarise(struct track *self)
{
	enum {
		ITEMS_PER_BUCKET = 16,
		ITEMS_MIN = 10000
	};
	const GArray *items = self->items;
	const gint64 end_ns = g_array_index(items, struct track_item, items->len - 1).start_ns;
	guint level = 0;

	if (items->len < ITEMS_MIN)
		return;
	while (level < LOD_LEVELS_MAX - 1 &&
	       end_ns / lod_width_ns(level) > items->len / ITEMS_PER_BUCKET)
		level++;
	self->levels[level] = g_array_new(FALSE, FALSE, sizeof(struct track_sum));
	for (guint i = 0; i < items->len; i++)
		sums_add(self->levels[level], &g_array_index(items, struct track_item, i),
		         lod_width_ns(level));
	sums_merge(self->levels[level]);
	for (; level < LOD_LEVELS_MAX - 1 && end_ns / lod_width_ns(level) > 0; level++) {
		GArray *coarser = g_array_new(FALSE, FALSE, sizeof(struct track_sum));
		const GArray *finer = self->levels[level];

		g_array_append_vals(coarser, finer->data, finer->len);
		for (guint i = 0; i < coarser->len; i++)
			g_array_index(coarser, struct track_sum, i).bucket /= 4;
		sums_merge(coarser);
		self->levels[level + 1] = coarser;
	}
}

static void track_find_ends(struct track *self)
{
	const guint n_blocks = (self->items->len + TRACK_BLOCK - 1) / TRACK_BLOCK;

	self->block_ends = g_array_sized_new(FALSE, TRUE, sizeof(gint64), n_blocks);
	g_array_set_size(self->block_ends, n_blocks);
	for (guint i = 0; i < self->items->len; i++) {
		const struct track_item *item = track_item_at(self, i);
		gint64 *end_ns = &g_array_index(self->block_ends, gint64, i / TRACK_BLOCK);

		*end_ns = MAX(*end_ns, item->start_ns + item->duration_ns);
	}
}

void track_loader_finish(struct track_loader *self)
{
	struct track *track = self->track;

	if (track->items->len == 0) {
		track_loader_drop(self);
		return;
	}
	track_sort(track, self->sorted);
	track_find_ends(track);
	track_summarise(track);
	g_ptr_array_add(self->loading->tracks, track);
	g_hash_table_unref(self->key_of);
}

/* The kinds of track, in the order of their lanes. What is few comes before what may be
 * many, so that it finds room. */
static gboolean (*const track_sources[])(struct track_loading *loading, GError **error) = {
	track_load_requests,
	track_load_vcpus,
	track_load_exits,
	track_load_stm,
};

GPtrArray *tracks_load(recording_reader *reader, GCancellable *cancellable, GError **error)
{
	g_autoptr(GPtrArray) tracks = g_ptr_array_new_with_free_func(track_free);
	struct track_loading loading = { .reader = reader,
		                         .cancellable = cancellable,
		                         .room = TRACK_ITEMS_MAX,
		                         .tracks = tracks };
	gsize n_owners;

	loading.owners = recording_reader_owners(reader, &n_owners);
	names_init(&loading.names, reader);
	for (gsize i = 0; i < G_N_ELEMENTS(track_sources); i++) {
		if (!track_sources[i](&loading, error) ||
		    g_cancellable_set_error_if_cancelled(cancellable, error))
			return NULL;
	}
	return g_steal_pointer(&tracks);
}

/* The lane that a track's own goes under: a domain's, or a group made for it. */
static guint parent_lane(const struct track *track, struct lane_set *lanes)
{
	guint parent;

	if (track->below == NULL)
		return LANE_NO_PARENT;
	parent = lane_set_find(lanes, track->below);
	if (parent != LANE_NO_PARENT)
		return parent;
	return lane_set_add(lanes, LANE_GROUP, LANE_NO_PARENT, track->below,
	                    track->kind == TRACK_REQUESTS ? "Backend requests" : track->below);
}

static guint track_lane(const struct track *track, guint index, struct lane_set *lanes,
                        guint parent, const char *id, const char *name)
{
	const guint added = lane_set_add(lanes, LANE_TRACK, parent, id, name);
	struct lane *lane = lane_set_get(lanes, added);

	lane->track = index;
	lane->capacity = track->capacity;
	if (track->kind == TRACK_EXITS)
		lane->look = LANE_LOOK_COUNT;
	return added;
}

static void add_track_lanes(const struct track *track, guint index, struct lane_set *lanes)
{
	const guint own =
		track_lane(track, index, lanes, parent_lane(track, lanes), track->id, track->name);

	if (track->kind == TRACK_VCPU)
		lane_set_get(lanes, own)->order = (gint)(track->vcpu + 1) - LANE_ORDER_BEFORE;
	/* A row of its own for how long the longest in a column was. */
	if (track->kind == TRACK_EXITS && track->longest_ns > 0) {
		const guint longest =
			track_lane(track, index, lanes, own, "exits/longest", "Longest exit");

		lane_set_get(lanes, longest)->look = LANE_LOOK_LONGEST;
	}
	lane_set_get(lanes, own)->folded = track->kind == TRACK_REQUESTS;
	for (guint k = 0; track->key_lanes && k < track->keys->len; k++) {
		g_autofree char *id =
			g_strdup_printf("%s/%s", track->id, track_key_at(track, k)->id);
		const guint lane =
			track_lane(track, index, lanes, own, id, track_key_at(track, k)->name);

		lane_set_get(lanes, lane)->track_key = k;
	}
}

void tracks_add_lanes(const GPtrArray *tracks, struct lane_set *lanes)
{
	for (guint t = 0; t < tracks->len; t++)
		add_track_lanes(tracks->pdata[t], t, lanes);
}

guint track_lane_of_item(const struct track *self, const struct lane_set *lanes, guint item)
{
	g_autofree char *id = g_strdup_printf(
		"%s/%s", self->id, track_key_at(self, track_item_at(self, item)->key)->id);

	/* A request is looked at as a whole. */
	return lane_set_find(lanes,
	                     self->key_lanes && self->kind != TRACK_REQUESTS ? id : self->id);
}

gboolean track_passes(const struct track *self, const recording_reader *reader,
                      const guint8 *filter)
{
	gsize n;
	const struct row_owner *owners = recording_reader_owners(reader, &n);

	if (filter == NULL || self->vmids[0] == OWNER_NO_VALUE)
		return TRUE;
	for (gsize i = 0; i < n; i++) {
		if (filter[i] && owners[i].owner_class == OWNER_GUEST &&
		    (owners[i].vmid == self->vmids[0] || owners[i].vmid == self->vmids[1]))
			return TRUE;
	}
	return FALSE;
}
