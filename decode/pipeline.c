#include "decode/pipeline.h"

#include "decode/decode-error.h"
#include "decode/engine.h"
#include "decode/hypervisor-flow.h"
#include "decode/recording.h"

enum {
	PROGRESS_INTERVAL_US = 100000,
	HASH_BYTES = 1 << 20
};

/* What the threads share while sources are read. */
struct reading_state {
	GMutex lock;
	GCond changed;
	guint64 done_bytes;
	guint running;
	gint cancelled; /* atomic */
};

struct source_job {
	struct decode_source *source;
	const struct hypervisor_image *image; /* NULL: its functions are not known */
	struct reading_state *state;
	GError *error;
};

static gboolean count_progress(guint64 bytes, gpointer user_data)
{
	struct reading_state *state = user_data;

	g_mutex_lock(&state->lock);
	state->done_bytes += bytes;
	g_mutex_unlock(&state->lock);
	return !g_atomic_int_get(&state->cancelled);
}

static void run_job(gpointer data, gpointer user_data)
{
	struct source_job *job = data;
	struct reading_state *state = job->state;

	(void)user_data;
	if (!decode_source_run(job->source, count_progress, state, &job->error))
		g_atomic_int_set(&state->cancelled, TRUE);
	else if (job->image != NULL && job->source->source->core >= 0)
		hypervisor_flow_run(job->source, job->image);
	g_mutex_lock(&state->lock);
	state->running--;
	g_cond_signal(&state->changed);
	g_mutex_unlock(&state->lock);
}

static void wait_for_jobs(struct reading_state *state, const struct decode_options *options,
                          guint64 total_bytes)
{
	g_mutex_lock(&state->lock);
	while (state->running > 0) {
		const gint64 until = g_get_monotonic_time() + PROGRESS_INTERVAL_US;
		guint64 done_bytes;
		gboolean go_on;

		g_cond_wait_until(&state->changed, &state->lock, until);
		if (options->progress == NULL)
			continue;
		done_bytes = state->done_bytes;
		g_mutex_unlock(&state->lock);
		go_on = options->progress(done_bytes, total_bytes, options->progress_data);
		if (!go_on)
			g_atomic_int_set(&state->cancelled, TRUE);
		g_mutex_lock(&state->lock);
	}
	g_mutex_unlock(&state->lock);
}

static guint64 bytes_to_read(const struct decode_result *result)
{
	guint64 total = 0;

	for (guint i = 0; i < result->sources->len; i++) {
		const struct decode_source *source = result->sources->pdata[i];

		for (guint k = 0; k < source->source->n_buffers; k++)
			total += result->snapshot->buffers[source->source->buffers[k]].size_bytes;
	}
	return total;
}

/* The first failure that is not merely another one's cancellation. */
static GError *first_error(struct source_job *jobs, guint n)
{
	GError *found = NULL;

	for (guint i = 0; i < n; i++) {
		if (jobs[i].error == NULL)
			continue;
		if (found == NULL || g_error_matches(found, DECODE_ERROR, DECODE_ERROR_CANCELLED)) {
			g_clear_error(&found);
			found = g_steal_pointer(&jobs[i].error);
		}
		g_clear_error(&jobs[i].error);
	}
	return found;
}

static gboolean run_sources(const struct decode_result *result,
                            const struct decode_options *options, GError **error)
{
	const guint n = result->sources->len;
	const guint jobs = options->jobs > 0 ? options->jobs : g_get_num_processors();
	g_autofree struct source_job *work = g_new0(struct source_job, n);
	struct reading_state state = { .running = n };
	const struct hypervisor_image *image = NULL;
	GThreadPool *pool;
	GError *failure;

	if (hypervisor_image_has_functions(result->image))
		image = result->image;
	g_mutex_init(&state.lock);
	g_cond_init(&state.changed);
	pool = g_thread_pool_new(run_job, NULL, (gint)MIN(jobs, 64), FALSE, NULL);
	for (guint i = 0; i < n; i++) {
		work[i] = (struct source_job) { result->sources->pdata[i], image, &state, NULL };
		if (options->block_bytes > 0)
			work[i].source->block_bytes = options->block_bytes;
		g_thread_pool_push(pool, &work[i], NULL);
	}
	wait_for_jobs(&state, options, bytes_to_read(result));
	g_thread_pool_free(pool, FALSE, TRUE);
	g_cond_clear(&state.changed);
	g_mutex_clear(&state.lock);
	failure = first_error(work, n);
	if (failure == NULL)
		return TRUE;
	g_propagate_error(error, failure);
	return FALSE;
}

static gboolean choose_sources(struct decode_result *result, GError **error)
{
	g_autoptr(GString) reasons = g_string_new(NULL);

	for (guint i = 0; i < result->snapshot->n_sources; i++) {
		const struct snapshot_source *source = &result->snapshot->sources[i];
		char *why = engine_why_not(source);

		if (why == NULL) {
			g_ptr_array_add(result->sources,
			                decode_source_new(result->snapshot, source));
		} else {
			const struct decode_refusal refusal = { source, why };

			g_array_append_val(result->refusals, refusal);
			g_string_append_printf(reasons, "%s%s (%s): %s",
			                       reasons->len > 0 ? "; " : "", source->device->name,
			                       source->device->type, why);
		}
	}
	if (result->sources->len > 0)
		return TRUE;
	g_set_error(error, DECODE_ERROR, DECODE_ERROR_UNSUPPORTED,
	            "%s holds no trace that can be decoded: %s", result->snapshot->dir,
	            reasons->len > 0 ? reasons->str : "it names no trace source");
	return FALSE;
}

static void choose_timestamp_hz(struct decode_result *result)
{
	if (result->system != NULL && result->system->timestamp_hz != 0) {
		result->time.timestamp_hz = result->system->timestamp_hz;
		result->timestamp_hz_source = "system-file";
	} else if (result->snapshot->has_timestamp_hz) {
		result->time.timestamp_hz = result->snapshot->timestamp_hz;
		result->timestamp_hz_source = "capture";
	} else {
		result->time.timestamp_hz = 1000000000;
		result->timestamp_hz_source = "assumed";
	}
}

/* A generator that stands still gives timestamps but no time. */
static gboolean timestamps_move(const struct decode_source *source)
{
	const GArray *anchors = source->timebase.anchors;

	for (guint i = 1; i < anchors->len; i++) {
		if (g_array_index(anchors, struct time_anchor, i).ticks !=
		    g_array_index(anchors, struct time_anchor, 0).ticks)
			return TRUE;
	}
	return FALSE;
}

static gboolean any_core_source(const struct decode_result *result)
{
	for (guint i = 0; i < result->sources->len; i++) {
		if (((const struct decode_source *)result->sources->pdata[i])->source->core >= 0)
			return TRUE;
	}
	return FALSE;
}

/* The cores' sources decide, where there are any. Timestamps where one has some that move, else
 * cycles, else bytes. The reference tick is one from the middle of the source with the most: a
 * corrupt first or last one then moves nothing. */
static void choose_basis(struct decode_result *result)
{
	struct timebase_config *time = &result->time;
	const gboolean cores_only = any_core_source(result);
	guint most = 0;

	time->basis = TIME_BASIS_BYTES;
	time->timestamp_bits = 64;
	time->core_hz = result->snapshot->has_core_hz ? result->snapshot->core_hz : 0;
	for (guint i = 0; i < result->sources->len; i++) {
		struct decode_source *source = result->sources->pdata[i];
		const guint n = timestamps_move(source) ? source->timebase.anchors->len : 0;

		if (cores_only && source->source->core < 0)
			continue;
		if (n > most) {
			most = n;
			time->basis = TIME_BASIS_TIMESTAMPS;
			time->reference_ticks =
				timebase_reference(&source->timebase, &source->clock);
			time->timestamp_bits = decode_source_timestamp_bits(source);
		} else if (most == 0 && source->clock.has_cycles) {
			time->basis = TIME_BASIS_CYCLES;
		}
	}
}

static void settle_time(struct decode_result *result)
{
	choose_timestamp_hz(result);
	choose_basis(result);
	for (guint i = 0; i < result->sources->len; i++) {
		struct decode_source *source = result->sources->pdata[i];

		timebase_settle(&source->timebase, &result->time, &source->clock);
	}
}

/* A name for what was captured that moving the directory does not change: the trace
 * itself and the registers that its meaning depends on. */
static char *capture_identity(const struct snapshot *snapshot, GError **error)
{
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

	for (guint i = 0; i < snapshot->n_sources; i++) {
		const struct snapshot_device *device = snapshot->sources[i].device;

		g_checksum_update(checksum, (const guchar *)device->name, -1);
		for (guint k = 0; k < device->n_regs; k++) {
			g_autofree char *reg =
				g_strdup_printf("%s=%" G_GINT64_MODIFIER "x", device->regs[k].name,
			                        device->regs[k].value);

			g_checksum_update(checksum, (const guchar *)reg, -1);
		}
	}
	for (guint i = 0; i < snapshot->n_buffers; i++) {
		g_autoptr(GMappedFile) file = snapshot_buffer_map(&snapshot->buffers[i], error);
		gsize n_bytes;

		if (file == NULL)
			return NULL;
		n_bytes = g_mapped_file_get_length(file);
		for (gsize at = 0; at < n_bytes; at += HASH_BYTES)
			g_checksum_update(checksum,
			                  (const guchar *)g_mapped_file_get_contents(file) + at,
			                  (gssize)MIN(HASH_BYTES, n_bytes - at));
	}
	return g_strdup(g_checksum_get_string(checksum));
}

static void refusal_clear(gpointer data)
{
	g_free(((struct decode_refusal *)data)->why);
}

static gboolean decode_snapshot(struct decode_result *result, const char *recording_path,
                                const struct decode_options *options, GError **error)
{
	g_autoptr(recording_writer) writer = NULL;

	if (!choose_sources(result, error))
		return FALSE;
	result->image = hypervisor_image_new(result->snapshot, result->system, error);
	if (result->image == NULL)
		return FALSE;
	/* Before the work: a path that cannot be written must not cost it. */
	writer = recording_writer_new(recording_path, error);
	if (writer == NULL)
		return FALSE;
	result->identity = capture_identity(result->snapshot, error);
	if (result->identity == NULL || !run_sources(result, options, error))
		return FALSE;
	settle_time(result);
	return decode_result_write(result, writer, error) && recording_writer_finish(writer, error);
}

gboolean decode_capture(const char *capture_path, const char *recording_path,
                        const struct decode_options *options, GError **error)
{
	g_autoptr(Snapshot) snapshot = snapshot_open(capture_path, error);
	struct decode_result result = { .snapshot = snapshot,
		                        .system = options->system,
		                        .spans_only = options->spans_only };
	gboolean done;

	if (snapshot == NULL)
		return FALSE;
	result.sources = g_ptr_array_new_with_free_func((GDestroyNotify)decode_source_free);
	result.refusals = g_array_new(FALSE, FALSE, sizeof(struct decode_refusal));
	g_array_set_clear_func(result.refusals, refusal_clear);
	done = decode_snapshot(&result, recording_path, options, error);
	g_ptr_array_unref(result.sources);
	g_array_unref(result.refusals);
	g_free(result.identity);
	hypervisor_image_free(result.image);
	return done;
}
