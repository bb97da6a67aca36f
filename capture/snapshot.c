#include "capture/snapshot-reader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/suggest.h"

G_DEFINE_QUARK(hvscope - snapshot - error, snapshot_error)

/* Rates above this are no clock's, and would overflow what is computed from them. */
static const guint64 RATE_MAX_HZ = 1000000000000;

const char *snapshot_protocol_name(enum snapshot_protocol protocol)
{
	static const char *const names[] = {
		[SNAPSHOT_PROTOCOL_UNKNOWN] = "unknown", [SNAPSHOT_PROTOCOL_ETM3] = "ETMv3",
		[SNAPSHOT_PROTOCOL_PTM] = "PTM",         [SNAPSHOT_PROTOCOL_ETM4] = "ETMv4",
		[SNAPSHOT_PROTOCOL_ETE] = "ETE",         [SNAPSHOT_PROTOCOL_STM] = "STM",
		[SNAPSHOT_PROTOCOL_ITM] = "ITM",
	};

	return names[protocol];
}

static const char *const time_names[] = {
	[SNAPSHOT_TIME_UNSTATED] = "unstated",
	[SNAPSHOT_TIME_MEASURED] = "measured",
	[SNAPSHOT_TIME_MODELLED] = "modelled",
};

const char *snapshot_time_name(enum snapshot_time time)
{
	return time_names[time];
}

void snapshot_free(struct snapshot *self)
{
	if (self == NULL)
		return;
	for (guint i = 0; i < self->n_devices; i++)
		snapshot_device_clear(&self->devices[i]);
	for (guint i = 0; i < self->n_buffers; i++)
		snapshot_buffer_clear(&self->buffers[i]);
	for (guint i = 0; i < self->n_sources; i++)
		g_free(self->sources[i].buffers);
	for (guint i = 0; i < self->n_clusters; i++) {
		g_free(self->clusters[i].name);
		g_free(self->clusters[i].cores);
	}
	for (guint i = 0; i < self->n_properties; i++) {
		g_free(self->properties[i].key);
		g_free(self->properties[i].value);
	}
	g_free(self->devices);
	g_free(self->cores);
	g_free(self->sources);
	g_free(self->buffers);
	g_free(self->clusters);
	g_free(self->properties);
	g_strfreev(self->notes);
	g_free(self->dir);
	g_free(self->version);
	g_free(self->description);
	g_free(self);
}

void snapshot_reader_note(struct snapshot_reader *self, const struct ini_file *file, guint line,
                          const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(self->notes, g_strdup_printf("%s:%u: %s", file->name, line, message));
}

const char *snapshot_file_name_problem(const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);
	int depth = 0;

	if (name[0] == '\0')
		return "is empty";
	if (name[0] == '/')
		return "is an absolute path";
	for (guint i = 0; parts[i] != NULL; i++) {
		if (strcmp(parts[i], "..") == 0)
			depth--;
		else if (parts[i][0] != '\0' && strcmp(parts[i], ".") != 0)
			depth++;
		if (depth < 0)
			return "leaves the capture";
	}
	return depth == 0 ? "names no file" : NULL;
}

char *snapshot_reader_resolve(struct snapshot_reader *self, const struct ini_file *file, guint line,
                              const char *name, GError **error)
{
	const char *problem = snapshot_file_name_problem(name);

	if (problem != NULL) {
		ini_file_set_error(file, line, error,
		                   "expected the name of a file inside the capture, found '%s', "
		                   "which %s",
		                   name, problem);
		return NULL;
	}
	return g_build_filename(self->snapshot->dir, name, NULL);
}

static void set_missing_error(const struct ini_file *file, guint line, const char *path,
                              GError **error)
{
	g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NOT_FOUND,
	            "%s:%u: expected the file %s, found none: copy the whole capture directory",
	            file->name, line, path);
}

struct ini_file *snapshot_reader_load(struct snapshot_reader *self, const struct ini_file *file,
                                      const struct ini_entry *entry, GError **error)
{
	g_autofree char *name = ini_entry_unquoted(entry);
	g_autofree char *path = snapshot_reader_resolve(self, file, entry->line, name, error);
	g_autoptr(GError) load_error = NULL;
	struct ini_file *loaded;

	if (path == NULL)
		return NULL;
	loaded = ini_file_load(path, path, &load_error);
	if (g_error_matches(load_error, INI_FILE_ERROR, INI_FILE_ERROR_NOT_FOUND))
		set_missing_error(file, entry->line, path, error);
	else if (loaded == NULL)
		g_propagate_error(error, g_steal_pointer(&load_error));
	return loaded;
}

gboolean snapshot_reader_file_size(const struct ini_file *file, guint line, const char *path,
                                   guint64 *size_bytes, GError **error)
{
	struct stat info;

	if (stat(path, &info) != 0) {
		set_missing_error(file, line, path, error);
		return FALSE;
	}
	if (!S_ISREG(info.st_mode)) {
		ini_file_set_error(file, line, error,
		                   "expected %s to be a file, found a directory or special file",
		                   path);
		return FALSE;
	}
	*size_bytes = (guint64)info.st_size;
	return TRUE;
}

/* A word that is no core is a note: nothing is computed from clusters. */
static void read_cluster(struct snapshot_reader *self, const struct ini_file *file,
                         const struct ini_entry *entry, struct snapshot_cluster *cluster)
{
	g_auto(GStrv) names = g_strsplit(entry->value, ",", -1);
	const struct snapshot *snapshot = self->snapshot;

	cluster->name = g_strdup(entry->key);
	cluster->cores = g_new0(guint, g_strv_length(names) + 1);
	for (guint i = 0; names[i] != NULL; i++) {
		const guint before = cluster->n_cores;

		g_strstrip(names[i]);
		for (guint core = 0; core < snapshot->n_cores; core++) {
			if (g_ascii_strcasecmp(snapshot->cores[core]->name, names[i]) == 0)
				cluster->cores[cluster->n_cores++] = core;
		}
		if (cluster->n_cores == before)
			snapshot_reader_note(self, file, entry->line,
			                     "cluster '%s' names '%s', which is no core",
			                     entry->key, names[i]);
	}
}

static gboolean read_clusters(struct snapshot_reader *self, const struct ini_file *file,
                              GError **error)
{
	struct snapshot *snapshot = self->snapshot;
	const struct ini_section *section;

	if (!ini_file_find(file, "clusters", INI_KEYS_UNIQUE, &section, error))
		return FALSE;
	if (section == NULL)
		return TRUE;
	snapshot->clusters = g_new0(struct snapshot_cluster, section->n_entries);
	for (guint i = 0; i < section->n_entries; i++)
		read_cluster(self, file, &section->entries[i],
		             &snapshot->clusters[snapshot->n_clusters++]);
	return TRUE;
}

/* 3.1.1: the version decides how the rest is read, so it is checked first. */
static gboolean read_version(struct snapshot *snapshot, const struct ini_file *file, GError **error)
{
	const struct ini_section *section;
	const struct ini_entry *version;
	const struct ini_entry *description;

	if (!ini_file_find(file, "snapshot", INI_KEYS_UNIQUE, &section, error))
		return FALSE;
	if (section == NULL) {
		ini_file_set_error(file, 1, error,
		                   "expected a section [snapshot] with version=1.0, found none");
		return FALSE;
	}
	if (!ini_section_require(file, section, "version", &version, error))
		return FALSE;
	if (strcmp(version->value, "1.0") != 0 && strcmp(version->value, "1") != 0) {
		ini_file_set_error(file, version->line, error,
		                   "expected snapshot version 1.0, found '%s'", version->value);
		return FALSE;
	}
	snapshot->version = g_strdup(version->value);
	description = ini_section_entry(section, "description");
	snapshot->description = description != NULL ? g_strdup(description->value) : NULL;
	return TRUE;
}

static gboolean read_metadata(struct snapshot_reader *self, const struct ini_file *file,
                              GError **error)
{
	const struct ini_section *section;
	const struct ini_entry *metadata;
	g_autoptr(IniFile) trace = NULL;

	if (!ini_file_find(file, "trace", INI_KEYS_UNIQUE, &section, error))
		return FALSE;
	if (section == NULL) {
		snapshot_reader_note(self, file, file->n_lines,
		                     "no section [trace]: the capture holds no trace");
		return TRUE;
	}
	if (!ini_section_require(file, section, "metadata", &metadata, error))
		return FALSE;
	trace = snapshot_reader_load(self, file, metadata, error);
	return trace != NULL && snapshot_read_trace(self, trace, error);
}

static gboolean read_snapshot_ini(struct snapshot_reader *self, GError **error)
{
	g_autofree char *path = g_build_filename(self->snapshot->dir, "snapshot.ini", NULL);
	g_autoptr(IniFile) file = ini_file_load(path, path, error);
	const struct ini_section *list;

	if (file == NULL || !read_version(self->snapshot, file, error) ||
	    !ini_file_find(file, "device_list", INI_KEYS_UNIQUE, &list, error))
		return FALSE;
	if (list == NULL) {
		ini_file_set_error(file, 1, error, "expected a section [device_list], found none");
		return FALSE;
	}
	return snapshot_read_devices(self, file, list, error) && read_clusters(self, file, error) &&
	       read_metadata(self, file, error);
}

static gboolean read_rate(const struct ini_file *file, const struct ini_entry *entry,
                          guint64 *rate_hz, gboolean *has_rate, GError **error)
{
	if (!ini_entry_uint64(file, entry, rate_hz, error))
		return FALSE;
	if (*rate_hz == 0 || *rate_hz > RATE_MAX_HZ) {
		ini_file_set_error(file, entry->line, error,
		                   "expected 1 to %" PRIu64 " Hz for '%s', found '%s'", RATE_MAX_HZ,
		                   entry->key, entry->value);
		return FALSE;
	}
	*has_rate = TRUE;
	return TRUE;
}

static gboolean read_time(const struct ini_file *file, const struct ini_entry *entry,
                          enum snapshot_time *time, GError **error)
{
	for (gsize i = SNAPSHOT_TIME_MEASURED; i < G_N_ELEMENTS(time_names); i++) {
		if (g_ascii_strcasecmp(entry->value, time_names[i]) == 0) {
			*time = (enum snapshot_time)i;
			return TRUE;
		}
	}
	ini_file_set_error(file, entry->line, error,
	                   "expected 'measured' or 'modelled' for 'time', found '%s'",
	                   entry->value);
	return FALSE;
}

/* A key of capture.ini that this version knows no meaning of is kept. */
static void read_property(struct snapshot_reader *self, const struct ini_file *file,
                          const struct ini_entry *entry)
{
	static const char *const known[] = { "timestamp_hz", "core_hz", "time", NULL };
	struct snapshot *snapshot = self->snapshot;
	const char *nearest = suggest_nearest(entry->key, known);
	struct snapshot_property *property = &snapshot->properties[snapshot->n_properties++];

	property->key = g_strdup(entry->key);
	property->value = g_strdup(entry->value);
	if (nearest != NULL)
		snapshot_reader_note(self, file, entry->line,
		                     "unknown key '%s': did you mean '%s'?", entry->key, nearest);
}

static gboolean read_capture_ini(struct snapshot_reader *self, GError **error)
{
	struct snapshot *snapshot = self->snapshot;
	g_autofree char *path = g_build_filename(snapshot->dir, "capture.ini", NULL);
	g_autoptr(GError) load_error = NULL;
	g_autoptr(IniFile) file = ini_file_load(path, path, &load_error);
	const struct ini_section *section;

	if (g_error_matches(load_error, INI_FILE_ERROR, INI_FILE_ERROR_NOT_FOUND))
		return TRUE;
	if (file == NULL) {
		g_propagate_error(error, g_steal_pointer(&load_error));
		return FALSE;
	}
	if (!ini_file_find(file, "capture", INI_KEYS_UNIQUE, &section, error))
		return FALSE;
	if (section == NULL) {
		ini_file_set_error(file, 1, error, "expected a section [capture], found none");
		return FALSE;
	}
	snapshot->properties = g_new0(struct snapshot_property, section->n_entries);
	for (guint i = 0; i < section->n_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		gboolean ok = TRUE;

		if (g_ascii_strcasecmp(entry->key, "timestamp_hz") == 0)
			ok = read_rate(file, entry, &snapshot->timestamp_hz,
			               &snapshot->has_timestamp_hz, error);
		else if (g_ascii_strcasecmp(entry->key, "core_hz") == 0)
			ok = read_rate(file, entry, &snapshot->core_hz, &snapshot->has_core_hz,
			               error);
		else if (g_ascii_strcasecmp(entry->key, "time") == 0)
			ok = read_time(file, entry, &snapshot->time, error);
		else
			read_property(self, file, entry);
		if (!ok)
			return FALSE;
	}
	return TRUE;
}

/* The capture directory that `path` means, or NULL. */
static char *find_directory(const char *path, GError **error)
{
	g_autofree char *base = g_path_get_basename(path);
	g_autofree char *ini = g_build_filename(path, "snapshot.ini", NULL);
	struct stat info;

	if (stat(path, &info) != 0) {
		g_set_error(error, SNAPSHOT_ERROR,
		            errno == ENOENT || errno == ENOTDIR ? SNAPSHOT_ERROR_NOT_FOUND
		                                                : SNAPSHOT_ERROR_IO,
		            "opening the capture %s failed: %s", path, g_strerror(errno));
		return NULL;
	}
	if (S_ISREG(info.st_mode) && g_ascii_strcasecmp(base, "snapshot.ini") == 0)
		return g_path_get_dirname(path);
	if (!S_ISDIR(info.st_mode)) {
		g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NOT_A_CAPTURE,
		            "opening the capture %s failed: expected a directory with snapshot.ini "
		            "in it, found a file",
		            path);
		return NULL;
	}
	if (stat(ini, &info) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
		g_set_error(
			error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NOT_A_CAPTURE,
			"opening the capture %s failed: expected snapshot.ini in the directory, "
			"found none",
			path);
		return NULL;
	}
	return g_strdup(path);
}

/* Errors of the ini parser leave this room as ours. */
static void propagate(GError **error, GError *own)
{
	if (own->domain == INI_FILE_ERROR) {
		own->domain = SNAPSHOT_ERROR;
		own->code = own->code == INI_FILE_ERROR_MALFORMED   ? SNAPSHOT_ERROR_MALFORMED
		            : own->code == INI_FILE_ERROR_NOT_FOUND ? SNAPSHOT_ERROR_NOT_FOUND
		                                                    : SNAPSHOT_ERROR_IO;
	}
	g_propagate_error(error, own);
}

struct snapshot *snapshot_open(const char *path, GError **error)
{
	g_autoptr(Snapshot) snapshot = g_new0(struct snapshot, 1);
	g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
	struct snapshot_reader reader = { .snapshot = snapshot, .notes = notes };
	GError *own = NULL;

	snapshot->dir = find_directory(path, error);
	if (snapshot->dir == NULL)
		return NULL;
	if (!read_snapshot_ini(&reader, &own) || !read_capture_ini(&reader, &own)) {
		propagate(error, own);
		return NULL;
	}
	g_ptr_array_add(notes, NULL);
	snapshot->notes = (char **)g_ptr_array_steal(notes, NULL);
	return g_steal_pointer(&snapshot);
}

gboolean snapshot_device_reg(const struct snapshot_device *device, const char *name, guint64 *value)
{
	for (guint i = 0; i < device->n_regs; i++) {
		if (g_ascii_strcasecmp(device->regs[i].name, name) == 0) {
			*value = device->regs[i].value;
			return TRUE;
		}
	}
	return FALSE;
}

const struct snapshot_device *snapshot_device_find(const struct snapshot *self, const char *name)
{
	for (guint i = 0; i < self->n_devices; i++) {
		if (g_ascii_strcasecmp(self->devices[i].name, name) == 0)
			return &self->devices[i];
	}
	return NULL;
}

const struct snapshot_source *snapshot_source_find(const struct snapshot *self, const char *name)
{
	for (guint i = 0; i < self->n_sources; i++) {
		if (g_ascii_strcasecmp(self->sources[i].device->name, name) == 0)
			return &self->sources[i];
	}
	return NULL;
}

const struct snapshot_buffer *snapshot_buffer_find(const struct snapshot *self, const char *name)
{
	for (guint i = 0; i < self->n_buffers; i++) {
		if (g_ascii_strcasecmp(self->buffers[i].name, name) == 0)
			return &self->buffers[i];
	}
	return NULL;
}

gboolean snapshot_source_trace_id(const struct snapshot_source *source, guint8 *trace_id)
{
	static const struct {
		enum snapshot_protocol protocol;
		const char *reg;
		guint shift;
	} fields[] = {
		{ SNAPSHOT_PROTOCOL_ETM4, "TRCTRACEIDR", 0 },
		{ SNAPSHOT_PROTOCOL_ETE, "TRCTRACEIDR", 0 },
		{ SNAPSHOT_PROTOCOL_ETM3, "ETMTRACEIDR", 0 },
		{ SNAPSHOT_PROTOCOL_PTM, "ETMTRACEIDR", 0 },
		{ SNAPSHOT_PROTOCOL_STM, "STMTCSR", 16 },
		{ SNAPSHOT_PROTOCOL_ITM, "ITMTCR", 16 },
		{ SNAPSHOT_PROTOCOL_ITM, "CONTROL_REGISTER", 16 },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		guint64 value;

		if (fields[i].protocol == source->protocol &&
		    snapshot_device_reg(source->device, fields[i].reg, &value)) {
			*trace_id = (guint8)(value >> fields[i].shift & 0x7f);
			return TRUE;
		}
	}
	return FALSE;
}
