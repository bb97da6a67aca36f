/* probe.h: what a board looks like through a link, without changing it
 *
 * Reads identity and state of every component of a board file and every clock, walks the
 * chip's ROM tables and compares them with the board file, and says what is wrong. It writes
 * nothing, not even a lock. The first thing to run on a new board.
 */
#pragma once

#include "capture/board.h"
#include "capture/coresight/identity.h"
#include "capture/coresight/rom-table.h"

struct probe_component {
	guint component;
	guint64 addr; /* in the link's view */
	gboolean answers;
	struct identity identity;
	gboolean in_use; /* a trace unit, STM or TMC that is on */
	gboolean locked; /* software lock, in this view */
	char *state;     /* "idle", "tracing", "NIDEN low" ...; never NULL */
	char *problem;   /* what to do about it, or NULL */
};

struct probe_clock {
	const struct board_clock *clock;
	gboolean known; /* FALSE: the link has no way to system registers */
	guint32 value;
	gboolean on;
};

struct probe {
	GArray *components; /* struct probe_component */
	GArray *clocks;     /* struct probe_clock */
	/* What the chip's ROM tables list; NULL where the board file has no component of that
	 * kind, or where a clock for "all" is off. */
	struct rom_walk *rom;
	guint n_problems; /* of components, clocks and ROM tables */
};

/* Fails only where the link is lost. Where a clock for "all" is off, components are not
 * touched (they would hang or fault) and say so. */
struct probe *probe_new(struct link *link, const struct board *board, GError **error);
void probe_free(struct probe *probe);
typedef struct probe Probe; /* for g_autoptr(Probe) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Probe, probe_free)
