#include "decode/requests-private.h"

#include "decode/lane.h"

#include <string.h>

enum {
	TYPE_IRQ = 14 /* ETMv4 exception type */
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

const struct request_slice *request_slice_from(const struct request_list *self, guint core,
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

gint64 request_row_first(const struct row_request *row)
{
	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if (row->t_ns[i] != OWNER_NO_VALUE)
			return row->t_ns[i];
	}
	return 0;
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
		slice = (struct request_slice *)request_slice_from(self, (guint)run->core,
		                                                   run->start_ns);
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
	pair->notifies = request_pair_calls(pair, pair->frontend, FALSE);
	pair->answers = request_pair_calls(pair, pair->backend, pair->backend_is_shared);
	request_pair_add_marked(pair);
	if (pair->rows->len == 0)
		request_pair_add_notifies(pair);
	request_pair_infer_service(pair);
	next = first_notify + pair->notifies->len;
	for (guint i = 0; i < pair->rows->len; i++) {
		struct row_request *row = &g_array_index(pair->rows, struct row_request, i);

		request_pair_complete(pair, row);
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
	const gint64 x_ns = request_row_first(x), y_ns = request_row_first(y);

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
