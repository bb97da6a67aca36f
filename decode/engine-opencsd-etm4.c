#include "decode/engine-opencsd-etm4.h"

#include "decode/decode-error.h"
#include "decode/opencsd-tree.h"
#include "decode/speculation.h"

enum {
	FEED_BYTES = 1024,
	ASYNC_ZEROS = 11, /* then 0x80: Arm IHI 0064, Alignment Synchronization packet */
	ASYNC_BYTES = ASYNC_ZEROS + 1,
	CONFIG_CYCLES = 1 << 4, /* TRCCONFIGR.CCI */
	SPECULATION_MAX = 4096, /* more than any core has in flight */
};

/* Where the stream stands between the bytes and the one who listens. */
enum etm4_state {
	STATE_NO_SYNC, /* nothing said: before an A-sync, or after bad data */
	STATE_ASYNC,   /* after A-sync: the trace info must come first */
	STATE_SYNC,
};

struct engine_etm4 {
	struct engine base;
	struct opencsd_tree tree;
	struct speculation speculation; /* what undecided P0 elements hold back */

	enum etm4_state state;
	gboolean said_why;    /* NO_SYNC: the event that says why nothing comes was emitted */
	guint64 async_offset; /* of the last A-sync */
	guint64 packet_end;   /* source position after the last packet */
	gboolean packet_was_async;
	guint zeros;            /* zero bytes just before the next one */
	guint addresses_wanted; /* how many of the next addresses matter */
	gboolean has_vmid, has_context_id;
	gboolean may_count_cycles;  /* TRCCONFIGR.CCI */
	gboolean counts_cycles;     /* ... and the last trace info said so */
	gboolean whole_context_due; /* a trace info came, no context since */
	guint64 timestamp;          /* the last one; 0 from a trace info on */

	struct engine_flow flow; /* .range NULL: packets only */
	gpointer user_data;
	guint el;            /* of the ranges that come */
	guint64 packet_p0;   /* P0 elements before the packet being decoded */
	guint packet_ranges; /* its ranges so far */
};

static void etm4_emit(struct engine_etm4 *self, struct trace_event *event, guint64 offset)
{
	event->offset = offset;
	speculation_event(&self->speculation, event);
}

static void etm4_emit_kind(struct engine_etm4 *self, enum trace_event_kind kind, guint64 offset)
{
	struct trace_event event = { .kind = kind };

	etm4_emit(self, &event, offset);
}

/* Says once why nothing comes, and waits for the next A-sync. */
static void etm4_lose(struct engine_etm4 *self, enum trace_event_kind kind, const char *what,
                      guint64 offset)
{
	struct trace_event event = { .kind = kind, .bad.what = what };

	speculation_drop(&self->speculation);
	if (self->state != STATE_NO_SYNC || !self->said_why)
		etm4_emit(self, &event, offset);
	self->said_why = TRUE;
	self->state = STATE_NO_SYNC;
	self->has_vmid = FALSE;
	self->has_context_id = FALSE;
	self->addresses_wanted = 0;
}

static struct trace_context etm4_context(struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet)
{
	/* The first context after a trace info is whole: what it lacks is not traced, and
	 * was damage where it stood before. */
	if (self->whole_context_due) {
		self->has_vmid = FALSE;
		self->has_context_id = FALSE;
		self->whole_context_due = FALSE;
	}
	if (packet->context.updated_v)
		self->has_vmid = TRUE;
	if (packet->context.updated_c)
		self->has_context_id = TRUE;
	return (struct trace_context) {
		.el = packet->context.EL & 3,
		.aarch64 = packet->context.SF,
		.secure = !packet->context.NS,
		.has_vmid = self->has_vmid,
		.has_context_id = self->has_context_id,
		/* OpenCSD leaves a field that was never traced as the memory was. */
		.vmid = self->has_vmid ? packet->context.VMID : 0,
		.context_id = self->has_context_id ? packet->context.ctxtID : 0,
	};
}

static void etm4_context_packet(struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet,
                                gboolean has_address, guint64 offset)
{
	struct trace_event event = {
		.kind = has_address ? EVENT_ADDRESS_CONTEXT : EVENT_CONTEXT,
		.address_va = has_address ? packet->v_addr.val : 0,
		.context = etm4_context(self, packet),
	};

	if (!has_address)
		self->addresses_wanted = MAX(self->addresses_wanted, 1);
	else if (self->addresses_wanted > 0)
		self->addresses_wanted--;
	etm4_emit(self, &event, offset);
}

static void etm4_address_packet(struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet,
                                guint64 offset)
{
	struct trace_event event = { .kind = EVENT_ADDRESS, .address_va = packet->v_addr.val };

	if (self->addresses_wanted == 0)
		return;
	self->addresses_wanted--;
	etm4_emit(self, &event, offset);
}

static void etm4_exception_packet(struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet,
                                  guint64 offset)
{
	struct trace_event event = {
		.kind = EVENT_EXCEPTION,
		.exception.type = (guint16)packet->exception_info.exceptionType,
	};

	etm4_emit(self, &event, offset);
	/* The preferred return address, then the handler's. */
	self->addresses_wanted = 2;
}

/* A timestamp packet changes the lowest bits of the one before; after a trace info it is
 * whole (Arm IHI 0064, Trace Info packet). OpenCSD goes on with the old upper bits there,
 * and with them with old damage. */
static guint64 etm4_timestamp(struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet)
{
	const guint bits = packet->ts.bits_changed;
	const guint64 changed = bits >= 64 ? G_MAXUINT64 : (G_GUINT64_CONSTANT(1) << bits) - 1;

	self->timestamp = (self->timestamp & ~changed) | (packet->ts.timestamp & changed);
	return self->timestamp;
}

static void etm4_time_packet(struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet,
                             guint64 offset)
{
	struct trace_event event = { .kind = EVENT_CYCLES };

	if (packet->type == ETM4_PKT_I_TIMESTAMP) {
		event.kind = EVENT_TIMESTAMP;
		event.timestamp.ticks = etm4_timestamp(self, packet);
		event.timestamp.has_cycles = packet->pkt_valid.bits.cc_valid && self->counts_cycles;
		event.timestamp.cycles = packet->cycle_count;
	} else {
		event.cycles.count = packet->pkt_valid.bits.cc_valid ? packet->cycle_count : 0;
		/* It counts up to what it commits. */
		if (packet->pkt_valid.bits.commit_elem_valid)
			speculation_commit(&self->speculation, packet->commit_elements);
	}
	etm4_emit(self, &event, offset);
}

static void etm4_p0(struct engine_etm4 *self, guint n)
{
	speculation_p0(&self->speculation, n);
	self->addresses_wanted = 0;
}

/* Atoms may stand before the cancel in the same packet. */
static void etm4_speculation_packet(struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet)
{
	if (packet->type == ETM4_PKT_I_COMMIT) {
		speculation_commit(&self->speculation, packet->commit_elements);
		return;
	}
	if (packet->type != ETM4_PKT_I_CANCEL_F1 && packet->type != ETM4_PKT_I_CANCEL_F1_MISPRED &&
	    packet->atom.num > 0)
		etm4_p0(self, packet->atom.num);
	if (packet->type != ETM4_PKT_I_MISPREDICT)
		speculation_cancel(&self->speculation, packet->cancel_elements);
}

static void etm4_synced_packet(struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet,
                               guint64 offset)
{
	switch ((int)packet->type) {
	case ETM4_PKT_I_ATOM_F1:
	case ETM4_PKT_I_ATOM_F2:
	case ETM4_PKT_I_ATOM_F3:
	case ETM4_PKT_I_ATOM_F4:
	case ETM4_PKT_I_ATOM_F5:
	case ETM4_PKT_I_ATOM_F6:
		etm4_p0(self, packet->atom.num);
		break;
	case ETM4_PKT_I_Q:
		etm4_p0(self, 1);
		break;
	case ETM4_PKT_I_ADDR_S_IS0:
	case ETM4_PKT_I_ADDR_S_IS1:
	case ETM4_PKT_I_ADDR_L_32IS0:
	case ETM4_PKT_I_ADDR_L_32IS1:
	case ETM4_PKT_I_ADDR_L_64IS0:
	case ETM4_PKT_I_ADDR_L_64IS1:
	case ETM4_PKT_I_ADDR_MATCH:
		etm4_address_packet(self, packet, offset);
		break;
	case ETM4_PKT_I_CTXT:
		etm4_context_packet(self, packet, FALSE, offset);
		break;
	case ETM4_PKT_I_ADDR_CTXT_L_32IS0:
	case ETM4_PKT_I_ADDR_CTXT_L_32IS1:
	case ETM4_PKT_I_ADDR_CTXT_L_64IS0:
	case ETM4_PKT_I_ADDR_CTXT_L_64IS1:
		etm4_context_packet(self, packet, TRUE, offset);
		break;
	case ETM4_PKT_I_EXCEPT:
		etm4_exception_packet(self, packet, offset);
		break;
	case ETM4_PKT_I_EXCEPT_RTN:
		etm4_emit_kind(self, EVENT_EXCEPTION_RETURN, offset);
		etm4_p0(self, 1);
		self->addresses_wanted = 1;
		break;
	case ETM4_PKT_I_TIMESTAMP:
	case ETM4_PKT_I_CCNT_F1:
	case ETM4_PKT_I_CCNT_F2:
	case ETM4_PKT_I_CCNT_F3:
		etm4_time_packet(self, packet, offset);
		break;
	case ETM4_PKT_I_TRACE_ON:
		etm4_emit_kind(self, EVENT_TRACE_ON, offset);
		self->addresses_wanted = 1;
		break;
	case ETM4_PKT_I_COMMIT:
	case ETM4_PKT_I_CANCEL_F1:
	case ETM4_PKT_I_CANCEL_F1_MISPRED:
	case ETM4_PKT_I_CANCEL_F2:
	case ETM4_PKT_I_CANCEL_F3:
	case ETM4_PKT_I_MISPREDICT:
		etm4_speculation_packet(self, packet);
		break;
	case ETM4_PKT_I_OVERFLOW:
		speculation_drop(&self->speculation);
		etm4_emit_kind(self, EVENT_OVERFLOW, offset);
		self->addresses_wanted = 0;
		break;
	case ETM4_PKT_I_DISCARD:
		speculation_drop(&self->speculation);
		etm4_emit_kind(self, EVENT_DISCARD, offset);
		self->addresses_wanted = 0;
		break;
	default:
		/* Events, markers, ignore: nothing that attribution needs. */
		break;
	}
}

/* Why a packet is none, or NULL. A cycle count where none are traced is garbage too, which the
 * packet processor lets through. */
static const char *bad_packet(const struct engine_etm4 *self, const ocsd_etmv4_i_pkt *packet)
{
	switch ((int)packet->type) {
	case ETM4_PKT_I_CCNT_F1:
	case ETM4_PKT_I_CCNT_F2:
	case ETM4_PKT_I_CCNT_F3:
		if (self->state != STATE_SYNC || self->counts_cycles)
			return NULL;
		return "packet-not-in-this-configuration";
	case ETM4_PKT_I_BAD_SEQUENCE:
		return "bad-sequence";
	case ETM4_PKT_I_BAD_TRACEMODE:
		return "bad-trace-mode";
	case ETM4_PKT_I_RESERVED:
		return "reserved-packet";
	case ETM4_PKT_I_RESERVED_CFG:
		return "packet-not-in-this-configuration";
	default:
		return NULL;
	}
}

static void etm4_on_async(struct engine_etm4 *self, guint64 offset)
{
	self->async_offset = offset;
	if (self->state != STATE_NO_SYNC)
		return;
	self->state = STATE_ASYNC;
}

/* OpenCSD's packet monitor. */
static void etm4_packet(const void *user_data, ocsd_datapath_op_t operation, ocsd_trc_index_t index,
                        const void *packet_in, uint32_t n_bytes, const uint8_t *bytes)
{
	struct engine_etm4 *self = (struct engine_etm4 *)(gpointer)user_data;
	const ocsd_etmv4_i_pkt *packet = packet_in;
	const char *bad;
	guint64 offset;

	(void)bytes;
	if (operation != OCSD_OP_DATA || packet == NULL)
		return;
	offset = opencsd_tree_offset(&self->tree, index);
	self->packet_p0 = self->speculation.p0;
	self->packet_ranges = 0;
	self->packet_end = opencsd_tree_position(&self->tree, index) + n_bytes;
	self->packet_was_async = packet->type == ETM4_PKT_I_ASYNC;
	bad = bad_packet(self, packet);
	if (bad != NULL) {
		etm4_lose(self, EVENT_BAD_DATA, bad, offset);
	} else if (packet->type == ETM4_PKT_I_NOTSYNC) {
		if (self->state == STATE_NO_SYNC && !self->said_why)
			etm4_lose(self, EVENT_NOT_SYNC, NULL, offset);
	} else if (self->packet_was_async) {
		etm4_on_async(self, offset);
	} else if (packet->type == ETM4_PKT_I_TRACE_INFO) {
		if (self->state == STATE_NO_SYNC)
			return;
		if (self->state != STATE_SYNC)
			speculation_synchronise(&self->speculation, packet->curr_spec_depth);
		self->state = STATE_SYNC;
		self->said_why = FALSE;
		self->counts_cycles = self->may_count_cycles && packet->trace_info.bits.cc_enabled;
		self->whole_context_due = TRUE;
		self->timestamp = 0;
		etm4_emit_kind(self, EVENT_SYNC, self->async_offset);
	} else if (self->state == STATE_SYNC) {
		etm4_synced_packet(self, packet, offset);
	}
}

/* OpenCSD's full decoder, which is given each packet after the monitor. */
static ocsd_datapath_resp_t etm4_element(const void *user_data, const ocsd_trc_index_t index,
                                         const uint8_t trace_id,
                                         const ocsd_generic_trace_elem *element)
{
	struct engine_etm4 *self = (struct engine_etm4 *)(gpointer)user_data;

	(void)trace_id;
	if (element->elem_type == OCSD_GEN_TRC_ELEM_PE_CONTEXT) {
		self->el = element->context.el_valid ? (guint)element->context.exception_level : 0;
	} else if (element->elem_type == OCSD_GEN_TRC_ELEM_INSTR_RANGE &&
	           self->state == STATE_SYNC) {
		const struct engine_range range = {
			.begin_va = element->st_addr,
			.end_va = element->en_addr,
			.el = self->el,
			.p0 = MIN(self->packet_p0 + self->packet_ranges, self->speculation.p0),
			.offset = opencsd_tree_offset(&self->tree, index),
		};

		self->packet_ranges++;
		self->flow.range(&range, self->user_data);
	}
	return OCSD_RESP_CONT;
}

static uint32_t etm4_read(const void *user_data, const ocsd_vaddr_t address,
                          const ocsd_mem_space_acc_t space, const uint32_t n_bytes, uint8_t *bytes)
{
	struct engine_etm4 *self = (struct engine_etm4 *)(gpointer)user_data;

	(void)space;
	return self->flow.read(address, bytes, n_bytes, self->user_data);
}

static gboolean etm4_feed(struct engine_etm4 *self, const guint8 *bytes, const guint64 *offsets,
                          gsize n, GError **error)
{
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

/* Eleven zeros and 0x80 were just fed. No valid trace holds them but as an A-sync: where
 * the packet processor saw something else, it had lost its place, and nothing it said
 * since the A-sync before can be told from garbage. It starts again from here. */
static gboolean etm4_check_async(struct engine_etm4 *self, GError **error)
{
	static const guint8 async[ASYNC_BYTES] = { [ASYNC_ZEROS] = 0x80 };
	guint64 offsets[ASYNC_BYTES];
	const guint64 start = self->tree.fed_bytes - ASYNC_BYTES;

	if (self->packet_was_async && self->packet_end == self->tree.fed_bytes)
		return TRUE;
	for (guint i = 0; i < ASYNC_BYTES; i++)
		offsets[i] = self->tree.recent[(start + i) % OPENCSD_RECENT_OFFSETS];
	etm4_lose(self, EVENT_BAD_DATA, "async-inside-packet", offsets[0]);
	if (!opencsd_tree_reset(&self->tree, error))
		return FALSE;
	return opencsd_tree_feed(&self->tree, async, offsets, ASYNC_BYTES, error);
}

static gboolean etm4_push(struct engine *engine, const guint8 *bytes, const guint64 *offsets,
                          gsize n, GError **error)
{
	struct engine_etm4 *self = (struct engine_etm4 *)engine;
	gsize fed = 0;

	for (gsize i = 0; i < n; i++) {
		const guint zeros = self->zeros;

		self->zeros = bytes[i] == 0 ? zeros + 1 : 0;
		if (bytes[i] != 0x80 || zeros < ASYNC_ZEROS)
			continue;
		if (!etm4_feed(self, bytes + fed, offsets + fed, i + 1 - fed, error) ||
		    !etm4_check_async(self, error))
			return FALSE;
		fed = i + 1;
	}
	return etm4_feed(self, bytes + fed, offsets + fed, n - fed, error);
}

static gboolean etm4_barrier(struct engine *engine, guint64 offset, GError **error)
{
	struct engine_etm4 *self = (struct engine_etm4 *)engine;

	self->zeros = 0;
	etm4_lose(self, EVENT_BARRIER, NULL, offset);
	return opencsd_tree_reset(&self->tree, error);
}

static gboolean etm4_end(struct engine *engine, guint64 offset, GError **error)
{
	struct engine_etm4 *self = (struct engine_etm4 *)engine;

	if (!opencsd_tree_end(&self->tree, error))
		return FALSE;
	speculation_finish(&self->speculation);
	etm4_emit_kind(self, EVENT_END, offset);
	return TRUE;
}

static void etm4_free(struct engine *engine)
{
	struct engine_etm4 *self = (struct engine_etm4 *)engine;

	opencsd_tree_deinit(&self->tree);
	speculation_deinit(&self->speculation);
	g_free(self);
}

static guint32 device_reg(const struct snapshot_device *device, const char *name)
{
	guint64 value = 0;

	snapshot_device_reg(device, name, &value);
	return (guint32)value;
}

struct engine *engine_opencsd_etm4_new(const struct snapshot_device *device, trace_event_fn emit,
                                       const struct engine_flow *flow, gpointer user_data,
                                       GError **error)
{
	static const struct engine_class class = { etm4_push, etm4_barrier, etm4_end, etm4_free };
	g_autofree struct engine_etm4 *self = g_new0(struct engine_etm4, 1);
	const ocsd_etmv4_cfg config = {
		.reg_idr0 = device_reg(device, "TRCIDR0"),
		.reg_idr1 = device_reg(device, "TRCIDR1"),
		.reg_idr2 = device_reg(device, "TRCIDR2"),
		.reg_idr8 = device_reg(device, "TRCIDR8"),
		.reg_idr9 = device_reg(device, "TRCIDR9"),
		.reg_idr10 = device_reg(device, "TRCIDR10"),
		.reg_idr11 = device_reg(device, "TRCIDR11"),
		.reg_idr12 = device_reg(device, "TRCIDR12"),
		.reg_idr13 = device_reg(device, "TRCIDR13"),
		.reg_configr = device_reg(device, "TRCCONFIGR"),
		.reg_traceidr = device_reg(device, "TRCTRACEIDR"),
		.arch_ver = ARCH_V8,
		.core_prof = profile_CortexA,
	};

	self->base.class = &class;
	speculation_init(&self->speculation, config.reg_idr8, emit, user_data);
	self->user_data = user_data;
	self->may_count_cycles = (config.reg_configr & CONFIG_CYCLES) != 0;
	if (!opencsd_tree_init(&self->tree, OCSD_BUILTIN_DCD_ETMV4I,
	                       flow != NULL ? OCSD_CREATE_FLG_FULL_DECODER : 0, &config,
	                       etm4_packet, self, error))
		return NULL;
	if (flow != NULL) {
		self->flow = *flow;
		if (!opencsd_tree_decode(&self->tree, etm4_read, etm4_element, self, error)) {
			opencsd_tree_deinit(&self->tree);
			return NULL;
		}
	}
	return &((struct engine_etm4 *)g_steal_pointer(&self))->base;
}

char *engine_opencsd_etm4_why_not(const struct snapshot_device *device)
{
	const guint32 max_speculation = device_reg(device, "TRCIDR8");

	if (max_speculation <= SPECULATION_MAX)
		return NULL;
	return g_strdup_printf("TRCIDR8 is %u: no trace unit has so many P0 elements undecided "
	                       "(%d at most); check the capture's register values",
	                       max_speculation, SPECULATION_MAX);
}
