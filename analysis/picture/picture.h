/* picture.h: a recording's range as columns of a picture
 *
 * For each lane that is shown and each column of pixels: how much of the column's
 * time each slot (palette.h) has. All of it: where many intervals share a column
 * their proportions are there, and whatever was there for a moment is present.
 * Window, PNG, SVG and PDF draw what this says. It needs no display and draws
 * nothing itself.
 *
 * A picture belongs to one thread. Buffers are kept from one composition to the next.
 */
#pragma once

#include "analysis/picture/tile-store.h"
#include "analysis/picture/track.h"

enum {
	PICTURE_WIDTH_MAX = 32768,
	PICTURE_OWNER_NONE = G_MAXUINT32,        /* nobody in this column */
	PICTURE_OWNER_SEVERAL = G_MAXUINT32 - 1, /* more than one */
};

struct picture_view {
	gint64 from_ns; /* inclusive */
	gint64 to_ns;   /* exclusive, above from_ns */
	guint width_px; /* 1 to PICTURE_WIDTH_MAX */
};

/* The column that an instant falls into; below 0 or from width_px up outside. */
gint64 picture_column(const struct picture_view *view, gint64 at_ns);

/* The instant at the left edge of a column (of any real x). */
gint64 picture_instant(const struct picture_view *view, double x);

/* One lane's columns. Arrays of width_px, `time_ns` of width_px x n_slots. */
struct picture_row {
	guint lane;
	guint n_slots;
	const struct slot *slots;  /* of owners; NULL in a row of a track */
	guint first_slot;          /* place of slots[0] in the table: where a lane's owners all
	                            * fall into one slot, the row has no other */
	const struct track *track; /* of items; its keys are the slots */
	enum lane_look look;
	gboolean dark; /* on a dark ground */
	enum colour_by by;
	float *time_ns;        /* [column * n_slots + slot]; in a row of LANE_LOOK_LONGEST
	                        * the longest duration, not a sum */
	guint64 *present;      /* bit of each slot that was there, if only for a moment */
	guint32 *count;        /* spans or items that begin in the column */
	guint32 *owner;        /* whose whole column it is, or PICTURE_OWNER_*; NULL in a
	                        * picture without_owners */
	guint32 largest_count; /* of all columns */
};

struct picture_source {
	recording_reader *reader;
	const struct lane_set *lanes;
	const struct slot_table *slots;
	const GPtrArray *tracks; /* may be NULL: not loaded yet */
	tile_store *store;
};

struct picture {
	struct picture_view view;
	guint n_rows;
	struct picture_row *rows;
	guint rows_allocated;
	gboolean complete;       /* FALSE: tiles are missing, coarser ones stand in */
	gboolean filtered;       /* only owners of `filter` are drawn */
	const guint8 *filter;    /* one a owner, not owned */
	gboolean without_owners; /* set by whom it serves: nobody will ask for row.owner */
	struct picture_buffer *buffer;
};

struct picture *picture_new(void);
void picture_free(struct picture *self);

/* Fills the rows for `n_lanes` lanes, in that order. `filter` may be NULL: all owners.
 * What could not be read is missing and said by tile_store_error(). */
void picture_compose(struct picture *self, const struct picture_source *source,
                     const struct picture_view *view, const guint *lanes, guint n_lanes,
                     const guint8 *filter);

/* Divides `height` pixels of one column among its slots, in stacking order: rounded
 * shares, but at least one pixel for each slot present (while there are pixels).
 * `out` has n_slots elements and sums to at most `height`: less where the lane was
 * not full. */
void picture_column_heights(const struct picture *self, const struct picture_row *row,
                            guint capacity, guint column, guint height, guint16 *out);

/* What a row's slot is called and looks like. */
const char *picture_row_name(const struct picture_row *row, guint slot);
guint32 picture_row_rgb(const struct picture_row *row, guint slot);
gboolean picture_row_hatched(const struct picture_row *row, guint slot);
