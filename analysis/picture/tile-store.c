#include "analysis/picture/tile-store.h"

#include <sys/resource.h>

enum {
	WORKERS_MAX = 4,
	WORKER_NICE = 10
};

struct entry {
	struct tile *tile;
	guint64 used; /* number of the picture that used it last */
};

struct worker {
	struct tile_store *store;
	recording_reader *reader;
	GThread *thread;
};

struct tile_store {
	recording_reader *reader; /* not owned */
	guint n_cores;
	struct tile_levels *levels;
	gsize budget_bytes;
	gsize bytes;
	guint64 picture;
	GHashTable *tiles; /* struct tile_key -> struct entry */

	guint n_workers;
	struct worker workers[WORKERS_MAX];
	tile_notify_fn notify;
	gpointer notify_data;
	GMutex mutex; /* of what follows */
	GCond wanted_cond;
	GCond idle_cond;
	GQueue wanted;      /* struct tile_key *, the next first */
	GHashTable *asked;  /* struct tile_key *: wanted or being read */
	GPtrArray *arrived; /* struct tile */
	guint n_reading;
	gboolean notified;
	gboolean stop;
	GError *error;
};

static guint key_hash(gconstpointer data)
{
	const struct tile_key *key = data;

	return key->core * 31u + key->level * 1009u + (guint)key->index * 2654435761u;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const struct tile_key *key_a = a;
	const struct tile_key *key_b = b;

	return key_a->core == key_b->core && key_a->level == key_b->level &&
	       key_a->index == key_b->index;
}

static void entry_free(gpointer data)
{
	struct entry *entry = data;

	tile_unref(entry->tile);
	g_free(entry);
}

/* Reads one tile; the mutex is held on entry and on return, not while reading. */
static void worker_read(struct worker *worker, struct tile_key *key)
{
	struct tile_store *self = worker->store;
	g_autoptr(GError) error = NULL;
	struct tile *tile;
	gboolean notify;

	self->n_reading++;
	g_mutex_unlock(&self->mutex);
	tile = tile_load(worker->reader, &self->levels[key->core], *key, &error);
	g_mutex_lock(&self->mutex);
	self->n_reading--;
	if (tile != NULL)
		g_ptr_array_add(self->arrived, tile);
	else if (self->error == NULL)
		self->error = g_steal_pointer(&error);
	/* A tile that cannot be read stays among those asked for: it is not tried again. */
	notify = !self->notified;
	self->notified = TRUE;
	if (notify && self->notify != NULL) {
		g_mutex_unlock(&self->mutex);
		self->notify(self->notify_data);
		g_mutex_lock(&self->mutex);
	}
	if (self->n_reading == 0 && g_queue_is_empty(&self->wanted))
		g_cond_broadcast(&self->idle_cond);
}

static gpointer worker_main(gpointer data)
{
	struct worker *worker = data;
	struct tile_store *self = worker->store;

	/* Whoever draws comes first. Linux counts niceness by thread; where that cannot be set,
	 * nothing but smoothness is lost. */
	(void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
	g_mutex_lock(&self->mutex);
	while (!self->stop) {
		struct tile_key *key = g_queue_pop_head(&self->wanted);

		if (key == NULL)
			g_cond_wait(&self->wanted_cond, &self->mutex);
		else
			worker_read(worker, key);
	}
	g_mutex_unlock(&self->mutex);
	return NULL;
}

static gboolean workers_start(struct tile_store *self, guint n_workers, GError **error)
{
	for (guint i = 0; i < MIN(n_workers, (guint)WORKERS_MAX); i++) {
		struct worker *worker = &self->workers[i];

		worker->store = self;
		worker->reader = recording_reader_new(recording_reader_path(self->reader), error);
		if (worker->reader == NULL)
			return FALSE;
		self->n_workers++;
		worker->thread = g_thread_new("tiles", worker_main, worker);
	}
	return TRUE;
}

tile_store *tile_store_new(recording_reader *reader, guint n_workers, gsize budget_bytes,
                           tile_notify_fn notify, gpointer data, GError **error)
{
	g_autoptr(tile_store) self = g_new0(struct tile_store, 1);
	gsize n_cores;

	recording_reader_cores(reader, &n_cores);
	self->reader = reader;
	self->n_cores = (guint)n_cores;
	self->budget_bytes = budget_bytes;
	self->notify = notify;
	self->notify_data = data;
	self->levels = g_new0(struct tile_levels, n_cores + 1);
	self->tiles = g_hash_table_new_full(key_hash, key_equal, NULL, entry_free);
	self->asked = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
	self->arrived = g_ptr_array_new();
	g_mutex_init(&self->mutex);
	g_cond_init(&self->wanted_cond);
	g_cond_init(&self->idle_cond);
	g_queue_init(&self->wanted);
	for (guint i = 0; i < self->n_cores; i++) {
		if (!tile_levels_read(reader, i, &self->levels[i], error))
			return NULL;
	}
	if (!workers_start(self, n_workers, error))
		return NULL;
	return g_steal_pointer(&self);
}

void tile_store_free(tile_store *self)
{
	if (self == NULL)
		return;
	g_mutex_lock(&self->mutex);
	self->stop = TRUE;
	g_cond_broadcast(&self->wanted_cond);
	g_mutex_unlock(&self->mutex);
	for (guint i = 0; i < self->n_workers; i++) {
		g_thread_join(self->workers[i].thread);
		recording_reader_free(self->workers[i].reader);
	}
	g_ptr_array_set_free_func(self->arrived, (GDestroyNotify)tile_unref);
	g_ptr_array_unref(self->arrived);
	g_queue_clear(&self->wanted);
	g_hash_table_unref(self->asked);
	g_hash_table_unref(self->tiles);
	g_mutex_clear(&self->mutex);
	g_cond_clear(&self->wanted_cond);
	g_cond_clear(&self->idle_cond);
	g_clear_error(&self->error);
	g_free(self->levels);
	g_free(self);
}

const struct tile_levels *tile_store_levels(const tile_store *self, guint core)
{
	return &self->levels[core];
}

static void tile_keep(struct tile_store *self, struct tile *tile)
{
	struct entry *entry = g_new0(struct entry, 1);

	entry->tile = tile;
	entry->used = self->picture;
	self->bytes += tile_bytes(tile);
	g_hash_table_replace(self->tiles, &tile->key, entry);
}

/* Tiles that the last pictures did not use leave, the oldest first, until the rest fits. */
static void tiles_trim(struct tile_store *self)
{
	for (guint64 age = 64; self->bytes > self->budget_bytes && age > 1; age /= 2) {
		GHashTableIter iter;
		gpointer value;

		g_hash_table_iter_init(&iter, self->tiles);
		while (g_hash_table_iter_next(&iter, NULL, &value)) {
			const struct entry *entry = value;

			if (entry->used + age > self->picture)
				continue;
			self->bytes -= tile_bytes(entry->tile);
			g_hash_table_iter_remove(&iter);
		}
	}
}

void tile_store_begin(tile_store *self)
{
	struct tile_key *key;

	self->picture++;
	g_mutex_lock(&self->mutex);
	for (guint i = 0; i < self->arrived->len; i++) {
		struct tile *tile = self->arrived->pdata[i];

		g_hash_table_remove(self->asked, &tile->key);
		tile_keep(self, tile);
	}
	g_ptr_array_set_size(self->arrived, 0);
	while ((key = g_queue_pop_head(&self->wanted)) != NULL)
		g_hash_table_remove(self->asked, key);
	self->notified = FALSE;
	g_mutex_unlock(&self->mutex);
	tiles_trim(self);
}

const struct tile *tile_store_peek(tile_store *self, struct tile_key key)
{
	struct entry *entry = g_hash_table_lookup(self->tiles, &key);

	if (entry == NULL)
		return NULL;
	entry->used = self->picture;
	return entry->tile;
}

static void tile_ask(struct tile_store *self, const struct tile_key *key)
{
	g_mutex_lock(&self->mutex);
	if (!g_hash_table_contains(self->asked, key)) {
		struct tile_key *copy = g_memdup2(key, sizeof *key);

		g_hash_table_add(self->asked, copy);
		g_queue_push_tail(&self->wanted, copy);
		g_cond_signal(&self->wanted_cond);
	}
	g_mutex_unlock(&self->mutex);
}

const struct tile *tile_store_get(tile_store *self, struct tile_key key)
{
	const struct tile *known = tile_store_peek(self, key);
	struct tile *tile;
	g_autoptr(GError) error = NULL;

	if (known != NULL)
		return known;
	if (self->n_workers > 0) {
		tile_ask(self, &key);
		return NULL;
	}
	if (self->error != NULL)
		return NULL;
	tile = tile_load(self->reader, &self->levels[key.core], key, &error);
	if (tile == NULL) {
		self->error = g_steal_pointer(&error);
		return NULL;
	}
	tile_keep(self, tile);
	return tile;
}

const GError *tile_store_error(tile_store *self)
{
	const GError *error;

	g_mutex_lock(&self->mutex);
	error = self->error;
	g_mutex_unlock(&self->mutex);
	return error;
}

gsize tile_store_bytes(const tile_store *self)
{
	return self->bytes;
}

void tile_store_wait(tile_store *self)
{
	g_mutex_lock(&self->mutex);
	while (self->n_workers > 0 && (self->n_reading > 0 || !g_queue_is_empty(&self->wanted)))
		g_cond_wait(&self->idle_cond, &self->mutex);
	g_mutex_unlock(&self->mutex);
}
