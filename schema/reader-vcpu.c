#include "schema/reader-private.h"

/* A number, or OWNER_NO_VALUE where it is NULL. */
static gboolean column_optional(sqlite3_stmt *row, int column, gint64 max, gint64 *out)
{
	if (sqlite3_column_type(row, column) != SQLITE_NULL)
		return column_in(row, column, 0, max, out);
	*out = OWNER_NO_VALUE;
	return TRUE;
}

static gboolean column_vcpu(const struct visit *visit, sqlite3_stmt *row, int column, guint *out)
{
	gint64 value;

	if (!column_in(row, column, 0, (gint64)visit->reader->vcpus->len - 1, &value))
		return FALSE;
	*out = (guint)value;
	return TRUE;
}

static gboolean column_known(sqlite3_stmt *row, int column, enum how_known *known,
                             double *confidence)
{
	const double value = sqlite3_column_double(row, column + 1);
	gint64 how;

	if (!column_in(row, column, 0, KNOWN_WAYS - 1, &how) || !(value >= 0 && value <= 1))
		return FALSE;
	*known = (enum how_known)how;
	*confidence = value;
	return TRUE;
}

static gboolean take_vcpu_run(struct visit *visit, sqlite3_stmt *row)
{
	struct row_vcpu_run run = { 0 };
	gint64 core, state;

	if (!column_vcpu(visit, row, 0, &run.vcpu) ||
	    !column_period(visit, row, 1, 2, &run.start_ns, &run.duration_ns) ||
	    !column_optional(row, 3, G_MAXINT32, &core) ||
	    !column_in(row, 4, 0, RUN_STATES - 1, &state) ||
	    !column_in(row, 5, 0, run.duration_ns, &run.guest_ns) ||
	    !column_in(row, 6, 0, run.duration_ns - run.guest_ns, &run.hypervisor_ns) ||
	    !column_unsigned(row, 7, &run.cycles) || !column_unsigned(row, 8, &run.exits) ||
	    !column_known(row, 9, &run.known, &run.confidence))
		return FALSE;
	run.core = (gint)core;
	run.state = (enum run_state)state;
	visit->stop = !((recording_vcpu_run_fn)visit->fn)(&run, visit->data);
	return TRUE;
}

/* Rows of one vCPU are disjoint, so the first that reaches into [from, to) is the last that
 * starts at or before `from`; those of an unknown one are not, and are read from the start. */
gboolean recording_reader_vcpu_runs(recording_reader *self, guint vcpu, gint64 from_ns,
                                    gint64 to_ns, recording_vcpu_run_fn fn, gpointer data,
                                    GError **error)
{
	static const char *const sql[2] = {
		"SELECT vcpu, start_ns, duration_ns, core, state, guest_ns, hypervisor_ns, cycles, "
		"exits, known, confidence FROM vcpu_run WHERE vcpu=?1 AND start_ns<?3 AND "
		"start_ns>=coalesce((SELECT max(start_ns) FROM vcpu_run WHERE vcpu=?1 AND "
		"start_ns<=?2),0) ORDER BY vcpu, start_ns, seq",
		"SELECT vcpu, start_ns, duration_ns, core, state, guest_ns, hypervisor_ns, cycles, "
		"exits, known, confidence FROM vcpu_run WHERE vcpu=?1 AND start_ns<?3 AND "
		"start_ns+duration_ns>=?2 ORDER BY vcpu, start_ns, seq",
	};
	const gboolean overlaps =
		vcpu < self->vcpus->len &&
		g_array_index(self->vcpus, struct row_vcpu, vcpu).number == OWNER_NO_VALUE;
	const struct reader_query query = {
		.table = "vcpu_run",
		.sql = sql[overlaps],
		.take = take_vcpu_run,
		.parameters = { vcpu, from_ns, to_ns },
		.n_parameters = 3,
	};

	gboolean found = FALSE;

	if (from_ns <= 0 && to_ns >= self->window_ns) {
		if (!reader_packed_runs(self, vcpu, to_ns, fn, data, &found, error))
			return FALSE;
		if (found)
			return TRUE;
	}
	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_exit_end(struct visit *visit, sqlite3_stmt *row, struct row_exit *exit)
{
	gint64 next, ended, censored, instruction = INSTRUCTION_UNKNOWN, handler = -1;

	if (!column_vcpu(visit, row, 11, &exit->vcpu) ||
	    !column_optional(row, 12, (gint64)visit->reader->vcpus->len - 1, &next) ||
	    !column_in(row, 13, 0, EXIT_ENDS - 1, &ended) ||
	    !column_known(row, 14, &exit->known, &exit->confidence) ||
	    !column_optional(row, 16, G_MAXINT64, &exit->wake_ns) ||
	    !column_optional(row, 17, G_MAXINT64, &exit->injection_ns) ||
	    !column_in(row, 18, 0, 1, &censored) || !column_unsigned(row, 19, &exit->trace_offset))
		return FALSE;
	if (sqlite3_column_type(row, 20) != SQLITE_NULL &&
	    !column_in(row, 20, 0, INSTRUCTIONS - 1, &instruction))
		return FALSE;
	if (sqlite3_column_type(row, 21) != SQLITE_NULL &&
	    !column_in(row, 21, 0, (gint64)visit->reader->functions->len - 1, &handler))
		return FALSE;
	exit->instruction = (enum exit_instruction)instruction;
	exit->handler = (guint)(handler + 1);
	exit->next_vcpu = (gint)next;
	exit->ended = (enum exit_end)ended;
	exit->censored = censored != 0;
	return TRUE;
}

static gboolean take_exit(struct visit *visit, sqlite3_stmt *row)
{
	struct row_exit exit = { 0 };
	gint64 reason, type;

	if (!column_uint(row, 0, &exit.core) ||
	    !column_period(visit, row, 1, 2, &exit.start_ns, &exit.duration_ns) ||
	    !column_in(row, 3, 0, exit.duration_ns, &exit.hypervisor_ns) ||
	    !column_in(row, 4, 0, exit.duration_ns, &exit.idle_ns) ||
	    !column_in(row, 5, 0, exit.hypervisor_ns, &exit.idle_hypervisor_ns) ||
	    !column_unsigned(row, 6, &exit.cycles) ||
	    !column_in(row, 7, 0, EXIT_REASONS - 1, &reason) ||
	    !column_optional(row, 8, G_MAXUINT16, &type) || !take_exit_end(visit, row, &exit))
		return FALSE;
	exit.reason = (enum exit_reason)reason;
	exit.type = (gint)type;
	exit.has_return_address = sqlite3_column_type(row, 9) != SQLITE_NULL;
	exit.return_address_va = (guint64)sqlite3_column_int64(row, 9);
	exit.has_resume_address = sqlite3_column_type(row, 10) != SQLITE_NULL;
	exit.resume_address_va = (guint64)sqlite3_column_int64(row, 10);
	visit->stop = !((recording_exit_fn)visit->fn)(&exit, visit->data);
	return TRUE;
}

/* Visits of one core are disjoint: as for spans. */
gboolean recording_reader_exits(recording_reader *self, guint core, gint64 from_ns, gint64 to_ns,
                                recording_exit_fn fn, gpointer data, GError **error)
{
	const struct reader_query query = {
		.table = "exit",
		.sql = "SELECT core, start_ns, duration_ns, hypervisor_ns, idle_ns, "
		       "idle_hypervisor_ns, cycles, reason, type, return_address_va, "
		       "resume_address_va, vcpu, next_vcpu, ended, known, confidence, "
		       "wake_ns, injection_ns, censored, trace_offset, instruction, handler FROM "
		       "exit WHERE core=?1 AND "
		       "start_ns<?3 AND start_ns>=coalesce((SELECT max(start_ns) FROM exit WHERE "
		       "core=?1 AND start_ns<=?2),0) ORDER BY core, start_ns, seq",
		.take = take_exit,
		.parameters = { core, from_ns, to_ns },
		.n_parameters = 3,
	};

	gboolean found = FALSE;

	if (from_ns <= 0 && to_ns >= self->window_ns) {
		if (!reader_packed_exits(self, core, to_ns, fn, data, &found, error))
			return FALSE;
		if (found)
			return TRUE;
	}
	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_hypervisor_call(struct visit *visit, sqlite3_stmt *row)
{
	struct row_hypervisor_call call = { 0 };
	gint64 function;

	if (!column_uint(row, 0, &call.core) ||
	    !column_in(row, 1, 0, visit->reader->window_ns, &call.time_ns) ||
	    !column_in(row, 2, 0, (gint64)visit->reader->functions->len - 1, &function) ||
	    !column_vcpu(visit, row, 3, &call.vcpu))
		return FALSE;
	call.function = (guint)function;
	visit->stop = !((recording_hypervisor_call_fn)visit->fn)(&call, visit->data);
	return TRUE;
}

gboolean recording_reader_hypervisor_calls(recording_reader *self, guint core, gint64 from_ns,
                                           gint64 to_ns, recording_hypervisor_call_fn fn,
                                           gpointer data, GError **error)
{
	const struct reader_query query = {
		.table = "hypervisor_call",
		.sql = "SELECT core, time_ns, function, vcpu FROM hypervisor_call WHERE core=?1 "
		       "AND "
		       "time_ns>=?2 AND time_ns<?3 ORDER BY core, time_ns, seq",
		.take = take_hypervisor_call,
		.parameters = { core, from_ns, to_ns },
		.n_parameters = 3,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}

static gboolean take_request(struct visit *visit, sqlite3_stmt *row)
{
	struct row_request request = { 0 };
	gint64 marked, exact, censored;

	if (!column_uint(row, 0, &request.request) ||
	    !column_in(row, 1, 0, G_MAXUINT32, &request.frontend_vmid) ||
	    !column_in(row, 2, 0, G_MAXUINT32, &request.backend_vmid))
		return FALSE;
	if (!column_optional(row, 3, G_MAXINT64, &request.number))
		return FALSE;
	for (int i = 0; i < REQUEST_STAGES; i++) {
		if (!column_optional(row, 4 + i, visit->reader->window_ns, &request.t_ns[i]))
			return FALSE;
	}
	if (!column_in(row, 13, 0, (1 << REQUEST_STAGES) - 1, &marked) ||
	    !column_in(row, 14, 0, (1 << REQUEST_STAGES) - 1, &exact) ||
	    !column_uint(row, 15, &request.notify) || !column_in(row, 16, 0, 1, &censored))
		return FALSE;
	request.marked = (guint)marked;
	request.exact = (guint)exact;
	request.censored = censored != 0;
	if (!row_request_is_valid(&request))
		return FALSE;
	visit->stop = !((recording_request_fn)visit->fn)(&request, visit->data);
	return TRUE;
}

gboolean recording_reader_requests(recording_reader *self, recording_request_fn fn, gpointer data,
                                   GError **error)
{
	const struct reader_query query = {
		.table = "request",
		.sql = "SELECT request, frontend_vmid, backend_vmid, number, t0_ns, t1_ns, t2_ns, "
		       "t3_ns, t4_ns, t5_ns, t6_ns, t7_ns, t8_ns, marked, exact, notify, censored "
		       "FROM request ORDER BY request",
		.take = take_request,
	};

	return reader_query(self, &query, (void (*)(void))fn, data, error);
}
