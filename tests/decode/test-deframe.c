/* Deframing against the project's own formatter: any bytes of any IDs, any split. */
#include "decode/deframe.h"

#include "capture/cs-formatter.h"

#include <string.h>

struct collected {
	GByteArray *bytes;
	GArray *offsets;
	guint barriers;
};

static void assert_same(const GByteArray *a, const GByteArray *b)
{
	g_assert_cmpuint(a->len, ==, b->len);
	g_assert_true(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static gboolean on_bytes(const guint8 *bytes, const guint64 *offsets, gsize n, gpointer user_data)
{
	struct collected *self = user_data;

	g_byte_array_append(self->bytes, bytes, (guint)n);
	g_array_append_vals(self->offsets, offsets, (guint)n);
	return TRUE;
}

static gboolean on_barrier(guint64 offset, gpointer user_data)
{
	(void)offset;
	((struct collected *)user_data)->barriers++;
	return TRUE;
}

static void collected_init(struct collected *self)
{
	self->bytes = g_byte_array_new();
	self->offsets = g_array_new(FALSE, FALSE, sizeof(guint64));
	self->barriers = 0;
}

static void collected_deinit(struct collected *self)
{
	g_byte_array_unref(self->bytes);
	g_array_unref(self->offsets);
}

static void deframe(struct collected *self, enum deframe_format format, guint8 trace_id,
                    const GByteArray *trace, gsize piece)
{
	const struct deframe_output output = { on_bytes, on_barrier, self };
	g_autofree struct deframer *deframer = g_new(struct deframer, 1);

	deframer_init(deframer, format, trace_id, &output);
	for (gsize at = 0; at < trace->len; at += piece)
		g_assert_true(
			deframer_push(deframer, trace->data + at, MIN(piece, trace->len - at), at));
	g_assert_true(deframer_flush(deframer));
}

static void sink(void *data, const uint8_t *bytes, size_t n)
{
	g_byte_array_append(data, bytes, (guint)n);
}

/* Random bytes of three IDs through the formatter; what each ID had, apart. */
static GByteArray *format_random(const struct cs_formatter_options *options,
                                 GByteArray *expected[3])
{
	GByteArray *trace = g_byte_array_new();
	struct cs_formatter formatter;

	cs_formatter_init(&formatter, options, sink, trace);
	for (gint n = g_test_rand_int_range(1, 60); n > 0; n--) {
		const guint id = (guint)g_test_rand_int_range(0, 3);
		guint8 bytes[40];
		const guint len = (guint)g_test_rand_int_range(1, sizeof bytes);

		for (guint i = 0; i < len; i++)
			bytes[i] = (guint8)g_test_rand_int_range(0, 256);
		g_byte_array_append(expected[id], bytes, len);
		cs_formatter_write(&formatter, (guint8)(0x10 + id), bytes, len);
	}
	cs_formatter_flush(&formatter);
	return trace;
}

static void check_round(const struct cs_formatter_options *options, enum deframe_format format)
{
	GByteArray *expected[3] = { g_byte_array_new(), g_byte_array_new(), g_byte_array_new() };
	g_autoptr(GByteArray) trace = format_random(options, expected);

	for (guint id = 0; id < 3; id++) {
		struct collected whole, pieces;

		collected_init(&whole);
		collected_init(&pieces);
		deframe(&whole, format, (guint8)(0x10 + id), trace, trace->len);
		deframe(&pieces, format, (guint8)(0x10 + id), trace,
		        format == DEFRAME_FRAMES ? 16 : 7);
		assert_same(whole.bytes, expected[id]);
		assert_same(pieces.bytes, expected[id]);
		g_assert_cmpuint(pieces.offsets->len, ==, whole.offsets->len);
		for (guint i = 0; i < whole.offsets->len; i++)
			g_assert_cmpuint(g_array_index(pieces.offsets, guint64, i), ==,
			                 g_array_index(whole.offsets, guint64, i));
		for (guint i = 1; i < whole.offsets->len; i++)
			g_assert_cmpuint(g_array_index(whole.offsets, guint64, i), >,
			                 g_array_index(whole.offsets, guint64, i - 1));
		collected_deinit(&whole);
		collected_deinit(&pieces);
		g_byte_array_unref(expected[id]);
	}
}

static void test_frames(void)
{
	for (guint i = 0; i < 3000; i++)
		check_round(NULL, DEFRAME_FRAMES);
}

static void test_tpiu(void)
{
	for (guint i = 0; i < 3000; i++) {
		const struct cs_formatter_options options = {
			.fsync_frames = (unsigned)g_test_rand_int_range(1, 5),
			.hsync_halves = (unsigned)g_test_rand_int_range(0, 9),
		};

		check_round(&options, DEFRAME_TPIU);
	}
}

static void test_barrier(void)
{
	g_autoptr(GByteArray) trace = g_byte_array_new();
	struct cs_formatter formatter;
	struct collected got;
	const guint8 before[] = { 1, 2, 3 }, after[] = { 4, 5 };
	const guint8 both[] = { 1, 2, 3, 4, 5 };

	cs_formatter_init(&formatter, NULL, sink, trace);
	cs_formatter_write(&formatter, 0x10, before, sizeof before);
	cs_formatter_barrier(&formatter);
	cs_formatter_write(&formatter, 0x10, after, sizeof after);
	cs_formatter_flush(&formatter);
	collected_init(&got);
	deframe(&got, DEFRAME_FRAMES, 0x10, trace, 16);
	g_assert_cmpuint(got.barriers, ==, 1);
	g_assert_cmpuint(got.bytes->len, ==, sizeof both);
	g_assert_true(memcmp(got.bytes->data, both, sizeof both) == 0);
	collected_deinit(&got);
}

/* A frame that lost bytes costs that frame, not what follows the next FSYNC. */
static void test_cut_frame(void)
{
	const struct cs_formatter_options options = { .fsync_frames = 1 };
	GByteArray *expected[3] = { g_byte_array_new(), g_byte_array_new(), g_byte_array_new() };
	g_autoptr(GByteArray) trace = format_random(&options, expected);
	const struct deframe_output output = { on_bytes, on_barrier, NULL };
	g_autofree struct deframer *deframer = g_new(struct deframer, 1);
	struct collected got;
	struct deframe_output mine = output;

	collected_init(&got);
	mine.user_data = &got;
	if (trace->len >= 60) {
		g_byte_array_remove_range(trace, 26, 4);
		deframer_init(deframer, DEFRAME_TPIU, 0x10, &mine);
		g_assert_true(deframer_push(deframer, trace->data, trace->len, 0));
		g_assert_true(deframer_flush(deframer));
		g_assert_cmpuint(deframer->broken_frames, ==, 1);
		g_assert_cmpuint(deframer->dropped_bytes, ==, 12);
	}
	collected_deinit(&got);
	for (guint id = 0; id < 3; id++)
		g_byte_array_unref(expected[id]);
}

/* A DSTREAM's blocks are told from plain TPIU output by themselves. */
static void test_probe(void)
{
	const struct cs_formatter_options options = { .fsync_frames = 1 };
	g_autoptr(GByteArray) trace = g_byte_array_new();
	g_autoptr(GByteArray) blocks = g_byte_array_new();
	static const guint8 footer[8] = { 0, 0, 0, 0, 0x7e, 0, 0xfe, 0x0f };
	struct cs_formatter formatter;
	struct collected plain, stripped;

	cs_formatter_init(&formatter, &options, sink, trace);
	for (guint i = 0; i < 4000; i++) {
		const guint8 byte = (guint8)i;

		cs_formatter_write(&formatter, 0x10, &byte, 1);
	}
	cs_formatter_flush(&formatter);
	for (guint at = 0; at < trace->len; at += 504) {
		g_byte_array_append(blocks, trace->data + at, MIN(504, trace->len - at));
		if (trace->len - at >= 504)
			g_byte_array_append(blocks, footer, sizeof footer);
	}
	g_assert_cmpint(deframe_probe_format(trace->data, trace->len), ==, DEFRAME_TPIU);
	g_assert_cmpint(deframe_probe_format(blocks->data, blocks->len), ==, DEFRAME_DSTREAM);
	collected_init(&plain);
	collected_init(&stripped);
	deframe(&plain, DEFRAME_TPIU, 0x10, trace, 4096);
	deframe(&stripped, DEFRAME_DSTREAM, 0x10, blocks, 100);
	assert_same(plain.bytes, stripped.bytes);
	collected_deinit(&plain);
	collected_deinit(&stripped);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/deframe/frames", test_frames);
	g_test_add_func("/deframe/tpiu", test_tpiu);
	g_test_add_func("/deframe/barrier", test_barrier);
	g_test_add_func("/deframe/cut-frame", test_cut_frame);
	g_test_add_func("/deframe/probe", test_probe);
	return g_test_run();
}
