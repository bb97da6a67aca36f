/* picture-private.h: one composition, as its two halves share it
 *
 * picture.c has the rows and the tracks' items, picture-owners.c the time of owners,
 * from tiles. Nothing here outlives one call of picture_compose().
 */
#pragma once

#include "analysis/picture/picture.h"

struct picture_targets;
struct picture_mix;

struct composing {
	struct picture *picture;
	const struct picture_source *source;
	double columns_per_ns;
	guint core;                      /* at hand, and whose the next two are */
	struct picture_targets *targets; /* where each owner's time goes */
	struct picture_mix *mix;         /* the column at hand */
};

/* The columns that [start, end) touches, clipped to the view. */
struct picture_columns {
	guint first;
	guint last; /* inclusive */
	double x0;
	double x1;
};

/* An instant touches one column. FALSE: nothing of it is in the view. */
gboolean picture_columns_of(const struct composing *c, gint64 start_ns, gint64 end_ns,
                            struct picture_columns *out);

/* How much of column `x` lies in `columns`, in nanoseconds. */
static inline double picture_part_ns(const struct composing *c,
                                     const struct picture_columns *columns, guint x)
{
	const double part = MIN(columns->x1, x + 1.0) - MAX(columns->x0, (double)x);

	return part > 0 ? part / c->columns_per_ns : 0;
}

static inline void picture_cell_add(struct picture_row *row, guint column, guint slot,
                                    guint32 owner, float time_ns)
{
	row->time_ns[(gsize)column * row->n_slots + slot] += time_ns;
	row->present[column] |= (guint64)1 << slot;
	if (row->owner == NULL)
		return;
	if (row->owner[column] == PICTURE_OWNER_NONE)
		row->owner[column] = owner;
	else if (row->owner[column] != owner)
		row->owner[column] = PICTURE_OWNER_SEVERAL;
}

/* The time of owners in every row that shows some. */
void picture_compose_owners(struct composing *c);
