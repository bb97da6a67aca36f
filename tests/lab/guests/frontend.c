#include "guest.h"
#include "ring.h"

/* Sends requests one after the other, or in batches, and checks the answers. */
static struct guest_task producer, waiter;
static volatile struct ring *const ring = (volatile struct ring *)GUEST_SHARED_PA;

static void submit(uint32_t number)
{
	guest_task_enter(&producer, STEP_PREPARE, number);
	guest_work(guest_config.work_loops);
	ring->request[number % RING_SLOTS] = number;
	__asm__ volatile("dmb ish" : : : "memory");
	ring->requests = number + 1;
	guest_task_enter(&producer, STEP_SUBMIT, number);
	guest_event_send();
}

static void complete(uint32_t number)
{
	guest_task_enter(&waiter, STEP_IDLE, number);
	while (ring->responses <= number)
		guest_event_wait();
	__asm__ volatile("dmb ish" : : : "memory");
	guest_task_enter(&waiter, STEP_COMPLETE, number);
	if (ring->response[number % RING_SLOTS] != ring_answer(number)) {
		guest_print("frontend: wrong answer to request ");
		guest_print_number(number);
		guest_print("\n");
	}
}

void guest_main(void)
{
	guest_task_init(&producer, 0, "producer");
	guest_task_init(&waiter, 1, "waiter");
	guest_events_init();
	guest_start("frontend");
	while (!ring->backend_ready)
		guest_event_wait();
	uint64_t hz = guest_counter_hz();
	uint64_t next = guest_counter();
	for (uint32_t number = 0;; number++) {
		submit(number);
		complete(number);
		guest_task_enter(&producer, STEP_IDLE, number);
		guest_work(guest_config.think_loops);
		next += guest_config.period_us * hz / 1000000;
		guest_sleep_until(next);
		if (guest_config.stop_after && number + 1 == guest_config.stop_after) {
			guest_print("frontend: done\n");
			return;
		}
	}
}
