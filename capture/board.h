/* board.h: what a board's CoreSight looks like, as data
 *
 * Reads a board file (docs/internals/board-files.md): address windows, components
 * with part numbers, the ATB graph, CTI wiring, clocks, memory. Each fact carries a
 * mark that says how well it is known, because much of this comes from one public
 * source or from memory and only a board can confirm it. This knows no link and
 * programs nothing.
 *
 * A `struct board` owns everything reachable from it and does not change after
 * loading. Components are named by their index in `components`.
 */
#pragma once

#include "capture/link.h"

#include <glib.h>

#define BOARD_ERROR (board_error_quark())
GQuark board_error_quark(void);

enum board_error {
	BOARD_ERROR_NOT_FOUND,
	BOARD_ERROR_MALFORMED, /* message: file, group, key, what was expected and found */
	BOARD_ERROR_NO_PATH,
};

/* [V] run or read in two sources, [S] one public source, [U] inferred: confirm on a board. */
enum board_confidence {
	BOARD_VERIFIED,
	BOARD_SINGLE_SOURCE,
	BOARD_UNCONFIRMED,
};

enum board_kind {
	BOARD_ETM4,
	BOARD_ETF, /* a TMC with its own RAM, as link or as sink */
	BOARD_ETR, /* a TMC that writes to memory */
	BOARD_FUNNEL,
	BOARD_REPLICATOR,
	BOARD_TPIU,
	BOARD_STM,
	BOARD_TSGEN,
	BOARD_CTI,
	BOARD_DEBUG, /* a core's external debug registers */
	BOARD_PMU,
	BOARD_ROM,
};

struct board_component {
	char *name;
	enum board_kind kind;
	guint32 offset;     /* from the window's base */
	guint16 part;       /* 12 bits of PIDR0/1; 0: not stated */
	gint core;          /* of ETM, debug, CTI, PMU; -1 for the SoC's own */
	guint32 size_bytes; /* an ETF's RAM */
	enum board_confidence confidence;
	char *note; /* the source, or NULL */
};

/* One ATB connection. Where the sources disagree about the port, to_ports has more
 * than one bit and all of them are opened: trace IDs keep the streams apart. */
struct board_edge {
	guint from;
	guint from_port; /* of a replicator; 0 elsewhere */
	guint to;
	guint32 to_ports; /* bit mask */
	enum board_confidence confidence;
	char *note;
};

/* A register with a bit that must be 1 before something answers. Never written. */
struct board_clock {
	char *name;
	guint64 addr_pa;
	guint32 mask;
	char **needed_by; /* component names; "all" is everything in the window */
	enum board_confidence confidence;
	char *note;
};

struct board_cti_line {
	guint cti; /* component */
	gboolean is_output;
	guint index;   /* trigger number */
	char *meaning; /* "etr.flushin" */
	enum board_confidence confidence;
};

struct board_bank {
	char *name;
	guint64 start_pa;
	guint64 len_bytes;
};

struct board {
	char *name;
	char *title;
	char *core_type;   /* "Cortex-A53", what snapshots name the cores */
	guint64 core_hz;   /* 0: not stated; used for estimates only */
	guint64 window[2]; /* by enum link_view; CPU view always, external may be 0 */
	guint64 window_bytes;
	guint debug_ap, memory_ap;
	GArray *components;        /* struct board_component */
	GArray *edges;             /* struct board_edge */
	GArray *clocks;            /* struct board_clock */
	GArray *cti_lines;         /* struct board_cti_line */
	GArray *banks;             /* struct board_bank */
	guint64 stimulus_pa;       /* STM ports, 256 bytes each; 0: not stated */
	guint64 system_counter_pa; /* low word of the count behind CNTVCT; 0: not stated */
	enum board_confidence system_counter_confidence;
};

/* `name` is a path with a '/' or the name of a board that comes with hvscope (looked for in
 * $HVSCOPE_BOARDS, then where it was installed or built). */
struct board *board_load(const char *name, GError **error);
/* From text; `file` is for messages. */
struct board *board_parse(const char *text, gssize len_bytes, const char *file, GError **error);
void board_free(struct board *board);
typedef struct board Board; /* for g_autoptr(Board) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Board, board_free)

/* Index, or -1. */
gint board_find(const struct board *board, const char *name);
gint board_find_of_core(const struct board *board, enum board_kind kind, gint core);
const struct board_component *board_component(const struct board *board, guint index);

/* The edges from component `from` to `to`, in trace order, as indices into board->edges.
 * NULL and BOARD_ERROR_NO_PATH where trace from there cannot arrive there. */
GArray *board_path(const struct board *board, guint from, guint to, GError **error);

/* The output of any CTI that means `meaning`, or NULL. */
const struct board_cti_line *board_cti_output(const struct board *board, const char *meaning);

/* "V", "S", "U"; "ETM4", "ETF" ... Static. */
const char *board_confidence_mark(enum board_confidence confidence);
const char *board_kind_name(enum board_kind kind);
