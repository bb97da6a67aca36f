#include "decode/schedule-wakes.h"

#include <string.h>

enum {
	CLOCK_SLACK_NS = 500, /* cores' clocks agree no better */
	PASSES_MAX = 16
};

static const guint nobody = G_MAXUINT32;

/* A time in which a vCPU waited to be woken. */
struct wait {
	guint run;         /* index of the row */
	guint first, last; /* wakes that may be its own: [first, last) */
	guint wake;        /* the one that is, or nobody */
};

struct wakes {
	GArray *times;  /* gint64, of each wake, in order */
	GArray *owners; /* guint, of each wake: index of the wait, or nobody */
	GArray *waits;  /* struct wait */
};

static gint compare_times(gconstpointer a, gconstpointer b)
{
	const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

	return x < y ? -1 : x > y;
}

static guint first_at(const GArray *times, gint64 time_ns)
{
	guint low = 0, high = times->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(times, gint64, middle) < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct row_vcpu_run *run_at(const struct schedule *schedule, guint i)
{
	return &g_array_index(schedule->runs, struct row_vcpu_run, i);
}

static void find_wakes(struct wakes *self, const struct schedule *schedule)
{
	for (guint i = 0; i < schedule->calls->len; i++) {
		const struct row_hypervisor_call *call =
			&g_array_index(schedule->calls, struct row_hypervisor_call, i);
		const struct row_function *function =
			&g_array_index(schedule->functions, struct row_function, call->function);

		if (strcmp(function->role, "wake") == 0) {
			g_array_append_val(self->times, call->time_ns);
			g_array_append_val(self->owners, nobody);
		}
	}
	g_array_sort(self->times, compare_times);
}

static void find_waits(struct wakes *self, const struct schedule *schedule)
{
	for (guint i = 0; i < schedule->runs->len; i++) {
		const struct row_vcpu_run *run = run_at(schedule, i);
		const gint64 end_ns = run->start_ns + run->duration_ns;
		struct wait wait = { .run = i, .wake = nobody };

		if (run->state != RUN_BLOCKED || run->known == KNOWN_NOT)
			continue;
		wait.first = first_at(self->times, run->start_ns - CLOCK_SLACK_NS);
		wait.last = first_at(self->times, end_ns + CLOCK_SLACK_NS);
		g_array_append_val(self->waits, wait);
	}
}

/* Gives each wait that has a single wake left that one. FALSE where none had. */
static gboolean settle_pass(struct wakes *self)
{
	gboolean settled = FALSE;

	for (guint i = 0; i < self->waits->len; i++) {
		struct wait *wait = &g_array_index(self->waits, struct wait, i);
		guint found = nobody, n = 0;

		for (guint k = wait->first; wait->wake == nobody && n < 2 && k < wait->last; k++) {
			if (g_array_index(self->owners, guint, k) == nobody) {
				found = k;
				n++;
			}
		}
		if (n != 1)
			continue;
		wait->wake = found;
		g_array_index(self->owners, guint, found) = i;
		settled = TRUE;
	}
	return settled;
}

static void split(GArray *runs, const struct row_vcpu_run *run, gint64 wake_ns)
{
	const gint64 end_ns = run->start_ns + run->duration_ns;
	struct row_vcpu_run part = *run;

	wake_ns = CLAMP(wake_ns, run->start_ns, end_ns);
	part.duration_ns = wake_ns - run->start_ns;
	if (part.duration_ns > 0)
		g_array_append_val(runs, part);
	part.start_ns = wake_ns;
	part.duration_ns = end_ns - wake_ns;
	part.state = RUN_RUNNABLE;
	if (part.duration_ns > 0)
		g_array_append_val(runs, part);
}

static GArray *split_runs(const struct wakes *self, const struct schedule *schedule)
{
	GArray *runs = g_array_new(FALSE, FALSE, sizeof(struct row_vcpu_run));
	guint next = 0;

	for (guint i = 0; i < schedule->runs->len; i++) {
		const struct wait *wait = next < self->waits->len
		                                  ? &g_array_index(self->waits, struct wait, next)
		                                  : NULL;

		if (wait == NULL || wait->run != i) {
			g_array_append_vals(runs, run_at(schedule, i), 1);
			continue;
		}
		next++;
		if (wait->wake == nobody)
			g_array_append_vals(runs, run_at(schedule, i), 1);
		else
			split(runs, run_at(schedule, i),
			      g_array_index(self->times, gint64, wait->wake));
	}
	return runs;
}

void schedule_split_waits(struct schedule *schedule)
{
	struct wakes self = { g_array_new(FALSE, FALSE, sizeof(gint64)),
		              g_array_new(FALSE, FALSE, sizeof(guint)),
		              g_array_new(FALSE, FALSE, sizeof(struct wait)) };
	GArray *runs;

	find_wakes(&self, schedule);
	if (self.times->len > 0) {
		find_waits(&self, schedule);
		for (guint i = 0; i < PASSES_MAX && settle_pass(&self); i++)
			continue;
		runs = split_runs(&self, schedule);
		g_array_unref(schedule->runs);
		schedule->runs = runs;
	}
	g_array_unref(self.times);
	g_array_unref(self.owners);
	g_array_unref(self.waits);
}
