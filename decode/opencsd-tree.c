#include "decode/opencsd-tree.h"

#include "decode/decode-error.h"

static GMutex library_lock;

static gboolean set_error(GError **error, const char *doing, int code)
{
	char text[256] = "";

	ocsd_err_str((ocsd_err_t)code, text, sizeof text);
	g_set_error(error, DECODE_ERROR, DECODE_ERROR_ENGINE, "OpenCSD: %s: %s", doing, text);
	return FALSE;
}

static gboolean create_processor(struct opencsd_tree *self, const char *decoder, int flags,
                                 const void *config, FnDefPktDataMon monitor, gpointer user_data,
                                 GError **error)
{
	unsigned char trace_id = 0;
	ocsd_err_t code;
	/* The C API takes the callback as a data pointer. */
	union {
		FnDefPktDataMon function;
		void *data;
	} callback = { .function = monitor };

	if ((flags & OCSD_CREATE_FLG_FULL_DECODER) == 0)
		flags |= OCSD_CREATE_FLG_PACKET_PROC;
	code = ocsd_dt_create_decoder(self->handle, decoder, flags, config, &trace_id);
	if (code != OCSD_OK)
		return set_error(error, "creating the packet processor", (int)code);
	code = ocsd_dt_attach_packet_callback(self->handle, trace_id, OCSD_C_API_CB_PKT_MON,
	                                      callback.data, user_data);
	if (code != OCSD_OK)
		return set_error(error, "attaching to the packet processor", (int)code);
	return TRUE;
}

gboolean opencsd_tree_init(struct opencsd_tree *self, const char *decoder, int flags,
                           const void *config, FnDefPktDataMon monitor, gpointer user_data,
                           GError **error)
{
	gboolean done;

	self->fed_bytes = 0;
	g_mutex_lock(&library_lock);
	/* The library's error log is one object for all trees and not safe in threads:
	 * at this level it is never written. Bad packets reach us through the monitor. */
	ocsd_def_errlog_init(OCSD_ERR_SEV_NONE, 0);
	self->handle = ocsd_create_dcd_tree(OCSD_TRC_SRC_SINGLE, 0);
	if (self->handle == C_API_INVALID_TREE_HANDLE) {
		g_set_error(error, DECODE_ERROR, DECODE_ERROR_ENGINE,
		            "OpenCSD: no memory for a decode tree");
		done = FALSE;
	} else {
		done = create_processor(self, decoder, flags, config, monitor, user_data, error);
		if (!done)
			ocsd_destroy_dcd_tree(self->handle);
	}
	g_mutex_unlock(&library_lock);
	return done;
}

gboolean opencsd_tree_decode(struct opencsd_tree *self, Fn_MemAcc_CB read, FnTraceElemIn element,
                             gpointer user_data, GError **error)
{
	ocsd_err_t code;

	g_mutex_lock(&library_lock);
	code = ocsd_dt_add_callback_mem_acc(self->handle, 0, G_MAXUINT64, OCSD_MEM_SPACE_EL2, read,
	                                    user_data);
	if (code == OCSD_OK)
		code = ocsd_dt_set_gen_elem_outfn(self->handle, element, user_data);
	g_mutex_unlock(&library_lock);
	return code == OCSD_OK || set_error(error, "setting up the full decode", (int)code);
}

void opencsd_tree_deinit(struct opencsd_tree *self)
{
	g_mutex_lock(&library_lock);
	ocsd_destroy_dcd_tree(self->handle);
	g_mutex_unlock(&library_lock);
}

gboolean opencsd_tree_feed(struct opencsd_tree *self, const guint8 *bytes, const guint64 *offsets,
                           gsize n, GError **error)
{
	gsize done = 0;

	g_assert(n <= OPENCSD_RECENT_OFFSETS / 2);
	for (gsize i = 0; i < n; i++)
		self->recent[(self->fed_bytes + i) % OPENCSD_RECENT_OFFSETS] = offsets[i];
	while (done < n) {
		uint32_t used = 0;
		const ocsd_datapath_resp_t response = ocsd_dt_process_data(
			self->handle, OCSD_OP_DATA, (ocsd_trc_index_t)self->fed_bytes,
			(uint32_t)(n - done), bytes + done, &used);

		if (OCSD_DATA_RESP_IS_FATAL(response) || used == 0) {
			g_set_error(error, DECODE_ERROR, DECODE_ERROR_ENGINE,
			            "OpenCSD: packet processing stopped at byte %" G_GUINT64_FORMAT
			            " of the formatted trace (response %d)",
			            offsets[done], (int)response);
			return FALSE;
		}
		done += used;
		self->fed_bytes += used;
	}
	return TRUE;
}

static gboolean opencsd_tree_operate(struct opencsd_tree *self, ocsd_datapath_op_t operation,
                                     const char *doing, GError **error)
{
	uint32_t used = 0;
	const ocsd_datapath_resp_t response =
		ocsd_dt_process_data(self->handle, operation, 0, 0, NULL, &used);

	if (!OCSD_DATA_RESP_IS_FATAL(response))
		return TRUE;
	g_set_error(error, DECODE_ERROR, DECODE_ERROR_ENGINE, "OpenCSD: %s failed (response %d)",
	            doing, (int)response);
	return FALSE;
}

gboolean opencsd_tree_reset(struct opencsd_tree *self, GError **error)
{
	return opencsd_tree_operate(self, OCSD_OP_RESET, "reset", error);
}

gboolean opencsd_tree_end(struct opencsd_tree *self, GError **error)
{
	return opencsd_tree_operate(self, OCSD_OP_EOT, "end of trace", error);
}

guint64 opencsd_tree_position(const struct opencsd_tree *self, ocsd_trc_index_t index)
{
	/* The index lies at most one feed ahead of, or some packets behind, fed_bytes. */
	const gint32 ahead = (gint32)((guint32)index - (guint32)self->fed_bytes);

	return self->fed_bytes + (guint64)(gint64)ahead;
}

guint64 opencsd_tree_offset(const struct opencsd_tree *self, ocsd_trc_index_t index)
{
	return self->recent[opencsd_tree_position(self, index) % OPENCSD_RECENT_OFFSETS];
}
