/* What a speculative trace says was executed: the same history traced twice, once by a unit that
 * knows what happened and once by one that traces wrong paths and takes them back, must give the
 * same events. */
#include <glib/gstdio.h>

#include "capture/etm4-encoder.h"
#include "decode/engine.h"
#include "decode/speculation.h"

enum {
	MAX_DEPTH = 32,
	CONFIGR = ETM4_CONFIGR_ALWAYS | ETM4_CONFIGR_CCI | ETM4_CONFIGR_CID | ETM4_CONFIGR_VMID |
	          ETM4_CONFIGR_TS,
	IDR0 = 0x08000EA1, /* 64-bit timestamps, cycle counts commit */
	IDR2 = 0x488,
};

struct twin {
	GRand *random;
	GByteArray *bytes[2]; /* [1]: speculative */
	struct etm4_encoder encoders[2];
	guint depth; /* undecided in [1] */
	struct etm4_context context;
	guint64 timestamp;
};

static void on_bytes(void *data, const uint8_t *bytes, size_t len_bytes)
{
	g_byte_array_append(data, bytes, (guint)len_bytes);
}

static void twin_init(struct twin *self, guint32 seed)
{
	*self = (struct twin) {
		.random = g_rand_new_with_seed(seed),
		.context = { .el = 1, .aarch64 = true, .non_secure = true },
	};
	for (guint i = 0; i < 2; i++) {
		const struct etm4_registers registers = {
			.configr = CONFIGR,
			.idr0 = IDR0,
			.idr1 = ETM4_A53_IDR1,
			.idr2 = IDR2,
			.idr8 = i == 1 ? MAX_DEPTH : 0,
			.cc_threshold = 4,
		};

		self->bytes[i] = g_byte_array_new();
		etm4_encoder_init(&self->encoders[i], &registers, on_bytes, self->bytes[i]);
		etm4_encoder_sync(&self->encoders[i]);
		etm4_encoder_trace_on(&self->encoders[i]);
	}
}

static void twin_deinit(struct twin *self)
{
	g_rand_free(self->random);
	g_byte_array_unref(self->bytes[0]);
	g_byte_array_unref(self->bytes[1]);
}

static void send_context(struct twin *self, guint i)
{
	const guint64 va = 0xffff800008000000 + (guint64)self->context.context_id * 4;

	etm4_encoder_address_context(&self->encoders[i], va, ETM4_IS0, &self->context);
}

static void change_context(struct twin *self)
{
	self->context.el = (uint8_t)g_rand_int_range(self->random, 0, 3);
	self->context.vmid = (uint32_t)g_rand_int_range(self->random, 0, 4);
	self->context.context_id = (uint32_t)g_rand_int_range(self->random, 0, 1000);
}

static void send_exception(struct twin *self, guint i)
{
	const struct etm4_exception exception = {
		.type = ETM4_EXCEPTION_IRQ,
		.address_kind = ETM4_EXCEPTION_RETURN,
		.return_address_va = 0x400000,
	};

	etm4_encoder_exception(&self->encoders[i], &exception);
	send_context(self, i);
}

static void more_depth(struct twin *self, guint n)
{
	self->depth = MIN(self->depth + n, MAX_DEPTH);
}

static void right_path(struct twin *self)
{
	switch (g_rand_int_range(self->random, 0, 4)) {
	case 0: {
		const guint n = (guint)g_rand_int_range(self->random, 1, 12);

		for (guint k = 0; k < n; k++) {
			const gboolean taken = g_rand_boolean(self->random);

			etm4_encoder_atom(&self->encoders[0], taken);
			etm4_encoder_atom(&self->encoders[1], taken);
		}
		more_depth(self, n);
		break;
	}
	case 1:
		change_context(self);
		send_exception(self, 0);
		send_exception(self, 1);
		more_depth(self, 1);
		break;
	case 2:
		change_context(self);
		send_context(self, 0);
		send_context(self, 1);
		break;
	default:
		self->timestamp += (guint64)g_rand_int_range(self->random, 1, 1000);
		etm4_encoder_timestamp(&self->encoders[0], self->timestamp);
		etm4_encoder_timestamp(&self->encoders[1], self->timestamp);
		break;
	}
}

/* A few elements that are taken back; a timestamp among them stands. */
static void wrong_path(struct twin *self)
{
	const struct etm4_context right = self->context;
	const guint n = (guint)g_rand_int_range(self->random, 1, 6);

	for (guint k = 0; k < n; k++) {
		change_context(self);
		/* Behind a wrong element only: what is before the first is right. */
		if (k > 0)
			send_context(self, 1);
		if (g_rand_boolean(self->random))
			send_exception(self, 1);
		else
			etm4_encoder_atom(&self->encoders[1], true);
	}
	more_depth(self, n);
	if (g_rand_boolean(self->random)) {
		self->timestamp++;
		etm4_encoder_timestamp(&self->encoders[0], self->timestamp);
		etm4_encoder_timestamp(&self->encoders[1], self->timestamp);
	}
	etm4_encoder_cancel(&self->encoders[1], n, g_rand_boolean(self->random));
	self->depth -= n;
	/* The context that the right path goes on in. */
	self->context = right;
	send_context(self, 0);
	send_context(self, 1);
}

static void decide(struct twin *self)
{
	const guint n = (guint)g_rand_int_range(self->random, 0, (gint)self->depth + 1);

	if (n > 0)
		etm4_encoder_commit(&self->encoders[1], n);
	self->depth -= n;
	if (self->depth > 0 && g_rand_boolean(self->random))
		return;
	/* A count that commits all that is undecided. */
	etm4_encoder_cycle_count(&self->encoders[0], 40, 0);
	etm4_encoder_cycle_count(&self->encoders[1], 40, self->depth);
	self->depth = 0;
}

static void on_event(const struct trace_event *event, gpointer user_data)
{
	const struct trace_context *context = &event->context;

	g_string_append_printf(user_data, "%" G_GUINT64_FORMAT ": ", event->p0);
	switch (event->kind) {
	case EVENT_ADDRESS_CONTEXT:
		g_string_append_printf(user_data, "%" G_GINT64_MODIFIER "x el%u vmid %u cid %u\n",
		                       event->address_va, context->el, context->vmid,
		                       context->context_id);
		break;
	case EVENT_ADDRESS:
		g_string_append_printf(user_data, "%" G_GINT64_MODIFIER "x\n", event->address_va);
		break;
	case EVENT_TIMESTAMP:
		g_string_append_printf(user_data, "time %" G_GUINT64_FORMAT "\n",
		                       event->timestamp.ticks);
		break;
	default:
		g_string_append_printf(user_data, "kind %d\n", (int)event->kind);
		break;
	}
}

static void write_file(const char *dir, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* A capture directory with one trace unit that says it is `max_depth` deep. */
static char *write_capture(guint max_depth)
{
	char *dir = g_dir_make_tmp("hvscope-speculation-XXXXXX", NULL);
	g_autofree char *etm = g_strdup_printf(
		"[device]\nname=ETM_0\nclass=trace_source\ntype=ETM4\n[regs]\nTRCCONFIGR=0x%x\n"
		"TRCTRACEIDR=0x10\nTRCIDR0=0x%x\nTRCIDR1=0x%x\nTRCIDR2=0x%x\nTRCIDR8=%u\n",
		CONFIGR, IDR0, ETM4_A53_IDR1, IDR2, max_depth);

	write_file(dir, "snapshot.ini",
	           "[snapshot]\nversion=1.0\n[device_list]\ndevice0=cpu_0.ini\n"
	           "device1=ETM_0.ini\n[trace]\nmetadata=trace.ini\n");
	write_file(dir, "cpu_0.ini", "[device]\nname=cpu_0\nclass=core\ntype=Cortex-A72\n");
	write_file(dir, "ETM_0.ini", etm);
	write_file(dir, "trace.ini",
	           "[trace_buffers]\nbuffers=buffer0\n[buffer0]\nname=ETB_0\nfile=trace.bin\n"
	           "format=source_data\n[source_buffers]\nETM_0=ETB_0\n"
	           "[core_trace_sources]\ncpu_0=ETM_0\n");
	write_file(dir, "trace.bin", "");
	return dir;
}

static void remove_capture(const char *dir)
{
	static const char *const names[] = { "snapshot.ini", "cpu_0.ini", "ETM_0.ini", "trace.ini",
		                             "trace.bin" };

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(dir, names[i], NULL);

		g_remove(path);
	}
	g_rmdir(dir);
}

static char *events_of(const struct snapshot *snapshot, const GByteArray *bytes)
{
	g_autoptr(GError) error = NULL;
	GString *text = g_string_new(NULL);
	g_autoptr(Engine) engine =
		engine_opencsd_new(&snapshot->sources[0], on_event, text, &error);
	g_autofree guint64 *offsets = g_new(guint64, bytes->len);

	g_assert_no_error(error);
	for (guint i = 0; i < bytes->len; i++)
		offsets[i] = i;
	g_assert_true(engine->class->push(engine, bytes->data, offsets, bytes->len, &error));
	g_assert_true(engine->class->end(engine, bytes->len, &error));
	return g_string_free(text, FALSE);
}

static void test_twin(void)
{
	g_autofree char *plain_dir = write_capture(0);
	g_autofree char *deep_dir = write_capture(MAX_DEPTH);
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) plain = snapshot_open(plain_dir, &error);
	g_autoptr(Snapshot) deep = snapshot_open(deep_dir, &error);

	g_assert_no_error(error);
	g_assert_null(engine_why_not(&deep->sources[0]));
	for (guint32 seed = 0; seed < 50; seed++) {
		struct twin twin;
		g_autofree char *want = NULL, *got = NULL;

		twin_init(&twin, seed);
		for (guint step = 0; step < 400; step++) {
			right_path(&twin);
			if (g_rand_int_range(twin.random, 0, 4) == 0)
				wrong_path(&twin);
			if (g_rand_int_range(twin.random, 0, 3) == 0)
				decide(&twin);
		}
		etm4_encoder_flush(&twin.encoders[0]);
		etm4_encoder_flush(&twin.encoders[1]);
		want = events_of(plain, twin.bytes[0]);
		got = events_of(deep, twin.bytes[1]);
		g_assert_cmpstr(got, ==, want);
		twin_deinit(&twin);
	}
	remove_capture(plain_dir);
	remove_capture(deep_dir);
}

static void push_kind(struct speculation *speculation, enum trace_event_kind kind)
{
	struct trace_event event = { .kind = kind };

	speculation_event(speculation, &event);
}

/* Elements from before synchronisation are the oldest, and what is undecided when trace is lost
 * was not executed. */
static void test_unseen_and_lost(void)
{
	struct speculation speculation;
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *want = g_strdup_printf("0: kind %d\n1: kind %d\n2: time 0\n2: kind %d\n",
	                                        EVENT_TRACE_ON, EVENT_EXCEPTION, EVENT_OVERFLOW);

	speculation_init(&speculation, 4, on_event, text);
	speculation_synchronise(&speculation, 2);
	push_kind(&speculation, EVENT_TRACE_ON);
	g_assert_cmpuint(text->len, ==, 0);
	speculation_p0(&speculation, 1);
	push_kind(&speculation, EVENT_EXCEPTION);
	push_kind(&speculation, EVENT_CONTEXT);
	speculation_commit(&speculation, 3);
	speculation_p0(&speculation, 3);
	/* That makes five: the first of them, the exception, is certain. */
	speculation_p0(&speculation, 1);
	push_kind(&speculation, EVENT_TIMESTAMP);
	speculation_drop(&speculation);
	push_kind(&speculation, EVENT_OVERFLOW);
	speculation_deinit(&speculation);
	g_assert_cmpstr(text->str, ==, want);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/speculation/twin", test_twin);
	g_test_add_func("/speculation/unseen-and-lost", test_unseen_and_lost);
	return g_test_run();
}
