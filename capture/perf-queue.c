#include "capture/perf-file.h"

#include <string.h>

enum {
	AUX_TRUNCATED = 1,
	AUX_PARTIAL = 4,
	AUX_COLLISION = 8,
	AUX_FORMAT_MASK = 0xFF00,
	AUX_FORMAT_RAW = 0x0100,
	FRAME_BYTES = 16,
};

static gint compare_pieces(gconstpointer a, gconstpointer b)
{
	const struct perf_piece *first = a, *second = b;

	return first->offset < second->offset ? -1 : first->offset > second->offset;
}

/* Copies [offset, offset + len) of the AUX buffer from the chunks that hold it. */
static guint64 copy_piece(const struct perf_queue *queue, const struct perf_piece *piece,
                          GByteArray *out)
{
	guint64 copied = 0;

	for (guint i = 0; i < queue->chunks->len; i++) {
		const struct perf_chunk *chunk =
			&g_array_index(queue->chunks, struct perf_chunk, i);
		guint64 start = MAX(chunk->offset, piece->offset);
		guint64 end = chunk->offset + chunk->len_bytes;

		if (piece->len_bytes <= G_MAXUINT64 - piece->offset)
			end = MIN(end, piece->offset + piece->len_bytes);
		if (start >= end || end - start > G_MAXUINT - out->len)
			continue;
		g_byte_array_append(out, chunk->bytes + (start - chunk->offset),
		                    (guint)(end - start));
		copied += end - start;
	}
	return copied;
}

static void append_barrier(GByteArray *out)
{
	static const guint8 fsync[4] = { 0xFF, 0xFF, 0xFF, 0x7F };

	for (guint i = 0; i < FRAME_BYTES / sizeof fsync; i++)
		g_byte_array_append(out, fsync, sizeof fsync);
}

static gboolean begins_with_barrier(const GByteArray *bytes, guint at)
{
	static const guint8 fsync[4] = { 0xFF, 0xFF, 0xFF, 0x7F };

	return bytes->len - at >= sizeof fsync && memcmp(bytes->data + at, fsync, 4) == 0;
}

/* The AUX records of a queue, in order; NULL where none can be told to be its. A thread's
 * buffer is filled on whatever CPU it runs, so all records are its, if it is the only one. */
static GArray *pieces_of(const struct perf_file *self, const struct perf_queue *queue)
{
	GArray *pieces = g_array_new(FALSE, FALSE, sizeof(struct perf_piece));
	GHashTableIter iter;
	gpointer key, value;

	g_hash_table_iter_init(&iter, self->pieces);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const GArray *found = value;

		if (*(gint64 *)key == queue->cpu || self->queues->len == 1)
			g_array_append_vals(pieces, found->data, found->len);
	}
	if (pieces->len == 0)
		g_clear_pointer(&pieces, g_array_unref);
	return pieces;
}

GByteArray *perf_queue_assemble(const struct perf_file *self, const struct perf_queue *queue,
                                struct import_result *result, gboolean *is_raw)
{
	GByteArray *out = g_byte_array_new();
	g_autoptr(GArray) pieces = pieces_of(self, queue);
	struct perf_piece all = { 0, G_MAXUINT64, 0 };

	*is_raw = FALSE;
	if (pieces == NULL) {
		copy_piece(queue, &all, out);
		g_ptr_array_add(result->notes,
		                g_strdup_printf("AUX buffer %u: no AUX record says where perf "
		                                "stopped and started again",
		                                queue->index));
		return out;
	}
	g_array_sort(pieces, compare_pieces);
	for (guint i = 0; i < pieces->len; i++) {
		const struct perf_piece *piece = &g_array_index(pieces, struct perf_piece, i);
		guint before = out->len;
		g_autoptr(GByteArray) one = g_byte_array_new();

		if ((piece->flags & AUX_FORMAT_MASK) == AUX_FORMAT_RAW)
			*is_raw = TRUE;
		if ((piece->flags & (AUX_TRUNCATED | AUX_PARTIAL | AUX_COLLISION)) != 0)
			result->n_gaps++;
		if (copy_piece(queue, piece, one) == 0)
			continue;
		if (before > 0 && !*is_raw && !begins_with_barrier(one, 0))
			append_barrier(out);
		g_byte_array_append(out, one->data, one->len);
	}
	return out;
}
