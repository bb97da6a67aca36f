#include "capture/link-open.h"
#include "capture/probe.h"
#include "cli/capture-board.h"
#include "cli/table.h"
#include "cli/verb.h"

static void print_clocks(const struct probe *probe)
{
	for (guint i = 0; i < probe->clocks->len; i++) {
		const struct probe_clock *found =
			&g_array_index(probe->clocks, struct probe_clock, i);

		if (!found->known)
			g_print("clock %s: not known (0x%08" G_GINT64_MODIFIER "x unreadable)\n",
			        found->clock->name, found->clock->addr_pa);
		else
			g_print("clock %s: %s (0x%08" G_GINT64_MODIFIER "x reads 0x%08X) [%s]\n",
			        found->clock->name, found->on ? "on" : "OFF", found->clock->addr_pa,
			        found->value, board_confidence_mark(found->clock->confidence));
	}
}

static void print_components(const struct probe *probe, const struct board *board)
{
	static const struct table_column columns[] = {
		{ "component", FALSE, FALSE }, { "kind", FALSE, FALSE },
		{ "address", FALSE, FALSE },   { "part", FALSE, FALSE },
		{ "rev", TRUE, FALSE },        { "lock", FALSE, FALSE },
		{ "state", FALSE, FALSE }
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

	for (guint i = 0; i < probe->components->len; i++) {
		const struct probe_component *found =
			&g_array_index(probe->components, struct probe_component, i);
		const struct board_component *component = board_component(board, found->component);

		table_add(table, g_strdup(component->name));
		table_add(table, g_strdup(board_kind_name(component->kind)));
		table_add(table, g_strdup_printf("0x%08" G_GINT64_MODIFIER "x", found->addr));
		table_add(table, found->answers ? g_strdup_printf("0x%03X", found->identity.part)
		                                : g_strdup("-"));
		table_add(table,
		          found->answers ? g_strdup_printf("%u", found->identity.revision) : NULL);
		table_add(table, g_strdup(found->locked ? "locked" : ""));
		table_add(table, g_strdup(found->state));
	}
	table_print(table, 0);
	for (guint i = 0; i < probe->components->len; i++) {
		const struct probe_component *found =
			&g_array_index(probe->components, struct probe_component, i);

		if (found->problem != NULL)
			g_print("%s: %s\n", board_component(board, found->component)->name,
			        found->problem);
	}
}

static void print_rom(const struct rom_walk *rom)
{
	guint n_known = 0;

	for (guint i = 0; i < rom->entries->len; i++)
		n_known += g_array_index(rom->entries, struct rom_entry, i).component >= 0;
	g_print("ROM table: %u components listed, %u of them in the board file\n",
	        rom->entries->len, n_known);
	for (guint i = 0; i < rom->notes->len; i++)
		g_print("note: %s\n", (const char *)g_ptr_array_index(rom->notes, i));
	for (guint i = 0; i < rom->problems->len; i++)
		g_print("%s\n", (const char *)g_ptr_array_index(rom->problems, i));
}

static int probe(const char *board_name, const char *link_name)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board = board_load(board_name, &error);

	if (board == NULL)
		return verb_fail("capture probe", error);
	g_autoptr(Link) link = link_open(link_name, board, &error);

	if (link == NULL)
		return verb_fail("capture probe", error);
	g_autoptr(Probe) found = probe_new(link, board, &error);

	if (found == NULL)
		return verb_fail("capture probe", error);
	g_print("%s through %s, %s view\n", board->title, link->description,
	        link->view == LINK_VIEW_EXTERNAL ? "external" : "CPU's");
	print_clocks(found);
	print_components(found, board);
	if (found->rom != NULL)
		print_rom(found->rom);
	if (found->n_problems == 0)
		g_print("nothing wrong\n");
	else
		g_print("%u wrong\n", found->n_problems);
	return found->n_problems == 0 ? EXIT_CODE_DONE : EXIT_CODE_FAILED;
}

int capture_probe_run(int argc, char **argv)
{
	g_autofree char *board = NULL;
	g_autofree char *link = NULL;
	const GOptionEntry entries[] = {
		{ "board", 'b', 0, G_OPTION_ARG_STRING, &board, "zynqmp, juno or a .board file",
		  "NAME" },
		{ "link", 'l', 0, G_OPTION_ARG_STRING, &link, "openocd:HOST:PORT or devmem",
		  "LINK" },
		{ NULL },
	};

	if (!verb_parse(&argc, &argv, NULL,
	                "Says which trace components a board has, what is on and what is wrong. "
	                "Writes nothing to the target.",
	                entries))
		return EXIT_CODE_USAGE;
	if (argc > 1)
		return verb_usage("capture probe", "'%s' is too much", argv[1]);
	if (board == NULL || link == NULL)
		return verb_usage("capture probe", "needs --board and --link");
	return probe(board, link);
}
