/* proto.h: bytes in protocol buffers' wire format
 *
 * Appends fields to a message in memory (Protocol Buffers, Encoding). Knows no
 * message's definition.
 */
#pragma once

#include <glib.h>

struct proto {
	GByteArray *bytes;
};

void proto_init(struct proto *self);
void proto_deinit(struct proto *self);
void proto_clear(struct proto *self);

void proto_number(struct proto *self, guint field, guint64 value); /* varint */
void proto_fixed64(struct proto *self, guint field, guint64 value);
void proto_text(struct proto *self, guint field, const char *text);
void proto_message(struct proto *self, guint field, const struct proto *message);

/* Only the head of a field of that many bytes, which the caller puts behind it. */
void proto_length(struct proto *self, guint field, gsize length_bytes);
