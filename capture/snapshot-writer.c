#include "capture/snapshot-writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/snapshot-reader.h"

struct written_device {
	enum snapshot_class device_class;
	char *name;
	char *file;
	GString *head;  /* [device] */
	GString *regs;  /* the lines of [regs] */
	GString *dumps; /* the [dumpN] sections */
	guint n_dumps;
};

struct written_buffer {
	char *name;
	GString *section;
};

struct snapshot_writer {
	char *dir;     /* where it is to be */
	char *partial; /* where it is written; NULL once renamed */
	GError *error; /* the first thing that did not fit */

	GPtrArray *devices; /* struct written_device * */
	GPtrArray *buffers; /* struct written_buffer * */
	GString *source_links;
	GString *core_links;
	GString *clusters;
	GString *properties;  /* the lines of [capture] */
	GHashTable *files;    /* names handed to snapshot_writer_path: flushed at the end */
	GPtrArray *by_source; /* GString *: the buffer names of each device handle */
};

static void written_device_free(gpointer data)
{
	struct written_device *device = data;

	g_free(device->name);
	g_free(device->file);
	g_string_free(device->head, TRUE);
	g_string_free(device->regs, TRUE);
	g_string_free(device->dumps, TRUE);
	g_free(device);
}

static void written_buffer_free(gpointer data)
{
	struct written_buffer *buffer = data;

	g_free(buffer->name);
	g_string_free(buffer->section, TRUE);
	g_free(buffer);
}

static void string_free(gpointer data)
{
	g_string_free(data, TRUE);
}

G_GNUC_PRINTF(2, 3)
static void writer_fail(struct snapshot_writer *self, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list args;

	if (self->error != NULL)
		return;
	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(&self->error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_MALFORMED,
	            "writing the capture %s failed: %s", self->dir, message);
}

static void set_io_error(GError **error, const char *what, const char *path, int code)
{
	g_set_error(error, SNAPSHOT_ERROR,
	            code == EEXIST || code == ENOTEMPTY ? SNAPSHOT_ERROR_EXISTS : SNAPSHOT_ERROR_IO,
	            "%s %s failed: %s", what, path, g_strerror(code));
}

/* Whether `text` comes back from an ini file as it is, without the bytes in `forbidden`. */
static gboolean check_text(struct snapshot_writer *self, const char *what, const char *text,
                           const char *forbidden)
{
	gboolean ok = text[0] != '\0' && g_utf8_validate(text, -1, NULL) &&
	              strpbrk(text, ";#\"'") == NULL && strpbrk(text, forbidden) == NULL;

	for (gsize i = 0; ok && text[i] != '\0'; i++)
		ok = (guchar)text[i] >= 0x20 && text[i] != 0x7f;
	if (ok)
		ok = !g_ascii_isspace(text[0]) && !g_ascii_isspace(text[strlen(text) - 1]);
	if (!ok) {
		g_autofree char *shown = g_strescape(text, NULL);

		writer_fail(self,
		            "expected as %s text without any of ;#\"'%s, control characters or "
		            "spaces around it, found \"%s\"",
		            what, forbidden, shown);
	}
	return ok;
}

static gboolean check_file_name(struct snapshot_writer *self, const char *file)
{
	const char *problem;

	if (!check_text(self, "file name", file, ","))
		return FALSE;
	problem = snapshot_file_name_problem(file);
	if (problem == NULL && g_str_has_suffix(file, ".ini"))
		problem = "ends in .ini, which is for the capture's own files";
	if (problem != NULL)
		writer_fail(self,
		            "expected the name of a file inside the capture, found '%s', which %s",
		            file, problem);
	return problem == NULL;
}

/* The device of that handle, NULL (and a failure) where there is none. */
static struct written_device *device_at(struct snapshot_writer *self, guint device)
{
	if (device < self->devices->len)
		return self->devices->pdata[device];
	writer_fail(self, "expected the handle of a device, found %u", device);
	return NULL;
}

static gboolean target_is_free(const char *dir, GError **error)
{
	g_autoptr(GDir) list = NULL;
	struct stat info;

	if (lstat(dir, &info) != 0) {
		if (errno == ENOENT)
			return TRUE;
		set_io_error(error, "looking for", dir, errno);
		return FALSE;
	}
	list = g_dir_open(dir, 0, NULL);
	if (list != NULL && g_dir_read_name(list) == NULL)
		return TRUE;
	g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_EXISTS,
	            "writing the capture %s failed: it exists; remove it or choose another name",
	            dir);
	return FALSE;
}

struct snapshot_writer *snapshot_writer_new(const char *dir, GError **error)
{
	struct snapshot_writer *self;
	g_autofree char *plain = g_strdup(dir);
	g_autofree char *partial = NULL;

	for (gsize len = strlen(plain); len > 1 && plain[len - 1] == '/'; len--)
		plain[len - 1] = '\0';
	if (!target_is_free(plain, error))
		return NULL;
	partial = g_strdup_printf("%s.partial-XXXXXX", plain);
	if (g_mkdtemp_full(partial, 0755) == NULL) {
		set_io_error(error, "making the directory", partial, errno);
		return NULL;
	}
	self = g_new0(struct snapshot_writer, 1);
	self->dir = g_steal_pointer(&plain);
	self->partial = g_steal_pointer(&partial);
	self->devices = g_ptr_array_new_with_free_func(written_device_free);
	self->buffers = g_ptr_array_new_with_free_func(written_buffer_free);
	self->by_source = g_ptr_array_new_with_free_func(string_free);
	self->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	self->source_links = g_string_new(NULL);
	self->core_links = g_string_new(NULL);
	self->clusters = g_string_new(NULL);
	self->properties = g_string_new(NULL);
	return self;
}

/* Removes what is below and at `path`; follows no symbolic link. */
static void remove_tree(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *entry;

	while (list != NULL && (entry = readdir(list)) != NULL) {
		g_autofree char *child = g_build_filename(path, entry->d_name, NULL);
		struct stat info;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (lstat(child, &info) == 0 && S_ISDIR(info.st_mode))
			remove_tree(child);
		else
			unlink(child);
	}
	if (list != NULL)
		closedir(list);
	rmdir(path);
}

void snapshot_writer_free(struct snapshot_writer *self)
{
	if (self == NULL)
		return;
	if (self->partial != NULL)
		remove_tree(self->partial);
	g_clear_error(&self->error);
	g_ptr_array_unref(self->devices);
	g_ptr_array_unref(self->buffers);
	g_ptr_array_unref(self->by_source);
	g_hash_table_unref(self->files);
	g_string_free(self->source_links, TRUE);
	g_string_free(self->core_links, TRUE);
	g_string_free(self->clusters, TRUE);
	g_string_free(self->properties, TRUE);
	g_free(self->dir);
	g_free(self->partial);
	g_free(self);
}

/* "NAME.ini" where the name is fit for a file and not taken, else by number. */
static char *device_file_name(const struct snapshot_writer *self, const char *name)
{
	static const char *const own[] = { "snapshot", "trace", "capture" };
	gboolean fit = name[0] != '.' && name[0] != '-';

	for (gsize i = 0; name[i] != '\0'; i++)
		fit = fit && (g_ascii_isalnum(name[i]) || strchr("._-", name[i]) != NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
		fit = fit && g_ascii_strcasecmp(own[i], name) != 0;
	/* "device7" could be the number that another name needs. */
	fit = fit && g_ascii_strncasecmp(name, "device", strlen("device")) != 0;
	return fit ? g_strdup_printf("%s.ini", name)
	           : g_strdup_printf("device%u.ini", self->devices->len);
}

guint snapshot_writer_device(struct snapshot_writer *self, enum snapshot_class device_class,
                             const char *name, const char *type)
{
	static const char *const classes[] = {
		[SNAPSHOT_CLASS_CORE] = "core",
		[SNAPSHOT_CLASS_TRACE_SOURCE] = "trace_source",
		[SNAPSHOT_CLASS_OTHER] = "memory_space",
	};
	struct written_device *device = g_new0(struct written_device, 1);

	check_text(self, "device name", name, ",=@()[]");
	check_text(self, "device type", type, "");
	for (guint i = 0; i < self->devices->len; i++) {
		const struct written_device *other = self->devices->pdata[i];

		if (g_ascii_strcasecmp(other->name, name) == 0)
			writer_fail(self, "expected each device name once, found '%s' again", name);
	}
	device->device_class = device_class;
	device->name = g_strdup(name);
	device->file = device_file_name(self, name);
	device->head = g_string_new(NULL);
	device->regs = g_string_new(NULL);
	device->dumps = g_string_new(NULL);
	g_string_append_printf(device->head, "[device]\nname=%s\nclass=%s\ntype=%s\n", name,
	                       classes[device_class], type);
	g_ptr_array_add(self->devices, device);
	g_ptr_array_add(self->by_source, g_string_new(NULL));
	return self->devices->len - 1;
}

void snapshot_writer_reg(struct snapshot_writer *self, guint device, const char *name,
                         guint64 value)
{
	struct written_device *target = device_at(self, device);

	if (target == NULL || !check_text(self, "register name", name, "=()[]"))
		return;
	if (value > G_MAXUINT32)
		g_string_append_printf(target->regs, "%s(size:64)=0x%016" PRIX64 "\n", name, value);
	else
		g_string_append_printf(target->regs, "%s=0x%08" PRIX64 "\n", name, value);
}

void snapshot_writer_dump(struct snapshot_writer *self, guint device, const char *file,
                          guint64 address, guint64 offset, guint64 length, const char *space)
{
	struct written_device *target = device_at(self, device);

	if (target == NULL || !check_file_name(self, file) ||
	    (space != NULL && !check_text(self, "memory space", space, "")))
		return;
	g_string_append_printf(target->dumps, "\n[dump%u]\nfile=%s\naddress=0x%016" PRIX64 "\n",
	                       target->n_dumps++, file, address);
	if (offset > 0)
		g_string_append_printf(target->dumps, "offset=0x%" PRIX64 "\n", offset);
	if (length > 0)
		g_string_append_printf(target->dumps, "length=0x%" PRIX64 "\n", length);
	if (space != NULL)
		g_string_append_printf(target->dumps, "space=%s\n", space);
}

guint snapshot_writer_buffer(struct snapshot_writer *self, const char *name, const char *file,
                             enum snapshot_format format)
{
	struct written_buffer *buffer = g_new0(struct written_buffer, 1);

	check_text(self, "buffer name", name, ",=");
	check_file_name(self, file);
	buffer->name = g_strdup(name);
	buffer->section = g_string_new(NULL);
	g_string_append_printf(buffer->section, "\n[buffer%u]\nname=%s\nfile=%s\nformat=%s\n",
	                       self->buffers->len, name, file, snapshot_format_name(format));
	g_ptr_array_add(self->buffers, buffer);
	return self->buffers->len - 1;
}

void snapshot_writer_link_buffer(struct snapshot_writer *self, guint source, guint buffer)
{
	GString *names;

	if (device_at(self, source) == NULL)
		return;
	if (buffer >= self->buffers->len) {
		writer_fail(self, "expected the handle of a buffer, found %u", buffer);
		return;
	}
	names = self->by_source->pdata[source];
	g_string_append_printf(names, "%s%s", names->len > 0 ? "," : "",
	                       ((struct written_buffer *)self->buffers->pdata[buffer])->name);
}

void snapshot_writer_link_core(struct snapshot_writer *self, guint core, guint source)
{
	const struct written_device *owner = device_at(self, core);
	const struct written_device *owned = device_at(self, source);

	if (owner != NULL && owned != NULL)
		g_string_append_printf(self->core_links, "%s=%s\n", owner->name, owned->name);
}

void snapshot_writer_cluster(struct snapshot_writer *self, const char *name, const guint *cores,
                             gsize n_cores)
{
	if (!check_text(self, "cluster name", name, "=[]"))
		return;
	g_string_append_printf(self->clusters, "%s=", name);
	for (gsize i = 0; i < n_cores; i++) {
		const struct written_device *core = device_at(self, cores[i]);

		if (core != NULL)
			g_string_append_printf(self->clusters, "%s%s", i > 0 ? "," : "",
			                       core->name);
	}
	g_string_append_c(self->clusters, '\n');
}

void snapshot_writer_rates(struct snapshot_writer *self, guint64 timestamp_hz, guint64 core_hz)
{
	if (timestamp_hz > 0)
		g_string_append_printf(self->properties, "timestamp_hz=%" PRIu64 "\n",
		                       timestamp_hz);
	if (core_hz > 0)
		g_string_append_printf(self->properties, "core_hz=%" PRIu64 "\n", core_hz);
}

void snapshot_writer_time(struct snapshot_writer *self, enum snapshot_time time)
{
	if (time != SNAPSHOT_TIME_UNSTATED)
		g_string_append_printf(self->properties, "time=%s\n", snapshot_time_name(time));
}

void snapshot_writer_property(struct snapshot_writer *self, const char *key, const char *value)
{
	if (check_text(self, "key of capture.ini", key, "=[]") &&
	    check_text(self, "value in capture.ini", value, ""))
		g_string_append_printf(self->properties, "%s=%s\n", key, value);
}

char *snapshot_writer_path(struct snapshot_writer *self, const char *file)
{
	g_autofree char *path = NULL;
	g_autofree char *folder = NULL;

	if (!check_file_name(self, file))
		return NULL;
	path = g_build_filename(self->partial, file, NULL);
	folder = g_path_get_dirname(path);
	if (g_mkdir_with_parents(folder, 0755) != 0) {
		writer_fail(self, "making the folder of '%s' failed: %s", file, g_strerror(errno));
		return NULL;
	}
	g_hash_table_add(self->files, g_strdup(file));
	return g_steal_pointer(&path);
}

/* Writes `path`, which must not be there yet. */
static gboolean write_file(const char *path, const char *bytes, gsize len_bytes, GError **error)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	gsize done = 0;
	int code = fd < 0 ? errno : 0;

	while (code == 0 && done < len_bytes) {
		const ssize_t written = write(fd, bytes + done, len_bytes - done);

		if (written >= 0)
			done += (gsize)written;
		else if (errno != EINTR)
			code = errno;
	}
	if (fd >= 0 && close(fd) != 0 && code == 0)
		code = errno;
	if (code != 0)
		set_io_error(error, "writing", path, code);
	return code == 0;
}

void snapshot_writer_file(struct snapshot_writer *self, const char *file, gconstpointer bytes,
                          gsize len_bytes)
{
	g_autofree char *path = snapshot_writer_path(self, file);
	g_autoptr(GError) error = NULL;

	if (path != NULL && !write_file(path, bytes, len_bytes, &error) && self->error == NULL)
		self->error = g_steal_pointer(&error);
}

static gboolean write_ini(struct snapshot_writer *self, const char *name, const GString *text,
                          GError **error)
{
	g_autofree char *path = g_build_filename(self->partial, name, NULL);

	if (!write_file(path, text->str, text->len, error))
		return FALSE;
	g_hash_table_add(self->files, g_strdup(name));
	return TRUE;
}

static gboolean write_device(struct snapshot_writer *self, const struct written_device *device,
                             GError **error)
{
	g_autoptr(GString) text = g_string_new(device->head->str);

	if (device->regs->len > 0)
		g_string_append_printf(text, "\n[regs]\n%s", device->regs->str);
	g_string_append(text, device->dumps->str);
	return write_ini(self, device->file, text, error);
}

static gboolean write_snapshot_ini(struct snapshot_writer *self, GError **error)
{
	g_autoptr(GString) text = g_string_new("[snapshot]\nversion=1.0\n\n[device_list]\n");

	for (guint i = 0; i < self->devices->len; i++)
		g_string_append_printf(text, "device%u=%s\n", i,
		                       ((struct written_device *)self->devices->pdata[i])->file);
	if (self->clusters->len > 0)
		g_string_append_printf(text, "\n[clusters]\n%s", self->clusters->str);
	if (self->buffers->len > 0)
		g_string_append(text, "\n[trace]\nmetadata=trace.ini\n");
	return write_ini(self, "snapshot.ini", text, error);
}

/* [trace_buffers] comes first: Arm's reader knows the buffers' sections by it. */
static gboolean write_trace_ini(struct snapshot_writer *self, GError **error)
{
	g_autoptr(GString) text = g_string_new("[trace_buffers]\nbuffers=");

	for (guint i = 0; i < self->buffers->len; i++)
		g_string_append_printf(text, "%sbuffer%u", i > 0 ? "," : "", i);
	g_string_append_c(text, '\n');
	for (guint i = 0; i < self->buffers->len; i++)
		g_string_append(text,
		                ((struct written_buffer *)self->buffers->pdata[i])->section->str);
	g_string_append(text, "\n[source_buffers]\n");
	for (guint i = 0; i < self->devices->len; i++) {
		const struct written_device *device = self->devices->pdata[i];
		const GString *names = self->by_source->pdata[i];

		if (names->len > 0)
			g_string_append_printf(text, "%s=%s\n", device->name, names->str);
	}
	g_string_append_printf(text, "\n[core_trace_sources]\n%s", self->core_links->str);
	return write_ini(self, "trace.ini", text, error);
}

static gboolean write_inis(struct snapshot_writer *self, GError **error)
{
	g_autoptr(GString) capture = g_string_new("[capture]\n");

	for (guint i = 0; i < self->devices->len; i++) {
		if (!write_device(self, self->devices->pdata[i], error))
			return FALSE;
	}
	g_string_append(capture, self->properties->str);
	return write_snapshot_ini(self, error) &&
	       (self->buffers->len == 0 || write_trace_ini(self, error)) &&
	       (self->properties->len == 0 || write_ini(self, "capture.ini", capture, error));
}

/* A path handed out and never written is no error: what is named in an ini file and missing
 * has been found by then. */
static gboolean flush(const char *path, GError **error)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	int code = 0;

	if (fd < 0)
		code = errno == ENOENT ? 0 : errno;
	else if (fsync(fd) != 0)
		code = errno;
	if (fd >= 0)
		close(fd);
	if (code != 0)
		set_io_error(error, "flushing", path, code);
	return code == 0;
}

static gboolean flush_all(struct snapshot_writer *self, GError **error)
{
	GHashTableIter iter;
	gpointer file;

	g_hash_table_iter_init(&iter, self->files);
	while (g_hash_table_iter_next(&iter, &file, NULL)) {
		g_autofree char *path = g_build_filename(self->partial, file, NULL);
		g_autofree char *folder = g_path_get_dirname(path);

		if (!flush(path, error) || !flush(folder, error))
			return FALSE;
	}
	return TRUE;
}

/* What was written must open, and a dump that is missing is an error here. */
static gboolean check_written(struct snapshot_writer *self, GError **error)
{
	g_autoptr(Snapshot) snapshot = snapshot_open(self->partial, error);

	if (snapshot == NULL) {
		g_prefix_error(error, "writing the capture %s failed: ", self->dir);
		return FALSE;
	}
	for (guint i = 0; i < snapshot->n_devices; i++) {
		for (guint j = 0; j < snapshot->devices[i].n_dumps; j++) {
			g_autoptr(GBytes) bytes =
				snapshot_dump_map(&snapshot->devices[i].dumps[j], error);

			if (bytes == NULL)
				return FALSE;
		}
	}
	return TRUE;
}

gboolean snapshot_writer_finish(struct snapshot_writer *self, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(self->dir);

	g_return_val_if_fail(self->partial != NULL, FALSE);
	if (self->error != NULL) {
		g_propagate_error(error, g_error_copy(self->error));
		return FALSE;
	}
	if (!write_inis(self, error) || !check_written(self, error) || !flush_all(self, error))
		return FALSE;
	if (rename(self->partial, self->dir) != 0) {
		set_io_error(error, "renaming the finished capture to", self->dir, errno);
		return FALSE;
	}
	g_clear_pointer(&self->partial, g_free);
	/* The capture is there and whole; whether its name survives a power cut is the lesser
	 * matter, and some file systems cannot flush a directory. */
	(void)flush(parent, NULL);
	return TRUE;
}
