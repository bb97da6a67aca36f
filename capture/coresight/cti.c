#include "capture/coresight/cti.h"

enum {
	CTI_CONTROL = 0x000,
	CTI_INEN = 0x020,
	CTI_OUTEN = 0x0A0,
	CTI_GATE = 0x140,
	TSGEN_CNTCR = 0x000,
	TSGEN_CNTCVL = 0x008,
	TSGEN_CNTCVU = 0x00C,
	TSGEN_CNTFID0 = 0x020,
};

static void program_common(struct sequence *program, guint component, guint channel)
{
	sequence_unlock(program, component);
	sequence_modify(program, component, CTI_GATE, "CTIGATE", 1u << channel, 1u << channel);
	sequence_modify(program, component, CTI_CONTROL, "CTICONTROL", 1, 1);
}

void cti_program_input(struct sequence *program, guint component, guint trigger, guint channel)
{
	program_common(program, component, channel);
	sequence_modify(program, component, (guint16)(CTI_INEN + 4 * trigger), "CTIINEN",
	                1u << channel, 1u << channel);
}

void cti_program_output(struct sequence *program, guint component, guint trigger, guint channel)
{
	program_common(program, component, channel);
	sequence_modify(program, component, (guint16)(CTI_OUTEN + 4 * trigger), "CTIOUTEN",
	                1u << channel, 1u << channel);
}

gboolean tsgen_read(struct access *access, guint component, guint64 *count, guint32 *hz,
                    gboolean *enabled, GError **error)
{
	guint32 high = 0, low = 0, again = 1, control, frequency;

	if (!access_read(access, component, TSGEN_CNTCR, "CNTCR", &control, error) ||
	    !access_read(access, component, TSGEN_CNTFID0, "CNTFID0", &frequency, error))
		return FALSE;
	/* The halves are read apart: again where the low one went over in between. */
	for (guint i = 0; i < 3 && high != again; i++) {
		if (!access_read(access, component, TSGEN_CNTCVU, "CNTCVU", &high, error) ||
		    !access_read(access, component, TSGEN_CNTCVL, "CNTCVL", &low, error) ||
		    !access_read(access, component, TSGEN_CNTCVU, "CNTCVU", &again, error))
			return FALSE;
	}
	*count = low | (guint64)high << 32;
	*hz = frequency;
	*enabled = (control & 1) != 0;
	return TRUE;
}

void tsgen_program_enable(struct sequence *program, guint component)
{
	sequence_unlock(program, component);
	sequence_modify(program, component, TSGEN_CNTCR, "CNTCR", 1, 1);
}
