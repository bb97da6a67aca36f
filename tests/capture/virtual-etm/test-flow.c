/* test-flow.c: the flow reconstruction against a made-up machine
 *
 * Plays what TCG shows of the hard cases (the traps of docs/internals/virtual-etm.md) and
 * looks at what the listener is told, as text.
 */
#include "capture/virtual-etm/flow.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

enum {
	NOP = 0xD503201F,
	WFI = 0xD503207F,
	ISB = 0xD5033FDF,
	ERET = 0xD69F03E0,
	RET = 0xD65F03C0,
	SVC = 0xD4000001,
	HVC = 0xD4000002,
	LDR = 0xF9400000,         /* ldr x0, [x0] */
	B_BACK_4 = 0x17FFFFFF,    /* b .-4 */
	B_EQ_BACK_8 = 0x54FFFFC0, /* b.eq .-8 */
	CBZ_AHEAD_8 = 0xB4000040, /* cbz x0, .+8 */
	BL_AHEAD_16 = 0x94000004,
	MSR_CID = 0xD518D020, /* msr contextidr_el1, x0 */
	MSR_VTTBR = 0xD51C2100,
	MSR_VBAR_EL1 = 0xD518C000,
	MRS_CNTPCT_X3 = 0xD53BE023,
	MRS_CNTVCT_X4 = 0xD53BE044,
	CPSR_MASKED = 0x3C0,
};

static const uint64_t vbar_el1 = 0x10000, vbar_el2 = 0x20000;

struct machine {
	struct flow flow;
	uint64_t regs[2][FLOW_REGISTERS];
	GString *log;
	GPtrArray *blocks;
};

static uint64_t machine_read(void *data, unsigned core, enum flow_register reg)
{
	return ((struct machine *)data)->regs[core][reg];
}

static void log_run(void *data, unsigned core, const struct flow_context *context,
                    const struct flow_run *run)
{
	static const char *const ends[] = { "", " N", " E", " I", " X" };

	g_string_append_printf(((struct machine *)data)->log, "%u:EL%u/%u/%u %" PRIx64 "+%u%s\n",
	                       core, context->el, context->vmid, context->context_id, run->va,
	                       run->n, ends[run->end]);
}

static void log_exception(void *data, unsigned core, const struct flow_exception *exception)
{
	g_string_append_printf(((struct machine *)data)->log,
	                       "%u:exception %u from EL%u at %" PRIx64 " to %" PRIx64 "\n", core,
	                       exception->etm_type, exception->from->el, exception->return_va,
	                       exception->vector_va);
}

static void log_gap(void *data, unsigned core)
{
	g_string_append_printf(((struct machine *)data)->log, "%u:gap\n", core);
}

static void log_resume(void *data, unsigned core, uint64_t stop_ns)
{
	g_string_append_printf(((struct machine *)data)->log, "%u:stopped %" PRIu64 "\n", core,
	                       stop_ns);
}

static void log_time_known(void *data)
{
	g_string_append(((struct machine *)data)->log, "time\n");
}

static void machine_init(struct machine *self, unsigned n_cores)
{
	const struct flow_listener listener = { log_run,    log_exception,  log_gap,
		                                log_resume, log_time_known, self };
	const struct flow_config config = {
		.n_cores = n_cores, .el_max = 2, .shift = 2, .counter_hz = 62500000
	};

	memset(self->regs, 0, sizeof self->regs);
	flow_init(&self->flow, &config, machine_read, self, &listener);
	self->log = g_string_new(NULL);
	self->blocks = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < n_cores; i++) {
		self->regs[i][FLOW_VBAR] = vbar_el1;
		self->regs[i][FLOW_VBAR + 1] = vbar_el2;
		self->regs[i][FLOW_CPSR] = 1 << 2;
		self->regs[i][FLOW_VTTBR_EL2] = UINT64_C(1) << 48;
	}
}

static void machine_deinit(struct machine *self)
{
	g_string_free(self->log, TRUE);
	g_ptr_array_unref(self->blocks);
}

/* Core 0 executes an ERET to `va`. */
static void eret_to(struct machine *self, unsigned from_el, uint64_t va, unsigned el)
{
	self->regs[0][FLOW_ELR + from_el - 1] = va;
	flow_eret(&self->flow, 0);
	self->regs[0][FLOW_CPSR] = el << 2;
}

/* A block as TCG translated it at `va`; opcodes up to a 0. */
static struct flow_block *block_new(struct machine *self, uint64_t va, const uint32_t *code)
{
	struct flow_block *block;
	uint16_t n = 0;

	while (code[n] != 0)
		n++;
	block = g_malloc0(sizeof *block + n * sizeof code[0]);
	memcpy(block->code, code, n * sizeof code[0]);
	block->n = n;
	flow_block_init(block, va);
	g_ptr_array_add(self->blocks, block);
	return block;
}

#define block_at(self, va, ...) block_new((self), (va), (const uint32_t[]) { __VA_ARGS__, 0 })

/* Core `core` begins `block` at `pc`. */
static void begin_at(struct machine *self, unsigned core, struct flow_block *block, uint64_t pc)
{
	self->regs[core][FLOW_PC] = pc;
	flow_begin(&self->flow, core, block);
}

static void begin(struct machine *self, struct flow_block *block)
{
	begin_at(self, 0, block, block->translated_va);
}

/* The core takes an exception to `el`, whose vector it enters. */
static void take(struct machine *self, unsigned core, unsigned el, unsigned from_el, uint64_t elr,
                 unsigned ec)
{
	self->regs[core][FLOW_CPSR] = CPSR_MASKED | el << 2 | 1;
	self->regs[core][FLOW_ELR + el - 1] = elr;
	self->regs[core][FLOW_SPSR + el - 1] = from_el << 2;
	self->regs[core][FLOW_ESR + el - 1] = (uint64_t)ec << 26;
}

static void test_branches(void)
{
	struct machine m;

	machine_init(&m, 1);
	begin(&m, block_at(&m, 0x1000, NOP, CBZ_AHEAD_8));
	begin(&m, block_at(&m, 0x1008, NOP, CBZ_AHEAD_8)); /* not taken */
	begin(&m, block_at(&m, 0x1014, BL_AHEAD_16));      /* taken */
	begin(&m, block_at(&m, 0x1024, NOP, NOP, RET));
	begin(&m, block_at(&m, 0x1018, ISB));
	begin(&m, block_at(&m, 0x101C, NOP));
	g_assert_cmpstr(m.log->str, ==,
	                "0:gap\n"
	                "0:EL1/1/0 1000+2 N\n"
	                "0:EL1/1/0 1008+2 E\n"
	                "0:EL1/1/0 1014+1 E\n"
	                "0:EL1/1/0 1024+3 I\n"
	                "0:EL1/1/0 1018+1 E\n");
	g_assert_cmpuint(m.flow.n_gaps, ==, 0);
	machine_deinit(&m);
}

/* Trap: a block is translated at one address and runs at another (CF_PCREL). */
static void test_shared_blocks(void)
{
	struct machine m;
	struct flow_block *loop, *next;

	machine_init(&m, 1);
	begin(&m, block_at(&m, 0x1000, RET));
	loop = block_at(&m, 0x5010, NOP, CBZ_AHEAD_8);
	next = block_at(&m, 0x5018, RET);
	begin_at(&m, 0, loop, 0xFFFF000000009010);
	begin_at(&m, 0, next, 0xFFFF000000009018);
	begin_at(&m, 0, loop, 0x5010);
	begin_at(&m, 0, next, 0x5018);
	begin(&m, block_at(&m, 0x1000, RET));
	g_assert_cmpstr(m.log->str, ==,
	                "0:gap\n"
	                "0:EL1/1/0 1000+1 I\n"
	                "0:EL1/1/0 ffff000000009010+2 N\n"
	                "0:EL1/1/0 ffff000000009018+1 I\n"
	                "0:EL1/1/0 5010+2 N\n"
	                "0:EL1/1/0 5018+1 I\n");
	machine_deinit(&m);
}

static void test_exceptions(void)
{
	struct machine m;

	machine_init(&m, 1);
	m.regs[0][FLOW_CPSR] = 0;
	/* A data abort in the middle of a block at EL0: the second instruction did not run. */
	begin(&m, block_at(&m, 0x1000, NOP, LDR, NOP, CBZ_AHEAD_8));
	take(&m, 0, 1, 0, 0x1004, 0x24);
	begin(&m, block_at(&m, vbar_el1 + 0x400, NOP, ERET));
	eret_to(&m, 1, 0x1004, 0);
	/* Back to it; SVC executes and returns behind. */
	begin(&m, block_at(&m, 0x1004, LDR, SVC));
	take(&m, 0, 1, 0, 0x100C, 0x15);
	begin(&m, block_at(&m, vbar_el1 + 0x400, NOP, ERET));
	eret_to(&m, 1, 0x100C, 0);
	begin(&m, block_at(&m, 0x100C, NOP, CBZ_AHEAD_8));
	/* An IRQ to EL2 after the branch was taken. */
	take(&m, 0, 2, 0, 0x1018, 0);
	begin(&m, block_at(&m, vbar_el2 + 0x480, ERET));
	/* And one to EL1 before the instruction there began. */
	eret_to(&m, 2, 0x1018, 0);
	take(&m, 0, 1, 0, 0x1018, 0);
	begin(&m, block_at(&m, vbar_el1 + 0x480, NOP));
	g_assert_cmpstr(m.log->str, ==,
	                "0:gap\n"
	                "0:EL0/1/0 1000+1\n"
	                "0:exception 12 from EL0 at 1004 to 10400\n"
	                "0:EL1/1/0 10400+2 X\n"
	                "0:EL0/1/0 1004+2\n"
	                "0:exception 2 from EL0 at 100c to 10400\n"
	                "0:EL1/1/0 10400+2 X\n"
	                "0:EL0/1/0 100c+2 E\n"
	                "0:exception 14 from EL0 at 1018 to 20480\n"
	                "0:EL2/1/0 20480+1 X\n"
	                "0:exception 14 from EL0 at 1018 to 10480\n");
	g_assert_cmpuint(m.flow.n_gaps, ==, 0);
	machine_deinit(&m);
}

/* Trap: an IRQ to EL2 comes before the handler at EL1 ran an instruction. */
static void test_nested_exceptions(void)
{
	struct machine m;

	machine_init(&m, 1);
	m.regs[0][FLOW_CPSR] = 0;
	begin(&m, block_at(&m, 0x1000, NOP, SVC));
	take(&m, 0, 1, 0, 0x1008, 0x15);
	take(&m, 0, 2, 1, vbar_el1 + 0x400, 0);
	begin(&m, block_at(&m, vbar_el2 + 0x480, NOP, ERET));
	/* The ERET goes to that handler, and an IRQ comes at once: not a second SVC. */
	eret_to(&m, 2, vbar_el1 + 0x400, 1);
	take(&m, 0, 2, 1, vbar_el1 + 0x400, 0);
	begin(&m, block_at(&m, vbar_el2 + 0x480, NOP, ERET));
	/* Now it gets there. */
	eret_to(&m, 2, vbar_el1 + 0x400, 1);
	m.regs[0][FLOW_CPSR] = CPSR_MASKED | 1 << 2;
	begin(&m, block_at(&m, vbar_el1 + 0x400, NOP));
	g_assert_cmpstr(m.log->str, ==,
	                "0:gap\n"
	                "0:EL0/1/0 1000+2\n"
	                "0:exception 2 from EL0 at 1008 to 10400\n"
	                "0:exception 14 from EL1 at 10400 to 20480\n"
	                "0:EL2/1/0 20480+2 X\n"
	                "0:exception 14 from EL1 at 10400 to 20480\n"
	                "0:EL2/1/0 20480+2 X\n");
	g_assert_cmpuint(m.flow.n_nested, ==, 1);
	machine_deinit(&m);
}

/* Trap: TCG stops at an MMIO access in the middle of a block, runs that one instruction
 * without telling, and goes on behind it. */
static void test_mmio_restart(void)
{
	struct machine m;
	struct flow_block *loop, *access;

	machine_init(&m, 1);
	loop = block_at(&m, 0x1000, NOP, LDR, NOP, B_EQ_BACK_8);
	access = block_at(&m, 0x1004, LDR);
	begin(&m, loop);
	flow_access(&m.flow, 0, access);
	begin(&m, block_at(&m, 0x1008, NOP, B_EQ_BACK_8));
	/* The branch goes to where a restart would also go on: nothing was restarted now. */
	begin(&m, block_at(&m, 0x1004, LDR, NOP, B_EQ_BACK_8));
	flow_access(&m.flow, 0, access);
	/* An IRQ right behind the access. */
	take(&m, 0, 2, 1, 0x1008, 0);
	begin(&m, block_at(&m, vbar_el2 + 0x480, NOP));
	g_assert_cmpstr(m.log->str, ==,
	                "0:gap\n"
	                "0:EL1/1/0 1000+2\n"
	                "0:EL1/1/0 1008+2 E\n"
	                "0:EL1/1/0 1004+1\n"
	                "0:exception 14 from EL1 at 1008 to 20480\n");
	g_assert_cmpuint(m.flow.n_mmio_restarts, ==, 2);
	/* 4 NOP-and-load, 2, 1, and the block that began: as -icount counts. */
	g_assert_cmpuint(m.flow.insns, ==, 2 + 2 + 1 + 1);
	machine_deinit(&m);
}

/* Trap: VMID and context ID are in force from the next ISB, ERET or exception on. */
static void test_context_synchronisation(void)
{
	struct machine m;

	machine_init(&m, 1);
	begin(&m, block_at(&m, 0x1000, NOP, MSR_CID));
	m.regs[0][FLOW_CONTEXTIDR_EL1] = 97;
	begin(&m, block_at(&m, 0x1008, NOP, CBZ_AHEAD_8));
	begin(&m, block_at(&m, 0x1010, NOP, ISB));
	begin(&m, block_at(&m, 0x1018, MSR_CID));
	m.regs[0][FLOW_CONTEXTIDR_EL1] = 98;
	take(&m, 0, 2, 1, 0x101C, 0);
	begin(&m, block_at(&m, vbar_el2 + 0x480, MSR_VTTBR));
	m.regs[0][FLOW_VTTBR_EL2] = UINT64_C(3) << 48;
	begin(&m, block_at(&m, vbar_el2 + 0x484, NOP, ERET));
	eret_to(&m, 2, 0x101C, 1);
	begin(&m, block_at(&m, 0x101C, NOP, CBZ_AHEAD_8));
	begin(&m, block_at(&m, 0x1024, NOP));
	g_assert_cmpstr(m.log->str, ==,
	                "0:gap\n"
	                "0:EL1/1/0 1000+2\n"
	                "0:EL1/1/0 1008+2 N\n"
	                "0:EL1/1/0 1010+2 E\n"
	                "0:EL1/1/97 1018+1\n"
	                "0:exception 14 from EL1 at 101c to 20480\n"
	                "0:EL2/1/98 20480+1\n"
	                "0:EL2/1/98 20484+2 X\n"
	                "0:EL1/3/98 101c+2 N\n");
	machine_deinit(&m);
}

/* Trap: with all cores waiting, QEMU moves its clock to the next timer; the time is not
 * known until a core reads the counter. */
static void test_time(void)
{
	struct machine m;

	machine_init(&m, 2);
	g_assert_false(flow_time_known(&m.flow));
	begin(&m, block_at(&m, 0x1000, NOP, MRS_CNTPCT_X3));
	m.regs[0][FLOW_X0 + 3] = 1000;
	begin(&m, block_at(&m, 0x1008, NOP, NOP, NOP, WFI));
	g_assert_true(flow_time_known(&m.flow));
	g_assert_cmpuint(flow_time_ns(&m.flow), ==, 1000 * 16 + 4 * 4);
	/* The other core runs: the first waits alone, and the time goes on. */
	begin_at(&m, 1, block_at(&m, 0x2000, NOP, NOP, NOP, NOP, NOP, CBZ_AHEAD_8), 0x2000);
	begin_at(&m, 0, block_at(&m, 0x1018, NOP, WFI), 0x1018);
	g_assert_true(flow_time_known(&m.flow));
	begin_at(&m, 1, block_at(&m, 0x2018, WFI), 0x2018);
	begin_at(&m, 0, block_at(&m, 0x1020, NOP, MRS_CNTVCT_X4), 0x1020);
	g_assert_false(flow_time_known(&m.flow));
	/* A read that traps says nothing. */
	m.regs[0][FLOW_X0 + 4] = 5;
	take(&m, 0, 2, 1, 0x1024, 0x18);
	begin(&m, block_at(&m, vbar_el2 + 0x400, NOP, ERET));
	g_assert_false(flow_time_known(&m.flow));
	eret_to(&m, 2, 0x1024, 1);
	begin(&m, block_at(&m, 0x1024, MRS_CNTVCT_X4));
	m.regs[0][FLOW_X0 + 4] = 9000;
	begin(&m, block_at(&m, 0x1028, NOP));
	g_assert_true(flow_time_known(&m.flow));
	g_assert_cmpuint(flow_time_ticks(&m.flow), ==, 9000);
	g_assert_cmpuint(m.flow.n_corrections, ==, 0);
	machine_deinit(&m);
}

/* A guest's WFI that the hypervisor traps is no wait, though no other core runs. */
static void test_trapped_wait(void)
{
	struct machine m;

	machine_init(&m, 1);
	begin(&m, block_at(&m, 0x1000, NOP, MRS_CNTPCT_X3));
	m.regs[0][FLOW_X0 + 3] = 1000;
	begin(&m, block_at(&m, 0x1008, NOP, WFI));
	take(&m, 0, 2, 1, 0x100C, 0x01);
	begin(&m, block_at(&m, vbar_el2 + 0x400, NOP, ERET));
	g_assert_true(flow_time_known(&m.flow));
	eret_to(&m, 2, 0x1010, 1);
	begin(&m, block_at(&m, 0x1010, NOP, WFI));
	g_assert_true(flow_time_known(&m.flow));
	begin(&m, block_at(&m, 0x1018, NOP));
	g_assert_false(flow_time_known(&m.flow));
	machine_deinit(&m);
}

/* The end of a core's turn is told behind the block with which it ended. */
static void test_turn(void)
{
	struct machine m;

	machine_init(&m, 2);
	begin(&m, block_at(&m, 0x1000, NOP, CBZ_AHEAD_8));
	begin(&m, block_at(&m, 0x1008, NOP, NOP));
	begin_at(&m, 1, block_at(&m, 0x2000, NOP, NOP, NOP), 0x2000);
	begin_at(&m, 0, block_at(&m, 0x1010, NOP), 0x1010);
	begin(&m, block_at(&m, 0x1014, NOP));
	g_assert_nonnull(strstr(m.log->str, " 1008+2\n0:stopped 16\n0:EL1/1/0 1010+1\n"));
	machine_deinit(&m);
}

static void test_virtual_offset(void)
{
	struct machine m;

	machine_init(&m, 1);
	m.regs[0][FLOW_CNTVOFF_EL2] = 500;
	begin(&m, block_at(&m, 0x1000, NOP, MRS_CNTVCT_X4));
	m.regs[0][FLOW_X0 + 4] = 1000;
	begin(&m, block_at(&m, 0x1008, NOP));
	g_assert_cmpuint(flow_time_ticks(&m.flow), ==, 1500);
	machine_deinit(&m);
}

/* A vector that the program branches to, or falls into, is no exception. */
static void test_vector_without_exception(void)
{
	struct machine m;

	machine_init(&m, 1);
	begin(&m, block_at(&m, vbar_el1 + 0x1FC, NOP));
	begin(&m, block_at(&m, vbar_el1 + 0x200, NOP, B_BACK_4));
	begin(&m, block_at(&m, vbar_el1 + 0x200, NOP, B_BACK_4));
	begin(&m, block_at(&m, 0x1000, NOP));
	g_assert_cmpstr(m.log->str, ==,
	                "0:gap\n"
	                "0:EL1/1/0 101fc+1\n"
	                "0:EL1/1/0 10200+2 E\n"
	                "0:gap\n");
	g_assert_cmpuint(m.flow.n_gaps, ==, 1);
	machine_deinit(&m);
}

/* MSR VBAR: the new vectors count at once. */
static void test_new_vectors(void)
{
	struct machine m;

	machine_init(&m, 1);
	begin(&m, block_at(&m, 0x1000, NOP, MSR_VBAR_EL1));
	m.regs[0][FLOW_VBAR] = 0x30000;
	begin(&m, block_at(&m, 0x1008, SVC));
	take(&m, 0, 1, 1, 0x100C, 0x15);
	begin(&m, block_at(&m, 0x30200, NOP));
	g_assert_cmpstr(m.log->str, ==,
	                "0:gap\n"
	                "0:EL1/1/0 1000+2\n"
	                "0:EL1/1/0 1008+1\n"
	                "0:exception 2 from EL1 at 100c to 30200\n");
	machine_deinit(&m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/virtual-etm/flow/branches", test_branches);
	g_test_add_func("/capture/virtual-etm/flow/shared-blocks", test_shared_blocks);
	g_test_add_func("/capture/virtual-etm/flow/exceptions", test_exceptions);
	g_test_add_func("/capture/virtual-etm/flow/nested-exceptions", test_nested_exceptions);
	g_test_add_func("/capture/virtual-etm/flow/mmio-restart", test_mmio_restart);
	g_test_add_func("/capture/virtual-etm/flow/context", test_context_synchronisation);
	g_test_add_func("/capture/virtual-etm/flow/time", test_time);
	g_test_add_func("/capture/virtual-etm/flow/trapped-wait", test_trapped_wait);
	g_test_add_func("/capture/virtual-etm/flow/turn", test_turn);
	g_test_add_func("/capture/virtual-etm/flow/virtual-offset", test_virtual_offset);
	g_test_add_func("/capture/virtual-etm/flow/vector-without-exception",
	                test_vector_without_exception);
	g_test_add_func("/capture/virtual-etm/flow/new-vectors", test_new_vectors);
	return g_test_run();
}
