/* guest.h: what the lab's bare-metal guests share
 *
 * A guest is one program for one vCPU in EL1, started by Xen (dom0less) as an
 * arm64 Image at 0x40000000. start.S sets up a stack, an identity map and the
 * vectors, then calls guest_main(). There is no allocator: guests run, wait
 * for events, and say on a task's every step which task it is, by
 * CONTEXTIDR_EL1 and by a write to the STM stimulus window.
 *
 * Nothing here is part of the product; it is the workload that it is tested on.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdint.h>

/* The lab writes this into the image, 64 bytes after its start (config.S). */
struct guest_config {
	uint64_t gic_version;  /* 2 or 3 */
	uint64_t stm_channel;  /* the stimulus port that this guest writes */
	uint64_t work_loops;   /* loop iterations of work per step */
	uint64_t think_loops;  /* loop iterations between two requests */
	uint64_t stop_after;   /* requests or rounds until the guest changes, 0 = never */
	uint64_t event_port;   /* local port of the static event channel, 0 = none */
	uint64_t context_base; /* context ID of the guest's first task */
	uint64_t start_ms;     /* sleep so long before the work, since the guest's reset */
	uint64_t period_us;    /* of requests; 0: the next follows at once */
	uint64_t no_markers;   /* 1: tasks are said by CONTEXTIDR_EL1 only */
	uint64_t ramp_step;    /* frontend: phase n offers n times so many requests a second */
	uint64_t ramp_phases;  /* 0: no ramp, but period_us */
	uint64_t ramp_rounds;  /* the ramp, so often */
	uint64_t ramp_ms;      /* the length of a phase */
};
extern struct guest_config guest_config;

/* Guest physical addresses; the device tree of the lab maps them so. */
enum {
	GUEST_CONSOLE_PA = 0x22000000, /* Xen's virtual PL011 */
	GUEST_STM_PA = 0x28000000,     /* 16 MiB, one master's 65,536 ports */
	GUEST_SHARED_PA = 0x50000000,  /* 2 MiB, static shared memory */
	GUEST_INFO_PA = 0x50400000,    /* Xen's shared info page */
	GUEST_NOTHING_PA = 0x60000000, /* never mapped in stage 2 */
};

/* A task of a guest: what a small real-time kernel would call a thread. */
struct guest_task {
	uint32_t context_id;
	const char *name;
	uint64_t steps; /* how often it was entered */
	char marker[48];
};

void guest_main(void);

/* Makes a task the current one: CONTEXTIDR_EL1, then ISB, then an STM marker
 * D32MTS of step << 24 | (value & 0xffffff), unless there are to be none. */
void guest_task_enter(struct guest_task *task, uint32_t step, uint64_t value);
void guest_task_init(struct guest_task *task, uint32_t index, const char *name);

void guest_work(uint64_t loops);
void guest_print(const char *text);
void guest_print_number(uint64_t value);

/* Event channels and Xen's shared info page; only for guests with a port. */
void guest_events_init(void);
void guest_event_send(void);
/* Sleeps in WFI until an event or an interrupt came, and takes it. */
void guest_event_wait(void);

/* Says that the guest is ready, and sleeps until start_ms. Comes first. */
void guest_start(const char *name);

/* Interrupts stay masked in PSTATE: they end a WFI, and are taken by hand. */
void guest_interrupts_init(void);
void guest_interrupt_take(void);

/* Sleeps by the virtual timer. */
uint64_t guest_counter(void);
uint64_t guest_counter_hz(void);
void guest_sleep_until(uint64_t counter);

/* Called on a synchronous exception of the guest itself. Returns the address to
 * go on at. The default prints and stops. */
uint64_t guest_fault(uint64_t esr, uint64_t far, uint64_t elr);

long guest_hypercall(uint64_t number, uint64_t first, uint64_t second);

/* The identity map of start.S: 512 level-1 entries of 1 GiB. */
extern uint64_t guest_page_table[512];

static inline uint32_t mmio_read32(uint64_t addr)
{
	return *(volatile uint32_t *)addr;
}

static inline void mmio_write32(uint64_t addr, uint32_t value)
{
	*(volatile uint32_t *)addr = value;
}

#endif
