#include "analysis/schedule.h"

/* What the hypervisor did for one vCPU, or on one core. */
struct overhead {
	gint64 guest_ns;
	gint64 service_ns;  /* visits that came straight back */
	gint64 switch_ns;   /* leaving one and entering another, waking from idle */
	gint64 idle_irq_ns; /* interrupts while the core idled */
	guint64 exits;
};

static void add_exit(struct overhead *sums, const struct row_exit *exit)
{
	sums->exits++;
	sums->idle_irq_ns += exit->idle_hypervisor_ns;
	if (exit->ended == EXIT_ENDED_SAME)
		sums->service_ns += exit->hypervisor_ns - exit->idle_hypervisor_ns;
	else
		sums->switch_ns += exit->hypervisor_ns - exit->idle_hypervisor_ns;
}

static void add_figures(struct figures *figures, const struct overhead *sums, gint64 range_ns)
{
	const double hypervisor_ns =
		(double)(sums->service_ns + sums->switch_ns + sums->idle_irq_ns);

	figures_add(figures, (double)sums->guest_ns);
	figures_add(figures, hypervisor_ns);
	figures_add(figures, (double)sums->service_ns);
	figures_add(figures, (double)sums->switch_ns);
	figures_add(figures, (double)sums->idle_irq_ns);
	if (sums->guest_ns > 0)
		figures_add(figures, hypervisor_ns / (double)sums->guest_ns);
	else
		figures_add_unknown(figures);
	if (range_ns > 0)
		figures_add(figures, (double)sums->exits * 1e9 / (double)range_ns);
	else
		figures_add_unknown(figures);
}

#define OVERHEAD_COLUMNS                                                                           \
	{ "guest_ns", "Guest", FIGURE_TIME, FALSE },                                               \
		{ "hypervisor_ns", "Hypervisor", FIGURE_TIME, FALSE },                             \
		{ "service_ns", "Exit service", FIGURE_TIME, FALSE },                              \
		{ "switch_ns", "Switches", FIGURE_TIME, FALSE },                                   \
		{ "idle_irq_ns", "IRQs while idle", FIGURE_TIME, FALSE },                          \
		{ "ratio", "Overhead", FIGURE_SHARE, FALSE },                                      \
	{                                                                                          \
		"exits_per_s", "Exits/s", FIGURE_RATE, FALSE                                       \
	}

static const struct figure_column vcpu_columns[] = {
	{ "domain", "Domain", FIGURE_TEXT, TRUE },
	{ "vcpu", "vCPU", FIGURE_TEXT, TRUE },
	OVERHEAD_COLUMNS,
};

static const struct figure_column core_columns[] = {
	{ "core", "Core", FIGURE_TEXT, TRUE },
	OVERHEAD_COLUMNS,
};

struct figures *overhead_by_vcpu(const struct schedule_rows *self)
{
	struct figures *figures = figures_new("overhead", "The hypervisor's cost by vCPU",
	                                      vcpu_columns, G_N_ELEMENTS(vcpu_columns));
	g_autofree struct overhead *sums = g_new0(struct overhead, self->n_vcpus + 1);

	for (guint i = 0; i < self->runs->len; i++) {
		const struct row_vcpu_run *run = &g_array_index(self->runs, struct row_vcpu_run, i);

		sums[run->vcpu].guest_ns += run->guest_ns;
	}
	for (guint i = 0; i < self->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(self->exits, struct row_exit, i);

		add_exit(&sums[exit->vcpu], exit);
	}
	for (guint i = 0; i < self->n_vcpus; i++) {
		g_autofree char *name = schedule_vcpu_name(self, i);

		if (!self->chosen[i])
			continue;
		figures_add_text(figures, self->domains->pdata[i]);
		figures_add_text(figures, name);
		add_figures(figures, &sums[i], self->range_ns);
	}
	return figures;
}

struct figures *overhead_by_core(const struct schedule_rows *self)
{
	struct figures *figures = figures_new("cores", "The hypervisor's cost by core",
	                                      core_columns, G_N_ELEMENTS(core_columns));
	gsize n_cores;
	const struct row_core *cores = recording_reader_cores(self->reader, &n_cores);

	for (gsize i = 0; i < n_cores && self->n_vcpus > 0; i++) {
		g_autofree char *name = names_core(&cores[i]);
		struct overhead sums = { 0 };

		for (guint k = 0; k < self->runs->len; k++) {
			const struct row_vcpu_run *run =
				&g_array_index(self->runs, struct row_vcpu_run, k);

			if (run->core == (gint)cores[i].core)
				sums.guest_ns += run->guest_ns;
		}
		for (guint k = 0; k < self->exits->len; k++) {
			const struct row_exit *exit =
				&g_array_index(self->exits, struct row_exit, k);

			if (exit->core == cores[i].core)
				add_exit(&sums, exit);
		}
		figures_add_text(figures, name);
		add_figures(figures, &sums, self->range_ns);
	}
	return figures;
}
