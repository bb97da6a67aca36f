/* guest.c: a bare-metal program that does what is hard to follow
 *
 * For the differential test of the virtual ETM, on QEMU's virt machine with
 * virtualization=on and a GICv3, from EL2. All cores run EL2, EL1 and EL0 code in
 * turns with timer interrupts, hypercalls, faults in the middle of blocks, MMIO, aliased
 * code, two VMIDs with other code at one address, context IDs, WFI, and stores to an
 * STM window. It ends never: the window does.
 */
#include <stdint.h>

#define read_reg(name)                                                                             \
	({                                                                                         \
		uint64_t value_;                                                                   \
		__asm__ volatile("mrs %0, " name : "=r"(value_));                                  \
		value_;                                                                            \
	})
#define write_reg(name, value) __asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(value)))
#define isb()                  __asm__ volatile("isb" : : : "memory")
#define dsb()                  __asm__ volatile("dsb sy" : : : "memory")

enum {
	CORES_MAX = 8,
	TIMER_PPI = 26, /* CNTHP */
	SPSR_EL1H = 0x05,
	SPSR_EL0T = 0x00,
};

static volatile uint32_t *const uart = (volatile uint32_t *)0x09000000;
static const uint64_t gicd = 0x08000000, gicr = 0x080A0000;
/* RAM is mapped at 0x40000000 for EL1, and twice more where EL0 may write: EL1 cannot
 * execute there (DDI 0487, D8.4.1.2). */
static const uint64_t el0_offset = 0x40000000, alias_offset = 0x80000000;
static const uint64_t window_va = 0xC0000000; /* per VMID: other memory */
static const uint64_t other_ram = 0x80000000;
static const uint64_t stm_window = 0x20000000; /* no device: writes vanish */

extern void enter_secondary(void), enter(uint64_t pc, uint64_t spsr, uint64_t sp, uint64_t arg);
extern uint64_t chain(uint64_t n), number(void), fault_middle(volatile uint64_t *where);
extern char number_end[];
extern void mmio_middle(volatile uint32_t *at, uint32_t value);
extern void mmio_loop(volatile uint32_t *at, uint32_t value, uint64_t n);
extern char stacks[];

static uint64_t stage1[512] __attribute__((aligned(4096)));
static uint64_t stage2[2][1024] __attribute__((aligned(8192)));
static volatile uint64_t n_timer[CORES_MAX], n_rounds[CORES_MAX], n_faults[CORES_MAX];
static uint64_t n_cores = 1;

static uint64_t core_number(void)
{
	return read_reg("mpidr_el1") & 0xFF;
}

static uint64_t smc(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a;
	register uint64_t x2 __asm__("x2") = b;
	register uint64_t x3 __asm__("x3") = c;

	__asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	return x0;
}

static void arm_timer(uint64_t ticks)
{
	write_reg("cnthp_tval_el2", ticks);
	write_reg("cnthp_ctl_el2", 1);
	isb();
}

void handle_el2_irq(void *frame)
{
	const uint64_t intid = read_reg("S3_0_C12_C12_0"); /* ICC_IAR1 */

	(void)frame;
	if (intid == TIMER_PPI) {
		n_timer[core_number()]++;
		arm_timer(200 + (n_timer[core_number()] * 37) % 300);
		/* What a hypervisor does: another domain's identity for a while. */
		if (n_timer[core_number()] % 4 == 0) {
			const uint64_t vttbr = read_reg("vttbr_el2");

			write_reg("vttbr_el2", vttbr & 0xFFFFFFFFFFFF);
			isb();
			chain(3);
			write_reg("vttbr_el2", vttbr);
			isb();
		}
	}
	if (intid < 1020)
		write_reg("S3_0_C12_C12_1", intid); /* ICC_EOIR1 */
}

static void skip_el2(void)
{
	write_reg("elr_el2", read_reg("elr_el2") + 4);
}

void handle_el2_sync(void *frame)
{
	(void)frame;
	n_faults[core_number()]++;
	skip_el2();
}

/* Of a lower exception level: hypercalls, stage-2 faults, trapped WFI. */
void handle_el2_lower(uint64_t *frame)
{
	const uint64_t ec = read_reg("esr_el2") >> 26;

	if (ec == 0x16)
		frame[0] = chain(frame[0] & 3);
	else
		skip_el2();
}

void handle_el1_sync(void *frame)
{
	(void)frame;
	write_reg("elr_el1", read_reg("elr_el1") + 4);
}

void handle_el1_lower(uint64_t *frame)
{
	const uint64_t ec = read_reg("esr_el1") >> 26;

	if (ec != 0x15) {
		write_reg("elr_el1", read_reg("elr_el1") + 4);
		return;
	}
	if (frame[8] == 1)
		__asm__ volatile("hvc #1" : : : "memory"); /* leave for good */
	register uint64_t x0 __asm__("x0") = frame[0];

	__asm__ volatile("hvc #0" : "+r"(x0) : : "memory");
	frame[0] = x0;
}

static uint64_t svc(uint64_t function, uint64_t argument)
{
	register uint64_t x0 __asm__("x0") = argument;
	register uint64_t x8 __asm__("x8") = function;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8) : "memory");
	return x0;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a + b;
}

static uint64_t mul(uint64_t a, uint64_t b)
{
	return a * b + 1;
}

static uint64_t (*const operations[])(uint64_t, uint64_t) = { add, mul };

static uint64_t work(uint64_t seed)
{
	uint64_t sum = seed;

	for (uint64_t i = 0; i < 40; i++) {
		sum = operations[sum >> 3 & 1](sum, i);
		if ((sum & 5) == 5)
			sum ^= chain(sum & 7);
	}
	return sum;
}

static void mark(uint64_t core, uint64_t round)
{
	volatile uint32_t *port = (volatile uint32_t *)(stm_window + (core * 4 + round % 4) * 256);

	port[0x80 / 4 + 2 * (round & 3)] = (uint32_t)(core << 24 | round);
	if (round % 8 == 0)
		port[0x68 / 4] = 0; /* flag */
}

/* At EL0, with the MMU on. */
static void el0_main(uint64_t round)
{
	uint64_t (*const aliased)(uint64_t) =
		(uint64_t(*)(uint64_t))((uint64_t)work + alias_offset);
	uint64_t (*const windowed)(void) = (uint64_t(*)(void))window_va;
	volatile uint64_t sum = work(round);
	const uint64_t core = round >> 32;

	sum += aliased(round);
	sum += windowed();
	sum += svc(0, sum);
	mmio_middle(uart, 'a' + (uint32_t)(round % 26));
	mmio_loop(uart, 30, 3);
	sum += fault_middle((volatile uint64_t *)0x0F000000);
	sum += fault_middle((volatile uint64_t *)0xFFFF000000000000);
	sum += read_reg("cntvct_el0");
	mark(core, round & 0xFFFFFF);
	sum += svc(0, sum);
	svc(1, 0);
}

/* At EL1, on SP_EL1. */
static void el1_main(uint64_t round)
{
	write_reg("contextidr_el1", 100 + (round & 7));
	isb();
	if ((round & 3) == 0)
		__asm__ volatile("wfi");
	write_reg("elr_el1", (uint64_t)el0_main + el0_offset);
	write_reg("spsr_el1", SPSR_EL0T);
	__asm__ volatile("mov x0, %0\n\teret" : : "r"(round) : "x0", "memory");
}

static void set_up_tables(void)
{
	const uint64_t normal = 0x701, device = 0x405;
	const uint64_t s2_normal = 0x7FD, s2_device = 0x4C5;

	stage1[0] = device | 1u << 6;
	stage1[1] = 0x40000000 | normal;
	stage1[2] = 0x40000000 | normal | 1u << 6;
	stage1[3] = 0xC0000000 | normal | 1u << 6;
	stage1[4] = 0x40000000 | normal | 1u << 6;
	for (unsigned vm = 0; vm < 2; vm++) {
		stage2[vm][0] = s2_device;
		stage2[vm][1] = 0x40000000 | s2_normal;
		stage2[vm][2] = 0x40000000 | s2_normal;
		stage2[vm][3] = (vm == 0 ? 0x80000000 : 0xC0000000) | s2_normal;
	}
	for (uint64_t vm = 0; vm < 2; vm++) {
		uint32_t *to = (uint32_t *)(other_ram + vm * 0x40000000);
		const uint32_t *from = (const uint32_t *)number;

		while ((const char *)from < number_end)
			*to++ = *from++;
		/* mov x1, #3 becomes #5, and a nop the other way. */
		((uint32_t *)(other_ram + vm * 0x40000000))[1] = vm == 0 ? 0xD28000A1 : 0xD2800121;
	}
	dsb();
}

static void set_up_core(void)
{
	const uint64_t redistributor = gicr + core_number() * 0x20000;

	if (core_number() == 0)
		*(volatile uint32_t *)gicd = 0x12; /* ARE, group 1 */
	*(volatile uint32_t *)(redistributor + 0x14) = 0;
	*(volatile uint32_t *)(redistributor + 0x10080) = 0xFFFFFFFF;
	*(volatile uint32_t *)(redistributor + 0x10100) = 1u << TIMER_PPI;
	write_reg("S3_4_C12_C9_5", 7); /* ICC_SRE_EL2 */
	isb();
	write_reg("S3_0_C4_C6_0", 0xFF); /* ICC_PMR */
	write_reg("S3_0_C12_C12_7", 1);  /* ICC_IGRPEN1 */
	write_reg("hcr_el2", UINT64_C(1) << 31 | 1 << 4 | 1 << 3 | 1);
	write_reg("cntvoff_el2", 1000);
	write_reg("cnthctl_el2", 3);
	write_reg("cptr_el2", 0x33FF);
	write_reg("vtcr_el2", 0x80023559); /* 39-bit IPA, level 1, 40-bit PA */
	/* On every second core a read at EL0 traps. */
	write_reg("cntkctl_el1", core_number() & 1 ? 0 : 3);
	write_reg("mair_el1", 0x00FF);
	write_reg("tcr_el1", UINT64_C(0x200803519)); /* T0SZ 25, TTBR1 off */
	write_reg("ttbr0_el1", stage1);
	write_reg("sctlr_el1", 0x30D00800 | 1);
	isb();
}

static void run(uint64_t core)
{
	for (uint64_t round = core << 32;; round++) {
		const uint64_t vm = round & 1;

		write_reg("sp_el1", (uint64_t)stacks + (core + 1) * 0x10000 - 0x8000);
		write_reg("vttbr_el2", (uint64_t)stage2[vm] | (vm + 1) << 48);
		__asm__ volatile("tlbi alle1\n\tdsb sy");
		isb();
		if ((round & 0xFF) == 0)
			(void)read_reg("cntpct_el0");
		enter((uint64_t)el1_main, SPSR_EL1H,
		      (uint64_t)stacks + el0_offset + (core + 1) * 0x10000 - 0xC000, round);
		n_rounds[core]++;
	}
}

void main_el2(uint64_t core)
{
	if (core == 0) {
		set_up_tables();
		for (uint64_t i = 1; i < CORES_MAX; i++) {
			if (smc(0xC4000003, i, (uint64_t)enter_secondary, i) == 0)
				n_cores++;
		}
	}
	set_up_core();
	arm_timer(1000);
	__asm__ volatile("msr daifclr, #2");
	run(core);
}
