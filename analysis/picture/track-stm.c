#include "analysis/picture/track-private.h"

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
	struct track_loader *loader = data;
	struct track *track = loader->track;
	const guint32 rgb = palette_series(row->master + row->channel);
	struct track_item item = { .start_ns = row->time_ns,
		                   .core = LANE_ALL_CORES,
		                   .trace_offset = row->trace_offset };
	g_autofree char *id = g_strdup_printf("%s/%u.%u", row->source, row->master, row->channel);
	g_autofree char *name = g_strdup_printf("master %u, channel %u", row->master, row->channel);

	if (!row->has_time || row->time_ns < 0)
		return TRUE;
	item.key = track_loader_key(loader, id, name, rgb, rgb);
	/* The place of its text, kept while items are put in order. */
	item.owner = track->texts->len;
	if (track_loader_add(loader, &item))
		g_ptr_array_add(track->texts, payload_text(row));
	return !g_cancellable_is_cancelled(loader->loading->cancellable);
}

gboolean track_load_stm(struct track_loading *loading, GError **error)
{
	struct track_loader loader;

	track_loader_init(&loader, loading, TRACK_STM, "stm", "STM messages", "message");
	loader.track->texts = g_ptr_array_new_with_free_func(g_free);
	loader.track->key_lanes = TRUE;
	if (!recording_reader_stm(loading->reader, take_stm, &loader, error)) {
		track_loader_drop(&loader);
		return FALSE;
	}
	track_loader_finish(&loader);
	return TRUE;
}
