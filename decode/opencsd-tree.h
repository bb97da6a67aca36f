/* opencsd-tree.h: one OpenCSD packet processor for one source
 *
 * Wraps a decode tree of OpenCSD's C API that holds a single packet processor (and the full
 * decoder behind it where asked for) and takes unformatted bytes. One tree per trace ID: facts on
 * OpenCSD 1.3.3 in docs/internals/decode.md say why. Creation and destruction are
 * serialised here, as the library's maps are global; feeding needs no lock.
 */
#pragma once

#include <gio/gio.h>
#include <opencsd/c_api/opencsd_c_api.h>

enum {
	OPENCSD_RECENT_OFFSETS = 4096
}; /* a power of two, above any packet's length */

struct opencsd_tree {
	dcd_tree_handle_t handle;
	guint64 fed_bytes; /* of the source so far */
	/* Formatted offset of the source's byte i, for the last of them, at
	 * i % OPENCSD_RECENT_OFFSETS: a packet may have begun in an earlier feed. */
	guint64 recent[OPENCSD_RECENT_OFFSETS];
};

/* `decoder` is OCSD_BUILTIN_DCD_*, `flags` OCSD_CREATE_FLG_*, `config` its configuration; `monitor`
 * is called for each packet with its first byte's index, length and bytes. */
gboolean opencsd_tree_init(struct opencsd_tree *self, const char *decoder, int flags,
                           const void *config, FnDefPktDataMon monitor, gpointer user_data,
                           GError **error);

/* For a tree of OCSD_CREATE_FLG_FULL_DECODER, before it is fed: EL2's code is what `read`
 * says, that of other levels is not known; `element` is called for what was decoded. */
gboolean opencsd_tree_decode(struct opencsd_tree *self, Fn_MemAcc_CB read, FnTraceElemIn element,
                             gpointer user_data, GError **error);
void opencsd_tree_deinit(struct opencsd_tree *self);

/* Feeds n bytes; n <= OPENCSD_RECENT_OFFSETS / 2. */
gboolean opencsd_tree_feed(struct opencsd_tree *self, const guint8 *bytes, const guint64 *offsets,
                           gsize n, GError **error);

/* Forgets the protocol's state; the next bytes are searched for synchronisation. */
gboolean opencsd_tree_reset(struct opencsd_tree *self, GError **error);

gboolean opencsd_tree_end(struct opencsd_tree *self, GError **error);

/* The formatted offset of a packet by the index that the monitor was given, which is
 * 32 bits wide and wraps. */
guint64 opencsd_tree_offset(const struct opencsd_tree *self, ocsd_trc_index_t index);

/* How many bytes of the source stand before the index that the monitor was given. */
guint64 opencsd_tree_position(const struct opencsd_tree *self, ocsd_trc_index_t index);
