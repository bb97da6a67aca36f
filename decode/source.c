#include "decode/source.h"

#include "decode/decode-error.h"
#include "decode/deframe.h"
#include "decode/engine.h"

enum {
	BLOCK_BYTES = 1 << 18,
	VMIDOPT_BIT = 15,      /* TRCCONFIGR, Arm IHI 0064 */
	EXLEVEL_NS_SHIFT = 20, /* TRCVICTLR */
	TSSIZE_SHIFT = 24,     /* TRCIDR0: 0b00110 is 48 bits, 0b01000 is 64 */
};

/* ETMv4 exception types (Arm IHI 0064) that can end a halt: reset, debug halt, SError,
 * IRQ, FIQ. */
static gboolean ends_halt(guint type)
{
	return type == 0x0 || type == 0x1 || type == 0x4 || type == 0xe || type == 0xf;
}

static void on_segment(const struct owner_segment *segment, gpointer user_data)
{
	struct decode_source *self = user_data;

	g_array_append_val(self->segments, *segment);
	timebase_add_switch(&self->timebase, &segment->begin);
	if (segment->gap_reason != NULL)
		timebase_add_gap(&self->timebase, &segment->begin, &segment->end);
}

static void on_exception(const struct owner_exception *exception, gpointer user_data)
{
	struct decode_source *self = user_data;

	g_array_append_val(self->exceptions, *exception);
	if (ends_halt(exception->type))
		timebase_add_interrupt(&self->timebase, &exception->position,
		                       exception->from.owner_class == OWNER_HYPERVISOR);
}

static void on_entry(const struct owner_entry *entry, gpointer user_data)
{
	struct decode_source *self = user_data;

	g_array_append_val(self->entries, *entry);
}

static guint64 source_reg(const struct snapshot_source *source, const char *name)
{
	guint64 value = 0;

	snapshot_device_reg(source->device, name, &value);
	return value;
}

struct decode_source *decode_source_new(const struct snapshot *snapshot,
                                        const struct snapshot_source *source)
{
	struct decode_source *self = g_new0(struct decode_source, 1);
	const struct owner_config config = {
		.vmid_is_context_id = (source_reg(source, "TRCCONFIGR") >> VMIDOPT_BIT) & 1,
		.excluded_el = (source_reg(source, "TRCVICTLR") >> EXLEVEL_NS_SHIFT) & 0xf,
		.has_ranges = source_reg(source, "TRCVIIECTLR") != 0,
	};
	const struct owner_sink sink = { on_segment, on_exception, on_entry, self };

	self->snapshot = snapshot;
	self->source = source;
	snapshot_source_trace_id(source, &self->trace_id);
	owner_tracker_init(&self->tracker, &config, &sink);
	cycle_clock_init(&self->clock);
	timebase_init(&self->timebase);
	self->segments = g_array_new(FALSE, FALSE, sizeof(struct owner_segment));
	self->exceptions = g_array_new(FALSE, FALSE, sizeof(struct owner_exception));
	self->entries = g_array_new(FALSE, FALSE, sizeof(struct owner_entry));
	self->messages = g_array_new(FALSE, FALSE, sizeof(struct stm_message));
	self->notes = g_array_new(FALSE, FALSE, sizeof(struct quality_note));
	self->calls = g_array_new(FALSE, FALSE, sizeof(struct hypervisor_call));
	self->lost = TRUE;
	self->block_bytes = BLOCK_BYTES;
	return self;
}

void decode_source_free(struct decode_source *self)
{
	if (self == NULL)
		return;
	cycle_clock_deinit(&self->clock);
	timebase_deinit(&self->timebase);
	g_array_unref(self->segments);
	g_array_unref(self->exceptions);
	g_array_unref(self->entries);
	g_array_unref(self->messages);
	g_array_unref(self->notes);
	g_array_unref(self->calls);
	g_free(self);
}

guint decode_source_timestamp_bits(const struct decode_source *self)
{
	return ((source_reg(self->source, "TRCIDR0") >> TSSIZE_SHIFT) & 0x1f) == 6 ? 48 : 64;
}

static void note_quality(struct decode_source *self, const struct trace_event *event)
{
	struct quality_note note = { NULL, NULL, event->offset };

	switch (event->kind) {
	case EVENT_OVERFLOW:
		note.name = "overflow";
		break;
	case EVENT_DISCARD:
		note.name = "discard";
		break;
	case EVENT_NOT_SYNC:
		note.name = "no-sync";
		break;
	case EVENT_BAD_DATA:
		note.name = "bad-data";
		note.what = event->bad.what;
		break;
	case EVENT_BARRIER:
		note.name = "barrier";
		break;
	case EVENT_SYNC:
		self->resyncs += self->lost && self->notes->len > 0;
		self->lost = FALSE;
		return;
	default:
		return;
	}
	self->lost = TRUE;
	g_array_append_val(self->notes, note);
}

static void keep_message(struct decode_source *self, const struct trace_event *event)
{
	const struct stm_message message = {
		.position = { self->tracker.sequence, event->p0, event->offset },
		.kind = event->stm.kind,
		.master = event->stm.master,
		.channel = event->stm.channel,
		.marked = event->stm.marked,
		.has_timestamp = event->stm.has_timestamp,
		.timestamp = event->stm.timestamp,
		.value = event->stm.value,
		.value_bytes = event->stm.value_bytes,
	};

	g_array_append_val(self->messages, message);
}

static void on_event(const struct trace_event *event, gpointer user_data)
{
	struct decode_source *self = user_data;

	note_quality(self, event);
	cycle_clock_push(&self->clock, event);
	owner_tracker_push(&self->tracker, event);
	if (event->kind == EVENT_TIMESTAMP) {
		const struct stream_position position = { self->tracker.sequence, event->p0,
			                                  event->offset };

		/* 0: the trace unit does not know the time (Arm IHI 0064, Timestamp element). */
		if (event->timestamp.ticks != 0)
			timebase_add_anchor(&self->timebase, &position, event->timestamp.ticks);
	} else if (event->kind == EVENT_STM) {
		keep_message(self, event);
		if (event->stm.has_timestamp) {
			const struct stream_position position = { self->tracker.sequence, 0,
				                                  event->offset };

			timebase_add_anchor(&self->timebase, &position, event->stm.timestamp);
		}
	}
}

struct reading {
	struct engine *engine;
	GError **error;
};

static gboolean on_bytes(const guint8 *bytes, const guint64 *offsets, gsize n, gpointer user_data)
{
	struct reading *reading = user_data;

	return reading->engine->class->push(reading->engine, bytes, offsets, n, reading->error);
}

static gboolean on_barrier(guint64 offset, gpointer user_data)
{
	struct reading *reading = user_data;

	return reading->engine->class->barrier(reading->engine, offset, reading->error);
}

static enum deframe_format deframe_format_of(enum snapshot_format format, const guint8 *bytes,
                                             gsize n_bytes)
{
	switch (format) {
	case SNAPSHOT_FORMAT_CORESIGHT:
		return DEFRAME_FRAMES;
	case SNAPSHOT_FORMAT_DSTREAM_CORESIGHT:
		return deframe_probe_format(bytes, n_bytes);
	case SNAPSHOT_FORMAT_SOURCE_DATA:
		break;
	}
	return DEFRAME_NONE;
}

static void add_counts(struct decode_source *self, const struct deframer *deframer)
{
	self->trace_bytes += deframer->id_bytes[self->trace_id];
	self->dropped_bytes += deframer->dropped_bytes;
	self->broken_frames += deframer->broken_frames;
	for (guint id = 0; id < G_N_ELEMENTS(self->id_bytes); id++)
		self->id_bytes[id] += deframer->id_bytes[id];
}

/* Adds what it counts to `counts`, unless that is NULL. */
static gboolean read_buffer(const struct decode_source *self, const struct snapshot_buffer *buffer,
                            struct reading *reading, struct decode_source *counts,
                            source_progress_fn progress, gpointer progress_data)
{
	const struct deframe_output output = { on_bytes, on_barrier, reading };
	g_autofree struct deframer *deframer = g_new(struct deframer, 1);
	g_autoptr(GMappedFile) file = snapshot_buffer_map(buffer, reading->error);
	const guint8 *bytes;
	gsize n_bytes;

	if (file == NULL)
		return FALSE;
	bytes = (const guint8 *)g_mapped_file_get_contents(file);
	n_bytes = g_mapped_file_get_length(file);
	deframer_init(deframer, deframe_format_of(buffer->format, bytes, n_bytes), self->trace_id,
	              &output);
	for (gsize done = 0; done < n_bytes;) {
		const gsize part = MIN(n_bytes - done, self->block_bytes);

		if (!deframer_push(deframer, bytes + done, part, done))
			return FALSE;
		done += part;
		if (progress != NULL && !progress(part, progress_data)) {
			g_set_error(reading->error, DECODE_ERROR, DECODE_ERROR_CANCELLED,
			            "decoding was cancelled");
			return FALSE;
		}
	}
	if (!deframer_flush(deframer))
		return FALSE;
	if (counts != NULL)
		add_counts(counts, deframer);
	return TRUE;
}

static gboolean read_buffers(const struct decode_source *self, struct engine *engine,
                             struct decode_source *counts, source_progress_fn progress,
                             gpointer progress_data, GError **error)
{
	struct reading reading = { engine, error };
	guint64 end_offset = 0;

	for (guint i = 0; i < self->source->n_buffers; i++) {
		const struct snapshot_buffer *buffer =
			&self->snapshot->buffers[self->source->buffers[i]];

		if (i > 0 && !engine->class->barrier(engine, end_offset, error))
			return FALSE;
		if (!read_buffer(self, buffer, &reading, counts, progress, progress_data)) {
			g_prefix_error(error, "%s in buffer %s: ", self->source->device->name,
			               buffer->name);
			return FALSE;
		}
		end_offset = buffer->size_bytes;
	}
	if (!engine->class->end(engine, end_offset, error))
		return FALSE;
	owner_settle_brackets(self->segments, &self->tracker.config);
	return TRUE;
}

gboolean decode_source_run(struct decode_source *self, source_progress_fn progress,
                           gpointer progress_data, GError **error)
{
	g_autoptr(Engine) engine = engine_opencsd_new(self->source, on_event, self, error);

	return engine != NULL && read_buffers(self, engine, self, progress, progress_data, error);
}

gboolean decode_source_feed(const struct decode_source *self, struct engine *engine, GError **error)
{
	return read_buffers(self, engine, NULL, NULL, NULL, error);
}
