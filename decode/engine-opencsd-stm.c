#include "decode/engine-opencsd-stm.h"

#include "decode/opencsd-tree.h"

enum {
	FEED_BYTES = 1024
};

struct engine_stm {
	struct engine base;
	struct opencsd_tree tree;
	trace_event_fn emit;
	gpointer user_data;
	gboolean synchronised;
	gboolean said_why; /* while not synchronised: the event that says why was emitted */
};

static void stm_emit_kind(struct engine_stm *self, enum trace_event_kind kind, const char *what,
                          guint64 offset)
{
	const struct trace_event event = { .kind = kind, .offset = offset, .bad.what = what };

	self->emit(&event, self->user_data);
}

static void stm_lose(struct engine_stm *self, enum trace_event_kind kind, const char *what,
                     guint64 offset)
{
	if (self->synchronised || !self->said_why)
		stm_emit_kind(self, kind, what, offset);
	self->synchronised = FALSE;
	self->said_why = TRUE;
}

/* What a message packet holds, or FALSE where the packet is no message. */
static gboolean stm_message(const ocsd_stm_pkt *packet, struct trace_event *event)
{
	event->kind = EVENT_STM;
	event->stm.kind = STM_DATA;
	switch ((int)packet->type) {
	case STM_PKT_D4:
	case STM_PKT_D8:
		event->stm.value = packet->payload.D8;
		event->stm.value_bytes = 1;
		break;
	case STM_PKT_D16:
		event->stm.value = packet->payload.D16;
		event->stm.value_bytes = 2;
		break;
	case STM_PKT_D32:
		event->stm.value = packet->payload.D32;
		event->stm.value_bytes = 4;
		break;
	case STM_PKT_D64:
		event->stm.value = packet->payload.D64;
		event->stm.value_bytes = 8;
		break;
	case STM_PKT_FLAG:
		event->stm.kind = STM_FLAG;
		break;
	case STM_PKT_TRIG:
		event->stm.kind = STM_TRIGGER;
		event->stm.value = packet->payload.D8;
		event->stm.value_bytes = 1;
		break;
	case STM_PKT_FREQ:
		event->stm.kind = STM_FREQUENCY;
		event->stm.value = packet->payload.D32;
		event->stm.value_bytes = 4;
		break;
	case STM_PKT_GERR:
	case STM_PKT_MERR:
		event->stm.kind = STM_ERROR;
		event->stm.value = packet->payload.D8;
		event->stm.value_bytes = 1;
		break;
	default:
		return FALSE;
	}
	event->stm.master = packet->master;
	event->stm.channel = packet->channel;
	event->stm.marked = packet->pkt_has_marker != 0;
	event->stm.has_timestamp = packet->pkt_has_ts != 0;
	event->stm.timestamp = packet->pkt_has_ts ? packet->timestamp : 0;
	return TRUE;
}

static void stm_packet(const void *user_data, ocsd_datapath_op_t operation, ocsd_trc_index_t index,
                       const void *packet_in, uint32_t n_bytes, const uint8_t *bytes)
{
	struct engine_stm *self = (struct engine_stm *)(gpointer)user_data;
	const ocsd_stm_pkt *packet = packet_in;
	struct trace_event event = { 0 };

	(void)n_bytes;
	(void)bytes;
	if (operation != OCSD_OP_DATA || packet == NULL)
		return;
	event.offset = opencsd_tree_offset(&self->tree, index);
	switch ((int)packet->type) {
	case STM_PKT_BAD_SEQUENCE:
		stm_lose(self, EVENT_BAD_DATA, "bad-sequence", event.offset);
		return;
	case STM_PKT_RESERVED:
		stm_lose(self, EVENT_BAD_DATA, "reserved-packet", event.offset);
		return;
	case STM_PKT_NOTSYNC:
		stm_lose(self, EVENT_NOT_SYNC, NULL, event.offset);
		return;
	case STM_PKT_ASYNC:
		if (!self->synchronised)
			stm_emit_kind(self, EVENT_SYNC, NULL, event.offset);
		self->synchronised = TRUE;
		return;
	default:
		break;
	}
	if (self->synchronised && stm_message(packet, &event))
		self->emit(&event, self->user_data);
}

static gboolean stm_push(struct engine *engine, const guint8 *bytes, const guint64 *offsets,
                         gsize n, GError **error)
{
	struct engine_stm *self = (struct engine_stm *)engine;

	while (n > 0) {
		const gsize part = MIN(n, FEED_BYTES);

		if (!opencsd_tree_feed(&self->tree, bytes, offsets, part, error))
			return FALSE;
		bytes += part;
		offsets += part;
		n -= part;
	}
	return TRUE;
}

static gboolean stm_barrier(struct engine *engine, guint64 offset, GError **error)
{
	struct engine_stm *self = (struct engine_stm *)engine;

	stm_lose(self, EVENT_BARRIER, NULL, offset);
	return opencsd_tree_reset(&self->tree, error);
}

static gboolean stm_end(struct engine *engine, guint64 offset, GError **error)
{
	struct engine_stm *self = (struct engine_stm *)engine;

	if (!opencsd_tree_end(&self->tree, error))
		return FALSE;
	stm_emit_kind(self, EVENT_END, NULL, offset);
	return TRUE;
}

static void stm_free(struct engine *engine)
{
	struct engine_stm *self = (struct engine_stm *)engine;

	opencsd_tree_deinit(&self->tree);
	g_free(self);
}

struct engine *engine_opencsd_stm_new(const struct snapshot_device *device, trace_event_fn emit,
                                      gpointer user_data, GError **error)
{
	static const struct engine_class class = { stm_push, stm_barrier, stm_end, stm_free };
	g_autofree struct engine_stm *self = g_new0(struct engine_stm, 1);
	guint64 tcsr = 0;
	ocsd_stm_cfg config = { .hw_event = HwEvent_Unknown_Disabled };

	snapshot_device_reg(device, "STMTCSR", &tcsr);
	config.reg_tcsr = (uint32_t)tcsr;
	/* As many masters and channels as the protocol can say: the capture need not name
	 * the block's own limits (STMDEVID, STMSPFEAT3R). */
	config.reg_feat3r = 0x7f;
	config.reg_devid = 0xffff;
	self->base.class = &class;
	self->emit = emit;
	self->user_data = user_data;
	if (!opencsd_tree_init(&self->tree, OCSD_BUILTIN_DCD_STM,
	                       OCSD_OPFLG_PKTPROC_UNSYNC_ON_BAD_PKTS, &config, stm_packet, self,
	                       error))
		return NULL;
	return &((struct engine_stm *)g_steal_pointer(&self))->base;
}
