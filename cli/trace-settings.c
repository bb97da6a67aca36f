#include "cli/trace-settings.h"

/* A bit of a register and what it means when it is set. */
struct bit_word {
	guint bit;
	const char *word;
};

static guint64 field(guint64 value, guint high, guint low)
{
	return value >> low & (((guint64)1 << (high - low + 1)) - 1);
}

static void setting_clear(gpointer setting)
{
	g_free(((struct trace_setting *)setting)->words);
}

static void append(GArray *settings, const char *name, char *words)
{
	const struct trace_setting setting = { .name = name, .words = words };

	g_array_append_val(settings, setting);
}

static void add_word(GString *words, const char *word)
{
	if (words->len > 0)
		g_string_append(words, ", ");
	g_string_append(words, word);
}

static void add_bits(GString *words, guint64 value, const struct bit_word *bits, gsize n_bits)
{
	for (gsize i = 0; i < n_bits; i++) {
		if (value >> bits[i].bit & 1)
			add_word(words, bits[i].word);
	}
}

/* TRCCONFIGR, IHI 0064 7.3: what the trace contains. */
static char *config_words(guint64 configr)
{
	static const struct bit_word bits[] = {
		{ 11, "timestamps" },
		{ 4, "cycle counts" },
		{ 7, "VMID" },
		{ 6, "context ID" },
		{ 15, "VMID from CONTEXTIDR_EL2 (VMIDOPT)" },
		{ 3, "branch broadcast" },
		{ 12, "return stack" },
		{ 1, "loads as P0" },
		{ 2, "stores as P0" },
		{ 16, "data addresses" },
		{ 17, "data values" },
	};
	GString *words = g_string_new(NULL);

	add_bits(words, configr, bits, G_N_ELEMENTS(bits));
	if (field(configr, 10, 8) != 0)
		add_word(words, "conditional instructions");
	if (field(configr, 14, 13) != 0)
		add_word(words, "Q elements");
	if (words->len == 0)
		g_string_append(words, "branches only");
	return g_string_free(words, FALSE);
}

/* What a report cannot say because it was not switched on. */
static char *config_missing(guint64 configr)
{
	static const struct bit_word bits[] = {
		{ 11, "no timestamps (cores cannot be aligned)" },
		{ 4, "no cycle counts (halted time does not show)" },
		{ 7, "no VMID (guests cannot be told apart)" },
		{ 6, "no context ID (no tasks)" },
	};
	GString *words = g_string_new(NULL);

	add_bits(words, ~configr, bits, G_N_ELEMENTS(bits));
	return g_string_free(words, words->len == 0);
}

/* Sizes in TRCIDR0 and TRCIDR2 are in bytes; 0 means not implemented. */
static char *size_words(guint64 idr0, guint64 idr2)
{
	const guint64 ts_size = field(idr0, 28, 24);
	GString *words = g_string_new(NULL);

	if (ts_size == 0)
		g_string_append(words, "no timestamps");
	else
		g_string_append_printf(words, "timestamp %u bits", ts_size == 6 ? 48 : 64);
	g_string_append_printf(words, ", address %u, context ID %u, VMID %u",
	                       (guint)field(idr2, 4, 0) * 8, (guint)field(idr2, 9, 5) * 8,
	                       (guint)field(idr2, 14, 10) * 8);
	if (field(idr0, 7, 7) != 0)
		g_string_append_printf(words, ", cycle count %u", (guint)field(idr2, 28, 25) + 12);
	return g_string_free(words, FALSE);
}

static char *version_words(guint64 idr1)
{
	const guint64 designer = field(idr1, 31, 24);
	GString *words = g_string_new(NULL);

	g_string_append_printf(words, "architecture %u.%u, revision %u", (guint)field(idr1, 11, 8),
	                       (guint)field(idr1, 7, 4), (guint)field(idr1, 3, 0));
	if (designer == 'A')
		g_string_append(words, ", by Arm");
	else
		g_string_append_printf(words, ", designer 0x%02x", (guint)designer);
	return g_string_free(words, FALSE);
}

/* TRCVICTLR: EXLEVEL_S [19:16] and EXLEVEL_NS [22:20], a set bit excludes the level. */
static char *victlr_words(guint64 victlr)
{
	static const struct bit_word levels[] = {
		{ 16, "secure EL0" },     { 17, "secure EL1" },
		{ 18, "secure EL2" },     { 19, "EL3" },
		{ 20, "non-secure EL0" }, { 21, "non-secure EL1" },
		{ 22, "non-secure EL2" },
	};
	GString *words = g_string_new(NULL);

	add_bits(words, victlr, levels, G_N_ELEMENTS(levels));
	if (words->len == 0)
		g_string_append(words, "no exception level is filtered out");
	else
		g_string_prepend(words, "filtered out: ");
	return g_string_free(words, FALSE);
}

static char *stall_words(guint64 stallctlr)
{
	GString *words = g_string_new(NULL);

	if (field(stallctlr, 8, 8) != 0)
		g_string_append_printf(words, "the core may be stalled against overflow, level %u",
		                       (guint)field(stallctlr, 3, 0));
	else
		g_string_append(words, "the core is never stalled: trace may overflow");
	if (field(stallctlr, 13, 13) != 0)
		g_string_append(words, ", overflow is prevented");
	return g_string_free(words, FALSE);
}

static char *range_words(guint64 viiectlr)
{
	const guint include = (guint)field(viiectlr, 7, 0);
	const guint exclude = (guint)field(viiectlr, 23, 16);

	if (include == 0 && exclude == 0)
		return g_strdup("all addresses");
	return g_strdup_printf("include comparator pairs 0x%02x, exclude 0x%02x", include, exclude);
}

static void etm4_settings(const struct snapshot_device *device, GArray *settings)
{
	guint64 value, second;

	if (snapshot_device_reg(device, "TRCIDR1", &value))
		append(settings, "unit", version_words(value));
	if (snapshot_device_reg(device, "TRCCONFIGR", &value)) {
		char *missing = config_missing(value);

		append(settings, "traces", config_words(value));
		if (missing != NULL)
			append(settings, "beware", missing);
	}
	if (snapshot_device_reg(device, "TRCIDR0", &value) &&
	    snapshot_device_reg(device, "TRCIDR2", &second))
		append(settings, "sizes", size_words(value, second));
	if (snapshot_device_reg(device, "TRCIDR8", &value))
		append(settings, "speculation",
		       value == 0 ? g_strdup("none (MAXSPEC 0)")
		                  : g_strdup_printf("up to %" G_GUINT64_FORMAT
		                                    " uncommitted elements (MAXSPEC)",
		                                    value));
	if (snapshot_device_reg(device, "TRCCCCTLR", &value))
		append(settings, "cycle threshold",
		       g_strdup_printf("%u cycles", (guint)field(value, 11, 0)));
	if (snapshot_device_reg(device, "TRCSYNCPR", &value))
		append(settings, "synchronisation",
		       field(value, 4, 0) == 0
		               ? g_strdup("not periodic")
		               : g_strdup_printf("every %" G_GUINT64_FORMAT " bytes",
		                                 (guint64)1 << field(value, 4, 0)));
	if (snapshot_device_reg(device, "TRCVICTLR", &value))
		append(settings, "levels", victlr_words(value));
	else
		append(settings, "levels",
		       g_strdup("filter unknown: the capture has no TRCVICTLR"));
	if (snapshot_device_reg(device, "TRCVIIECTLR", &value))
		append(settings, "addresses", range_words(value));
	if (snapshot_device_reg(device, "TRCSTALLCTLR", &value))
		append(settings, "stalling", stall_words(value));
}

/* STMTCSR, STM-500 TRM 3.3: EN, TSEN, HWTEN, COMPEN. */
static void stm_settings(const struct snapshot_device *device, GArray *settings)
{
	static const struct bit_word bits[] = {
		{ 1, "timestamps" },
		{ 3, "hardware triggers" },
		{ 5, "leading zeros compressed" },
	};
	GString *words;
	guint64 value;

	if (!snapshot_device_reg(device, "STMTCSR", &value))
		return;
	words = g_string_new(field(value, 0, 0) != 0 ? "on" : "off when it was read");
	add_bits(words, value, bits, G_N_ELEMENTS(bits));
	append(settings, "state", g_string_free(words, FALSE));
	if (snapshot_device_reg(device, "STMTSFREQR", &value) && value != 0)
		append(settings, "timestamps",
		       g_strdup_printf("%" G_GUINT64_FORMAT " Hz (STMTSFREQR)", value));
}

GArray *trace_settings_of(const struct snapshot_source *source)
{
	GArray *settings = g_array_new(FALSE, FALSE, sizeof(struct trace_setting));

	g_array_set_clear_func(settings, setting_clear);
	if (source->protocol == SNAPSHOT_PROTOCOL_ETM4 || source->protocol == SNAPSHOT_PROTOCOL_ETE)
		etm4_settings(source->device, settings);
	else if (source->protocol == SNAPSHOT_PROTOCOL_STM)
		stm_settings(source->device, settings);
	return settings;
}
