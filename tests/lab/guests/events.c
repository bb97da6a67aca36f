#include "guest.h"

/* Xen's public interface: xen/include/public/{xen,event_channel,memory}.h */
enum {
	HYPERCALL_MEMORY = 12,
	HYPERCALL_EVENT_CHANNEL = 32,
	EVENT_SEND = 4,
	MEMORY_ADD_TO_PHYSMAP = 7,
	DOMAIN_SELF = 0x7ff0,
	TIMER_PPI = 27,
	EVENT_PPI = 31,
};

struct add_to_physmap {
	uint16_t domid;
	uint16_t size;
	uint32_t space; /* 0: the shared info page */
	uint64_t index;
	uint64_t frame;
};

/* struct shared_info of a 64-bit Arm guest with one legacy vCPU. */
struct shared_info {
	uint8_t upcall_pending;
	uint8_t upcall_mask;
	uint64_t pending_selector;
	uint64_t time[4];
	uint64_t pending[64];
	uint64_t mask[64];
};

enum {
	GICD = 0x03001000,
	GICC = 0x03002000,
	GICR = 0x03020000,
	GICR_SGI = 0x03030000
};

static volatile struct shared_info *const info = (volatile struct shared_info *)GUEST_INFO_PA;

static void gic_init(void)
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

static void gic_take(void)
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

void guest_events_init(void)
{
	struct add_to_physmap map = {
		.domid = DOMAIN_SELF,
		.frame = GUEST_INFO_PA >> 12,
	};
	if (guest_hypercall(HYPERCALL_MEMORY, MEMORY_ADD_TO_PHYSMAP, (uint64_t)&map) != 0) {
		guest_print("Xen refuses the shared info page\n");
		for (;;)
			__asm__ volatile("wfi");
	}
	gic_init();
}

void guest_event_send(void)
{
	uint32_t port = (uint32_t)guest_config.event_port;
	__asm__ volatile("dsb ish" : : : "memory");
	guest_hypercall(HYPERCALL_EVENT_CHANNEL, EVENT_SEND, (uint64_t)&port);
}

void guest_event_wait(void)
{
	/* Interrupts stay masked in PSTATE: WFI ends when one is pending, and none
	 * can slip between the look and the sleep. */
	while (!info->upcall_pending)
		__asm__ volatile("dsb sy\n\twfi" : : : "memory");
	gic_take();
	info->upcall_pending = 0;
	__atomic_exchange_n(&info->pending_selector, 0, __ATOMIC_SEQ_CST);
	__atomic_exchange_n(&info->pending[0], 0, __ATOMIC_SEQ_CST);
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
			gic_take();
	}
	__asm__ volatile("msr cntv_ctl_el0, %0\n\tisb" : : "r"(0ul));
	gic_take();
}
