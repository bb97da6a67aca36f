/* The groups of a names file: [names], [tasks N], [vcpus N]. */
#include "base/suggest.h"
#include "base/system-file-private.h"

#include <string.h>

static const char *const names_keys[] = { "taken", "target", NULL };
static const char *const task_words[] = { "pid", "start", "start_key", "cpu", "kernel", NULL };
static const char *const vcpu_words[] = { "pc", "el", "context_id", "pcpu", "live", NULL };

/* One key of [tasks N] or [vcpus N]. */
struct line {
	const struct place *at;
	const char *key;
	char **words; /* of its value */
};

/* "pid=97": the number behind `name`. Where `word` is another one, FALSE without an error. */
static gboolean word_number(const struct line *line, const char *word, const char *name,
                            guint64 max, guint64 *out, GError **error)
{
	const gsize length = strlen(name);

	if (strncmp(word, name, length) != 0 || word[length] != '=')
		return FALSE;
	if (place_number_parse(word + length + 1, max, out))
		return TRUE;
	return place_fail(line->at, line->key, SYSTEM_FILE_ERROR_VALUE, error,
	                  "%s takes a number up to %" G_GUINT64_FORMAT ", found '%s'", name, max,
	                  word + length + 1);
}

static gboolean word_unknown(const struct line *line, const char *word, const char *const *known,
                             GError **error)
{
	g_autofree char *name = g_strndup(word, strcspn(word, "="));
	g_autofree char *hint = place_hint(name, known);

	return place_fail(line->at, line->key, SYSTEM_FILE_ERROR_UNKNOWN, error,
	                  "unknown word '%s', %s", word, hint);
}

static gboolean task_word(const struct line *line, const char *word, struct system_task *task,
                          GError **error)
{
	g_autoptr(GError) cause = NULL;
	guint64 value = 0;

	if (strcmp(word, "kernel") == 0) {
		task->is_kernel = TRUE;
	} else if (word_number(line, word, "pid", G_MAXUINT32, &value, &cause)) {
		task->pid = (gint64)value;
	} else if (cause == NULL &&
	           word_number(line, word, "cpu", SYSTEM_VCPUS_MAX - 1, &value, &cause)) {
		task->cpu = (gint)value;
	} else if (cause == NULL &&
	           word_number(line, word, "start", G_MAXINT64 - 1, &value, &cause)) {
		task->has_start = TRUE;
		task->started_ticks = task->from_ticks = (gint64)value;
	} else if (cause == NULL &&
	           word_number(line, word, "start_key", G_MAXUINT64, &value, &cause)) {
		task->start_key = value;
	} else if (cause == NULL) {
		return word_unknown(line, word, task_words, error);
	}
	if (cause == NULL)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&cause));
	return FALSE;
}

static gboolean line_number(const struct line *line, guint64 max, const char *what, guint64 *out,
                            GError **error)
{
	return place_number_parse(line->key, max, out) ||
	       place_fail(line->at, NULL, SYSTEM_FILE_ERROR_UNKNOWN, error,
	                  "unknown key '%s', known are numbers of %s up to %" G_GUINT64_FORMAT,
	                  line->key, what, max);
}

static gboolean task_line(const struct line *line, GArray *tasks, GError **error)
{
	struct system_task task = {
		.pid = SYSTEM_NO_VALUE,
		.cpu = SYSTEM_NO_VALUE,
		.from_ticks = G_MININT64,
		.to_ticks = G_MAXINT64,
	};
	guint64 context_id = 0;

	if (!line_number(line, G_MAXUINT32, "tasks", &context_id, error))
		return FALSE;
	if (line->words[0] == NULL || *g_strstrip(line->words[0]) == '\0')
		return place_fail(line->at, line->key, SYSTEM_FILE_ERROR_VALUE, error,
		                  "the name is missing");
	for (guint i = 1; line->words[i] != NULL; i++) {
		if (!task_word(line, g_strstrip(line->words[i]), &task, error))
			return FALSE;
	}
	task.context_id = (guint32)context_id;
	task.name = g_strdup(line->words[0]);
	g_array_append_val(tasks, task);
	return TRUE;
}

static gboolean vcpu_word(const struct line *line, const char *word, struct system_vcpu *vcpu,
                          GError **error)
{
	g_autoptr(GError) cause = NULL;
	guint64 value = 0;

	if (strcmp(word, "live") == 0) {
		vcpu->live = TRUE;
	} else if (word_number(line, word, "pc", G_MAXUINT64, &value, &cause)) {
		vcpu->has_pc = TRUE;
		vcpu->pc_va = value;
	} else if (cause == NULL && word_number(line, word, "el", 1, &value, &cause)) {
		vcpu->el = (gint)value;
	} else if (cause == NULL &&
	           word_number(line, word, "context_id", G_MAXUINT32, &value, &cause)) {
		vcpu->context_id = (gint64)value;
	} else if (cause == NULL &&
	           word_number(line, word, "pcpu", SYSTEM_VCPUS_MAX - 1, &value, &cause)) {
		vcpu->pcpu = (gint)value;
	} else if (cause == NULL) {
		return word_unknown(line, word, vcpu_words, error);
	}
	if (cause == NULL)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&cause));
	return FALSE;
}

static gboolean vcpu_line(const struct line *line, GArray *vcpus, GError **error)
{
	struct system_vcpu vcpu = {
		.pcpu = SYSTEM_NO_VALUE,
		.el = SYSTEM_NO_VALUE,
		.context_id = SYSTEM_NO_VALUE,
	};
	guint64 number = 0;

	if (!line_number(line, SYSTEM_VCPUS_MAX - 1, "vCPUs", &number, error))
		return FALSE;
	for (guint i = 0; line->words[i] != NULL; i++) {
		if (!vcpu_word(line, g_strstrip(line->words[i]), &vcpu, error))
			return FALSE;
	}
	vcpu.number = (guint)number;
	g_array_append_val(vcpus, vcpu);
	return TRUE;
}

static gboolean lines_read(const struct place *at,
                           gboolean (*line_read)(const struct line *, GArray *, GError **),
                           GArray *out, GError **error)
{
	g_auto(GStrv) keys = g_key_file_get_keys(at->keys, at->group, NULL, error);

	for (gsize i = 0; keys != NULL && keys[i] != NULL; i++) {
		g_auto(GStrv) words = NULL;
		struct line line = { .at = at, .key = keys[i] };

		if (!place_list(at, keys[i], &words, error))
			return FALSE;
		line.words = words;
		if (!line_read(&line, out, error))
			return FALSE;
	}
	return keys != NULL;
}

gboolean names_tasks_read(const struct place *at, struct system_machine *machine, GError **error)
{
	if (!lines_read(at, task_line, machine->tasks, error))
		return FALSE;
	g_array_sort(machine->tasks, system_task_compare);
	for (guint i = 1; i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);

		if (task[-1].context_id == task->context_id)
			return place_fail(at, NULL, SYSTEM_FILE_ERROR_VALUE, error,
			                  "context ID %u has two names, '%s' and '%s'",
			                  task->context_id, task[-1].name, task->name);
	}
	return TRUE;
}

static gint vcpu_compare(gconstpointer a, gconstpointer b)
{
	const guint x = ((const struct system_vcpu *)a)->number;
	const guint y = ((const struct system_vcpu *)b)->number;

	return (x > y) - (x < y);
}

gboolean names_vcpus_read(const struct place *at, struct system_machine *machine, GError **error)
{
	if (!lines_read(at, vcpu_line, machine->vcpu_states, error))
		return FALSE;
	g_array_sort(machine->vcpu_states, vcpu_compare);
	for (guint i = 1; i < machine->vcpu_states->len; i++) {
		const struct system_vcpu *vcpu =
			&g_array_index(machine->vcpu_states, struct system_vcpu, i);

		if (vcpu[-1].number == vcpu->number)
			return place_fail(at, NULL, SYSTEM_FILE_ERROR_VALUE, error,
			                  "vCPU %u is there twice", vcpu->number);
	}
	return TRUE;
}

gboolean names_read(const struct place *at, struct system_file *self, GError **error)
{
	struct system_look look = { 0 };
	guint64 taken = 0;

	if (!place_keys_check(at, names_keys, error) ||
	    !place_number(at, "taken", 0, G_MAXINT64 - 1, &taken, error) ||
	    !place_text(at, "target", &look.target, error))
		return FALSE;
	look.path = g_strdup(self->path);
	look.has_taken = g_key_file_has_key(at->keys, at->group, "taken", NULL);
	look.taken_ticks = (gint64)taken;
	g_array_append_val(self->looks, look);
	return TRUE;
}

void names_finish(struct system_file *self)
{
	const struct system_look *look =
		self->looks->len > 0 ? &g_array_index(self->looks, struct system_look, 0) : NULL;

	for (guint i = 0; i < self->machines->len && look != NULL; i++) {
		const struct system_machine *machine = self->machines->pdata[i];

		for (guint k = 0; k < machine->vcpu_states->len; k++) {
			struct system_vcpu *vcpu =
				&g_array_index(machine->vcpu_states, struct system_vcpu, k);

			vcpu->has_taken = look->has_taken;
			vcpu->taken_ticks = look->taken_ticks;
		}
	}
}
