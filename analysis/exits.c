#include "analysis/schedule.h"

static const struct figure_column exit_columns[] = {
	{ "domain", "Domain", FIGURE_TEXT, TRUE },
	{ "vcpu", "vCPU", FIGURE_TEXT, TRUE },
	{ "reason", "VM-EXIT", FIGURE_TEXT, TRUE },
	{ "ended", "Ended in", FIGURE_TEXT, TRUE },
	{ "samples_share", "Samples%", FIGURE_SHARE, FALSE },
	{ "time_share", "Time%", FIGURE_SHARE, FALSE },
	{ "time_ns", "Time", FIGURE_TIME, FALSE },
	{ "error", "Avg +-", FIGURE_SHARE, FALSE },
	{ "censored", "Censored", FIGURE_COUNT, FALSE },
	FIGURES_SPREAD_COLUMNS,
};

/* Exits of one vCPU, reason and end. */
struct exit_group {
	GArray *values; /* gint64, EL2 time */
	guint64 censored;
	gint64 sum_ns;
};

static guint group_index(guint vcpu, enum exit_reason reason, enum exit_end end)
{
	return (vcpu * EXIT_REASONS + reason) * EXIT_ENDS + end;
}

/* The standard error of the mean as a share of it, as `perf kvm stat` gives it. */
static double relative_error(const struct distribution *spread)
{
	const double n = (double)spread->count;

	if (spread->count < 2 || spread->mean_ns <= 0)
		return 0;
	return spread->stddev_ns * __builtin_sqrt(n / (n - 1)) / __builtin_sqrt(n) /
	       spread->mean_ns;
}

static void add_group(const struct schedule_rows *self, struct figures *figures, guint vcpu,
                      enum exit_reason reason, enum exit_end end, struct exit_group *group,
                      const struct exit_group *all)
{
	g_autofree char *name = schedule_vcpu_name(self, vcpu);
	struct distribution spread;

	distribution_init(&spread, (gint64 *)(void *)group->values->data, group->values->len);
	figures_add_text(figures, self->domains->pdata[vcpu]);
	figures_add_text(figures, name);
	figures_add_text(figures, exit_reason_name(reason));
	figures_add_text(figures, exit_end_name(end));
	figures_add(figures, (double)group->values->len / (double)MAX(all->censored, 1));
	figures_add(figures, all->sum_ns > 0 ? (double)group->sum_ns / (double)all->sum_ns : 0);
	figures_add(figures, (double)group->sum_ns);
	figures_add(figures, relative_error(&spread));
	figures_add(figures, (double)group->censored);
	figures_add_spread(figures, &spread);
}

struct figures *exits_figures(const struct schedule_rows *self)
{
	struct figures *figures = figures_new("exits", "Exits by vCPU, reason and where they ended",
	                                      exit_columns, G_N_ELEMENTS(exit_columns));
	const guint n_groups = (guint)self->n_vcpus * EXIT_REASONS * EXIT_ENDS;
	g_autofree struct exit_group *groups = g_new0(struct exit_group, n_groups + 1);
	/* Shares are of exits that ended alike: those that give the core away would swamp the
	 * rest. .censored counts the values here. */
	struct exit_group all[EXIT_ENDS] = { 0 };

	for (guint i = 0; i < self->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(self->exits, struct row_exit, i);
		struct exit_group *group =
			&groups[group_index(exit->vcpu, exit->reason, exit->ended)];

		if (group->values == NULL)
			group->values = g_array_new(FALSE, FALSE, sizeof(gint64));
		if (exit->censored) {
			group->censored++;
			continue;
		}
		g_array_append_val(group->values, exit->hypervisor_ns);
		group->sum_ns += exit->hypervisor_ns;
		all[exit->ended].sum_ns += exit->hypervisor_ns;
		all[exit->ended].censored++;
	}
	for (guint end = 0; end < EXIT_ENDS; end++) {
		for (guint vcpu = 0; vcpu < self->n_vcpus; vcpu++) {
			for (guint reason = 0; reason < EXIT_REASONS; reason++) {
				struct exit_group *group = &groups[group_index(
					vcpu, (enum exit_reason)reason, (enum exit_end)end)];

				if (group->values != NULL)
					add_group(self, figures, vcpu, (enum exit_reason)reason,
					          (enum exit_end)end, group, &all[end]);
			}
		}
	}
	for (guint i = 0; i < n_groups; i++) {
		if (groups[i].values != NULL)
			g_array_unref(groups[i].values);
	}
	return figures;
}
