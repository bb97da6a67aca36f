/* snapshot.h: reads a capture directory
 *
 * A capture is a directory in Arm's "Trace and Debug Snapshot file format 0v2":
 * snapshot.ini lists device files (cores and trace sources with their registers
 * and memory dumps) and one trace.ini (buffers, which source went into which
 * buffer, which source belongs to which core). Beside them hvscope keeps
 * capture.ini with the tick rates. This is the one door between capture and
 * decode: it knows the files, not the trace inside them, and refuses no
 * trace protocol.
 *
 * A `struct snapshot` owns everything reachable from it, is immutable once
 * opened and may be read by several threads. Trace and dump files are never
 * loaded here: they are mapped on request. See snapshot-writer.h for writing.
 */
#pragma once

#include <glib.h>

#define SNAPSHOT_ERROR (snapshot_error_quark())
GQuark snapshot_error_quark(void);

enum snapshot_error {
	SNAPSHOT_ERROR_NOT_FOUND, /* no such path, or a file that the capture names is missing */
	SNAPSHOT_ERROR_NOT_A_CAPTURE, /* something else: a plain file, a directory without
	                                 snapshot.ini */
	SNAPSHOT_ERROR_MALFORMED,     /* message: "FILE:LINE: expected ..., found ..." */
	SNAPSHOT_ERROR_IO,
	SNAPSHOT_ERROR_EXISTS, /* writer: the target is there and is not an empty directory */
};

/* class= of a device file. Anything but core and trace_source (memory_space, none) is OTHER. */
enum snapshot_class {
	SNAPSHOT_CLASS_CORE,
	SNAPSHOT_CLASS_TRACE_SOURCE,
	SNAPSHOT_CLASS_OTHER,
};

/* The trace protocol that type= of a trace source names: the name with its
 * version cut off ("ETM4.2" is ETM4). UNKNOWN keeps its name in device->type. */
enum snapshot_protocol {
	SNAPSHOT_PROTOCOL_UNKNOWN,
	SNAPSHOT_PROTOCOL_ETM3,
	SNAPSHOT_PROTOCOL_PTM,
	SNAPSHOT_PROTOCOL_ETM4,
	SNAPSHOT_PROTOCOL_ETE,
	SNAPSHOT_PROTOCOL_STM,
	SNAPSHOT_PROTOCOL_ITM,
};

enum snapshot_format {
	SNAPSHOT_FORMAT_CORESIGHT,         /* 16-byte frames, several trace IDs */
	SNAPSHOT_FORMAT_SOURCE_DATA,       /* one source's bytes, no frames */
	SNAPSHOT_FORMAT_DSTREAM_CORESIGHT, /* frames with FSYNC packets between them (TPIU) */
};

/* Where the capture's time comes from, capture.ini `time`. */
enum snapshot_time {
	SNAPSHOT_TIME_UNSTATED, /* no capture.ini, or it does not say */
	SNAPSHOT_TIME_MEASURED, /* real hardware's clocks */
	SNAPSHOT_TIME_MODELLED, /* an emulator's: judge by cycles */
};

struct snapshot_reg {
	char *name; /* without "(...)"; spelled as in the file */
	guint64 value;
};

/* A memory image that belongs to a device. */
struct snapshot_dump {
	char *name;          /* of its section: "dump", "dump1", "dump.text" */
	char *file;          /* as in the ini file */
	char *path;          /* resolved; the file may be absent: see snapshot_dump_map */
	guint64 address;     /* target address of the first byte */
	guint64 length;      /* bytes from `offset`; see has_length */
	gboolean has_length; /* FALSE: length 0 here, meaning up to the end of the file */
	guint64 offset;      /* into the file, bytes */
	char *space;         /* "EL2", "N", ... or NULL where the file does not say */
};

struct snapshot_device {
	char *name; /* unique in the capture without regard to case */
	char *file; /* the device file, as in snapshot.ini */
	enum snapshot_class device_class;
	char *class_name;          /* as in the file: what OTHER stands for */
	char *type;                /* "Cortex-A53", "ETM4", "STM"; "" where the file has none */
	char *location;            /* "address:0x12308000" or NULL */
	struct snapshot_reg *regs; /* in file order, names unique without regard to case */
	guint n_regs;
	struct snapshot_dump *dumps; /* in file order */
	guint n_dumps;
};

struct snapshot_buffer {
	char *name;         /* ETB_0 */
	char *file;         /* as in trace.ini; several with ',' between them are one buffer */
	char **paths;       /* of those files, resolved, NULL-terminated; each was there */
	guint64 size_bytes; /* of all of them together, at the opening */
	enum snapshot_format format;
	guint *sources; /* indices into snapshot->sources, in [source_buffers] order */
	guint n_sources;
};

/* A trace source with its links. Every trace_source device has one, linked or not. */
struct snapshot_source {
	const struct snapshot_device *device;
	enum snapshot_protocol protocol;
	gint core;      /* index into snapshot->cores, -1 where no core has it (STM) */
	guint *buffers; /* indices into snapshot->buffers; a source may be in several or none */
	guint n_buffers;
};

struct snapshot_cluster {
	char *name;
	guint *cores; /* indices into snapshot->cores */
	guint n_cores;
};

/* A key of capture.ini [capture] that has no field in struct snapshot. */
struct snapshot_property {
	char *key;
	char *value;
};

struct snapshot {
	char *dir;
	char *version;     /* of the format: "1.0" */
	char *description; /* or NULL */

	struct snapshot_device *devices; /* in [device_list] order */
	guint n_devices;
	/* The core devices in [device_list] order: a core's index everywhere in hvscope. */
	const struct snapshot_device **cores;
	guint n_cores;
	struct snapshot_source *sources; /* the trace_source devices in [device_list] order */
	guint n_sources;
	struct snapshot_buffer *buffers; /* in buffers= order; 0 where there is no trace.ini */
	guint n_buffers;
	struct snapshot_cluster *clusters;
	guint n_clusters;

	/* capture.ini */
	gboolean has_timestamp_hz;
	guint64 timestamp_hz; /* ticks of the trace timestamp a second, > 0 where it is there */
	gboolean has_core_hz;
	guint64 core_hz; /* cycles a second, > 0 where it is there */
	enum snapshot_time time;
	struct snapshot_property *properties; /* further keys, in file order */
	guint n_properties;

	/* What was odd but harmless, one clear line each ("FILE:LINE: ..."); NULL-terminated. */
	char **notes;
};

/* Opens the capture at `path`: the directory, or the snapshot.ini in it. Reads
 * every ini file (at most 4 MiB each) and checks that each trace file is there;
 * dump files may be missing, which is a note. Checks that each source has the
 * registers its protocol cannot be decoded without (ETM4: TRCCONFIGR, TRCTRACEIDR,
 * TRCIDR0, TRCIDR2; STM: STMTCSR) and fills in those with a default (ETM4:
 * TRCIDR1=0x4100F403, TRCIDR8..13=0; OpenCSD's snapshot reader has the same).
 * NULL and error: what was wrong, with file and line. */
struct snapshot *snapshot_open(const char *path, GError **error);
void snapshot_free(struct snapshot *self);
typedef struct snapshot Snapshot; /* for g_autoptr(Snapshot) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Snapshot, snapshot_free)

/* The value of register `name` (no "(...)", any case). FALSE where there is none. */
gboolean snapshot_device_reg(const struct snapshot_device *device, const char *name,
                             guint64 *value);

/* The device, source or buffer of that name (any case), or NULL. */
const struct snapshot_device *snapshot_device_find(const struct snapshot *self, const char *name);
const struct snapshot_source *snapshot_source_find(const struct snapshot *self, const char *name);
const struct snapshot_buffer *snapshot_buffer_find(const struct snapshot *self, const char *name);

/* The source's CoreSight trace ID (ETM4/ETE TRCTRACEIDR, ETM3/PTM ETMTRACEIDR, STM STMTCSR
 * [22:16], ITM ITMTCR [22:16]). FALSE where the capture does not say. */
gboolean snapshot_source_trace_id(const struct snapshot_source *source, guint8 *trace_id);

/* Words for messages and reports: "ETMv4", "coresight", "modelled". Static. */
const char *snapshot_protocol_name(enum snapshot_protocol protocol);
const char *snapshot_format_name(enum snapshot_format format);
const char *snapshot_time_name(enum snapshot_time time);

/* The whole trace buffer, mapped read-only; length 0 for an empty file. It is the caller's
 * (g_mapped_file_unref) and outlives the snapshot. A file that another program truncates
 * while it is mapped raises SIGBUS on access, as with any mapping. A buffer of several files
 * is put together in an anonymous file first (format 0v2, 3.3.2). */
GMappedFile *snapshot_buffer_map(const struct snapshot_buffer *buffer, GError **error);

/* The bytes of the dump (offset and length applied), mapped, not loaded. A missing file, or
 * one that is shorter than offset + length, is an error. */
GBytes *snapshot_dump_map(const struct snapshot_dump *dump, GError **error);
