#include "decode/requests-private.h"

gboolean request_pair_serves(const struct request_pair *pair, gint64 context_id)
{
	const GArray *tasks = pair->tasks;

	for (guint i = 0; i < tasks->len; i++) {
		if (g_array_index(tasks, guint32, i) == context_id)
			return TRUE;
	}
	/* Context ID 0 is Linux's idle task. */
	return tasks->len == 0 && (context_id != 0 || pair->backend->kind != MACHINE_KIND_LINUX);
}

void request_pair_add_notifies(struct request_pair *pair)
{
	for (guint i = 0; i < pair->notifies->len; i++) {
		struct row_request row = request_pair_row(pair);

		row.t_ns[0] = g_array_index(pair->notifies, struct request_call, i).begin_ns;
		g_array_append_val(pair->rows, row);
	}
}

enum {
	QUEUE_MAX = 1024 /* more without an answer are none of this backend's */
};

enum step_kind {
	STEP_LOST,
	STEP_WORK_ENDS, /* in this order where two are at one time */
	STEP_NOTIFY,
	STEP_WORK_BEGINS,
	STEP_ANSWER
};

/* Something that decides who serves what. */
struct step {
	gint64 time_ns;
	enum step_kind kind;
	guint index; /* NOTIFY: row; ANSWER: call; WORK: vCPU */
};

static gint compare_steps(gconstpointer a, gconstpointer b)
{
	const struct step *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void add_step(GArray *steps, gint64 time_ns, enum step_kind kind, guint index)
{
	const struct step step = { time_ns, kind, index };

	g_array_append_val(steps, step);
}

/* A serving task ends its work where its vCPU goes to sleep or another task takes its place,
 * not where the hypervisor interrupts it. */
static void add_work(const struct request_pair *pair, GArray *steps)
{
	const GArray *slices = pair->list->slices, *exits = pair->schedule->exits;

	for (guint i = 0; i < slices->len; i++) {
		const struct request_slice *slice = &g_array_index(slices, struct request_slice, i);

		if (slice->vmid == pair->backend->vmid && slice->vcpu != VCPU_NONE)
			add_step(steps, slice->begin_ns,
			         request_pair_serves(pair, slice->context_id) ? STEP_WORK_BEGINS
			                                                      : STEP_WORK_ENDS,
			         slice->vcpu);
	}
	for (guint i = 0; i < exits->len; i++) {
		const struct row_exit *exit = &g_array_index(exits, struct row_exit, i);
		const struct row_vcpu *vcpu =
			&g_array_index(pair->schedule->vcpus, struct row_vcpu, exit->vcpu);

		if (vcpu->vmid == pair->backend->vmid && exit->reason == EXIT_WFI)
			add_step(steps, exit->start_ns, STEP_WORK_ENDS, exit->vcpu);
	}
}

static GArray *gather_steps(const struct request_pair *pair)
{
	GArray *steps = g_array_new(FALSE, FALSE, sizeof(struct step));

	add_work(pair, steps);
	for (guint i = 0; i < pair->list->lost->len; i++)
		add_step(steps, g_array_index(pair->list->lost, struct request_lost, i).begin_ns,
		         STEP_LOST, i);
	for (guint i = 0; i < pair->rows->len; i++) {
		const struct row_request *row = &g_array_index(pair->rows, struct row_request, i);

		if (row->t_ns[0] != OWNER_NO_VALUE && row->t_ns[4] == OWNER_NO_VALUE &&
		    row->t_ns[5] == OWNER_NO_VALUE)
			add_step(steps, row->t_ns[0], STEP_NOTIFY, i);
	}
	for (guint i = 0; i < pair->answers->len; i++)
		add_step(steps, g_array_index(pair->answers, struct request_call, i).begin_ns,
		         STEP_ANSWER, i);
	g_array_sort(steps, compare_steps);
	return steps;
}

/* The backend, as its frontend sees it: a queue. */
struct server {
	const struct request_pair *pair;
	GHashTable *busy;   /* vCPUs that serve just now */
	GArray *queue;      /* guint: rows without an answer, in order */
	gint64 answered_ns; /* last answer since it began to work; OWNER_NO_VALUE without */
};

static struct row_request *queued(const struct server *self, guint i)
{
	return &g_array_index(self->pair->rows, struct row_request,
	                      g_array_index(self->queue, guint, i));
}

static void take_all(struct server *self, gint64 time_ns)
{
	for (guint i = 0; i < self->queue->len; i++) {
		if (queued(self, i)->t_ns[4] == OWNER_NO_VALUE)
			queued(self, i)->t_ns[4] = time_ns;
	}
}

static gboolean has_taken(const struct server *self)
{
	for (guint i = 0; i < self->queue->len; i++) {
		if (queued(self, i)->t_ns[4] != OWNER_NO_VALUE)
			return TRUE;
	}
	return FALSE;
}

/* The oldest that was taken is the one answered; where none was, the backend had looked for
 * more by itself. What came while it was at work is taken after the answer. */
static void answer(struct server *self, const struct request_call *call)
{
	if (g_hash_table_size(self->busy) > 0 && self->queue->len > 0 && !has_taken(self))
		queued(self, 0)->t_ns[4] = queued(self, 0)->t_ns[0];
	for (guint i = 0; i < self->queue->len; i++) {
		if (queued(self, i)->t_ns[4] == OWNER_NO_VALUE)
			continue;
		queued(self, i)->t_ns[5] = call->begin_ns;
		g_array_remove_index(self->queue, i);
		break;
	}
	self->answered_ns = call->begin_ns;
	if (g_hash_table_size(self->busy) > 0)
		take_all(self, call->end_ns);
}

/* What it had taken before its last answer went with that: one answer for several. Where it
 * gave none, a task that is known by name goes on another way (an interrupt will tell), but a
 * vCPU that only woke and slept again had taken nothing. */
static void stop_work(struct server *self)
{
	const gboolean by_name = self->pair->tasks->len > 0;

	for (guint i = self->queue->len; i-- > 0;) {
		struct row_request *row = queued(self, i);

		if (row->t_ns[4] == OWNER_NO_VALUE)
			continue;
		if (self->answered_ns != OWNER_NO_VALUE && row->t_ns[4] <= self->answered_ns) {
			row->t_ns[5] = self->answered_ns;
			g_array_remove_index(self->queue, i);
		} else if (!by_name) {
			row->t_ns[4] = OWNER_NO_VALUE;
		}
	}
}

static void run_step(struct server *self, const struct step *step)
{
	const gpointer vcpu = GUINT_TO_POINTER(step->index + 1);

	switch (step->kind) {
	case STEP_LOST:
		/* An answer may be lost: what waits must not take a later one's. */
		g_array_set_size(self->queue, 0);
		g_hash_table_remove_all(self->busy);
		break;
	case STEP_NOTIFY:
		if (self->queue->len == QUEUE_MAX)
			g_array_remove_index(self->queue, 0);
		g_array_append_val(self->queue, step->index);
		break;
	case STEP_WORK_BEGINS:
		if (g_hash_table_size(self->busy) == 0)
			self->answered_ns = OWNER_NO_VALUE;
		if (g_hash_table_size(self->busy) == 0 || !has_taken(self))
			take_all(self, step->time_ns);
		g_hash_table_add(self->busy, vcpu);
		break;
	case STEP_WORK_ENDS:
		if (g_hash_table_remove(self->busy, vcpu) && g_hash_table_size(self->busy) == 0)
			stop_work(self);
		break;
	case STEP_ANSWER:
		answer(self, &g_array_index(self->pair->answers, struct request_call, step->index));
		break;
	}
}

void request_pair_infer_service(struct request_pair *pair)
{
	g_autoptr(GArray) steps = gather_steps(pair);
	g_autoptr(GHashTable) busy = g_hash_table_new(NULL, NULL);
	g_autoptr(GArray) queue = g_array_new(FALSE, FALSE, sizeof(guint));
	struct server server = { pair, busy, queue, OWNER_NO_VALUE };

	for (guint i = 0; i < steps->len; i++)
		run_step(&server, &g_array_index(steps, struct step, i));
}
