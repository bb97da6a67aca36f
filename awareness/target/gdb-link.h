/* gdb-link.h: packets of the gdb remote serial protocol over a socket
 *
 * Frames, checksums, acknowledgement and pipelining; it knows no command but
 * QStartNoAckMode. Stop replies that arrive unasked (QEMU sends one on connecting to
 * a running machine) are kept apart, so that no later reply is off by one. The peer
 * is untrusted: replies are bounded, and a peer that says nothing ends in a timeout.
 * Source: GDB manual, appendix "GDB Remote Serial Protocol".
 */
#pragma once

#include "awareness/target/target.h"

struct gdb_link;

/* `where` is HOST:PORT or unix:PATH. Errors: TARGET_ERROR_OPEN. */
struct gdb_link *gdb_link_open(const char *where, GError **error);

/* On a socket that is already connected; takes it. */
struct gdb_link *gdb_link_new_from_fd(int fd);
void gdb_link_free(struct gdb_link *self);

/* The longest packet that the peer takes, as it said with PacketSize. */
void gdb_link_set_packet_bytes(struct gdb_link *self, size_t n_bytes);
size_t gdb_link_packet_bytes(const struct gdb_link *self);

/* Replies are waited for this long; 5000 at first. */
void gdb_link_set_timeout(struct gdb_link *self, unsigned timeout_ms);
unsigned gdb_link_timeout(const struct gdb_link *self);

/* Turns acknowledgement off where the peer can do without. */
gboolean gdb_link_quiet(struct gdb_link *self, GError **error);

/* Sends one packet, and nothing else. Escapes what needs to be. */
gboolean gdb_link_send(struct gdb_link *self, const char *packet, GError **error);

/* The next reply, unescaped and with runs expanded; valid until the next call. Errors:
 * TARGET_ERROR_TIMEOUT, _LINK. */
const GString *gdb_link_receive(struct gdb_link *self, GError **error);

/* Both: a question and its answer. */
const GString *gdb_link_ask(struct gdb_link *self, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* The byte that interrupts a running target. */
gboolean gdb_link_interrupt(struct gdb_link *self, GError **error);

/* The next stop reply, one that was kept or one that comes within timeout_ms. *out is
 * NULL where none came in time; else it is valid until the next call. */
gboolean gdb_link_wait_stop(struct gdb_link *self, unsigned timeout_ms, const char **out,
                            GError **error);

/* Drops everything that is on its way, after a reply that made no sense. */
void gdb_link_drain(struct gdb_link *self);
