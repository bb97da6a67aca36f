#include "guest.h"

/* Offsets inside a stimulus port, STM-500 programmer's model: a write here is
 * guaranteed data, marked, with a timestamp. */
enum {
	STM_PORT_BYTES = 256,
	STM_G_DMTS = 0x00
};

static struct guest_task *current;

static char *append(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	return to;
}

void guest_task_init(struct guest_task *task, uint32_t index, const char *name)
{
	task->context_id = (uint32_t)guest_config.context_base + index;
	task->name = name;
	char *end = append(append(task->marker, "LABXEN-MARKER:"), name);
	*end = 0;
}

void guest_task_enter(struct guest_task *task, uint32_t step, uint64_t value)
{
	if (task != current) {
		uint64_t id = task->context_id;
		__asm__ volatile("msr contextidr_el1, %0\n\tisb" : : "r"(id) : "memory");
		current = task;
	}
	task->steps++;
	if (guest_config.no_markers)
		return;
	mmio_write32(GUEST_STM_PA + guest_config.stm_channel * STM_PORT_BYTES + STM_G_DMTS,
	             step << 24 | (uint32_t)(value & 0xffffff));
}

void guest_work(uint64_t loops)
{
	uint64_t mixed = loops;
	for (uint64_t i = 0; i < loops; i++)
		__asm__ volatile("add %0, %0, %1\n\teor %0, %0, %0, ror #13"
		                 : "+r"(mixed)
		                 : "r"(i));
}

void guest_print(const char *text)
{
	for (; *text; text++) {
		while (mmio_read32(GUEST_CONSOLE_PA + 0x18) & 0x20)
			;
		mmio_write32(GUEST_CONSOLE_PA, (uint32_t)*text);
	}
}

void guest_print_number(uint64_t value)
{
	char digits[21];
	char *at = digits + sizeof digits - 1;
	*at = 0;
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	guest_print(at);
}

__attribute__((weak)) uint64_t guest_fault(uint64_t esr, uint64_t far, uint64_t elr)
{
	guest_print("unexpected exception: esr ");
	guest_print_number(esr);
	guest_print(" far ");
	guest_print_number(far);
	guest_print(" elr ");
	guest_print_number(elr);
	guest_print("\n");
	for (;;)
		__asm__ volatile("wfi");
}
