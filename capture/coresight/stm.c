#include "capture/coresight/stm.h"

enum {
	STM_SPER = 0xE00,
	STM_SPSCR = 0xE60,
	STM_SPTRIGCSR = 0xE70,
	STM_TCSR = 0xE80,
	STM_TSFREQR = 0xE8C,
	STM_SYNCR = 0xE90,
	TCSR_ENABLE = 1u << 0,
	TCSR_TIMESTAMPS = 1u << 1,
	TCSR_BUSY = 1u << 23,
	TRIGGER_TO_ATB = 0x10,
	SYNC_EVERY_BYTES = 0xFFF,
};

void stm_program_start(struct sequence *program, guint component, guint8 trace_id,
                       guint32 timestamp_hz)
{
	sequence_unlock(program, component);
	sequence_write(program, component, STM_SPTRIGCSR, "SPTRIGCSR", TRIGGER_TO_ATB);
	sequence_write(program, component, STM_SPSCR, "SPSCR", 0);
	sequence_write(program, component, STM_SPER, "SPER", 0xFFFFFFFFu);
	sequence_write(program, component, STM_TSFREQR, "TSFREQR", timestamp_hz);
	sequence_write(program, component, STM_SYNCR, "SYNCR", SYNC_EVERY_BYTES);
	sequence_write(program, component, STM_TCSR, "TCSR",
	               (guint32)trace_id << 16 | TCSR_TIMESTAMPS | TCSR_ENABLE);
}

void stm_program_stop(struct sequence *program, guint component, guint8 trace_id)
{
	sequence_write(program, component, STM_TCSR, "TCSR",
	               (guint32)trace_id << 16 | TCSR_TIMESTAMPS);
	sequence_wait(program, component, STM_TCSR, "TCSR", TCSR_BUSY, 0,
	              "the STM does not drain; is the path to the sink blocked?");
}
