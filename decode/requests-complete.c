#include "decode/requests-private.h"

enum {
	CLOCK_SLACK_NS = 2000 /* a marker may seem to lie so far outside its own run */
};

static const struct row_vcpu_run *run_at(const struct request_pair *pair, guint i)
{
	return &g_array_index(pair->schedule->runs, struct row_vcpu_run, i);
}

/* The last run of `vcpu`, running or not, that begins at or before `time_ns`; its first where
 * none does. G_MAXUINT where it has none. */
static guint run_before(const struct request_pair *pair, guint vcpu, gint64 time_ns)
{
	guint low = pair->first_run[vcpu], high = pair->first_run[vcpu + 1];

	if (low == high)
		return G_MAXUINT;
	while (high - low > 1) {
		const guint middle = low + (high - low) / 2;

		if (run_at(pair, middle)->start_ns <= time_ns)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The first time that `vcpu` is on a core at or after `time_ns`; NULL where it never is. */
static const struct row_vcpu_run *run_from(const struct request_pair *pair, guint vcpu,
                                           gint64 time_ns)
{
	for (guint i = run_before(pair, vcpu, time_ns); i < pair->first_run[vcpu + 1]; i++) {
		const struct row_vcpu_run *run = run_at(pair, i);

		if (run->state == RUN_RUNNING && run->start_ns + run->duration_ns > time_ns)
			return run;
	}
	return NULL;
}

/* Whether `vcpu` was on a core at `time_ns`, give or take what clocks differ by. */
static gboolean runs_at(const struct request_pair *pair, guint vcpu, gint64 time_ns)
{
	const struct row_vcpu_run *run = run_from(pair, vcpu, time_ns - CLOCK_SLACK_NS);

	return run != NULL && run->start_ns <= time_ns + CLOCK_SLACK_NS;
}

/* Whether a serving task ran on the core where `vcpu` was at `time_ns`. */
static gboolean serves_at(const struct request_pair *pair, guint vcpu, gint64 time_ns)
{
	const struct row_vcpu_run *run = run_from(pair, vcpu, time_ns - CLOCK_SLACK_NS);
	const struct request_slice *slice =
		request_slice_from(pair->list, (guint)run->core, time_ns - CLOCK_SLACK_NS);

	return slice != NULL && slice->vmid == pair->backend->vmid &&
	       slice->begin_ns <= time_ns + CLOCK_SLACK_NS &&
	       request_pair_serves(pair, slice->context_id);
}

/* Which vCPU of `vmid` was at work at `time_ns`: the only one, or the one that served. */
static guint vcpu_at(const struct request_pair *pair, gint64 vmid, gint64 time_ns,
                     gboolean is_backend)
{
	const GArray *vcpus = pair->schedule->vcpus;
	guint n_of_domain = 0, n_running = 0, only = VCPU_NONE, running = VCPU_NONE;

	for (guint i = 0; i < vcpus->len; i++) {
		if (g_array_index(vcpus, struct row_vcpu, i).vmid != vmid)
			continue;
		only = i;
		n_of_domain++;
		if (!runs_at(pair, i, time_ns))
			continue;
		running = i;
		n_running++;
		if (is_backend && serves_at(pair, i, time_ns))
			return i;
	}
	return n_of_domain == 1 ? only : n_running == 1 ? running : VCPU_NONE;
}

static void set_time(struct row_request *row, guint stage, gint64 time_ns, gboolean exact)
{
	row->t_ns[stage] = time_ns;
	if (exact)
		row->exact |= 1u << stage;
}

static gboolean is_exact(const struct row_request *row, guint stage)
{
	return (row->exact >> stage & 1) != 0;
}

/* The first interrupt that a guest took itself on `core` in [from_ns, to_ns]. */
static gint64 upcall_in(const struct request_list *self, gint64 vmid, guint core, gint64 from_ns,
                        gint64 to_ns)
{
	guint low = 0, high = self->upcalls->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;
		const struct request_upcall *upcall =
			&g_array_index(self->upcalls, struct request_upcall, middle);

		if (upcall->core < core || (upcall->core == core && upcall->time_ns < from_ns))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < self->upcalls->len; low++) {
		const struct request_upcall *upcall =
			&g_array_index(self->upcalls, struct request_upcall, low);

		if (upcall->core != core || upcall->time_ns > to_ns)
			break;
		if (upcall->vmid == vmid)
			return upcall->time_ns;
	}
	return OWNER_NO_VALUE;
}

/* A time of a domain of one vCPU, between two that are exact, is no guess. */
static gboolean only_one(const struct row_vcpu_run *run, const struct system_machine *machine)
{
	return machine->vcpus == 1 && run->known == KNOWN_EXACT;
}

/* The call of `calls` whose visit `time_ns` is a marker of, or the time itself; NULL where its
 * functions are not known, or it came after `limit_ns`. */
static const struct request_call *call_at(const GArray *calls, gint64 time_ns, gint64 limit_ns)
{
	guint at = request_call_after(calls, time_ns);
	const struct request_call *call;

	if (at > 0 && g_array_index(calls, struct request_call, at - 1).end_ns > time_ns)
		at--;
	if (at == calls->len)
		return NULL;
	call = &g_array_index(calls, struct request_call, at);
	return call->wake_ns != OWNER_NO_VALUE && call->begin_ns <= limit_ns ? call : NULL;
}

/* t1 and t6: the wake inside the notify that t<from> began. */
static void complete_wake(const GArray *calls, struct row_request *row, guint from, guint to)
{
	const gint64 limit_ns = row->t_ns[to] != OWNER_NO_VALUE ? row->t_ns[to] : G_MAXINT64;
	const struct request_call *call = row->t_ns[from] != OWNER_NO_VALUE
	                                          ? call_at(calls, row->t_ns[from], limit_ns)
	                                          : NULL;

	if (call != NULL)
		set_time(row, from + 1, CLAMP(call->wake_ns, row->t_ns[from], limit_ns),
		         is_exact(row, from));
}

/* When the wait before the vCPU's own time began: with the wake where it was seen. */
static gint64 woken_at(const struct row_request *row, guint from)
{
	return row->t_ns[from + 1] != OWNER_NO_VALUE ? row->t_ns[from + 1] : row->t_ns[from];
}

/* t2 and t3: the backend's vCPU, and its interrupt, on the way to t4. */
static void complete_backend(const struct request_pair *pair, struct row_request *row)
{
	const gint64 from_ns = woken_at(row, 0), to_ns = row->t_ns[4];
	const guint vcpu = to_ns != OWNER_NO_VALUE ? vcpu_at(pair, pair->backend->vmid, to_ns, TRUE)
	                                           : VCPU_NONE;
	const struct row_vcpu_run *run;
	gint64 upcall_ns;

	if (vcpu == VCPU_NONE || from_ns == OWNER_NO_VALUE)
		return;
	run = run_from(pair, vcpu, from_ns);
	if (run == NULL || run->start_ns > to_ns + CLOCK_SLACK_NS)
		return;
	set_time(row, 2, CLAMP(run->start_ns, from_ns, to_ns),
	         only_one(run, pair->backend) && is_exact(row, 0) && is_exact(row, 4));
	upcall_ns =
		upcall_in(pair->list, pair->backend->vmid, (guint)run->core, row->t_ns[2], to_ns);
	if (upcall_ns != OWNER_NO_VALUE)
		set_time(row, 3, upcall_ns, FALSE);
}

/* The first exit of `core` that begins at or after `time_ns`: exits are in order of core and
 * time. */
static guint exit_from(const struct schedule *schedule, guint core, gint64 time_ns)
{
	guint low = 0, high = schedule->exits->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;
		const struct row_exit *exit =
			&g_array_index(schedule->exits, struct row_exit, middle);

		if (exit->core < core || (exit->core == core && exit->start_ns < time_ns))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* When the frontend's handler may have begun, where no marker says it: with its interrupt,
 * else when its vCPU ran again, which had waited for it. Where it ran all the time, after the
 * interrupt that told it. */
static gint64 infer_handler(const struct request_pair *pair, const struct row_request *row,
                            const struct row_vcpu_run *run, guint vcpu)
{
	const gint64 end_ns = run->start_ns + run->duration_ns;
	const gint64 upcall_ns =
		upcall_in(pair->list, pair->frontend->vmid, (guint)run->core, row->t_ns[7], end_ns);
	const GArray *exits = pair->schedule->exits;

	if (upcall_ns != OWNER_NO_VALUE)
		return upcall_ns;
	if (run->start_ns >= row->t_ns[5])
		return row->t_ns[7];
	for (guint i = exit_from(pair->schedule, (guint)run->core, row->t_ns[5]); i < exits->len;
	     i++) {
		const struct row_exit *exit = &g_array_index(exits, struct row_exit, i);

		if (exit->core != (guint)run->core || exit->start_ns > end_ns)
			break;
		if (exit->vcpu == vcpu && exit->reason == EXIT_IRQ &&
		    exit->ended == EXIT_ENDED_SAME)
			return exit->start_ns + exit->duration_ns;
	}
	return OWNER_NO_VALUE;
}

/* t7 and t8: the frontend's vCPU after the answer. */
static void complete_frontend(const struct request_pair *pair, struct row_request *row, guint vcpu)
{
	const gint64 from_ns = woken_at(row, 5), to_ns = row->t_ns[8];
	const struct row_vcpu_run *run;

	if (vcpu == VCPU_NONE || from_ns == OWNER_NO_VALUE)
		return;
	run = run_from(pair, vcpu, from_ns);
	if (run == NULL || (to_ns != OWNER_NO_VALUE && run->start_ns > to_ns + CLOCK_SLACK_NS))
		return;
	set_time(row, 7, MAX(run->start_ns, from_ns),
	         only_one(run, pair->frontend) && is_exact(row, 5) && is_exact(row, 8));
	if (to_ns != OWNER_NO_VALUE)
		row->t_ns[7] = MIN(row->t_ns[7], MAX(to_ns, from_ns));
	else if (!(pair->frontend_marks))
		set_time(row, 8, infer_handler(pair, row, run, vcpu), FALSE);
}

/* Which notify carried it: the first whose visit ends after t0, as long as it comes before the
 * backend took the request; else the one before, that the backend was still busy with. */
static guint notify_of(const struct request_pair *pair, const struct row_request *row)
{
	const gint64 from_ns = row->t_ns[0];
	const gint64 to_ns = row->t_ns[4] != OWNER_NO_VALUE   ? row->t_ns[4]
	                     : row->t_ns[8] != OWNER_NO_VALUE ? row->t_ns[8]
	                                                      : pair->window_ns;
	guint at;

	if (from_ns == OWNER_NO_VALUE)
		return G_MAXUINT;
	at = request_call_after(pair->notifies, from_ns);
	if (at > 0 && g_array_index(pair->notifies, struct request_call, at - 1).end_ns > from_ns)
		return at - 1;
	if (at < pair->notifies->len &&
	    g_array_index(pair->notifies, struct request_call, at).begin_ns <= to_ns)
		return at;
	return at > 0 ? at - 1 : G_MAXUINT;
}

/* Times that are inferred give way to exact ones, and none goes back. */
static void put_in_order(struct row_request *row)
{
	gint64 last_ns = 0, next_ns = G_MAXINT64;

	for (guint i = REQUEST_STAGES; i-- > 0;) {
		if (row->t_ns[i] == OWNER_NO_VALUE)
			continue;
		if (is_exact(row, i))
			next_ns = MIN(next_ns, row->t_ns[i]);
		row->t_ns[i] = MIN(row->t_ns[i], next_ns);
	}
	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if (row->t_ns[i] == OWNER_NO_VALUE)
			continue;
		row->t_ns[i] = MAX(row->t_ns[i], last_ns);
		last_ns = row->t_ns[i];
	}
}

static gint64 last_time(const struct row_request *row)
{
	for (guint i = REQUEST_STAGES; i-- > 0;) {
		if (row->t_ns[i] != OWNER_NO_VALUE)
			return row->t_ns[i];
	}
	return 0;
}

static gboolean touches_lost(const struct request_list *self, gint64 begin_ns, gint64 end_ns)
{
	guint low = 0, high = self->lost->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(self->lost, struct request_lost, middle).end_ns < begin_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low < self->lost->len &&
	       g_array_index(self->lost, struct request_lost, low).begin_ns <= end_ns;
}

/* All that markers and calls alone did not tell of one request. */
void request_pair_complete(const struct request_pair *pair, struct row_request *row)
{
	const GArray *notifies = pair->notifies;
	guint notify, vcpu = VCPU_NONE;

	if (row->t_ns[0] == OWNER_NO_VALUE && !pair->frontend_marks &&
	    row->t_ns[4] != OWNER_NO_VALUE) {
		const guint after = request_call_after(notifies, row->t_ns[4]);

		if (after > 0)
			set_time(row, 0,
			         g_array_index(notifies, struct request_call, after - 1).begin_ns,
			         FALSE);
	}
	notify = notify_of(pair, row);
	if (row->t_ns[8] != OWNER_NO_VALUE)
		vcpu = vcpu_at(pair, pair->frontend->vmid, row->t_ns[8], FALSE);
	if (vcpu == VCPU_NONE && notify != G_MAXUINT)
		vcpu = g_array_index(notifies, struct request_call, notify).vcpu;
	complete_wake(notifies, row, 0, 4);
	complete_wake(pair->answers, row, 5, 8);
	complete_backend(pair, row);
	complete_frontend(pair, row, vcpu);
	put_in_order(row);
	row->notify = notify;
	row->censored = row->t_ns[0] == OWNER_NO_VALUE || row->t_ns[5] == OWNER_NO_VALUE ||
	                (row->t_ns[8] == OWNER_NO_VALUE &&
	                 (pair->frontend_marks || row->t_ns[7] == OWNER_NO_VALUE)) ||
	                touches_lost(pair->list, request_row_first(row), last_time(row));
}
