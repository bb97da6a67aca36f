#include "analysis/compare.h"

#include <math.h>
#include <string.h>

G_DEFINE_QUARK(compare - error - quark, compare_error)

static const double flag_probability = 0.01;
static const double flag_difference = 0.05;
static const double flag_ticks = 2; /* both ends of a duration are off by one */
enum {
	COUNT_MIN = 20, /* fewer values say too little of a spread */
	BLOCKS_MIN = 5, /* of them */
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

static gboolean domain_has_several(const struct schedule_rows *rows, guint vcpu)
{
	const gint64 vmid = rows->vcpus[vcpu].vmid;

	return (vcpu > 0 && rows->vcpus[vcpu - 1].vmid == vmid) ||
	       (vcpu + 1 < rows->n_vcpus && rows->vcpus[vcpu + 1].vmid == vmid);
}

/* Adds under PREFIX.VCPU.SUFFIX. Numbers that are hvscope's own order may name another vCPU in
 * the other recording, so a domain of several stands under one name too, and those of such
 * numbers only there. */
static void add_of_vcpu(const struct schedule_rows *rows, GHashTable *samples, guint vcpu,
                        const char *prefix, const char *suffix, gint64 value_ns)
{
	const char *domain = rows->domains->pdata[vcpu];

	if (domain_has_several(rows, vcpu))
		add_value(samples, g_strdup_printf("%s.%s/*.%s", prefix, domain, suffix), value_ns);
	if (!domain_has_several(rows, vcpu) || rows->vcpus[vcpu].numbered) {
		g_autofree char *name = schedule_vcpu_name(rows, vcpu);

		add_value(samples, g_strdup_printf("%s.%s.%s", prefix, name, suffix), value_ns);
	}
}

static void add_exits(const struct schedule_rows *rows, GHashTable *samples)
{
	for (guint i = 0; i < rows->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(rows->exits, struct row_exit, i);
		const char *reason = exit_reason_name(exit->reason);

		if (exit->censored)
			continue;
		if (exit->ended == EXIT_ENDED_SAME) {
			add_value(samples, g_strdup("exits"), exit->hypervisor_ns);
			add_of_vcpu(rows, samples, exit->vcpu, "exits", reason,
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

		if (run->state == RUN_RUNNABLE) {
			add_value(samples, g_strdup("latency.preempt-wait"), run->duration_ns);
			add_of_vcpu(rows, samples, run->vcpu, "sched", "preempt-wait",
			            run->duration_ns);
		} else if (run->state == RUN_RUNNING) {
			add_of_vcpu(rows, samples, run->vcpu, "sched", "run", run->duration_ns);
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

static gint compare_values(gconstpointer a, gconstpointer b)
{
	const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

	return x < y ? -1 : x > y;
}

static double mean_of(const gint64 *values, guint n)
{
	double sum = 0;

	for (guint i = 0; i < n; i++)
		sum += (double)values[i];
	return sum / n;
}

static double median_of(const gint64 *values, guint n)
{
	g_autofree gint64 *sorted = g_memdup2(values, n * sizeof *values);
	const guint middle = (n - 1) / 2;

	qsort(sorted, n, sizeof *sorted, compare_values);
	return (double)sorted[middle];
}

typedef double (*figure_fn)(const gint64 *values, guint n);

/* What one recording says of a figure, and how sure that is. */
struct estimate {
	double value;
	double variance; /* of the value */
	double freedom;  /* degrees of it */
};

/* The spread is that between blocks of neighbours: what repeats itself within a recording is not
 * taken for that many independent values. No value is known better than to a tick. */
static struct estimate estimate(const GArray *sample, figure_fn figure, guint block_min,
                                double tick_ns)
{
	const gint64 *values = (const gint64 *)(const void *)sample->data;
	const guint n_blocks = MIN(BLOCKS, sample->len / block_min);
	struct estimate out = { .value = figure(values, sample->len) };
	double figures[BLOCKS], mean = 0, squares = 0;

	if (n_blocks < BLOCKS_MIN)
		return out;
	for (guint b = 0; b < n_blocks; b++) {
		const guint from = (guint)((guint64)sample->len * b / n_blocks);
		const guint to = (guint)((guint64)sample->len * (b + 1) / n_blocks);

		figures[b] = figure(values + from, to - from);
		mean += figures[b] / n_blocks;
	}
	for (guint b = 0; b < n_blocks; b++)
		squares += pow(figures[b] - mean, 2);
	out.freedom = n_blocks - 1;
	out.variance = MAX(squares / out.freedom, tick_ns * tick_ns / 12) / n_blocks;
	return out;
}

/* The regularised incomplete beta function, by its continued fraction (Lentz's method). */
static double beta_share(double x, double a, double b)
{
	const double tiny = 1e-300;
	const double front =
		exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a;
	double c = 1, d = 0, fraction = 1;

	for (int i = 0; i < 400; i++) {
		const int m = i / 2;
		const double numerator =
			i == 0       ? 1
			: i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
				     : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

		d = 1 + numerator * d;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = 1 + numerator / c;
		c = fabs(c) < tiny ? tiny : c;
		fraction *= c * d;
		if (fabs(1 - c * d) < 1e-12)
			break;
	}
	return front * (fraction - 1);
}

/* How likely a difference of |t| or more is between equals (Student's t). */
static double student_p(double t, double freedom)
{
	const double x = freedom / (freedom + t * t);

	if (!(x > 0))
		return 0;
	if (x >= 1)
		return 1;
	/* The fraction converges fast on one side only. */
	return x < (freedom / 2 + 1) / (freedom / 2 + 2.5)
	               ? beta_share(x, freedom / 2, 0.5)
	               : 1 - beta_share(1 - x, 0.5, freedom / 2);
}

/* Welch's test. */
static void judge(struct compared *row, const struct estimate *a, const struct estimate *b)
{
	const double variance = a->variance + b->variance;
	double freedom;

	if (row->count_a < COUNT_MIN || row->count_b < COUNT_MIN || !(a->variance > 0) ||
	    !(b->variance > 0))
		return;
	freedom = variance * variance /
	          (a->variance * a->variance / a->freedom + b->variance * b->variance / b->freedom);
	row->z = (b->value - a->value) / sqrt(variance);
	row->p = student_p(row->z, freedom);
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

static void compare_samples(GArray *out, const struct sample *x, const struct sample *y,
                            double tick_ns)
{
	static const struct {
		const char *name;
		figure_fn figure;
		guint block_min; /* values: a median of few is one of them */
	} judged[] = { { "mean", mean_of, 2 }, { "p50", median_of, 8 } };
	const struct compared point = {
		.kind = FIGURE_TIME, .count_a = x->values->len, .count_b = y->values->len, .p = 1
	};
	struct distribution a, b;

	for (gsize i = 0; i < G_N_ELEMENTS(judged); i++) {
		const struct estimate of_x =
			estimate(x->values, judged[i].figure, judged[i].block_min, tick_ns);
		const struct estimate of_y =
			estimate(y->values, judged[i].figure, judged[i].block_min, tick_ns);
		struct compared row = point;

		judge(&row, &of_x, &of_y);
		add_figure(out, x->name, judged[i].name, of_x.value, of_y.value, &row);
	}
	distribution_init(&a, (gint64 *)(void *)x->values->data, x->values->len);
	distribution_init(&b, (gint64 *)(void *)y->values->data, y->values->len);
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

/* Length of a timestamp's tick: durations are not known better. */
static double tick_of(const struct schedule_rows *rows)
{
	gint64 hz;

	return recording_reader_meta_int(rows->reader, "timestamp_hz", &hz) && hz > 0
	               ? 1e9 / (double)hz
	               : 0;
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
	const double tick_ns = MAX(tick_of(a), tick_of(b));
	guint n_judged = 0;

	g_array_set_clear_func(out, compared_clear);
	g_hash_table_iter_init(&iter, of_a);
	while (g_hash_table_iter_next(&iter, &name, &sample)) {
		const struct sample *other = g_hash_table_lookup(of_b, name);

		if (other != NULL)
			compare_samples(out, sample, other, tick_ns);
	}
	compare_totals(out, a, b);
	for (guint i = 0; i < out->len; i++)
		n_judged += g_array_index(out, struct compared, i).z != 0;
	for (guint i = 0; i < out->len; i++) {
		struct compared *row = &g_array_index(out, struct compared, i);

		row->flagged = row->z != 0 && row->p * n_judged < flag_probability &&
		               difference(row) > flag_difference &&
		               fabs(row->b - row->a) > flag_ticks * tick_ns;
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
