#include "analysis/compare.h"

#include <math.h>
#include <string.h>

G_DEFINE_QUARK(compare - error - quark, compare_error)

static const double flag_probability = 0.01;
static const double flag_difference = 0.05;
enum {
	COUNT_MIN = 20, /* fewer values say too little of a spread */
	BLOCKS = 16,    /* durations of neighbours are alike: spread is judged between blocks */
};

/* Durations in order of time, under a name. */
struct sample {
	char *name;
	GArray *values; /* gint64 */
};

static void sample_free(gpointer data)
{
	struct sample *sample = data;

	g_free(sample->name);
	g_array_unref(sample->values);
	g_free(sample);
}

static void add_value(GHashTable *samples, char *name, gint64 value_ns)
{
	struct sample *sample = g_hash_table_lookup(samples, name);

	if (sample == NULL) {
		sample = g_new0(struct sample, 1);
		sample->name = g_strdup(name);
		sample->values = g_array_new(FALSE, FALSE, sizeof(gint64));
		g_hash_table_insert(samples, sample->name, sample);
	}
	g_array_append_val(sample->values, value_ns);
	g_free(name);
}

static void add_exits(const struct schedule_rows *rows, GHashTable *samples)
{
	for (guint i = 0; i < rows->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(rows->exits, struct row_exit, i);
		const char *reason = exit_reason_name(exit->reason);
		g_autofree char *vcpu = schedule_vcpu_name(rows, exit->vcpu);

		if (exit->censored)
			continue;
		if (exit->ended == EXIT_ENDED_SAME) {
			add_value(samples, g_strdup("exits"), exit->hypervisor_ns);
			add_value(samples, g_strdup_printf("exits.%s.%s", vcpu, reason),
			          exit->hypervisor_ns);
		}
		if (exit->ended == EXIT_ENDED_IDLE && exit->wake_ns != OWNER_NO_VALUE)
			add_value(samples, g_strdup("latency.wake-to-guest"), exit->wake_ns);
		if (exit->ended == EXIT_ENDED_OTHER)
			add_value(samples, g_strdup("latency.context-switch"), exit->duration_ns);
		if (exit->injection_ns != OWNER_NO_VALUE && exit->ended == EXIT_ENDED_SAME)
			add_value(samples, g_strdup("latency.irq-injection"), exit->injection_ns);
	}
}

static void add_runs(const struct schedule_rows *rows, GHashTable *samples)
{
	for (guint i = 0; i < rows->runs->len; i++) {
		const struct row_vcpu_run *run = &g_array_index(rows->runs, struct row_vcpu_run, i);
		g_autofree char *vcpu = schedule_vcpu_name(rows, run->vcpu);

		if (run->state == RUN_RUNNABLE) {
			add_value(samples, g_strdup("latency.preempt-wait"), run->duration_ns);
			add_value(samples, g_strdup_printf("sched.%s.preempt-wait", vcpu),
			          run->duration_ns);
		} else if (run->state == RUN_RUNNING) {
			add_value(samples, g_strdup_printf("sched.%s.run", vcpu), run->duration_ns);
		}
	}
}

static void add_requests(const struct schedule_rows *rows, GHashTable *samples)
{
	for (guint i = 0; i < rows->requests->len; i++) {
		const struct row_request *request =
			&g_array_index(rows->requests, struct row_request, i);
		struct request_stage stages[REQUEST_STAGES];
		gint64 time_ns;
		guint n;

		if (request->censored)
			continue;
		n = request_stages(request, stages);
		for (guint k = 0; k < n; k++) {
			g_autofree char *stage = request_stage_name(stages[k].from, stages[k].to);

			add_value(samples, g_strdup_printf("backend.%s", stage), stages[k].time_ns);
		}
		if (request_total(request, &time_ns))
			add_value(samples, g_strdup("backend.total"), time_ns);
	}
}

static GHashTable *samples_of(const struct schedule_rows *rows)
{
	GHashTable *samples = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, sample_free);

	add_exits(rows, samples);
	add_runs(rows, samples);
	add_requests(rows, samples);
	return samples;
}

/* Variance of the mean, from the means of blocks of neighbours: what repeats itself within a
 * recording is not taken for that many independent values. */
static double variance_of_mean(const GArray *values, double mean)
{
	const guint n_blocks = MIN(BLOCKS, values->len / 2);
	double squares = 0;

	for (guint b = 0; b < n_blocks; b++) {
		const guint from = (guint)((guint64)values->len * b / n_blocks);
		const guint to = (guint)((guint64)values->len * (b + 1) / n_blocks);
		double sum = 0;

		for (guint i = from; i < to; i++)
			sum += (double)g_array_index(values, gint64, i);
		squares += pow(sum / (to - from) - mean, 2);
	}
	return n_blocks > 1 ? squares / (n_blocks - 1) / n_blocks : 0;
}

static double mean_of(const GArray *values)
{
	double sum = 0;

	for (guint i = 0; i < values->len; i++)
		sum += (double)g_array_index(values, gint64, i);
	return sum / values->len;
}

static void add_figure(GArray *out, const char *name, const char *figure, double a, double b,
                       const struct compared *like)
{
	struct compared row = *like;

	row.name = g_strdup_printf("%s.%s", name, figure);
	row.a = a;
	row.b = b;
	g_array_append_val(out, row);
}

static void compare_samples(GArray *out, const struct sample *x, const struct sample *y)
{
	const double mean_a = mean_of(x->values), mean_b = mean_of(y->values);
	const double variance =
		variance_of_mean(x->values, mean_a) + variance_of_mean(y->values, mean_b);
	struct compared row = {
		.kind = FIGURE_TIME, .count_a = x->values->len, .count_b = y->values->len, .p = 1
	};
	struct compared point = row;
	struct distribution a, b;

	if (x->values->len >= COUNT_MIN && y->values->len >= COUNT_MIN && variance > 0) {
		row.z = (mean_b - mean_a) / sqrt(variance);
		row.p = erfc(fabs(row.z) / M_SQRT2);
	}
	add_figure(out, x->name, "mean", mean_a, mean_b, &row);
	distribution_init(&a, (gint64 *)(void *)x->values->data, x->values->len);
	distribution_init(&b, (gint64 *)(void *)y->values->data, y->values->len);
	add_figure(out, x->name, "p50", (double)a.p50_ns, (double)b.p50_ns, &point);
	add_figure(out, x->name, "p95", (double)a.p95_ns, (double)b.p95_ns, &point);
	add_figure(out, x->name, "p99", (double)a.p99_ns, (double)b.p99_ns, &point);
	add_figure(out, x->name, "max", (double)a.max_ns, (double)b.max_ns, &point);
}

/* Share of time in the hypervisor, and exits a second: one number each. */
static void compare_totals(GArray *out, const struct schedule_rows *a,
                           const struct schedule_rows *b)
{
	const struct schedule_rows *both[2] = { a, b };
	const struct compared like = { .kind = FIGURE_RATE, .p = 1 };
	double ratio[2] = { 0 }, rate[2] = { 0 };

	for (guint k = 0; k < 2; k++) {
		double guest_ns = 0, hypervisor_ns = 0;

		for (guint i = 0; i < both[k]->runs->len; i++)
			guest_ns += (double)g_array_index(both[k]->runs, struct row_vcpu_run, i)
			                    .guest_ns;
		for (guint i = 0; i < both[k]->exits->len; i++)
			hypervisor_ns += (double)g_array_index(both[k]->exits, struct row_exit, i)
			                         .hypervisor_ns;
		ratio[k] = guest_ns > 0 ? hypervisor_ns / guest_ns : 0;
		rate[k] = both[k]->range_ns > 0
		                  ? both[k]->exits->len * 1e9 / (double)both[k]->range_ns
		                  : 0;
	}
	add_figure(out, "exits", "per_s", rate[0], rate[1], &like);
	add_figure(out, "overhead", "ratio", ratio[0], ratio[1], &like);
}

static double difference(const struct compared *row)
{
	return row->a > 0 ? fabs(row->b / row->a - 1) : row->b > 0 ? 1 : 0;
}

static gint compare_notable(gconstpointer a, gconstpointer b)
{
	const struct compared *x = a, *y = b;

	if (x->flagged != y->flagged)
		return y->flagged - x->flagged;
	if (x->flagged && x->z != y->z)
		return fabs(x->z) < fabs(y->z) ? 1 : -1;
	if (difference(x) != difference(y))
		return difference(x) < difference(y) ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void compared_clear(gpointer data)
{
	g_free(((struct compared *)data)->name);
}

GArray *compare_rows(const struct schedule_rows *a, const struct schedule_rows *b)
{
	GArray *out = g_array_new(FALSE, TRUE, sizeof(struct compared));
	g_autoptr(GHashTable) of_a = samples_of(a);
	g_autoptr(GHashTable) of_b = samples_of(b);
	GHashTableIter iter;
	gpointer name, sample;
	guint n_judged = 0;

	g_array_set_clear_func(out, compared_clear);
	g_hash_table_iter_init(&iter, of_a);
	while (g_hash_table_iter_next(&iter, &name, &sample)) {
		const struct sample *other = g_hash_table_lookup(of_b, name);

		if (other != NULL)
			compare_samples(out, sample, other);
	}
	compare_totals(out, a, b);
	for (guint i = 0; i < out->len; i++)
		n_judged += g_array_index(out, struct compared, i).z != 0;
	for (guint i = 0; i < out->len; i++) {
		struct compared *row = &g_array_index(out, struct compared, i);

		row->flagged = row->z != 0 && row->p * n_judged < flag_probability &&
		               difference(row) > flag_difference;
	}
	g_array_sort(out, compare_notable);
	return out;
}

static const struct compared *find_metric(const GArray *compared, const char *name)
{
	for (guint i = 0; i < compared->len; i++) {
		const struct compared *row = &g_array_index(compared, struct compared, i);

		if (strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

/* "1.2x" of `base`, "50us", or a plain number. */
static gboolean parse_limit(const char *text, double base, double *limit)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = { { "", 1 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
	char *end;
	const double value = g_ascii_strtod(text, &end);

	if (end == text || !isfinite(value))
		return FALSE;
	if (strcmp(end, "x") == 0) {
		*limit = value * base;
		return TRUE;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		if (strcmp(end, units[i].unit) == 0) {
			*limit = value * units[i].factor;
			return TRUE;
		}
	}
	return FALSE;
}

gboolean compare_gate(const GArray *compared, const char *condition, gboolean *fails,
                      GError **error)
{
	const char *sign = strpbrk(condition, "<>");
	g_autofree char *name =
		sign != NULL ? g_strndup(condition, (gsize)(sign - condition)) : NULL;
	g_autofree char *text = sign != NULL ? g_strdup(sign + 1) : NULL;
	const struct compared *row;
	double limit;

	if (sign == NULL || *g_strstrip(name) == '\0') {
		g_set_error(error, COMPARE_ERROR, COMPARE_ERROR_SYNTAX,
		            "'%s' is no condition; write METRIC > LIMIT or METRIC < LIMIT, as in "
		            "'exits.p99 > 1.2x'",
		            condition);
		return FALSE;
	}
	row = find_metric(compared, name);
	if (row == NULL) {
		g_set_error(error, COMPARE_ERROR, COMPARE_ERROR_UNKNOWN,
		            "both recordings must have '%s'; compare without --fail-if lists what "
		            "they share",
		            name);
		return FALSE;
	}
	if (!parse_limit(g_strstrip(text), row->a, &limit)) {
		g_set_error(error, COMPARE_ERROR, COMPARE_ERROR_SYNTAX,
		            "'%s' is no limit; write 1.2x (of the first recording), 50us, or a "
		            "number",
		            text);
		return FALSE;
	}
	*fails = *sign == '>' ? row->b > limit : row->b < limit;
	return TRUE;
}
