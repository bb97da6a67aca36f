/* freertos.h: the tasks of a FreeRTOS on AArch64
 *
 * Reads the kernel's own lists (tasks.c, list.c, queue.c of FreeRTOS V9 to V11, by the
 * names of their variables and types): tasks with states, priorities and stacks, what
 * each one waits for, and the registers that the port pushed on a task's stack. All
 * layouts come from the program's types. It needs the program's symbols: nothing in
 * memory says that a FreeRTOS is there.
 */
#pragma once

#include "awareness/os/guest-os.h"

/* Whether the program is a FreeRTOS: it has a current task. */
gboolean freertos_is(const struct program *program);

/* Fills machine->os; machine->kernel and machine->program are set already. Errors:
 * OS_ERROR_SYMBOLS naming what the types or symbols lack. */
gboolean freertos_attach(struct machine *machine, GError **error);
