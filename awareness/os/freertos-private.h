/* freertos-private.h: shared by freertos*.c only */
#pragma once

#include "awareness/os/freertos.h"

enum tcb_field {
	TCB_TOP,
	TCB_PRIORITY,
	TCB_STACK,
	TCB_NAME,
	TCB_EVENT_CONTAINER,
	TCB_STACK_END,
	TCB_NUMBER,
	TCB_FIELDS,
};

struct freertos_os {
	struct guest_os os;
	struct layout tcb;
	struct layout list; /* struct xLIST */
	struct layout item; /* struct xLIST_ITEM */
	uint64_t name_bytes;
	uint64_t sentinel;    /* of xListEnd in struct xLIST */
	uint64_t delay_bytes; /* width of a tick: a list's end holds the greatest */
	gboolean has_queues;
	uint64_t senders, receivers; /* the waiting lists in struct QueueDefinition */
	gboolean has_registry;
	uint64_t registry_name, registry_handle; /* in struct QUEUE_REGISTRY_ITEM */
	uint64_t registry_bytes;                 /* of one item */
};

/* "queue 0x40001234 (commands), to receive": what owns the list that a task's event item
 * is in. A new string. */
char *freertos_describe_event(struct freertos_os *self, struct machine *machine, uint64_t list);

/* The same as guest-os.h's. */
gboolean freertos_saved_registers(struct guest_os *os, struct machine *machine,
                                  const struct task *task, struct register_set *kernel,
                                  struct register_set *user, GError **error);
