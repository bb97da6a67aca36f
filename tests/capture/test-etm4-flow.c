/* A random A64 program is run here and its trace encoded; OpenCSD's full decode, with the
 * program as memory, must come to the same instructions. This is what shows the return
 * stack: an address that was left out can only be found by keeping the same stack. */
#include <string.h>

#include "tests/synth/opencsd-packets.h"

enum {
	N_WORDS = 2048,
	A64_NOP = (int)0xD503201F,
	A64_RET = (int)0xD65F03C0,
	A64_BLR_X1 = (int)0xD63F0020,
	A64_BR_X1 = (int)0xD61F0020,
	A64_B = 0x14000000,
	A64_BL = (int)0x94000000,
	A64_B_EQ = 0x54000000,
	REAL_STACK = 64,
};

static const guint64 program_va = G_GUINT64_CONSTANT(0xFFFF800008010000);

struct machine {
	GRand *random;
	guint32 words[N_WORDS];
	guint64 pc_va;
	guint64 stack[REAL_STACK]; /* where calls came from */
	guint depth;
	struct etm4_encoder encoder;
	GByteArray *trace;
	GArray *executed; /* guint64 va */
	GArray *decoded;
	guint n_predicted;
};

static void on_bytes(void *data, const uint8_t *bytes, size_t len_bytes)
{
	g_byte_array_append(data, bytes, (guint)len_bytes);
}

static guint64 random_va(struct machine *m)
{
	return program_va + 4 * (guint64)g_rand_int_range(m->random, 0, N_WORDS);
}

/* A branch word to somewhere in the program. */
static guint32 branch_word(struct machine *m, guint index, guint32 opcode)
{
	const gint32 target = g_rand_int_range(m->random, 0, N_WORDS);
	const guint32 offset = (guint32)(target - (gint32)index);

	if (opcode == A64_B_EQ)
		return opcode | (offset & 0x7FFFF) << 5;
	return opcode | (offset & 0x3FFFFFF);
}

static void make_program(struct machine *m)
{
	for (guint i = 0; i < N_WORDS; i++) {
		const gint32 kind = g_rand_int_range(m->random, 0, 40);

		m->words[i] = (guint32)A64_NOP;
		if (kind < 4)
			m->words[i] = branch_word(m, i, A64_B_EQ);
		else if (kind == 4)
			m->words[i] = branch_word(m, i, A64_B);
		else if (kind < 9)
			m->words[i] = branch_word(m, i, (guint32)A64_BL);
		else if (kind < 14)
			m->words[i] = (guint32)A64_RET;
		else if (kind == 14)
			m->words[i] = (guint32)A64_BLR_X1;
		else if (kind == 15)
			m->words[i] = (guint32)A64_BR_X1;
	}
	/* It must not run out of its memory. */
	m->words[N_WORDS - 1] = A64_B | (guint32)(1 - N_WORDS) % (1u << 26);
}

static void call(struct machine *m)
{
	const guint64 back = m->pc_va + 4;

	etm4_encoder_call(&m->encoder, back, ETM4_IS0);
	m->stack[m->depth % REAL_STACK] = back;
	m->depth++;
}

/* To where the last call came from; now and then elsewhere, as longjmp does. */
static guint64 return_target(struct machine *m)
{
	if (m->depth == 0 || g_rand_int_range(m->random, 0, 20) == 0)
		return random_va(m);
	m->depth--;
	return m->stack[m->depth % REAL_STACK];
}

static gint64 sign_extend(guint32 value, guint bits)
{
	return (gint64)((guint64)value << (64 - bits)) >> (64 - bits);
}

static guint64 step_target(struct machine *m, guint32 word)
{
	guint64 target;

	if (word == (guint32)A64_RET) {
		target = return_target(m);
		etm4_encoder_atom(&m->encoder, true);
		if (etm4_encoder_predict(&m->encoder, target, ETM4_IS0))
			m->n_predicted++;
		else
			etm4_encoder_address(&m->encoder, target, ETM4_IS0);
		return target;
	}
	if (word == (guint32)A64_BR_X1 || word == (guint32)A64_BLR_X1) {
		target = random_va(m);
		etm4_encoder_atom(&m->encoder, true);
		if (word == (guint32)A64_BLR_X1)
			call(m);
		etm4_encoder_address(&m->encoder, target, ETM4_IS0);
		return target;
	}
	if ((word & 0xFF000000) == A64_B_EQ) {
		const gboolean taken = g_rand_boolean(m->random);

		etm4_encoder_atom(&m->encoder, taken != FALSE);
		return taken ? m->pc_va + (guint64)(sign_extend(word >> 5 & 0x7FFFF, 19) * 4)
		             : m->pc_va + 4;
	}
	etm4_encoder_atom(&m->encoder, true);
	if ((word & 0xFC000000) == (guint32)A64_BL)
		call(m);
	return m->pc_va + (guint64)(sign_extend(word & 0x3FFFFFF, 26) * 4);
}

static void execute(struct machine *m, guint n_steps)
{
	const struct etm4_context context = { 2, true, true, 1, 7 };

	etm4_encoder_sync(&m->encoder);
	etm4_encoder_trace_on(&m->encoder);
	etm4_encoder_address_context(&m->encoder, m->pc_va, ETM4_IS0, &context);
	for (guint i = 0; i < n_steps; i++) {
		const guint32 word = m->words[(m->pc_va - program_va) / 4];

		g_array_append_val(m->executed, m->pc_va);
		if (word == (guint32)A64_NOP) {
			m->pc_va += 4;
			continue;
		}
		m->pc_va = step_target(m, word);
		if (g_rand_int_range(m->random, 0, 3000) == 0) {
			etm4_encoder_sync(&m->encoder);
			etm4_encoder_address_context(&m->encoder, m->pc_va, ETM4_IS0, &context);
		}
	}
	etm4_encoder_flush(&m->encoder);
}

static ocsd_datapath_resp_t on_element(const void *context, const ocsd_trc_index_t index,
                                       const uint8_t trace_id,
                                       const ocsd_generic_trace_elem *element)
{
	const struct machine *m = context;

	(void)index;
	(void)trace_id;
	g_assert_cmpint(element->elem_type, !=, OCSD_GEN_TRC_ELEM_ADDR_NACC);
	if (element->elem_type == OCSD_GEN_TRC_ELEM_INSTR_RANGE) {
		for (guint64 va = element->st_addr; va < element->en_addr; va += 4)
			g_array_append_val(m->decoded, va);
	}
	return OCSD_RESP_CONT;
}

static void full_decode(struct machine *m, const struct etm4_registers *registers)
{
	const ocsd_etmv4_cfg config = opencsd_etm4_config(registers, 0x10);
	dcd_tree_handle_t tree = ocsd_create_dcd_tree(OCSD_TRC_SRC_SINGLE, 0);
	guint8 id = 0;
	guint32 used = 0;

	g_assert_cmpint(ocsd_dt_create_decoder(tree, OCSD_BUILTIN_DCD_ETMV4I,
	                                       OCSD_CREATE_FLG_FULL_DECODER, &config, &id),
	                ==, OCSD_OK);
	g_assert_cmpint(ocsd_dt_set_gen_elem_outfn(tree, on_element, m), ==, OCSD_OK);
	g_assert_cmpint(ocsd_dt_add_buffer_mem_acc(tree, program_va, OCSD_MEM_SPACE_ANY,
	                                           (const guint8 *)m->words, sizeof m->words),
	                ==, OCSD_OK);
	g_assert_cmpint(
		ocsd_dt_process_data(tree, OCSD_OP_DATA, 0, m->trace->len, m->trace->data, &used),
		==, OCSD_RESP_CONT);
	g_assert_cmpuint(used, ==, m->trace->len);
	ocsd_dt_process_data(tree, OCSD_OP_EOT, used, 0, NULL, NULL);
	ocsd_destroy_dcd_tree(tree);
}

static void test_flow(gconstpointer data)
{
	const gboolean return_stack = GPOINTER_TO_INT(data);
	const struct etm4_registers registers = {
		.configr = ETM4_CONFIGR_ALWAYS | ETM4_CONFIGR_CID | ETM4_CONFIGR_VMID |
		           (return_stack ? ETM4_CONFIGR_RS : 0u),
		.idr0 = ETM4_A53_IDR0,
		.idr1 = ETM4_A53_IDR1,
		.idr2 = ETM4_A53_IDR2,
	};
	guint n_predicted = 0;

	for (guint32 seed = 0; seed < 10; seed++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed);
		struct machine m = {
			.random = random,
			.pc_va = program_va,
			.trace = g_byte_array_new(),
			.executed = g_array_new(FALSE, FALSE, sizeof(guint64)),
			.decoded = g_array_new(FALSE, FALSE, sizeof(guint64)),
		};

		make_program(&m);
		etm4_encoder_init(&m.encoder, &registers, on_bytes, m.trace);
		execute(&m, 50000);
		full_decode(&m, &registers);
		/* What follows the last branch is not traced. */
		g_assert_cmpuint(m.decoded->len, <=, m.executed->len);
		g_assert_cmpuint(m.executed->len - m.decoded->len, <, 200);
		for (guint i = 0; i < m.decoded->len; i++)
			g_assert_cmphex(g_array_index(m.decoded, guint64, i), ==,
			                g_array_index(m.executed, guint64, i));
		n_predicted += m.n_predicted;
		g_byte_array_unref(m.trace);
		g_array_unref(m.executed);
		g_array_unref(m.decoded);
	}
	g_test_message("%u returns predicted", n_predicted);
	if (return_stack)
		g_assert_cmpuint(n_predicted, >, 10000);
	else
		g_assert_cmpuint(n_predicted, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/etm4-flow/plain", GINT_TO_POINTER(FALSE), test_flow);
	g_test_add_data_func("/etm4-flow/return-stack", GINT_TO_POINTER(TRUE), test_flow);
	return g_test_run();
}
