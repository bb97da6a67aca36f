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

/* What a phase of the ramp offered and what of it was served. */
struct phase {
	uint64_t offered_per_s, requests, ticks;
	uint64_t response_ticks; /* from notification to answer, all requests together */
};

enum {
	PHASES_MAX = 128
};

static struct phase phases[PHASES_MAX];

/* One phase: a request each 1/offered_per_s, or as soon as the one before is answered. */
static uint32_t run_phase(struct phase *phase, uint32_t number)
{
	uint64_t hz = guest_counter_hz();
	uint64_t began = guest_counter();
	uint64_t length = guest_config.ramp_ms * hz / 1000;

	while (guest_counter() - began < length) {
		submit(number);
		uint64_t notified = guest_counter();
		complete(number++);
		phase->response_ticks += guest_counter() - notified;
		phase->requests++;
		guest_task_enter(&producer, STEP_IDLE, number);
		guest_work(guest_config.think_loops);
		guest_sleep_until(began + phase->requests * hz / phase->offered_per_s);
	}
	phase->ticks = guest_counter() - began;
	return number;
}

static void print_field(const char *name, uint64_t value)
{
	guest_print(name);
	guest_print_number(value);
}

/* Nothing is printed before the end: the console costs more than a request. */
static void run_ramp(void)
{
	uint64_t n_phases = guest_config.ramp_phases * guest_config.ramp_rounds;
	uint32_t number = 0;

	if (n_phases > PHASES_MAX)
		n_phases = PHASES_MAX;
	for (uint64_t i = 0; i < n_phases; i++) {
		phases[i].offered_per_s =
			guest_config.ramp_step * (i % guest_config.ramp_phases + 1);
		number = run_phase(&phases[i], number);
	}
	for (uint64_t i = 0; i < n_phases; i++) {
		print_field("ramp offered ", phases[i].offered_per_s);
		print_field(" requests ", phases[i].requests);
		print_field(" ticks ", phases[i].ticks);
		print_field(" response ", phases[i].response_ticks);
		guest_print("\n");
	}
	guest_print("frontend: ramp done\n");
}

void guest_main(void)
{
	guest_task_init(&producer, 0, "producer");
	guest_task_init(&waiter, 1, "waiter");
	guest_events_init();
	guest_start("frontend");
	while (!ring->backend_ready)
		guest_event_wait();
	if (guest_config.ramp_phases) {
		run_ramp();
		return;
	}
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
