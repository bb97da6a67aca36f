#include "analysis/schedule.h"

static const struct figure_column stage_columns[] = {
	{ "frontend", "Frontend", FIGURE_TEXT, TRUE },
	{ "backend", "Backend", FIGURE_TEXT, TRUE },
	{ "stage", "Stage", FIGURE_TEXT, TRUE },
	{ "known", "Known", FIGURE_TEXT, FALSE },
	{ "share", "of total", FIGURE_SHARE, FALSE },
	{ "spikes", "Spikes", FIGURE_COUNT, FALSE },
	FIGURES_SPREAD_COLUMNS,
};

static const struct figure_column pair_columns[] = {
	{ "frontend", "Frontend", FIGURE_TEXT, TRUE },
	{ "backend", "Backend", FIGURE_TEXT, TRUE },
	{ "requests", "Requests", FIGURE_COUNT, FALSE },
	{ "censored", "Censored", FIGURE_COUNT, FALSE },
	{ "exact", "Exact", FIGURE_COUNT, FALSE },
	{ "notifies", "Notifies", FIGURE_COUNT, FALSE },
	{ "requests_per_notify", "Req./notify", FIGURE_RATE, FALSE },
	{ "total_ns", "Mean total", FIGURE_TIME, FALSE },
	{ "scheduling_ns", "Mean sched.", FIGURE_TIME, FALSE },
	{ "scheduling_share", "Sched. share", FIGURE_SHARE, FALSE },
	{ "spikes", "Spikes", FIGURE_COUNT, FALSE },
	{ "spike_share", "Spike share", FIGURE_SHARE, FALSE },
	{ "missing", "Not seen", FIGURE_TEXT, FALSE },
};

static const struct figure_column request_columns[] = {
	{ "request", "Request", FIGURE_COUNT, TRUE },
	{ "frontend", "Frontend", FIGURE_TEXT, FALSE },
	{ "backend", "Backend", FIGURE_TEXT, FALSE },
	{ "number", "Number", FIGURE_COUNT, FALSE },
	{ "start_ns", "Start", FIGURE_TIME, FALSE },
	{ "to_t1_ns", "to t1", FIGURE_TIME, FALSE },
	{ "to_t2_ns", "to t2", FIGURE_TIME, FALSE },
	{ "to_t3_ns", "to t3", FIGURE_TIME, FALSE },
	{ "to_t4_ns", "to t4", FIGURE_TIME, FALSE },
	{ "to_t5_ns", "to t5", FIGURE_TIME, FALSE },
	{ "to_t6_ns", "to t6", FIGURE_TIME, FALSE },
	{ "to_t7_ns", "to t7", FIGURE_TIME, FALSE },
	{ "total_ns", "Total (t8)", FIGURE_TIME, FALSE },
	{ "scheduling_ns", "Scheduling", FIGURE_TIME, FALSE },
	{ "known", "Known", FIGURE_TEXT, FALSE },
	{ "missing", "Not seen", FIGURE_TEXT, FALSE },
	{ "notify", "Notify", FIGURE_COUNT, FALSE },
	{ "censored", "Censored", FIGURE_COUNT, FALSE },
};

enum {
	LAST = REQUEST_STAGES - 1
};

static const char *const stage_names[LAST] = {
	"notify",        "backend-scheduling",  "upcall",       "thread-wake", "service",
	"return-notify", "frontend-scheduling", "front-upcall",
};

char *request_stage_name(guint from, guint to)
{
	GString *name = g_string_new(NULL);

	for (guint i = from; i < to && i < LAST; i++)
		g_string_append_printf(name, "%s%s", i > from ? "+" : "", stage_names[i]);
	return g_string_free(name, FALSE);
}

guint request_stages(const struct row_request *request, struct request_stage *stages)
{
	guint n = 0, from = REQUEST_STAGES;

	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if (request->t_ns[i] == OWNER_NO_VALUE)
			continue;
		if (from < REQUEST_STAGES) {
			const guint both = 1u << from | 1u << i;

			stages[n++] = (struct request_stage) {
				.from = from,
				.to = i,
				.time_ns = request->t_ns[i] - request->t_ns[from],
				.exact = (request->exact & both) == both,
			};
		}
		from = i;
	}
	return n;
}

gboolean request_total(const struct row_request *request, gint64 *total_ns)
{
	if (request->t_ns[0] == OWNER_NO_VALUE || request->t_ns[LAST] == OWNER_NO_VALUE)
		return FALSE;
	*total_ns = request->t_ns[LAST] - request->t_ns[0];
	return TRUE;
}

/* From t<from>, or the time before it where it was not seen, to t<to>. */
static gboolean wait_to(const struct row_request *request, guint from, guint to, gint64 *sum_ns)
{
	const gint64 begin_ns = request->t_ns[from] != OWNER_NO_VALUE ? request->t_ns[from]
	                                                              : request->t_ns[from - 1];

	if (begin_ns == OWNER_NO_VALUE || request->t_ns[to] == OWNER_NO_VALUE)
		return FALSE;
	*sum_ns += request->t_ns[to] - begin_ns;
	return TRUE;
}

gboolean request_scheduling(const struct row_request *request, gint64 *scheduling_ns)
{
	gint64 sum_ns = 0;

	if (!wait_to(request, 1, 2, &sum_ns) || !wait_to(request, 3, 4, &sum_ns) ||
	    !wait_to(request, 6, 7, &sum_ns))
		return FALSE;
	*scheduling_ns = sum_ns;
	return TRUE;
}

static guint seen_times(const struct row_request *request)
{
	guint seen = 0;

	for (guint i = 0; i < REQUEST_STAGES; i++)
		seen |= request->t_ns[i] != OWNER_NO_VALUE ? 1u << i : 0;
	return seen;
}

/* "t1 t3"; empty where all were seen. */
static char *missing_text(guint seen)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if ((seen >> i & 1) == 0)
			g_string_append_printf(text, "%st%u", text->len > 0 ? " " : "", i);
	}
	return g_string_free(text, FALSE);
}

static char *domain_name(const struct schedule_rows *self, gint64 vmid)
{
	const struct row_owner owner = { OWNER_GUEST, 1, vmid, OWNER_NO_VALUE };

	return names_domain(&self->names, &owner);
}

static const struct row_request *request_at(const struct schedule_rows *self, guint i)
{
	return &g_array_index(self->requests, struct row_request, i);
}

static gboolean same_pair(const struct row_request *a, const struct row_request *b)
{
	return a->frontend_vmid == b->frontend_vmid && a->backend_vmid == b->backend_vmid;
}

/* What is gathered under one name: a stage, the waits for a processor, or all of it. */
struct part {
	const char *name; /* NULL: by from and to */
	guint from, to;
	GArray *values; /* gint64 */
	guint exact;    /* of them */
};

static void part_add(struct part *self, gint64 time_ns, gboolean exact)
{
	if (self->values == NULL)
		self->values = g_array_new(FALSE, FALSE, sizeof(gint64));
	g_array_append_val(self->values, time_ns);
	self->exact += exact != FALSE;
}

static const char *known_text(guint exact, guint n)
{
	return exact == n ? "exact" : exact == 0 ? "inferred" : "some exact";
}

enum {
	PART_SCHEDULING = REQUEST_STAGES * REQUEST_STAGES,
	PART_TOTAL,
	PARTS
};

static void gather(const struct schedule_rows *self, const struct row_request *pair,
                   struct part *parts)
{
	for (guint i = 0; i < self->requests->len; i++) {
		const struct row_request *request = request_at(self, i);
		const gboolean exact = request->exact == seen_times(request);
		struct request_stage stages[REQUEST_STAGES];
		gint64 time_ns;
		guint n;

		if (!same_pair(request, pair) || request->censored)
			continue;
		n = request_stages(request, stages);
		for (guint k = 0; k < n; k++) {
			struct part *part = &parts[stages[k].from * REQUEST_STAGES + stages[k].to];

			part->from = stages[k].from;
			part->to = stages[k].to;
			part_add(part, stages[k].time_ns, stages[k].exact);
		}
		if (request_scheduling(request, &time_ns))
			part_add(&parts[PART_SCHEDULING], time_ns, exact);
		if (request_total(request, &time_ns))
			part_add(&parts[PART_TOTAL], time_ns,
			         (request->exact & 1) != 0 && request->exact >> LAST != 0);
	}
	parts[PART_SCHEDULING].name = "scheduling";
	parts[PART_TOTAL].name = "total";
}

static double sum_of(const GArray *values)
{
	double sum = 0;

	for (guint i = 0; values != NULL && i < values->len; i++)
		sum += (double)g_array_index(values, gint64, i);
	return sum;
}

static guint64 spikes_of(const struct schedule_rows *self, const GArray *values)
{
	guint64 n = 0;

	for (guint i = 0; self->filter.threshold_ns > 0 && values != NULL && i < values->len; i++)
		n += g_array_index(values, gint64, i) > self->filter.threshold_ns;
	return n;
}

static void add_share(struct figures *figures, double part, double whole)
{
	if (whole > 0)
		figures_add(figures, part / whole);
	else
		figures_add_unknown(figures);
}

static void add_part(const struct schedule_rows *self, struct figures *figures,
                     const struct row_request *pair, const struct part *part, double total_ns)
{
	g_autofree char *frontend = domain_name(self, pair->frontend_vmid);
	g_autofree char *backend = domain_name(self, pair->backend_vmid);
	g_autofree char *name = part->name != NULL ? g_strdup(part->name)
	                                           : request_stage_name(part->from, part->to);
	struct distribution spread;

	figures_add_text(figures, frontend);
	figures_add_text(figures, backend);
	figures_add_text(figures, name);
	figures_add_text(figures, known_text(part->exact, part->values->len));
	add_share(figures, sum_of(part->values), total_ns);
	figures_add(figures, (double)spikes_of(self, part->values));
	distribution_init(&spread, (gint64 *)(void *)part->values->data, part->values->len);
	figures_add_spread(figures, &spread);
}

/* Calls `add` with the first request of each pair. */
static void each_pair(const struct schedule_rows *self, struct figures *figures,
                      void (*add)(const struct schedule_rows *self, struct figures *figures,
                                  const struct row_request *pair))
{
	g_autoptr(GHashTable) pairs =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

	for (guint i = 0; i < self->requests->len; i++) {
		const struct row_request *request = request_at(self, i);
		const gint64 pair = (gint64)((guint64)request->frontend_vmid << 32 ^
		                             (guint64)request->backend_vmid);

		if (g_hash_table_add(pairs, g_memdup2(&pair, sizeof pair)))
			add(self, figures, request);
	}
}

static void add_stages(const struct schedule_rows *self, struct figures *figures,
                       const struct row_request *pair)
{
	g_autofree struct part *parts = g_new0(struct part, PARTS);
	double total_ns;

	gather(self, pair, parts);
	total_ns = sum_of(parts[PART_TOTAL].values);
	for (guint i = 0; i < PARTS; i++) {
		if (parts[i].values == NULL)
			continue;
		add_part(self, figures, pair, &parts[i], total_ns);
		g_array_unref(parts[i].values);
	}
}

struct figures *backend_stages(const struct schedule_rows *self)
{
	struct figures *figures = figures_new("backend", "Backend latency by stage", stage_columns,
	                                      G_N_ELEMENTS(stage_columns));

	each_pair(self, figures, add_stages);
	return figures;
}

/* What is summed up of one pair. */
struct pair_sums {
	guint requests, censored, exact, spikes, whole;
	double total_ns, scheduling_ns;
	guint seen; /* times that any request has */
	GHashTable *notifies;
};

static void sum_request(const struct schedule_rows *self, const struct row_request *request,
                        struct pair_sums *sums)
{
	gint64 total_ns, scheduling_ns;

	sums->requests++;
	sums->seen |= seen_times(request);
	g_hash_table_add(sums->notifies, GUINT_TO_POINTER(request->notify));
	sums->exact += request->exact == seen_times(request);
	if (request->censored) {
		sums->censored++;
	} else if (request_total(request, &total_ns) &&
	           request_scheduling(request, &scheduling_ns)) {
		sums->whole++;
		sums->total_ns += (double)total_ns;
		sums->scheduling_ns += (double)scheduling_ns;
		sums->spikes +=
			self->filter.threshold_ns > 0 && total_ns > self->filter.threshold_ns;
	}
}

static void add_pair(const struct schedule_rows *self, struct figures *figures,
                     const struct row_request *pair)
{
	g_autofree char *frontend = domain_name(self, pair->frontend_vmid);
	g_autofree char *backend = domain_name(self, pair->backend_vmid);
	g_autoptr(GHashTable) notifies = g_hash_table_new(NULL, NULL);
	g_autofree char *missing = NULL;
	struct pair_sums sums = { .notifies = notifies };

	for (guint i = 0; i < self->requests->len; i++) {
		if (same_pair(request_at(self, i), pair))
			sum_request(self, request_at(self, i), &sums);
	}
	missing = missing_text(sums.seen);
	figures_add_text(figures, frontend);
	figures_add_text(figures, backend);
	figures_add(figures, sums.requests);
	figures_add(figures, sums.censored);
	figures_add(figures, sums.exact);
	figures_add(figures, g_hash_table_size(notifies));
	add_share(figures, sums.requests, g_hash_table_size(notifies));
	add_share(figures, sums.total_ns, sums.whole);
	add_share(figures, sums.scheduling_ns, sums.whole);
	add_share(figures, sums.scheduling_ns, sums.total_ns);
	figures_add(figures, sums.spikes);
	add_share(figures, sums.spikes, sums.whole);
	figures_add_text(figures, missing);
}

struct figures *backend_pairs(const struct schedule_rows *self)
{
	struct figures *figures = figures_new("pairs", "Frontends and their backends", pair_columns,
	                                      G_N_ELEMENTS(pair_columns));

	each_pair(self, figures, add_pair);
	return figures;
}

static void add_time(struct figures *figures, gboolean known, gint64 time_ns)
{
	if (known)
		figures_add(figures, (double)time_ns);
	else
		figures_add_unknown(figures);
}

static void add_request(const struct schedule_rows *self, struct figures *figures,
                        const struct row_request *request)
{
	g_autofree char *frontend = domain_name(self, request->frontend_vmid);
	g_autofree char *backend = domain_name(self, request->backend_vmid);
	g_autofree char *missing = missing_text(seen_times(request));
	const gint64 *t_ns = request->t_ns;
	gint64 scheduling_ns = 0;
	const gboolean scheduled = request_scheduling(request, &scheduling_ns);

	figures_add(figures, request->request);
	figures_add_text(figures, frontend);
	figures_add_text(figures, backend);
	add_time(figures, request->number != OWNER_NO_VALUE, request->number);
	add_time(figures, TRUE, request_start(request));
	for (guint i = 1; i < REQUEST_STAGES; i++)
		add_time(figures, t_ns[0] != OWNER_NO_VALUE && t_ns[i] != OWNER_NO_VALUE,
		         t_ns[i] - t_ns[0]);
	add_time(figures, scheduled, scheduling_ns);
	figures_add_text(figures, request->exact == seen_times(request) ? "exact" : "inferred");
	figures_add_text(figures, missing);
	figures_add(figures, request->notify);
	figures_add(figures, request->censored);
}

gint64 request_start(const struct row_request *request)
{
	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if (request->t_ns[i] != OWNER_NO_VALUE)
			return request->t_ns[i];
	}
	return 0;
}

struct figures *backend_requests(const struct schedule_rows *self)
{
	struct figures *figures =
		figures_new("requests", "Requests: how long after t0 each time was",
	                    request_columns, G_N_ELEMENTS(request_columns));

	for (guint i = 0; i < self->requests->len; i++)
		add_request(self, figures, request_at(self, i));
	return figures;
}
