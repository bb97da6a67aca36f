#include "tests/sim/streams.h"

#include <string.h>

void streams_init(struct streams *self)
{
	for (guint i = 0; i < G_N_ELEMENTS(self->of_id); i++)
		self->of_id[i] = g_byte_array_new();
}

void streams_deinit(struct streams *self)
{
	for (guint i = 0; i < G_N_ELEMENTS(self->of_id); i++)
		g_byte_array_unref(self->of_id[i]);
}

static void put(struct streams *self, gint id, guint8 byte)
{
	if (id >= 0)
		g_byte_array_append(self->of_id[id], &byte, 1);
}

void streams_split(struct streams *self, const guint8 *frames, gsize len_bytes)
{
	gint id = -1;

	for (gsize at = 0; at + 16 <= len_bytes; at += 16) {
		const guint8 *frame = frames + at;

		for (guint i = 0; i < 15; i += 2) {
			gboolean aux = (frame[15] >> (i / 2) & 1) != 0;

			if ((frame[i] & 1) == 0) {
				put(self, id, (guint8)(frame[i] | (aux ? 1 : 0)));
				if (i < 14)
					put(self, id, frame[i + 1]);
				continue;
			}
			if (aux && i < 14)
				put(self, id, frame[i + 1]);
			id = frame[i] >> 1;
			if (!aux && i < 14)
				put(self, id, frame[i + 1]);
		}
	}
}

void streams_split_port(struct streams *self, const guint8 *bytes, gsize len_bytes)
{
	static const guint8 sync[4] = { 0xFF, 0xFF, 0xFF, 0x7F };
	g_autoptr(GByteArray) frames = g_byte_array_new();

	for (gsize at = 0; at + 4 <= len_bytes;) {
		if (memcmp(bytes + at, sync, 4) == 0) {
			at += 4;
			continue;
		}
		if (at + 16 > len_bytes)
			break;
		g_byte_array_append(frames, bytes + at, 16);
		at += 16;
	}
	streams_split(self, frames->data, frames->len);
}
