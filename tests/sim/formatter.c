#include "tests/sim/formatter.h"

#include <string.h>

enum {
	/* A reader of a wrapped buffer finds the ID again within so many frames. */
	FRAMES_BETWEEN_IDS = 8,
};

void formatter_init(struct formatter *self, formatter_frame_fn emit, gpointer data)
{
	memset(self, 0, sizeof *self);
	self->id = -1;
	self->emit = emit;
	self->data = data;
}

static void frame_done(struct formatter *self)
{
	self->emit(self->data, self->frame);
	memset(self->frame, 0, sizeof self->frame);
	self->position = 0;
	if (++self->frames_same >= FRAMES_BETWEEN_IDS)
		self->id = -1;
}

static void put_id(struct formatter *self, guint8 id, gboolean after_next)
{
	self->frame[self->position] = (guint8)(id << 1 | 1);
	if (after_next)
		self->frame[15] |= (guint8)(1u << (self->position / 2));
	self->id = id;
	self->frames_same = 0;
}

static void put_even(struct formatter *self, guint8 byte)
{
	self->frame[self->position] = byte & 0xFE;
	if ((byte & 1) != 0)
		self->frame[15] |= (guint8)(1u << (self->position / 2));
}

/* One byte is pending at an even position and another one, (id, byte), follows. */
static void place_pair(struct formatter *self, guint8 id, guint8 byte)
{
	if (self->position == 14) {
		/* The last place holds one item only: the pending byte, or its ID. */
		gboolean fits = self->pending_id == self->id;

		if (fits)
			put_even(self, self->pending);
		else
			put_id(self, self->pending_id, FALSE);
		frame_done(self);
		if (!fits) {
			place_pair(self, id, byte);
			return;
		}
		self->pending_id = id;
		self->pending = byte;
		return;
	}
	if (self->pending_id != self->id) {
		put_id(self, self->pending_id, FALSE);
		self->frame[self->position + 1] = self->pending;
		self->pending_id = id;
		self->pending = byte;
	} else if (id != self->id) {
		put_id(self, id, TRUE);
		self->frame[self->position + 1] = self->pending;
		self->pending_id = id;
		self->pending = byte;
	} else {
		put_even(self, self->pending);
		self->frame[self->position + 1] = byte;
		self->has_pending = FALSE;
	}
	self->position += 2;
}

void formatter_push(struct formatter *self, guint8 id, guint8 byte)
{
	if (!self->has_pending) {
		self->has_pending = TRUE;
		self->pending_id = id;
		self->pending = byte;
		return;
	}
	place_pair(self, id, byte);
}

void formatter_flush(struct formatter *self)
{
	if (!self->has_pending && self->position == 0)
		return;
	/* A frame has an odd number of places: the padding that comes after it is dropped. */
	do
		formatter_push(self, 0, 0);
	while (self->position != 0 || (self->has_pending && self->pending_id != 0));
	self->has_pending = FALSE;
	self->id = -1;
}
