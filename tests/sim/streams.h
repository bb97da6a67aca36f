/* streams.h: the trace bytes of each ID in formatted frames
 *
 * A plain reading of the frame format (IHI 0029, D4.2), kept apart from decode so that
 * a test of capture does not rest on it.
 */
#pragma once

#include <glib.h>

struct streams {
	GByteArray *of_id[128];
};

void streams_init(struct streams *self);
void streams_deinit(struct streams *self);
/* `len_bytes` is a multiple of 16. Bytes before the first ID are dropped. */
void streams_split(struct streams *self, const guint8 *frames, gsize len_bytes);
/* The same for a trace port's recording, with full syncs (FF FF FF 7F) between frames. */
void streams_split_port(struct streams *self, const guint8 *bytes, gsize len_bytes);
