/* Several descriptions to one: the user's, and what was seen at several moments. */
#include "base/system-file-private.h"

#include <string.h>

/* A machine as one names file saw it. */
struct sight {
	const struct system_look *look;
	const struct system_machine *machine;
};

/* Tasks start in the same tick of the guest's clock when they are one; without that clock,
 * ticks of the trace within this are the same. */
static const gint64 same_start_ticks = 1000;

static struct system_task task_copy(const struct system_task *task)
{
	struct system_task copy = *task;

	copy.name = g_strdup(task->name);
	return copy;
}

static const struct system_task *task_of(const struct sight *sight, guint32 context_id)
{
	return system_machine_task_at(sight->machine, context_id, G_MAXINT64);
}

static gboolean is_same_task(const struct system_task *a, const struct system_task *b)
{
	if (a->start_key != 0 && b->start_key != 0)
		return a->start_key == b->start_key;
	if (a->has_start && b->has_start)
		return ABS(a->started_ticks - b->started_ticks) <= same_start_ticks;
	return strcmp(a->name, b->name) == 0;
}

/* The life of one context ID, written from look to look. */
struct life {
	GArray *out;                /* struct system_task */
	struct system_task current; /* while has_current */
	gboolean has_current;
	gint64 seen_ticks;   /* the last look that found it */
	gint64 looked_ticks; /* the last look that would have told; G_MININT64: none yet */
};

static void life_put(struct life *self, gint64 from_ticks, gint64 to_ticks, gboolean doubtful)
{
	struct system_task task = task_copy(&self->current);

	task.from_ticks = from_ticks;
	task.to_ticks = to_ticks;
	task.doubtful = doubtful;
	if (from_ticks < to_ticks)
		g_array_append_val(self->out, task);
	else
		g_free(task.name);
}

/* A look at `ticks` did not find it any more. Up to the moment it was seen last (that tick
 * included) it is sure; then it ended. */
static void life_end(struct life *self, gint64 ticks)
{
	if (!self->has_current)
		return;
	life_put(self, self->current.from_ticks, self->seen_ticks + 1, FALSE);
	life_put(self, MAX(self->current.from_ticks, self->seen_ticks + 1), ticks, TRUE);
	self->has_current = FALSE;
}

/* Without a start, a task that an earlier look did not find began some time since then. */
static void life_begin(struct life *self, const struct system_task *task, gint64 now_ticks)
{
	const gboolean since_ever = !task->has_start && self->looked_ticks == G_MININT64;
	const gboolean replaces = self->has_current;
	gint64 from_ticks = task->has_start ? task->started_ticks : now_ticks;

	life_end(self, from_ticks);
	if (self->out->len > 0)
		from_ticks = MAX(
			from_ticks,
			g_array_index(self->out, struct system_task, self->out->len - 1).to_ticks);
	self->current = *task;
	self->current.from_ticks = since_ever ? G_MININT64 : from_ticks;
	self->has_current = TRUE;
	if (!task->has_start && !replaces && !since_ever)
		life_put(self, self->looked_ticks + 1, now_ticks, TRUE);
}

static void life_see(struct life *self, const struct sight *sight, guint32 context_id)
{
	const struct system_task *task = task_of(sight, context_id);
	const gint64 now_ticks = sight->look->has_taken ? sight->look->taken_ticks : G_MININT64;

	if (task == NULL) {
		if (!sight->machine->partial) {
			life_end(self, now_ticks);
			self->looked_ticks = now_ticks;
		}
		return;
	}
	if (!self->has_current || !is_same_task(&self->current, task)) {
		life_begin(self, task, now_ticks);
	} else {
		/* One task may change its name; the last one is what it is called. */
		const gint64 from_ticks = self->current.from_ticks;

		self->current = *task;
		self->current.from_ticks = from_ticks;
	}
	self->seen_ticks = now_ticks;
	self->looked_ticks = now_ticks;
}

/* Where no names file knows of a task, the user's word stands. */
static void fill_holes(GArray *out, const struct system_task *said)
{
	const guint n = out->len;
	gint64 free_ticks = G_MININT64;

	for (guint i = 0; i <= n; i++) {
		const gint64 end_ticks =
			i < n ? g_array_index(out, struct system_task, i).from_ticks : G_MAXINT64;
		struct system_task task;

		if (free_ticks < end_ticks) {
			task = task_copy(said);
			task.from_ticks = free_ticks;
			task.to_ticks = end_ticks;
			g_array_append_val(out, task);
		}
		if (i < n)
			free_ticks = g_array_index(out, struct system_task, i).to_ticks;
	}
}

static void merge_context(struct system_machine *out, const GArray *sights,
                          const struct system_task *said, guint32 context_id)
{
	g_autoptr(GArray) tasks = g_array_new(FALSE, TRUE, sizeof(struct system_task));
	struct life life = { .out = tasks, .looked_ticks = G_MININT64 };

	for (guint i = 0; i < sights->len; i++)
		life_see(&life, &g_array_index(sights, struct sight, i), context_id);
	if (life.has_current)
		life_put(&life, life.current.from_ticks, G_MAXINT64, FALSE);
	if (said != NULL)
		fill_holes(tasks, said);
	g_array_append_vals(out->tasks, tasks->data, tasks->len);
}

static gint compare_ids(gconstpointer a, gconstpointer b)
{
	const guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;

	return (x > y) - (x < y);
}

static void collect_ids(GArray *ids, const struct system_machine *machine)
{
	for (guint i = 0; machine != NULL && i < machine->tasks->len; i++)
		g_array_append_val(ids,
		                   g_array_index(machine->tasks, struct system_task, i).context_id);
}

static void merge_tasks(struct system_machine *out, const GArray *sights,
                        const struct system_machine *user)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));

	collect_ids(ids, user);
	for (guint i = 0; i < sights->len; i++)
		collect_ids(ids, g_array_index(sights, struct sight, i).machine);
	g_array_sort(ids, compare_ids);
	for (guint i = 0; i < ids->len; i++) {
		const guint32 id = g_array_index(ids, guint32, i);

		if (i == 0 || id != g_array_index(ids, guint32, i - 1))
			merge_context(out, sights, system_machine_task_at(user, id, G_MAXINT64),
			              id);
	}
}

static gint compare_vcpus(gconstpointer a, gconstpointer b)
{
	const struct system_vcpu *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->taken_ticks > y->taken_ticks) - (x->taken_ticks < y->taken_ticks);
}

static void take_text(char **out, const char *text)
{
	if (*out == NULL)
		*out = g_strdup(text);
}

static void take_facts(struct system_machine *out, const struct system_machine *from)
{
	take_text(&out->name, from->name);
	take_text(&out->symbols, from->symbols);
	take_text(&out->image, from->image);
	take_text(&out->build_id, from->build_id);
	if (out->kind == MACHINE_KIND_UNSAID)
		out->kind = from->kind;
	if (out->vcpus == 0)
		out->vcpus = from->vcpus;
	out->writes_context_ids |= from->writes_context_ids;
	out->partial |= from->partial;
}

/* By VMID; the hypervisor has none. */
static const struct system_machine *counterpart(const struct system_file *file,
                                                const struct system_machine *machine)
{
	return machine->vmid == SYSTEM_NO_VALUE ? system_file_machine(file, machine->machine)
	                                        : system_file_machine_of_vmid(file, machine->vmid);
}

static guint free_number(const struct system_file *self, guint wanted)
{
	while (system_file_machine(self, wanted) != NULL)
		wanted = wanted % SYSTEM_MACHINES_MAX + 1;
	return wanted;
}

/* `machine` with all that the user and the names files say of it. */
static void merge_machine(struct system_file *self, const struct system_machine *machine,
                          const struct system_file *user, const struct system_file *const *names,
                          guint n_names)
{
	g_autoptr(GArray) sights = g_array_new(FALSE, FALSE, sizeof(struct sight));
	const struct system_machine *said = counterpart(user, machine);
	struct system_machine *out =
		system_file_add_machine(self, free_number(self, machine->machine));

	out->vmid = machine->vmid;
	if (said != NULL) {
		take_facts(out, said);
		system_machine_backend_copy(out, said);
	}
	for (guint i = 0; i < n_names; i++) {
		const struct system_machine *seen = counterpart(names[i], machine);
		const struct sight sight = {
			.look = &g_array_index(names[i]->looks, struct system_look, 0),
			.machine = seen,
		};

		if (seen == NULL)
			continue;
		take_facts(out, seen);
		g_array_append_val(sights, sight);
		g_array_append_vals(out->vcpu_states, seen->vcpu_states->data,
		                    seen->vcpu_states->len);
	}
	g_array_sort(out->vcpu_states, compare_vcpus);
	merge_tasks(out, sights, said);
}

static void merge_machines(struct system_file *self, const struct system_file *from,
                           const struct system_file *user, const struct system_file *const *names,
                           guint n_names)
{
	for (guint i = 0; from != NULL && i < from->machines->len; i++) {
		const struct system_machine *machine = from->machines->pdata[i];

		if (counterpart(self, machine) == NULL)
			merge_machine(self, machine, user, names, n_names);
	}
}

static void merge_system(struct system_file *self, const struct system_file *from)
{
	if (self->timestamp_hz == 0)
		self->timestamp_hz = from->timestamp_hz;
	if (self->core_names == NULL)
		self->core_names = g_strdupv(from->core_names);
	take_text(&self->hypervisor, from->hypervisor);
	take_text(&self->scheduler, from->scheduler);
	for (guint i = 0; i < from->looks->len; i++) {
		struct system_look look = g_array_index(from->looks, struct system_look, i);

		look.path = g_strdup(look.path);
		look.target = g_strdup(look.target);
		g_array_append_val(self->looks, look);
	}
}

static gint compare_looks(gconstpointer a, gconstpointer b)
{
	const struct system_file *x = *(const struct system_file *const *)a;
	const struct system_file *y = *(const struct system_file *const *)b;
	const struct system_look *first = &g_array_index(x->looks, struct system_look, 0);
	const struct system_look *second = &g_array_index(y->looks, struct system_look, 0);

	return (first->taken_ticks > second->taken_ticks) -
	       (first->taken_ticks < second->taken_ticks);
}

static gboolean looks_check(const struct system_file *const *names, guint n_names, GError **error)
{
	for (guint i = 0; i < n_names; i++) {
		const GArray *looks = names[i]->looks;
		const char *fault = NULL;

		if (looks->len != 1)
			fault = "no [names] group: it is not a names file, give it as the system "
				"file";
		else if (n_names > 1 && !g_array_index(looks, struct system_look, 0).has_taken)
			fault = "[names] does not say when it was taken; several names files "
				"cannot be told in order without it";
		if (fault != NULL) {
			g_set_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_VALUE, "%s: %s",
			            names[i]->path, fault);
			return FALSE;
		}
	}
	return TRUE;
}

struct system_file *system_file_merge(const struct system_file *user,
                                      const struct system_file *const *names, guint n_names,
                                      GError **error)
{
	g_autofree const struct system_file **sorted =
		g_memdup2(names, n_names * sizeof(struct system_file *));
	g_autoptr(system_file) self = NULL;

	if (!looks_check(names, n_names, error))
		return NULL;
	if (n_names > 1)
		qsort(sorted, n_names, sizeof(struct system_file *), compare_looks);
	self = system_file_new(user != NULL ? user->path : n_names > 0 ? sorted[0]->path : "");
	if (user != NULL)
		merge_system(self, user);
	for (guint i = 0; i < n_names; i++)
		merge_system(self, sorted[i]);
	merge_machines(self, user, user, sorted, n_names);
	for (guint i = 0; i < n_names; i++)
		merge_machines(self, sorted[i], user, sorted, n_names);
	system_file_sort(self);
	return g_steal_pointer(&self);
}

static gint compare_paths(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **system_file_find_names(const char *capture)
{
	g_autofree char *directory = g_file_test(capture, G_FILE_TEST_IS_DIR)
	                                     ? g_strdup(capture)
	                                     : g_path_get_dirname(capture);
	g_autoptr(GPtrArray) paths = g_ptr_array_new();
	GDir *dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		if (strcmp(name, "names.ini") == 0 ||
		    (g_str_has_prefix(name, "names-") && g_str_has_suffix(name, ".ini")))
			g_ptr_array_add(paths, g_build_filename(directory, name, NULL));
	}
	if (dir != NULL)
		g_dir_close(dir);
	g_ptr_array_sort(paths, compare_paths);
	g_ptr_array_add(paths, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
}

static void free_file(gpointer file)
{
	system_file_free(file);
}

struct system_file *system_file_load_with_names(const char *path, const char *const *names_paths,
                                                GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(free_file);
	g_autoptr(system_file) user = NULL;

	if (path != NULL && (user = system_file_load(path, error)) == NULL)
		return NULL;
	/* A names file is one whatever it is given as. */
	if (user != NULL && user->looks->len > 0)
		g_ptr_array_add(names, g_steal_pointer(&user));
	for (guint i = 0; names_paths != NULL && names_paths[i] != NULL; i++) {
		struct system_file *file = system_file_load(names_paths[i], error);

		if (file == NULL)
			return NULL;
		g_ptr_array_add(names, file);
	}
	return system_file_merge(user, (const struct system_file *const *)names->pdata, names->len,
	                         error);
}
