#include "capture/board.h"

#include <string.h>

/* Where Debian's openocd has it. */
static const char second_source[] = "/usr/share/openocd/scripts/target/xilinx_zynqmp.cfg";

static struct board *load(const char *name)
{
	g_autoptr(GError) error = NULL;
	struct board *board = board_load(name, &error);

	g_assert_no_error(error);
	return board;
}

static guint64 address(const struct board *board, const char *name)
{
	gint index = board_find(board, name);

	g_assert_cmpint(index, >=, 0);
	return board->window[LINK_VIEW_EXTERNAL] + board_component(board, (guint)index)->offset;
}

/* The n-th number of "set NAME {0x.. 0x..}". */
static guint64 number_of_list(const char *text, const char *name, guint n)
{
	g_autofree char *head = g_strdup_printf("set %s {", name);
	const char *at = strstr(text, head);

	g_assert_nonnull(at);
	at += strlen(head);
	for (guint i = 0; i < n; i++)
		at = strchr(at, ' ') + 1;
	return g_ascii_strtoull(at, NULL, 16);
}

/* OpenOCD's own target file was written by others, for real boards. */
static void test_second_source(void)
{
	g_autoptr(Board) board = load("zynqmp");
	g_autofree char *text = NULL;

	if (!g_file_get_contents(second_source, &text, NULL, NULL)) {
		g_test_skip("openocd's target/xilinx_zynqmp.cfg is not installed");
		return;
	}
	for (guint core = 0; core < 4; core++) {
		g_autofree char *debug = g_strdup_printf("debug%u", core);
		g_autofree char *cti = g_strdup_printf("corecti%u", core);

		g_assert_cmphex(address(board, debug), ==, number_of_list(text, "DBGBASE", core));
		g_assert_cmphex(address(board, cti), ==, number_of_list(text, "CTIBASE", core));
	}
	g_assert_nonnull(strstr(text, "-ap-num 1"));
	g_assert_cmpuint(board->debug_ap, ==, 1);
	g_assert_nonnull(strstr(text, "target create uscale.axi mem_ap -dap uscale.dap -ap-num 0"));
	g_assert_cmpuint(board->memory_ap, ==, 0);
}

static void test_paths(void)
{
	static const struct {
		const char *board, *from, *to;
		guint n_edges;
	} cases[] = {
		{ "zynqmp", "etm3", "etf1", 2 }, { "zynqmp", "etm0", "etr", 6 },
		{ "zynqmp", "stm", "tpiu", 4 },  { "juno", "etm5", "etf0", 3 },
		{ "juno", "stm", "etr", 4 },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Board) board = load(cases[i].board);
		g_autoptr(GError) error = NULL;
		g_autoptr(GArray) path = board_path(board, (guint)board_find(board, cases[i].from),
		                                    (guint)board_find(board, cases[i].to), &error);

		g_assert_no_error(error);
		g_assert_cmpuint(path->len, ==, cases[i].n_edges);
	}
}

static void test_no_path(void)
{
	g_autoptr(Board) board = load("zynqmp");
	g_autoptr(GError) error = NULL;

	/* The STM joins after ETF1. */
	g_assert_null(board_path(board, (guint)board_find(board, "stm"),
	                         (guint)board_find(board, "etf1"), &error));
	g_assert_error(error, BOARD_ERROR, BOARD_ERROR_NO_PATH);
}

static const char head[] = "[board]\nname=x\ntitle=X\ncore_type=Cortex-A53\n"
			   "[window]\ncpu=0x1000 [V]\nbytes=0x10000 [V]\n";

static void test_malformed(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[component a]\nkind=etf\noffset=0x1000\n", "VALUE [V|S|U]" },
		{ "[component a]\nkind=etx\noffset=0x1000 [V]\n", "etm4, etf" },
		{ "[component a]\nkind=etf\noffset=0x1004 [V]\n", "multiple of 4096" },
		{ "[component a]\nkind=etf\noffset=0x10000 [V]\n", "in range" },
		{ "[path]\na=b [V]\n", "known components" },
		{ "[component a]\nkind=funnel\noffset=0 [V]\n[path]\na=a:9 [V]\n",
		  "known components" },
		{ "[clock c]\naddress=4 [S]\nbit=32 [S]\nfor=all\n", "in range" },
		{ "[clock c]\naddress=4 [S]\nbit=3 [S]\n", "component names" },
		{ "[memory]\nddr=0x1000 [V]\n", "START+LENGTH" },
		{ "[memory]\nddr=0x1000+0xFFFFFFFFFFFFFFFF [V]\n", "START+LENGTH" },
		{ "[cti q]\nin0=a.b [S]\n", "cti component" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(head, cases[i].text, NULL);
		g_autoptr(GError) error = NULL;

		g_assert_null(board_parse(text, -1, "x.board", &error));
		g_assert_error(error, BOARD_ERROR, BOARD_ERROR_MALFORMED);
		g_assert_nonnull(strstr(error->message, "x.board"));
		g_assert_nonnull(strstr(error->message, cases[i].says));
	}
}

/* A graph that goes round comes to an end. */
static void test_cycle(void)
{
	g_autofree char *text = g_strconcat(head,
	                                    "[component a]\nkind=funnel\noffset=0 [V]\n"
	                                    "[component b]\nkind=funnel\noffset=0x1000 [V]\n"
	                                    "[component c]\nkind=etf\noffset=0x2000 [V]\n"
	                                    "[path]\na=b [V]\nb=a [V]\n",
	                                    NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_parse(text, -1, "x.board", &error);

	g_assert_no_error(error);
	g_assert_null(board_path(board, 0, 2, &error));
	g_assert_error(error, BOARD_ERROR, BOARD_ERROR_NO_PATH);
}

static void test_unknown(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(board_load("zebra", &error));
	g_assert_error(error, BOARD_ERROR, BOARD_ERROR_NOT_FOUND);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/board/second-source", test_second_source);
	g_test_add_func("/capture/board/paths", test_paths);
	g_test_add_func("/capture/board/no-path", test_no_path);
	g_test_add_func("/capture/board/malformed", test_malformed);
	g_test_add_func("/capture/board/cycle", test_cycle);
	g_test_add_func("/capture/board/unknown", test_unknown);
	return g_test_run();
}
