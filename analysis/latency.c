#include "analysis/schedule.h"

enum latency {
	LATENCY_WAKE,      /* end of the core's halt to the guest's first instruction */
	LATENCY_INJECTION, /* EL2 entry by an interrupt to the guest's own vector */
	LATENCY_SWITCH,    /* last instruction of one vCPU to the first of the next */
	LATENCY_PREEMPT,   /* runnable after an interrupt, until it ran again */
	LATENCY_WOKEN,     /* runnable after it was blocked: from the hypervisor's wake */
	LATENCIES
};

static const char *const latency_names[LATENCIES] = { "wake-to-guest", "irq-injection",
	                                              "context-switch", "preempt-wait", "wake" };

static const struct figure_column latency_columns[] = {
	{ "domain", "Domain", FIGURE_TEXT, TRUE },
	{ "vcpu", "vCPU", FIGURE_TEXT, TRUE },
	{ "kind", "Latency", FIGURE_TEXT, TRUE },
	{ "spikes", "Spikes", FIGURE_COUNT, FALSE },
	FIGURES_SPREAD_COLUMNS,
};

static void add_value(GArray **sets, guint vcpu, enum latency latency, gint64 value_ns)
{
	GArray **set = &sets[vcpu * LATENCIES + latency];

	if (*set == NULL)
		*set = g_array_new(FALSE, FALSE, sizeof(gint64));
	g_array_append_val(*set, value_ns);
}

/* Whether a runnable vCPU had been blocked until then: its rows have no gaps. */
static gboolean follows_block(const struct row_vcpu_run *run, const struct row_vcpu_run *before)
{
	return before != NULL && before->vcpu == run->vcpu && before->state == RUN_BLOCKED &&
	       before->start_ns + before->duration_ns == run->start_ns;
}

/* Each is the vCPU's that was made to wait: the one entered. */
static void gather(const struct schedule_rows *self, GArray **sets)
{
	for (guint i = 0; i < self->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(self->exits, struct row_exit, i);
		const guint next = (guint)exit->next_vcpu;

		if (exit->censored || exit->next_vcpu == OWNER_NO_VALUE || !self->chosen[next])
			continue;
		if (exit->wake_ns != OWNER_NO_VALUE && exit->ended == EXIT_ENDED_IDLE)
			add_value(sets, next, LATENCY_WAKE, exit->wake_ns);
		if (exit->injection_ns != OWNER_NO_VALUE && exit->reason == EXIT_IRQ &&
		    exit->ended == EXIT_ENDED_SAME)
			add_value(sets, next, LATENCY_INJECTION, exit->injection_ns);
		if (exit->ended == EXIT_ENDED_OTHER)
			add_value(sets, next, LATENCY_SWITCH, exit->duration_ns);
	}
	for (guint i = 0; i < self->runs->len; i++) {
		const struct row_vcpu_run *run = &g_array_index(self->runs, struct row_vcpu_run, i);

		if (run->state == RUN_RUNNABLE)
			add_value(sets, run->vcpu,
			          follows_block(run, i > 0 ? run - 1 : NULL) ? LATENCY_WOKEN
			                                                     : LATENCY_PREEMPT,
			          run->duration_ns);
	}
}

static guint64 count_spikes(const struct schedule_rows *self, const GArray *values)
{
	guint64 n = 0;

	for (guint i = 0; self->filter.threshold_ns > 0 && i < values->len; i++)
		n += g_array_index(values, gint64, i) > self->filter.threshold_ns;
	return n;
}

struct figures *latency_figures(const struct schedule_rows *self)
{
	struct figures *figures =
		figures_new("latency", "How long vCPUs waited, and interrupts for them",
	                    latency_columns, G_N_ELEMENTS(latency_columns));
	g_autofree GArray **sets = g_new0(GArray *, self->n_vcpus * LATENCIES + 1);

	gather(self, sets);
	for (guint i = 0; i < self->n_vcpus * LATENCIES; i++) {
		g_autofree char *name = NULL;
		struct distribution spread;

		if (sets[i] == NULL)
			continue;
		name = schedule_vcpu_name(self, i / LATENCIES);
		distribution_init(&spread, (gint64 *)(void *)sets[i]->data, sets[i]->len);
		figures_add_text(figures, self->domains->pdata[i / LATENCIES]);
		figures_add_text(figures, name);
		figures_add_text(figures, latency_names[i % LATENCIES]);
		figures_add(figures, (double)count_spikes(self, sets[i]));
		figures_add_spread(figures, &spread);
		g_array_unref(sets[i]);
	}
	return figures;
}
