/* snapshot-writer.h: writes a capture directory
 *
 * Takes devices, registers, dumps, buffers and links and writes the same format
 * that snapshot.h reads. Everything goes into a temporary directory beside the
 * target, which is renamed when complete: the target is either absent or whole.
 * Trace bytes are the caller's to write, as a stream, at the path that
 * snapshot_writer_path gives.
 *
 * The adders cannot fail at once: the first thing that does not fit (a name with
 * '=' in it, a second device of the same name) is kept and reported by
 * snapshot_writer_finish, which then leaves nothing behind. One writer belongs to
 * one thread.
 *
 *	g_autoptr(SnapshotWriter) w = snapshot_writer_new("run1", &error);
 *	guint core = snapshot_writer_device(w, SNAPSHOT_CLASS_CORE, "cpu_0", "Cortex-A53");
 *	guint etm = snapshot_writer_device(w, SNAPSHOT_CLASS_TRACE_SOURCE, "ETM_0", "ETM4");
 *	snapshot_writer_reg(w, etm, "TRCCONFIGR", 0x8D1);
 *	guint etb = snapshot_writer_buffer(w, "ETB_0", "cstrace.bin", SNAPSHOT_FORMAT_CORESIGHT);
 *	snapshot_writer_link_core(w, core, etm);
 *	snapshot_writer_link_buffer(w, etm, etb);
 *	snapshot_writer_file(w, "cstrace.bin", bytes, len_bytes);
 *	snapshot_writer_finish(w, &error);
 */
#pragma once

#include "capture/snapshot.h"

struct snapshot_writer;

/* Begins the capture `dir` in a temporary directory "DIR.partial-XXXXXX". `dir` must not
 * exist, or be an empty directory; its parent must exist. */
struct snapshot_writer *snapshot_writer_new(const char *dir, GError **error);

/* Removes the temporary directory and all in it, unless finished. */
void snapshot_writer_free(struct snapshot_writer *self);
typedef struct snapshot_writer SnapshotWriter; /* for g_autoptr(SnapshotWriter) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SnapshotWriter, snapshot_writer_free)

/* Adds a device; its file is NAME.ini. Returns its handle. Cores are indexed in the order
 * in which they are added. For SNAPSHOT_CLASS_OTHER the class is "memory_space". */
guint snapshot_writer_device(struct snapshot_writer *self, enum snapshot_class device_class,
                             const char *name, const char *type);

/* A register as the target had it. Written as 64 bits, with (size:64), where it does not fit
 * into 32. The registers that snapshot_open requires of a protocol are required here too. */
void snapshot_writer_reg(struct snapshot_writer *self, guint device, const char *name,
                         guint64 value);

/* A memory image of the device in `file` (inside the capture, '/' allowed). `space` may be
 * NULL. */
void snapshot_writer_dump(struct snapshot_writer *self, guint device, const char *file,
                          guint64 address, guint64 offset, guint64 length, const char *space);

/* Adds a trace buffer whose bytes are in `file`, and returns its handle. */
guint snapshot_writer_buffer(struct snapshot_writer *self, const char *name, const char *file,
                             enum snapshot_format format);

/* The source's trace went into that buffer. May be said of several buffers. */
void snapshot_writer_link_buffer(struct snapshot_writer *self, guint source, guint buffer);

/* The source traces that core. */
void snapshot_writer_link_core(struct snapshot_writer *self, guint core, guint source);

/* Names the cores (device handles) of a cluster. */
void snapshot_writer_cluster(struct snapshot_writer *self, const char *name, const guint *cores,
                             gsize n_cores);

/* capture.ini: rates (0: not known, not written), kind of time, and further keys. */
void snapshot_writer_rates(struct snapshot_writer *self, guint64 timestamp_hz, guint64 core_hz);
void snapshot_writer_time(struct snapshot_writer *self, enum snapshot_time time);
void snapshot_writer_property(struct snapshot_writer *self, const char *key, const char *value);

/* Where to write `file` of the capture now (in the temporary directory; folders in it are
 * made). Free with g_free. NULL where `file` would leave the directory. */
char *snapshot_writer_path(struct snapshot_writer *self, const char *file);

/* Writes `file` at once. */
void snapshot_writer_file(struct snapshot_writer *self, const char *file, gconstpointer bytes,
                          gsize len_bytes);

/* Writes the ini files, checks the result by opening it as snapshot_open would, flushes it to
 * the disk and renames it to its name. The writer can then only be freed. On an error nothing
 * is at the target. */
gboolean snapshot_writer_finish(struct snapshot_writer *self, GError **error);
