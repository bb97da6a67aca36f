#include "decode/requests-private.h"

#include "decode/lane.h"

#include <string.h>

enum {
	TYPE_IRQ = 14, /* ETMv4 exception type */
	TYPE_CALL = 2,
	INSTRUCTION = 4,       /* bytes of an A64 instruction */
	CLOCK_SLACK_NS = 2000, /* a marker may seem to lie so far outside its own run */
};

void request_list_init(struct request_list *self, const struct system_file *system,
                       gint64 origin_ns)
{
	*self = (struct request_list) {
		.system = system,
		.origin_ns = origin_ns,
		.vmids = g_hash_table_new(NULL, NULL),
		.slices = g_array_new(FALSE, FALSE, sizeof(struct request_slice)),
		.upcalls = g_array_new(FALSE, FALSE, sizeof(struct request_upcall)),
		.markers = g_array_new(FALSE, FALSE, sizeof(struct request_marker)),
		.lost = g_array_new(FALSE, FALSE, sizeof(struct request_lost)),
		.rows = g_array_new(FALSE, FALSE, sizeof(struct row_request)),
		.unknown_tasks = g_ptr_array_new(),
	};
	for (guint i = 0; system != NULL && i < system->machines->len; i++) {
		const struct system_machine *machine = system->machines->pdata[i];

		if (machine->backend == SYSTEM_NO_VALUE)
			continue;
		g_hash_table_add(self->vmids, GINT_TO_POINTER(machine->vmid));
		g_hash_table_add(
			self->vmids,
			GINT_TO_POINTER(
				system_file_machine(system, (guint)machine->backend)->vmid));
	}
}

void request_list_deinit(struct request_list *self)
{
	g_hash_table_unref(self->vmids);
	g_array_unref(self->slices);
	g_array_unref(self->upcalls);
	g_array_unref(self->markers);
	g_array_unref(self->lost);
	g_array_unref(self->rows);
	g_ptr_array_unref(self->unknown_tasks);
}

static gboolean is_side(const struct request_list *self, const struct row_owner *owner)
{
	return owner->owner_class == OWNER_GUEST &&
	       g_hash_table_contains(self->vmids, GINT_TO_POINTER((gint)owner->vmid));
}

static void add_span(struct request_list *self, guint core, const struct lane_span *span,
                     gboolean *goes_on)
{
	const gint64 begin_ns = span->begin_ns - self->origin_ns;
	const gint64 end_ns = span->end_ns - self->origin_ns;
	struct request_slice slice = { core,     span->owner.vmid, span->owner.context_id,
		                       begin_ns, end_ns,           VCPU_NONE };
	struct request_slice *last =
		*goes_on ? &g_array_index(self->slices, struct request_slice, self->slices->len - 1)
			 : NULL;

	if (span->owner.owner_class == OWNER_LOST) {
		const struct request_lost lost = { begin_ns, end_ns };

		g_array_append_val(self->lost, lost);
	}
	if (!is_side(self, &span->owner)) {
		*goes_on = FALSE;
	} else if (last != NULL && last->vmid == slice.vmid &&
	           last->context_id == slice.context_id) {
		last->end_ns = end_ns;
	} else {
		g_array_append_val(self->slices, slice);
		*goes_on = TRUE;
	}
}

void request_list_add_core(struct request_list *self, guint core,
                           const struct decode_source *source, const GArray *lane)
{
	gboolean goes_on = FALSE;

	if (source == NULL || g_hash_table_size(self->vmids) == 0)
		return;
	for (guint i = 0; i < lane->len; i++)
		add_span(self, core, &g_array_index(lane, struct lane_span, i), &goes_on);
	for (guint i = 0; i < source->exceptions->len && timebase_has_time(&source->timebase);
	     i++) {
		const struct owner_exception *exception =
			&g_array_index(source->exceptions, struct owner_exception, i);
		const struct request_upcall upcall = {
			.core = core,
			.vmid = exception->to.vmid,
			.time_ns = timebase_at(&source->timebase, &exception->position).time_ns -
			           self->origin_ns,
		};

		if (exception->type == TYPE_IRQ && is_side(self, &exception->to))
			g_array_append_val(self->upcalls, upcall);
	}
}

struct row_request request_pair_row(const struct request_pair *pair)
{
	struct row_request row = {
		.frontend_vmid = pair->frontend->vmid,
		.backend_vmid = pair->backend->vmid,
		.number = OWNER_NO_VALUE,
	};

	for (guint i = 0; i < REQUEST_STAGES; i++)
		row.t_ns[i] = OWNER_NO_VALUE;
	return row;
}

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

/* The first slice of `core` that ends after `time_ns`; NULL where there is none. */
static const struct request_slice *slice_from(const struct request_list *self, guint core,
                                              gint64 time_ns)
{
	guint low = 0, high = self->slices->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;
		const struct request_slice *slice =
			&g_array_index(self->slices, struct request_slice, middle);

		if (slice->core < core || (slice->core == core && slice->end_ns <= time_ns))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == self->slices->len ||
	    g_array_index(self->slices, struct request_slice, low).core != core)
		return NULL;
	return &g_array_index(self->slices, struct request_slice, low);
}

/* Whether a serving task ran on the core where `vcpu` was at `time_ns`. */
static gboolean serves_at(const struct request_pair *pair, guint vcpu, gint64 time_ns)
{
	const struct row_vcpu_run *run = run_from(pair, vcpu, time_ns - CLOCK_SLACK_NS);
	const struct request_slice *slice =
		slice_from(pair->list, (guint)run->core, time_ns - CLOCK_SLACK_NS);

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

/* t2 and t3: the backend's vCPU, and its interrupt, on the way to t4. */
static void complete_backend(const struct request_pair *pair, struct row_request *row)
{
	const gint64 from_ns = row->t_ns[0], to_ns = row->t_ns[4];
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
	const gint64 from_ns = row->t_ns[5], to_ns = row->t_ns[8];
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

static gint64 first_time(const struct row_request *row)
{
	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if (row->t_ns[i] != OWNER_NO_VALUE)
			return row->t_ns[i];
	}
	return 0;
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
static void complete(const struct request_pair *pair, struct row_request *row)
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
	complete_backend(pair, row);
	complete_frontend(pair, row, vcpu);
	put_in_order(row);
	row->notify = notify;
	row->censored = row->t_ns[0] == OWNER_NO_VALUE || row->t_ns[5] == OWNER_NO_VALUE ||
	                (row->t_ns[8] == OWNER_NO_VALUE &&
	                 (pair->frontend_marks || row->t_ns[7] == OWNER_NO_VALUE)) ||
	                touches_lost(pair->list, first_time(row), last_time(row));
}

/* Which vCPU each slice was of: cores' runs and slices are both in order of time. */
static void name_slices(struct request_list *self, const struct schedule *schedule)
{
	for (guint i = 0; i < schedule->runs->len; i++) {
		const struct row_vcpu_run *run =
			&g_array_index(schedule->runs, struct row_vcpu_run, i);
		const gint64 vmid = g_array_index(schedule->vcpus, struct row_vcpu, run->vcpu).vmid;
		struct request_slice *slice;

		if (run->state != RUN_RUNNING ||
		    !g_hash_table_contains(self->vmids, GINT_TO_POINTER((gint)vmid)))
			continue;
		slice = (struct request_slice *)slice_from(self, (guint)run->core, run->start_ns);
		for (; slice != NULL &&
		       slice < &g_array_index(self->slices, struct request_slice,
		                              self->slices->len) &&
		       slice->core == (guint)run->core &&
		       slice->begin_ns < run->start_ns + run->duration_ns;
		     slice++) {
			if (slice->vmid == vmid)
				slice->vcpu = run->vcpu;
		}
	}
}

/* Where the calls that notify come from. Without the key `notify` it is the place that calls
 * most: a guest has one stub for each hypercall, and event channels are what it calls for. */
static gboolean is_notify(const struct system_machine *machine, const struct row_exit *exit,
                          gboolean has_usual, guint64 usual_va)
{
	if (machine->notify_va->len == 0)
		return !has_usual || !exit->has_return_address ||
		       exit->return_address_va == usual_va;
	for (guint i = 0; i < machine->notify_va->len; i++) {
		const guint64 address_va = g_array_index(machine->notify_va, guint64, i);

		if (exit->has_return_address &&
		    (exit->return_address_va == address_va + INSTRUCTION ||
		     exit->return_address_va == address_va))
			return TRUE;
	}
	return FALSE;
}

static gboolean is_call_of(const struct schedule *schedule, const struct row_exit *exit,
                           const struct system_machine *machine)
{
	return exit->type == TYPE_CALL &&
	       g_array_index(schedule->vcpus, struct row_vcpu, exit->vcpu).vmid == machine->vmid;
}

/* The return address of most of the machine's calls. */
static gboolean find_usual(const struct schedule *schedule, const struct system_machine *machine,
                           guint64 *usual_va)
{
	g_autoptr(GHashTable) counts =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	guint most = 0;

	for (guint i = 0; i < schedule->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(schedule->exits, struct row_exit, i);
		guint count;

		if (!exit->has_return_address || !is_call_of(schedule, exit, machine))
			continue;
		count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, &exit->return_address_va)) + 1;
		g_hash_table_insert(
			counts, g_memdup2(&exit->return_address_va, sizeof exit->return_address_va),
			GUINT_TO_POINTER(count));
		if (count > most) {
			most = count;
			*usual_va = exit->return_address_va;
		}
	}
	return most > 0;
}

static gint compare_calls(gconstpointer a, gconstpointer b)
{
	const struct request_call *x = a, *y = b;

	return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

/* `serving`: only those that a serving task made, by the context that ran before the exit. */
static GArray *find_calls(const struct request_pair *pair, const struct system_machine *machine,
                          gboolean serving)
{
	GArray *calls = g_array_new(FALSE, FALSE, sizeof(struct request_call));
	const GArray *exits = pair->schedule->exits;
	guint64 usual_va = 0;
	const gboolean has_usual = find_usual(pair->schedule, machine, &usual_va);

	for (guint i = 0; i < exits->len; i++) {
		const struct row_exit *exit = &g_array_index(exits, struct row_exit, i);
		const struct request_call call = { exit->start_ns,
			                           exit->start_ns + exit->duration_ns, exit->vcpu };
		const struct request_slice *slice;

		if (!is_call_of(pair->schedule, exit, machine) ||
		    !is_notify(machine, exit, has_usual, usual_va))
			continue;
		slice = serving ? slice_from(pair->list, exit->core, exit->start_ns - 1) : NULL;
		if (serving && (slice == NULL || slice->begin_ns > exit->start_ns ||
		                !request_pair_serves(pair, slice->context_id)))
			continue;
		g_array_append_val(calls, call);
	}
	g_array_sort(calls, compare_calls);
	return calls;
}

static gboolean is_shared(const struct system_file *system, const struct system_machine *frontend)
{
	for (guint i = 0; i < system->machines->len; i++) {
		const struct system_machine *other = system->machines->pdata[i];

		if (other != frontend && other->backend == frontend->backend)
			return TRUE;
	}
	return FALSE;
}

/* Appends the pair's requests to the list's; `first_notify` is the first number for notifies
 * that no other pair has. Returns the next free one. */
static guint find_pair(struct request_list *self, struct request_pair *pair, guint first_notify)
{
	guint next;

	pair->tasks = system_file_backend_tasks(self->system, pair->frontend, self->unknown_tasks);
	pair->rows = g_array_new(FALSE, FALSE, sizeof(struct row_request));
	pair->backend_is_shared = is_shared(self->system, pair->frontend);
	pair->notifies = find_calls(pair, pair->frontend, FALSE);
	pair->answers = find_calls(pair, pair->backend, pair->backend_is_shared);
	request_pair_add_marked(pair);
	if (pair->rows->len == 0)
		request_pair_add_notifies(pair);
	request_pair_infer_service(pair);
	next = first_notify + pair->notifies->len;
	for (guint i = 0; i < pair->rows->len; i++) {
		struct row_request *row = &g_array_index(pair->rows, struct row_request, i);

		complete(pair, row);
		row->notify = row->notify == G_MAXUINT ? next++ : first_notify + row->notify;
	}
	g_array_append_vals(self->rows, pair->rows->data, pair->rows->len);
	g_array_unref(pair->tasks);
	g_array_unref(pair->rows);
	g_array_unref(pair->notifies);
	g_array_unref(pair->answers);
	return next;
}

static gint compare_rows(gconstpointer a, gconstpointer b)
{
	const struct row_request *x = a, *y = b;
	const gint64 x_ns = first_time(x), y_ns = first_time(y);

	if (x_ns != y_ns)
		return x_ns < y_ns ? -1 : 1;
	if (x->frontend_vmid != y->frontend_vmid)
		return x->frontend_vmid < y->frontend_vmid ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static gint compare_markers(gconstpointer a, gconstpointer b)
{
	const struct request_marker *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static gint compare_lost(gconstpointer a, gconstpointer b)
{
	const struct request_lost *x = a, *y = b;

	return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

/* In order and disjoint, whichever core it was. */
static void join_lost(GArray *lost)
{
	guint kept = 0;

	g_array_sort(lost, compare_lost);
	for (guint i = 0; i < lost->len; i++) {
		const struct request_lost *next = &g_array_index(lost, struct request_lost, i);
		struct request_lost *last =
			kept > 0 ? &g_array_index(lost, struct request_lost, kept - 1) : NULL;

		if (last != NULL && next->begin_ns <= last->end_ns)
			last->end_ns = MAX(last->end_ns, next->end_ns);
		else
			g_array_index(lost, struct request_lost, kept++) = *next;
	}
	g_array_set_size(lost, kept);
}

static guint *index_runs(const struct schedule *schedule)
{
	const guint n = schedule->vcpus->len;
	guint *first = g_new0(guint, n + 1);
	guint run = 0;

	for (guint vcpu = 0; vcpu < n; vcpu++) {
		first[vcpu] = run;
		while (run < schedule->runs->len &&
		       g_array_index(schedule->runs, struct row_vcpu_run, run).vcpu == vcpu)
			run++;
	}
	first[n] = run;
	return first;
}

void request_list_find(struct request_list *self, const struct schedule *schedule, gint64 window_ns)
{
	g_autofree guint *first_run = index_runs(schedule);
	guint notify = 0;

	if (g_hash_table_size(self->vmids) == 0)
		return;
	g_array_sort(self->markers, compare_markers);
	join_lost(self->lost);
	name_slices(self, schedule);
	for (guint i = 0; i < self->system->machines->len; i++) {
		const struct system_machine *machine = self->system->machines->pdata[i];
		struct request_pair pair = { .list = self,
			                     .schedule = schedule,
			                     .frontend = machine,
			                     .window_ns = window_ns,
			                     .first_run = first_run };

		if (machine->backend == SYSTEM_NO_VALUE)
			continue;
		pair.backend = system_file_machine(self->system, (guint)machine->backend);
		notify = find_pair(self, &pair, notify);
	}
	g_array_sort(self->rows, compare_rows);
	for (guint i = 0; i < self->rows->len; i++)
		g_array_index(self->rows, struct row_request, i).request = i;
}
