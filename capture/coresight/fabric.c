#include "capture/coresight/fabric.h"

enum {
	/* Hold time: how many cycles one input keeps the funnel, minus one. */
	FUNNEL_HOLD = 0x700,
	REPLICATOR_BLOCK_ALL = 0xFF,
	TPIU_CSPSR = 0x004,
	TPIU_FFSR = 0x300,
	TPIU_FFCR = 0x304,
	TPIU_FSCR = 0x308,
	FFCR_CONTINUOUS = 0x2,
	FFCR_FLUSH = 0x40,
	FFCR_STOP_ON_FLUSH = 0x1000,
	FFSR_STOPPED = 0x2,
	SYNC_EVERY_FRAMES = 64,
};

void funnel_program(struct sequence *program, guint component, guint32 port_mask)
{
	sequence_unlock(program, component);
	sequence_write(program, component, 0x000, "FUNCTL", FUNNEL_HOLD | port_mask);
}

void replicator_program(struct sequence *program, guint component, guint port)
{
	sequence_unlock(program, component);
	sequence_write(program, component, 0x000, "IDFILTER0",
	               port == 0 ? 0 : REPLICATOR_BLOCK_ALL);
	sequence_write(program, component, 0x004, "IDFILTER1",
	               port == 1 ? 0 : REPLICATOR_BLOCK_ALL);
}

void tpiu_program_start(struct sequence *program, guint component, guint width)
{
	sequence_unlock(program, component);
	sequence_write(program, component, TPIU_CSPSR, "CSPSR", 1u << (width - 1));
	sequence_write(program, component, TPIU_FFCR, "FFCR", FFCR_CONTINUOUS);
	sequence_write(program, component, TPIU_FSCR, "FSCR", SYNC_EVERY_FRAMES);
}

void tpiu_program_stop(struct sequence *program, guint component)
{
	/* Linux writes 0x1000 and 0x1040, which leaves continuous mode before the flush: good
	 * enough to switch off, but the last bytes would come out unformatted. */
	sequence_write(program, component, TPIU_FFCR, "FFCR", FFCR_STOP_ON_FLUSH | FFCR_CONTINUOUS);
	sequence_write(program, component, TPIU_FFCR, "FFCR",
	               FFCR_STOP_ON_FLUSH | FFCR_CONTINUOUS | FFCR_FLUSH);
	sequence_wait(program, component, TPIU_FFSR, "FFSR", FFSR_STOPPED, FFSR_STOPPED,
	              "the TPIU does not stop; is its trace clock on (DBG_TRACE_CTRL)?");
}
