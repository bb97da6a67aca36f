/* tile-store.h: the tiles at hand
 *
 * Keeps tiles up to a budget of bytes, the least recently used leave first. With
 * workers, a missing tile is asked for and comes later, by `notify`; without, it is
 * read on the spot. Knows nothing of pictures.
 *
 * tile_store_* belong to one thread (the window's); the workers have readers of
 * their own.
 */
#pragma once

#include "analysis/picture/tile.h"

typedef struct tile_store tile_store;

/* New tiles are there, or a worker failed (tile_store_error). Called on a worker's
 * thread, at most once until tile_store_begin. */
typedef void (*tile_notify_fn)(gpointer data);

/* `n_workers` 0: read on the spot with `reader`, which outlives the store. */
tile_store *tile_store_new(recording_reader *reader, guint n_workers, gsize budget_bytes,
                           tile_notify_fn notify, gpointer data, GError **error);
/* Waits for the workers. */
void tile_store_free(tile_store *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tile_store, tile_store_free)

const struct tile_levels *tile_store_levels(const tile_store *self, guint core);

/* A picture begins: what was asked for and not yet begun is forgotten. */
void tile_store_begin(tile_store *self);

/* The tile, or NULL where it is not there yet: it was asked for. It stays valid until
 * the next tile_store_begin. */
const struct tile *tile_store_get(tile_store *self, struct tile_key key);

/* The same, but asks for nothing. */
const struct tile *tile_store_peek(tile_store *self, struct tile_key key);

/* The first error that a read met, or NULL; it stays with the store. */
const GError *tile_store_error(tile_store *self);

gsize tile_store_bytes(const tile_store *self);

/* Waits until nothing is asked for; for pictures without a window. */
void tile_store_wait(tile_store *self);
