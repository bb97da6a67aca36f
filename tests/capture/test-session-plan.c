/* The register accesses of each preset and sink, against the documented sequences, which are
 * written out here once more from the manuals' side: offsets and values, no shared code. */
#include "capture/coresight/access.h"
#include "capture/session.h"

#include <string.h>

enum {
	RESOURCES_FIRST = 2,
	RESOURCES_END = 16,
	PAIRS = 4,
};

static struct board *zynqmp(void)
{
	g_autoptr(GError) error = NULL;
	struct board *board = board_load("zynqmp", &error);

	g_assert_no_error(error);
	return board;
}

static char *plan_text(const struct session_config *config)
{
	g_autoptr(Board) board = zynqmp();
	g_autoptr(GError) error = NULL;
	g_autoptr(SessionPlan) plan = session_plan_new(board, config, &error);

	g_assert_no_error(error);
	return session_plan_text(plan, config);
}

static void line(GString *text, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void line(GString *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_string_append_vprintf(text, format, args);
	va_end(args);
	g_string_append_c(text, '\n');
}

struct etm_expectation {
	guint config, view_inst, sync, include;
	guint64 first, last; /* of pair 0 */
	guint type;          /* TRCACATR of pair 0 */
	guint cid, vmid;
};

/* ETMv4: LAR, OS lock, off, idle, the table, comparators, resources, power, on. */
static void expect_etm(GString *text, guint core, const struct etm_expectation *e)
{
	line(text, "etm%u.LAR FB0 = C5ACCE55", core);
	line(text, "etm%u.TRCOSLAR 300 = 00000000", core);
	line(text, "etm%u.TRCPRGCTLR 004 = 00000000", core);
	line(text, "etm%u.TRCSTATR 00C wait 00000001 == 00000001", core);
	line(text, "etm%u.TRCCONFIGR 010 = %08X", core, e->config);
	line(text, "etm%u.TRCAUXCTLR 018 = 00000000", core);
	line(text, "etm%u.TRCEVENTCTL0R 020 = 00000000", core);
	line(text, "etm%u.TRCEVENTCTL1R 024 = 00000000", core);
	line(text, "etm%u.TRCSTALLCTLR 02C = 00000000", core);
	line(text, "etm%u.TRCTSCTLR 030 = 00000000", core);
	line(text, "etm%u.TRCSYNCPR 034 = %08X", core, e->sync);
	line(text, "etm%u.TRCCCCTLR 038 = 00000004", core);
	line(text, "etm%u.TRCBBCTLR 03C = 00000000", core);
	line(text, "etm%u.TRCTRACEIDR 040 = %08X", core, 0x10 + core);
	line(text, "etm%u.TRCVICTLR 080 = %08X", core, e->view_inst);
	line(text, "etm%u.TRCVIIECTLR 084 = %08X", core, e->include);
	line(text, "etm%u.TRCVISSCTLR 088 = 00000000", core);
	for (guint pair = 0; pair < PAIRS; pair++) {
		guint64 first = pair == 0 ? e->first : 0, last = pair == 0 ? e->last : 0;
		guint type = pair == 0 ? e->type : 0;

		line(text, "etm%u.TRCACVR %03X = %08X", core, 0x400 + 16 * pair, (guint)first);
		line(text, "etm%u.TRCACVR %03X = %08X", core, 0x404 + 16 * pair,
		     (guint)(first >> 32));
		line(text, "etm%u.TRCACVR %03X = %08X", core, 0x408 + 16 * pair, (guint)last);
		line(text, "etm%u.TRCACVR %03X = %08X", core, 0x40C + 16 * pair,
		     (guint)(last >> 32));
		line(text, "etm%u.TRCACATR %03X = %08X", core, 0x480 + 16 * pair, type);
		line(text, "etm%u.TRCACATR %03X = %08X", core, 0x488 + 16 * pair, type);
	}
	line(text, "etm%u.TRCCIDCVR0 600 = %08X", core, e->cid);
	line(text, "etm%u.TRCCIDCCTLR0 680 = 00000000", core);
	line(text, "etm%u.TRCVMIDCVR0 640 = %08X", core, e->vmid);
	line(text, "etm%u.TRCVMIDCCTLR0 688 = 00000000", core);
	for (guint i = RESOURCES_FIRST; i < RESOURCES_END; i++)
		line(text, "etm%u.TRCRSCTLR %03X = 00000000", core, 0x200 + 4 * i);
	line(text, "etm%u.TRCPDCR 310 = old & FFFFFFF7 | 00000008", core);
	line(text, "etm%u.TRCPRGCTLR 004 = 00000001", core);
	line(text, "etm%u.TRCSTATR 00C wait 00000001 == 00000000", core);
}

static void expect_etm_stop(GString *text, guint core)
{
	line(text, "etm%u.TRCPRGCTLR 004 = 00000000", core);
	line(text, "etm%u.TRCSTATR 00C wait 00000002 == 00000002", core);
}

static void expect_link(GString *text, const char *name)
{
	line(text, "%s.LAR FB0 = C5ACCE55", name);
	line(text, "%s.STS 00C wait 00000004 == 00000004", name);
	line(text, "%s.MODE 028 = 00000002", name);
	line(text, "%s.FFCR 304 = 00000003", name);
	line(text, "%s.BUFWM 034 = 00000000", name);
	line(text, "%s.CTL 020 = 00000001", name);
}

static void expect_link_off(GString *text, const char *name)
{
	line(text, "%s.FFCR 304 = old & FFFFFFBF | 00000040", name);
	line(text, "%s.FFCR 304 wait 00000040 == 00000000", name);
	line(text, "%s.CTL 020 = 00000000", name);
}

static void expect_funnel(GString *text, guint funnel, guint value)
{
	line(text, "funnel%u.LAR FB0 = C5ACCE55", funnel);
	line(text, "funnel%u.FUNCTL 000 = %08X", funnel, value);
}

static void expect_tmc_start(GString *text, const char *name)
{
	line(text, "%s.FFCR 304 = 00000133", name);
	line(text, "%s.TRG 01C = 00000000", name);
	line(text, "%s.CTL 020 = 00000001", name);
}

static void expect_tmc_idle(GString *text, const char *name)
{
	line(text, "%s.LAR FB0 = C5ACCE55", name);
	line(text, "%s.STS 00C wait 00000004 == 00000004", name);
	line(text, "%s.MODE 028 = 00000000", name);
}

static void expect_tmc_stop(GString *text, const char *name)
{
	line(text, "%s.FFCR 304 = old & FFFFEFFF | 00001000", name);
	line(text, "%s.FFCR 304 = old & FFFFFFBF | 00000040", name);
	line(text, "%s.FFCR 304 wait 00000040 == 00000000", name);
	line(text, "%s.STS 00C wait 00000004 == 00000004", name);
}

static void expect_replicator(GString *text, gboolean to_etr)
{
	line(text, "replicator.LAR FB0 = C5ACCE55");
	line(text, "replicator.IDFILTER0 000 = %08X", to_etr ? 0 : 0xFF);
	line(text, "replicator.IDFILTER1 004 = %08X", to_etr ? 0xFF : 0);
}

/* Everything from the replicator to funnel 1. */
static void expect_long_path(GString *text, gboolean to_etr, guint cores_mask)
{
	expect_replicator(text, to_etr);
	expect_link(text, "etf2");
	expect_funnel(text, 2, 0x70F);
	expect_link(text, "etf1");
	expect_funnel(text, 1, 0x700 | cores_mask);
}

static void assert_plan(const struct session_config *config, GString *expected)
{
	g_autofree char *text = plan_text(config);

	g_assert_cmpstr(text, ==, expected->str);
	g_string_free(expected, TRUE);
}

static void expect_etr(GString *text, guint64 pa, guint words)
{
	expect_tmc_idle(text, "etr");
	line(text, "etr.RSZ 004 = %08X", words);
	line(text, "etr.AXICTL 110 = old & FFFFF040 | 00000F3E");
	line(text, "etr.DBALO 118 = %08X", (guint)pa);
	line(text, "etr.DBAHI 11C = %08X", (guint)(pa >> 32));
	expect_tmc_start(text, "etr");
}

/* EL2 only, over one range, into 64 MiB above 4 GiB. */
static void test_schedule_etr(void)
{
	struct session_config config = { .preset = SESSION_PRESET_SCHEDULE,
		                         .sink = "etr",
		                         .stop_core = -1,
		                         .n_ranges = 1,
		                         .ranges = { { 0xA000057000, 0xA0000577FC } },
		                         .buffer = { 0x870000000, 64 << 20 } };
	struct etm_expectation e = { .config = 0x18C0,
		                     .view_inst = 0x003B0201,
		                     .sync = 0xC,
		                     .include = 1,
		                     .first = 0xA000057000,
		                     .last = 0xA0000577FC };
	GString *text = g_string_new("start\n");

	expect_etr(text, 0x870000000, 0x1000000);
	expect_long_path(text, TRUE, 0xF);
	for (guint core = 0; core < 4; core++)
		expect_etm(text, core, &e);
	line(text, "stop");
	for (guint core = 0; core < 4; core++)
		expect_etm_stop(text, core);
	expect_tmc_stop(text, "etr");
	line(text, "etr.CTL 020 = 00000000");
	expect_link_off(text, "etf1");
	expect_link_off(text, "etf2");
	assert_plan(&config, text);
}

static void test_exits_etf1(void)
{
	struct session_config config = {
		.preset = SESSION_PRESET_EXITS, .sink = "etf1", .stop_core = -1, .cores = 1 << 2
	};
	struct etm_expectation e = { .config = 0x18D0, .view_inst = 0x001B0201, .sync = 8 };
	GString *text = g_string_new("start\n");

	expect_tmc_idle(text, "etf1");
	expect_tmc_start(text, "etf1");
	expect_funnel(text, 1, 0x704);
	expect_etm(text, 2, &e);
	line(text, "stop");
	expect_etm_stop(text, 2);
	expect_tmc_stop(text, "etf1");
	line(text, "etf1.CTL 020 = 00000000");
	assert_plan(&config, text);
}

/* A filter by VMID or context ID is one range over all addresses, tied to the comparator. */
static void test_filters_etf2(void)
{
	static const struct {
		enum session_preset preset;
		struct etm_expectation e;
	} cases[] = {
		{ SESSION_PRESET_FULL, { 0x18D0, 0x000B0201, 8, 0, 0, 0, 0, 0, 0 } },
		{ SESSION_PRESET_DOMAIN, { 0x18D0, 0x000B0201, 8, 1, 0, G_MAXUINT64, 8, 0, 3 } },
		{ SESSION_PRESET_TASK, { 0x18D0, 0x000B0201, 8, 1, 0, G_MAXUINT64, 4, 3, 0 } },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct session_config config = { .preset = cases[i].preset,
			                         .sink = "etf2",
			                         .stop_core = -1,
			                         .cores = 1,
			                         .filter_value = 3 };
		GString *text = g_string_new("start\n");

		expect_tmc_idle(text, "etf2");
		expect_tmc_start(text, "etf2");
		expect_funnel(text, 2, 0x70F);
		expect_link(text, "etf1");
		expect_funnel(text, 1, 0x701);
		expect_etm(text, 0, &cases[i].e);
		line(text, "stop");
		expect_etm_stop(text, 0);
		expect_tmc_stop(text, "etf2");
		line(text, "etf2.CTL 020 = 00000000");
		expect_link_off(text, "etf1");
		assert_plan(&config, text);
	}
}

static void expect_tpiu(GString *text, guint width_mask)
{
	line(text, "tpiu.LAR FB0 = C5ACCE55");
	line(text, "tpiu.CSPSR 004 = %08X", width_mask);
	line(text, "tpiu.FFCR 304 = 00000002");
	line(text, "tpiu.FSCR 308 = 00000040");
}

/* Continuous mode is kept while the last bytes are flushed out: see fabric.c. */
static void expect_tpiu_stop(GString *text)
{
	line(text, "tpiu.FFCR 304 = 00001002");
	line(text, "tpiu.FFCR 304 = 00001042");
	line(text, "tpiu.FFSR 300 wait 00000002 == 00000002");
}

static void expect_stm(GString *text)
{
	line(text, "stm.LAR FB0 = C5ACCE55");
	line(text, "stm.SPTRIGCSR E70 = 00000010");
	line(text, "stm.SPSCR E60 = 00000000");
	line(text, "stm.SPER E00 = FFFFFFFF");
	line(text, "stm.TSFREQR E8C = 00000000");
	line(text, "stm.SYNCR E90 = 00000FFF");
	line(text, "stm.TCSR E80 = 00300003");
}

static void expect_stm_stop(GString *text)
{
	line(text, "stm.TCSR E80 = 00300002");
	line(text, "stm.TCSR E80 wait 00800000 == 00000000");
}

static void test_stm_tpiu(void)
{
	struct session_config config = { .preset = SESSION_PRESET_STM,
		                         .sink = "tpiu",
		                         .stop_core = -1,
		                         .tpiu_width = 8,
		                         .tpiu_file = "port.bin" };
	GString *text = g_string_new("start\n");

	expect_tpiu(text, 0x80);
	expect_replicator(text, FALSE);
	expect_link(text, "etf2");
	expect_funnel(text, 2, 0x70F);
	expect_stm(text);
	line(text, "stop");
	expect_stm_stop(text);
	expect_tpiu_stop(text);
	expect_link_off(text, "etf2");
	assert_plan(&config, text);
}

/* What a preset asks of each of the four trace units. */
static const struct {
	enum session_preset preset;
	struct etm_expectation e;
} presets[] = {
	{ SESSION_PRESET_SCHEDULE, { 0x18C0, 0x003B0201, 0, 0, 0, 0, 0, 0, 0 } },
	{ SESSION_PRESET_EXITS, { 0x18D0, 0x001B0201, 0, 0, 0, 0, 0, 0, 0 } },
	{ SESSION_PRESET_FULL, { 0x18D0, 0x000B0201, 0, 0, 0, 0, 0, 0, 0 } },
	{ SESSION_PRESET_DOMAIN, { 0x18D0, 0x000B0201, 0, 1, 0, G_MAXUINT64, 8, 0, 3 } },
	{ SESSION_PRESET_TASK, { 0x18D0, 0x000B0201, 0, 1, 0, G_MAXUINT64, 4, 3, 0 } },
};

static void expect_start(GString *text, const char *sink, gboolean stm)
{
	gboolean deep = strcmp(sink, "etf1") != 0;

	line(text, "start");
	if (strcmp(sink, "etr") == 0)
		expect_etr(text, 0x60000000, 0x40000);
	else if (strcmp(sink, "tpiu") == 0)
		expect_tpiu(text, 0x8000);
	else
		expect_tmc_idle(text, sink), expect_tmc_start(text, sink);
	if (sink[2] != 'f') {
		expect_replicator(text, strcmp(sink, "etr") == 0);
		expect_link(text, "etf2");
	}
	if (deep)
		expect_funnel(text, 2, 0x70F);
	if (deep && !stm)
		expect_link(text, "etf1");
	if (!stm)
		expect_funnel(text, 1, 0x70F);
}

static void expect_end(GString *text, const char *sink, gboolean stm)
{
	if (strcmp(sink, "tpiu") == 0) {
		expect_tpiu_stop(text);
	} else {
		expect_tmc_stop(text, sink);
		line(text, "%s.CTL 020 = 00000000", sink);
	}
	if (strcmp(sink, "etf1") != 0 && !stm)
		expect_link_off(text, "etf1");
	if (sink[2] != 'f')
		expect_link_off(text, "etf2");
}

/* Every preset into every sink that its sources reach, all cores. */
static void test_matrix(void)
{
	static const char *const sinks[] = { "etf1", "etf2", "etr", "tpiu" };

	for (gsize k = 0; k < G_N_ELEMENTS(sinks); k++) {
		struct session_config config = { .sink = sinks[k],
			                         .stop_core = -1,
			                         .filter_value = 3,
			                         .tpiu_file = "port.bin",
			                         .buffer = { 0x60000000, 1 << 20 } };

		for (gsize i = 0; i < G_N_ELEMENTS(presets); i++) {
			struct etm_expectation e = presets[i].e;
			GString *text = g_string_new(NULL);

			config.preset = presets[i].preset;
			e.sync = sinks[k][2] == 'f' ? 8 : 0xC;
			expect_start(text, sinks[k], FALSE);
			for (guint core = 0; core < 4; core++)
				expect_etm(text, core, &e);
			line(text, "stop");
			for (guint core = 0; core < 4; core++)
				expect_etm_stop(text, core);
			expect_end(text, sinks[k], FALSE);
			assert_plan(&config, text);
		}
		if (k == 0)
			continue;
		GString *text = g_string_new(NULL);

		config.preset = SESSION_PRESET_STM;
		expect_start(text, sinks[k], TRUE);
		expect_stm(text);
		line(text, "stop");
		expect_stm_stop(text);
		expect_end(text, sinks[k], TRUE);
		assert_plan(&config, text);
	}
}

/* A halt of core 1 stops the ETR: core CTI input 0, channel 2, SoC CTI 0 output 4. */
static void test_stop_on_halt(void)
{
	struct session_config config = { .preset = SESSION_PRESET_EXITS,
		                         .sink = "etr",
		                         .stop_core = 1,
		                         .buffer = { 0x70000000, 1 << 20 } };
	static const char *const wanted[] = {
		"cti0.CTIOUTEN 0B0 = old & FFFFFFFB | 00000004\n",
		"cti0.CTIGATE 140 = old & FFFFFFFB | 00000004\n",
		"corecti1.CTIINEN 020 = old & FFFFFFFB | 00000004\n",
		"corecti1.CTIGATE 140 = old & FFFFFFFB | 00000004\n",
		"etr.FFCR 304 = old & FFFFEFEF | 00001010\n",
	};
	g_autofree char *text = plan_text(&config);

	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++)
		g_assert_nonnull(strstr(text, wanted[i]));
}

static void assert_refused(const struct session_config *config, const char *says)
{
	g_autoptr(Board) board = zynqmp();
	g_autoptr(GError) error = NULL;

	g_assert_null(session_plan_new(board, config, &error));
	g_assert_nonnull(error);
	if (strstr(error->message, says) == NULL)
		g_error("'%s' is not in '%s'", says, error->message);
}

static void test_refusals(void)
{
	static const struct session_memory used[] = { { 0x0, 0x60000000 } };
	struct session_config none = { .sink = "etr", .stop_core = -1 };
	struct session_config outside = { .sink = "etr",
		                          .stop_core = -1,
		                          .buffer = { 0x7FFFF000, 0x2000 } };
	struct session_config overlap = { .sink = "etr",
		                          .stop_core = -1,
		                          .in_use = used,
		                          .n_in_use = 1,
		                          .buffer = { 0x5FFFF000, 0x2000 } };
	struct session_config odd = { .sink = "etr",
		                      .stop_core = -1,
		                      .buffer = { 0x60000010, 0x2000 } };
	struct session_config huge = { .sink = "etr",
		                       .stop_core = -1,
		                       .buffer = { 0x800000000, 1ull << 33 } };
	struct session_config wrong = { .sink = "funnel1", .stop_core = -1 };
	struct session_config early = { .sink = "etf1",
		                        .stop_core = -1,
		                        .preset = SESSION_PRESET_STM };
	struct session_config core = { .sink = "etf1", .stop_core = -1, .cores = 1 << 4 };
	struct session_config ranges = { .sink = "etf1", .stop_core = -1, .n_ranges = 5 };
	struct session_config port = { .sink = "tpiu", .stop_core = -1 };
	struct session_config trigger = { .sink = "etf1", .stop_core = 7 };

	assert_refused(&none, "no reserved buffer was stated");
	assert_refused(&outside, "not in this board's RAM");
	assert_refused(&overlap, "overlaps RAM in use");
	assert_refused(&odd, "4 KiB pages");
	assert_refused(&huge, "4 KiB pages");
	assert_refused(&wrong, "not a sink");
	assert_refused(&early, "cannot arrive");
	assert_refused(&core, "no trace unit for core 4");
	assert_refused(&ranges, "5 address ranges");
	assert_refused(&port, "--tpiu-file");
	assert_refused(&trigger, "no CTI of core 7");
}

/* Rates are published ones: 4 cores at 126 MB/s. */
static void test_window(void)
{
	g_autoptr(Board) board = zynqmp();
	g_autoptr(GError) error = NULL;
	struct session_config full = {
		.sink = "etf2", .stop_core = -1, .preset = SESSION_PRESET_FULL, .cores = 1
	};
	g_autoptr(SessionPlan) plan = session_plan_new(board, &full, &error);

	g_assert_no_error(error);
	g_assert_cmpfloat_with_epsilon(plan->window_s * 1e6, 65, 1);
	g_assert_cmpuint(plan->doubts->len, >, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/session-plan/schedule-etr", test_schedule_etr);
	g_test_add_func("/capture/session-plan/exits-etf1", test_exits_etf1);
	g_test_add_func("/capture/session-plan/filters-etf2", test_filters_etf2);
	g_test_add_func("/capture/session-plan/stm-tpiu", test_stm_tpiu);
	g_test_add_func("/capture/session-plan/matrix", test_matrix);
	g_test_add_func("/capture/session-plan/stop-on-halt", test_stop_on_halt);
	g_test_add_func("/capture/session-plan/refusals", test_refusals);
	g_test_add_func("/capture/session-plan/window", test_window);
	return g_test_run();
}
