#include "guest.h"

/* Never yields: two tasks take turns at pure computation. */
static struct guest_task even, odd;

void guest_main(void)
{
	guest_task_init(&even, 0, "hog-even");
	guest_task_init(&odd, 1, "hog-odd");
	guest_start("hog");
	for (uint32_t round = 0;; round++) {
		guest_task_enter(round & 1 ? &odd : &even, 1, round);
		guest_work(guest_config.work_loops);
	}
}
