/* ring.h: the page that frontend and backend share
 *
 * One producer of requests, one of responses. Indices only grow; slot i is
 * i % RING_SLOTS. Each index has one writer.
 */
#ifndef RING_H
#define RING_H

#include <stdint.h>

enum {
	RING_SLOTS = 32
};

struct ring {
	uint32_t backend_ready;
	uint32_t requests;  /* written by the frontend */
	uint32_t responses; /* written by the backend */
	uint32_t reserved;
	uint64_t request[RING_SLOTS];
	uint64_t response[RING_SLOTS];
};

/* Steps of a request as they appear in STM markers (bits 31:24). */
enum ring_step {
	STEP_IDLE = 0,
	STEP_PREPARE = 1,  /* frontend builds a request */
	STEP_SUBMIT = 2,   /* frontend notifies */
	STEP_RECEIVE = 3,  /* backend took the request */
	STEP_PROCESS = 4,  /* backend works on it */
	STEP_RESPOND = 5,  /* backend notifies */
	STEP_COMPLETE = 6, /* frontend took the response */
};

/* What the backend answers; the frontend checks it. */
static inline uint64_t ring_answer(uint64_t request)
{
	return request * 6364136223846793005u + 1442695040888963407u;
}

#endif
