#include "capture/probe.h"

enum {
	LSR = 0xFB4,
	LSR_LOCKED = 3,
};

static void component_clear(gpointer data)
{
	struct probe_component *component = data;

	g_free(component->state);
	g_free(component->problem);
}

void probe_free(struct probe *probe)
{
	if (probe == NULL)
		return;
	g_array_unref(probe->components);
	g_array_unref(probe->clocks);
	rom_walk_free(probe->rom);
	g_free(probe);
}

/* FALSE only where the link is gone. */
static gboolean probe_clocks(struct probe *self, struct link *link, const struct board *board,
                             gboolean *all_on, GError **error)
{
	*all_on = TRUE;
	for (guint i = 0; i < board->clocks->len; i++) {
		struct probe_clock found = { &g_array_index(board->clocks, struct board_clock, i) };
		GError *cause = NULL;

		found.known =
			link->has_memory && link_read32(link, LINK_SPACE_MEMORY,
		                                        found.clock->addr_pa, &found.value, &cause);
		if (g_error_matches(cause, LINK_ERROR, LINK_ERROR_LOST)) {
			g_propagate_error(error, cause);
			return FALSE;
		}
		g_clear_error(&cause);
		found.on = found.known && (found.value & found.clock->mask) != 0;
		if (found.known && !found.on) {
			self->n_problems++;
			if (g_strv_contains((const char *const *)found.clock->needed_by, "all"))
				*all_on = FALSE;
		}
		g_array_append_val(self->clocks, found);
	}
	return TRUE;
}

static guint32 peek(struct access *access, guint component, guint16 reg)
{
	guint32 value = 0;

	access_read(access, component, reg, "", &value, NULL);
	return value;
}

static void probe_etm(struct access *access, guint index, struct probe_component *found)
{
	guint32 power = peek(access, index, 0x314);
	guint32 authentication = peek(access, index, 0xFB8);

	found->in_use = (peek(access, index, 0x004) & 1) != 0;
	if ((power & 1) == 0) {
		found->state = g_strdup("no power");
		found->problem = g_strdup("TRCPDSR bit 0 is 0: is the core up, and CPU idle off?");
	} else if ((authentication >> 2 & 3) != 3) {
		found->state = g_strdup("prohibited");
		found->problem = g_strdup_printf(
			"TRCAUTHSTATUS is 0x%X: NIDEN is low, non-secure trace is not allowed",
			authentication);
	} else {
		found->state = g_strdup(found->in_use ? "tracing" : "idle");
	}
}

static void probe_state(struct access *access, guint index, struct probe_component *found)
{
	guint32 value;

	switch (board_component(access->board, index)->kind) {
	case BOARD_ETM4:
		probe_etm(access, index, found);
		break;
	case BOARD_ETF:
	case BOARD_ETR:
		found->in_use = (peek(access, index, 0x020) & 1) != 0;
		value = peek(access, index, 0x004);
		found->state =
			g_strdup_printf("%s, %u bytes", found->in_use ? "on" : "off", value * 4);
		break;
	case BOARD_STM:
		found->in_use = (peek(access, index, 0xE80) & 1) != 0;
		found->state = g_strdup(found->in_use ? "on" : "off");
		break;
	case BOARD_FUNNEL:
		found->state = g_strdup_printf("ports 0x%02X open", peek(access, index, 0) & 0xFF);
		break;
	case BOARD_TSGEN:
		found->state = g_strdup_printf("%s, %u Hz",
		                               (peek(access, index, 0) & 1) != 0 ? "on" : "off",
		                               peek(access, index, 0x20));
		break;
	case BOARD_DEBUG:
		found->state =
			g_strdup((peek(access, index, 0x314) & 1) != 0 ? "powered" : "no power");
		break;
	case BOARD_REPLICATOR:
	case BOARD_TPIU:
	case BOARD_CTI:
	case BOARD_PMU:
	case BOARD_ROM:
		found->state = g_strdup("");
		break;
	}
}

static gboolean probe_component(struct access *access, guint index, struct probe_component *found,
                                GError **error)
{
	const struct board_component *expected = board_component(access->board, index);
	GError *cause = NULL;

	found->component = index;
	found->addr = access_address(access, index, 0);
	/* Each is asked: three cores without power say nothing about the fourth component. */
	access->n_failures = 0;
	found->answers = identity_read(access, index, &found->identity, &cause);
	if (!found->answers) {
		if (g_error_matches(cause, LINK_ERROR, LINK_ERROR_LOST)) {
			g_propagate_error(error, cause);
			return FALSE;
		}
		found->state = g_strdup("no answer");
		found->problem = g_strdup("bus error: no power, no clock, or nothing there");
		g_error_free(cause);
		return TRUE;
	}
	if (!found->identity.matches) {
		found->state = g_strdup("another part");
		found->problem =
			g_strdup_printf("CIDR 0x%08X, part 0x%03X, the board file expects 0x%03X",
		                        found->identity.cidr, found->identity.part, expected->part);
		return TRUE;
	}
	found->locked = (peek(access, index, LSR) & LSR_LOCKED) == LSR_LOCKED;
	probe_state(access, index, found);
	return TRUE;
}

/* FALSE only where the link is gone. */
static gboolean probe_rom(struct probe *self, struct access *access, GError **error)
{
	for (guint i = 0; i < access->board->components->len; i++) {
		if (board_component(access->board, i)->kind != BOARD_ROM)
			continue;
		self->rom = rom_walk_new(access, i, error);
		if (self->rom == NULL)
			return FALSE;
		self->n_problems += self->rom->problems->len;
		break;
	}
	return TRUE;
}

struct probe *probe_new(struct link *link, const struct board *board, GError **error)
{
	g_autoptr(Probe) self = g_new0(struct probe, 1);
	struct access access;
	gboolean all_on, ok = TRUE;

	self->components = g_array_new(FALSE, TRUE, sizeof(struct probe_component));
	g_array_set_clear_func(self->components, component_clear);
	self->clocks = g_array_new(FALSE, TRUE, sizeof(struct probe_clock));
	if (!probe_clocks(self, link, board, &all_on, error))
		return NULL;
	access_init(&access, link, board);
	for (guint i = 0; ok && i < board->components->len; i++) {
		struct probe_component found = { 0 };

		if (all_on) {
			ok = probe_component(&access, i, &found, error);
		} else {
			found.component = i;
			found.addr = access_address(&access, i, 0);
			found.state = g_strdup("not touched: its clock is off");
		}
		if (found.problem != NULL)
			self->n_problems++;
		g_array_append_val(self->components, found);
	}
	if (ok && all_on)
		ok = probe_rom(self, &access, error);
	access_deinit(&access);
	return ok ? g_steal_pointer(&self) : NULL;
}
