#include "decode/deframe.h"

#include <string.h>

enum {
	FRAME_BYTES = 16,
	FSYNC_BYTES = 4,
	HSYNC_BYTES = 2,
	DSTREAM_BLOCK_BYTES = 512,
	DSTREAM_TRACE_BYTES = 504,
	PROBE_BYTES = 1 << 16,
};

static const guint8 fsync_pattern[FSYNC_BYTES] = { 0xff, 0xff, 0xff, 0x7f };

void deframer_init(struct deframer *self, enum deframe_format format, guint8 trace_id,
                   const struct deframe_output *output)
{
	memset(self, 0, sizeof *self);
	self->format = format;
	self->trace_id = trace_id;
	self->output = *output;
}

gboolean deframer_flush(struct deframer *self)
{
	const gsize n = self->block_bytes;

	self->block_bytes = 0;
	return n == 0 ||
	       self->output.bytes(self->block, self->block_offsets, n, self->output.user_data);
}

static inline void deframer_data(struct deframer *self, guint8 byte, guint64 offset)
{
	self->id_bytes[self->current_id]++;
	if (self->current_id != self->trace_id)
		return;
	self->block[self->block_bytes] = byte;
	self->block_offsets[self->block_bytes++] = offset;
}

/* One frame: even bytes are data or a new ID, byte 15 holds the data bytes' lowest
 * bits, and for an ID whether the byte after it still belongs to the ID before. */
static gboolean deframer_frame(struct deframer *self, const guint8 *frame, guint64 frame_offset)
{
	const guint8 flags = frame[15];
	guint64 offset = frame_offset;

	if (self->block_bytes + FRAME_BYTES > DEFRAME_BLOCK_BYTES && !deframer_flush(self))
		return FALSE;
	for (guint i = 0; i < 14; i += 2) {
		const guint8 flag = (flags >> (i / 2)) & 1;

		if ((frame[i] & 1) == 0) {
			deframer_data(self, (guint8)(frame[i] | flag), offset++);
			deframer_data(self, frame[i + 1], offset++);
		} else if (frame[i] >> 1 == self->current_id) {
			deframer_data(self, frame[i + 1], offset++);
		} else {
			if (flag)
				deframer_data(self, frame[i + 1], offset);
			self->current_id = frame[i] >> 1;
			offset = frame_offset + i;
			if (!flag)
				deframer_data(self, frame[i + 1], offset++);
		}
	}
	if (frame[14] & 1)
		self->current_id = frame[14] >> 1;
	else
		deframer_data(self, (guint8)(frame[14] | (flags >> 7)), offset);
	return TRUE;
}

static gboolean deframer_barrier(struct deframer *self, guint64 offset)
{
	self->current_id = 0;
	return deframer_flush(self) && self->output.barrier(offset, self->output.user_data);
}

static gboolean is_barrier(const guint8 *frame)
{
	for (guint i = 0; i < FRAME_BYTES; i += FSYNC_BYTES) {
		if (memcmp(frame + i, fsync_pattern, FSYNC_BYTES) != 0)
			return FALSE;
	}
	return TRUE;
}

static gboolean deframer_push_frames(struct deframer *self, const guint8 *bytes, gsize n,
                                     guint64 offset)
{
	gsize i = 0;

	for (; i + FRAME_BYTES <= n; i += FRAME_BYTES) {
		const gboolean done = is_barrier(bytes + i)
		                              ? deframer_barrier(self, offset + i)
		                              : deframer_frame(self, bytes + i, offset + i);
		if (!done)
			return FALSE;
	}
	self->dropped_bytes += n - i;
	return TRUE;
}

/* An FSYNC can only stand between frames: inside one it says that the frame was cut
 * short, and the next frame starts after it. */
static void deframer_fsync(struct deframer *self)
{
	if (self->frame_bytes > FSYNC_BYTES) {
		self->broken_frames++;
		self->dropped_bytes += self->frame_bytes - FSYNC_BYTES;
	}
	self->frame_bytes = 0;
	self->synchronised = TRUE;
}

static gboolean deframer_push_tpiu(struct deframer *self, const guint8 *bytes, gsize n,
                                   guint64 offset)
{
	for (gsize i = 0; i < n; i++) {
		guint8 *frame = self->frame;
		guint have = self->frame_bytes;

		if (have == 0)
			self->frame_offset = offset + i;
		frame[have++] = bytes[i];
		self->frame_bytes = have;
		if (have >= FSYNC_BYTES &&
		    memcmp(frame + have - FSYNC_BYTES, fsync_pattern, FSYNC_BYTES) == 0) {
			deframer_fsync(self);
		} else if (!self->synchronised) {
			/* Keep the last three bytes: they may begin an FSYNC. */
			if (have == FSYNC_BYTES) {
				memmove(frame, frame + 1, FSYNC_BYTES - 1);
				self->frame_bytes--;
				self->dropped_bytes++;
			}
		} else if (have >= HSYNC_BYTES && have % 2 == 0 && frame[have - 2] == 0xff &&
		           frame[have - 1] == 0x7f) {
			self->frame_bytes -= HSYNC_BYTES;
		} else if (have == FRAME_BYTES) {
			self->frame_bytes = 0;
			if (!deframer_frame(self, frame, self->frame_offset))
				return FALSE;
		}
	}
	return TRUE;
}

static gboolean deframer_push_dstream(struct deframer *self, const guint8 *bytes, gsize n,
                                      guint64 offset)
{
	while (n > 0) {
		const gsize in_block = (gsize)(offset % DSTREAM_BLOCK_BYTES);
		const gsize part = MIN(n, DSTREAM_BLOCK_BYTES - in_block);
		const guint64 trace_offset =
			offset / DSTREAM_BLOCK_BYTES * DSTREAM_TRACE_BYTES + in_block;

		if (in_block < DSTREAM_TRACE_BYTES &&
		    !deframer_push_tpiu(self, bytes, MIN(part, DSTREAM_TRACE_BYTES - in_block),
		                        trace_offset))
			return FALSE;
		bytes += part;
		offset += part;
		n -= part;
	}
	return TRUE;
}

static gboolean deframer_push_plain(struct deframer *self, const guint8 *bytes, gsize n,
                                    guint64 offset)
{
	self->current_id = self->trace_id;
	for (gsize i = 0; i < n; i++) {
		if (self->block_bytes == DEFRAME_BLOCK_BYTES && !deframer_flush(self))
			return FALSE;
		deframer_data(self, bytes[i], offset + i);
	}
	return TRUE;
}

gboolean deframer_push(struct deframer *self, const guint8 *bytes, gsize n, guint64 offset)
{
	switch (self->format) {
	case DEFRAME_FRAMES:
		return deframer_push_frames(self, bytes, n, offset);
	case DEFRAME_TPIU:
		return deframer_push_tpiu(self, bytes, n, offset);
	case DEFRAME_DSTREAM:
		return deframer_push_dstream(self, bytes, n, offset);
	case DEFRAME_NONE:
		return deframer_push_plain(self, bytes, n, offset);
	}
	g_return_val_if_reached(FALSE);
}

static gboolean ignore_bytes(const guint8 *bytes, const guint64 *offsets, gsize n,
                             gpointer user_data)
{
	(void)bytes;
	(void)offsets;
	(void)n;
	(void)user_data;
	return TRUE;
}

static gboolean ignore_barrier(guint64 offset, gpointer user_data)
{
	(void)offset;
	(void)user_data;
	return TRUE;
}

static guint64 count_broken(enum deframe_format format, const guint8 *bytes, gsize n)
{
	const struct deframe_output output = { ignore_bytes, ignore_barrier, NULL };
	g_autofree struct deframer *deframer = g_new(struct deframer, 1);

	deframer_init(deframer, format, 0, &output);
	deframer_push(deframer, bytes, MIN(n, PROBE_BYTES), 0);
	return deframer->broken_frames;
}

enum deframe_format deframe_probe_format(const guint8 *bytes, gsize n)
{
	const guint64 plain = count_broken(DEFRAME_TPIU, bytes, n);

	if (plain > 0 && count_broken(DEFRAME_DSTREAM, bytes, n) < plain)
		return DEFRAME_DSTREAM;
	return DEFRAME_TPIU;
}
