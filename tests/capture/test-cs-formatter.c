/* Several sources through the formatter: OpenCSD must read from the frames the very
 * packets it reads from each source's own bytes. */
#include <string.h>

#include "capture/cs-formatter.h"
#include "capture/stp-encoder.h"
#include "tests/synth/opencsd-packets.h"

enum {
	N_ETMS = 3,
	STM_ID = 0x20,
	FIRST_ETM_ID = 0x10
};

static const struct etm4_registers registers = {
	.configr = ETM4_CONFIGR_ALWAYS | ETM4_CONFIGR_CID | ETM4_CONFIGR_VMID | ETM4_CONFIGR_TS,
	.idr0 = ETM4_A53_IDR0,
	.idr1 = ETM4_A53_IDR1,
	.idr2 = ETM4_A53_IDR2,
};

/* g_assert_cmpmem mixes int and size_t, which the warnings of this project refuse. */
static void assert_bytes(const guint8 *got, gsize got_bytes, const guint8 *want, gsize want_bytes)
{
	g_assert_cmpuint(got_bytes, ==, want_bytes);
	for (gsize i = 0; i < got_bytes; i++)
		g_assert_cmphex(got[i], ==, want[i]);
}

static void append(void *data, const uint8_t *bytes, size_t len_bytes)
{
	g_byte_array_append(data, bytes, (guint)len_bytes);
}

static GByteArray *random_etm(GRand *random, guint n_packets)
{
	GByteArray *bytes = g_byte_array_new();
	struct etm4_encoder encoder;
	guint64 timestamp = 1;

	etm4_encoder_init(&encoder, &registers, append, bytes);
	for (guint i = 0; i < n_packets; i++) {
		const struct etm4_context context = { (guint8)(i % 3), true, true, i % 5, i };

		if (i % 500 == 0)
			etm4_encoder_sync(&encoder);
		etm4_encoder_atom(&encoder, g_rand_boolean(random) != FALSE);
		etm4_encoder_address(&encoder, g_rand_int(random) & ~3u, ETM4_IS0);
		if (i % 7 == 0)
			etm4_encoder_context(&encoder, &context);
		if (i % 11 == 0)
			etm4_encoder_timestamp(&encoder, timestamp += g_rand_int(random) & 0xFFF);
	}
	etm4_encoder_flush(&encoder);
	return bytes;
}

static GByteArray *random_stm(GRand *random, guint n_packets)
{
	GByteArray *bytes = g_byte_array_new();
	struct stp_encoder encoder;

	stp_encoder_init(&encoder, STP_TIMESTAMPS_BINARY, append, bytes);
	for (guint i = 0; i < n_packets; i++) {
		const struct stp_data data = { .master = (guint8)(i / 100),
			                       .channel = (guint16)(i % 9),
			                       .bits = 32,
			                       .value = g_rand_int(random),
			                       .has_timestamp = true,
			                       .timestamp = i };

		if (i % 300 == 0)
			stp_encoder_sync(&encoder);
		stp_encoder_data(&encoder, &data);
	}
	stp_encoder_flush(&encoder);
	return bytes;
}

struct listing {
	ocsd_trace_protocol_t protocol;
	GPtrArray *packets; /* of char * */
	GArray *indexes;    /* of guint */
};

static void list_packet(gpointer data, ocsd_trc_index_t index, const void *packet)
{
	struct listing *listing = data;
	const guint at = (guint)index;
	char text[512];

	/* OpenCSD's STM says "not synchronised" where a block of frames ends within the
	 * first ASYNC. */
	if (listing->protocol == OCSD_PROTOCOL_STM && listing->packets->len == 0 &&
	    ((const ocsd_stm_pkt *)packet)->type == STM_PKT_NOTSYNC)
		return;
	g_assert_cmpint(ocsd_pkt_str(listing->protocol, packet, text, sizeof text), ==, OCSD_OK);
	g_ptr_array_add(listing->packets, g_strdup(text));
	g_array_append_val(listing->indexes, at);
}

static struct listing list_packets(enum opencsd_input input, guint8 id, const GByteArray *bytes)
{
	struct listing listing = {
		.protocol = id == STM_ID ? OCSD_PROTOCOL_STM : OCSD_PROTOCOL_ETMV4I,
		.packets = g_ptr_array_new_with_free_func(g_free),
		.indexes = g_array_new(FALSE, FALSE, sizeof(guint)),
	};

	if (id == STM_ID) {
		const ocsd_stm_cfg config = { .reg_tcsr = (guint32)id << 16 | 5 };

		opencsd_packets(input, OCSD_BUILTIN_DCD_STM, &config, bytes, 0, list_packet,
		                &listing);
	} else {
		const ocsd_etmv4_cfg config = opencsd_etm4_config(&registers, id);

		opencsd_packets(input, OCSD_BUILTIN_DCD_ETMV4I, &config, bytes, 0, list_packet,
		                &listing);
	}
	return listing;
}

static void listing_deinit(struct listing *listing)
{
	g_ptr_array_unref(listing->packets);
	g_array_unref(listing->indexes);
}

static void assert_same_packets(enum opencsd_input input, guint8 id, const GByteArray *own,
                                const GByteArray *frames)
{
	struct listing want = list_packets(OPENCSD_RAW, id, own);
	struct listing got = list_packets(input, id, frames);

	g_assert_cmpuint(want.packets->len, >, 100);
	for (guint i = 0; i < MIN(want.packets->len, got.packets->len); i++)
		g_assert_cmpstr(want.packets->pdata[i], ==, got.packets->pdata[i]);
	g_assert_cmpuint(want.packets->len, ==, got.packets->len);
	listing_deinit(&want);
	listing_deinit(&got);
}

/* All sources into one buffer, in random pieces, with random flushes. */
static GByteArray *interleave(GRand *random, const struct cs_formatter_options *options,
                              GByteArray *const *sources, const guint8 *ids, guint n_sources)
{
	GByteArray *frames = g_byte_array_new();
	struct cs_formatter formatter;
	g_autofree guint *at = g_new0(guint, n_sources);
	guint left = 0;

	for (guint i = 0; i < n_sources; i++)
		left += sources[i]->len;
	cs_formatter_init(&formatter, options, append, frames);
	while (left > 0) {
		const guint i = (guint)g_rand_int_range(random, 0, (gint32)n_sources);
		const guint want = (guint)g_rand_int_range(random, 1, 40);
		const guint n = MIN(want, sources[i]->len - at[i]);

		cs_formatter_write(&formatter, ids[i], sources[i]->data + at[i], n);
		at[i] += n;
		left -= n;
		if (g_rand_int_range(random, 0, 50) == 0)
			cs_formatter_flush(&formatter);
	}
	cs_formatter_flush(&formatter);
	g_assert_cmpuint(formatter.written_bytes, ==, frames->len);
	return frames;
}

static void run(enum opencsd_input input, const struct cs_formatter_options *options)
{
	for (guint32 seed = 0; seed < 10; seed++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed);
		GByteArray *sources[N_ETMS + 1];
		guint8 ids[N_ETMS + 1];

		for (guint i = 0; i < N_ETMS; i++) {
			ids[i] = (guint8)(FIRST_ETM_ID + i);
			sources[i] = random_etm(random, 2000);
		}
		ids[N_ETMS] = STM_ID;
		sources[N_ETMS] = random_stm(random, 1500);

		g_autoptr(GByteArray) frames =
			interleave(random, options, sources, ids, N_ETMS + 1);

		for (guint i = 0; i <= N_ETMS; i++)
			assert_same_packets(input, ids[i], sources[i], frames);
		for (guint i = 0; i <= N_ETMS; i++)
			g_byte_array_unref(sources[i]);
	}
}

static void test_frames(void)
{
	run(OPENCSD_FRAMES, NULL);
}

static void test_fsync(void)
{
	const struct cs_formatter_options options = { .fsync_frames = 7 };

	run(OPENCSD_FSYNC, &options);
}

static void test_hsync(void)
{
	const struct cs_formatter_options options = { .fsync_frames = 40, .hsync_halves = 5 };

	run(OPENCSD_HSYNC, &options);
}

/* Frames by hand from IHI 0029: an ID in its own place, an ID that waits for one more
 * byte of the old source, padding. */
static void test_bytes(void)
{
	static const guint8 a[] = { 0x01, 0x02, 0x03 };
	static const guint8 b[] = { 0xFF, 0xFE };
	static const guint8 want[CS_FRAME_BYTES] = {
		0x21, 0x01,             /* ID 0x10, 01 */
		0x23, 0x02,             /* ID 0x11 after the byte 02 */
		0xFE, 0x21,             /* FF (bit 0 in the last byte), then 21 as data */
		0x01, 0xFE,             /* ID 0 after FE */
		0x00, 0x00, 0x00, 0x00, /* padding */
		0x00, 0x00, 0x00, 0x0E, /* auxiliary: places 1, 2 and 3 */
	};
	g_autoptr(GByteArray) frames = g_byte_array_new();
	struct cs_formatter formatter;

	cs_formatter_init(&formatter, NULL, append, frames);
	cs_formatter_flush(&formatter);
	g_assert_cmpuint(frames->len, ==, 0);
	cs_formatter_write(&formatter, 0x10, a, 2);
	cs_formatter_write(&formatter, 0x11, b, 1);
	cs_formatter_write(&formatter, 0x11, (const guint8[]) { 0x21 }, 1);
	cs_formatter_write(&formatter, 0x11, b + 1, 1);
	g_assert_cmpuint(cs_formatter_position(&formatter), ==, 7);
	cs_formatter_flush(&formatter);
	assert_bytes(frames->data, frames->len, want, sizeof want);
}

/* The place a packet is said to stand in is in the frame where OpenCSD finds it. */
static void test_position(void)
{
	g_autoptr(GByteArray) frames = g_byte_array_new();
	g_autoptr(GArray) positions = g_array_new(FALSE, FALSE, sizeof(guint64));
	struct cs_formatter formatter;
	guint8 packet[] = { 0x95, 0x11 };
	static const guint8 async[12] = { [11] = 0x80 };
	static const guint8 noise[] = { 1, 2, 3 };

	cs_formatter_init(&formatter, NULL, append, frames);
	for (guint i = 0; i < 300; i++) {
		const guint64 position = cs_formatter_position(&formatter);

		g_array_append_val(positions, position);
		if (i == 0)
			cs_formatter_write(&formatter, FIRST_ETM_ID, async, sizeof async);
		else
			cs_formatter_write(&formatter, FIRST_ETM_ID, packet, sizeof packet);
		cs_formatter_write(&formatter, 0x30, noise, i % 4);
	}
	cs_formatter_flush(&formatter);

	struct listing got = list_packets(OPENCSD_FRAMES, FIRST_ETM_ID, frames);

	g_assert_cmpuint(got.indexes->len, ==, positions->len);
	for (guint i = 0; i < positions->len; i++) {
		const gint64 want = (gint64)g_array_index(positions, guint64, i);
		const gint64 found = g_array_index(got.indexes, guint, i);

		/* OpenCSD counts from the pair in which the source's bytes begin, without the
		 * IDs among them. */
		g_assert_cmpint(ABS(found - want), <=, 3);
	}
	listing_deinit(&got);
}

static void test_barrier(void)
{
	g_autoptr(GByteArray) frames = g_byte_array_new();
	static const guint8 byte[] = { 0x77 };
	struct cs_formatter formatter;

	cs_formatter_init(&formatter, NULL, append, frames);
	cs_formatter_write(&formatter, FIRST_ETM_ID, byte, 1);
	cs_formatter_barrier(&formatter);
	cs_formatter_write(&formatter, FIRST_ETM_ID, byte, 1);
	cs_formatter_flush(&formatter);
	g_assert_cmpuint(frames->len, ==, 48);
	for (guint i = 0; i < 4; i++)
		assert_bytes(frames->data + 16 + 4 * i, 4,
		             (const guint8[]) { 0xFF, 0xFF, 0xFF, 0x7F }, 4);
	assert_bytes(frames->data, 16, frames->data + 32, 16);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cs-formatter/frames", test_frames);
	g_test_add_func("/cs-formatter/fsync", test_fsync);
	g_test_add_func("/cs-formatter/hsync", test_hsync);
	g_test_add_func("/cs-formatter/bytes", test_bytes);
	g_test_add_func("/cs-formatter/position", test_position);
	g_test_add_func("/cs-formatter/barrier", test_barrier);
	return g_test_run();
}
