/* palette.h: what has which colour
 *
 * Themes, and slots: the few kinds of time that a picture tells apart, each with a
 * name and a colour. Every owner of a recording falls into one slot. The colours
 * are Okabe and Ito's (Color Universal Design, 2008), then Tol's muted scheme
 * (SRON/EPS/TN/09-002): told apart also by colour-blind readers. Draws nothing.
 */
#pragma once

#include "analysis/names.h"

enum theme_kind {
	THEME_LIGHT,
	THEME_DARK,
	THEME_CONTRAST, /* black on white, strong lines */
};

/* Colours of everything but time; 0xRRGGBB. */
struct theme {
	enum theme_kind kind;
	guint32 paper;
	guint32 lane; /* behind a lane where no time is drawn */
	guint32 text;
	guint32 faint; /* secondary text */
	guint32 grid;
	guint32 accent; /* selection, markers */
	guint32 detail; /* the line that says "more here than is drawn" */
};

const struct theme *theme_get(enum theme_kind kind);

/* "light", "dark", "contrast". */
gboolean theme_parse(const char *text, enum theme_kind *out);

enum colour_by {
	COLOUR_BY_DOMAIN,
	COLOUR_BY_EL,
	COLOUR_BY_TASK,
	COLOUR_BY_CORE,
	COLOUR_BY_REASON, /* of exits: the hypervisor's work for a vCPU, guests pale */
	COLOUR_BYS
};

const char *colour_by_name(enum colour_by by);
gboolean colour_by_parse(const char *text, enum colour_by *out);

enum {
	SLOTS_MAX = 48, /* the rest share the last */
	SLOT_NONE = 0xff
};

enum slot_look {
	SLOT_SOLID,
	SLOT_HATCHED, /* nobody's time: lost, unknown, untraced */
};

struct slot {
	char *name;
	guint32 rgb;
	enum slot_look look;
};

/* Slots in the order in which they are stacked, the first at the bottom. */
struct slot_table {
	guint n_slots;
	struct slot slots[SLOTS_MAX];
	guint n_owners;
	guint8 *of_owner; /* slot of each owner; ignored where by_core */
	gboolean by_core; /* guests' time is coloured by its core: slot_of() */
	guint first_core; /* slot of core 0 */
	enum theme_kind theme;
	enum colour_by by;
};

void slot_table_init(struct slot_table *self, const recording_reader *reader, enum colour_by by,
                     enum theme_kind theme);
void slot_table_deinit(struct slot_table *self);

/* The slot of `owner`'s time on the core of that index. */
guint slot_of(const struct slot_table *self, guint owner, guint core);

/* The colour of the n-th domain's time on a core: shades of one colour. */
guint32 palette_shade(guint domain, guint core);

/* One colour of the series for things that have no owner (reasons, stages). */
guint32 palette_series(guint index);

/* Black or white, whichever reads better on `rgb`. */
guint32 palette_text_on(guint32 rgb);

/* `rgb` moved towards `to`; share from 0 (all rgb) to 1. */
guint32 palette_mix(guint32 rgb, guint32 to, double share);
