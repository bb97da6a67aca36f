/* What the STP encoder writes, OpenCSD's packet processor must read back. */
#include "capture/stp-encoder.h"
#include "tests/synth/opencsd-packets.h"

/* What one packet says. Control packets that only set master and channel are not
 * listed: their effect shows in the data that follows. */
struct message {
	ocsd_stm_pkt_type type;
	guint8 master;
	guint16 channel;
	guint64 value;
	gboolean marked;
	gboolean has_timestamp;
	guint64 timestamp;
};

struct stream {
	struct stp_encoder encoder;
	guint64 timestamp_mask;
	GByteArray *bytes;
	GArray *expected; /* struct message */
	GArray *decoded;
	guint types[STM_PKT_RESERVED + 1];
};

/* g_assert_cmpmem mixes int and size_t, which the warnings of this project refuse. */
static void assert_bytes(const guint8 *got, gsize got_bytes, const guint8 *want, gsize want_bytes)
{
	g_assert_cmpuint(got_bytes, ==, want_bytes);
	for (gsize i = 0; i < got_bytes; i++)
		g_assert_cmphex(got[i], ==, want[i]);
}

static void on_bytes(void *data, const uint8_t *bytes, size_t len_bytes)
{
	g_byte_array_append(data, bytes, (guint)len_bytes);
}

static void on_packet(gpointer data, ocsd_trc_index_t index, const void *opaque)
{
	struct stream *stream = data;
	const ocsd_stm_pkt *packet = opaque;
	struct message message = {
		.type = packet->type,
		.master = packet->master,
		.channel = packet->channel,
		.marked = packet->pkt_has_marker,
		.has_timestamp = packet->pkt_has_ts,
		.timestamp = packet->pkt_has_ts ? packet->timestamp : 0,
	};

	(void)index;
	stream->types[packet->type]++;
	switch (packet->type) {
	case STM_PKT_M8:
	case STM_PKT_C8:
	case STM_PKT_C16:
	case STM_PKT_NULL:
		return;
	case STM_PKT_D4:
	case STM_PKT_D8:
	case STM_PKT_TRIG:
	case STM_PKT_MERR:
	case STM_PKT_GERR:
	case STM_PKT_VERSION:
		message.value = packet->payload.D8;
		break;
	case STM_PKT_D16:
		message.value = packet->payload.D16;
		break;
	case STM_PKT_D32:
	case STM_PKT_FREQ:
		message.value = packet->payload.D32;
		break;
	case STM_PKT_D64:
		message.value = packet->payload.D64;
		break;
	default:
		break;
	}
	g_array_append_val(stream->decoded, message);
}

/* Master and channel are not compared where the packet belongs to no channel. */
static gboolean has_channel(ocsd_stm_pkt_type type)
{
	return type >= STM_PKT_FLAG && type <= STM_PKT_D64;
}

static void assert_message(const struct message *want, const struct message *got)
{
	g_assert_cmpint(want->type, ==, got->type);
	g_assert_cmphex(want->value, ==, got->value);
	g_assert_cmpint(want->marked, ==, got->marked);
	g_assert_cmpint(want->has_timestamp, ==, got->has_timestamp);
	g_assert_cmphex(want->timestamp, ==, got->timestamp);
	if (has_channel(want->type)) {
		g_assert_cmpuint(want->master, ==, got->master);
		g_assert_cmpuint(want->channel, ==, got->channel);
	}
}

static void expect(struct stream *stream, const struct message *message)
{
	g_array_append_vals(stream->expected, message, 1);
}

static void step_data(struct stream *stream, GRand *random, guint8 master, guint16 channel,
                      guint64 timestamp)
{
	static const guint sizes[] = { 4, 8, 16, 32, 64 };
	static const ocsd_stm_pkt_type types[] = { STM_PKT_D4, STM_PKT_D8, STM_PKT_D16, STM_PKT_D32,
		                                   STM_PKT_D64 };
	const guint size = (guint)g_rand_int_range(random, 0, G_N_ELEMENTS(sizes));
	const guint64 value = (guint64)g_rand_int(random) << 32 | g_rand_int(random);
	const struct stp_data data = {
		.master = master,
		.channel = channel,
		.bits = sizes[size],
		.value = value,
		.marked = g_rand_boolean(random) != FALSE,
		.has_timestamp = g_rand_boolean(random) != FALSE,
		.timestamp = timestamp,
	};

	g_assert_true(stp_encoder_data(&stream->encoder, &data));
	expect(stream,
	       &(struct message) {
		       .type = types[size],
		       .master = master,
		       .channel = channel,
		       .value = sizes[size] == 64
	                                ? value
	                                : value & ((G_GUINT64_CONSTANT(1) << sizes[size]) - 1),
		       .marked = data.marked,
		       .has_timestamp = data.has_timestamp,
		       .timestamp = data.has_timestamp ? timestamp : 0,
	       });
}

static void step_other(struct stream *stream, GRand *random, guint8 master, guint16 channel,
                       guint64 timestamp)
{
	const guint8 value = (guint8)g_rand_int_range(random, 0, 256);
	const guint32 hz = g_rand_int(random);
	const gboolean timed = g_rand_boolean(random);
	struct message message = { .master = master, .channel = channel };

	switch (g_rand_int_range(random, 0, 6)) {
	case 0:
		stp_encoder_flag(&stream->encoder, master, channel, timed ? &timestamp : NULL);
		message.type = STM_PKT_FLAG;
		message.has_timestamp = timed;
		message.timestamp = timed ? timestamp : 0;
		break;
	case 1:
		stp_encoder_trigger(&stream->encoder, value, timed ? &timestamp : NULL);
		message.type = STM_PKT_TRIG;
		message.value = value;
		message.has_timestamp = timed;
		message.timestamp = timed ? timestamp : 0;
		break;
	case 2:
		stp_encoder_frequency(&stream->encoder, hz);
		message.type = STM_PKT_FREQ;
		message.value = hz;
		break;
	case 3:
		stp_encoder_master_error(&stream->encoder, value);
		message.type = STM_PKT_MERR;
		message.value = value;
		break;
	case 4:
		stp_encoder_global_error(&stream->encoder, value);
		message.type = STM_PKT_GERR;
		message.value = value;
		break;
	default:
		stp_encoder_null(&stream->encoder);
		return;
	}
	expect(stream, &message);
}

static void step_sync(struct stream *stream)
{
	stp_encoder_sync(&stream->encoder);
	expect(stream, &(struct message) { .type = STM_PKT_ASYNC });
	expect(stream,
	       &(struct message) { .type = STM_PKT_VERSION, .value = stream->encoder.timestamps });
}

static void walk(struct stream *stream, GRand *random, guint n_steps)
{
	guint8 master = 0;
	guint16 channel = 0;
	guint64 timestamp = g_rand_int(random) & stream->timestamp_mask;

	step_sync(stream);
	for (guint i = 0; i < n_steps; i++) {
		if (g_rand_int_range(random, 0, 20) == 0)
			master = (guint8)g_rand_int_range(random, 0, 256);
		if (g_rand_int_range(random, 0, 5) == 0)
			channel = (guint16)g_rand_int_range(random, 0, 65536);
		else if (g_rand_int_range(random, 0, 5) == 0)
			channel ^= 5;
		if (g_rand_int_range(random, 0, 30) == 0)
			timestamp = ((guint64)g_rand_int(random) << 32 | g_rand_int(random)) >>
			            g_rand_int_range(random, 0, 64);
		else
			timestamp += g_rand_int(random) & 0xFFFF;
		timestamp &= stream->timestamp_mask;

		if (g_rand_int_range(random, 0, 300) == 0)
			step_sync(stream);
		else if (g_rand_int_range(random, 0, 8) == 0)
			step_other(stream, random, master, channel, timestamp);
		else
			step_data(stream, random, master, channel, timestamp);
	}
	stp_encoder_flush(&stream->encoder);
}

static void test_random(gconstpointer data)
{
	const enum stp_timestamps timestamps = (enum stp_timestamps)GPOINTER_TO_INT(data);
	guint types[STM_PKT_RESERVED + 1] = { 0 };
	const ocsd_stm_cfg config = { .reg_tcsr = 0x200005 };

	for (guint32 seed = 0; seed < 50; seed++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed);
		struct stream stream = {
			/* OpenCSD 1.3.3 loses the upper half of Gray timestamps. */
			.timestamp_mask =
				timestamps == STP_TIMESTAMPS_GRAY ? G_MAXINT32 : G_MAXUINT64,
			.bytes = g_byte_array_new(),
			.expected = g_array_new(FALSE, FALSE, sizeof(struct message)),
			.decoded = g_array_new(FALSE, FALSE, sizeof(struct message)),
		};

		stp_encoder_init(&stream.encoder, timestamps, on_bytes, stream.bytes);
		walk(&stream, random, 3000);
		g_assert_cmpuint(stream.encoder.written_bytes, ==, stream.bytes->len);
		opencsd_packets(OPENCSD_RAW, OCSD_BUILTIN_DCD_STM, &config, stream.bytes, 0,
		                on_packet, &stream);
		for (guint i = 0; i < MIN(stream.expected->len, stream.decoded->len); i++)
			assert_message(&g_array_index(stream.expected, struct message, i),
			               &g_array_index(stream.decoded, struct message, i));
		g_assert_cmpuint(stream.expected->len, ==, stream.decoded->len);
		for (guint i = 0; i < G_N_ELEMENTS(types); i++)
			types[i] += stream.types[i];
		g_byte_array_unref(stream.bytes);
		g_array_unref(stream.expected);
		g_array_unref(stream.decoded);
	}
	for (guint type = STM_PKT_ASYNC; type <= STM_PKT_D64; type++)
		g_assert_cmpuint(types[type], >, 0);
	g_assert_cmpuint(types[STM_PKT_BAD_SEQUENCE] + types[STM_PKT_RESERVED] +
	                         types[STM_PKT_NOTSYNC] + types[STM_PKT_INCOMPLETE_EOT],
	                 ==, 0);
}

static void test_sizes(void)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct stp_encoder encoder;
	const struct stp_data data = { .bits = 24 };

	stp_encoder_init(&encoder, STP_TIMESTAMPS_BINARY, on_bytes, bytes);
	g_assert_false(stp_encoder_data(&encoder, &data));
	g_assert_cmpuint(bytes->len, ==, 0);
}

/* Nibbles by hand from MIPI STP v2: D32MTS on master 0x41, channel 3. */
static void test_bytes(void)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct stp_encoder encoder;
	const struct stp_data data = { .master = 0x41,
		                       .channel = 3,
		                       .bits = 32,
		                       .value = 0x12345678,
		                       .marked = true,
		                       .has_timestamp = true,
		                       .timestamp = 0xABC };
	/* Packets: M8 1 41, C16 F3 is not needed as the upper byte is 0: C8 3 03,
	 * D32MTS A 12345678, timestamp of 3 nibbles 3 ABC. */
	static const guint8 want[] = { 0x41, 0x31, 0x30, 0x1A, 0x32, 0x54, 0x76, 0x38, 0xBA, 0x0C };

	stp_encoder_init(&encoder, STP_TIMESTAMPS_BINARY, on_bytes, bytes);
	g_assert_true(stp_encoder_data(&encoder, &data));
	stp_encoder_flush(&encoder);
	assert_bytes(bytes->data, bytes->len, want, sizeof want);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/stp-encoder/random-binary", GINT_TO_POINTER(STP_TIMESTAMPS_BINARY),
	                     test_random);
	g_test_add_data_func("/stp-encoder/random-gray", GINT_TO_POINTER(STP_TIMESTAMPS_GRAY),
	                     test_random);
	g_test_add_func("/stp-encoder/sizes", test_sizes);
	g_test_add_func("/stp-encoder/bytes", test_bytes);
	return g_test_run();
}
