#include "analysis/export/proto.h"

#include <string.h>

enum {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_LENGTH = 2
};

void proto_init(struct proto *self)
{
	self->bytes = g_byte_array_new();
}

void proto_deinit(struct proto *self)
{
	g_byte_array_unref(self->bytes);
}

void proto_clear(struct proto *self)
{
	g_byte_array_set_size(self->bytes, 0);
}

static void put_varint(struct proto *self, guint64 value)
{
	guint8 bytes[10];
	guint n = 0;

	do {
		bytes[n] = (guint8)(value & 0x7f);
		value >>= 7;
		if (value != 0)
			bytes[n] |= 0x80;
		n++;
	} while (value != 0);
	g_byte_array_append(self->bytes, bytes, n);
}

void proto_number(struct proto *self, guint field, guint64 value)
{
	put_varint(self, (guint64)field << 3 | WIRE_VARINT);
	put_varint(self, value);
}

void proto_fixed64(struct proto *self, guint field, guint64 value)
{
	const guint64 little = GUINT64_TO_LE(value);

	put_varint(self, (guint64)field << 3 | WIRE_FIXED64);
	g_byte_array_append(self->bytes, (const guint8 *)&little, sizeof little);
}

void proto_length(struct proto *self, guint field, gsize length_bytes)
{
	put_varint(self, (guint64)field << 3 | WIRE_LENGTH);
	put_varint(self, length_bytes);
}

void proto_text(struct proto *self, guint field, const char *text)
{
	const gsize length = strlen(text);

	proto_length(self, field, length);
	g_byte_array_append(self->bytes, (const guint8 *)text, (guint)length);
}

void proto_message(struct proto *self, guint field, const struct proto *message)
{
	proto_length(self, field, message->bytes->len);
	g_byte_array_append(self->bytes, message->bytes->data, message->bytes->len);
}
