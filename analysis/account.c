#include "analysis/account.h"

#include <string.h>

static gboolean is_nobody(enum owner_class owner_class)
{
	return owner_class == OWNER_LOST || owner_class == OWNER_UNTRACED ||
	       owner_class == OWNER_UNKNOWN;
}

/* What building an account needs while rows go by. */
struct build {
	struct account *account;
	const struct row_owner *owners;
	const char *fault; /* what contradicts itself, or NULL */
};

static struct account_core *core_find(struct account *self, guint core)
{
	for (gsize i = 0; i < self->n_cores; i++) {
		if (self->cores[i].core->core == core)
			return &self->cores[i];
	}
	return NULL;
}

static gboolean build_row(const struct row_account *row, gpointer data)
{
	struct build *build = data;
	const struct row_owner *owner = &build->owners[row->owner];
	struct account_core *core = core_find(build->account, row->core);
	const struct account_row out = { .core = row->core,
		                         .owner = *owner,
		                         .time_ns = row->time_ns,
		                         .cycles = row->cycles,
		                         .halted_ns = row->halted_ns,
		                         .spans = row->spans };

	if (core == NULL) {
		build->fault = "a core of account is not in core";
		return FALSE;
	}
	/* unknown_ns is what is left of the window, so that it adds up by construction; here it
	 * counts down. */
	core->unknown_ns -= owner->owner_class == OWNER_UNKNOWN ? 0 : row->time_ns;
	if (core->unknown_ns < 0) {
		build->fault = "a core has more time than the window";
		return FALSE;
	}
	if (owner->owner_class == OWNER_LOST)
		core->lost_ns += row->time_ns;
	else if (owner->owner_class == OWNER_UNTRACED)
		core->untraced_ns += row->time_ns;
	if (is_nobody(owner->owner_class))
		return TRUE;
	core->attributed_ns += row->time_ns;
	core->cycles += row->cycles;
	g_array_append_val(build->account->rows, out);
	return TRUE;
}

static gint compare_value(gint64 a, gint64 b)
{
	return (a > b) - (a < b);
}

static gint owner_compare(const struct row_owner *a, const struct row_owner *b)
{
	gint order = compare_value(a->owner_class, b->owner_class);

	if (order == 0)
		order = compare_value(a->el, b->el);
	if (order == 0)
		order = compare_value(a->vmid, b->vmid);
	if (order == 0)
		order = compare_value(a->context_id, b->context_id);
	if (order == 0)
		order = compare_value(a->task_name, b->task_name);
	return order;
}

static gint row_compare(gconstpointer a, gconstpointer b)
{
	const struct account_row *x = a;
	const struct account_row *y = b;
	const gint order = compare_value(x->core, y->core);

	return order != 0 ? order : owner_compare(&x->owner, &y->owner);
}

/* Each core shows, also the one of which nothing is known. */
static void rows_complete(struct account *self)
{
	for (gsize i = 0; i < self->n_cores; i++) {
		const struct account_row none = { .core = self->cores[i].core->core,
			                          .owner = { OWNER_UNKNOWN, OWNER_NO_VALUE,
			                                     OWNER_NO_VALUE, OWNER_NO_VALUE } };
		gboolean has_row = FALSE;

		for (guint j = 0; j < self->rows->len && !has_row; j++) {
			const struct account_row *row =
				&g_array_index(self->rows, struct account_row, j);

			has_row = row->core == none.core;
		}
		if (!has_row)
			g_array_append_val(self->rows, none);
	}
	g_array_sort(self->rows, row_compare);
}

static void total_fill(struct account *self)
{
	const double whole_ns = (double)self->window_ns * (double)self->n_cores;

	for (gsize i = 0; i < self->n_cores; i++) {
		const struct account_core *core = &self->cores[i];

		self->total.attributed_ns += core->attributed_ns;
		self->total.cycles += core->cycles;
		self->total.lost_ns += core->lost_ns;
		self->total.untraced_ns += core->untraced_ns;
		self->total.unknown_ns += core->unknown_ns;
	}
	self->coverage = whole_ns > 0 ? (double)self->total.attributed_ns / whole_ns : 1;
}

gboolean account_init(struct account *self, recording_reader *reader, GError **error)
{
	struct account account = { .window_ns = recording_reader_window_ns(reader) };
	struct build build = { .account = &account };
	const struct row_core *cores;
	gsize n_owners;

	cores = recording_reader_cores(reader, &account.n_cores);
	build.owners = recording_reader_owners(reader, &n_owners);
	account.cores = g_new0(struct account_core, account.n_cores);
	account.rows = g_array_new(FALSE, FALSE, sizeof(struct account_row));
	for (gsize i = 0; i < account.n_cores; i++) {
		account.cores[i].core = &cores[i];
		account.cores[i].unknown_ns = account.window_ns;
	}
	if (account.n_cores > 0 && account.window_ns > G_MAXINT64 / (gint64)account.n_cores)
		build.fault = "the window is too long";
	else if (!recording_reader_account(reader, build_row, &build, error)) {
		account_deinit(&account);
		return FALSE;
	}
	if (build.fault != NULL) {
		g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_CORRUPT,
		            "%s: damaged: %s; decode the capture again",
		            recording_reader_path(reader), build.fault);
		account_deinit(&account);
		return FALSE;
	}
	rows_complete(&account);
	total_fill(&account);
	*self = account;
	return TRUE;
}

void account_deinit(struct account *self)
{
	g_clear_pointer(&self->cores, g_free);
	g_clear_pointer(&self->rows, g_array_unref);
}

static void group_clear(gpointer group)
{
	g_free(((struct account_group *)group)->domain);
	g_free(((struct account_group *)group)->task);
}

static struct account_group group_key(const struct account *self, const struct names *names,
                                      enum account_by by, const struct account_row *row)
{
	struct account_group key = { .el = OWNER_NO_VALUE, .owner_class = row->owner.owner_class };

	switch (by) {
	case ACCOUNT_BY_CORE:
		while (self->cores[key.core].core->core != row->core)
			key.core++;
		break;
	case ACCOUNT_BY_EL:
		key.el = row->owner.el;
		break;
	case ACCOUNT_BY_TASK:
		key.task = names_task(names, &row->owner);
		key.domain = names_domain(names, &row->owner);
		break;
	case ACCOUNT_BY_DOMAIN:
		key.domain = names_domain(names, &row->owner);
		break;
	}
	return key;
}

static gboolean group_equal(const struct account_group *a, const struct account_group *b)
{
	return a->core == b->core && a->el == b->el && a->owner_class == b->owner_class &&
	       g_strcmp0(a->domain, b->domain) == 0 && g_strcmp0(a->task, b->task) == 0;
}

/* Adds `key`'s sums to its group; takes the strings of `key`. */
static void group_add(GArray *groups, struct account_group key)
{
	for (guint i = 0; i < groups->len; i++) {
		struct account_group *group = &g_array_index(groups, struct account_group, i);

		if (!group_equal(group, &key))
			continue;
		group->time_ns += key.time_ns;
		group->cycles += key.cycles;
		group->halted_ns += key.halted_ns;
		group->spans += key.spans;
		group_clear(&key);
		return;
	}
	g_array_append_val(groups, key);
}

static gint group_compare(gconstpointer a, gconstpointer b, gpointer by_cycles)
{
	const struct account_group *x = a;
	const struct account_group *y = b;
	gint order = compare_value(x->core, y->core);

	if (order == 0)
		order = compare_value(x->el, y->el);
	if (order == 0 && *(gboolean *)by_cycles)
		order = compare_value((gint64)y->cycles, (gint64)x->cycles);
	if (order == 0)
		order = compare_value(y->time_ns, x->time_ns);
	if (order == 0)
		order = compare_value((gint64)y->cycles, (gint64)x->cycles);
	if (order == 0)
		order = compare_value(x->owner_class, y->owner_class);
	return order != 0 ? order : g_strcmp0(x->task, y->task);
}

static void group_add_nobody(GArray *groups, guint core, enum owner_class owner_class,
                             gint64 time_ns)
{
	if (time_ns > 0)
		group_add(groups, (struct account_group) { .core = core,
		                                           .el = OWNER_NO_VALUE,
		                                           .owner_class = owner_class,
		                                           .time_ns = time_ns });
}

GArray *account_group_by(const struct account *self, const struct names *names, enum account_by by,
                         gboolean by_cycles)
{
	GArray *groups = g_array_new(FALSE, TRUE, sizeof(struct account_group));

	g_array_set_clear_func(groups, group_clear);
	for (guint i = 0; i < self->rows->len; i++) {
		const struct account_row *row = &g_array_index(self->rows, struct account_row, i);
		struct account_group group;

		if (row->owner.owner_class == OWNER_UNKNOWN)
			continue; /* stands for a core without attributed time */
		group = group_key(self, names, by, row);
		group.time_ns = row->time_ns;
		group.cycles = row->cycles;
		group.halted_ns = row->halted_ns;
		group.spans = row->spans;
		group_add(groups, group);
	}
	g_array_sort_with_data(groups, group_compare, &by_cycles);
	if (by != ACCOUNT_BY_CORE)
		return groups;
	for (guint i = 0; i < self->n_cores; i++) {
		group_add_nobody(groups, i, OWNER_UNTRACED, self->cores[i].untraced_ns);
		group_add_nobody(groups, i, OWNER_LOST, self->cores[i].lost_ns);
		group_add_nobody(groups, i, OWNER_UNKNOWN, self->cores[i].unknown_ns);
	}
	g_array_sort_with_data(groups, group_compare, &by_cycles);
	return groups;
}
