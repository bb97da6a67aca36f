/* The ATB network: sources, funnels, link ETFs, replicator and the sinks. */
#include "tests/sim/core.h"
#include "tests/sim/soc.h"

#include <string.h>

enum {
	TMC_CTL = 0x20 / 4,
	TMC_MODE = 0x28 / 4,
	TMC_DBALO = 0x118 / 4,
	TMC_DBAHI = 0x11C / 4,
	TMC_RSZ = 0x4 / 4,
	TMC_FFCR = 0x304 / 4,
	/* An ETF in HW FIFO mode keeps the last bytes until somebody flushes. */
	LINK_HOLDS_BYTES = 16,
};

static gboolean is_on(const struct sim_component *tmc)
{
	return (tmc->regs[TMC_CTL] & 1) != 0 && !tmc->stopped;
}

static void store_frame(struct sim_component *sink, const guint8 frame[16])
{
	g_byte_array_append(sink->written, frame, 16);
	if (sink->kind == SIM_TPIU)
		return;
	if (sink->kind == SIM_TMC_ETF) {
		memcpy(sink->ram + sink->write_pointer, frame, 16);
	} else {
		guint64 base = sink->regs[TMC_DBALO] | (guint64)sink->regs[TMC_DBAHI] << 32;

		sim_soc_memory_write(sink->soc, base + sink->write_pointer, frame, 16);
	}
	sink->write_pointer += 16;
	if (sink->write_pointer >= sink->size_bytes) {
		sink->write_pointer = 0;
		sink->full = TRUE;
	}
}

static void sink_frame(gpointer data, const guint8 frame[16])
{
	struct sim_component *sink = data;
	static const guint8 fsync[4] = { 0xFF, 0xFF, 0xFF, 0x7F };

	/* A TPIU in continuous mode puts a full sync before every 16th frame. */
	if (sink->kind == SIM_TPIU && sink->written->len % 260 == 0)
		g_byte_array_append(sink->written, fsync, sizeof fsync);
	store_frame(sink, frame);
}

void sim_fabric_start_sink(struct sim_component *sink)
{
	formatter_init(&sink->formatter, sink_frame, sink);
	g_byte_array_set_size(sink->written, 0);
	g_byte_array_set_size(sink->held, 0);
	sink->full = FALSE;
	sink->stopped = FALSE;
	sink->write_pointer = 0;
	sink->read_pointer = 0;
	if (sink->kind == SIM_TMC_ETR)
		sink->size_bytes = sink->regs[TMC_RSZ] * 4;
}

static void into_tpiu(struct sim_component *tpiu, guint8 id, guint8 byte)
{
	if (tpiu->stopped || (tpiu->soc->clock_trace & 1u << 24) == 0 ||
	    (tpiu->regs[TMC_FFCR] & 2) == 0)
		return;
	formatter_push(&tpiu->formatter, id, byte);
}

static void into_replicator(struct sim_soc *soc, guint8 id, guint8 byte)
{
	struct sim_component *replicator = sim_soc_find(soc, "replicator");
	struct sim_component *etr = sim_soc_find(soc, "etr");

	if ((replicator->regs[0] & 1u << (id >> 4)) == 0 && is_on(etr) &&
	    (etr->regs[TMC_MODE] & 3) == 0 && etr->size_bytes >= 16)
		formatter_push(&etr->formatter, id, byte);
	if ((replicator->regs[1] & 1u << (id >> 4)) == 0)
		into_tpiu(sim_soc_find(soc, "tpiu"), id, byte);
}

static void into_etf(struct sim_component *etf, guint8 id, guint8 byte);

static void out_of_etf(struct sim_component *etf, guint8 id, guint8 byte)
{
	struct sim_soc *soc = etf->soc;

	if (etf->index == 1) {
		struct sim_component *funnel2 = sim_soc_find(soc, "funnel2");

		if ((funnel2->regs[0] & 1u << soc->funnel2_etf1_port) != 0)
			into_etf(sim_soc_find(soc, "etf2"), id, byte);
	} else {
		into_replicator(soc, id, byte);
	}
}

static void pass_held(struct sim_component *etf, guint keep_bytes)
{
	while (etf->held->len > keep_bytes * 2) {
		guint8 id = etf->held->data[0];
		guint8 byte = etf->held->data[1];

		g_byte_array_remove_range(etf->held, 0, 2);
		out_of_etf(etf, id, byte);
	}
}

static void into_etf(struct sim_component *etf, guint8 id, guint8 byte)
{
	guint8 pair[2] = { id, byte };

	if (!is_on(etf))
		return;
	if ((etf->regs[TMC_MODE] & 3) == 0) {
		formatter_push(&etf->formatter, id, byte);
	} else if ((etf->regs[TMC_MODE] & 3) == 2) {
		g_byte_array_append(etf->held, pair, 2);
		pass_held(etf, LINK_HOLDS_BYTES);
	}
}

void sim_fabric_emit(struct sim_soc *soc, guint source, guint8 id, guint8 byte)
{
	if (source == SIM_SOURCE_STM) {
		struct sim_component *funnel2 = sim_soc_find(soc, "funnel2");

		if ((funnel2->regs[0] & 1u << soc->funnel2_stm_port) != 0)
			into_etf(sim_soc_find(soc, "etf2"), id, byte);
	} else {
		struct sim_component *funnel1 = sim_soc_find(soc, "funnel1");

		if ((funnel1->regs[0] & 1u << source) != 0)
			into_etf(sim_soc_find(soc, "etf1"), id, byte);
	}
}

/* A flush request at a component travels upstream to the links, then the frame
 * in its formatter is completed. */
void sim_fabric_flush(struct sim_component *sink)
{
	if (sink->kind != SIM_TMC_ETF || sink->index != 1) {
		struct sim_component *etf1 = sim_soc_find(sink->soc, "etf1");

		if (is_on(etf1) && (etf1->regs[TMC_MODE] & 3) == 2)
			pass_held(etf1, 0);
	}
	if (sink->kind != SIM_TMC_ETF) {
		struct sim_component *etf2 = sim_soc_find(sink->soc, "etf2");

		if (is_on(etf2) && (etf2->regs[TMC_MODE] & 3) == 2)
			pass_held(etf2, 0);
	}
	if (sink->kind == SIM_TMC_ETF && (sink->regs[TMC_MODE] & 3) == 2)
		pass_held(sink, 0);
	else
		formatter_flush(&sink->formatter);
}

gboolean sim_source_on(struct sim_soc *soc, guint source, guint8 *id)
{
	if (source == SIM_SOURCE_STM) {
		struct sim_component *stm = sim_soc_find(soc, "stm");

		*id = (guint8)(stm->regs[0xE80 / 4] >> 16 & 0x7F);
		return (stm->regs[0xE80 / 4] & 1) != 0;
	}
	char name[8];

	g_snprintf(name, sizeof name, "etm%u", source);
	struct sim_component *etm = sim_soc_find(soc, name);

	*id = (guint8)(etm->regs[0x40 / 4] & 0x7F);
	return (etm->regs[0x4 / 4] & 1) != 0 && soc->non_secure_debug;
}

void sim_soc_tick(struct sim_soc *soc)
{
	guint left = soc->bytes_per_tick;
	gboolean moved = TRUE;

	soc->counter += 100000;
	for (guint i = 0; i < soc->components->len; i++) {
		struct sim_component *component = g_ptr_array_index(soc->components, i);

		if (component->kind == SIM_DEBUG && component->core != NULL)
			sim_core_tick(component);
	}
	for (guint i = 0; i < SIM_N_SOURCES; i++) {
		struct sim_source *source = &soc->sources[i];
		guint8 id;
		gboolean on = sim_source_on(soc, i, &id);

		if (on && !source->was_on) {
			source->position = 0;
			g_byte_array_set_size(source->emitted, 0);
		}
		source->was_on = on;
	}
	/* The sources take turns of a few bytes, as through a real funnel. */
	while (moved && left > 0) {
		moved = FALSE;
		for (guint i = 0; i < SIM_N_SOURCES && left > 0; i++) {
			struct sim_source *source = &soc->sources[i];
			gsize size = source->feed != NULL ? g_bytes_get_size(source->feed) : 0;
			guint8 id;

			if (!source->was_on || size == 0 || !sim_source_on(soc, i, &id))
				continue;
			for (guint n = 0; n < 13 && left > 0; n++, left--) {
				const guint8 *bytes = g_bytes_get_data(source->feed, NULL);

				if (source->position >= size && source->repeat)
					source->position = 0;
				if (source->position >= size)
					break;
				g_byte_array_append(source->emitted, bytes + source->position, 1);
				sim_fabric_emit(soc, i, id, bytes[source->position++]);
				moved = TRUE;
			}
		}
	}
}
