#include "capture/snapshot-reader.h"

#include <string.h>

#include "base/suggest.h"

static const char *const format_names[] = {
	[SNAPSHOT_FORMAT_CORESIGHT] = "coresight",
	[SNAPSHOT_FORMAT_SOURCE_DATA] = "source_data",
	[SNAPSHOT_FORMAT_DSTREAM_CORESIGHT] = "dstream_coresight",
};

const char *snapshot_format_name(enum snapshot_format format)
{
	return format_names[format];
}

void snapshot_buffer_clear(gpointer data)
{
	struct snapshot_buffer *buffer = data;

	g_free(buffer->name);
	g_free(buffer->file);
	g_strfreev(buffer->paths);
	g_free(buffer->sources);
}

static void append_index(guint **indices, guint *n_indices, guint index)
{
	*indices = g_renew(guint, *indices, *n_indices + 1);
	(*indices)[(*n_indices)++] = index;
}

/* " (did you mean 'X'?)" or "", from the names of the `n` devices or buffers. */
static char *did_you_mean(const char *word, GPtrArray *names)
{
	const char *nearest;

	g_ptr_array_add(names, NULL);
	nearest = suggest_nearest(word, (const char *const *)names->pdata);
	return nearest != NULL ? g_strdup_printf(" (did you mean '%s'?)", nearest) : g_strdup("");
}

static void set_unknown_device_error(const struct snapshot *snapshot, const struct ini_file *file,
                                     guint line, enum snapshot_class device_class, const char *name,
                                     GError **error)
{
	const struct snapshot_device *other = snapshot_device_find(snapshot, name);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autofree char *hint = NULL;

	for (guint i = 0; i < snapshot->n_devices; i++) {
		if (snapshot->devices[i].device_class == device_class)
			g_ptr_array_add(names, snapshot->devices[i].name);
	}
	hint = did_you_mean(name, names);
	ini_file_set_error(file, line, error,
	                   "expected the name of a device of class %s, found '%s', %s%s%s",
	                   device_class == SNAPSHOT_CLASS_CORE ? "core" : "trace_source", name,
	                   other != NULL ? "which has class " : "which no device file has",
	                   other != NULL ? other->class_name : "", other != NULL ? "" : hint);
}

static gboolean read_format(struct snapshot_reader *self, const struct ini_file *file,
                            const struct ini_section *section, enum snapshot_format *format,
                            GError **error)
{
	const struct ini_entry *entry = ini_section_entry(section, "format");

	if (entry == NULL) {
		/* 3.3.2 requires it; Arm's reader then takes frames. */
		snapshot_reader_note(self, file, section->line,
		                     "[%s] has no 'format=': taken as coresight", section->name);
		*format = SNAPSHOT_FORMAT_CORESIGHT;
		return TRUE;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(format_names); i++) {
		if (g_ascii_strcasecmp(entry->value, format_names[i]) == 0) {
			*format = (enum snapshot_format)i;
			return TRUE;
		}
	}
	ini_file_set_error(file, entry->line, error,
	                   "expected format coresight, source_data or dstream_coresight, found "
	                   "'%s'",
	                   entry->value);
	return FALSE;
}

/* The buffer's files, one or several (3.3.2). */
static gboolean read_files(struct snapshot_reader *self, const struct ini_file *file,
                           const struct ini_entry *entry, struct snapshot_buffer *buffer,
                           GError **error)
{
	g_auto(GStrv) names = ini_entry_list(file, entry, error);
	guint n_names;

	if (names == NULL)
		return FALSE;
	n_names = g_strv_length(names);
	if (n_names > SNAPSHOT_MAX_FILES) {
		ini_file_set_error(file, entry->line, error,
		                   "expected at most %d files in a buffer, found %u",
		                   SNAPSHOT_MAX_FILES, n_names);
		return FALSE;
	}
	buffer->paths = g_new0(char *, n_names + 1);
	for (guint i = 0; i < n_names; i++) {
		guint64 size_bytes;

		buffer->paths[i] =
			snapshot_reader_resolve(self, file, entry->line, names[i], error);
		if (buffer->paths[i] == NULL ||
		    !snapshot_reader_file_size(file, entry->line, buffer->paths[i], &size_bytes,
		                               error))
			return FALSE;
		if (!g_uint64_checked_add(&buffer->size_bytes, buffer->size_bytes, size_bytes)) {
			ini_file_set_error(file, entry->line, error,
			                   "expected files of less than 2^64 bytes, found more");
			return FALSE;
		}
	}
	if (buffer->size_bytes == 0)
		snapshot_reader_note(self, file, entry->line, "the trace buffer '%s' is empty",
		                     buffer->name);
	return TRUE;
}

static gboolean read_buffer(struct snapshot_reader *self, const struct ini_file *file,
                            const struct ini_entry *list, const char *id,
                            struct snapshot_buffer *buffer, GError **error)
{
	const struct ini_section *section;
	const struct ini_entry *name;
	const struct ini_entry *data;

	if (!ini_file_find(file, id, INI_KEYS_UNIQUE, &section, error))
		return FALSE;
	if (section == NULL) {
		ini_file_set_error(file, list->line, error,
		                   "expected a section [%s] for each name in 'buffers', found none",
		                   id);
		return FALSE;
	}
	if (!ini_section_require(file, section, "name", &name, error) ||
	    !ini_section_require(file, section, "file", &data, error) ||
	    !read_format(self, file, section, &buffer->format, error))
		return FALSE;
	buffer->name = g_strdup(name->value);
	buffer->file = ini_entry_unquoted(data);
	return read_files(self, file, data, buffer, error);
}

static gboolean check_buffer_name(const struct ini_file *file, guint line, const GArray *buffers,
                                  GError **error)
{
	const struct snapshot_buffer *last =
		&g_array_index(buffers, struct snapshot_buffer, buffers->len - 1);

	for (guint i = 0; i + 1 < buffers->len; i++) {
		const struct snapshot_buffer *other =
			&g_array_index(buffers, struct snapshot_buffer, i);

		if (g_ascii_strcasecmp(other->name, last->name) == 0) {
			ini_file_set_error(file, line, error,
			                   "expected each buffer name once, found '%s' again",
			                   last->name);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean read_buffers(struct snapshot_reader *self, const struct ini_file *file,
                             GError **error)
{
	g_autoptr(GArray) buffers = g_array_new(FALSE, TRUE, sizeof(struct snapshot_buffer));
	g_auto(GStrv) ids = NULL;
	const struct ini_section *section;
	const struct ini_entry *list;
	gsize n_buffers;

	g_array_set_clear_func(buffers, snapshot_buffer_clear);
	if (!ini_file_find(file, "trace_buffers", INI_KEYS_UNIQUE, &section, error))
		return FALSE;
	if (section == NULL) {
		ini_file_set_error(file, 1, error,
		                   "expected a section [trace_buffers], found none");
		return FALSE;
	}
	if (!ini_section_require(file, section, "buffers", &list, error))
		return FALSE;
	ids = ini_entry_list(file, list, error);
	if (ids == NULL)
		return FALSE;
	for (guint i = 0; ids[i] != NULL; i++) {
		if (i == SNAPSHOT_MAX_BUFFERS) {
			ini_file_set_error(file, list->line, error,
			                   "expected at most %d buffers, found more",
			                   SNAPSHOT_MAX_BUFFERS);
			return FALSE;
		}
		g_array_set_size(buffers, buffers->len + 1);
		if (!read_buffer(self, file, list, ids[i],
		                 &g_array_index(buffers, struct snapshot_buffer, i), error) ||
		    !check_buffer_name(file, list->line, buffers, error))
			return FALSE;
	}
	self->snapshot->buffers = g_array_steal(buffers, &n_buffers);
	self->snapshot->n_buffers = (guint)n_buffers;
	return TRUE;
}

static void link_buffer(struct snapshot *snapshot, guint source_index, guint buffer_index)
{
	struct snapshot_source *source = &snapshot->sources[source_index];
	struct snapshot_buffer *buffer = &snapshot->buffers[buffer_index];

	for (guint i = 0; i < source->n_buffers; i++) {
		if (source->buffers[i] == buffer_index)
			return;
	}
	append_index(&source->buffers, &source->n_buffers, buffer_index);
	append_index(&buffer->sources, &buffer->n_sources, source_index);
}

/* The source that a [source_buffers] key names: "ETM_0" or "ETM_0(stream:0)". *stream is 0
 * where the key names none. */
static const struct snapshot_source *source_of_key(struct snapshot *snapshot, const char *key,
                                                   guint64 *stream)
{
	const struct snapshot_source *source = snapshot_source_find(snapshot, key);
	g_autofree char *name = NULL;
	const char *extra;

	*stream = 0;
	if (source != NULL)
		return source;
	name = g_strstrip(g_strndup(key, strcspn(key, "(")));
	extra = strstr(key, "stream:");
	if (extra != NULL)
		*stream = g_ascii_strtoull(extra + strlen("stream:"), NULL, 0);
	return snapshot_source_find(snapshot, name);
}

static gboolean read_source_buffers(struct snapshot_reader *self, const struct ini_file *file,
                                    const struct ini_entry *entry, GError **error)
{
	struct snapshot *snapshot = self->snapshot;
	guint64 stream;
	const struct snapshot_source *source = source_of_key(snapshot, entry->key, &stream);
	g_auto(GStrv) names = ini_entry_list(file, entry, error);

	if (names == NULL)
		return FALSE;
	if (source == NULL) {
		set_unknown_device_error(snapshot, file, entry->line, SNAPSHOT_CLASS_TRACE_SOURCE,
		                         entry->key, error);
		return FALSE;
	}
	if (stream > 0)
		snapshot_reader_note(self, file, entry->line,
		                     "'%s' is data trace, which is not linked", entry->key);
	for (guint i = 0; names[i] != NULL; i++) {
		const struct snapshot_buffer *buffer = snapshot_buffer_find(snapshot, names[i]);

		if (buffer == NULL) {
			g_autoptr(GPtrArray) known = g_ptr_array_new();
			g_autofree char *hint = NULL;

			for (guint j = 0; j < snapshot->n_buffers; j++)
				g_ptr_array_add(known, snapshot->buffers[j].name);
			hint = did_you_mean(names[i], known);
			ini_file_set_error(file, entry->line, error,
			                   "expected the name of a trace buffer for '%s', found "
			                   "'%s'%s",
			                   entry->key, names[i], hint);
			return FALSE;
		}
		if (stream == 0)
			link_buffer(snapshot, (guint)(source - snapshot->sources),
			            (guint)(buffer - snapshot->buffers));
	}
	return TRUE;
}

/* 3.3.4. Keys may repeat: with repeats each is one more buffer. */
static gboolean read_source_links(struct snapshot_reader *self, const struct ini_file *file,
                                  GError **error)
{
	struct snapshot *snapshot = self->snapshot;
	const struct ini_section *section;

	if (!ini_file_find(file, "source_buffers", INI_KEYS_MAY_REPEAT, &section, error))
		return FALSE;
	if (section == NULL && snapshot->n_buffers > 1) {
		ini_file_set_error(file, 1, error,
		                   "expected a section [source_buffers] that says which source is "
		                   "in which of the %u buffers, found none",
		                   snapshot->n_buffers);
		return FALSE;
	}
	for (guint i = 0; section == NULL && i < snapshot->n_sources; i++)
		link_buffer(snapshot, i, 0);
	for (guint i = 0; section != NULL && i < section->n_entries; i++) {
		if (!read_source_buffers(self, file, &section->entries[i], error))
			return FALSE;
	}
	return TRUE;
}

static const struct snapshot_source *source_at(const struct snapshot *snapshot,
                                               const char *location)
{
	for (guint i = 0; i < snapshot->n_sources; i++) {
		const char *own = snapshot->sources[i].device->location;

		if (own != NULL && g_ascii_strcasecmp(own, location) == 0)
			return &snapshot->sources[i];
	}
	return NULL;
}

static gboolean link_core(struct snapshot *snapshot, const struct ini_file *file,
                          const struct ini_entry *entry, GError **error)
{
	const struct snapshot_device *core = snapshot_device_find(snapshot, entry->key);
	const struct snapshot_source *found =
		entry->value[0] == '@' ? source_at(snapshot, entry->value + 1)
				       : snapshot_source_find(snapshot, entry->value);
	struct snapshot_source *source;
	gint index = -1;

	for (guint i = 0; i < snapshot->n_cores; i++) {
		if (snapshot->cores[i] == core)
			index = (gint)i;
	}
	if (index < 0) {
		set_unknown_device_error(snapshot, file, entry->line, SNAPSHOT_CLASS_CORE,
		                         entry->key, error);
		return FALSE;
	}
	if (found == NULL) {
		set_unknown_device_error(snapshot, file, entry->line, SNAPSHOT_CLASS_TRACE_SOURCE,
		                         entry->value, error);
		return FALSE;
	}
	source = &snapshot->sources[found - snapshot->sources];
	if (source->core >= 0 && source->core != index) {
		ini_file_set_error(file, entry->line, error,
		                   "expected source '%s' at one core, found it at '%s' and '%s'",
		                   source->device->name, snapshot->cores[source->core]->name,
		                   core->name);
		return FALSE;
	}
	source->core = index;
	return TRUE;
}

/* 3.3.3. A core may occur again with another source: OpenCSD's captures of several sessions
 * do that. */
static gboolean read_core_links(struct snapshot_reader *self, const struct ini_file *file,
                                GError **error)
{
	const struct ini_section *section;

	if (!ini_file_find(file, "core_trace_sources", INI_KEYS_MAY_REPEAT, &section, error))
		return FALSE;
	for (guint i = 0; section != NULL && i < section->n_entries; i++) {
		if (!link_core(self->snapshot, file, &section->entries[i], error))
			return FALSE;
	}
	return TRUE;
}

/* A buffer without frames is one source's; in frames, two sources of one trace ID cannot be
 * told apart, which matters only if both of them traced. */
static gboolean check_buffer(struct snapshot_reader *self, const struct ini_file *file,
                             const struct snapshot_buffer *buffer, GError **error)
{
	const struct snapshot *snapshot = self->snapshot;
	const struct snapshot_source *by_id[128] = { NULL };

	if (buffer->format == SNAPSHOT_FORMAT_SOURCE_DATA) {
		if (buffer->n_sources <= 1)
			return TRUE;
		ini_file_set_error(file, 1, error,
		                   "expected one source in [source_buffers] for '%s', whose format "
		                   "is source_data, found %u",
		                   buffer->name, buffer->n_sources);
		return FALSE;
	}
	for (guint i = 0; i < buffer->n_sources; i++) {
		const struct snapshot_source *source = &snapshot->sources[buffer->sources[i]];
		guint8 id;

		if (!snapshot_source_trace_id(source, &id) || id == 0)
			continue;
		if (by_id[id] != NULL)
			snapshot_reader_note(self, file, 1,
			                     "sources '%s' and '%s' of buffer '%s' both have trace "
			                     "ID 0x%02x",
			                     by_id[id]->device->name, source->device->name,
			                     buffer->name, id);
		by_id[id] = source;
	}
	return TRUE;
}

gboolean snapshot_read_trace(struct snapshot_reader *self, const struct ini_file *file,
                             GError **error)
{
	if (!read_buffers(self, file, error) || !read_source_links(self, file, error) ||
	    !read_core_links(self, file, error))
		return FALSE;
	for (guint i = 0; i < self->snapshot->n_buffers; i++) {
		if (!check_buffer(self, file, &self->snapshot->buffers[i], error))
			return FALSE;
	}
	return TRUE;
}
