#include "capture/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_io_error(GError **error, const char *path, const char *what, int code)
{
	g_set_error(error, SNAPSHOT_ERROR,
	            code == ENOENT ? SNAPSHOT_ERROR_NOT_FOUND : SNAPSHOT_ERROR_IO,
	            "%s %s failed: %s", what, path, g_strerror(code));
}

/* Opens a regular file, -1 on an error. O_NONBLOCK: a FIFO of that name would hang. */
static int open_regular(const char *path, guint64 *size_bytes, GError **error)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) != 0) {
		set_io_error(error, path, "opening", errno);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!S_ISREG(info.st_mode)) {
		g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_IO,
		            "opening %s failed: expected a file, found a directory or special file",
		            path);
		close(fd);
		return -1;
	}
	*size_bytes = (guint64)info.st_size;
	return fd;
}

static GMappedFile *map_fd(int fd, const char *path, GError **error)
{
	g_autoptr(GError) map_error = NULL;
	GMappedFile *map = g_mapped_file_new_from_fd(fd, FALSE, &map_error);

	if (map == NULL)
		g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_IO, "mapping %s failed: %s", path,
		            map_error->message);
	return map;
}

static GMappedFile *map_file(const char *path, GError **error)
{
	guint64 size_bytes;
	const int fd = open_regular(path, &size_bytes, error);
	GMappedFile *map;

	if (fd < 0)
		return NULL;
	map = map_fd(fd, path, error);
	close(fd);
	return map;
}

static gboolean append_file(int out, const char *path, GError **error)
{
	guint64 left_bytes;
	const int fd = open_regular(path, &left_bytes, error);
	gboolean ok = TRUE;

	if (fd < 0)
		return FALSE;
	while (ok && left_bytes > 0) {
		const ssize_t sent = sendfile(out, fd, NULL, MIN(left_bytes, 1u << 30));

		if (sent == 0)
			break;
		if (sent > 0) {
			left_bytes -= (guint64)sent;
		} else if (errno != EINTR) {
			set_io_error(error, path, "reading", errno);
			ok = FALSE;
		}
	}
	close(fd);
	return ok;
}

static GMappedFile *map_joined(const struct snapshot_buffer *buffer, GError **error)
{
	const int out = memfd_create("hvscope-trace", MFD_CLOEXEC);
	gboolean ok = out >= 0;
	GMappedFile *map = NULL;

	if (!ok)
		set_io_error(error, buffer->file, "joining", errno);
	for (guint i = 0; ok && buffer->paths[i] != NULL; i++)
		ok = append_file(out, buffer->paths[i], error);
	if (ok)
		map = map_fd(out, buffer->file, error);
	if (out >= 0)
		close(out);
	return map;
}

GMappedFile *snapshot_buffer_map(const struct snapshot_buffer *buffer, GError **error)
{
	return buffer->paths[1] == NULL ? map_file(buffer->paths[0], error)
	                                : map_joined(buffer, error);
}

GBytes *snapshot_dump_map(const struct snapshot_dump *dump, GError **error)
{
	g_autoptr(GMappedFile) map = map_file(dump->path, error);
	g_autoptr(GBytes) all = NULL;
	guint64 len_bytes;

	if (map == NULL)
		return NULL;
	len_bytes = g_mapped_file_get_length(map);
	if (dump->offset > len_bytes || dump->length > len_bytes - dump->offset) {
		g_set_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_MALFORMED,
		            "%s: expected %" PRIu64 " bytes from byte %" PRIu64
		            " for [%s], found %" PRIu64 " bytes in all",
		            dump->path, dump->length, dump->offset, dump->name, len_bytes);
		return NULL;
	}
	all = g_mapped_file_get_bytes(map);
	return g_bytes_new_from_bytes(all, dump->offset,
	                              dump->has_length ? dump->length : len_bytes - dump->offset);
}
