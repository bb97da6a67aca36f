#include "analysis/schedule.h"

static const struct figure_column stage_columns[] = {
	{ "frontend", "Frontend", FIGURE_TEXT, TRUE },
	{ "backend", "Backend", FIGURE_TEXT, TRUE },
	{ "stage", "Stage", FIGURE_TEXT, TRUE },
	{ "spikes", "Spikes", FIGURE_COUNT, FALSE },
	FIGURES_SPREAD_COLUMNS,
};

static const struct figure_column request_columns[] = {
	{ "request", "Request", FIGURE_COUNT, TRUE },
	{ "frontend", "Frontend", FIGURE_TEXT, FALSE },
	{ "backend", "Backend", FIGURE_TEXT, FALSE },
	{ "start_ns", "Start", FIGURE_TIME, FALSE },
	{ "notify_ns", "Notify", FIGURE_TIME, FALSE },
	{ "backend_scheduling_ns", "Back. sched", FIGURE_TIME, FALSE },
	{ "upcall_ns", "Upcall", FIGURE_TIME, FALSE },
	{ "thread_wake_ns", "Thread wake", FIGURE_TIME, FALSE },
	{ "service_ns", "Service", FIGURE_TIME, FALSE },
	{ "return_notify_ns", "Return", FIGURE_TIME, FALSE },
	{ "frontend_scheduling_ns", "Front. sched", FIGURE_TIME, FALSE },
	{ "front_upcall_ns", "Front upcall", FIGURE_TIME, FALSE },
	{ "total_ns", "Total", FIGURE_TIME, FALSE },
};

enum {
	STAGE_TOTAL = REQUEST_STAGES - 1, /* stages 0 to 7 lie between t<n> and t<n+1> */
	STAGES = REQUEST_STAGES
};

static const char *const stage_names[STAGES] = {
	"notify",        "backend-scheduling",  "upcall",       "wake",  "service",
	"return-notify", "frontend-scheduling", "front-upcall", "total",
};

/* FALSE where an end of it was not seen. */
static gboolean stage_time(const struct row_request *request, guint stage, gint64 *time_ns)
{
	const gint64 begin_ns = request->t_ns[stage == STAGE_TOTAL ? 0 : stage];
	const gint64 end_ns = request->t_ns[stage == STAGE_TOTAL ? REQUEST_STAGES - 1 : stage + 1];

	if (begin_ns == OWNER_NO_VALUE || end_ns == OWNER_NO_VALUE || end_ns < begin_ns)
		return FALSE;
	*time_ns = end_ns - begin_ns;
	return TRUE;
}

static char *domain_name(const struct schedule_rows *self, gint64 vmid)
{
	const struct row_owner owner = { OWNER_GUEST, 1, vmid, OWNER_NO_VALUE };

	return names_domain(&self->names, &owner);
}

static void add_stage(const struct schedule_rows *self, struct figures *figures,
                      const struct row_request *pair, guint stage)
{
	g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(gint64));
	g_autofree char *frontend = domain_name(self, pair->frontend_vmid);
	g_autofree char *backend = domain_name(self, pair->backend_vmid);
	struct distribution spread;
	guint64 spikes = 0;

	for (guint i = 0; i < self->requests->len; i++) {
		const struct row_request *request =
			&g_array_index(self->requests, struct row_request, i);
		gint64 time_ns;

		if (request->frontend_vmid != pair->frontend_vmid ||
		    request->backend_vmid != pair->backend_vmid || request->censored ||
		    !stage_time(request, stage, &time_ns))
			continue;
		g_array_append_val(values, time_ns);
		spikes += self->filter.threshold_ns > 0 && time_ns > self->filter.threshold_ns;
	}
	distribution_init(&spread, (gint64 *)(void *)values->data, values->len);
	figures_add_text(figures, frontend);
	figures_add_text(figures, backend);
	figures_add_text(figures, stage_names[stage]);
	figures_add(figures, (double)spikes);
	figures_add_spread(figures, &spread);
}

struct figures *backend_stages(const struct schedule_rows *self)
{
	struct figures *figures = figures_new("backend", "Backend latency by stage", stage_columns,
	                                      G_N_ELEMENTS(stage_columns));
	g_autoptr(GHashTable) pairs =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

	for (guint i = 0; i < self->requests->len; i++) {
		const struct row_request *request =
			&g_array_index(self->requests, struct row_request, i);
		const gint64 pair = request->frontend_vmid << 32 | request->backend_vmid;

		if (!g_hash_table_add(pairs, g_memdup2(&pair, sizeof pair)))
			continue;
		for (guint stage = 0; stage < STAGES; stage++)
			add_stage(self, figures, request, stage);
	}
	return figures;
}

struct figures *backend_requests(const struct schedule_rows *self)
{
	struct figures *figures =
		figures_new("requests", "Requests", request_columns, G_N_ELEMENTS(request_columns));

	for (guint i = 0; i < self->requests->len; i++) {
		const struct row_request *request =
			&g_array_index(self->requests, struct row_request, i);
		g_autofree char *frontend = domain_name(self, request->frontend_vmid);
		g_autofree char *backend = domain_name(self, request->backend_vmid);

		figures_add(figures, request->request);
		figures_add_text(figures, frontend);
		figures_add_text(figures, backend);
		figures_add(figures, (double)request->t_ns[0]);
		for (guint stage = 0; stage < STAGES; stage++) {
			gint64 time_ns;

			if (stage_time(request, stage, &time_ns))
				figures_add(figures, (double)time_ns);
			else
				figures_add_unknown(figures);
		}
	}
	return figures;
}
