#include "tests/sim/soc.h"

#include "tests/sim/core.h"

#include <string.h>

enum {
	APB_BASE = 0x80000000u,
	CPU_BASE = 0xFE800000u,
	CLKACT = 1u << 24,
};

struct place {
	const char *name;
	enum sim_kind kind;
	guint index;
	guint32 offset;
	guint32 part;
};

static const struct place places[] = {
	{ "rom", SIM_ROM, 0, 0x000000, 0x4A1 },
	{ "tsgen", SIM_TSGEN, 0, 0x100000, 0x101 },
	{ "funnel0", SIM_FUNNEL, 0, 0x110000, 0x908 },
	{ "funnel1", SIM_FUNNEL, 1, 0x120000, 0x908 },
	{ "funnel2", SIM_FUNNEL, 2, 0x130000, 0x908 },
	{ "etf1", SIM_TMC_ETF, 1, 0x140000, 0x961 },
	{ "etf2", SIM_TMC_ETF, 2, 0x150000, 0x961 },
	{ "replicator", SIM_REPLICATOR, 0, 0x160000, 0x909 },
	{ "etr", SIM_TMC_ETR, 0, 0x170000, 0x961 },
	{ "tpiu", SIM_TPIU, 0, 0x180000, 0x912 },
	{ "cti0", SIM_CTI, 0, 0x190000, 0x906 },
	{ "cti1", SIM_CTI, 1, 0x1A0000, 0x906 },
	{ "cti2", SIM_CTI, 2, 0x1B0000, 0x906 },
	{ "stm", SIM_STM, 0, 0x1C0000, 0x963 },
	{ "ftm", SIM_PLAIN, 0, 0x1D0000, 0x001 },
	{ "a53rom", SIM_ROM, 1, 0x400000, 0x4A3 },
};

struct sim_component *sim_soc_find(struct sim_soc *soc, const char *name)
{
	for (guint i = 0; i < soc->components->len; i++) {
		struct sim_component *component = g_ptr_array_index(soc->components, i);

		if (strcmp(component->name, name) == 0)
			return component;
	}
	g_error("sim: no component %s", name);
}

void sim_soc_violation(struct sim_soc *soc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(soc->violations, g_strdup_vprintf(format, args));
	va_end(args);
}

static guint8 *page_of(struct sim_soc *soc, guint64 addr_pa, gboolean create)
{
	gpointer key = GSIZE_TO_POINTER(addr_pa >> 12);
	guint8 *page = g_hash_table_lookup(soc->pages, key);

	if (page == NULL && create) {
		page = g_malloc0(4096);
		g_hash_table_insert(soc->pages, key, page);
	}
	return page;
}

void sim_soc_memory_write(struct sim_soc *soc, guint64 addr_pa, const guint8 *data, gsize len_bytes)
{
	while (len_bytes > 0) {
		gsize in_page = addr_pa & 0xFFF;
		gsize n = MIN(len_bytes, 4096 - in_page);

		memcpy(page_of(soc, addr_pa, TRUE) + in_page, data, n);
		addr_pa += n;
		data += n;
		len_bytes -= n;
	}
}

void sim_soc_memory_read(struct sim_soc *soc, guint64 addr_pa, guint8 *data, gsize len_bytes)
{
	while (len_bytes > 0) {
		gsize in_page = addr_pa & 0xFFF;
		gsize n = MIN(len_bytes, 4096 - in_page);
		const guint8 *page = page_of(soc, addr_pa, FALSE);

		if (page != NULL)
			memcpy(data, page + in_page, n);
		else
			memset(data, 0, n);
		addr_pa += n;
		data += n;
		len_bytes -= n;
	}
}

static guint32 *clock_register(struct sim_soc *soc, guint64 addr)
{
	switch (addr) {
	case 0xFF5E00B0:
		return &soc->clock_lpd;
	case 0xFD1A0068:
		return &soc->clock_fpd;
	case 0xFD1A0064:
		return &soc->clock_trace;
	case 0xFD1A00F8:
		return &soc->clock_timestamp;
	default:
		return NULL;
	}
}

static gboolean window_access(struct sim_soc *soc, gboolean write, gboolean external,
                              guint32 offset, guint32 *value)
{
	struct sim_component *component =
		g_hash_table_lookup(soc->by_page, GUINT_TO_POINTER(offset >> 12 | 0x10000));
	struct sim_write logged = { offset, *value };

	/* Without its clock nothing answers; an address without a component decodes
	 * to a slave error. */
	if ((soc->clock_fpd & CLKACT) == 0 || (soc->clock_lpd & CLKACT) == 0 || component == NULL)
		return FALSE;
	if (component->n_bus_errors > 0) {
		component->n_bus_errors--;
		return FALSE;
	}
	if (write)
		g_array_append_val(soc->writes, logged);
	return sim_component_access(component, write, external, offset & 0xFFC, value);
}

static gboolean ram_access(struct sim_soc *soc, gboolean write, guint64 addr, guint size,
                           guint32 *value)
{
	gboolean low = addr < 0x80000000u;
	gboolean high = addr >= 0x800000000ull && addr < 0x880000000ull;
	guint lane = (guint)(addr & 3) * 8;
	guint32 mask = size == 4 ? 0xFFFFFFFFu : ((1u << size * 8) - 1) << lane;
	guint32 word;

	if ((!low && !high) || (!write && soc->fail_memory_after != 0 &&
	                        soc->n_system_reads >= soc->fail_memory_after))
		return FALSE;
	sim_soc_memory_read(soc, addr & ~3ull, (guint8 *)&word, 4);
	if (!write) {
		*value = word;
		soc->n_system_reads++;
		return TRUE;
	}
	word = (word & ~mask) | (*value & mask);
	sim_soc_memory_write(soc, addr & ~3ull, (const guint8 *)&word, 4);
	return TRUE;
}

static gboolean bus_access(gpointer data, guint ap, gboolean write, guint64 addr, guint size,
                           guint32 *value)
{
	struct sim_soc *soc = data;
	guint32 *clock;

	if (ap == 1) {
		if (addr < APB_BASE || addr >= APB_BASE + SIM_WINDOW_BYTES)
			return FALSE;
		return window_access(soc, write, TRUE, (guint32)addr - APB_BASE, value);
	}
	if (addr >= CPU_BASE && addr < (guint64)CPU_BASE + SIM_WINDOW_BYTES)
		return window_access(soc, write, FALSE, (guint32)addr - CPU_BASE, value);
	if (!write && (addr & ~7ull) == 0xFF260008) {
		/* The count behind CNTVCT, at another rate than TSGEN's. */
		*value = (guint32)((soc->counter / 4) >> ((addr & 4) != 0 ? 32 : 0));
		return TRUE;
	}
	clock = clock_register(soc, addr);
	if (clock == NULL)
		return ram_access(soc, write, addr, size, value);
	if (write)
		*clock = *value;
	else
		*value = *clock;
	return TRUE;
}

static struct sim_component *add_component(struct sim_soc *soc, const struct place *place)
{
	struct sim_component *self = g_new0(struct sim_component, 1);

	self->soc = soc;
	self->kind = place->kind;
	self->index = place->index;
	self->offset = place->offset;
	g_strlcpy(self->name, place->name, sizeof self->name);
	self->written = g_byte_array_new();
	self->held = g_byte_array_new();
	if (self->kind == SIM_TMC_ETF)
		self->ram = g_malloc0(8192);
	g_ptr_array_add(soc->components, self);
	g_hash_table_insert(soc->by_page, GUINT_TO_POINTER(place->offset >> 12 | 0x10000), self);
	sim_component_reset(self);
	self->regs[0xFE0 / 4] = place->part;
	return self;
}

static void component_free(gpointer data)
{
	struct sim_component *self = data;

	g_byte_array_unref(self->written);
	g_byte_array_unref(self->held);
	g_free(self->ram);
	sim_core_free(self->core);
	g_free(self);
}

static void add_components(struct sim_soc *soc)
{
	static const struct {
		const char *name;
		enum sim_kind kind;
		guint32 offset, part;
	} per_core[] = { { "dbg", SIM_DEBUG, 0x10000, 0xD03 },
		         { "corecti", SIM_CTI, 0x20000, 0x9A8 },
		         { "pmu", SIM_PLAIN, 0x30000, 0x9D3 },
		         { "etm", SIM_ETM, 0x40000, 0x95D } };

	for (guint i = 0; i < G_N_ELEMENTS(places); i++)
		add_component(soc, &places[i]);
	for (guint core = 0; core < SIM_N_CORES; core++) {
		for (guint i = 0; i < G_N_ELEMENTS(per_core); i++) {
			g_autofree char *name = g_strdup_printf("%s%u", per_core[i].name, core);
			struct place place = { name, per_core[i].kind, core,
				               0x400000 + core * 0x100000 + per_core[i].offset,
				               per_core[i].part };

			add_component(soc, &place);
		}
	}
}

static void clocks_on(struct sim_soc *soc)
{
	soc->clock_lpd = soc->clock_fpd = soc->clock_trace = CLKACT | 0x200;
	soc->clock_timestamp = 0x200;
}

struct sim_soc *sim_soc_new(void)
{
	struct sim_soc *soc = g_new0(struct sim_soc, 1);

	g_mutex_init(&soc->lock);
	dap_init(&soc->dap, bus_access, soc);
	soc->components = g_ptr_array_new_with_free_func(component_free);
	soc->by_page = g_hash_table_new(NULL, NULL);
	soc->pages = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	soc->violations = g_ptr_array_new_with_free_func(g_free);
	soc->writes = g_array_new(FALSE, FALSE, sizeof(struct sim_write));
	soc->bytes_per_tick = 8192;
	soc->funnel2_etf1_port = 2;
	soc->non_secure_debug = TRUE;
	clocks_on(soc);
	add_components(soc);
	for (guint i = 0; i < SIM_N_SOURCES; i++)
		soc->sources[i].emitted = g_byte_array_new();
	return soc;
}

void sim_soc_free(struct sim_soc *soc)
{
	if (soc == NULL)
		return;
	for (guint i = 0; i < SIM_N_SOURCES; i++) {
		g_byte_array_unref(soc->sources[i].emitted);
		g_clear_pointer(&soc->sources[i].feed, g_bytes_unref);
	}
	g_array_unref(soc->writes);
	g_ptr_array_unref(soc->violations);
	g_hash_table_unref(soc->pages);
	g_hash_table_unref(soc->by_page);
	g_ptr_array_unref(soc->components);
	g_mutex_clear(&soc->lock);
	g_free(soc);
}

void sim_soc_feed(struct sim_soc *soc, guint source, GBytes *feed, gboolean repeat)
{
	g_clear_pointer(&soc->sources[source].feed, g_bytes_unref);
	soc->sources[source].feed = g_bytes_ref(feed);
	soc->sources[source].repeat = repeat;
	soc->sources[source].position = 0;
}

void sim_soc_power_cycle(struct sim_soc *soc)
{
	dap_reset(&soc->dap);
	clocks_on(soc);
	for (guint i = 0; i < soc->components->len; i++) {
		struct sim_component *component = g_ptr_array_index(soc->components, i);
		guint32 part = component->regs[0xFE0 / 4];

		sim_component_reset(component);
		component->regs[0xFE0 / 4] = part;
	}
}

void sim_soc_core_halted(struct sim_soc *soc, guint index)
{
	g_autofree char *name = g_strdup_printf("corecti%u", index);

	sim_cti_input(sim_soc_find(soc, name), 0);
}

static gboolean is_volatile(const struct sim_component *component, guint reg)
{
	(void)component;
	return reg >= 0xF00;
}

char *sim_soc_state(struct sim_soc *soc)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < soc->components->len; i++) {
		struct sim_component *component = g_ptr_array_index(soc->components, i);

		if (component->kind == SIM_DEBUG)
			continue;
		if (component->unlocked)
			g_string_append_printf(text, "%s unlocked\n", component->name);
		for (guint reg = 0; reg < 4096; reg += 4) {
			if (component->regs[reg / 4] != 0 && !is_volatile(component, reg))
				g_string_append_printf(text, "%s.%03X=%08X\n", component->name, reg,
				                       component->regs[reg / 4]);
		}
	}
	return g_string_free(text, FALSE);
}
