#include "analysis/picture/track.h"

#include <string.h>

struct loader {
	struct track *track;
	GCancellable *cancellable;
	const struct row_owner *owners;
	guint core;         /* index */
	GHashTable *key_of; /* id -> key + 1 */
	gboolean sorted;
};

static void key_clear(gpointer data)
{
	struct track_key *key = data;

	g_free(key->id);
	g_free(key->name);
}

static struct track *track_new(const char *id, const char *name, const char *item)
{
	struct track *self = g_new0(struct track, 1);

	self->id = g_strdup(id);
	self->name = g_strdup(name);
	self->item = g_strdup(item);
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
	g_array_unref(self->keys);
	g_array_unref(self->items);
	g_clear_pointer(&self->texts, g_ptr_array_unref);
	for (guint i = 0; i < LOD_LEVELS_MAX; i++)
		g_clear_pointer(&self->levels[i], g_array_unref);
	g_free(self);
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

/* The key of that id; the last takes all for which there is no room. */
static guint key_for(struct loader *loader, const char *id, const char *name, guint32 rgb)
{
	GArray *keys = loader->track->keys;
	const gboolean full = keys->len == TRACK_KEYS_MAX - 1;
	const char *wanted = full ? "others" : id;
	guint known = GPOINTER_TO_UINT(g_hash_table_lookup(loader->key_of, id));
	struct track_key key = { .rgb = rgb };

	if (known == 0)
		known = GPOINTER_TO_UINT(g_hash_table_lookup(loader->key_of, wanted));
	if (known != 0)
		return known - 1;
	key.id = g_strdup(wanted);
	key.name = g_strdup(full ? "others" : name);
	g_array_append_val(keys, key);
	g_hash_table_insert(loader->key_of, g_strdup(wanted), GUINT_TO_POINTER(keys->len));
	return keys->len - 1;
}

static gboolean item_add(struct loader *loader, const struct track_item *item)
{
	struct track *track = loader->track;

	g_array_index(track->keys, struct track_key, item->key).count++;
	if (track->items->len == TRACK_ITEMS_MAX) {
		track->n_left_out++;
		return FALSE;
	}
	if (track->items->len > 0 &&
	    g_array_index(track->items, struct track_item, track->items->len - 1).start_ns >
	            item->start_ns)
		loader->sorted = FALSE;
	g_array_append_vals(track->items, item, 1);
	track->longest_ns = MAX(track->longest_ns, item->duration_ns);
	return TRUE;
}

/* Arm IHI 0064, exception types; what is none of them keeps its number. */
static char *exception_name(guint type)
{
	switch (type) {
	case 0:
		return g_strdup("PE reset");
	case 1:
		return g_strdup("debug halt");
	case 2:
		return g_strdup("call");
	case 3:
		return g_strdup("trap");
	case 4:
		return g_strdup("system error");
	case 6:
		return g_strdup("instruction debug");
	case 7:
		return g_strdup("data debug");
	case 10:
		return g_strdup("alignment");
	case 11:
		return g_strdup("instruction fault");
	case 12:
		return g_strdup("data fault");
	case 14:
		return g_strdup("IRQ");
	case 15:
		return g_strdup("FIQ");
	default:
		return g_strdup_printf("type %u", type);
	}
}

/* An exit leaves a guest for the hypervisor. */
static gboolean take_exit(const struct row_exception *row, gpointer data)
{
	struct loader *loader = data;
	const enum owner_class from = loader->owners[row->from_owner].owner_class;
	struct track_item item = { .start_ns = row->time_ns,
		                   .core = loader->core,
		                   .owner = row->from_owner,
		                   .trace_offset = row->trace_offset };
	g_autofree char *name = NULL;

	if ((from != OWNER_GUEST && from != OWNER_HOST) ||
	    loader->owners[row->to_owner].owner_class != OWNER_HYPERVISOR)
		return TRUE;
	name = exception_name(row->type);
	item.key = key_for(loader, name, name, palette_series(row->type));
	item_add(loader, &item);
	return !g_cancellable_is_cancelled(loader->cancellable);
}

static gboolean load_exits(recording_reader *reader, struct loader *loader, GError **error)
{
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);

	for (gsize i = 0; i < n; i++) {
		loader->core = (guint)i;
		if (!recording_reader_exceptions(reader, cores[i].core, 0, G_MAXINT64, take_exit,
		                                 loader, error))
			return FALSE;
	}
	return TRUE;
}

/* Printable payloads as text, others in hex, shortened. */
static char *payload_text(const struct row_stm *row)
{
	enum {
		SHOWN_BYTES = 32
	};
	GString *text = g_string_new(NULL);
	gboolean printable = row->payload_bytes > 0;

	for (gsize i = 0; i < row->payload_bytes; i++)
		printable = printable && (g_ascii_isprint((gchar)row->payload[i]) ||
		                          (row->payload[i] == 0 && i > 0));
	for (gsize i = 0; i < MIN(row->payload_bytes, SHOWN_BYTES); i++) {
		if (!printable)
			g_string_append_printf(text, "%02x", row->payload[i]);
		else if (row->payload[i] != 0)
			g_string_append_c(text, (gchar)row->payload[i]);
	}
	if (row->payload_bytes > SHOWN_BYTES)
		g_string_append(text, "...");
	return g_string_free(text, FALSE);
}

static gboolean take_stm(const struct row_stm *row, gpointer data)
{
	struct loader *loader = data;
	struct track_item item = { .start_ns = row->time_ns,
		                   .core = LANE_ALL_CORES,
		                   .owner = TRACK_OWNER_NONE,
		                   .trace_offset = row->trace_offset };
	g_autofree char *id = g_strdup_printf("%s/%u.%u", row->source, row->master, row->channel);
	g_autofree char *name = g_strdup_printf("master %u, channel %u", row->master, row->channel);

	if (!row->has_time || row->time_ns < 0)
		return TRUE;
	item.key = key_for(loader, id, name, palette_series(row->channel));
	if (item_add(loader, &item)) {
		/* The place of its text, kept while items are put in order. */
		g_array_index(loader->track->items, struct track_item,
		              loader->track->items->len - 1)
			.owner = loader->track->texts->len;
		g_ptr_array_add(loader->track->texts, payload_text(row));
	}
	return !g_cancellable_is_cancelled(loader->cancellable);
}

static gboolean load_stm(recording_reader *reader, struct loader *loader, GError **error)
{
	loader->track->texts = g_ptr_array_new_with_free_func(g_free);
	return recording_reader_stm(reader, take_stm, loader, error);
}

/* The kinds of track. */
static const struct track_source {
	const char *id;
	const char *name;
	const char *item;
	gboolean (*load)(recording_reader *reader, struct loader *loader, GError **error);
} track_sources[] = {
	{ "exits", "Exits", "exit", load_exits },
	{ "stm", "STM messages", "message", load_stm },
};

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
			                       .time_ns = (float)part_ns };

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

static gboolean track_load(const struct track_source *source, recording_reader *reader,
                           GCancellable *cancellable, GPtrArray *tracks, GError **error)
{
	struct track *track = track_new(source->id, source->name, source->item);
	struct loader loader = { .track = track, .cancellable = cancellable, .sorted = TRUE };
	gsize n_owners;
	gboolean done;

	loader.owners = recording_reader_owners(reader, &n_owners);
	loader.key_of = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	done = source->load(reader, &loader, error) &&
	       !g_cancellable_set_error_if_cancelled(cancellable, error);
	g_hash_table_unref(loader.key_of);
	if (!done || track->items->len == 0) {
		track_free(track);
		return done;
	}
	track_sort(track, loader.sorted);
	track_summarise(track);
	g_ptr_array_add(tracks, track);
	return TRUE;
}

GPtrArray *tracks_load(recording_reader *reader, GCancellable *cancellable, GError **error)
{
	g_autoptr(GPtrArray) tracks = g_ptr_array_new_with_free_func(track_free);

	for (gsize i = 0; i < G_N_ELEMENTS(track_sources); i++) {
		if (!track_load(&track_sources[i], reader, cancellable, tracks, error))
			return NULL;
	}
	return g_steal_pointer(&tracks);
}

void tracks_add_lanes(const GPtrArray *tracks, struct lane_set *lanes)
{
	for (guint t = 0; t < tracks->len; t++) {
		const struct track *track = tracks->pdata[t];
		const guint group =
			lane_set_add(lanes, LANE_TRACK, LANE_NO_PARENT, track->id, track->name);

		lane_set_get(lanes, group)->track = t;
		for (guint k = 0; k < track->keys->len; k++) {
			const struct track_key *key =
				&g_array_index(track->keys, struct track_key, k);
			g_autofree char *id = g_strdup_printf("%s/%s", track->id, key->id);
			const guint lane = lane_set_add(lanes, LANE_TRACK, group, id, key->name);

			lane_set_get(lanes, lane)->track = t;
			lane_set_get(lanes, lane)->track_key = k;
		}
	}
}
