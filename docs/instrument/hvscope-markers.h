/* SPDX-License-Identifier: MIT
 *
 * hvscope-markers.h: STM markers for hypervisors, kernels and RTOSes
 *
 * One 32-bit store to a stimulus port of an Arm STM-500 (TRM DDI 0528, "Extended stimulus
 * ports") puts a marked, timestamped message into the trace. The store is of invariant timing:
 * where the STM is busy the marker is dropped, and the processor never waits. Nothing needs
 * these markers; they add names and precision where exception levels are filtered out.
 *
 * `ports` is the mapped address of a page of stimulus ports (device memory, write-only; on a
 * Zynq UltraScale+ they begin at physical 0xF8000000), 16 ports of 256 bytes. `port` is 0 to 15
 * in that page. Freestanding: needs no library.
 */
#ifndef HVSCOPE_MARKERS_H
#define HVSCOPE_MARKERS_H

/* Xen and Linux are built without the compiler's headers. */
#if defined(__XEN__)
#include <xen/types.h>
#elif defined(__KERNEL__)
#include <linux/types.h>
#else
#include <stdint.h>
#endif

/* Bits 31:28 of the message. */
enum hvscope_marker {
	HVSCOPE_STEP = 0,   /* a request reaches a step: bits 27:24 which, 23:0 its number */
	HVSCOPE_SWITCH = 1, /* id is on the processor from now on */
	HVSCOPE_BEGIN = 2,  /* a piece of work, id, begins ... */
	HVSCOPE_END = 3,    /* ... and ends */
	HVSCOPE_EVENT = 4   /* something happened, once */
};

/* Steps of a request, in place of HVSCOPE_BEGIN and HVSCOPE_END where more is to be seen. */
enum hvscope_step {
	HVSCOPE_STEP_PREPARE = 1,  /* the frontend builds it */
	HVSCOPE_STEP_SUBMIT = 2,   /* the frontend notifies */
	HVSCOPE_STEP_RECEIVE = 3,  /* the backend took it */
	HVSCOPE_STEP_PROCESS = 4,  /* the backend works on it */
	HVSCOPE_STEP_RESPOND = 5,  /* the backend notifies */
	HVSCOPE_STEP_COMPLETE = 6, /* the frontend took the response */
};

enum {
	HVSCOPE_STEP_SHIFT = 24,
	HVSCOPE_NUMBER_MASK = 0xFFFFFF,
	HVSCOPE_PORT_BYTES = 256,
	HVSCOPE_PORT_I_DMTS = 0x80, /* invariant timing, data, marked, with timestamp */
	HVSCOPE_ID_MASK = 0x0FFFFFFF
};

static inline void hvscope_mark(volatile void *ports, unsigned int port, enum hvscope_marker marker,
                                uint32_t id)
{
	volatile uint8_t *base = (volatile uint8_t *)ports;

	*(volatile uint32_t *)(base + (port & 15) * HVSCOPE_PORT_BYTES + HVSCOPE_PORT_I_DMTS) =
		(uint32_t)marker << 28 | (id & HVSCOPE_ID_MASK);
}

static inline void hvscope_switch(volatile void *ports, unsigned int port, uint32_t id)
{
	hvscope_mark(ports, port, HVSCOPE_SWITCH, id);
}

static inline void hvscope_begin(volatile void *ports, unsigned int port, uint32_t id)
{
	hvscope_mark(ports, port, HVSCOPE_BEGIN, id);
}

static inline void hvscope_end(volatile void *ports, unsigned int port, uint32_t id)
{
	hvscope_mark(ports, port, HVSCOPE_END, id);
}

static inline void hvscope_request(volatile void *ports, unsigned int port, enum hvscope_step step,
                                   uint32_t number)
{
	hvscope_mark(ports, port, HVSCOPE_STEP,
	             (uint32_t)step << HVSCOPE_STEP_SHIFT | (number & HVSCOPE_NUMBER_MASK));
}

static inline void hvscope_event(volatile void *ports, unsigned int port, uint32_t id)
{
	hvscope_mark(ports, port, HVSCOPE_EVENT, id);
}

#endif
