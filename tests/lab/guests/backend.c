#include "guest.h"
#include "ring.h"

/* Serves the frontend's requests: dispatch takes one, worker computes. */
static struct guest_task dispatch, worker;
static volatile struct ring *const ring = (volatile struct ring *)GUEST_SHARED_PA;

static void serve(uint32_t number)
{
	guest_task_enter(&dispatch, STEP_RECEIVE, number);
	uint64_t request = ring->request[number % RING_SLOTS];
	guest_task_enter(&worker, STEP_PROCESS, number);
	guest_work(guest_config.work_loops);
	ring->response[number % RING_SLOTS] = ring_answer(request);
	__asm__ volatile("dmb ish" : : : "memory");
	ring->responses = number + 1;
	guest_task_enter(&dispatch, STEP_RESPOND, number);
	guest_event_send();
}

void guest_main(void)
{
	guest_task_init(&dispatch, 0, "dispatch");
	guest_task_init(&worker, 1, "crypt");
	guest_events_init();
	guest_start("backend");
	ring->backend_ready = 1;
	guest_event_send();
	for (uint32_t number = 0;; number++) {
		guest_task_enter(&dispatch, STEP_IDLE, number);
		while (ring->requests <= number)
			guest_event_wait();
		__asm__ volatile("dmb ish" : : : "memory");
		serve(number);
	}
}
