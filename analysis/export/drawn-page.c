#include "analysis/export/drawn-page.h"

enum {
	BUDGET_BYTES = 64 << 20
};

static gboolean compose(struct drawn_page *self, const struct export_job *job, GError **error)
{
	const struct picture_view view = { job->from_ns, job->to_ns,
		                           page_picture_width(job->options->width_px) };
	const GError *failed;

	picture_compose(self->picture, &self->source, &view,
	                (const guint *)(void *)job->shown->data, job->shown->len, NULL);
	failed = tile_store_error(self->store);
	if (failed == NULL)
		return page_init(&self->page, self->picture, &self->source, job->options->theme,
		                 error);
	g_propagate_error(error, g_error_copy(failed));
	return FALSE;
}

gboolean drawn_page_init(struct drawn_page *self, const struct export_job *job, GError **error)
{
	*self = (struct drawn_page) { .picture = picture_new() };
	slot_table_init(&self->slots, job->reader, job->options->colour_by, job->options->theme);
	self->store = tile_store_new(job->reader, 0, BUDGET_BYTES, NULL, NULL, error);
	self->source = (struct picture_source) { job->reader, &job->lanes, &self->slots,
		                                 job->tracks, self->store };
	if (self->store != NULL && compose(self, job, error))
		return TRUE;
	drawn_page_deinit(self);
	return FALSE;
}

void drawn_page_deinit(struct drawn_page *self)
{
	page_deinit(&self->page);
	slot_table_deinit(&self->slots);
	g_clear_pointer(&self->store, tile_store_free);
	g_clear_pointer(&self->picture, picture_free);
}
