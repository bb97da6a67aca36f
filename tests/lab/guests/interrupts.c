#include "guest.h"

enum {
	TIMER_PPI = 27,
	EVENT_PPI = 31,
};

enum {
	GICD = 0x03001000,
	GICC = 0x03002000,
	GICR = 0x03020000,
	GICR_SGI = 0x03030000
};

void guest_interrupts_init(void)
{
	if (guest_config.gic_version == 2) {
		mmio_write32(GICD, 1);
		mmio_write32(GICD + 0x100, 1u << EVENT_PPI | 1u << TIMER_PPI);
		mmio_write32(GICC + 0x4, 0xf0);
		mmio_write32(GICC, 1);
		return;
	}
	mmio_write32(GICD, 0x12); /* affinity routing, group 1 */
	mmio_write32(GICR + 0x14, 0);
	mmio_write32(GICR_SGI + 0x80, 0xffffffff);
	mmio_write32(GICR_SGI + 0x100, 1u << EVENT_PPI | 1u << TIMER_PPI);
	__asm__ volatile("msr s3_0_c12_c12_5, %0\n\tisb" : : "r"(1ul)); /* ICC_SRE_EL1 */
	__asm__ volatile("msr s3_0_c4_c6_0, %0" : : "r"(0xf0ul));       /* ICC_PMR_EL1 */
	__asm__ volatile("msr s3_0_c12_c12_7, %0\n\tisb" : : "r"(1ul)); /* ICC_IGRPEN1_EL1 */
}

void guest_interrupt_take(void)
{
	if (guest_config.gic_version == 2) {
		uint32_t id = mmio_read32(GICC + 0xc);
		if ((id & 0x3ff) < 1020)
			mmio_write32(GICC + 0x10, id);
		return;
	}
	uint64_t id;
	__asm__ volatile("mrs %0, s3_0_c12_c12_0" : "=r"(id)); /* ICC_IAR1_EL1 */
	__asm__ volatile("dsb sy" : : : "memory");
	if (id < 1020)
		__asm__ volatile("msr s3_0_c12_c12_1, %0\n\tisb" : : "r"(id)); /* ICC_EOIR1_EL1 */
}

uint64_t guest_counter(void)
{
	uint64_t counter;
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(counter));
	return counter;
}

uint64_t guest_counter_hz(void)
{
	uint64_t hz;
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}

void guest_sleep_until(uint64_t counter)
{
	if (guest_counter() >= counter)
		return;
	__asm__ volatile("msr cntv_cval_el0, %0\n\tmsr cntv_ctl_el0, %1\n\tisb"
	                 :
	                 : "r"(counter), "r"(1ul));
	while (guest_counter() < counter) {
		__asm__ volatile("dsb sy\n\twfi" : : : "memory");
		/* An event that comes meanwhile stays in the shared info page. */
		if (guest_counter() < counter)
			guest_interrupt_take();
	}
	__asm__ volatile("msr cntv_ctl_el0, %0\n\tisb" : : "r"(0ul));
	guest_interrupt_take();
}

void guest_start(const char *name)
{
	guest_interrupts_init();
	guest_print(name);
	guest_print(" ready\n");
	guest_sleep_until(guest_config.start_ms * guest_counter_hz() / 1000);
}
