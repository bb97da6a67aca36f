/* partial-file.h: a file that appears under its name only when it is complete
 *
 * The recording grows as NAME.part beside NAME and is renamed at the end, so
 * that NAME is absent, the old recording, or complete, also after a crash. What
 * a killed writer left behind is taken over by the next one; a lock keeps two
 * living ones apart. Refuses to replace a file that is no recording. Knows
 * nothing of what is inside but the first bytes.
 */
#pragma once

#include <glib.h>

struct partial_file {
	char *path;
	char *partial_path; /* NULL once renamed, or where init failed */
	int lock_fd;        /* held open, for its lock, until the rename */
};

/* Creates an empty file at partial_path. On failure `self` needs no deinit, but
 * stands it. */
gboolean partial_file_init(struct partial_file *self, const char *path, GError **error);

/* Removes the partial file unless it was committed. */
void partial_file_deinit(struct partial_file *self);

/* Renames it to `path` and makes the rename durable. What was written must be
 * synchronised already. */
gboolean partial_file_commit(struct partial_file *self, GError **error);
