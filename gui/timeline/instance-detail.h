/* instance-detail.h: what is known of one item of a track
 *
 * An exit's reason and end, a vCPU's run, a request's stages, a message's text: read
 * from the recording when the item is chosen. Of the main thread.
 */
#pragma once

#include "gui/timeline/document.h"

#include "analysis/picture/axis.h"

/* Appends lines of "what: value". */
void instance_append_item(GString *text, HvsDocument *document, const struct track *track,
                          guint item_index, const struct axis *axis);
