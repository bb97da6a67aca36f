#include "tests/synth/opencsd-packets.h"

struct sink {
	opencsd_packet_fn packet;
	gpointer data;
};

static ocsd_datapath_resp_t on_packet(const void *context, const ocsd_datapath_op_t op,
                                      const ocsd_trc_index_t index, const void *packet)
{
	const struct sink *sink = context;

	if (op == OCSD_OP_DATA)
		sink->packet(sink->data, index, packet);
	return OCSD_RESP_CONT;
}

ocsd_etmv4_cfg opencsd_etm4_config(const struct etm4_registers *registers, guint8 trace_id)
{
	return (ocsd_etmv4_cfg) {
		.reg_idr0 = registers->idr0,
		.reg_idr1 = registers->idr1,
		.reg_idr2 = registers->idr2,
		.reg_idr8 = registers->idr8,
		.reg_configr = registers->configr,
		.reg_traceidr = trace_id,
		.arch_ver = ARCH_V8,
		.core_prof = profile_CortexA,
	};
}

static guint32 deformatter_flags(enum opencsd_input input)
{
	switch (input) {
	case OPENCSD_RAW:
		return 0;
	case OPENCSD_FRAMES:
		return OCSD_DFRMTR_FRAME_MEM_ALIGN;
	case OPENCSD_FSYNC:
		return OCSD_DFRMTR_HAS_FSYNCS;
	case OPENCSD_HSYNC:
		return OCSD_DFRMTR_HAS_FSYNCS | OCSD_DFRMTR_HAS_HSYNCS;
	}
	g_assert_not_reached();
}

static void feed(dcd_tree_handle_t tree, const GByteArray *bytes, guint block_bytes)
{
	guint at = 0;

	while (at < bytes->len) {
		const guint left = bytes->len - at;
		const guint size = block_bytes == 0 ? left : MIN(block_bytes, left);
		guint32 used = 0;
		const ocsd_datapath_resp_t response =
			ocsd_dt_process_data(tree, OCSD_OP_DATA, at, size, bytes->data + at, &used);

		g_assert_cmpint(response, ==, OCSD_RESP_CONT);
		g_assert_cmpuint(used, >, 0);
		at += used;
	}
	g_assert_cmpint(ocsd_dt_process_data(tree, OCSD_OP_EOT, at, 0, NULL, NULL), ==,
	                OCSD_RESP_CONT);
}

void opencsd_packets(enum opencsd_input input, const char *decoder, const void *config,
                     const GByteArray *bytes, guint block_bytes, opencsd_packet_fn packet,
                     gpointer data)
{
	struct sink sink = { .packet = packet, .data = data };
	dcd_tree_handle_t tree = ocsd_create_dcd_tree(
		input == OPENCSD_RAW ? OCSD_TRC_SRC_SINGLE : OCSD_TRC_SRC_FRAME_FORMATTED,
		deformatter_flags(input));
	guint8 id = 0;

	g_assert_nonnull(tree);
	g_assert_cmpint(
		ocsd_dt_create_decoder(tree, decoder, OCSD_CREATE_FLG_PACKET_PROC, config, &id), ==,
		OCSD_OK);
	g_assert_cmpint(ocsd_dt_attach_packet_callback(tree, id, OCSD_C_API_CB_PKT_SINK,
	                                               G_GNUC_EXTENSION(gpointer) on_packet, &sink),
	                ==, OCSD_OK);
	feed(tree, bytes, block_bytes);
	ocsd_destroy_dcd_tree(tree);
}
