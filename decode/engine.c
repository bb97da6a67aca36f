#include "decode/engine.h"

#include "decode/engine-opencsd-etm4.h"
#include "decode/engine-opencsd-stm.h"

static char *protocol_why_not(enum snapshot_protocol protocol, const char *type)
{
	switch (protocol) {
	case SNAPSHOT_PROTOCOL_ETM4:
	case SNAPSHOT_PROTOCOL_STM:
		return NULL;
	case SNAPSHOT_PROTOCOL_ETM3:
		return g_strdup("ETMv3 is not supported: its packets name no exception level "
		                "and its cycle counts need the program image");
	case SNAPSHOT_PROTOCOL_PTM:
		return g_strdup("PTM (PFTv1) is not supported: Armv7-A trace without exception "
		                "levels in its packets");
	case SNAPSHOT_PROTOCOL_ETE:
		return g_strdup("ETE is not supported: OpenCSD 1.3.3 has no packet output for it, "
		                "and its exception returns need the program image");
	case SNAPSHOT_PROTOCOL_ITM:
		return g_strdup("ITM is not supported: OpenCSD 1.3.3 has no decoder for it");
	case SNAPSHOT_PROTOCOL_UNKNOWN:
		break;
	}
	return g_strdup_printf("trace source type '%s' is not known; hvscope decodes ETM4 and STM",
	                       type);
}

char *engine_why_not(const struct snapshot_source *source)
{
	char *why = protocol_why_not(source->protocol, source->device->type);

	if (why == NULL && source->protocol == SNAPSHOT_PROTOCOL_ETM4)
		why = engine_opencsd_etm4_why_not(source->device);
	return why;
}

struct engine *engine_opencsd_new(const struct snapshot_source *source, trace_event_fn emit,
                                  gpointer user_data, GError **error)
{
	if (source->protocol == SNAPSHOT_PROTOCOL_STM)
		return engine_opencsd_stm_new(source->device, emit, user_data, error);
	g_return_val_if_fail(source->protocol == SNAPSHOT_PROTOCOL_ETM4, NULL);
	return engine_opencsd_etm4_new(source->device, emit, NULL, user_data, error);
}

struct engine *engine_opencsd_flow_new(const struct snapshot_source *source, trace_event_fn emit,
                                       const struct engine_flow *flow, gpointer user_data,
                                       GError **error)
{
	g_return_val_if_fail(source->protocol == SNAPSHOT_PROTOCOL_ETM4, NULL);
	return engine_opencsd_etm4_new(source->device, emit, flow, user_data, error);
}
