/* instance.h: one interval or event that the user points at
 *
 * Finds what a lane has at an instant, and the one before and after it there, by a
 * look-up in the recording; and says in words what it is. Of the main thread: each
 * look-up reads a few rows.
 */
#pragma once

#include "gui/timeline/document.h"

#include "analysis/picture/axis.h"

struct instance {
	gboolean is_item; /* of a track; else a span */
	guint lane;
	guint item; /* index in its track */
	guint core; /* index; LANE_ALL_CORES where none */
	guint owner;
	gint64 start_ns;
	gint64 duration_ns;
	gint64 uncertainty_ns;
	guint64 cycles;
	gint64 halted_ns;
	gboolean inferred;
	guint64 trace_offset;
};

/* What the lane has at or, for instants, within `reach_ns` of an instant. FALSE
 * without `error`: nothing. */
gboolean instance_at(HvsDocument *document, guint lane, gint64 at_ns, gint64 reach_ns,
                     struct instance *out, GError **error);

/* The next one of that lane (`forward`), or the one before. */
gboolean instance_next(HvsDocument *document, const struct instance *from, gboolean forward,
                       struct instance *out, GError **error);

/* The next item of the same chain (a request's next stage), or the one before. FALSE:
 * there is none. */
gboolean instance_follow(HvsDocument *document, const struct instance *from, gboolean forward,
                         struct instance *out);

/* "web / nginx" or "IRQ". Free the result. */
char *instance_name(HvsDocument *document, const struct instance *self);

/* Lines of "what: value", for the inspector and for AT-SPI. Free the result. */
char *instance_describe(HvsDocument *document, const struct instance *self,
                        const struct axis *axis);
