#include "analysis/export/output.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct output_file {
	char *path;
	char *partial; /* NULL where written directly */
	FILE *file;
	int saved_errno;
};

static void fail(const char *doing, const char *path, int code, GError **error)
{
	const char *hint = "";

	if (code == ENOSPC)
		hint = "; free some space, or give another place";
	else if (code == EACCES || code == EROFS)
		hint = "; give a place that can be written";
	g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(code), "%s: cannot %s: %s%s",
	            path, doing, g_strerror(code), hint);
}

/* What exists keeps its mode; what is new gets the umask's. */
static void mode_set(int fd, const struct stat *old)
{
	const mode_t mask = umask(0);

	umask(mask);
	if (fchmod(fd, old != NULL ? old->st_mode & 07777 : 0666 & ~mask) != 0)
		return; /* a file system without modes */
}

output_file *output_new(const char *path, GError **error)
{
	g_autoptr(output_file) self = g_new0(struct output_file, 1);
	struct stat old;
	const gboolean exists = stat(path, &old) == 0;
	int fd;

	self->path = g_strdup(path);
	if (exists && S_ISDIR(old.st_mode)) {
		fail("write", path, EISDIR, error);
		return NULL;
	}
	if (exists && !S_ISREG(old.st_mode)) {
		self->file = fopen(path, "wbe");
	} else {
		self->partial = g_strdup_printf("%s.XXXXXX", path);
		fd = g_mkstemp_full(self->partial, O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0) {
			fail("create", path, errno, error);
			g_clear_pointer(&self->partial, g_free);
			return NULL;
		}
		mode_set(fd, exists ? &old : NULL);
		self->file = fdopen(fd, "wb");
	}
	if (self->file == NULL) {
		fail("open", path, errno, error);
		return NULL;
	}
	setvbuf(self->file, NULL, _IOFBF, 1 << 18);
	return g_steal_pointer(&self);
}

void output_free(output_file *self)
{
	if (self == NULL)
		return;
	if (self->file != NULL)
		fclose(self->file);
	if (self->partial != NULL)
		g_unlink(self->partial);
	g_free(self->partial);
	g_free(self->path);
	g_free(self);
}

void output_write(output_file *self, gconstpointer data, gsize length)
{
	if (self->saved_errno != 0 || length == 0)
		return;
	if (fwrite(data, 1, length, self->file) != length)
		self->saved_errno = errno != 0 ? errno : EIO;
}

void output_text(output_file *self, const char *text)
{
	output_write(self, text, strlen(text));
}

void output_printf(output_file *self, const char *format, ...)
{
	va_list args;

	if (self->saved_errno != 0)
		return;
	va_start(args, format);
	if (vfprintf(self->file, format, args) < 0)
		self->saved_errno = errno != 0 ? errno : EIO;
	va_end(args);
}

gboolean output_ok(const output_file *self)
{
	return self->saved_errno == 0;
}

gboolean output_finish(output_file *self, GError **error)
{
	if (self->saved_errno == 0 && fflush(self->file) != 0)
		self->saved_errno = errno;
	if (self->saved_errno == 0 && self->partial != NULL && fsync(fileno(self->file)) != 0)
		self->saved_errno = errno;
	if (fclose(self->file) != 0 && self->saved_errno == 0)
		self->saved_errno = errno;
	self->file = NULL;
	if (self->saved_errno == 0 && self->partial != NULL &&
	    g_rename(self->partial, self->path) != 0)
		self->saved_errno = errno;
	if (self->saved_errno != 0) {
		fail("write", self->path, self->saved_errno, error);
		return FALSE;
	}
	g_clear_pointer(&self->partial, g_free);
	return TRUE;
}
