/* What the encoder writes, OpenCSD must read back: the same elements, in the same
 * order, each packet at the byte where the encoder began it. */
#include <string.h>

#include "tests/capture/etm4-stream.h"

static guint64 random_address(GRand *random, guint64 *last, enum etm4_is is)
{
	const guint64 mask = is == ETM4_IS0 ? ~G_GUINT64_CONSTANT(3) : ~G_GUINT64_CONSTANT(1);
	guint64 va = last[g_rand_int_range(random, 0, 4)];

	switch (g_rand_int_range(random, 0, 5)) {
	case 0:
		va ^= g_rand_int(random) & 0xFF;
		break;
	case 1:
		va ^= g_rand_int(random) & 0xFFFF;
		break;
	case 2:
		va ^= g_rand_int(random);
		break;
	case 3:
		va = (guint64)g_rand_int(random) << 32 | g_rand_int(random);
		break;
	default:
		break;
	}
	va &= mask;
	memmove(&last[1], &last[0], 3 * sizeof last[0]);
	last[0] = va;
	return va;
}

static struct etm4_context random_context(GRand *random, const struct etm4_context *last)
{
	struct etm4_context context = *last;

	if (g_rand_boolean(random))
		context.el = (guint8)g_rand_int_range(random, 0, 4);
	if (g_rand_int_range(random, 0, 8) == 0)
		context.aarch64 = !context.aarch64;
	if (g_rand_int_range(random, 0, 8) == 0)
		context.non_secure = !context.non_secure;
	if (g_rand_int_range(random, 0, 3) == 0)
		context.vmid = g_rand_int(random) >> (8 * g_rand_int_range(random, 0, 4));
	if (g_rand_int_range(random, 0, 3) == 0)
		context.context_id = g_rand_int(random) >> (8 * g_rand_int_range(random, 0, 4));
	return context;
}

struct walk {
	GRand *random;
	struct stream *stream;
	guint64 addresses[4];
	struct etm4_context context;
	guint64 timestamp;
};

static void step_atoms(struct walk *walk)
{
	/* Long runs of E as loops make them, and mixtures. */
	const guint n = (guint)g_rand_int_range(walk->random, 1, 60);
	const gint32 bias = g_rand_int_range(walk->random, 1, 40);

	for (guint i = 0; i < n; i++) {
		const gboolean taken = g_rand_int_range(walk->random, 0, bias + 1) != 0;

		etm4_encoder_atom(&walk->stream->encoder, taken);
		element_add(walk->stream->expected, ELEMENT_ATOM, (guint64)taken, 0, 0, 0, 0);
	}
}

static void step_address(struct walk *walk)
{
	struct stream *stream = walk->stream;
	const enum etm4_is is = g_rand_int_range(walk->random, 0, 6) == 0 ? ETM4_IS1 : ETM4_IS0;
	const guint64 va = random_address(walk->random, walk->addresses, is);

	if (g_rand_boolean(walk->random)) {
		etm4_encoder_address(&stream->encoder, va, is);
	} else {
		const enum etm4_address_form form =
			(enum etm4_address_form)g_rand_int_range(walk->random, 0, 4);

		if (!etm4_encoder_address_as(&stream->encoder, form, va, is))
			return;
	}
	stream_expect_address(stream, va, is);
}

static void step_address_context(struct walk *walk)
{
	struct stream *stream = walk->stream;
	const enum etm4_is is = g_rand_int_range(walk->random, 0, 6) == 0 ? ETM4_IS1 : ETM4_IS0;
	const guint64 va = random_address(walk->random, walk->addresses, is);

	walk->context = random_context(walk->random, &walk->context);
	etm4_encoder_address_context(&stream->encoder, va, is, &walk->context);
	stream_expect_address(stream, va, is);
	stream_expect_context(stream, &walk->context);
}

static void step_context(struct walk *walk)
{
	if (g_rand_boolean(walk->random))
		walk->context = random_context(walk->random, &walk->context);
	etm4_encoder_context(&walk->stream->encoder, &walk->context);
	stream_expect_context(walk->stream, &walk->context);
}

/* Whether what is traced of `context` was sent before. */
static gboolean is_current(const struct stream *stream, const struct etm4_context *context)
{
	const struct etm4_context *last = &stream->encoder.context;

	return stream->encoder.context_known && last->el == context->el &&
	       last->aarch64 == context->aarch64 && last->non_secure == context->non_secure &&
	       last->vmid ==
	               stream_cut(context->vmid, etm4_registers_vmid_bytes(&stream->registers)) &&
	       last->context_id == stream_cut(context->context_id,
	                                      etm4_registers_context_id_bytes(&stream->registers));
}

static void step_exception(struct walk *walk)
{
	struct stream *stream = walk->stream;
	const gboolean wide = g_rand_int_range(walk->random, 0, 8) == 0;
	struct etm4_exception exception = {
		.type = (guint16)g_rand_int_range(walk->random, 0, wide ? 1024 : 16),
		.long_form = g_rand_boolean(walk->random) != FALSE,
		.address_kind = (enum etm4_exception_address)g_rand_int_range(walk->random, 0, 3),
		.is = ETM4_IS0,
	};
	struct etm4_context context = walk->context;

	if (g_rand_int_range(walk->random, 0, 4) == 0) {
		context = random_context(walk->random, &walk->context);
		exception.context = &context;
	}
	if (exception.address_kind != ETM4_EXCEPTION_NO_ADDRESS)
		exception.return_address_va =
			random_address(walk->random, walk->addresses, ETM4_IS0);

	element_add(stream->expected, ELEMENT_EXCEPTION, exception.type, exception.address_kind, 0,
	            0, 0);
	if (exception.context != NULL) {
		if (!is_current(stream, &context))
			stream_expect_context(stream, &context);
		walk->context = context;
	}
	if (exception.address_kind != ETM4_EXCEPTION_NO_ADDRESS)
		stream_expect_address(stream, exception.return_address_va, ETM4_IS0);
	etm4_encoder_exception(&stream->encoder, &exception);
}

static guint64 size_timestamp(const struct stream *stream, guint64 timestamp)
{
	const gboolean is_64bit = (stream->registers.idr0 >> 24 & 0x1F) == 8;

	return is_64bit ? timestamp : timestamp & ((G_GUINT64_CONSTANT(1) << 48) - 1);
}

static guint32 size_cycles(const struct stream *stream)
{
	return (1u << (12 + (stream->registers.idr2 >> 25 & 0xF))) - 1;
}

static void step_time(struct walk *walk)
{
	struct stream *stream = walk->stream;
	const guint32 cycles = g_rand_int(walk->random) >> g_rand_int_range(walk->random, 0, 32);

	/* Mostly a little later; also equal, backward, and anything. */
	switch (g_rand_int_range(walk->random, 0, 6)) {
	case 0:
		break;
	case 1:
		walk->timestamp -= g_rand_int(walk->random) & 0xFFFF;
		break;
	case 2:
		walk->timestamp =
			((guint64)g_rand_int(walk->random) << 32 | g_rand_int(walk->random)) >>
			g_rand_int_range(walk->random, 0, 64);
		break;
	default:
		walk->timestamp += g_rand_int(walk->random) & 0xFFFFF;
	}
	if (g_rand_boolean(walk->random)) {
		if (etm4_encoder_timestamp(&stream->encoder, walk->timestamp))
			element_add(stream->expected, ELEMENT_TIMESTAMP,
			            size_timestamp(stream, walk->timestamp), FALSE, 0, 0, 0);
	} else if (etm4_encoder_timestamp_cycles(&stream->encoder, walk->timestamp, cycles)) {
		element_add(stream->expected, ELEMENT_TIMESTAMP,
		            size_timestamp(stream, walk->timestamp), TRUE,
		            MIN(cycles, size_cycles(stream)), 0, 0);
	}
}

static void step_cycles(struct walk *walk)
{
	struct stream *stream = walk->stream;
	const guint32 threshold = stream->registers.cc_threshold;
	const bool commits = (stream->registers.idr0 >> 29 & 1) == 0;
	const guint32 over =
		g_rand_boolean(walk->random)
			? (guint32)g_rand_int_range(walk->random, 0, 20)
			: g_rand_int(walk->random) >> g_rand_int_range(walk->random, 8, 32);
	const guint32 n_commit = (guint32)g_rand_int_range(walk->random, 0, 300) >>
	                         g_rand_int_range(walk->random, 0, 9);

	if (g_rand_int_range(walk->random, 0, 10) == 0) {
		if (etm4_encoder_cycle_count_unknown(&stream->encoder, n_commit))
			element_add(stream->expected, ELEMENT_CYCLES, 0, commits,
			            commits ? n_commit : 0, 0, 0);
		return;
	}
	if (threshold > 0)
		g_assert_false(etm4_encoder_cycle_count(&stream->encoder, threshold - 1, n_commit));
	if (etm4_encoder_cycle_count(&stream->encoder, threshold + over, n_commit))
		element_add(stream->expected, ELEMENT_CYCLES,
		            MIN(threshold + over, size_cycles(stream)), commits,
		            commits ? n_commit : 0, 0, 0);
}

static void step_break(struct walk *walk)
{
	struct stream *stream = walk->stream;

	/* The encoder drops atoms that are still pending with a discard, so it must
	 * have none. */
	switch (g_rand_int_range(walk->random, 0, 5)) {
	case 0:
		etm4_encoder_overflow(&stream->encoder);
		element_add_plain(stream->expected, ETM4_PKT_I_OVERFLOW);
		break;
	case 1:
		etm4_encoder_flush(&stream->encoder);
		etm4_encoder_discard(&stream->encoder);
		element_add_plain(stream->expected, ETM4_PKT_I_DISCARD);
		break;
	default:
		break;
	}
	etm4_encoder_sync(&stream->encoder);
	stream_expect_info(stream);
	if (g_rand_boolean(walk->random)) {
		etm4_encoder_trace_on(&stream->encoder);
		element_add_plain(stream->expected, ETM4_PKT_I_TRACE_ON);
	}
}

static void step_other(struct walk *walk)
{
	struct stream *stream = walk->stream;
	const guint32 n = 1 + (g_rand_int(walk->random) >> g_rand_int_range(walk->random, 1, 32));
	const guint events = (guint)g_rand_int_range(walk->random, 1, 16);

	switch (g_rand_int_range(walk->random, 0, 7)) {
	case 0:
		if (etm4_encoder_ignore(&stream->encoder))
			element_add_plain(stream->expected, ETM4_PKT_I_IGNORE);
		break;
	case 1:
		etm4_encoder_event(&stream->encoder, events);
		element_add(stream->expected, ELEMENT_EVENT, events, 0, 0, 0, 0);
		break;
	case 2:
		if (etm4_encoder_commit(&stream->encoder, n))
			element_add(stream->expected, ELEMENT_SPECULATION, ETM4_PKT_I_COMMIT, n, 0,
			            0, 0);
		break;
	case 3:
		if (etm4_encoder_cancel(&stream->encoder, n, (n & 1) != 0))
			element_add(stream->expected, ELEMENT_SPECULATION,
			            (n & 1) != 0 ? ETM4_PKT_I_CANCEL_F1_MISPRED
			                         : ETM4_PKT_I_CANCEL_F1,
			            n, 0, 0, 0);
		break;
	case 4:
		if (etm4_encoder_mispredict(&stream->encoder))
			element_add_plain(stream->expected, ETM4_PKT_I_MISPREDICT);
		break;
	case 5:
		etm4_encoder_exception_return(&stream->encoder);
		element_add_plain(stream->expected, ETM4_PKT_I_EXCEPT_RTN);
		break;
	default:
		etm4_encoder_trace_on(&stream->encoder);
		element_add_plain(stream->expected, ETM4_PKT_I_TRACE_ON);
	}
}

static void walk_run(struct walk *walk, guint n_steps)
{
	static void (*const steps[])(struct walk *) = {
		step_atoms,           step_atoms,   step_atoms,     step_address, step_address,
		step_address_context, step_context, step_exception, step_time,    step_time,
		step_cycles,          step_other,
	};

	etm4_encoder_sync(&walk->stream->encoder);
	stream_expect_info(walk->stream);
	for (guint i = 0; i < n_steps; i++) {
		if (g_rand_int_range(walk->random, 0, 200) == 0)
			step_break(walk);
		else
			steps[g_rand_int_range(walk->random, 0, G_N_ELEMENTS(steps))](walk);
	}
}

static struct etm4_registers random_registers(GRand *random)
{
	static const guint32 vmid_sizes[] = { 1, 2, 4 };
	static const guint32 max_specs[] = { 0, 0, 4, 32 };
	static const guint32 features[] = { ETM4_CONFIGR_CCI, ETM4_CONFIGR_CID, ETM4_CONFIGR_VMID,
		                            ETM4_CONFIGR_TS };
	const gboolean new_version = g_rand_boolean(random);
	const guint32 vmid_size = new_version ? vmid_sizes[g_rand_int_range(random, 0, 3)] : 1;
	struct etm4_registers registers = {
		.configr = ETM4_CONFIGR_ALWAYS,
		.idr0 = 0x00000EA1 | (g_rand_boolean(random) ? 1u << 29 : 0) |
		        (g_rand_boolean(random) ? 8u : 6u) << 24,
		.idr1 = new_version ? 0x4100F443 : ETM4_A53_IDR1,
		.idr2 = 0x8 | 4u << 5 | vmid_size << 10 | (g_rand_boolean(random) ? 8u : 0) << 25,
		.idr8 = max_specs[g_rand_int_range(random, 0, G_N_ELEMENTS(max_specs))],
		.cc_threshold = (guint32)g_rand_int_range(random, 0, 0x400),
	};

	for (guint i = 0; i < G_N_ELEMENTS(features); i++) {
		if (g_rand_int_range(random, 0, 4) != 0)
			registers.configr |= features[i];
	}
	return registers;
}

static void test_random(void)
{
	guint seen[256] = { 0 };
	guint n_packets = 0;

	for (guint32 seed = 0; seed < 200; seed++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed);
		const struct etm4_registers registers = random_registers(random);
		struct stream stream;

		stream_init(&stream, &registers);

		struct walk walk = {
			.random = random,
			.stream = &stream,
			.context = { .el = 1, .aarch64 = true, .non_secure = true },
		};

		walk_run(&walk, 2000);
		stream_check(&stream, (guint)g_rand_int_range(random, 0, 2000));
		n_packets += stream.starts->len;
		for (guint i = 0; i < G_N_ELEMENTS(seen); i++)
			seen[i] += stream.seen[i];
		stream_deinit(&stream);
	}
	g_test_message("%u packets", n_packets);
	g_assert_cmpuint(n_packets, >, 500000);

	/* No form went unused: every first byte that the encoder can make. */
	static const struct {
		guint first, last;
	} ranges[] = {
		{ 0x00, 0x04 }, { 0x06, 0x07 }, { 0x0C, 0x1F }, { 0x2D, 0x30 }, { 0x70, 0x83 },
		{ 0x85, 0x86 }, { 0x90, 0x92 }, { 0x95, 0x96 }, { 0x9A, 0x9B }, { 0x9D, 0x9E },
		{ 0xC0, 0xD4 }, { 0xD5, 0xDF }, { 0xE0, 0xF4 }, { 0xF5, 0xFF },
	};

	for (guint i = 0; i < G_N_ELEMENTS(ranges); i++) {
		for (guint header = ranges[i].first; header <= ranges[i].last; header++) {
			if (seen[header] == 0)
				g_error("no packet began with %#x", header);
		}
	}
}

static const struct etm4_registers a53 = {
	.configr = ETM4_CONFIGR_ALWAYS | ETM4_CONFIGR_CCI | ETM4_CONFIGR_CID | ETM4_CONFIGR_VMID |
	           ETM4_CONFIGR_TS | ETM4_CONFIGR_RS,
	.idr0 = ETM4_A53_IDR0,
	.idr1 = ETM4_A53_IDR1,
	.idr2 = ETM4_A53_IDR2,
	.cc_threshold = 0x100,
};

static void assert_bytes(struct stream *stream, guint from, const char *hex)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = from; i < stream->bytes->len; i++)
		g_string_append_printf(text, "%02x", stream->bytes->data[i]);
	g_assert_cmpstr(text->str, ==, hex);
}

/* Bytes by hand from IHI 0064: a guest exit as an A53 sends it. */
static void test_bytes(void)
{
	struct stream stream;
	const struct etm4_context guest = { 0, true, true, 3, 97 };
	const struct etm4_context hypervisor = { 2, true, true, 3, 97 };
	const struct etm4_exception irq = {
		.type = ETM4_EXCEPTION_IRQ,
		.address_kind = ETM4_EXCEPTION_RETURN,
		.return_address_va = 0x400904,
	};

	stream_init(&stream, &a53);
	etm4_encoder_sync(&stream.encoder);
	assert_bytes(&stream, 0, "0000000000000000000000800109018002");

	guint from = stream.bytes->len;

	etm4_encoder_address_context(&stream.encoder, 0x400900, ETM4_IS0, &guest);
	assert_bytes(&stream, from, "854004400000000000f00361000000");
	from = stream.bytes->len;
	etm4_encoder_exception(&stream.encoder, &irq);
	etm4_encoder_address_context(&stream.encoder, 0x257480, ETM4_IS0, &hypervisor);
	assert_bytes(&stream, from, "061d954182203a250032");
	stream_deinit(&stream);
}

/* The last three addresses come back as one byte each, newest first, and a match is
 * itself the newest (IHI 0064, exact match address packets). */
static void test_history(void)
{
	struct stream stream;

	stream_init(&stream, &a53);
	etm4_encoder_sync(&stream.encoder);
	etm4_encoder_address(&stream.encoder, 0x1000, ETM4_IS0);
	etm4_encoder_address(&stream.encoder, 0x200000, ETM4_IS0);
	etm4_encoder_address(&stream.encoder, 0x30000000, ETM4_IS0);

	const guint from = stream.bytes->len;

	etm4_encoder_address(&stream.encoder, 0x1000, ETM4_IS0);     /* third: 92 */
	etm4_encoder_address(&stream.encoder, 0x1000, ETM4_IS0);     /* newest now: 90 */
	etm4_encoder_address(&stream.encoder, 0x30000000, ETM4_IS0); /* 1000, 1000, 3...: 92 */
	assert_bytes(&stream, from, "929092");
	g_assert_false(
		etm4_encoder_address_as(&stream.encoder, ETM4_ADDRESS_MATCH, 0x1000, ETM4_IS1));
	etm4_encoder_trace_info(&stream.encoder);
	g_assert_false(
		etm4_encoder_address_as(&stream.encoder, ETM4_ADDRESS_MATCH, 0x1000, ETM4_IS0));
	g_assert_false(
		etm4_encoder_address_as(&stream.encoder, ETM4_ADDRESS_SHORT, 0x1000, ETM4_IS0));
	stream_deinit(&stream);
}

static void test_return_stack(void)
{
	struct stream stream;
	struct etm4_registers registers = a53;

	stream_init(&stream, &a53);
	for (guint64 i = 0; i < 20; i++)
		etm4_encoder_call(&stream.encoder, 0x1000 * (i + 1), ETM4_IS0);
	g_assert_false(etm4_encoder_predict(&stream.encoder, 0x1000, ETM4_IS0));
	for (guint64 i = 20; i > 5; i--)
		g_assert_true(etm4_encoder_predict(&stream.encoder, 0x1000 * i, ETM4_IS0));
	/* The oldest five fell off the end of its 15 entries. */
	g_assert_false(etm4_encoder_predict(&stream.encoder, 0x5000, ETM4_IS0));
	etm4_encoder_call(&stream.encoder, 0x5000, ETM4_IS0);
	etm4_encoder_trace_on(&stream.encoder);
	g_assert_false(etm4_encoder_predict(&stream.encoder, 0x5000, ETM4_IS0));
	stream_deinit(&stream);

	registers.configr &= ~(guint32)ETM4_CONFIGR_RS;
	stream_init(&stream, &registers);
	etm4_encoder_call(&stream.encoder, 0x5000, ETM4_IS0);
	g_assert_false(etm4_encoder_predict(&stream.encoder, 0x5000, ETM4_IS0));
	stream_deinit(&stream);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/etm4-encoder/random", test_random);
	g_test_add_func("/etm4-encoder/bytes", test_bytes);
	g_test_add_func("/etm4-encoder/history", test_history);
	g_test_add_func("/etm4-encoder/return-stack", test_return_stack);
	return g_test_run();
}
