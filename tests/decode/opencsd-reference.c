#include "tests/decode/opencsd-reference.h"

#include "decode/deframe.h"
#include "decode/engine.h"

#include <opencsd/c_api/opencsd_c_api.h>

static void add_line(GPtrArray *lines, guint64 offset, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void add_line(GPtrArray *lines, guint64 offset, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(lines, g_strdup_printf("%" G_GUINT64_FORMAT " %s", offset, text));
}

static guint32 reg(const struct snapshot_source *source, const char *name)
{
	guint64 value = 0;

	snapshot_device_reg(source->device, name, &value);
	return (guint32)value;
}

static ocsd_etmv4_cfg configuration(const struct snapshot_source *source)
{
	return (ocsd_etmv4_cfg) {
		.reg_idr0 = reg(source, "TRCIDR0"),
		.reg_idr1 = reg(source, "TRCIDR1"),
		.reg_idr2 = reg(source, "TRCIDR2"),
		.reg_idr8 = reg(source, "TRCIDR8"),
		.reg_configr = reg(source, "TRCCONFIGR"),
		.reg_traceidr = reg(source, "TRCTRACEIDR"),
		.arch_ver = ARCH_V8,
		.core_prof = profile_CortexA,
	};
}

/* The packet side of the comparison. After bad data the reference goes on and we wait for
 * the next A-sync: lines in between are marked so that the test can leave them out. */
struct packet_lines {
	GPtrArray *lines;
	gboolean trusted;
	gboolean async;                    /* A-sync seen; the trace info makes it trusted */
	gboolean has_vmid, has_context_id; /* OpenCSD does not set what was never traced */
};

static void context_line(struct packet_lines *self, guint64 offset, const ocsd_etmv4_i_pkt *packet,
                         gboolean has_address)
{
	g_autofree char *address = has_address ? g_strdup_printf(" at %" G_GINT64_MODIFIER "x",
	                                                         (guint64)packet->v_addr.val)
	                                       : g_strdup("");

	self->has_vmid |= packet->context.updated_v;
	self->has_context_id |= packet->context.updated_c;
	add_line(self->lines, offset, "CTX el%u %s vmid %x cid %x%s", packet->context.EL,
	         packet->context.NS ? "ns" : "s", self->has_vmid ? packet->context.VMID : 0,
	         self->has_context_id ? packet->context.ctxtID : 0, address);
}

static void packet_line(struct packet_lines *self, guint64 offset, const ocsd_etmv4_i_pkt *packet)
{
	switch ((int)packet->type) {
	case ETM4_PKT_I_CTXT:
		context_line(self, offset, packet, FALSE);
		break;
	case ETM4_PKT_I_ADDR_CTXT_L_32IS0:
	case ETM4_PKT_I_ADDR_CTXT_L_32IS1:
	case ETM4_PKT_I_ADDR_CTXT_L_64IS0:
	case ETM4_PKT_I_ADDR_CTXT_L_64IS1:
		context_line(self, offset, packet, TRUE);
		break;
	case ETM4_PKT_I_EXCEPT:
		add_line(self->lines, offset, "EXC %u", packet->exception_info.exceptionType);
		break;
	case ETM4_PKT_I_EXCEPT_RTN:
		add_line(self->lines, offset, "ERET");
		break;
	case ETM4_PKT_I_TIMESTAMP:
		add_line(self->lines, offset, "TS %" G_GUINT64_FORMAT,
		         (guint64)packet->ts.timestamp);
		break;
	case ETM4_PKT_I_CCNT_F1:
	case ETM4_PKT_I_CCNT_F2:
	case ETM4_PKT_I_CCNT_F3:
		add_line(self->lines, offset, "CC %u", packet->cycle_count);
		break;
	case ETM4_PKT_I_TRACE_ON:
		add_line(self->lines, offset, "ON");
		break;
	case ETM4_PKT_I_OVERFLOW:
		add_line(self->lines, offset, "OVERFLOW");
		break;
	case ETM4_PKT_I_DISCARD:
		add_line(self->lines, offset, "DISCARD");
		break;
	default:
		break;
	}
}

static void on_packet(const void *user_data, ocsd_datapath_op_t operation, ocsd_trc_index_t index,
                      const void *packet_in, uint32_t n_bytes, const uint8_t *bytes)
{
	struct packet_lines *self = (struct packet_lines *)(gpointer)user_data;
	const ocsd_etmv4_i_pkt *packet = packet_in;

	(void)n_bytes;
	(void)bytes;
	if (operation != OCSD_OP_DATA || packet == NULL)
		return;
	switch ((int)packet->type) {
	case ETM4_PKT_I_BAD_SEQUENCE:
	case ETM4_PKT_I_BAD_TRACEMODE:
	case ETM4_PKT_I_RESERVED:
	case ETM4_PKT_I_RESERVED_CFG:
		if (self->trusted)
			add_line(self->lines, index, "BAD");
		self->trusted = FALSE;
		self->async = FALSE;
		self->has_vmid = FALSE;
		self->has_context_id = FALSE;
		break;
	case ETM4_PKT_I_ASYNC:
		self->async = TRUE;
		break;
	case ETM4_PKT_I_TRACE_INFO:
		self->trusted |= self->async;
		break;
	default:
		if (self->trusted)
			packet_line(self, index, packet);
		break;
	}
}

static dcd_tree_handle_t make_tree(const struct snapshot_buffer *buffer)
{
	ocsd_def_errlog_init(OCSD_ERR_SEV_NONE, 0);
	switch (buffer->format) {
	case SNAPSHOT_FORMAT_SOURCE_DATA:
		return ocsd_create_dcd_tree(OCSD_TRC_SRC_SINGLE, 0);
	case SNAPSHOT_FORMAT_DSTREAM_CORESIGHT:
		return ocsd_create_dcd_tree(OCSD_TRC_SRC_FRAME_FORMATTED, OCSD_DFRMTR_HAS_FSYNCS);
	case SNAPSHOT_FORMAT_CORESIGHT:
		break;
	}
	return ocsd_create_dcd_tree(OCSD_TRC_SRC_FRAME_FORMATTED, OCSD_DFRMTR_FRAME_MEM_ALIGN);
}

/* A DSTREAM probe's blocks have 504 bytes of trace and 8 of its own. */
static GByteArray *strip_blocks(const guint8 *bytes, gsize n)
{
	GByteArray *trace = g_byte_array_new();

	for (gsize at = 0; at < n; at += 512)
		g_byte_array_append(trace, bytes + at, (guint)MIN(504, n - at));
	return trace;
}

static void process(dcd_tree_handle_t tree, const struct snapshot_buffer *buffer)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GMappedFile) file = snapshot_buffer_map(buffer, &error);
	g_autoptr(GByteArray) stripped = NULL;
	const guint8 *bytes;
	gsize n, at = 0;
	uint32_t used;

	g_assert_no_error(error);
	bytes = (const guint8 *)g_mapped_file_get_contents(file);
	n = g_mapped_file_get_length(file);
	if (buffer->format == SNAPSHOT_FORMAT_DSTREAM_CORESIGHT) {
		stripped = strip_blocks(bytes, n);
		bytes = stripped->data;
		n = stripped->len;
	} else if (buffer->format == SNAPSHOT_FORMAT_CORESIGHT) {
		n -= n % 16;
	}
	while (at < n) {
		const ocsd_datapath_resp_t response =
			ocsd_dt_process_data(tree, OCSD_OP_DATA, (ocsd_trc_index_t)at,
		                             (uint32_t)MIN(n - at, 1 << 16), bytes + at, &used);

		if (OCSD_DATA_RESP_IS_FATAL(response) || used == 0)
			break;
		at += used;
	}
	ocsd_dt_process_data(tree, OCSD_OP_EOT, 0, 0, NULL, &used);
}

GPtrArray *reference_packets(const struct snapshot *snapshot, const struct snapshot_source *source)
{
	const struct snapshot_buffer *buffer = &snapshot->buffers[source->buffers[0]];
	const ocsd_etmv4_cfg config = configuration(source);
	struct packet_lines lines = { .lines = g_ptr_array_new_with_free_func(g_free) };
	dcd_tree_handle_t tree = make_tree(buffer);
	unsigned char trace_id = 0;
	union {
		FnDefPktDataMon function;
		void *data;
	} callback = { .function = on_packet };

	g_assert_cmpint(ocsd_dt_create_decoder(tree, OCSD_BUILTIN_DCD_ETMV4I,
	                                       OCSD_CREATE_FLG_PACKET_PROC, &config, &trace_id),
	                ==, OCSD_OK);
	g_assert_cmpint(ocsd_dt_attach_packet_callback(tree, trace_id, OCSD_C_API_CB_PKT_MON,
	                                               callback.data, &lines),
	                ==, OCSD_OK);
	process(tree, buffer);
	ocsd_destroy_dcd_tree(tree);
	return lines.lines;
}

static ocsd_datapath_resp_t on_element(const void *user_data, const ocsd_trc_index_t index,
                                       const uint8_t trace_id,
                                       const ocsd_generic_trace_elem *element)
{
	GPtrArray *lines = (GPtrArray *)(gpointer)user_data;

	(void)trace_id;
	switch ((int)element->elem_type) {
	case OCSD_GEN_TRC_ELEM_PE_CONTEXT:
		add_line(lines, index, "CTX el%d %s vmid %x cid %x",
		         element->context.el_valid ? (int)element->context.exception_level : -1,
		         element->context.security_level == ocsd_sec_nonsecure ? "ns" : "s",
		         element->context.vmid_valid ? element->context.vmid : 0,
		         element->context.ctxt_id_valid ? element->context.context_id : 0);
		break;
	case OCSD_GEN_TRC_ELEM_EXCEPTION:
		add_line(lines, index, "EXC %u", element->exception_number);
		break;
	case OCSD_GEN_TRC_ELEM_EXCEPTION_RET:
		add_line(lines, index, "ERET");
		break;
	case OCSD_GEN_TRC_ELEM_TIMESTAMP:
		add_line(lines, index, "TS %" G_GUINT64_FORMAT, (guint64)element->timestamp);
		break;
	case OCSD_GEN_TRC_ELEM_CYCLE_COUNT:
		add_line(lines, index, "CC %u", element->cycle_count);
		break;
	case OCSD_GEN_TRC_ELEM_TRACE_ON:
		add_line(lines, index, "ON");
		break;
	default:
		break;
	}
	return OCSD_RESP_CONT;
}

static void add_images(dcd_tree_handle_t tree, const struct snapshot *snapshot,
                       const struct snapshot_source *source)
{
	static const guint8 nothing[4];
	const struct snapshot_device *core =
		source->core >= 0 ? snapshot->cores[source->core] : NULL;

	/* Without any image the full decoder refuses to begin. */
	ocsd_dt_add_buffer_mem_acc(tree, 0xfffffffffffff000, OCSD_MEM_SPACE_ANY, nothing,
	                           sizeof nothing);
	for (guint i = 0; core != NULL && i < core->n_dumps; i++) {
		const ocsd_file_mem_region_t region = { core->dumps[i].offset,
			                                core->dumps[i].address,
			                                core->dumps[i].length };

		if (core->dumps[i].has_length)
			ocsd_dt_add_binfile_region_mem_acc(tree, &region, 1, OCSD_MEM_SPACE_ANY,
			                                   core->dumps[i].path);
		else
			ocsd_dt_add_binfile_mem_acc(tree, core->dumps[i].address,
			                            OCSD_MEM_SPACE_ANY, core->dumps[i].path);
	}
}

GPtrArray *reference_elements(const struct snapshot *snapshot, const struct snapshot_source *source)
{
	const struct snapshot_buffer *buffer = &snapshot->buffers[source->buffers[0]];
	const ocsd_etmv4_cfg config = configuration(source);
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
	dcd_tree_handle_t tree = make_tree(buffer);
	unsigned char trace_id = 0;

	g_assert_cmpint(ocsd_dt_create_decoder(tree, OCSD_BUILTIN_DCD_ETMV4I,
	                                       OCSD_CREATE_FLG_FULL_DECODER, &config, &trace_id),
	                ==, OCSD_OK);
	ocsd_dt_set_gen_elem_outfn(tree, on_element, lines);
	add_images(tree, snapshot, source);
	process(tree, buffer);
	ocsd_destroy_dcd_tree(tree);
	return lines;
}

/* Our side. */

static void engine_context_line(GPtrArray *lines, const struct trace_event *event)
{
	const struct trace_context *context = &event->context;
	g_autofree char *address =
		event->kind == EVENT_ADDRESS_CONTEXT
			? g_strdup_printf(" at %" G_GINT64_MODIFIER "x", event->address_va)
			: g_strdup("");

	add_line(lines, event->offset, "CTX el%u %s vmid %x cid %x%s", context->el,
	         context->secure ? "s" : "ns", context->vmid, context->context_id, address);
}

static void on_event(const struct trace_event *event, gpointer user_data)
{
	GPtrArray *lines = user_data;

	switch (event->kind) {
	case EVENT_CONTEXT:
	case EVENT_ADDRESS_CONTEXT:
		engine_context_line(lines, event);
		break;
	case EVENT_EXCEPTION:
		add_line(lines, event->offset, "EXC %u", event->exception.type);
		break;
	case EVENT_EXCEPTION_RETURN:
		add_line(lines, event->offset, "ERET");
		break;
	case EVENT_TIMESTAMP:
		add_line(lines, event->offset, "TS %" G_GUINT64_FORMAT, event->timestamp.ticks);
		break;
	case EVENT_CYCLES:
		add_line(lines, event->offset, "CC %u", event->cycles.count);
		break;
	case EVENT_TRACE_ON:
		add_line(lines, event->offset, "ON");
		break;
	case EVENT_OVERFLOW:
		add_line(lines, event->offset, "OVERFLOW");
		break;
	case EVENT_DISCARD:
		add_line(lines, event->offset, "DISCARD");
		break;
	case EVENT_BAD_DATA:
		add_line(lines, event->offset, "BAD");
		break;
	default:
		break;
	}
}

static gboolean on_bytes(const guint8 *bytes, const guint64 *offsets, gsize n, gpointer user_data)
{
	struct engine *engine = user_data;

	return engine->class->push(engine, bytes, offsets, n, NULL);
}

static gboolean on_barrier(guint64 offset, gpointer user_data)
{
	struct engine *engine = user_data;

	return engine->class->barrier(engine, offset, NULL);
}

GPtrArray *engine_lines(const struct snapshot *snapshot, const struct snapshot_source *source)
{
	const struct snapshot_buffer *buffer = &snapshot->buffers[source->buffers[0]];
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	g_autoptr(Engine) engine = engine_opencsd_new(source, on_event, lines, &error);
	const struct deframe_output output = { on_bytes, on_barrier, engine };
	g_autofree struct deframer *deframer = g_new(struct deframer, 1);
	g_autoptr(GMappedFile) file = snapshot_buffer_map(buffer, &error);
	enum deframe_format format = DEFRAME_NONE;
	const guint8 *bytes;
	guint8 trace_id = 0;
	gsize n;

	g_assert_no_error(error);
	bytes = (const guint8 *)g_mapped_file_get_contents(file);
	n = g_mapped_file_get_length(file);
	if (buffer->format == SNAPSHOT_FORMAT_CORESIGHT)
		format = DEFRAME_FRAMES;
	else if (buffer->format == SNAPSHOT_FORMAT_DSTREAM_CORESIGHT)
		format = deframe_probe_format(bytes, n);
	snapshot_source_trace_id(source, &trace_id);
	deframer_init(deframer, format, trace_id, &output);
	/* In odd pieces: no split may matter. */
	for (gsize at = 0; at < n; at += 4080)
		g_assert_true(deframer_push(deframer, bytes + at, MIN(4080, n - at), at));
	g_assert_true(deframer_flush(deframer));
	g_assert_true(engine->class->end(engine, n, &error));
	return lines;
}
