#include "guest.h"

/* Works for stop_after rounds, then overwrites its own page tables: the next
 * translation fails, so does the one of its exception vector, and so on for
 * ever. What a debugger finds is a guest whose memory map is gone. */
static struct guest_task healthy, doomed;

void guest_main(void)
{
	guest_task_init(&healthy, 0, "healthy");
	guest_task_init(&doomed, 1, "doomed");
	guest_print("crasher ready\n");
	for (uint32_t round = 0; round < guest_config.stop_after; round++) {
		guest_task_enter(&healthy, 1, round);
		guest_work(guest_config.work_loops);
	}
	guest_print("crasher: overwriting its page tables\n");
	guest_task_enter(&doomed, 2, 0);
	for (int i = 0; i < 512; i++)
		((volatile uint64_t *)guest_page_table)[i] = 0xdeadbeefdead0000u + (uint64_t)i * 16;
	__asm__ volatile("dsb ish\n\ttlbi vmalle1\n\tdsb ish\n\tisb" : : : "memory");
	for (;;)
		guest_work(1000);
}
