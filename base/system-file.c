#include "base/system-file-private.h"

#include "base/suggest.h"

#include <string.h>

G_DEFINE_QUARK(system - file - error - quark, system_file_error)

static const guint64 timestamp_hz_max = 1000000000000;

static const char *const system_keys[] = { "timestamp_hz", "core_names", "hypervisor", "scheduler",
	                                   NULL };
static const char *const machine_keys[] = { "name",    "kind",         "vmid",
	                                    "vcpus",   "symbols",      "image",
	                                    "tasks",   "build_id",     "contextidr",
	                                    "partial", "backend",      "backend_tasks",
	                                    "notify",  "stm_channels", NULL };
static const char *const contextidr_words[] = { "tid", "unknown", NULL };
static const char *const truth_words[] = { "true", "false", NULL };
static const char *const kind_names[] = { "xen", "linux", "freertos", "bare", NULL };
static const char *const hypervisor_names[] = { "xen",    "kvm",  "jailhouse", "bao",
	                                        "xvisor", "none", "other",     NULL };

const char *machine_kind_name(enum machine_kind kind)
{
	return kind == MACHINE_KIND_UNSAID ? NULL : kind_names[kind - MACHINE_KIND_XEN];
}

static void task_clear(gpointer task)
{
	g_free(((struct system_task *)task)->name);
}

static void machine_free(gpointer machine)
{
	struct system_machine *self = machine;

	g_free(self->name);
	g_free(self->symbols);
	g_free(self->image);
	g_free(self->build_id);
	g_array_unref(self->tasks);
	g_array_unref(self->vcpu_states);
	system_machine_backend_deinit(self);
	g_free(self);
}

static void look_clear(gpointer look)
{
	g_free(((struct system_look *)look)->path);
	g_free(((struct system_look *)look)->target);
}

struct system_file *system_file_new(const char *path)
{
	struct system_file *self = g_new0(struct system_file, 1);

	self->path = g_strdup(path);
	self->machines = g_ptr_array_new_with_free_func(machine_free);
	self->looks = g_array_new(FALSE, TRUE, sizeof(struct system_look));
	g_array_set_clear_func(self->looks, look_clear);
	return self;
}

struct system_machine *system_file_add_machine(struct system_file *self, guint number)
{
	struct system_machine *machine = g_new0(struct system_machine, 1);

	machine->machine = number;
	machine->vmid = number == 0 ? SYSTEM_NO_VALUE : (gint)number;
	machine->tasks = g_array_new(FALSE, TRUE, sizeof(struct system_task));
	g_array_set_clear_func(machine->tasks, task_clear);
	machine->vcpu_states = g_array_new(FALSE, TRUE, sizeof(struct system_vcpu));
	system_machine_backend_init(machine);
	g_ptr_array_add(self->machines, machine);
	return machine;
}

void system_file_free(struct system_file *self)
{
	if (self == NULL)
		return;
	g_free(self->path);
	g_strfreev(self->core_names);
	g_free(self->hypervisor);
	g_free(self->scheduler);
	g_ptr_array_unref(self->machines);
	g_array_unref(self->looks);
	g_free(self);
}

static gboolean system_read(const struct place *at, struct system_file *self, GError **error)
{
	if (!place_keys_check(at, system_keys, error) ||
	    !place_number(at, "timestamp_hz", 1, timestamp_hz_max, &self->timestamp_hz, error) ||
	    !place_choice(at, "hypervisor", hypervisor_names, &self->hypervisor, error) ||
	    !place_text(at, "scheduler", &self->scheduler, error) ||
	    !place_list(at, "core_names", &self->core_names, error))
		return FALSE;
	for (gsize i = 0; self->core_names != NULL && self->core_names[i] != NULL; i++) {
		if (*g_strstrip(self->core_names[i]) == '\0')
			return place_fail(at, "core_names", SYSTEM_FILE_ERROR_VALUE, error,
			                  "the name of core %" G_GSIZE_FORMAT " is empty", i);
	}
	return TRUE;
}

gint system_task_compare(gconstpointer a, gconstpointer b)
{
	const struct system_task *x = a, *y = b;

	if (x->context_id != y->context_id)
		return x->context_id < y->context_id ? -1 : 1;
	return (x->from_ticks > y->from_ticks) - (x->from_ticks < y->from_ticks);
}

/* "97:calc" */
static gboolean task_parse(const char *item, struct system_task *out)
{
	g_auto(GStrv) parts = g_strsplit(item, ":", 2);
	guint64 id = 0;

	if (g_strv_length(parts) != 2 ||
	    !place_number_parse(g_strstrip(parts[0]), G_MAXUINT32, &id) ||
	    *g_strstrip(parts[1]) == '\0')
		return FALSE;
	*out = (struct system_task) {
		.context_id = (guint32)id,
		.name = g_strdup(parts[1]),
		.pid = SYSTEM_NO_VALUE,
		.cpu = SYSTEM_NO_VALUE,
		.from_ticks = G_MININT64,
		.to_ticks = G_MAXINT64,
	};
	return TRUE;
}

/* "97:calc;98:io" */
static gboolean tasks_read(const struct place *at, GArray *tasks, GError **error)
{
	g_auto(GStrv) items = NULL;

	if (!place_list(at, "tasks", &items, error))
		return FALSE;
	for (gsize i = 0; items != NULL && items[i] != NULL; i++) {
		struct system_task task;

		if (!task_parse(items[i], &task))
			return place_fail(
				at, "tasks", SYSTEM_FILE_ERROR_VALUE, error,
				"expected CONTEXT-ID:NAME, as in 97:calc;98:io, found '%s'",
				items[i]);
		g_array_append_val(tasks, task);
	}
	g_array_sort(tasks, system_task_compare);
	for (guint i = 1; i < tasks->len; i++) {
		const struct system_task *task = &g_array_index(tasks, struct system_task, i);

		if (task[-1].context_id == task->context_id)
			return place_fail(at, "tasks", SYSTEM_FILE_ERROR_VALUE, error,
			                  "context ID %u has two names, '%s' and '%s'",
			                  task->context_id, task[-1].name, task->name);
	}
	return TRUE;
}

static gboolean vmid_read(const struct place *at, struct system_machine *machine, GError **error)
{
	guint64 vmid = machine->machine;

	if (!place_number(at, "vmid", 0, SYSTEM_VMID_MAX, &vmid, error))
		return FALSE;
	if (machine->machine != 0) {
		machine->vmid = (gint)vmid;
		return TRUE;
	}
	machine->vmid = SYSTEM_NO_VALUE;
	if (vmid != 0)
		return place_fail(
			at, "vmid", SYSTEM_FILE_ERROR_VALUE, error,
			"machine 0 is the hypervisor, which no VMID marks; number the virtual "
			"machine from 1");
	return TRUE;
}

static gboolean build_id_read(const struct place *at, struct system_machine *machine,
                              GError **error)
{
	if (!place_text(at, "build_id", &machine->build_id, error))
		return FALSE;
	for (const char *c = machine->build_id; c != NULL && *c != '\0'; c++) {
		if (!g_ascii_isxdigit(*c) || g_ascii_isupper(*c))
			return place_fail(at, "build_id", SYSTEM_FILE_ERROR_VALUE, error,
			                  "expected lower-case hexadecimal digits, found '%s'",
			                  machine->build_id);
	}
	return TRUE;
}

static gboolean machine_read(const struct place *at, struct system_machine *machine, GError **error)
{
	g_autofree char *kind = NULL;
	g_autofree char *contextidr = NULL;
	g_autofree char *partial = NULL;
	guint64 vcpus = 0;

	if (!place_keys_check(at, machine_keys, error) ||
	    !place_text(at, "name", &machine->name, error) ||
	    !place_choice(at, "kind", kind_names, &kind, error) || !vmid_read(at, machine, error) ||
	    !place_number(at, "vcpus", 1, SYSTEM_VCPUS_MAX, &vcpus, error) ||
	    !place_path(at, "symbols", &machine->symbols, error) ||
	    !place_path(at, "image", &machine->image, error) ||
	    !build_id_read(at, machine, error) ||
	    !place_choice(at, "contextidr", contextidr_words, &contextidr, error) ||
	    !place_choice(at, "partial", truth_words, &partial, error))
		return FALSE;
	machine->vcpus = (guint)vcpus;
	machine->writes_context_ids = g_strcmp0(contextidr, "tid") == 0;
	machine->partial = g_strcmp0(partial, "true") == 0;
	for (guint i = 0; kind != NULL && kind_names[i] != NULL; i++) {
		if (strcmp(kind, kind_names[i]) == 0)
			machine->kind = MACHINE_KIND_XEN + i;
	}
	return system_machine_backend_read(at, machine, error) &&
	       tasks_read(at, machine->tasks, error);
}

/* The groups that stand once a machine, "machine 3" and its like. */
enum machine_group {
	GROUP_MACHINE,
	GROUP_TASKS,
	GROUP_VCPUS,
	MACHINE_GROUPS
};

static const char *const group_words[] = { "machine", "tasks", "vcpus", "system", "names", NULL };

/* "tasks 3" gives GROUP_TASKS and 3. */
static gboolean machine_group_parse(const char *group, enum machine_group *kind, guint *number)
{
	const char *space = strchr(group, ' ');
	guint64 value = 0;

	if (space == NULL ||
	    !g_ascii_string_to_unsigned(space + 1, 10, 0, SYSTEM_MACHINES_MAX, &value, NULL))
		return FALSE;
	for (guint i = 0; i < MACHINE_GROUPS; i++) {
		if (strlen(group_words[i]) == (gsize)(space - group) &&
		    strncmp(group, group_words[i], (gsize)(space - group)) == 0) {
			*kind = (enum machine_group)i;
			*number = (guint)value;
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean group_unknown(const struct system_file *self, const char *group, GError **error)
{
	g_autofree char *lower = g_ascii_strdown(group, -1);
	const char *digits = lower + strcspn(lower, "0123456789");
	g_autofree char *word = g_strchomp(g_strndup(lower, (gsize)(digits - lower)));
	const char *nearest = suggest_nearest(word, group_words);

	if (nearest == group_words[GROUP_MACHINE] || nearest == group_words[GROUP_TASKS] ||
	    nearest == group_words[GROUP_VCPUS])
		digits = *digits == '\0' ? "N" : digits;
	else
		digits = "";
	g_set_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_UNKNOWN,
	            "%s: unknown group [%s], %s%s%s%s%s", self->path, group,
	            nearest != NULL ? "did you mean ["
	                            : "known are [system] and [machine N], and in a names file "
	                              "[names], [tasks N] and [vcpus N]",
	            nearest != NULL ? nearest : "", nearest != NULL && *digits != '\0' ? " " : "",
	            nearest != NULL ? digits : "", nearest != NULL ? "]?" : "");
	return FALSE;
}

/* Groups that need no machine, and the machines themselves. */
static gboolean group_read(struct system_file *self, GKeyFile *keys, const char *group,
                           GError **error)
{
	const struct place at = { .file = self, .keys = keys, .group = group };
	enum machine_group kind;
	guint number = 0;

	if (strcmp(group, "system") == 0)
		return system_read(&at, self, error);
	if (strcmp(group, "names") == 0)
		return names_read(&at, self, error);
	if (!machine_group_parse(group, &kind, &number))
		return group_unknown(self, group, error);
	if (kind != GROUP_MACHINE)
		return TRUE;
	if (system_file_machine(self, number) != NULL)
		return place_fail(&at, NULL, SYSTEM_FILE_ERROR_SYNTAX, error,
		                  "machine %u is described twice", number);
	return machine_read(&at, system_file_add_machine(self, number), error);
}

/* What belongs to a machine, once all machines are there. */
static gboolean detail_read(struct system_file *self, GKeyFile *keys, const char *group,
                            GError **error)
{
	const struct place at = { .file = self, .keys = keys, .group = group };
	struct system_machine *machine = NULL;
	enum machine_group kind;
	guint number = 0;

	if (!machine_group_parse(group, &kind, &number))
		return TRUE;
	for (guint i = 0; i < self->machines->len && machine == NULL; i++) {
		machine = g_ptr_array_index(self->machines, i);
		machine = machine->machine == number ? machine : NULL;
	}
	if (machine == NULL)
		return place_fail(&at, NULL, SYSTEM_FILE_ERROR_VALUE, error,
		                  "there is no [machine %u]", number);
	if (kind == GROUP_MACHINE)
		return system_machine_backend_check(&at, machine, error);
	return kind == GROUP_TASKS ? names_tasks_read(&at, machine, error)
	                           : names_vcpus_read(&at, machine, error);
}

/* GKeyFile merges groups and lets the last of two equal keys win: here both are slips. */
static gboolean twice_check(const struct system_file *self, const char *text, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *group = g_strdup("");

	for (guint i = 0; lines[i] != NULL; i++) {
		char *line = g_strstrip(lines[i]);
		g_autofree char *item = NULL;

		if (*line == '\0' || *line == '#')
			continue;
		if (*line == '[') {
			g_free(group);
			group = g_strdup(line);
			item = g_strdup(line);
		} else {
			line[strcspn(line, "=")] = '\0';
			item = g_strdup_printf("%s %s", group, g_strchomp(line));
		}
		if (g_hash_table_contains(seen, item)) {
			g_set_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_SYNTAX,
			            "%s:%u: %s is there a second time; keep one", self->path, i + 1,
			            item);
			return FALSE;
		}
		g_hash_table_add(seen, g_steal_pointer(&item));
	}
	return TRUE;
}

static gboolean vmids_check(const struct system_file *self, GError **error)
{
	for (guint i = 0; i < self->machines->len; i++) {
		const struct system_machine *machine = g_ptr_array_index(self->machines, i);
		const struct system_machine *first =
			system_file_machine_of_vmid(self, machine->vmid);

		if (machine->vmid != SYSTEM_NO_VALUE && first != machine) {
			g_set_error(
				error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_VALUE,
				"%s: [machine %u] and [machine %u] both have VMID %d (machine N "
				"has VMID N unless vmid says otherwise)",
				self->path, first->machine, machine->machine, machine->vmid);
			return FALSE;
		}
	}
	return TRUE;
}

static gint machine_compare(gconstpointer a, gconstpointer b)
{
	const struct system_machine *x = *(const struct system_machine *const *)a;
	const struct system_machine *y = *(const struct system_machine *const *)b;

	return (x->machine > y->machine) - (x->machine < y->machine);
}

void system_file_sort(struct system_file *self)
{
	g_ptr_array_sort(self->machines, machine_compare);
	for (guint i = 0; i < self->machines->len; i++) {
		const struct system_machine *machine = self->machines->pdata[i];

		g_array_sort(machine->tasks, system_task_compare);
	}
}

struct system_file *system_file_parse(const char *text, gsize length, const char *path,
                                      GError **error)
{
	g_autoptr(system_file) self = system_file_new(path);
	g_autoptr(GKeyFile) keys = g_key_file_new();
	g_autofree char *copy = g_strndup(text, length);
	g_autoptr(GError) cause = NULL;
	g_auto(GStrv) groups = NULL;

	if (!g_key_file_load_from_data(keys, text, length, G_KEY_FILE_NONE, &cause)) {
		g_set_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_SYNTAX,
		            "%s: not a system file: %s", path, cause->message);
		return NULL;
	}
	if (!twice_check(self, copy, error))
		return NULL;
	groups = g_key_file_get_groups(keys, NULL);
	for (gsize i = 0; groups[i] != NULL; i++) {
		if (!group_read(self, keys, groups[i], error))
			return NULL;
	}
	for (gsize i = 0; groups[i] != NULL; i++) {
		if (!detail_read(self, keys, groups[i], error))
			return NULL;
	}
	names_finish(self);
	system_file_sort(self);
	if (!vmids_check(self, error))
		return NULL;
	return g_steal_pointer(&self);
}

struct system_file *system_file_load(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) cause = NULL;
	gsize length;

	if (!g_file_get_contents(path, &text, &length, &cause)) {
		g_set_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_READ,
		            "%s: cannot read the system file: %s", path, cause->message);
		return NULL;
	}
	return system_file_parse(text, length, path, error);
}

gboolean system_file_is_xen(const struct system_file *self)
{
	return self != NULL && g_strcmp0(self->hypervisor, "xen") == 0;
}

const struct system_machine *system_file_machine(const struct system_file *self, guint machine)
{
	for (guint i = 0; self != NULL && i < self->machines->len; i++) {
		const struct system_machine *candidate = g_ptr_array_index(self->machines, i);

		if (candidate->machine == machine)
			return candidate;
	}
	return NULL;
}

const struct system_machine *system_file_machine_of_vmid(const struct system_file *self,
                                                         gint64 vmid)
{
	for (guint i = 0; self != NULL && vmid >= 0 && i < self->machines->len; i++) {
		const struct system_machine *candidate = g_ptr_array_index(self->machines, i);

		if (candidate->vmid == vmid)
			return candidate;
	}
	return NULL;
}

/* The first task of that context ID or a later one; the number of tasks where none is. */
static guint first_of(const GArray *tasks, gint64 context_id)
{
	guint low = 0, high = tasks->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(tasks, struct system_task, middle).context_id < context_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *system_machine_task(const struct system_machine *machine, gint64 context_id)
{
	const char *name = NULL;

	for (guint i = machine != NULL ? first_of(machine->tasks, context_id) : 0;
	     machine != NULL && i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);

		if (task->context_id != context_id)
			break;
		name = task->name;
	}
	return name;
}

const struct system_task *system_machine_task_at(const struct system_machine *machine,
                                                 gint64 context_id, gint64 ticks)
{
	for (guint i = machine != NULL ? first_of(machine->tasks, context_id) : 0;
	     machine != NULL && i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);

		if (task->context_id != context_id)
			return NULL;
		if (ticks >= task->from_ticks &&
		    (ticks < task->to_ticks || task->to_ticks == G_MAXINT64))
			return task;
	}
	return NULL;
}

char *label_of_vmid(gint64 vmid, gboolean is_xen)
{
	if (is_xen && vmid > 0)
		return g_strdup_printf("domain %" G_GINT64_FORMAT, vmid - 1);
	return g_strdup_printf("VMID %" G_GINT64_FORMAT, vmid);
}

char *label_of_context(gint64 context_id)
{
	return g_strdup_printf("context %" G_GINT64_FORMAT, context_id);
}

char *system_file_domain_label(const struct system_file *self, gint64 vmid)
{
	const struct system_machine *machine = system_file_machine_of_vmid(self, vmid);

	if (machine != NULL && machine->name != NULL)
		return g_strdup(machine->name);
	return label_of_vmid(vmid, system_file_is_xen(self));
}

char *system_file_task_label(const struct system_machine *machine, gint64 context_id)
{
	const char *name = system_machine_task(machine, context_id);

	return name != NULL ? g_strdup(name) : label_of_context(context_id);
}
