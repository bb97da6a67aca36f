/* rom-table.h: what a chip itself says is on its debug bus
 *
 * Walks the CoreSight ROM tables (class 0x1: Arm IHI 0029, D4; IHI 0031, D3) from one
 * component of kind ROM on, and compares what they list with the board file. It writes
 * nothing. A ROM table is data of an untrusted target: garbage in it is reported and
 * passed over, entries that point out of the board's window are not followed, cycles and
 * sizes are bounded.
 *
 * What it finds is owned by the walk; components are indices of the board.
 */
#pragma once

#include "capture/coresight/access.h"

struct rom_entry {
	guint64 addr;     /* of the component's register page, in the link's view */
	guint depth;      /* 0: listed in the first table */
	gboolean answers; /* the identity registers could be read; else what follows is 0 */
	guint32 cidr;     /* class in bits 15:12; 1 is a ROM table, 9 a CoreSight component */
	guint16 part;     /* of PIDR */
	guint16 designer; /* as in identity.h */
	gint component;   /* of the board file at this address, or -1 */
};

struct rom_walk {
	GArray *entries;     /* struct rom_entry, present ones, as the tables list them */
	guint n_absent;      /* entries that say "not present" */
	GPtrArray *problems; /* char *: garbage, loops, parts that contradict the board file */
	GPtrArray *notes;    /* char *: listed but not in the board file, and the reverse */
};

/* Walks from component `root`. Fails only where the link is lost. */
struct rom_walk *rom_walk_new(struct access *access, guint root, GError **error);
void rom_walk_free(struct rom_walk *walk);
typedef struct rom_walk RomWalk; /* for g_autoptr(RomWalk) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RomWalk, rom_walk_free)
