/* Packed rows: what goes in comes out, and bytes that are none are refused. */
#include <glib.h>
#include <string.h>

#include "schema/packed.h"

enum {
	ROWS = 500
};

static gint64 any(GRand *rand)
{
	const guint bits = (guint)g_rand_int_range(rand, 0, 62);
	const guint64 value = (guint64)g_rand_int(rand) << 32 | g_rand_int(rand);

	return (gint64)(value & ((G_GUINT64_CONSTANT(1) << bits) - 1));
}

static double any_confidence(GRand *rand)
{
	return g_rand_int_range(rand, 0, 3) == 0 ? g_rand_boolean(rand) : g_rand_double(rand);
}

static void fill_run(GRand *rand, struct row_vcpu_run *row)
{
	*row = (struct row_vcpu_run) {
		.vcpu = 7,
		.start_ns = any(rand),
		.duration_ns = any(rand),
		.core = g_rand_int_range(rand, -1, 100),
		.state = (enum run_state)g_rand_int_range(rand, 0, RUN_STATES),
		.guest_ns = any(rand),
		.hypervisor_ns = any(rand),
		.cycles = (guint64)any(rand),
		.exits = (guint64)any(rand),
		.known = (enum how_known)g_rand_int_range(rand, 0, KNOWN_WAYS),
		.confidence = any_confidence(rand),
	};
}

static void fill_exit(GRand *rand, struct row_exit *row)
{
	*row = (struct row_exit) {
		.core = 3,
		.start_ns = any(rand),
		.duration_ns = any(rand),
		.hypervisor_ns = any(rand),
		.idle_ns = any(rand),
		.idle_hypervisor_ns = any(rand),
		.cycles = (guint64)any(rand),
		.reason = (enum exit_reason)g_rand_int_range(rand, 0, EXIT_REASONS),
		.type = g_rand_int_range(rand, -1, 16),
		.has_return_address = g_rand_boolean(rand),
		.has_resume_address = g_rand_boolean(rand),
		.vcpu = (guint)g_rand_int_range(rand, 0, 1000),
		.next_vcpu = g_rand_int_range(rand, -1, 1000),
		.ended = (enum exit_end)g_rand_int_range(rand, 0, EXIT_ENDS),
		.known = (enum how_known)g_rand_int_range(rand, 0, KNOWN_WAYS),
		.confidence = any_confidence(rand),
		.wake_ns = g_rand_boolean(rand) ? OWNER_NO_VALUE : any(rand),
		.injection_ns = g_rand_boolean(rand) ? OWNER_NO_VALUE : any(rand),
		.censored = g_rand_boolean(rand),
		.trace_offset = (guint64)any(rand),
		.instruction = (enum exit_instruction)g_rand_int_range(rand, 0, INSTRUCTIONS),
		.handler = (guint)g_rand_int_range(rand, 0, 1000),
	};
	if (row->has_return_address)
		row->return_address_va = (guint64)any(rand) | 0xffff000000000000;
	if (row->has_resume_address)
		row->resume_address_va = (guint64)any(rand);
}

static void test_runs(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	static struct row_vcpu_run rows[ROWS];
	struct packed_state state = { 0 };
	struct packed_bytes packed;
	struct row_vcpu_run row;

	memset(rows, 0, sizeof rows);
	for (guint i = 0; i < ROWS; i++) {
		fill_run(rand, &rows[i]);
		packed_add_run(bytes, &state, &rows[i]);
	}
	packed = (struct packed_bytes) { bytes->data, bytes->data + bytes->len };
	state = (struct packed_state) { 0 };
	for (guint i = 0; i < ROWS; i++) {
		g_assert_true(packed_take_run(&packed, &state, &row));
		g_assert_cmpint(row.start_ns, ==, rows[i].start_ns);
		g_assert_cmpint(row.duration_ns, ==, rows[i].duration_ns);
		g_assert_cmpint(row.core, ==, rows[i].core);
		g_assert_cmpint(row.state, ==, rows[i].state);
		g_assert_cmpint(row.guest_ns, ==, rows[i].guest_ns);
		g_assert_cmpint(row.hypervisor_ns, ==, rows[i].hypervisor_ns);
		g_assert_cmpuint(row.cycles, ==, rows[i].cycles);
		g_assert_cmpuint(row.exits, ==, rows[i].exits);
		g_assert_cmpint(row.known, ==, rows[i].known);
		g_assert_true(row.confidence == rows[i].confidence);
	}
	g_assert_true(packed.at == packed.end);
	g_assert_false(packed_take_run(&packed, &state, &row));
}

static void test_exits(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(2);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	static struct row_exit rows[ROWS];
	struct packed_state state = { 0 };
	struct packed_bytes packed;
	struct row_exit row;

	memset(rows, 0, sizeof rows);
	for (guint i = 0; i < ROWS; i++) {
		fill_exit(rand, &rows[i]);
		packed_add_exit(bytes, &state, &rows[i]);
	}
	packed = (struct packed_bytes) { bytes->data, bytes->data + bytes->len };
	state = (struct packed_state) { 0 };
	for (guint i = 0; i < ROWS; i++) {
		g_assert_true(packed_take_exit(&packed, &state, &row));
		g_assert_cmpint(row.start_ns, ==, rows[i].start_ns);
		g_assert_cmpint(row.duration_ns, ==, rows[i].duration_ns);
		g_assert_cmpint(row.hypervisor_ns, ==, rows[i].hypervisor_ns);
		g_assert_cmpint(row.idle_ns, ==, rows[i].idle_ns);
		g_assert_cmpint(row.idle_hypervisor_ns, ==, rows[i].idle_hypervisor_ns);
		g_assert_cmpuint(row.cycles, ==, rows[i].cycles);
		g_assert_cmpint(row.reason, ==, rows[i].reason);
		g_assert_cmpint(row.type, ==, rows[i].type);
		g_assert_cmpint(row.has_return_address, ==, rows[i].has_return_address);
		g_assert_cmphex(row.return_address_va, ==, rows[i].return_address_va);
		g_assert_cmphex(row.resume_address_va, ==, rows[i].resume_address_va);
		g_assert_cmpuint(row.vcpu, ==, rows[i].vcpu);
		g_assert_cmpint(row.next_vcpu, ==, rows[i].next_vcpu);
		g_assert_cmpint(row.ended, ==, rows[i].ended);
		g_assert_cmpint(row.known, ==, rows[i].known);
		g_assert_true(row.confidence == rows[i].confidence);
		g_assert_cmpint(row.wake_ns, ==, rows[i].wake_ns);
		g_assert_cmpint(row.injection_ns, ==, rows[i].injection_ns);
		g_assert_cmpint(row.censored, ==, rows[i].censored);
		g_assert_cmpuint(row.trace_offset, ==, rows[i].trace_offset);
		g_assert_cmpint(row.instruction, ==, rows[i].instruction);
		g_assert_cmpuint(row.handler, ==, rows[i].handler);
	}
	g_assert_true(packed.at == packed.end);
}

/* Any bytes end in a row or a refusal, within their bounds and the codes' (the sanitizers
 * watch). */
static void test_random_bytes(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);

	for (guint round = 0; round < 2000; round++) {
		guint8 bytes[128];
		struct packed_bytes packed = { bytes, bytes + g_rand_int_range(rand, 0, 129) };
		struct packed_state state = { 0 };
		struct row_vcpu_run run;
		struct row_exit exit;

		for (guint i = 0; i < sizeof bytes; i++)
			bytes[i] = (guint8)g_rand_int_range(rand, 0, round % 2 == 0 ? 256 : 8);
		while (packed_take_exit(&packed, &state, &exit))
			g_assert_cmpuint(exit.reason, <, EXIT_REASONS);
		packed.at = bytes;
		while (packed_take_run(&packed, &state, &run))
			g_assert_cmpuint(run.state, <, RUN_STATES);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/schema/packed/runs", test_runs);
	g_test_add_func("/schema/packed/exits", test_exits);
	g_test_add_func("/schema/packed/random-bytes", test_random_bytes);
	return g_test_run();
}
