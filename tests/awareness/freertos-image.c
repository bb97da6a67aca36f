/* A program with the data of a FreeRTOS as it stands at one moment: the variables and
 * types that its awareness reads carry FreeRTOS's names (V10 and V11), everything else is
 * the test's own. Nothing of it ever runs: it is loaded as it was linked. */
#include <stddef.h>
#include <stdint.h>

#ifdef TICK_32
typedef uint32_t TickType_t;
#else
typedef uint64_t TickType_t;
#endif
typedef unsigned long UBaseType_t;
typedef uint64_t StackType_t;

struct xLIST;
struct xLIST_ITEM {
	TickType_t xItemValue;
	struct xLIST_ITEM *pxNext;
	struct xLIST_ITEM *pxPrevious;
	void *pvOwner;
#ifdef OLD_NAMES
	void *pvContainer;
#else
	struct xLIST *pxContainer;
#endif
};
struct xMINI_LIST_ITEM {
	TickType_t xItemValue;
	struct xLIST_ITEM *pxNext;
	struct xLIST_ITEM *pxPrevious;
};
typedef struct xLIST {
	UBaseType_t uxNumberOfItems;
	struct xLIST_ITEM *pxIndex;
	struct xMINI_LIST_ITEM xListEnd;
} List_t;

typedef struct tskTaskControlBlock {
	volatile StackType_t *pxTopOfStack;
#ifndef OLD_NAMES
	UBaseType_t uxCoreAffinityMask;
#endif
	struct xLIST_ITEM xStateListItem;
	struct xLIST_ITEM xEventListItem;
	UBaseType_t uxPriority;
	StackType_t *pxStack;
	char pcTaskName[16];
	StackType_t *pxEndOfStack;
	UBaseType_t uxTCBNumber;
} TCB_t;

typedef struct QueueDefinition {
	int8_t *pcHead;
	int8_t *pcWriteTo;
	void *u[2];
	List_t xTasksWaitingToSend;
	List_t xTasksWaitingToReceive;
	volatile UBaseType_t uxMessagesWaiting;
	UBaseType_t uxLength;
	UBaseType_t uxItemSize;
} Queue_t;

typedef struct QUEUE_REGISTRY_ITEM {
	const char *pcQueueName;
	Queue_t *xHandle;
} QueueRegistryItem_t;

#ifdef OLD_NAMES
#define CONTAINER pvContainer
#else
#define CONTAINER pxContainer
#endif
#define END(list) ((struct xLIST_ITEM *)&(list).xListEnd)
#define EMPTY(list)                                                                                \
	{                                                                                          \
		0, END(list),                                                                      \
		{                                                                                  \
			(TickType_t) - 1, END(list), END(list)                                     \
		}                                                                                  \
	}
#define ONE(list, item)                                                                            \
	{                                                                                          \
		1, END(list),                                                                      \
		{                                                                                  \
			(TickType_t) - 1, (item), (item)                                           \
		}                                                                                  \
	}
#define STATE(name) (&name.xStateListItem)
#define EVENT(name) (&name.xEventListItem)

enum {
	STACK_WORDS = 128,
	FRAME_WORDS = 36,
	FPU_WORDS = 64,
	RECORD = STACK_WORDS - 4, /* the last frame record: zeros */
};

extern List_t pxReadyTasksLists[5];
extern List_t xDelayedTaskList1, xDelayedTaskList2, xSuspendedTaskList, xTasksWaitingTermination;
extern List_t xPendingReadyList;
extern Queue_t commands, results;
extern TCB_t idle, worker, peer, receiver, sender, timer, stopped, gone;

/* What the tasks stand in: a symbol, without the frame information of another processor. */
extern const char task_loop[];
__asm__(".text\n.globl task_loop\n.type task_loop, @function\ntask_loop:\n.zero 16\n"
        ".size task_loop, 16\n");

/* One saved task: x0 to x30 hold 0x1000 + their number, but x29 its frame record. */
#define PAIR(stack, at, n) [(at)] = 0x1000 + (n), [(at) + 1] = 0x1000 + (n) + 1
#define FRAME(stack, top, fpu)                                                                     \
	[(top)] = (fpu), [(top) + 1] = 0, [(top) + (fpu)*FPU_WORDS + 2] = (uint64_t)task_loop,     \
	[(top) + (fpu)*FPU_WORDS + 3] = 0x5, [(top) + (fpu)*FPU_WORDS + 4] = 0x101e,               \
	[(top) + (fpu)*FPU_WORDS + 6] = 0x101c,                                                    \
	[(top) + (fpu)*FPU_WORDS + 7] = (uint64_t)&stack[RECORD],                                  \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 8, 26),                                              \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 10, 24),                                             \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 12, 22),                                             \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 14, 20),                                             \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 16, 18),                                             \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 18, 16),                                             \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 20, 14),                                             \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 22, 12),                                             \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 24, 10),                                             \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 26, 8),                                              \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 28, 6),                                              \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 30, 4),                                              \
	PAIR(stack, (top) + (fpu)*FPU_WORDS + 32, 2), PAIR(stack, (top) + (fpu)*FPU_WORDS + 34, 0)

enum {
	PLAIN = RECORD - FRAME_WORDS,
	WITH_FPU = RECORD - FRAME_WORDS - FPU_WORDS,
};
#define STACK(name, top, fpu)                                                                      \
	StackType_t name##_stack[STACK_WORDS] = { FRAME(name##_stack, top, fpu) }

STACK(idle, PLAIN, 0);
STACK(worker, PLAIN, 0);
STACK(peer, PLAIN, 0);
STACK(receiver, PLAIN, 0);
STACK(sender, PLAIN, 0);
STACK(timer, WITH_FPU, 1);
STACK(stopped, PLAIN, 0);
STACK(gone, PLAIN, 0);

#define TCB(name, text, number, priority, top, list, before, after, event_list, event_end)         \
	TCB_t name = {                                                                             \
		.pxTopOfStack = &name##_stack[top],                                                \
		.xStateListItem = { 0, (after), (before), &name, .CONTAINER = &(list) },           \
		.xEventListItem = { 0, (event_end), (event_end), &name,                            \
		                    .CONTAINER = (event_list) },                                   \
		.uxPriority = (priority),                                                          \
		.pxStack = name##_stack,                                                           \
		.pcTaskName = text,                                                                \
		.pxEndOfStack = &name##_stack[STACK_WORDS - 2],                                    \
		.uxTCBNumber = (number),                                                           \
	}

TCB(idle, "IDLE", 3, 0, PLAIN, pxReadyTasksLists[0], END(pxReadyTasksLists[0]),
    END(pxReadyTasksLists[0]), NULL, NULL);
TCB(worker, "worker", 1, 2, PLAIN, pxReadyTasksLists[2], END(pxReadyTasksLists[2]), STATE(peer),
    NULL, NULL);
TCB(peer, "peer", 2, 2, PLAIN, pxReadyTasksLists[2], STATE(worker), END(pxReadyTasksLists[2]), NULL,
    NULL);
TCB(receiver, "receiver", 4, 3, PLAIN, xDelayedTaskList1, END(xDelayedTaskList1),
    END(xDelayedTaskList1), &commands.xTasksWaitingToReceive, END(commands.xTasksWaitingToReceive));
TCB(sender, "sender", 5, 1, PLAIN, xSuspendedTaskList, END(xSuspendedTaskList), STATE(stopped),
    &results.xTasksWaitingToSend, END(results.xTasksWaitingToSend));
TCB(timer, "Tmr Svc", 6, 4, WITH_FPU, xDelayedTaskList2, END(xDelayedTaskList2),
    END(xDelayedTaskList2), NULL, NULL);
TCB(stopped, "stopped", 7, 1, PLAIN, xSuspendedTaskList, STATE(sender), END(xSuspendedTaskList),
    NULL, NULL);
TCB(gone, "gone", 8, 1, PLAIN, xTasksWaitingTermination, END(xTasksWaitingTermination),
    END(xTasksWaitingTermination), NULL, NULL);

List_t pxReadyTasksLists[5] = {
	ONE(pxReadyTasksLists[0], STATE(idle)),
	EMPTY(pxReadyTasksLists[1]),
	{ 2, STATE(peer), { (TickType_t)-1, STATE(worker), STATE(peer) } },
	EMPTY(pxReadyTasksLists[3]),
	EMPTY(pxReadyTasksLists[4]),
};
List_t xDelayedTaskList1 = ONE(xDelayedTaskList1, STATE(receiver));
List_t xDelayedTaskList2 = ONE(xDelayedTaskList2, STATE(timer));
List_t xSuspendedTaskList = { 2,
	                      END(xSuspendedTaskList),
	                      { (TickType_t)-1, STATE(sender), STATE(stopped) } };
List_t xTasksWaitingTermination = ONE(xTasksWaitingTermination, STATE(gone));
List_t xPendingReadyList = EMPTY(xPendingReadyList);

Queue_t commands = {
	.xTasksWaitingToSend = EMPTY(commands.xTasksWaitingToSend),
	.xTasksWaitingToReceive = ONE(commands.xTasksWaitingToReceive, EVENT(receiver)),
	.uxLength = 4,
	.uxItemSize = 8,
};
Queue_t results = {
	.xTasksWaitingToSend = ONE(results.xTasksWaitingToSend, EVENT(sender)),
	.xTasksWaitingToReceive = EMPTY(results.xTasksWaitingToReceive),
	.uxMessagesWaiting = 4,
	.uxLength = 4,
	.uxItemSize = 8,
};
QueueRegistryItem_t xQueueRegistry[8] = { [2] = { "commands", &commands } };

#ifdef SMP
TCB_t *volatile pxCurrentTCBs[2] = { &worker, &peer };
#else
TCB_t *volatile pxCurrentTCB = &worker;
#endif
