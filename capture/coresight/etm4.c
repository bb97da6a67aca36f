#include "capture/coresight/etm4.h"

#include <string.h>

enum {
	TRCPRGCTLR = 0x004,
	TRCSTATR = 0x00C,
	TRCSTATR_IDLE = 1u << 0,
	TRCSTATR_STABLE = 1u << 1,
	TRCPDCR = 0x310,
	TRCPDCR_POWER_UP = 1u << 3,
	TRCPDSR = 0x314,
	TRCAUTHSTATUS = 0xFB8,
	STALLCTLR_ISTALL = 1u << 8,
	STALLCTLR_LEVEL = 0xC,
	ACATR_CONTEXT_ID = 1u << 2,
	ACATR_VMID = 2u << 2,
};

static void ids_derive(struct etm4_ids *ids)
{
	guint32 idr4 = ids->idr[4];
	guint pairs = (idr4 >> 16 & 0xF) + 1;

	ids->n_address_pairs = MIN(idr4 & 0xF, ETM4_MAX_RANGES);
	ids->n_context_ids = idr4 >> 24 & 0xF;
	ids->n_vmids = idr4 >> 28;
	ids->n_resource_selectors = pairs * 2;
	ids->min_cycle_threshold = ids->idr[3] & 0xFFF;
	ids->has_stall = (ids->idr[3] >> 26 & 1) != 0;
}

void etm4_ids_assume_a53(struct etm4_ids *ids)
{
	static const guint32 known[14] = { 0x28000EA1, 0x4100F402, 0x00000488,
		                           0x0D7B0004, 0x11170004, 0x284708C0 };

	memset(ids, 0, sizeof *ids);
	memcpy(ids->idr, known, sizeof known);
	ids_derive(ids);
}

gboolean etm4_ids_read(struct access *access, guint component, struct etm4_ids *ids, GError **error)
{
	struct etm4_ids found = { 0 };

	for (guint i = 0; i < G_N_ELEMENTS(found.idr); i++) {
		guint16 reg = (guint16)(i < 8 ? 0x1E0 + 4 * i : 0x180 + 4 * (i - 8));

		if (!access_read(access, component, reg, "TRCIDR", &found.idr[i], error))
			return FALSE;
	}
	ids_derive(&found);
	*ids = found;
	return TRUE;
}

gboolean etm4_ids_fit(const struct etm4_ids *ids, const char *name, struct etm4_config *config,
                      GError **error)
{
	guint pairs = config->n_ranges;

	if (config->filter != ETM4_FILTER_NONE && pairs == 0)
		pairs = 1;
	if (pairs > ids->n_address_pairs)
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "%s: %u address ranges asked for, TRCIDR4 (0x%08X) says it has %u",
		            name, pairs, ids->idr[4], ids->n_address_pairs);
	else if (config->filter == ETM4_FILTER_VMID && ids->n_vmids == 0)
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "%s cannot filter by VMID: TRCIDR4 (0x%08X) has no VMID comparator",
		            name, ids->idr[4]);
	else if (config->filter == ETM4_FILTER_CONTEXT_ID && ids->n_context_ids == 0)
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "%s cannot filter by context ID: TRCIDR4 (0x%08X) has no comparator",
		            name, ids->idr[4]);
	else if (config->stall && !ids->has_stall)
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "%s cannot stall its core: TRCIDR3 (0x%08X) bit 26 is 0", name,
		            ids->idr[3]);
	else {
		config->cycle_threshold = MAX(config->cycle_threshold, ids->min_cycle_threshold);
		return TRUE;
	}
	return FALSE;
}

gboolean etm4_check(struct access *access, guint component, gboolean take, GError **error)
{
	const char *name = board_component(access->board, component)->name;
	guint32 power, authentication, control;

	if (!access_read(access, component, TRCPDSR, "TRCPDSR", &power, error) ||
	    !access_read(access, component, TRCAUTHSTATUS, "TRCAUTHSTATUS", &authentication,
	                 error) ||
	    !access_read(access, component, TRCPRGCTLR, "TRCPRGCTLR", &control, error))
		return FALSE;
	if ((power & 1) == 0) {
		g_set_error(
			error, CORESIGHT_ERROR, CORESIGHT_ERROR_PROHIBITED,
			"%s is not powered: TRCPDSR (0x314) reads 0x%X; is its core up? Boot with "
			"all cores on and without CPU idle states (cpuidle.off=1)",
			name, power);
		return FALSE;
	}
	if ((authentication >> 2 & 3) != 3) {
		g_set_error(
			error, CORESIGHT_ERROR, CORESIGHT_ERROR_PROHIBITED,
			"%s may not trace non-secure code: TRCAUTHSTATUS (0xFB8) reads 0x%X, bits "
			"[3:2] are not 0b11 (NIDEN is low); the boot loader must enable non-secure "
			"non-invasive debug",
			name, authentication);
		return FALSE;
	}
	if ((control & 1) != 0 && !take) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_IN_USE,
		            "%s is tracing already (TRCPRGCTLR reads 1): somebody else uses it, "
		            "perhaps "
		            "Linux's coresight driver; stop that, or take it with --take",
		            name);
		return FALSE;
	}
	return TRUE;
}

static void write64(struct sequence *program, guint component, guint16 reg, const char *name,
                    guint64 value)
{
	sequence_write(program, component, reg, name, (guint32)value);
	sequence_write(program, component, (guint16)(reg + 4), name, (guint32)(value >> 32));
}

static guint32 address_type(const struct etm4_config *config)
{
	return config->filter == ETM4_FILTER_VMID         ? ACATR_VMID
	       : config->filter == ETM4_FILTER_CONTEXT_ID ? ACATR_CONTEXT_ID
	                                                  : 0;
}

/* All comparators are written, so that none is left over from an earlier user. */
static void program_comparators(struct sequence *program, guint component,
                                const struct etm4_config *config, const struct etm4_ids *ids)
{
	gboolean everything = config->filter != ETM4_FILTER_NONE && config->n_ranges == 0;

	for (guint pair = 0; pair < ids->n_address_pairs; pair++) {
		guint16 value_reg = (guint16)(0x400 + 16 * pair);
		guint16 type_reg = (guint16)(0x480 + 16 * pair);
		gboolean used = pair < config->n_ranges;
		gboolean whole = everything && pair == 0;
		guint32 type = used || whole ? address_type(config) : 0;

		write64(program, component, value_reg, "TRCACVR",
		        used ? config->ranges[pair].start_va : 0);
		write64(program, component, (guint16)(value_reg + 8), "TRCACVR",
		        used    ? config->ranges[pair].last_va
		        : whole ? G_MAXUINT64
		                : 0);
		sequence_write(program, component, type_reg, "TRCACATR", type);
		sequence_write(program, component, (guint16)(type_reg + 8), "TRCACATR", type);
	}
	if (ids->n_context_ids > 0) {
		sequence_write(program, component, 0x600, "TRCCIDCVR0",
		               config->filter == ETM4_FILTER_CONTEXT_ID
		                       ? (guint32)config->filter_value
		                       : 0);
		sequence_write(program, component, 0x680, "TRCCIDCCTLR0", 0);
	}
	if (ids->n_vmids > 0) {
		sequence_write(program, component, 0x640, "TRCVMIDCVR0",
		               config->filter == ETM4_FILTER_VMID ? (guint32)config->filter_value
		                                                  : 0);
		sequence_write(program, component, 0x688, "TRCVMIDCCTLR0", 0);
	}
}

static void program_table(struct sequence *program, guint component,
                          const struct etm4_config *config)
{
	guint pairs = config->n_ranges;

	if (config->filter != ETM4_FILTER_NONE && pairs == 0)
		pairs = 1;
	sequence_write(program, component, 0x010, "TRCCONFIGR", config->config);
	sequence_write(program, component, 0x018, "TRCAUXCTLR", 0);
	sequence_write(program, component, 0x020, "TRCEVENTCTL0R", 0);
	sequence_write(program, component, 0x024, "TRCEVENTCTL1R", 0);
	sequence_write(program, component, 0x02C, "TRCSTALLCTLR",
	               config->stall ? STALLCTLR_ISTALL | STALLCTLR_LEVEL : 0);
	sequence_write(program, component, 0x030, "TRCTSCTLR", 0);
	sequence_write(program, component, 0x034, "TRCSYNCPR", config->sync_log2);
	sequence_write(program, component, 0x038, "TRCCCCTLR", config->cycle_threshold);
	sequence_write(program, component, 0x03C, "TRCBBCTLR", 0);
	sequence_write(program, component, 0x040, "TRCTRACEIDR", config->trace_id);
	sequence_write(program, component, 0x080, "TRCVICTLR", config->view_inst);
	sequence_write(program, component, 0x084, "TRCVIIECTLR", (1u << pairs) - 1);
	sequence_write(program, component, 0x088, "TRCVISSCTLR", 0);
}

void etm4_program_start(struct sequence *program, guint component, const struct etm4_config *config,
                        const struct etm4_ids *ids)
{
	sequence_unlock(program, component);
	sequence_os_unlock(program, component);
	sequence_write(program, component, TRCPRGCTLR, "TRCPRGCTLR", 0);
	sequence_wait(program, component, TRCSTATR, "TRCSTATR", TRCSTATR_IDLE, TRCSTATR_IDLE,
	              "the trace unit does not become idle; is its core powered and clocked?");
	program_table(program, component, config);
	program_comparators(program, component, config, ids);
	for (guint i = 2; i < ids->n_resource_selectors; i++)
		sequence_write(program, component, (guint16)(0x200 + 4 * i), "TRCRSCTLR", 0);
	sequence_modify(program, component, TRCPDCR, "TRCPDCR", TRCPDCR_POWER_UP, TRCPDCR_POWER_UP);
	sequence_write(program, component, TRCPRGCTLR, "TRCPRGCTLR", 1);
	sequence_wait(program, component, TRCSTATR, "TRCSTATR", TRCSTATR_IDLE, 0,
	              "the trace unit does not start; is the OS lock held by a debugger?");
}

void etm4_program_stop(struct sequence *program, guint component)
{
	sequence_write(program, component, TRCPRGCTLR, "TRCPRGCTLR", 0);
	sequence_wait(program, component, TRCSTATR, "TRCSTATR", TRCSTATR_STABLE, TRCSTATR_STABLE,
	              "the trace unit does not drain; is the path to the sink blocked?");
}
