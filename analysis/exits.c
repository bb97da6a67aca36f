#include "analysis/schedule.h"

static const struct figure_column exit_columns[] = {
	{ "domain", "Domain", FIGURE_TEXT, TRUE },
	{ "vcpu", "vCPU", FIGURE_TEXT, TRUE },
	{ "reason", "VM-EXIT", FIGURE_TEXT, TRUE },
	{ "detail", "For", FIGURE_TEXT, TRUE },
	{ "ended", "Ended in", FIGURE_TEXT, TRUE },
	{ "samples_share", "Samples%", FIGURE_SHARE, FALSE },
	{ "time_share", "Time%", FIGURE_SHARE, FALSE },
	{ "time_ns", "Time", FIGURE_TIME, FALSE },
	{ "error", "Avg +-", FIGURE_SHARE, FALSE },
	{ "censored", "Censored", FIGURE_COUNT, FALSE },
	FIGURES_SPREAD_COLUMNS,
};

/* Exits of one vCPU, with one end, reason, instruction and handler. */
struct exit_group {
	guint64 key;
	GArray *values; /* gint64, EL2 time */
	guint64 censored;
	gint64 sum_ns;
};

/* All exits that ended alike: those that give the core away would swamp the rest. */
struct exit_total {
	guint64 count;
	gint64 sum_ns;
};

enum {
	INSTRUCTION_SHIFT = 24, /* below: the handler */
	REASON_SHIFT = 28,
	VCPU_SHIFT = 32,
	END_SHIFT = 60
};

/* Orders groups by end, vCPU, reason, instruction and handler. */
static guint64 group_key(const struct row_exit *exit)
{
	return (guint64)exit->ended << END_SHIFT | ((guint64)exit->vcpu & 0xfffffff) << VCPU_SHIFT |
	       (guint64)exit->reason << REASON_SHIFT |
	       (guint64)exit->instruction << INSTRUCTION_SHIFT | (exit->handler & 0xffffff);
}

static void exit_group_clear(gpointer data)
{
	g_array_unref(((struct exit_group *)data)->values);
}

static gint compare_groups(gconstpointer a, gconstpointer b)
{
	const struct exit_group *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
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

/* "sysreg vgic_v3_emulate_sgi1r": the guest's instruction and the hypervisor's handler, as far
 * as their code was known; NULL where neither was. Free the result. */
static char *group_detail(const struct schedule_rows *self, guint64 key)
{
	const enum exit_instruction instruction =
		(enum exit_instruction)(key >> INSTRUCTION_SHIFT & 0xf);
	const guint handler = (guint)(key & 0xffffff);
	const char *name = exit_instruction_name(instruction), *function = NULL;
	gsize n_functions;
	const struct row_function *functions =
		recording_reader_functions(self->reader, &n_functions);

	if (handler > 0 && handler <= n_functions)
		function = functions[handler - 1].name;
	if (name == NULL && function == NULL)
		return NULL;
	return g_strdup_printf("%s%s%s", name != NULL ? name : "",
	                       name != NULL && function != NULL ? " " : "",
	                       function != NULL ? function : "");
}

static void add_group(const struct schedule_rows *self, struct figures *figures,
                      struct exit_group *group, const struct exit_total *totals)
{
	const guint vcpu = (guint)(group->key >> VCPU_SHIFT & 0xfffffff);
	const struct exit_total *all = &totals[group->key >> END_SHIFT];
	g_autofree char *name = schedule_vcpu_name(self, vcpu);
	g_autofree char *detail = group_detail(self, group->key);
	struct distribution spread;

	distribution_init(&spread, (gint64 *)(void *)group->values->data, group->values->len);
	figures_add_text(figures, self->domains->pdata[vcpu]);
	figures_add_text(figures, name);
	figures_add_text(figures,
	                 exit_reason_name((enum exit_reason)(group->key >> REASON_SHIFT & 0xf)));
	figures_add_text(figures, detail);
	figures_add_text(figures, exit_end_name((enum exit_end)(group->key >> END_SHIFT)));
	figures_add(figures, (double)group->values->len / (double)MAX(all->count, 1));
	figures_add(figures, all->sum_ns > 0 ? (double)group->sum_ns / (double)all->sum_ns : 0);
	figures_add(figures, (double)group->sum_ns);
	figures_add(figures, relative_error(&spread));
	figures_add(figures, (double)group->censored);
	figures_add_spread(figures, &spread);
}

/* The group of that key, which is added where it is not there. */
static struct exit_group *find_group(GArray *groups, GHashTable *index, guint64 key)
{
	const guint known = GPOINTER_TO_UINT(g_hash_table_lookup(index, GSIZE_TO_POINTER(key)));
	struct exit_group group = { .key = key };

	if (known == 0) {
		group.values = g_array_new(FALSE, FALSE, sizeof(gint64));
		g_array_append_val(groups, group);
		g_hash_table_insert(index, GSIZE_TO_POINTER(key), GUINT_TO_POINTER(groups->len));
	}
	return &g_array_index(groups, struct exit_group, known > 0 ? known - 1 : groups->len - 1);
}

struct figures *exits_figures(const struct schedule_rows *self)
{
	struct figures *figures = figures_new("exits", "Exits by vCPU, reason and where they ended",
	                                      exit_columns, G_N_ELEMENTS(exit_columns));
	g_autoptr(GHashTable) index = g_hash_table_new(NULL, NULL);
	g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(struct exit_group));
	struct exit_total totals[EXIT_ENDS] = { 0 };

	g_array_set_clear_func(groups, exit_group_clear);
	for (guint i = 0; i < self->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(self->exits, struct row_exit, i);
		struct exit_group *group = find_group(groups, index, group_key(exit));

		if (exit->censored) {
			group->censored++;
			continue;
		}
		g_array_append_val(group->values, exit->hypervisor_ns);
		group->sum_ns += exit->hypervisor_ns;
		totals[exit->ended].sum_ns += exit->hypervisor_ns;
		totals[exit->ended].count++;
	}
	g_array_sort(groups, compare_groups);
	for (guint i = 0; i < groups->len; i++)
		add_group(self, figures, &g_array_index(groups, struct exit_group, i), totals);
	return figures;
}
