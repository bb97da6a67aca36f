#include "guest.h"

/* Takes stage-2 faults: reads of the emulated interrupt controller, which Xen
 * answers, and reads of nothing at all, which come back as an external abort. */
static struct guest_task emulated, unmapped, between;
static volatile uint64_t aborts;

uint64_t guest_fault(uint64_t esr, uint64_t far, uint64_t elr)
{
	(void)esr;
	(void)far;
	aborts++;
	return elr + 4;
}

void guest_main(void)
{
	guest_task_init(&emulated, 0, "emulated");
	guest_task_init(&unmapped, 1, "unmapped");
	guest_task_init(&between, 2, "between");
	guest_start("faulter");
	for (uint32_t round = 0;; round++) {
		guest_task_enter(&emulated, 1, round);
		for (int i = 0; i < 8; i++)
			(void)mmio_read32(0x03001004);
		guest_task_enter(&unmapped, 2, round);
		uint64_t before = aborts;
		(void)mmio_read32(GUEST_NOTHING_PA);
		if (aborts != before + 1)
			guest_print("faulter: a read of nothing did not fault\n");
		guest_task_enter(&between, 3, round);
		guest_work(guest_config.work_loops);
	}
}
