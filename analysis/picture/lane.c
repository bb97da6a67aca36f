#include "analysis/picture/lane.h"

#include <string.h>

static void lane_clear(gpointer data)
{
	struct lane *lane = data;

	g_free(lane->id);
	g_free(lane->name);
	g_free(lane->whole);
	g_free(lane->owners);
}

struct lane *lane_set_get(const struct lane_set *self, guint index)
{
	return &g_array_index(self->lanes, struct lane, index);
}

guint lane_set_find(const struct lane_set *self, const char *id)
{
	for (guint i = 0; i < self->lanes->len; i++) {
		if (strcmp(lane_set_get(self, i)->id, id) == 0)
			return i;
	}
	return LANE_NO_PARENT;
}

guint lane_set_add(struct lane_set *self, enum lane_kind kind, guint parent, const char *id,
                   const char *name)
{
	struct lane lane = { .kind = kind,
		             .parent = parent,
		             .id = g_strdup(id),
		             .name = g_strdup(name),
		             .whole = g_strdup(name),
		             .core = LANE_ALL_CORES,
		             .capacity = 1,
		             .track_key = LANE_ALL_KEYS };

	if (parent != LANE_NO_PARENT) {
		const struct lane *above = lane_set_get(self, parent);

		lane.depth = above->depth + 1;
		if (above->parent != LANE_NO_PARENT) {
			g_free(lane.whole);
			lane.whole = g_strdup_printf("%s / %s", above->whole, name);
		}
	}
	g_array_append_val(self->lanes, lane);
	return self->lanes->len - 1;
}

static gint order_of(const struct lane_set *self, guint index)
{
	const struct lane *lane = lane_set_get(self, index);

	return lane->order != 0 ? lane->order : (gint)index;
}

static gint compare_order(gconstpointer a, gconstpointer b, gpointer data)
{
	const gint x = order_of(data, *(const guint *)a);
	const gint y = order_of(data, *(const guint *)b);

	return (x > y) - (x < y);
}

static void order_below(const struct lane_set *self, guint parent, GArray *out)
{
	g_autoptr(GArray) children = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint i = 0; i < self->lanes->len; i++) {
		if (lane_set_get(self, i)->parent == parent)
			g_array_append_val(children, i);
	}
	g_array_sort_with_data(children, compare_order, (gpointer)self);
	for (guint i = 0; i < children->len; i++) {
		const guint lane = g_array_index(children, guint, i);

		g_array_append_val(out, lane);
		order_below(self, lane, out);
	}
}

GArray *lane_set_order(const struct lane_set *self)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(guint));

	order_below(self, LANE_NO_PARENT, out);
	return out;
}

static void add_cores(struct lane_set *self, const recording_reader *reader)
{
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);
	guint group;

	if (n == 0)
		return;
	group = lane_set_add(self, n > 1 ? LANE_OWNERS : LANE_GROUP, LANE_NO_PARENT, "cores",
	                     "Processors");
	lane_set_get(self, group)->capacity = (guint)n;
	for (gsize i = 0; i < n; i++) {
		g_autofree char *id = g_strdup_printf("core/%u", cores[i].core);
		g_autofree char *name = names_core(&cores[i]);
		const guint lane = lane_set_add(self, LANE_OWNERS, group, id, name);

		lane_set_get(self, lane)->core = (guint)i;
	}
}

/* The lane of that id below `parent`, which `owner` belongs to; made where it is new. */
static guint lane_for(struct lane_set *self, const recording_reader *reader, guint parent,
                      const char *id, const char *name, guint owner)
{
	guint index = lane_set_find(self, id);
	gsize n_owners;
	gsize n_cores;

	recording_reader_owners(reader, &n_owners);
	recording_reader_cores(reader, &n_cores);
	if (index == LANE_NO_PARENT) {
		struct lane *lane;

		index = lane_set_add(self, LANE_OWNERS, parent, id, name);
		lane = lane_set_get(self, index);
		lane->owners = g_new0(guint8, n_owners);
		lane->capacity = (guint)MAX(n_cores, 1);
	}
	lane_set_get(self, index)->owners[owner] = 1;
	return index;
}

/* How many cores a domain's time can be spread over. */
static void limit_capacity(struct lane_set *self, const recording_reader *reader, guint lane,
                           const struct row_owner *owner)
{
	gsize n;
	const struct row_machine *machines = recording_reader_machines(reader, &n);

	for (gsize i = 0; i < n; i++) {
		if (owner->owner_class == OWNER_GUEST && machines[i].vmid == owner->vmid &&
		    machines[i].vcpus > 0)
			lane_set_get(self, lane)->capacity =
				MIN(machines[i].vcpus, lane_set_get(self, lane)->capacity);
	}
}

static gboolean is_shown(const struct row_owner *owner)
{
	return owner->owner_class == OWNER_GUEST || owner->owner_class == OWNER_HOST ||
	       owner->owner_class == OWNER_HYPERVISOR || owner->owner_class == OWNER_SECURE;
}

static gint owner_before(const struct row_owner *a, const struct row_owner *b)
{
	if (a->owner_class != b->owner_class)
		return a->owner_class < b->owner_class ? -1 : 1;
	if (a->vmid != b->vmid)
		return a->vmid < b->vmid ? -1 : 1;
	if (a->context_id != b->context_id)
		return a->context_id < b->context_id ? -1 : 1;
	return (a->task_name > b->task_name) - (a->task_name < b->task_name);
}

static gint compare_owners(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct row_owner *owners = data;

	return owner_before(&owners[*(const guint *)a], &owners[*(const guint *)b]);
}

/* A task's lane is in a group within its domain, which can be opened and closed: domains
 * may have hundreds. It is called as if it were the domain's own. */
static void add_task(struct lane_set *self, const recording_reader *reader, guint domain,
                     const char *task, guint owner)
{
	const guint capacity = lane_set_get(self, domain)->capacity;
	g_autofree char *domain_id = g_strdup(lane_set_get(self, domain)->id);
	g_autofree char *domain_name = g_strdup(lane_set_get(self, domain)->name);
	g_autofree char *group_id = g_strdup_printf("tasks/%s", domain_name);
	g_autofree char *id = g_strdup_printf("%s/%s", domain_id, task);
	guint group = lane_set_find(self, group_id);
	gsize n_vcpus;
	guint lane;

	recording_reader_vcpus(reader, &n_vcpus);
	if (group == LANE_NO_PARENT) {
		group = lane_set_add(self, LANE_GROUP, domain, group_id, "Tasks");
		lane_set_get(self, group)->folded = n_vcpus > 0;
	}
	lane = lane_for(self, reader, group, id, task, owner);
	lane_set_get(self, lane)->capacity = capacity;
	g_free(lane_set_get(self, lane)->whole);
	lane_set_get(self, lane)->whole = g_strdup_printf("%s / %s", domain_name, task);
}

/* "Tasks (12)": how many a closed group holds. */
static void count_tasks(struct lane_set *self)
{
	for (guint i = 0; i < self->lanes->len; i++) {
		struct lane *lane = lane_set_get(self, i);
		guint n = 0;

		if (!g_str_has_prefix(lane->id, "tasks/"))
			continue;
		for (guint k = i + 1; k < self->lanes->len; k++)
			n += lane_set_get(self, k)->parent == i;
		g_free(lane->name);
		lane->name = g_strdup_printf("Tasks (%u)", n);
	}
}

/* Domains in order of VMID, tasks in order of context ID. A domain is open at first where
 * it has vCPUs to show. */
static void add_domains(struct lane_set *self, const recording_reader *reader)
{
	gsize n;
	gsize n_vcpus;
	const struct row_owner *owners = recording_reader_owners(reader, &n);
	g_autofree guint *order = g_new0(guint, n + 1);
	struct names names;
	guint group;

	names_init(&names, reader);
	recording_reader_vcpus(reader, &n_vcpus);
	for (gsize i = 0; i < n; i++)
		order[i] = (guint)i;
	g_qsort_with_data(order, (gint)n, sizeof *order, compare_owners, (gpointer)owners);
	group = lane_set_add(self, LANE_GROUP, LANE_NO_PARENT, "domain", "Domains");
	for (gsize i = 0; i < n; i++) {
		const struct row_owner *owner = &owners[order[i]];
		g_autofree char *domain = names_domain(&names, owner);
		g_autofree char *task = names_task(&names, owner);
		g_autofree char *id = g_strdup_printf("domain/%s", domain);
		guint lane;

		if (!is_shown(owner))
			continue;
		lane = lane_for(self, reader, group, id, domain, order[i]);
		lane_set_get(self, lane)->folded = n_vcpus == 0;
		limit_capacity(self, reader, lane, owner);
		if (task != NULL)
			add_task(self, reader, lane, task, order[i]);
	}
	count_tasks(self);
}

void lane_set_init(struct lane_set *self, const recording_reader *reader)
{
	self->lanes = g_array_new(FALSE, TRUE, sizeof(struct lane));
	g_array_set_clear_func(self->lanes, lane_clear);
	add_cores(self, reader);
	add_domains(self, reader);
}

void lane_set_deinit(struct lane_set *self)
{
	g_clear_pointer(&self->lanes, g_array_unref);
}
