/* flow.h: the way of a request, as arrows between lanes
 *
 * From the frontend to the hypervisor, to the backend and back: one arrow for each
 * hop of which both ends were seen. Says where arrows go; a canvas draws them.
 */
#pragma once

#include "analysis/picture/canvas.h"
#include "analysis/picture/picture.h"

enum {
	FLOWS_DRAWN_MAX = 12 /* requests in view beyond which arrows would hide the picture */
};

struct flow_arrow {
	gint64 from_ns;
	gint64 to_ns;
	guint from_lane; /* index of a domain's lane, or the hypervisor's */
	guint to_lane;
};

/* struct flow_arrow of the flow of that number in a track of requests. Free the result. */
GArray *flow_arrows(const struct picture_source *source, const struct track *track, guint flow);

/* Where things are on the canvas. */
struct flow_place {
	double (*x_of)(gpointer data, gint64 at_ns);
	/* The middle of the lane's row, or of the nearest one above it in the tree that is
	 * shown. FALSE: none is. */
	gboolean (*y_of)(gpointer data, guint lane, double *y);
	gpointer data;
};

void flow_draw(const struct picture_source *source, const struct track *track, guint flow,
               const struct canvas *canvas, const struct flow_place *place, guint32 rgb);

/* Calls `fn` with each flow of any track that has a part in [from, to), where those are no
 * more than FLOWS_DRAWN_MAX. */
typedef void (*flow_fn)(const struct track *track, guint flow, gpointer data);
void flow_foreach(const struct picture_source *source, gint64 from_ns, gint64 to_ns,
                  const guint8 *filter, flow_fn fn, gpointer data);
