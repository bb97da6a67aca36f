#include "guest.h"

/* Xen's public interface: xen/include/public/{xen,event_channel,memory}.h */
enum {
	HYPERCALL_MEMORY = 12,
	HYPERCALL_EVENT_CHANNEL = 32,
	EVENT_SEND = 4,
	MEMORY_ADD_TO_PHYSMAP = 7,
	DOMAIN_SELF = 0x7ff0,
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

static volatile struct shared_info *const info = (volatile struct shared_info *)GUEST_INFO_PA;

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
	guest_interrupt_take();
	info->upcall_pending = 0;
	__atomic_exchange_n(&info->pending_selector, 0, __ATOMIC_SEQ_CST);
	__atomic_exchange_n(&info->pending[0], 0, __ATOMIC_SEQ_CST);
}
