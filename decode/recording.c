#include "decode/recording.h"

#include "decode/lane.h"
#include "decode/recording-names.h"
#include "decode/requests.h"
#include "decode/schedule.h"

struct window {
	gint64 begin_ns, end_ns;
};

/* What guests did, gathered core by core. */
struct guests {
	struct exit_list exits;
	struct request_list requests;
	struct task_names names;
};

static gboolean widen(struct window *window, const struct decode_source *source)
{
	gint64 begin_ns, end_ns;

	if (!lane_extent(source, &begin_ns, &end_ns))
		return FALSE;
	window->begin_ns = MIN(window->begin_ns, begin_ns);
	window->end_ns = MAX(window->end_ns, end_ns);
	return TRUE;
}

/* The cores' time; where no core has any, the messages'. */
static struct window find_window(const struct decode_result *self)
{
	struct window window = { G_MAXINT64, G_MININT64 };
	gboolean found = FALSE;

	for (guint i = 0; i < self->sources->len; i++) {
		const struct decode_source *source = self->sources->pdata[i];

		if (source->source->core >= 0)
			found |= widen(&window, source);
	}
	for (guint i = 0; !found && i < self->sources->len; i++)
		widen(&window, self->sources->pdata[i]);
	if (window.begin_ns > window.end_ns)
		window.begin_ns = window.end_ns = 0;
	return window;
}

static const char *time_base_name(enum time_basis basis)
{
	switch (basis) {
	case TIME_BASIS_TIMESTAMPS:
		return "timestamps";
	case TIME_BASIS_CYCLES:
		return "cycles";
	case TIME_BASIS_BYTES:
		break;
	}
	return "bytes";
}

/* The timestamp at time_ns, as the trace would have it. */
static guint64 ticks_at(const struct timebase_config *time, gint64 time_ns)
{
	const __int128_t ticks = (__int128_t)time_ns * (gint64)time->timestamp_hz / 1000000000;
	const guint unused_bits = 64 - time->timestamp_bits;
	const guint64 absolute = time->reference_ticks + (guint64)(gint64)ticks;

	return absolute << unused_bits >> unused_bits;
}

static gboolean write_time_meta(const struct decode_result *self, const struct window *window,
                                struct recording_writer *writer, GError **error)
{
	const struct timebase_config *time = &self->time;
	g_autofree char *ticks =
		g_strdup_printf("%" G_GUINT64_FORMAT, ticks_at(time, window->begin_ns));

	if (!recording_writer_meta_int(writer, "window_ns", window->end_ns - window->begin_ns,
	                               error) ||
	    !recording_writer_meta(writer, "time_base", time_base_name(time->basis), error) ||
	    !recording_writer_meta(writer, "time",
	                           self->snapshot->time == SNAPSHOT_TIME_MODELLED ? "modelled"
	                                                                          : "measured",
	                           error))
		return FALSE;
	if (self->snapshot->has_core_hz &&
	    !recording_writer_meta_int(writer, "core_hz", (gint64)self->snapshot->core_hz, error))
		return FALSE;
	if (time->basis != TIME_BASIS_TIMESTAMPS)
		return TRUE;
	return recording_writer_meta(writer, "window_start_ticks", ticks, error) &&
	       recording_writer_meta_int(writer, "timestamp_hz", (gint64)time->timestamp_hz,
	                                 error) &&
	       recording_writer_meta(writer, "timestamp_hz_source", self->timestamp_hz_source,
	                             error);
}

static gboolean write_meta(const struct decode_result *self, const struct window *window,
                           struct recording_writer *writer, GError **error)
{
	guint64 trace_bytes = 0;

	for (guint i = 0; i < self->snapshot->n_buffers; i++)
		trace_bytes += self->snapshot->buffers[i].size_bytes;
	if (!recording_writer_meta(writer, "capture_path", self->snapshot->dir, error) ||
	    !recording_writer_meta(writer, "capture_identity", self->identity, error) ||
	    !recording_writer_meta_int(writer, "trace_bytes", (gint64)trace_bytes, error))
		return FALSE;
	if (self->system != NULL && self->system->hypervisor != NULL &&
	    !recording_writer_meta(writer, "hypervisor", self->system->hypervisor, error))
		return FALSE;
	if (self->system != NULL && self->system->scheduler != NULL &&
	    !recording_writer_meta(writer, "scheduler", self->system->scheduler, error))
		return FALSE;
	return write_time_meta(self, window, writer, error);
}

static const struct snapshot_source *source_of_core(const struct snapshot *snapshot, guint core)
{
	for (guint i = 0; i < snapshot->n_sources; i++) {
		if (snapshot->sources[i].core == (gint)core)
			return &snapshot->sources[i];
	}
	return NULL;
}

static const struct decode_source *decoded(const struct decode_result *self,
                                           const struct snapshot_source *source)
{
	for (guint i = 0; i < self->sources->len; i++) {
		const struct decode_source *candidate = self->sources->pdata[i];

		if (candidate->source == source)
			return candidate;
	}
	return NULL;
}

static gboolean write_core(const struct decode_result *self, guint core,
                           struct recording_writer *writer, GError **error)
{
	const struct snapshot_device *device = self->snapshot->cores[core];
	const struct snapshot_source *source = source_of_core(self->snapshot, core);
	const struct decode_source *lane = decoded(self, source);
	char **names = self->system != NULL ? self->system->core_names : NULL;
	struct row_core row = {
		.core = core,
		.name = names != NULL && core < g_strv_length(names) ? names[core] : device->name,
		.type = device->type,
		.trace_id = -1,
	};
	guint8 trace_id;

	if (source != NULL) {
		row.source = source->device->name;
		row.protocol = snapshot_protocol_name(source->protocol);
		if (snapshot_source_trace_id(source, &trace_id))
			row.trace_id = trace_id;
	}
	if (lane != NULL)
		row.trace_bytes = lane->trace_bytes;
	return recording_writer_core(writer, &row, error);
}

static gboolean write_gap(guint core, const struct row_span *span, const struct lane_span *lane,
                          struct recording_writer *writer, GError **error)
{
	const struct row_gap gap = {
		.core = core,
		.start_ns = span->start_ns,
		.duration_ns = span->duration_ns,
		.reason = lane->gap_reason,
		.begin_offset = lane->begin_offset,
		.end_offset = lane->end_offset,
	};

	return recording_writer_gap(writer, &gap, error);
}

static gboolean write_lane(const struct decode_source *source, guint core,
                           const struct window *window, struct guests *guests,
                           struct recording_writer *writer, GError **error)
{
	g_autoptr(GArray) lane = lane_spans(source, window->begin_ns, window->end_ns);
	g_autofree struct row_span *rows = g_new0(struct row_span, lane->len);

	for (guint i = 0; i < lane->len; i++) {
		const struct lane_span *span = &g_array_index(lane, struct lane_span, i);
		const gint64 begin_ns = span->begin_ns - window->begin_ns;
		const gint64 end_ns = span->end_ns - window->begin_ns;

		rows[i] = (struct row_span) {
			.core = core,
			.start_ns = begin_ns,
			.duration_ns = end_ns - begin_ns,
			.cycles = span->cycles,
			.halted_ns = span->halted_ns,
			.uncertainty_ns = span->uncertainty_ns,
			.owner = recording_names_owner(&guests->names, &span->owner, begin_ns,
			                               end_ns, writer),
			.certainty = span->certainty,
			.trace_offset = span->begin_offset,
		};
		if (span->gap_reason != NULL && !write_gap(core, &rows[i], span, writer, error))
			return FALSE;
	}
	exit_list_add_core(&guests->exits, core, source, lane);
	request_list_add_core(&guests->requests, core, source, lane);
	return recording_writer_spans(writer, core, rows, lane->len, error);
}

/* STM and ETM timestamps come from one generator (CoreSight TSGEN): the same clock. */
static gint64 stm_time_ns(const struct timebase_config *time, guint64 timestamp)
{
	const gint64 relative = (gint64)(timestamp - time->reference_ticks);

	return (gint64)((__int128_t)relative * 1000000000 / (gint64)time->timestamp_hz);
}

/* A slip in the system file must show somewhere: no such task ever serves. */
static gboolean write_unknown_tasks(const struct request_list *requests,
                                    struct recording_writer *writer, GError **error)
{
	const GPtrArray *unknown = requests->unknown_tasks;
	const struct row_quality count = { "system-file", "backend-task-unknown", unknown->len };

	if (unknown->len > 0 && !recording_writer_quality(writer, &count, error))
		return FALSE;
	for (guint i = 0; i < unknown->len; i++) {
		if (!recording_writer_quality_event(
			    writer,
			    &(struct row_quality_event) { "system-file", "backend-task-unknown", 0,
		                                          unknown->pdata[i] },
			    error))
			return FALSE;
	}
	return TRUE;
}

static gboolean write_requests(const struct decode_result *self, const struct window *window,
                               struct request_list *requests, const struct schedule *schedule,
                               struct recording_writer *writer, GError **error)
{
	for (guint i = 0; i < self->sources->len; i++) {
		const struct decode_source *source = self->sources->pdata[i];

		for (guint k = 0; k < source->messages->len; k++) {
			const struct stm_message *message =
				&g_array_index(source->messages, struct stm_message, k);

			if (message->has_timestamp && self->time.basis == TIME_BASIS_TIMESTAMPS)
				request_list_add_message(
					requests, message,
					stm_time_ns(&self->time, message->timestamp) -
						window->begin_ns);
		}
	}
	request_list_find(requests, schedule, window->end_ns - window->begin_ns);
	if (!write_unknown_tasks(requests, writer, error))
		return FALSE;
	for (guint i = 0; i < requests->rows->len; i++) {
		if (!recording_writer_request(
			    writer, &g_array_index(requests->rows, struct row_request, i), error))
			return FALSE;
	}
	return TRUE;
}

static GArray *find_markers(const struct decode_result *self)
{
	GArray *markers = g_array_new(FALSE, FALSE, sizeof(struct schedule_marker));

	for (guint i = 0; i < self->sources->len; i++) {
		const struct decode_source *source = self->sources->pdata[i];

		for (guint k = 0; k < source->messages->len; k++) {
			const struct stm_message *message =
				&g_array_index(source->messages, struct stm_message, k);
			struct schedule_marker marker = {
				.time_ns = stm_time_ns(&self->time, message->timestamp)
			};

			if (message->kind == STM_DATA && message->has_timestamp &&
			    schedule_marker_parse(message->channel, message->value, &marker))
				g_array_append_val(markers, marker);
		}
	}
	return markers;
}

static gboolean write_schedule(const struct decode_result *self, const struct window *window,
                               struct guests *guests, struct recording_writer *writer,
                               GError **error)
{
	g_autoptr(GArray) markers = find_markers(self);
	const struct schedule_given given = {
		.system = self->system,
		.image = self->image,
		.markers = markers,
		.has_ticks = self->time.basis == TIME_BASIS_TIMESTAMPS,
		.begin_ticks = (gint64)ticks_at(&self->time, window->begin_ns),
		.end_ticks = (gint64)ticks_at(&self->time, window->end_ns),
		.timestamp_hz = self->time.timestamp_hz,
	};
	struct schedule schedule;
	gboolean done = TRUE;

	schedule_init(&schedule, &guests->exits, &given, window->begin_ns,
	              window->end_ns - window->begin_ns);
	for (guint i = 0; done && i < schedule.functions->len; i++)
		done = recording_writer_function(
			writer, &g_array_index(schedule.functions, struct row_function, i), error);
	for (guint i = 0; done && i < schedule.vcpus->len; i++)
		done = recording_writer_vcpu(
			writer, &g_array_index(schedule.vcpus, struct row_vcpu, i), error);
	for (guint i = 0; done && i < schedule.runs->len; i++)
		done = recording_writer_vcpu_run(
			writer, &g_array_index(schedule.runs, struct row_vcpu_run, i), error);
	for (guint i = 0; done && i < schedule.exits->len; i++)
		done = recording_writer_exit(
			writer, &g_array_index(schedule.exits, struct row_exit, i), error);
	for (guint i = 0; done && i < schedule.calls->len; i++)
		done = recording_writer_hypervisor_call(
			writer, &g_array_index(schedule.calls, struct row_hypervisor_call, i),
			error);
	done = done && write_requests(self, window, &guests->requests, &schedule, writer, error);
	schedule_deinit(&schedule);
	return done;
}

static gboolean write_exceptions(const struct decode_source *source, guint core,
                                 const struct window *window, const struct task_names *names,
                                 struct recording_writer *writer, GError **error)
{
	const gboolean has_time = timebase_has_time(&source->timebase);

	for (guint i = 0; i < source->exceptions->len; i++) {
		const struct owner_exception *exception =
			&g_array_index(source->exceptions, struct owner_exception, i);
		const gint64 time_ns =
			has_time ? timebase_at(&source->timebase, &exception->position).time_ns -
					   window->begin_ns
				 : 0;
		const struct row_exception row = {
			.core = core,
			.time_ns = time_ns,
			.type = exception->type,
			.has_return_address = exception->has_return_address,
			.return_address_va = exception->return_address_va,
			.from_owner = recording_names_owner(names, &exception->from, time_ns,
			                                    time_ns, writer),
			.to_owner = recording_names_owner(names, &exception->to, time_ns, time_ns,
			                                  writer),
			.trace_offset = exception->position.offset,
		};

		if (!recording_writer_exception(writer, &row, error))
			return FALSE;
	}
	return TRUE;
}

static const char *stm_kind_name(enum stm_kind kind)
{
	switch (kind) {
	case STM_DATA:
		return "data";
	case STM_FLAG:
		return "flag";
	case STM_TRIGGER:
		return "trigger";
	case STM_FREQUENCY:
		return "frequency";
	case STM_ERROR:
		break;
	}
	return "error";
}

static gboolean write_messages(const struct decode_result *self, const struct decode_source *source,
                               const struct window *window, struct recording_writer *writer,
                               GError **error)
{
	for (guint i = 0; i < source->messages->len; i++) {
		const struct stm_message *message =
			&g_array_index(source->messages, struct stm_message, i);
		const guint64 value = GUINT64_TO_LE(message->value);
		const struct row_stm row = {
			.source = source->source->device->name,
			.has_time =
				message->has_timestamp && self->time.basis == TIME_BASIS_TIMESTAMPS,
			.time_ns = stm_time_ns(&self->time, message->timestamp) - window->begin_ns,
			.timestamp = message->timestamp,
			.master = message->master,
			.channel = message->channel,
			.kind = stm_kind_name(message->kind),
			.marked = message->marked,
			.payload = (const guint8 *)&value,
			.payload_bytes = message->value_bytes,
			.trace_offset = message->position.offset,
		};

		if (!recording_writer_stm(writer, &row, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean write_count(const char *source, const char *name, guint64 count,
                            struct recording_writer *writer, GError **error)
{
	const struct row_quality row = { source, name, count };

	return count == 0 || recording_writer_quality(writer, &row, error);
}

static gboolean write_notes(const struct decode_source *source, struct recording_writer *writer,
                            GError **error)
{
	static const char *const names[] = { "overflow", "discard", "no-sync", "bad-data",
		                             "barrier" };
	const char *device = source->source->device->name;
	guint64 counts[G_N_ELEMENTS(names)] = { 0 };

	for (guint i = 0; i < source->notes->len; i++) {
		const struct quality_note *note =
			&g_array_index(source->notes, struct quality_note, i);
		const struct row_quality_event row = { device, note->name, note->offset,
			                               note->what };

		if (!recording_writer_quality_event(writer, &row, error))
			return FALSE;
		for (guint k = 0; k < G_N_ELEMENTS(names); k++)
			counts[k] += g_str_equal(names[k], note->name);
	}
	for (guint k = 0; k < G_N_ELEMENTS(names); k++) {
		if (!write_count(device, names[k], counts[k], writer, error))
			return FALSE;
	}
	return write_count(device, "resync", source->resyncs, writer, error) &&
	       write_count(device, "timestamp-implausible", source->timebase.dropped_anchors,
	                   writer, error) &&
	       write_count(device, "broken-frame", source->broken_frames, writer, error) &&
	       write_count(device, "unformatted-bytes", source->dropped_bytes, writer, error);
}

/* Bytes of trace IDs that no source of the capture claims. Trace ID 0 is padding, 0x70
 * and above are the formatter's own (CoreSight architecture, D4.2). */
static gboolean write_foreign_ids(const struct decode_result *self, struct recording_writer *writer,
                                  GError **error)
{
	g_autoptr(GString) ids = g_string_new("trace IDs");
	const struct decode_source *source;
	gboolean known[128] = { FALSE };
	guint64 n_bytes = 0;
	guint8 trace_id;

	if (self->sources->len == 0)
		return TRUE;
	for (guint i = 0; i < self->snapshot->n_sources; i++) {
		if (snapshot_source_trace_id(&self->snapshot->sources[i], &trace_id))
			known[trace_id & 0x7f] = TRUE;
	}
	source = self->sources->pdata[0];
	for (guint id = 1; id < 0x70; id++) {
		if (known[id] || source->id_bytes[id] == 0)
			continue;
		n_bytes += source->id_bytes[id];
		g_string_append_printf(ids, " 0x%02x", id);
	}
	return n_bytes == 0 ||
	       (write_count("formatter", "bytes-of-unknown-trace-ids", n_bytes, writer, error) &&
	        recording_writer_quality_event(
			writer,
			&(struct row_quality_event) { "formatter", "bytes-of-unknown-trace-ids", 0,
	                                              ids->str },
			error));
}

static gboolean write_refusals(const struct decode_result *self, struct recording_writer *writer,
                               GError **error)
{
	for (guint i = 0; i < self->refusals->len; i++) {
		const struct decode_refusal *refusal =
			&g_array_index(self->refusals, struct decode_refusal, i);
		const char *device = refusal->source->device->name;
		const struct row_quality_event row = { device, "not-decoded", 0, refusal->why };

		if (!write_count(device, "not-decoded", 1, writer, error) ||
		    !recording_writer_quality_event(writer, &row, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean write_cores(const struct decode_result *self, const struct window *window,
                            struct guests *guests, struct recording_writer *writer, GError **error)
{
	for (guint core = 0; core < self->snapshot->n_cores; core++) {
		const struct decode_source *source =
			decoded(self, source_of_core(self->snapshot, core));

		if (!write_core(self, core, writer, error) ||
		    !write_lane(source, core, window, guests, writer, error) ||
		    (source != NULL &&
		     !write_exceptions(source, core, window, &guests->names, writer, error)))
			return FALSE;
	}
	return TRUE;
}

static gboolean write_guests(const struct decode_result *self, const struct window *window,
                             struct recording_writer *writer, GError **error)
{
	struct guests guests;
	gboolean done;

	exit_list_init(&guests.exits);
	request_list_init(&guests.requests, self->system, window->begin_ns);
	task_names_init(&guests.names, self->system, &self->time, window->begin_ns);
	done = recording_names_write(self->system, &guests.names, writer, error) &&
	       write_cores(self, window, &guests, writer, error) &&
	       (self->spans_only || write_schedule(self, window, &guests, writer, error));
	exit_list_deinit(&guests.exits);
	request_list_deinit(&guests.requests);
	task_names_deinit(&guests.names);
	return done;
}

gboolean decode_result_write(const struct decode_result *self, struct recording_writer *writer,
                             GError **error)
{
	const struct window window = find_window(self);

	if (!write_meta(self, &window, writer, error) ||
	    !write_guests(self, &window, writer, error) ||
	    !write_foreign_ids(self, writer, error) || !write_refusals(self, writer, error))
		return FALSE;
	for (guint i = 0; i < self->sources->len; i++) {
		const struct decode_source *source = self->sources->pdata[i];

		if (!write_messages(self, source, &window, writer, error) ||
		    !write_notes(source, writer, error))
			return FALSE;
	}
	return TRUE;
}
