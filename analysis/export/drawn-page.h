/* drawn-page.h: the page of an export job
 *
 * Composes the job's range and lanes, reading the tiles on the spot, and makes the
 * page of it that SVG, PDF and PNG draw.
 */
#pragma once

#include "analysis/export/export.h"
#include "analysis/picture/page.h"

struct drawn_page {
	struct slot_table slots;
	struct picture_source source;
	struct picture *picture;
	tile_store *store;
	struct page page;
};

gboolean drawn_page_init(struct drawn_page *self, const struct export_job *job, GError **error);
void drawn_page_deinit(struct drawn_page *self);
