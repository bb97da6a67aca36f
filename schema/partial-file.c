#include "schema/partial-file.h"

#include "schema/db.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	APPLICATION_ID_OFFSET = 68,
	HEADER_BYTES = 100
};

static gboolean fail(const char *path, const char *tried, GError **error)
{
	const int saved = errno;

	g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ACCESS, "%s: cannot %s: %s", path,
	            tried, g_strerror(saved));
	return FALSE;
}

/* Whether `path` may be replaced: absent, empty, or a recording. */
static gboolean replaceable(const char *path, GError **error)
{
	guint8 header[HEADER_BYTES] = { 0 };
	struct stat status;
	gssize length;
	guint32 id;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? TRUE : fail(path, "replace what is there", error);
	length = read(fd, header, sizeof header);
	if (fstat(fd, &status) != 0)
		length = -1;
	close(fd);
	memcpy(&id, header + APPLICATION_ID_OFFSET, sizeof id);
	if (length >= 0 && S_ISREG(status.st_mode) &&
	    (length == 0 || GUINT32_FROM_BE(id) == RECORDING_APPLICATION_ID))
		return TRUE;
	g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ACCESS,
	            "%s: not replaced: it exists and is no recording; remove it or choose another "
	            "name",
	            path);
	return FALSE;
}

/* Opens and locks partial_path; the file that is locked is the one under the name. */
static gboolean lock(struct partial_file *self, GError **error)
{
	for (guint attempt = 0; attempt < 100; attempt++) {
		struct stat locked, named;

		self->lock_fd =
			open(self->partial_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (self->lock_fd < 0)
			return fail(self->partial_path, "create the recording", error);
		if (flock(self->lock_fd, LOCK_EX | LOCK_NB) != 0) {
			if (errno != EWOULDBLOCK)
				return fail(self->partial_path, "lock the recording", error);
			g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ACCESS,
			            "%s: another process is writing this recording", self->path);
			return FALSE;
		}
		if (fstat(self->lock_fd, &locked) == 0 && stat(self->partial_path, &named) == 0 &&
		    locked.st_ino == named.st_ino && locked.st_dev == named.st_dev)
			return TRUE;
		/* Renamed or removed by its writer between our open and our lock. */
		close(self->lock_fd);
		self->lock_fd = -1;
	}
	g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ACCESS,
	            "%s: other processes keep replacing it", self->partial_path);
	return FALSE;
}

static void forget(struct partial_file *self)
{
	if (self->lock_fd >= 0)
		close(self->lock_fd);
	self->lock_fd = -1;
	g_clear_pointer(&self->partial_path, g_free);
}

gboolean partial_file_init(struct partial_file *self, const char *path, GError **error)
{
	self->path = g_strdup(path);
	self->partial_path = g_strconcat(path, ".part", NULL);
	self->lock_fd = -1;
	if (!replaceable(path, error) || !lock(self, error)) {
		forget(self);
		return FALSE;
	}
	if (ftruncate(self->lock_fd, 0) != 0) {
		fail(self->partial_path, "empty it", error);
		forget(self);
		return FALSE;
	}
	return TRUE;
}

void partial_file_deinit(struct partial_file *self)
{
	if (self->partial_path != NULL) {
		unlink(self->partial_path);
		forget(self);
	}
	g_clear_pointer(&self->path, g_free);
}

gboolean partial_file_commit(struct partial_file *self, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(self->path);
	int directory_fd;

	if (rename(self->partial_path, self->path) != 0)
		return fail(self->path, "rename the finished recording to it", error);
	forget(self);
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd >= 0) {
		/* Some file systems cannot synchronise directories: the rename stands anyway. */
		(void)fsync(directory_fd);
		close(directory_fd);
	}
	return TRUE;
}
