/* snapshot-reader.h: the parts of snapshot_open, for each other only
 *
 * One reader fills one struct snapshot: snapshot.c reads snapshot.ini and
 * capture.ini, snapshot-device.c the device files, snapshot-trace.c trace.ini.
 * The snapshot stays fit for snapshot_free at every step. Section numbers are
 * those of "Debug and Trace Snapshot File Format", ARM-ECM-0611873 0.2.
 */
#pragma once

#include "capture/ini-file.h"
#include "capture/snapshot.h"

/* More than any real system has; keeps a hostile capture from costing much. */
enum {
	SNAPSHOT_MAX_DEVICES = 1024,
	SNAPSHOT_MAX_BUFFERS = 256,
	SNAPSHOT_MAX_DUMPS = 65536, /* of one device */
	SNAPSHOT_MAX_FILES = 4096,  /* of one buffer */
};

struct snapshot_reader {
	struct snapshot *snapshot;
	GPtrArray *notes; /* char *, become snapshot->notes */
};

/* Adds "FILE:LINE: message" to the notes. */
void snapshot_reader_note(struct snapshot_reader *self, const struct ini_file *file, guint line,
                          const char *format, ...) G_GNUC_PRINTF(4, 5);

/* The path of `name` inside the capture, or NULL and an error at `line` of `file` where it is
 * empty, absolute or climbs out. Free with g_free. */
char *snapshot_reader_resolve(struct snapshot_reader *self, const struct ini_file *file, guint line,
                              const char *name, GError **error);

/* Loads the ini file that `entry` of `file` names. */
struct ini_file *snapshot_reader_load(struct snapshot_reader *self, const struct ini_file *file,
                                      const struct ini_entry *entry, GError **error);

/* Whether `name` names a file inside the capture: else says what is wrong with it. */
const char *snapshot_file_name_problem(const char *name);

/* The size of the regular file at `path`; else an error at `line` of `file`. */
gboolean snapshot_reader_file_size(const struct ini_file *file, guint line, const char *path,
                                   guint64 *size_bytes, GError **error);

/* Reads every file of [device_list] into devices, cores and sources. */
gboolean snapshot_read_devices(struct snapshot_reader *self, const struct ini_file *file,
                               const struct ini_section *list, GError **error);

/* Reads trace.ini into buffers and links. */
gboolean snapshot_read_trace(struct snapshot_reader *self, const struct ini_file *file,
                             GError **error);

/* Free what a device or buffer points to; for g_array_set_clear_func too. */
void snapshot_device_clear(gpointer device);
void snapshot_buffer_clear(gpointer buffer);
