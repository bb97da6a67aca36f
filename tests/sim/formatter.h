/* formatter.h: CoreSight's 16-byte trace frames, from the hardware's side
 *
 * Packs bytes that carry trace IDs into frames as the formatter of a TMC or TPIU
 * does (CoreSight Architecture, IHI 0029, chapter D4). The owner gives a callback
 * that takes whole frames. It is the opposite of what decode does and shares no
 * code with it, so that each can be held against the other.
 */
#pragma once

#include <glib.h>

typedef void (*formatter_frame_fn)(gpointer data, const guint8 frame[16]);

struct formatter {
	guint8 frame[16];
	guint position;    /* next byte of the frame, 0 or 2 .. 14 */
	gint id;           /* current ID, -1 before the first */
	guint frames_same; /* frames since an ID was written */
	gboolean has_pending;
	guint8 pending_id;
	guint8 pending;
	formatter_frame_fn emit;
	gpointer data;
};

void formatter_init(struct formatter *self, formatter_frame_fn emit, gpointer data);
void formatter_push(struct formatter *self, guint8 id, guint8 byte);
/* Completes the frame with the null source, ID 0. */
void formatter_flush(struct formatter *self);
