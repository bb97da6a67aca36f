#include "capture/session-internal.h"

#include "capture/coresight/cti.h"
#include "capture/coresight/identity.h"
#include <string.h>
#include <unistd.h>

enum {
	RUN_POLL_MS = 20,
	RUN_STATUS_EVERY_US = 200000,
};

const char *session_phase_name(enum session_phase phase)
{
	static const char *const names[] = { "checking", "programming", "tracing", "stopping",
		                             "draining", "restoring",   "writing" };

	return names[phase];
}

static gboolean clock_concerns(const struct session *self, const struct board_clock *clock)
{
	const char *const *needed_by = (const char *const *)clock->needed_by;

	return g_strv_contains(needed_by, "all") ||
	       g_strv_contains(needed_by, session_name_of(self, self->plan->sink));
}

static gboolean check_clocks(struct session *self, GError **error)
{
	const struct board *board = self->plan->board;

	if (!self->access.link->has_memory) {
		if (board->clocks->len > 0)
			session_note(self,
			             "clocks were not checked: %s has no way to system registers",
			             self->access.link->description);
		return TRUE;
	}
	for (guint i = 0; i < board->clocks->len; i++) {
		const struct board_clock *clock =
			&g_array_index(board->clocks, struct board_clock, i);
		guint32 value;

		if (!clock_concerns(self, clock))
			continue;
		if (!link_read32(self->access.link, LINK_SPACE_MEMORY, clock->addr_pa, &value,
		                 error)) {
			g_prefix_error(error, "clock %s: ", clock->name);
			return FALSE;
		}
		if ((value & clock->mask) != 0)
			continue;
		g_set_error(
			error, CORESIGHT_ERROR, CORESIGHT_ERROR_PROHIBITED,
			"clock %s is off: 0x%08" G_GINT64_MODIFIER
			"x reads 0x%08X, bit 0x%08X is 0 [%s: %s]; the boot loader must switch it "
			"on, hvscope writes no clock register",
			clock->name, clock->addr_pa, value, clock->mask,
			board_confidence_mark(clock->confidence), clock->note);
		return FALSE;
	}
	return TRUE;
}

static gboolean check_path(struct session *self, GError **error)
{
	for (guint i = 0; i < self->plan->components->len; i++) {
		guint component = g_array_index(self->plan->components, guint, i);
		const struct board_component *what = board_component(self->plan->board, component);

		if (what->kind == BOARD_REPLICATOR) {
			struct identity found;

			/* Some say that it is static and has no registers. */
			if (!identity_read(&self->access, component, &found, NULL) ||
			    !found.matches) {
				self->skip[i] = TRUE;
				session_note(
					self,
					"%s does not answer as part 0x%03X: taken as static, not "
					"programmed",
					what->name, what->part);
			}
			continue;
		}
		if (!identity_check(&self->access, component, error))
			return FALSE;
		if (what->kind == BOARD_ETF &&
		    !tmc_check(&self->access, component, self->config->take, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_sources(struct session *self, GError **error)
{
	for (guint i = 0; i < self->plan->sources->len; i++) {
		struct session_source *source =
			&g_array_index(self->plan->sources, struct session_source, i);

		if (!identity_check(&self->access, source->component, error))
			return FALSE;
		if (source->core < 0)
			continue;
		if (!etm4_check(&self->access, source->component, self->config->take, error) ||
		    !etm4_ids_read(&self->access, source->component, &source->ids, error) ||
		    !etm4_ids_fit(&source->ids, session_name_of(self, source->component),
		                  &source->etm, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_sink(struct session *self, GError **error)
{
	enum board_kind kind = board_component(self->plan->board, self->plan->sink)->kind;
	guint32 word;

	if (!identity_check(&self->access, self->plan->sink, error))
		return FALSE;
	if (kind == BOARD_TPIU)
		return TRUE;
	if (!tmc_check(&self->access, self->plan->sink, self->config->take, error))
		return FALSE;
	if (kind == BOARD_ETR &&
	    !link_read32(self->access.link, LINK_SPACE_MEMORY,
	                 self->config->buffer.start_pa + self->config->buffer.len_bytes - 4, &word,
	                 error)) {
		g_prefix_error(error, "the end of the ETR's buffer: ");
		return FALSE;
	}
	return TRUE;
}

static gboolean check(struct session *self, GError **error)
{
	const struct board *board = self->plan->board;

	session_report(self, SESSION_CHECK, 0, 0);
	if (board->window[self->access.link->view] == 0 &&
	    self->access.link->view == LINK_VIEW_EXTERNAL) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
		            "board %s states no external window, so %s cannot reach its components",
		            board->name, self->access.link->description);
		return FALSE;
	}
	return !access_cancelled(&self->access, error) && check_clocks(self, error) &&
	       check_sink(self, error) && check_path(self, error) && check_sources(self, error);
}

static gboolean read_counters(struct session *self, guint64 *tsgen, guint64 *counter,
                              GError **error)
{
	const struct board *board = self->plan->board;
	gboolean enabled;
	guint32 words[2];

	if (self->plan->tsgen >= 0 && !tsgen_read(&self->access, (guint)self->plan->tsgen, tsgen,
	                                          &self->tsgen_hz, &enabled, error))
		return FALSE;
	if (board->system_counter_pa == 0 || !self->access.link->has_memory)
		return TRUE;
	if (link_read_block(self->access.link, LINK_SPACE_MEMORY, board->system_counter_pa, words,
	                    2, NULL))
		*counter = words[0] | (guint64)words[1] << 32;
	else
		session_note(self,
		             "the system counter at 0x%" G_GINT64_MODIFIER "x [%s] does not answer",
		             board->system_counter_pa,
		             board_confidence_mark(board->system_counter_confidence));
	return TRUE;
}

static gboolean enable_tsgen(struct session *self, GError **error)
{
	struct sequence program;
	guint64 count;
	gboolean enabled, ok;

	if (self->plan->tsgen < 0)
		return TRUE;
	if (!tsgen_read(&self->access, (guint)self->plan->tsgen, &count, &self->tsgen_hz, &enabled,
	                error))
		return FALSE;
	if (enabled)
		return TRUE;
	sequence_init(&program);
	tsgen_program_enable(&program, (guint)self->plan->tsgen);
	ok = access_run(&self->access, &program, error);
	sequence_deinit(&program);
	return ok;
}

/* A write that was ignored shows when it is read back. */
static gboolean verify_source(struct session *self, const struct session_source *source,
                              GError **error)
{
	guint16 reg = source->core < 0 ? 0xE80 : 0x040;
	guint32 expected = source->core < 0 ? (guint32)source->trace_id << 16 : source->trace_id;
	guint32 mask = source->core < 0 ? 0x7F0000 : 0x7F;
	const char *name = source->core < 0 ? "TCSR" : "TRCTRACEIDR";
	guint32 value;

	if (!access_read(&self->access, source->component, reg, name, &value, error))
		return FALSE;
	if ((value & mask) == expected)
		return TRUE;
	g_set_error(
		error, CORESIGHT_ERROR, CORESIGHT_ERROR_IGNORED,
		"%s.%s (0x%03X) reads 0x%X after 0x%X was written: writes are ignored; is its lock "
		"held (OS lock, LAR), or was the target reset or power-cycled?",
		session_name_of(self, source->component), name, reg, value & mask, expected);
	return FALSE;
}

static gboolean program(struct session *self, GError **error)
{
	struct sequence path, sources;
	gboolean ok;

	session_report(self, SESSION_PROGRAM, 0, 0);
	sequence_init(&path);
	sequence_init(&sources);
	session_program_sink(&path, self->plan, self->config);
	session_program_path(&path, self->plan, self->config, self->skip);
	self->programmed = TRUE;
	ok = access_run(&self->access, &path, error) && enable_tsgen(self, error);
	if (ok) {
		session_program_sources(&sources, self->plan, self->tsgen_hz);
		ok = read_counters(self, &self->tsgen_start, &self->counter_start, error) &&
		     access_run(&self->access, &sources, error);
	}
	for (guint i = 0; ok && i < self->plan->sources->len; i++)
		ok = verify_source(self, session_source_at(self, i), error);
	sequence_deinit(&path);
	sequence_deinit(&sources);
	return ok;
}

/* A trigger stops the sink by itself: it is ready while nobody stopped it. */
static gboolean sink_stopped(struct session *self, gboolean *stopped, GError **error)
{
	guint32 sts;

	*stopped = FALSE;
	if (self->config->stop_core < 0)
		return TRUE;
	if (!access_read(&self->access, self->plan->sink, 0x00C, "STS", &sts, error))
		return FALSE;
	*stopped = (sts >> 2 & 1) != 0;
	return TRUE;
}

static gboolean run(struct session *self, GError **error)
{
	gint64 start_us = g_get_monotonic_time();
	gint64 asked_us = start_us;

	self->wall_start_us = g_get_real_time();
	for (;;) {
		gint64 now_us = g_get_monotonic_time();
		guint64 elapsed_us = (guint64)(now_us - start_us);
		gboolean stopped = FALSE;

		session_report(self, SESSION_RUN, elapsed_us, self->config->for_us);
		if (self->stop != NULL && g_cancellable_is_cancelled(self->stop))
			break;
		if (self->config->for_us != 0 && elapsed_us >= self->config->for_us)
			break;
		if (now_us - asked_us >= RUN_STATUS_EVERY_US) {
			asked_us = now_us;
			if (!sink_stopped(self, &stopped, error))
				return FALSE;
			if (stopped)
				break;
		}
		guint64 left_us =
			self->config->for_us != 0 ? self->config->for_us - elapsed_us : G_MAXUINT64;
		g_usleep((gulong)MIN(left_us, (guint64)RUN_POLL_MS * 1000));
	}
	/* The user's word ended the run; it shall not end the drain as well. */
	if (self->stop != NULL)
		g_cancellable_reset(self->stop);
	return TRUE;
}

/* A reset during the run leaves a target that looks as if it had traced nothing. */
static gboolean still_programmed(struct session *self, GError **error)
{
	enum board_kind kind = board_component(self->plan->board, self->plan->sink)->kind;
	guint32 value = 1;

	if (kind != BOARD_TPIU &&
	    !access_read(&self->access, self->plan->sink, 0x020, "CTL", &value, error))
		return FALSE;
	if ((value & 1) == 0) {
		g_set_error(
			error, CORESIGHT_ERROR, CORESIGHT_ERROR_IGNORED,
			"%s.CTL (0x020) reads 0x%X after the run, 1 was written: somebody switched "
			"it off, or the target was reset or power-cycled; its trace is lost",
			session_name_of(self, self->plan->sink), value);
		return FALSE;
	}
	for (guint i = 0; i < self->plan->sources->len; i++) {
		if (!verify_source(self, session_source_at(self, i), error)) {
			g_prefix_error(error, "after the run: ");
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean stop_trace(struct session *self, GError **error)
{
	struct sequence program;
	gboolean ok;

	session_report(self, SESSION_STOP, 0, 0);
	if (!still_programmed(self, error))
		return FALSE;
	session_save_registers(self);
	sequence_init(&program);
	session_program_stop(&program, self->plan);
	ok = access_run(&self->access, &program, error) &&
	     read_counters(self, &self->tsgen_end, &self->counter_end, error);
	sequence_deinit(&program);
	return ok;
}

static gboolean tick_alike(guint64 first, guint64 second)
{
	guint64 more = MAX(first, second), less = MIN(first, second);

	/* They are read one after the other, over a slow link. */
	return less > 0 && more - less <= more / 50;
}

static void tell_stopped(struct session *self)
{
	g_autofree char *dir = g_path_get_dirname(self->trace_path);
	struct session_stopped stopped = { .dir = dir,
		                           .has_ticks = self->plan->tsgen >= 0,
		                           .ticks = self->tsgen_end };

	if (self->config->stopped == NULL)
		return;
	stopped.has_offset =
		stopped.has_ticks && tick_alike(self->tsgen_end - self->tsgen_start,
	                                        self->counter_end - self->counter_start);
	if (stopped.has_offset)
		stopped.offset_ticks = (gint64)(self->tsgen_end - self->counter_end);
	self->config->stopped(self->config->stopped_data, &stopped);
}

static gboolean drain_analyser(struct session *self, GError **error)
{
	g_autoptr(GMappedFile) file = g_mapped_file_new(self->config->tpiu_file, FALSE, error);

	if (file == NULL)
		return FALSE;
	self->status.used_bytes = g_mapped_file_get_length(file);
	return session_store(self, (const guint8 *)g_mapped_file_get_contents(file),
	                     g_mapped_file_get_length(file), error);
}

static gboolean drain(struct session *self, GError **error)
{
	gint64 start_us = g_get_monotonic_time();
	gboolean ok;

	session_report(self, SESSION_DRAIN, 0, 0);
	if (board_component(self->plan->board, self->plan->sink)->kind == BOARD_TPIU) {
		ok = drain_analyser(self, error);
	} else {
		ok = tmc_read_status(&self->access, self->plan->sink, &self->status, error);
		self->result->wrapped = self->status.full;
		ok = ok && tmc_drain(&self->access, self->plan->sink, &self->status,
		                     self->config->buffer.start_pa, session_store, self, error);
	}
	self->result->drain_us = (guint64)(g_get_monotonic_time() - start_us);
	return ok;
}

/* Whatever state things are in: sources off, sink off, links empty, then every register as it
 * was. With `clean`, trace was stopped in the right order before. */
static gboolean leave(struct session *self, gboolean clean, GError **error)
{
	struct sequence program;
	g_autoptr(GError) off_error = NULL;
	guint wait_ms = self->access.wait_ms;
	gboolean ok = TRUE;

	session_report(self, SESSION_RESTORE, 0, 0);
	self->access.cancellable = NULL;
	self->access.n_failures = 0;
	if (self->programmed && !clean) {
		/* A component that never gets ready would cost a second each. */
		self->access.wait_ms = wait_ms / 10;
		sequence_init(&program);
		session_program_stop(&program, self->plan);
		for (guint i = 0; i < program.ops->len; i++) {
			struct sequence one = { g_array_sized_new(FALSE, TRUE,
				                                  sizeof(struct sequence_op), 1) };

			g_array_append_vals(one.ops,
			                    &g_array_index(program.ops, struct sequence_op, i), 1);
			access_run(&self->access, &one, NULL);
			sequence_deinit(&one);
		}
		sequence_deinit(&program);
	}
	if (self->programmed) {
		sequence_init(&program);
		session_program_off(&program, self->plan);
		ok = access_run(&self->access, &program, &off_error);
		sequence_deinit(&program);
	}
	self->access.wait_ms = wait_ms;
	if (!access_restore(&self->access, error))
		return FALSE;
	if (!ok && clean)
		session_note(self, "switching off: %s", off_error->message);
	return TRUE;
}

/* `why` ended the drain early: what there is, is kept. */
static void mark_incomplete(struct session *self, const GError *why)
{
	self->result->incomplete =
		g_strdup_printf("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes: %s",
	                        self->result->trace_bytes, self->status.used_bytes, why->message);
	g_strdelimit(self->result->incomplete, "\r\n", ' ');
}

static gboolean run_phases(struct session *self, GError **error)
{
	g_autoptr(GError) cause = NULL;
	g_autoptr(GError) left = NULL;
	gboolean stopped = FALSE, drained = FALSE, ok;

	ok = check(self, &cause) && program(self, &cause) && run(self, &cause);
	if (ok) {
		stopped = stop_trace(self, &cause);
		if (stopped)
			tell_stopped(self);
		drained = stopped && drain(self, &cause);
		if (!drained && self->result->trace_bytes > 0)
			mark_incomplete(self, cause);
	}
	if (!leave(self, stopped, &left)) {
		session_note(self, "%s", left->message);
		if (cause == NULL)
			cause = g_error_copy(left);
		else
			g_prefix_error(&cause, "(%s) ", left->message);
	}
	if (drained || self->result->trace_bytes > 0) {
		g_autoptr(GError) write_error = NULL;

		if (!session_write_capture(self, &write_error)) {
			g_clear_pointer(&self->result->incomplete, g_free);
			if (cause == NULL)
				cause = g_steal_pointer(&write_error);
			else
				session_note(self, "what was drained could not be kept: %s",
				             write_error->message);
		}
	}
	if (cause == NULL)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&cause));
	return FALSE;
}

void session_result_clear(struct session_result *result)
{
	g_clear_pointer(&result->incomplete, g_free);
	g_clear_pointer(&result->write_log, g_free);
	g_clear_pointer(&result->notes, g_ptr_array_unref);
}

gboolean session_run(const struct session_plan *plan, const struct session_config *config,
                     struct link *link, GCancellable *stop, session_progress_fn progress,
                     gpointer progress_data, struct session_result *result, GError **error)
{
	struct session self = { .plan = plan,
		                .config = config,
		                .stop = stop,
		                .progress = progress,
		                .progress_data = progress_data,
		                .result = result,
		                .trace_fd = -1 };
	gboolean ok = FALSE;

	*result = (struct session_result) { .notes = g_ptr_array_new_with_free_func(g_free) };
	access_init(&self.access, link, plan->board);
	self.access.cancellable = stop;
	self.skip = g_new0(gboolean, plan->components->len + 1);
	self.registers = g_array_new(FALSE, TRUE, sizeof(struct saved_register));
	/* First of all: a capture that cannot be written need not be made. */
	self.writer = snapshot_writer_new(config->out_dir, error);
	if (self.writer != NULL && session_open_trace(&self, error))
		ok = run_phases(&self, error);
	result->write_log = g_strdup(self.access.log->str);
	if (self.trace_fd >= 0)
		close(self.trace_fd);
	if (self.ballast_path != NULL)
		unlink(self.ballast_path);
	g_clear_pointer(&self.writer, snapshot_writer_free);
	g_free(self.trace_path);
	g_free(self.ballast_path);
	g_array_unref(self.registers);
	g_free(self.skip);
	access_deinit(&self.access);
	return ok;
}
