#include "decode/hypervisor-flow.h"

#include "decode/engine.h"

#include <string.h>

enum {
	EL_HYPERVISOR = 2,
	WORD_BYTES = 4,
	PART_P0 = 16 /* branches from a function's beginning to a part of it */
};

struct flow {
	struct decode_source *source;
	const struct hypervisor_image *image;
	guint64 sequence; /* of the last event, counted as the owner tracker does */
};

static void on_event(const struct trace_event *event, gpointer user_data)
{
	(void)event;
	((struct flow *)user_data)->sequence += STREAM_STEP;
}

static guint32 on_read(guint64 address_va, guint8 *bytes, guint32 n_bytes, gpointer user_data)
{
	const struct flow *self = user_data;
	guint32 word, done = 0;

	for (; done + WORD_BYTES <= n_bytes; done += WORD_BYTES) {
		if (!hypervisor_image_word(self->image, address_va + done, &word))
			break;
		word = GUINT32_TO_LE(word);
		memcpy(bytes + done, &word, WORD_BYTES);
	}
	return done;
}

/* Whether the part of a function that is entered goes on with what was noted last. */
static gboolean goes_on(const struct flow *self, const struct hypervisor_call *call)
{
	const GArray *calls = self->source->calls;
	const struct hypervisor_call *last =
		calls->len > 0 ? &g_array_index(calls, struct hypervisor_call, calls->len - 1)
			       : NULL;
	const struct hypervisor_function *function =
		hypervisor_image_function(self->image, call->function);

	return function->is_part && last != NULL &&
	       call->position.p0 - last->position.p0 <= PART_P0 &&
	       strcmp(hypervisor_image_function(self->image, last->function)->name,
	              function->name) == 0;
}

static void on_range(const struct engine_range *range, gpointer user_data)
{
	struct flow *self = user_data;
	struct hypervisor_call call = { { self->sequence, range->p0, range->offset }, 0 };

	if (range->el == EL_HYPERVISOR &&
	    hypervisor_image_entry(self->image, range->begin_va, &call.function) &&
	    hypervisor_image_function(self->image, call.function)->role != ROLE_NONE &&
	    !goes_on(self, &call))
		g_array_append_val(self->source->calls, call);
}

void hypervisor_flow_run(struct decode_source *source, const struct hypervisor_image *image)
{
	static const struct engine_flow callbacks = { on_read, on_range };
	static const struct quality_note stopped = { "hypervisor-not-followed",
		                                     "OpenCSD's full decoder stopped: functions of "
		                                     "the hypervisor are not known from here on",
		                                     0 };
	struct flow flow = { .source = source, .image = image };
	g_autoptr(GError) error = NULL;
	g_autoptr(Engine) engine =
		engine_opencsd_flow_new(source->source, on_event, &callbacks, &flow, &error);

	if (engine == NULL || !decode_source_feed(source, engine, &error))
		g_array_append_val(source->notes, stopped);
}
