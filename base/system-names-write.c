/* A names file out of what was seen. */
#include "base/system-file-private.h"

#include <string.h>

/* Key files know no control characters, and names from a target may hold any. */
static char *clean(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text != NULL ? text : "", -1);

	for (char *c = valid; *c != '\0'; c++) {
		if (g_ascii_iscntrl(*c))
			*c = '?';
	}
	g_strstrip(valid);
	return *valid != '\0' ? g_steal_pointer(&valid) : g_strdup("?");
}

static void add_word(GPtrArray *words, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_word(GPtrArray *words, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(words, g_strdup_vprintf(format, args));
	va_end(args);
}

static void put_words(GKeyFile *keys, const char *group, guint number, const GPtrArray *words)
{
	g_autofree char *key = g_strdup_printf("%u", number);
	g_autofree char *value = NULL;

	g_key_file_set_string_list(keys, group, key, (const char *const *)words->pdata, words->len);
	value = g_key_file_get_value(keys, group, key, NULL);
	if (value != NULL && words->len > 0) {
		/* The list's last separator is not needed. */
		value[strlen(value) - 1] = '\0';
		g_key_file_set_value(keys, group, key, value);
	}
}

static void put_text(GKeyFile *keys, const char *group, const char *key, const char *text)
{
	g_autofree char *value = text != NULL ? clean(text) : NULL;

	if (value != NULL)
		g_key_file_set_string(keys, group, key, value);
}

static void put_task(GKeyFile *keys, const char *group, const struct system_task *task)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(words, clean(task->name));
	if (task->pid != SYSTEM_NO_VALUE)
		add_word(words, "pid=%" G_GINT64_FORMAT, task->pid);
	if (task->is_kernel)
		add_word(words, "kernel");
	if (task->cpu != SYSTEM_NO_VALUE)
		add_word(words, "cpu=%d", task->cpu);
	if (task->has_start)
		add_word(words, "start=%" G_GINT64_FORMAT, task->started_ticks);
	if (task->start_key != 0)
		add_word(words, "start_key=%" G_GUINT64_FORMAT, task->start_key);
	put_words(keys, group, task->context_id, words);
}

static void put_vcpu(GKeyFile *keys, const char *group, const struct system_vcpu *vcpu)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	if (vcpu->has_pc)
		add_word(words, "pc=0x%" G_GINT64_MODIFIER "x", vcpu->pc_va);
	if (vcpu->el != SYSTEM_NO_VALUE)
		add_word(words, "el=%d", vcpu->el);
	if (vcpu->context_id != SYSTEM_NO_VALUE)
		add_word(words, "context_id=%" G_GINT64_FORMAT, vcpu->context_id);
	if (vcpu->live)
		add_word(words, "live");
	if (vcpu->pcpu != SYSTEM_NO_VALUE)
		add_word(words, "pcpu=%d", vcpu->pcpu);
	put_words(keys, group, vcpu->number, words);
}

static void put_machine(GKeyFile *keys, const struct system_machine *machine)
{
	g_autofree char *group = g_strdup_printf("machine %u", machine->machine);
	g_autofree char *tasks = g_strdup_printf("tasks %u", machine->machine);
	g_autofree char *vcpus = g_strdup_printf("vcpus %u", machine->machine);

	put_text(keys, group, "name", machine->name != NULL ? machine->name : "?");
	put_text(keys, group, "kind", machine_kind_name(machine->kind));
	if (machine->machine != 0 && machine->vmid != (gint)machine->machine)
		g_key_file_set_integer(keys, group, "vmid", machine->vmid);
	if (machine->vcpus > 0)
		g_key_file_set_integer(keys, group, "vcpus", (gint)machine->vcpus);
	put_text(keys, group, "build_id", machine->build_id);
	put_text(keys, group, "symbols", machine->symbols);
	if (machine->writes_context_ids)
		g_key_file_set_string(keys, group, "contextidr", "tid");
	if (machine->partial)
		g_key_file_set_string(keys, group, "partial", "true");
	for (guint i = 0; i < machine->tasks->len; i++)
		put_task(keys, tasks, &g_array_index(machine->tasks, struct system_task, i));
	for (guint i = 0; i < machine->vcpu_states->len; i++)
		put_vcpu(keys, vcpus, &g_array_index(machine->vcpu_states, struct system_vcpu, i));
}

static void put_system(GKeyFile *keys, const struct system_file *self)
{
	const struct system_look *look =
		self->looks->len > 0 ? &g_array_index(self->looks, struct system_look, 0) : NULL;

	put_text(keys, "names", "target",
	         look != NULL && look->target != NULL ? look->target : "unknown");
	if (look != NULL && look->has_taken)
		g_key_file_set_int64(keys, "names", "taken", look->taken_ticks);
	put_text(keys, "system", "hypervisor", self->hypervisor);
	if (self->timestamp_hz != 0)
		g_key_file_set_uint64(keys, "system", "timestamp_hz", self->timestamp_hz);
}

gboolean system_file_write_names(const struct system_file *self, const char *comment,
                                 const char *path, GError **error)
{
	g_autoptr(GKeyFile) keys = g_key_file_new();
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *body = NULL;
	g_autoptr(GError) cause = NULL;
	gsize length;

	g_key_file_set_list_separator(keys, ';');
	put_system(keys, self);
	for (guint i = 0; i < self->machines->len; i++)
		put_machine(keys, self->machines->pdata[i]);
	if (comment != NULL) {
		g_auto(GStrv) lines = g_strsplit(comment, "\n", -1);

		for (guint i = 0; lines[i] != NULL; i++)
			g_string_append_printf(text, "# %s\n", lines[i]);
	}
	body = g_key_file_to_data(keys, &length, NULL);
	g_string_append_len(text, body, (gssize)length);
	if (g_file_set_contents(path, text->str, (gssize)text->len, &cause))
		return TRUE;
	g_set_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_WRITE,
	            "%s: cannot write the names file: %s", path, cause->message);
	return FALSE;
}
