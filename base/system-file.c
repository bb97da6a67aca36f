#include "base/system-file.h"

#include "base/suggest.h"

#include <string.h>

G_DEFINE_QUARK(system - file - error - quark, system_file_error)

enum {
	VMID_MAX = 65535,
	VCPUS_MAX = 4096,
	MACHINES_MAX = 65535
};

static const guint64 timestamp_hz_max = 1000000000000;

static const char *const system_keys[] = { "timestamp_hz", "core_names", "hypervisor", "scheduler",
	                                   NULL };
static const char *const machine_keys[] = { "name",    "kind",  "vmid",  "vcpus",
	                                    "symbols", "image", "tasks", NULL };
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
	g_array_unref(self->tasks);
	g_free(self);
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
	g_free(self);
}

/* Where a value stands, for messages and for reading it. */
struct place {
	const struct system_file *file;
	GKeyFile *keys;
	const char *group;
};

static gboolean fail(const struct place *at, const char *key, enum system_file_error code,
                     GError **error, const char *format, ...) G_GNUC_PRINTF(5, 6);

/* "FILE: [GROUP] KEY: ..."; always FALSE. */
static gboolean fail(const struct place *at, const char *key, enum system_file_error code,
                     GError **error, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, SYSTEM_FILE_ERROR, code, "%s: [%s]%s%s: %s", at->file->path, at->group,
	            key != NULL ? " " : "", key != NULL ? key : "", message);
	return FALSE;
}

/* "did you mean 'x'?" or the list of what is known. Free the result. */
static char *hint_for(const char *word, const char *const *known)
{
	const char *nearest = suggest_nearest(word, known);
	g_autofree char *list = NULL;

	if (nearest != NULL)
		return g_strdup_printf("did you mean '%s'?", nearest);
	list = g_strjoinv(", ", (char **)known);
	return g_strdup_printf("known are %s", list);
}

static gboolean keys_check(const struct place *at, const char *const *known, GError **error)
{
	g_auto(GStrv) keys = g_key_file_get_keys(at->keys, at->group, NULL, error);

	if (keys == NULL)
		return FALSE;
	for (gsize i = 0; keys[i] != NULL; i++) {
		if (!g_strv_contains(known, keys[i])) {
			g_autofree char *hint = hint_for(keys[i], known);

			return fail(at, NULL, SYSTEM_FILE_ERROR_UNKNOWN, error,
			            "unknown key '%s', %s", keys[i], hint);
		}
	}
	return TRUE;
}

/* Decimal, or hexadecimal after 0x. */
static gboolean number_parse(const char *text, guint64 max, guint64 *out)
{
	const gboolean hex = g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X");

	return g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, max, out, NULL);
}

/* TRUE with *out untouched where the key is absent. */
static gboolean read_number(const struct place *at, const char *key, guint64 min, guint64 max,
                            guint64 *out, GError **error)
{
	g_autofree char *text = g_key_file_get_value(at->keys, at->group, key, NULL);
	guint64 value = 0;

	if (text == NULL)
		return TRUE;
	if (!number_parse(g_strchomp(text), max, &value) || value < min) {
		return fail(at, key, SYSTEM_FILE_ERROR_VALUE, error,
		            "expected a whole number from %" G_GUINT64_FORMAT
		            " to %" G_GUINT64_FORMAT ", found '%s'",
		            min, max, text);
	}
	*out = value;
	return TRUE;
}

/* TRUE with *out untouched where the key is absent; an empty value is an error. */
static gboolean read_text(const struct place *at, const char *key, char **out, GError **error)
{
	g_autoptr(GError) cause = NULL;
	char *text;

	if (!g_key_file_has_key(at->keys, at->group, key, NULL))
		return TRUE;
	text = g_key_file_get_string(at->keys, at->group, key, &cause);
	if (text == NULL)
		return fail(at, key, SYSTEM_FILE_ERROR_VALUE, error, "%s", cause->message);
	if (*g_strchomp(text) == '\0') {
		g_free(text);
		return fail(at, key, SYSTEM_FILE_ERROR_VALUE, error, "the value is empty");
	}
	g_free(*out);
	*out = text;
	return TRUE;
}

static gboolean read_choice(const struct place *at, const char *key, const char *const *known,
                            char **out, GError **error)
{
	g_autofree char *text = NULL;

	if (!read_text(at, key, &text, error))
		return FALSE;
	if (text != NULL && !g_strv_contains(known, text)) {
		g_autofree char *hint = hint_for(text, known);

		return fail(at, key, SYSTEM_FILE_ERROR_VALUE, error, "unknown value '%s', %s", text,
		            hint);
	}
	*out = g_steal_pointer(&text);
	return TRUE;
}

static gboolean read_path(const struct place *at, const char *key, char **out, GError **error)
{
	g_autofree char *text = NULL;
	g_autofree char *directory = g_path_get_dirname(at->file->path);

	if (!read_text(at, key, &text, error))
		return FALSE;
	if (text == NULL)
		return TRUE;
	*out = g_path_is_absolute(text) ? g_steal_pointer(&text)
	                                : g_build_filename(directory, text, NULL);
	return TRUE;
}

/* TRUE with *out NULL where the key is absent. */
static gboolean read_list(const struct place *at, const char *key, char ***out, GError **error)
{
	g_autoptr(GError) cause = NULL;

	*out = NULL;
	if (!g_key_file_has_key(at->keys, at->group, key, NULL))
		return TRUE;
	*out = g_key_file_get_string_list(at->keys, at->group, key, NULL, &cause);
	return *out != NULL || fail(at, key, SYSTEM_FILE_ERROR_VALUE, error, "%s", cause->message);
}

static gboolean system_read(const struct place *at, struct system_file *self, GError **error)
{
	if (!keys_check(at, system_keys, error) ||
	    !read_number(at, "timestamp_hz", 1, timestamp_hz_max, &self->timestamp_hz, error) ||
	    !read_choice(at, "hypervisor", hypervisor_names, &self->hypervisor, error) ||
	    !read_text(at, "scheduler", &self->scheduler, error) ||
	    !read_list(at, "core_names", &self->core_names, error))
		return FALSE;
	for (gsize i = 0; self->core_names != NULL && self->core_names[i] != NULL; i++) {
		if (*g_strstrip(self->core_names[i]) == '\0')
			return fail(at, "core_names", SYSTEM_FILE_ERROR_VALUE, error,
			            "the name of core %" G_GSIZE_FORMAT " is empty", i);
	}
	return TRUE;
}

static gint task_compare(gconstpointer a, gconstpointer b)
{
	const guint32 id_a = ((const struct system_task *)a)->context_id;
	const guint32 id_b = ((const struct system_task *)b)->context_id;

	return (id_a > id_b) - (id_a < id_b);
}

/* "97:calc" */
static gboolean task_parse(const char *item, struct system_task *out)
{
	g_auto(GStrv) parts = g_strsplit(item, ":", 2);
	guint64 id = 0;

	if (g_strv_length(parts) != 2 || !number_parse(g_strstrip(parts[0]), G_MAXUINT32, &id) ||
	    *g_strstrip(parts[1]) == '\0')
		return FALSE;
	*out = (struct system_task) { .context_id = (guint32)id, .name = g_strdup(parts[1]) };
	return TRUE;
}

/* "97:calc;98:io" */
static gboolean tasks_read(const struct place *at, GArray *tasks, GError **error)
{
	g_auto(GStrv) items = NULL;

	if (!read_list(at, "tasks", &items, error))
		return FALSE;
	for (gsize i = 0; items != NULL && items[i] != NULL; i++) {
		struct system_task task;

		if (!task_parse(items[i], &task))
			return fail(at, "tasks", SYSTEM_FILE_ERROR_VALUE, error,
			            "expected CONTEXT-ID:NAME, as in 97:calc;98:io, found '%s'",
			            items[i]);
		g_array_append_val(tasks, task);
	}
	g_array_sort(tasks, task_compare);
	for (guint i = 1; i < tasks->len; i++) {
		const struct system_task *task = &g_array_index(tasks, struct system_task, i);

		if (task[-1].context_id == task->context_id)
			return fail(at, "tasks", SYSTEM_FILE_ERROR_VALUE, error,
			            "context ID %u has two names, '%s' and '%s'", task->context_id,
			            task[-1].name, task->name);
	}
	return TRUE;
}

static gboolean vmid_read(const struct place *at, struct system_machine *machine, GError **error)
{
	guint64 vmid = machine->machine;

	if (!read_number(at, "vmid", 0, VMID_MAX, &vmid, error))
		return FALSE;
	if (machine->machine != 0) {
		machine->vmid = (gint)vmid;
		return TRUE;
	}
	machine->vmid = SYSTEM_NO_VALUE;
	if (vmid != 0)
		return fail(at, "vmid", SYSTEM_FILE_ERROR_VALUE, error,
		            "machine 0 is the hypervisor, which no VMID marks; number the virtual "
		            "machine from 1");
	return TRUE;
}

static gboolean machine_read(const struct place *at, struct system_machine *machine, GError **error)
{
	g_autofree char *kind = NULL;
	guint64 vcpus = 0;

	if (!keys_check(at, machine_keys, error) || !read_text(at, "name", &machine->name, error) ||
	    !read_choice(at, "kind", kind_names, &kind, error) || !vmid_read(at, machine, error) ||
	    !read_number(at, "vcpus", 1, VCPUS_MAX, &vcpus, error) ||
	    !read_path(at, "symbols", &machine->symbols, error) ||
	    !read_path(at, "image", &machine->image, error))
		return FALSE;
	machine->vcpus = (guint)vcpus;
	for (guint i = 0; kind != NULL && kind_names[i] != NULL; i++) {
		if (strcmp(kind, kind_names[i]) == 0)
			machine->kind = MACHINE_KIND_XEN + i;
	}
	return tasks_read(at, machine->tasks, error);
}

/* "machine 3" gives 3. */
static gboolean machine_number(const char *group, guint *number)
{
	guint64 value = 0;

	if (!g_str_has_prefix(group, "machine ") ||
	    !g_ascii_string_to_unsigned(group + strlen("machine "), 10, 0, MACHINES_MAX, &value,
	                                NULL))
		return FALSE;
	*number = (guint)value;
	return TRUE;
}

static gboolean group_unknown(const struct system_file *self, const char *group, GError **error)
{
	g_autofree char *lower = g_ascii_strdown(group, -1);
	const char *digits = lower + strcspn(lower, "0123456789");
	g_autofree char *word = g_strchomp(g_strndup(lower, (gsize)(digits - lower)));
	static const char *const words[] = { "system", "machine", NULL };
	const char *nearest = suggest_nearest(word, words);

	if (nearest == words[0])
		digits = "";
	else if (nearest == words[1] && *digits == '\0')
		digits = "N";
	g_set_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_UNKNOWN,
	            "%s: unknown group [%s], %s%s%s%s%s", self->path, group,
	            nearest != NULL ? "did you mean [" : "known are [system] and [machine N]",
	            nearest != NULL ? nearest : "", nearest != NULL && *digits != '\0' ? " " : "",
	            nearest != NULL ? digits : "", nearest != NULL ? "]?" : "");
	return FALSE;
}

static gboolean group_read(struct system_file *self, GKeyFile *keys, const char *group,
                           GError **error)
{
	const struct place at = { .file = self, .keys = keys, .group = group };
	struct system_machine *machine;
	guint number = 0;

	if (strcmp(group, "system") == 0)
		return system_read(&at, self, error);
	if (!machine_number(group, &number))
		return group_unknown(self, group, error);
	if (system_file_machine(self, number) != NULL)
		return fail(&at, NULL, SYSTEM_FILE_ERROR_SYNTAX, error,
		            "machine %u is described twice", number);
	machine = g_new0(struct system_machine, 1);
	machine->machine = number;
	machine->tasks = g_array_new(FALSE, TRUE, sizeof(struct system_task));
	g_array_set_clear_func(machine->tasks, task_clear);
	g_ptr_array_add(self->machines, machine);
	return machine_read(&at, machine, error);
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

struct system_file *system_file_parse(const char *text, gsize length, const char *path,
                                      GError **error)
{
	g_autoptr(system_file) self = g_new0(struct system_file, 1);
	g_autoptr(GKeyFile) keys = g_key_file_new();
	g_autofree char *copy = g_strndup(text, length);
	g_autoptr(GError) cause = NULL;
	g_auto(GStrv) groups = NULL;

	self->path = g_strdup(path);
	self->machines = g_ptr_array_new_with_free_func(machine_free);
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
	g_ptr_array_sort(self->machines, machine_compare);
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

const char *system_machine_task(const struct system_machine *machine, gint64 context_id)
{
	for (guint i = 0; machine != NULL && i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);

		if (task->context_id == context_id)
			return task->name;
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
