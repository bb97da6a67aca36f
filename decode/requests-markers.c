#include "decode/requests-private.h"

#include <string.h>

/* Bits of a marker: docs/instrument/hvscope-markers.h. */
enum {
	KIND_SHIFT = 28,
	KIND_STEP = 0,
	KIND_BEGIN = 2,
	KIND_END = 3,
	STEP_SHIFT = 24,
	STEP_MASK = 0xf,
	STEP_NUMBER_MASK = 0xffffff,
	NUMBER_MASK = 0xfffffff,
	MARKER_BYTES = 4,
	NO_STAGE = -1
};

static gboolean marker_parse(guint32 value, struct request_marker *out)
{
	static const struct {
		guint step;
		enum request_mark mark;
	} steps[] = {
		{ 2, MARK_SUBMIT }, { 3, MARK_RECEIVE }, { 5, MARK_RESPOND }, { 6, MARK_COMPLETE }
	};

	switch (value >> KIND_SHIFT) {
	case KIND_BEGIN:
	case KIND_END:
		out->mark = value >> KIND_SHIFT == KIND_BEGIN ? MARK_BEGIN : MARK_END;
		out->number = value & NUMBER_MASK;
		return TRUE;
	case KIND_STEP:
		break;
	default:
		return FALSE;
	}
	out->number = value & STEP_NUMBER_MASK;
	for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
		if (steps[i].step == (value >> STEP_SHIFT & STEP_MASK)) {
			out->mark = steps[i].mark;
			return TRUE;
		}
	}
	return FALSE;
}

void request_list_add_message(struct request_list *self, const struct stm_message *message,
                              gint64 time_ns)
{
	struct request_marker marker = {
		.time_ns = time_ns,
		.channel = message->channel,
		.order = self->markers->len,
	};

	if (g_hash_table_size(self->vmids) > 0 && message->kind == STM_DATA && message->marked &&
	    message->value_bytes == MARKER_BYTES && time_ns >= 0 &&
	    marker_parse((guint32)message->value, &marker))
		g_array_append_val(self->markers, marker);
}

/* Which of t0 to t8 the marker is, by the side that wrote it. */
static gint stage_of(enum request_mark mark, gboolean by_frontend)
{
	switch (mark) {
	case MARK_BEGIN:
		return by_frontend ? 0 : 4;
	case MARK_END:
		return by_frontend ? 8 : 5;
	case MARK_SUBMIT:
		return by_frontend ? 0 : NO_STAGE;
	case MARK_RECEIVE:
		return by_frontend ? NO_STAGE : 4;
	case MARK_RESPOND:
		return by_frontend ? NO_STAGE : 5;
	case MARK_COMPLETE:
		return by_frontend ? 8 : NO_STAGE;
	}
	return NO_STAGE;
}

static gint marker_stage(const struct request_pair *pair, const struct request_marker *marker)
{
	const gboolean by_frontend = system_machine_has_channel(pair->frontend, marker->channel);

	if (marker->time_ns > pair->window_ns ||
	    (!by_frontend && !system_machine_has_channel(pair->backend, marker->channel)))
		return NO_STAGE;
	return stage_of(marker->mark, by_frontend);
}

/* Requests whose last marker has not come, by number. */
struct open_requests {
	GHashTable *rows;    /* number -> index in the pair's rows + 1 */
	gboolean any_begun;  /* one that began here was seen */
	gboolean may_be_cut; /* markers of a request whose begin was not seen make a row */
};

/* Whether the marker goes on with `row`: a time that is there already, or one behind it, is
 * of an earlier request with the same number. */
static gboolean goes_on(const struct row_request *row, gint stage)
{
	for (gint i = stage; i < REQUEST_STAGES; i++) {
		if (row->t_ns[i] != OWNER_NO_VALUE)
			return FALSE;
	}
	return TRUE;
}

static void take_marker(struct request_pair *pair, struct open_requests *open,
                        const struct request_marker *marker, gint stage)
{
	const gpointer key = GUINT_TO_POINTER(marker->number);
	guint at = GPOINTER_TO_UINT(g_hash_table_lookup(open->rows, key));
	struct row_request *row;

	if (stage == 0 ||
	    (at != 0 && !goes_on(&g_array_index(pair->rows, struct row_request, at - 1), stage)))
		at = 0;
	if (at == 0) {
		struct row_request begun = request_pair_row(pair);

		if (stage != 0 && (open->any_begun || !open->may_be_cut))
			return;
		begun.number = marker->number;
		g_array_append_val(pair->rows, begun);
		at = pair->rows->len;
		g_hash_table_insert(open->rows, key, GUINT_TO_POINTER(at));
	}
	open->any_begun = open->any_begun || stage == 0;
	row = &g_array_index(pair->rows, struct row_request, at - 1);
	row->t_ns[stage] = marker->time_ns;
	row->marked |= 1u << stage;
	row->exact |= 1u << stage;
	if (stage == REQUEST_STAGES - 1)
		g_hash_table_remove(open->rows, key);
}

void request_pair_add_marked(struct request_pair *pair)
{
	const GArray *markers = pair->list->markers;
	g_autoptr(GHashTable) rows = g_hash_table_new(NULL, NULL);
	struct open_requests open = { .rows = rows };

	for (guint i = 0; i < markers->len && !pair->frontend_marks; i++) {
		const struct request_marker *marker =
			&g_array_index(markers, struct request_marker, i);

		pair->frontend_marks = marker_stage(pair, marker) == 0;
	}
	/* What the backend alone marks is this frontend's where it has no other. */
	open.may_be_cut = pair->frontend_marks || !pair->backend_is_shared;
	for (guint i = 0; i < markers->len; i++) {
		const struct request_marker *marker =
			&g_array_index(markers, struct request_marker, i);
		const gint stage = marker_stage(pair, marker);

		if (stage != NO_STAGE)
			take_marker(pair, &open, marker, stage);
	}
}
