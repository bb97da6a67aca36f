#include "analysis/schedule.h"

#include <string.h>

static const struct figure_column schedule_columns[] = {
	{ "domain", "Domain", FIGURE_TEXT, TRUE },
	{ "vcpu", "vCPU", FIGURE_TEXT, TRUE },
	{ "guest_ns", "Guest", FIGURE_TIME, FALSE },
	{ "hypervisor_ns", "Hypervisor", FIGURE_TIME, FALSE },
	{ "runnable_ns", "Runnable", FIGURE_TIME, FALSE },
	{ "blocked_ns", "Blocked", FIGURE_TIME, FALSE },
	{ "unknown_ns", "Unknown", FIGURE_TIME, FALSE },
	{ "ready", "Ready", FIGURE_SHARE, FALSE },
	{ "executions", "Runs", FIGURE_COUNT, FALSE },
	{ "mean_run_ns", "Mean run", FIGURE_TIME, FALSE },
	{ "migrations", "Migrations", FIGURE_COUNT, FALSE },
	{ "preempt_wait_p99_ns", "Wait p99", FIGURE_TIME, FALSE },
	{ "preempt_wait_max_ns", "Wait max", FIGURE_TIME, FALSE },
	{ "service_gap_ns", "Longest gap", FIGURE_TIME, FALSE },
	{ "spikes", "Spikes", FIGURE_COUNT, FALSE },
	{ "exact", "Exact", FIGURE_SHARE, FALSE },
	{ "inferred", "Inferred", FIGURE_SHARE, FALSE },
};

struct vcpu_sums {
	gint64 state_ns[RUN_STATES];
	gint64 guest_ns, hypervisor_ns, exact_ns, inferred_ns;
	gint64 gap_ns;
	guint64 executions, migrations, spikes;
	gint core; /* of the run before */
};

static void add_run(const struct schedule_rows *self, struct vcpu_sums *sums, GArray *waits,
                    const struct row_vcpu_run *run)
{
	const gint64 begin_ns = MAX(run->start_ns, self->filter.from_ns);
	const gint64 end_ns = MIN(run->start_ns + run->duration_ns, self->filter.to_ns);

	sums->state_ns[run->state] += MAX(end_ns - begin_ns, 0);
	if (run->state != RUN_RUNNING) {
		if (run->state != RUN_UNKNOWN)
			sums->gap_ns = MAX(sums->gap_ns, run->duration_ns);
		if (run->state == RUN_RUNNABLE) {
			g_array_append_val(waits, run->duration_ns);
			sums->spikes += self->filter.threshold_ns > 0 &&
			                run->duration_ns > self->filter.threshold_ns;
		}
		return;
	}
	sums->migrations += sums->core != OWNER_NO_VALUE && sums->core != run->core;
	sums->core = run->core;
	sums->executions++;
	sums->guest_ns += run->guest_ns;
	sums->hypervisor_ns += run->hypervisor_ns;
	sums->exact_ns += run->known == KNOWN_EXACT ? run->guest_ns : 0;
	sums->inferred_ns += run->known == KNOWN_INFERRED ? run->guest_ns : 0;
}

static void add_share(struct figures *figures, gint64 part_ns, gint64 whole_ns)
{
	if (whole_ns > 0)
		figures_add(figures, (double)part_ns / (double)whole_ns);
	else
		figures_add_unknown(figures);
}

static void add_vcpu(const struct schedule_rows *self, struct figures *figures, guint vcpu,
                     guint *run)
{
	g_autoptr(GArray) waits = g_array_new(FALSE, FALSE, sizeof(gint64));
	g_autofree char *name = schedule_vcpu_name(self, vcpu);
	struct vcpu_sums sums = { .core = OWNER_NO_VALUE };
	const gboolean is_one = self->vcpus[vcpu].number != OWNER_NO_VALUE;
	struct distribution spread;

	for (; *run < self->runs->len; ++*run) {
		const struct row_vcpu_run *row =
			&g_array_index(self->runs, struct row_vcpu_run, *run);

		if (row->vcpu != vcpu)
			break;
		add_run(self, &sums, waits, row);
	}
	distribution_init(&spread, (gint64 *)(void *)waits->data, waits->len);
	figures_add_text(figures, self->domains->pdata[vcpu]);
	figures_add_text(figures, name);
	figures_add(figures, (double)sums.guest_ns);
	figures_add(figures, (double)sums.hypervisor_ns);
	figures_add(figures, (double)sums.state_ns[RUN_RUNNABLE]);
	figures_add(figures, (double)sums.state_ns[RUN_BLOCKED]);
	figures_add(figures, (double)sums.state_ns[RUN_UNKNOWN]);
	add_share(figures, sums.state_ns[RUN_RUNNABLE], self->range_ns);
	figures_add(figures, (double)sums.executions);
	if (sums.executions > 0)
		figures_add(figures,
		            (double)(sums.guest_ns + sums.hypervisor_ns) / (double)sums.executions);
	else
		figures_add_unknown(figures);
	if (is_one)
		figures_add(figures, (double)sums.migrations);
	else
		figures_add_unknown(figures);
	if (spread.count > 0) {
		figures_add(figures, (double)spread.p99_ns);
		figures_add(figures, (double)spread.max_ns);
	} else {
		figures_add_unknown(figures);
		figures_add_unknown(figures);
	}
	if (is_one)
		figures_add(figures, (double)sums.gap_ns);
	else
		figures_add_unknown(figures);
	figures_add(figures, (double)sums.spikes);
	add_share(figures, sums.exact_ns, sums.guest_ns);
	add_share(figures, sums.inferred_ns, sums.guest_ns);
}

struct figures *schedule_figures(const struct schedule_rows *self)
{
	struct figures *figures = figures_new("sched", "Run states of each vCPU", schedule_columns,
	                                      G_N_ELEMENTS(schedule_columns));
	guint run = 0;

	for (guint i = 0; i < self->n_vcpus; i++) {
		if (self->chosen[i])
			add_vcpu(self, figures, i, &run);
	}
	return figures;
}

static const struct figure_column preemption_columns[] = {
	{ "vcpu", "Waiting", FIGURE_TEXT, TRUE },
	{ "by", "While this ran", FIGURE_TEXT, TRUE },
	{ "time_ns", "Time", FIGURE_TIME, FALSE },
};

/* Running rows of all chosen vCPUs by start, with the longest of them, so that those that
 * overlap a wait are found by binary search. */
struct by_start {
	GArray *runs; /* struct row_vcpu_run */
	gint64 longest_ns;
};

static gint compare_starts(gconstpointer a, gconstpointer b)
{
	const struct row_vcpu_run *x = a, *y = b;

	return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

static void by_start_init(struct by_start *self, const struct schedule_rows *rows)
{
	self->runs = g_array_new(FALSE, FALSE, sizeof(struct row_vcpu_run));
	self->longest_ns = 0;
	for (guint i = 0; i < rows->runs->len; i++) {
		const struct row_vcpu_run *run = &g_array_index(rows->runs, struct row_vcpu_run, i);

		if (run->state != RUN_RUNNING)
			continue;
		self->longest_ns = MAX(self->longest_ns, run->duration_ns);
		g_array_append_vals(self->runs, run, 1);
	}
	g_array_sort(self->runs, compare_starts);
}

static void add_overlaps(const struct by_start *running, const struct row_vcpu_run *wait,
                         gint64 *sums)
{
	const gint64 end_ns = wait->start_ns + wait->duration_ns;
	guint low = 0, high = running->runs->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(running->runs, struct row_vcpu_run, middle).start_ns <
		    wait->start_ns - running->longest_ns)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < running->runs->len; low++) {
		const struct row_vcpu_run *run =
			&g_array_index(running->runs, struct row_vcpu_run, low);
		const gint64 overlap_ns = MIN(end_ns, run->start_ns + run->duration_ns) -
		                          MAX(wait->start_ns, run->start_ns);

		if (run->start_ns >= end_ns)
			break;
		if (overlap_ns > 0)
			sums[run->vcpu] += overlap_ns;
	}
}

struct figures *schedule_preemption(const struct schedule_rows *self)
{
	struct figures *figures =
		figures_new("preemption", "Who ran while a vCPU waited for a core",
	                    preemption_columns, G_N_ELEMENTS(preemption_columns));
	g_autofree gint64 *sums = g_new0(gint64, self->n_vcpus * self->n_vcpus + 1);
	struct by_start running;

	by_start_init(&running, self);
	for (guint i = 0; i < self->runs->len; i++) {
		const struct row_vcpu_run *run = &g_array_index(self->runs, struct row_vcpu_run, i);

		if (run->state == RUN_RUNNABLE)
			add_overlaps(&running, run, sums + run->vcpu * self->n_vcpus);
	}
	g_array_unref(running.runs);
	for (guint v = 0; v < self->n_vcpus; v++) {
		for (guint u = 0; u < self->n_vcpus; u++) {
			g_autofree char *waiting = schedule_vcpu_name(self, v);
			g_autofree char *by = schedule_vcpu_name(self, u);

			if (sums[v * self->n_vcpus + u] == 0)
				continue;
			figures_add_text(figures, waiting);
			figures_add_text(figures, by);
			figures_add(figures, (double)sums[v * self->n_vcpus + u]);
		}
	}
	return figures;
}
