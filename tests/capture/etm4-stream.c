#include "tests/capture/etm4-stream.h"

#include <string.h>

static void on_bytes(void *data, const uint8_t *bytes, size_t len_bytes)
{
	struct stream *stream = data;
	const guint start = stream->bytes->len;

	g_array_append_val(stream->starts, start);
	stream->seen[bytes[0]]++;
	g_byte_array_append(stream->bytes, bytes, (guint)len_bytes);
}

void stream_init(struct stream *stream, const struct etm4_registers *registers)
{
	memset(stream, 0, sizeof *stream);
	stream->registers = *registers;
	stream->bytes = g_byte_array_new();
	stream->starts = g_array_new(FALSE, FALSE, sizeof(guint));
	stream->indexes = g_array_new(FALSE, FALSE, sizeof(guint));
	stream->expected = g_array_new(FALSE, FALSE, sizeof(struct element));
	stream->decoded = g_array_new(FALSE, FALSE, sizeof(struct element));
	etm4_encoder_init(&stream->encoder, registers, on_bytes, stream);
}

void stream_deinit(struct stream *stream)
{
	g_byte_array_unref(stream->bytes);
	g_array_unref(stream->starts);
	g_array_unref(stream->indexes);
	g_array_unref(stream->expected);
	g_array_unref(stream->decoded);
}

void element_add(GArray *elements, enum element_kind kind, guint64 a, guint64 b, guint64 c,
                 guint64 d, guint64 e)
{
	const struct element element = { kind, { a, b, c, d, e } };

	g_array_append_val(elements, element);
}

void element_add_plain(GArray *elements, ocsd_etmv4_i_pkt_type type)
{
	element_add(elements, ELEMENT_PLAIN, type, 0, 0, 0, 0);
}

static void decode_cycles(struct stream *stream, const ocsd_etmv4_i_pkt *packet)
{
	const bool commit = packet->pkt_valid.bits.commit_elem_valid;

	element_add(stream->decoded, ELEMENT_CYCLES, packet->cycle_count, commit,
	            commit ? packet->commit_elements : 0, 0, 0);
}

static void decode_address(struct stream *stream, const ocsd_etmv4_i_pkt *packet)
{
	element_add(stream->decoded, ELEMENT_ADDRESS, packet->v_addr.val, packet->v_addr_ISA, 0, 0,
	            0);
}

static void decode_context(struct stream *stream, const ocsd_etmv4_i_pkt *packet)
{
	g_assert_true(packet->pkt_valid.bits.context_valid);
	/* OpenCSD leaves what is never traced uninitialised. */
	element_add(stream->decoded, ELEMENT_CONTEXT, packet->context.EL, packet->context.SF,
	            packet->context.NS,
	            etm4_registers_vmid_bytes(&stream->registers) > 0 ? packet->context.VMID : 0,
	            etm4_registers_context_id_bytes(&stream->registers) > 0 ? packet->context.ctxtID
	                                                                    : 0);
}

static void decode_position(struct stream *stream, const ocsd_etmv4_i_pkt *packet)
{
	switch ((int)packet->type) {
	case ETM4_PKT_I_ADDR_CTXT_L_32IS0:
	case ETM4_PKT_I_ADDR_CTXT_L_32IS1:
	case ETM4_PKT_I_ADDR_CTXT_L_64IS0:
	case ETM4_PKT_I_ADDR_CTXT_L_64IS1:
		decode_address(stream, packet);
		decode_context(stream, packet);
		break;
	case ETM4_PKT_I_CTXT:
		decode_context(stream, packet);
		break;
	case ETM4_PKT_I_ADDR_MATCH:
	case ETM4_PKT_I_ADDR_S_IS0:
	case ETM4_PKT_I_ADDR_S_IS1:
	case ETM4_PKT_I_ADDR_L_32IS0:
	case ETM4_PKT_I_ADDR_L_32IS1:
	case ETM4_PKT_I_ADDR_L_64IS0:
	case ETM4_PKT_I_ADDR_L_64IS1:
		decode_address(stream, packet);
		break;
	default:
		element_add_plain(stream->decoded, packet->type);
	}
}

static void on_packet(gpointer data, ocsd_trc_index_t index, const void *opaque)
{
	struct stream *stream = data;
	const ocsd_etmv4_i_pkt *packet = opaque;
	const guint start = (guint)index;

	g_array_append_val(stream->indexes, start);
	switch ((int)packet->type) {
	case ETM4_PKT_I_ATOM_F1:
	case ETM4_PKT_I_ATOM_F2:
	case ETM4_PKT_I_ATOM_F3:
	case ETM4_PKT_I_ATOM_F4:
	case ETM4_PKT_I_ATOM_F5:
	case ETM4_PKT_I_ATOM_F6:
		for (guint i = 0; i < packet->atom.num; i++)
			element_add(stream->decoded, ELEMENT_ATOM, packet->atom.En_bits >> i & 1, 0,
			            0, 0, 0);
		break;
	case ETM4_PKT_I_EXCEPT:
		element_add(stream->decoded, ELEMENT_EXCEPTION,
		            packet->exception_info.exceptionType,
		            packet->exception_info.addr_interp, 0, 0, 0);
		break;
	case ETM4_PKT_I_TIMESTAMP:
		element_add(stream->decoded, ELEMENT_TIMESTAMP, packet->ts.timestamp,
		            packet->pkt_valid.bits.cc_valid,
		            packet->pkt_valid.bits.cc_valid ? packet->cycle_count : 0, 0, 0);
		break;
	case ETM4_PKT_I_CCNT_F1:
	case ETM4_PKT_I_CCNT_F2:
	case ETM4_PKT_I_CCNT_F3:
		decode_cycles(stream, packet);
		break;
	case ETM4_PKT_I_TRACE_INFO:
		element_add(stream->decoded, ELEMENT_TRACE_INFO, packet->trace_info.val,
		            packet->pkt_valid.bits.cc_thresh_valid ? packet->cc_threshold : 0, 0, 0,
		            0);
		break;
	case ETM4_PKT_I_EVENT:
		element_add(stream->decoded, ELEMENT_EVENT, packet->event_val, 0, 0, 0, 0);
		break;
	case ETM4_PKT_I_COMMIT:
		element_add(stream->decoded, ELEMENT_SPECULATION, packet->type,
		            packet->commit_elements, 0, 0, 0);
		break;
	case ETM4_PKT_I_CANCEL_F1:
	case ETM4_PKT_I_CANCEL_F1_MISPRED:
		element_add(stream->decoded, ELEMENT_SPECULATION, packet->type,
		            packet->cancel_elements, 0, 0, 0);
		break;
	default:
		decode_position(stream, packet);
	}
}

static char *element_to_string(const struct element *element)
{
	GString *text = g_string_new(NULL);

	g_string_printf(text, "kind %u:", (guint)element->kind);
	for (guint i = 0; i < G_N_ELEMENTS(element->values); i++)
		g_string_append_printf(text, " %#" G_GINT64_MODIFIER "x", element->values[i]);
	return g_string_free(text, FALSE);
}

/* Decodes all and compares. */
void stream_check(struct stream *stream, guint block_bytes)
{
	const ocsd_etmv4_cfg config = opencsd_etm4_config(&stream->registers, 0x10);

	etm4_encoder_flush(&stream->encoder);
	g_assert_cmpuint(stream->encoder.written_bytes, ==, stream->bytes->len);
	opencsd_packets(OPENCSD_RAW, OCSD_BUILTIN_DCD_ETMV4I, &config, stream->bytes, block_bytes,
	                on_packet, stream);
	for (guint i = 0; i < MIN(stream->expected->len, stream->decoded->len); i++) {
		const struct element *want = &g_array_index(stream->expected, struct element, i);
		const struct element *got = &g_array_index(stream->decoded, struct element, i);

		if (memcmp(want, got, sizeof *want) != 0) {
			g_autofree char *wrote = element_to_string(want);
			g_autofree char *read = element_to_string(got);

			g_error("element %u: wrote %s, OpenCSD read %s", i, wrote, read);
		}
	}
	g_assert_cmpuint(stream->expected->len, ==, stream->decoded->len);
	g_assert_cmpuint(stream->starts->len, ==, stream->indexes->len);
	for (guint i = 0; i < stream->starts->len; i++)
		g_assert_cmpuint(g_array_index(stream->starts, guint, i), ==,
		                 g_array_index(stream->indexes, guint, i));
}

void stream_expect_info(struct stream *stream)
{
	const bool cycles = (stream->registers.configr & ETM4_CONFIGR_CCI) != 0;

	element_add_plain(stream->expected, ETM4_PKT_I_ASYNC);
	element_add(stream->expected, ELEMENT_TRACE_INFO, cycles,
	            cycles ? stream->registers.cc_threshold : 0, 0, 0, 0);
}

guint32 stream_cut(guint32 value, guint n_bytes)
{
	return n_bytes >= 4 ? value : value & ((1u << (8 * n_bytes)) - 1);
}

void stream_expect_context(struct stream *stream, const struct etm4_context *context)
{
	element_add(stream->expected, ELEMENT_CONTEXT, context->el, context->aarch64,
	            context->non_secure,
	            stream_cut(context->vmid, etm4_registers_vmid_bytes(&stream->registers)),
	            stream_cut(context->context_id,
	                       etm4_registers_context_id_bytes(&stream->registers)));
}

void stream_expect_address(struct stream *stream, guint64 va, enum etm4_is is)
{
	element_add(stream->expected, ELEMENT_ADDRESS, va, is, 0, 0, 0);
}

/* Addresses near, far, seen just now, and across the upper half. */
