#include "guest.h"

/* Works for stop_after rounds, then overwrites its own page tables, all but the entry
 * that its code runs by, and stumbles over them: the console that it reports to is no
 * longer mapped. It ends in its fault handler, for ever. What a debugger finds is a
 * guest that runs while most of its memory map is nonsense.
 *
 * (Were that one entry gone too, the CPU would fault on the fetch of its own fault
 * vector and execute nothing ever again, and with it QEMU's clock would stand still.) */
static struct guest_task healthy, doomed;
static volatile uint64_t spins;

uint64_t guest_fault(uint64_t esr, uint64_t far, uint64_t elr)
{
	(void)esr;
	(void)far;
	(void)elr;
	for (;;)
		spins++;
}

void guest_main(void)
{
	guest_task_init(&healthy, 0, "healthy");
	guest_task_init(&doomed, 1, "doomed");
	guest_start("crasher");
	for (uint32_t round = 0; round < guest_config.stop_after; round++) {
		guest_task_enter(&healthy, 1, round);
		guest_work(guest_config.work_loops);
	}
	guest_print("crasher: overwriting its page tables\n");
	guest_task_enter(&doomed, 2, 0);
	uint64_t code = (uint64_t)guest_main >> 30;
	for (uint64_t i = 0; i < 512; i++) {
		if (i != code)
			((volatile uint64_t *)guest_page_table)[i] = 0xdeadbeefdead0000u + i * 16;
	}
	__asm__ volatile("dsb ish\n\ttlbi vmalle1\n\tdsb ish\n\tisb" : : : "memory");
	guest_print("this is never seen\n");
}
