/* perf.data, as tools/perf/Documentation/perf.data-file-format.txt and util/cs-etm.h of the Linux
 * sources describe it. */
#include "capture/import.h"

#include "capture/snapshot-writer.h"

#include <string.h>

enum {
	RECORD_AUX = 11,
	RECORD_AUX_OUTPUT_HW_ID = 21,
	RECORD_HEADER_ATTR = 64,
	RECORD_AUXTRACE_INFO = 70,
	RECORD_AUXTRACE = 71,
	RECORD_COMPRESSED = 81,
	RECORD_COMPRESSED2 = 83,
	AUXTRACE_CS_ETM = 3,
	RECORD_HEADER_BYTES = 8,
	FILE_HEADER_BYTES = 104,
	PIPE_HEADER_BYTES = 16,

	AUX_TRUNCATED = 1,
	AUX_PARTIAL = 4,
	AUX_COLLISION = 8,
	AUX_FORMAT_MASK = 0xFF00,
	AUX_FORMAT_RAW = 0x0100,

	SAMPLE_TID = 1 << 1,
	SAMPLE_TIME = 1 << 2,
	SAMPLE_ID = 1 << 6,
	SAMPLE_CPU = 1 << 7,
	SAMPLE_STREAM_ID = 1 << 9,
	SAMPLE_IDENTIFIER = 1 << 16,
	ATTR_SAMPLE_ID_ALL_BIT = 18,

	FRAME_BYTES = 16,
	MAX_CPUS = 4096,
	MAX_QUEUES = 4096,
};

#define MAGIC_ETM3 G_GUINT64_CONSTANT(0x3030303030303030)
#define MAGIC_ETM4 G_GUINT64_CONSTANT(0x4040404040404040)
#define MAGIC_ETE  G_GUINT64_CONSTANT(0x5050505050505050)

static const char *const names_etm3[] = { "ETMCR", "ETMTRACEIDR", "ETMCCER", "ETMIDR" };
static const char *const names_etm4[] = { "TRCCONFIGR", "TRCTRACEIDR", "TRCIDR0",      "TRCIDR1",
	                                  "TRCIDR2",    "TRCIDR8",     "TRCAUTHSTATUS" };
static const char *const names_ete[] = {
	"TRCCONFIGR", "TRCTRACEIDR", "TRCIDR0",       "TRCIDR1",
	"TRCIDR2",    "TRCIDR8",     "TRCAUTHSTATUS", "TRCDEVARCH"
};

struct kind {
	guint64 magic;
	const char *type;
	const char *const *names;
	guint n_names; /* and so many values in metadata v0 */
};

static const struct kind kinds[] = {
	{ MAGIC_ETM3, "ETM3", names_etm3, G_N_ELEMENTS(names_etm3) },
	{ MAGIC_ETM4, "ETM4", names_etm4, G_N_ELEMENTS(names_etm4) },
	{ MAGIC_ETE, "ETE", names_ete, G_N_ELEMENTS(names_ete) },
};

/* One CPU's block of the metadata. */
struct cpu {
	const struct kind *kind;
	guint64 number;
	guint64 values[8];
	guint n_values;
	gboolean has_hw_id;
	guint8 trace_id;
};

/* A piece of an AUX buffer: trace between two stops. */
struct piece {
	guint64 offset, len_bytes;
	guint64 flags;
};

/* Bytes of one AUXTRACE record, in the AUX buffer's own count. */
struct chunk {
	guint64 offset;
	const guint8 *bytes;
	guint64 len_bytes;
};

struct queue {
	guint32 index;
	gint32 cpu; /* -1: a thread's */
	GArray *chunks;
};

struct reader {
	const char *path;
	const guint8 *bytes;
	guint64 len_bytes;
	GArray *cpus;       /* struct cpu */
	GArray *queues;     /* struct queue */
	GHashTable *pieces; /* CPU (gint64) -> GArray of struct piece; -1: without a CPU */
	guint64 pmu_type;
	guint64 sample_type;
	gboolean has_sample_id;
	guint64 metadata_version;
	guint64 timestamp_hz;
	gboolean metadata_only; /* the first of two passes */
	struct import_result *result;
};

static guint64 u64_at(const guint8 *bytes)
{
	guint64 value;

	memcpy(&value, bytes, sizeof value);
	return GUINT64_FROM_LE(value);
}

static guint32 u32_at(const guint8 *bytes)
{
	guint32 value;

	memcpy(&value, bytes, sizeof value);
	return GUINT32_FROM_LE(value);
}

static gboolean malformed(const struct reader *self, guint64 at, GError **error,
                          const char *expected)
{
	g_set_error(error, IMPORT_ERROR, IMPORT_ERROR_MALFORMED,
	            "%s: byte %" G_GUINT64_FORMAT ": expected %s", self->path, at, expected);
	return FALSE;
}

static gboolean unsupported(const struct reader *self, GError **error, const char *what)
{
	g_set_error(error, IMPORT_ERROR, IMPORT_ERROR_UNSUPPORTED, "%s: %s", self->path, what);
	return FALSE;
}

/* The attribute of the trace event says what stands behind each record. */
static void read_attr(struct reader *self, const guint8 *attr, gboolean first)
{
	if (!first && u32_at(attr) != self->pmu_type)
		return;
	self->sample_type = u64_at(attr + 24);
	self->has_sample_id = (u64_at(attr + 40) >> ATTR_SAMPLE_ID_ALL_BIT & 1) != 0;
}

static gboolean read_attrs(struct reader *self, guint64 attr_bytes, guint64 offset, guint64 len,
                           GError **error)
{
	if (attr_bytes < 64 || offset > self->len_bytes || len > self->len_bytes - offset)
		return malformed(self, 16, error, "an attribute section inside the file");
	for (guint64 i = 0; i < len / attr_bytes; i++)
		read_attr(self, self->bytes + offset + i * attr_bytes, i == 0);
	return TRUE;
}

/* The CPU in the sample_id at the end of a record, or -1. */
static gint64 cpu_of_record(const struct reader *self, const guint8 *record, guint size)
{
	guint from_end = 0;

	if (!self->has_sample_id || (self->sample_type & SAMPLE_CPU) == 0)
		return -1;
	if ((self->sample_type & SAMPLE_IDENTIFIER) != 0)
		from_end += 8;
	from_end += 8;
	if (size < RECORD_HEADER_BYTES + from_end)
		return -1;
	return u32_at(record + size - from_end);
}

static gboolean read_cpu(struct reader *self, const guint8 *words, guint64 n_words, guint64 *used,
                         GError **error)
{
	struct cpu cpu = { 0 };
	guint64 n_values, head = self->metadata_version == 0 ? 2 : 3;

	if (n_words < head)
		return malformed(self, (guint64)(words - self->bytes), error, "a CPU's metadata");
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (u64_at(words) == kinds[i].magic)
			cpu.kind = &kinds[i];
	}
	if (cpu.kind == NULL)
		return malformed(self, (guint64)(words - self->bytes), error,
		                 "the magic number of ETMv3, ETMv4 or ETE metadata");
	cpu.number = u64_at(words + 8);
	n_values = self->metadata_version == 0 ? cpu.kind->n_names : u64_at(words + 16);
	if (n_values > n_words - head || n_values > 256)
		return malformed(self, (guint64)(words - self->bytes), error,
		                 "as many values as the metadata says");
	cpu.n_values = (guint)MIN(n_values, cpu.kind->n_names);
	for (guint i = 0; i < cpu.n_values; i++)
		cpu.values[i] = u64_at(words + (head + i) * 8);
	if (cpu.n_values > 1)
		cpu.trace_id = (guint8)(cpu.values[1] & 0x7F);
	g_array_append_val(self->cpus, cpu);
	*used = head + n_values;
	return TRUE;
}

static gboolean read_info(struct reader *self, const guint8 *record, guint size, GError **error)
{
	const guint8 *words = record + 16;
	guint64 at = (guint64)(record - self->bytes), n_words, n_cpus, used;

	if (size < 16 + 24)
		return malformed(self, at, error, "an AUXTRACE_INFO record with metadata");
	if (u32_at(record + 8) != AUXTRACE_CS_ETM)
		return unsupported(
			self, error,
			"its hardware trace is not CoreSight's (AUXTRACE_INFO type is not "
			"3)");
	n_words = (size - 16) / 8;
	self->metadata_version = u64_at(words);
	self->pmu_type = u64_at(words + 8) >> 32;
	n_cpus = u64_at(words + 8) & 0xFFFFFFFF;
	if (self->metadata_version > 2)
		return unsupported(self, error, "CoreSight metadata of a version after 2");
	if (n_cpus == 0 || n_cpus > MAX_CPUS || self->cpus->len > 0)
		return malformed(self, at, error, "one record with the metadata of 1 to 4096 CPUs");
	words += 24;
	n_words -= 3;
	for (guint64 i = 0; i < n_cpus; i++) {
		if (!read_cpu(self, words, n_words, &used, error))
			return FALSE;
		words += used * 8;
		n_words -= used;
	}
	return TRUE;
}

static struct queue *queue_of(struct reader *self, guint32 index, gint32 cpu)
{
	struct queue queue = { .index = index, .cpu = cpu };

	for (guint i = 0; i < self->queues->len; i++) {
		struct queue *known = &g_array_index(self->queues, struct queue, i);

		if (known->index == index)
			return known;
	}
	if (self->queues->len >= MAX_QUEUES)
		return NULL;
	queue.chunks = g_array_new(FALSE, FALSE, sizeof(struct chunk));
	g_array_append_val(self->queues, queue);
	return &g_array_index(self->queues, struct queue, self->queues->len - 1);
}

/* *payload: bytes that stand behind the record itself. */
static gboolean read_auxtrace(struct reader *self, const guint8 *record, guint size,
                              guint64 *payload, GError **error)
{
	guint64 at = (guint64)(record - self->bytes);
	struct chunk chunk;
	struct queue *queue;

	if (size < 48)
		return malformed(self, at, error, "an AUXTRACE record of 48 bytes");
	chunk.len_bytes = u64_at(record + 8);
	chunk.offset = u64_at(record + 16);
	chunk.bytes = record + size;
	if (chunk.len_bytes > self->len_bytes - at - size ||
	    chunk.offset > G_MAXUINT64 - chunk.len_bytes)
		return malformed(self, at, error, "AUX data inside the file: is it cut short?");
	*payload = chunk.len_bytes;
	if (self->metadata_only)
		return TRUE;
	queue = queue_of(self, u32_at(record + 32), (gint32)u32_at(record + 40));
	if (queue == NULL)
		return malformed(self, at, error, "at most 4096 AUX buffers");
	g_array_append_val(queue->chunks, chunk);
	return TRUE;
}

static gboolean read_aux(struct reader *self, const guint8 *record, guint size, GError **error)
{
	struct piece piece;
	gint64 *cpu = g_new(gint64, 1);
	GArray *pieces;

	*cpu = cpu_of_record(self, record, size);
	if (size < 32) {
		g_free(cpu);
		return malformed(self, (guint64)(record - self->bytes), error, "an AUX record");
	}
	piece.offset = u64_at(record + 8);
	piece.len_bytes = u64_at(record + 16);
	piece.flags = u64_at(record + 24);
	pieces = g_hash_table_lookup(self->pieces, cpu);
	if (pieces == NULL) {
		pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
		g_hash_table_insert(self->pieces, cpu, pieces);
	} else {
		g_free(cpu);
	}
	g_array_append_val(pieces, piece);
	return TRUE;
}

static void read_hw_id(struct reader *self, const guint8 *record, guint size)
{
	gint64 number = cpu_of_record(self, record, size);

	if (size < 16 || number < 0)
		return;
	for (guint i = 0; i < self->cpus->len; i++) {
		struct cpu *cpu = &g_array_index(self->cpus, struct cpu, i);

		if (cpu->number != (guint64)number)
			continue;
		cpu->has_hw_id = TRUE;
		cpu->trace_id = (guint8)(u64_at(record + 8) & 0x7F);
	}
}

static gboolean read_record(struct reader *self, const guint8 *record, guint type, guint size,
                            guint64 *payload, GError **error)
{
	if (self->metadata_only && type != RECORD_AUXTRACE_INFO && type != RECORD_AUXTRACE)
		return TRUE;
	switch (type) {
	case RECORD_AUXTRACE_INFO:
		return !self->metadata_only || read_info(self, record, size, error);
	case RECORD_AUXTRACE:
		return read_auxtrace(self, record, size, payload, error);
	case RECORD_HEADER_ATTR:
		/* Only where there is no file header with a section of them. */
		if (size >= RECORD_HEADER_BYTES + 64)
			read_attr(self, record + RECORD_HEADER_BYTES, FALSE);
		return TRUE;
	case RECORD_AUX:
		return read_aux(self, record, size, error);
	case RECORD_AUX_OUTPUT_HW_ID:
		read_hw_id(self, record, size);
		return TRUE;
	case RECORD_COMPRESSED:
	case RECORD_COMPRESSED2:
		return unsupported(
			self, error,
			"it has compressed records: run 'perf inject -i FILE -o OUT' first");
	default:
		return TRUE;
	}
}

static gboolean read_records(struct reader *self, guint64 at, guint64 end, GError **error)
{
	while (at < end) {
		const guint8 *record = self->bytes + at;
		guint64 payload = 0;
		guint size;

		if (end - at < RECORD_HEADER_BYTES)
			return malformed(self, at, error, "a whole record: is the file cut short?");
		size = record[6] | (guint)record[7] << 8;
		if (size < RECORD_HEADER_BYTES || size > end - at)
			return malformed(self, at, error, "a record that ends inside the data");
		if (!read_record(self, record, u32_at(record), size, &payload, error))
			return FALSE;
		at += size + payload;
	}
	return TRUE;
}

/* Which event is the trace event is in the metadata, which may stand after what needs it. */
static gboolean read_passes(struct reader *self, guint64 at, guint64 end, GError **error)
{
	self->metadata_only = TRUE;
	if (!read_records(self, at, end, error))
		return FALSE;
	self->metadata_only = FALSE;
	if (at == PIPE_HEADER_BYTES)
		return read_records(self, at, end, error);
	return read_attrs(self, u64_at(self->bytes + 16), u64_at(self->bytes + 24),
	                  u64_at(self->bytes + 32), error) &&
	       read_records(self, at, end, error);
}

static gboolean read_file(struct reader *self, GError **error)
{
	guint64 offset, len;

	if (self->len_bytes < PIPE_HEADER_BYTES || memcmp(self->bytes, "PERFILE2", 8) != 0)
		return malformed(self, 0, error,
		                 "PERFILE2: this is no perf.data of a little-endian machine");
	if (u64_at(self->bytes + 8) == PIPE_HEADER_BYTES)
		return read_passes(self, PIPE_HEADER_BYTES, self->len_bytes, error);
	if (self->len_bytes < FILE_HEADER_BYTES)
		return malformed(self, 8, error, "a header of 104 bytes");
	offset = u64_at(self->bytes + 40);
	len = u64_at(self->bytes + 48);
	if (offset > self->len_bytes || len > self->len_bytes - offset)
		return malformed(self, 40, error,
		                 "a data section inside the file: is it cut short?");
	if (offset < FILE_HEADER_BYTES)
		return malformed(self, 40, error, "a data section after the header");
	return read_passes(self, offset, offset + len, error);
}

static gint compare_pieces(gconstpointer a, gconstpointer b)
{
	const struct piece *first = a, *second = b;

	return first->offset < second->offset ? -1 : first->offset > second->offset;
}

/* Copies [offset, offset + len) of the AUX buffer from the chunks that hold it. */
static guint64 copy_piece(const struct queue *queue, const struct piece *piece, GByteArray *out)
{
	guint64 copied = 0;

	for (guint i = 0; i < queue->chunks->len; i++) {
		const struct chunk *chunk = &g_array_index(queue->chunks, struct chunk, i);
		guint64 start = MAX(chunk->offset, piece->offset);
		guint64 end = chunk->offset + chunk->len_bytes;

		if (piece->len_bytes <= G_MAXUINT64 - piece->offset)
			end = MIN(end, piece->offset + piece->len_bytes);
		if (start >= end || end - start > G_MAXUINT - out->len)
			continue;
		g_byte_array_append(out, chunk->bytes + (start - chunk->offset),
		                    (guint)(end - start));
		copied += end - start;
	}
	return copied;
}

static void append_barrier(GByteArray *out)
{
	static const guint8 fsync[4] = { 0xFF, 0xFF, 0xFF, 0x7F };

	for (guint i = 0; i < FRAME_BYTES / sizeof fsync; i++)
		g_byte_array_append(out, fsync, sizeof fsync);
}

static gboolean begins_with_barrier(const GByteArray *bytes, guint at)
{
	static const guint8 fsync[4] = { 0xFF, 0xFF, 0xFF, 0x7F };

	return bytes->len - at >= sizeof fsync && memcmp(bytes->data + at, fsync, 4) == 0;
}

/* The AUX records of a queue, in order; NULL where none can be told to be its. A thread's
 * buffer is filled on whatever CPU it runs, so all records are its, if it is the only one. */
static GArray *pieces_of(struct reader *self, const struct queue *queue)
{
	GArray *pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
	GHashTableIter iter;
	gpointer key, value;

	g_hash_table_iter_init(&iter, self->pieces);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const GArray *found = value;

		if (*(gint64 *)key == queue->cpu || self->queues->len == 1)
			g_array_append_vals(pieces, found->data, found->len);
	}
	if (pieces->len == 0)
		g_clear_pointer(&pieces, g_array_unref);
	return pieces;
}

/* The queue's trace, with a barrier wherever perf stopped and started again. */
static GByteArray *assemble(struct reader *self, const struct queue *queue, gboolean *is_raw)
{
	GByteArray *out = g_byte_array_new();
	g_autoptr(GArray) pieces = pieces_of(self, queue);
	struct piece all = { 0, G_MAXUINT64, 0 };

	*is_raw = FALSE;
	if (pieces == NULL) {
		copy_piece(queue, &all, out);
		g_ptr_array_add(self->result->notes,
		                g_strdup_printf("AUX buffer %u: no AUX record says where perf "
		                                "stopped and started again",
		                                queue->index));
		return out;
	}
	g_array_sort(pieces, compare_pieces);
	for (guint i = 0; i < pieces->len; i++) {
		const struct piece *piece = &g_array_index(pieces, struct piece, i);
		guint before = out->len;
		g_autoptr(GByteArray) one = g_byte_array_new();

		if ((piece->flags & AUX_FORMAT_MASK) == AUX_FORMAT_RAW)
			*is_raw = TRUE;
		if ((piece->flags & (AUX_TRUNCATED | AUX_PARTIAL | AUX_COLLISION)) != 0)
			self->result->n_gaps++;
		if (copy_piece(queue, piece, one) == 0)
			continue;
		if (before > 0 && !*is_raw && !begins_with_barrier(one, 0))
			append_barrier(out);
		g_byte_array_append(out, one->data, one->len);
	}
	return out;
}

static guint add_device(SnapshotWriter *writer, const struct cpu *cpu)
{
	g_autofree char *name =
		g_strdup_printf("%s_%" G_GUINT64_FORMAT, cpu->kind->type, cpu->number);
	g_autofree char *core_name = g_strdup_printf("cpu_%" G_GUINT64_FORMAT, cpu->number);
	guint device =
		snapshot_writer_device(writer, SNAPSHOT_CLASS_TRACE_SOURCE, name, cpu->kind->type);
	guint core = snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, core_name, "ARM-AA64");

	for (guint i = 0; i < cpu->n_values; i++)
		snapshot_writer_reg(writer, device, cpu->kind->names[i],
		                    i == 1 ? cpu->trace_id : cpu->values[i]);
	snapshot_writer_link_core(writer, core, device);
	return device;
}

/* Which sources are in this buffer: by the IDs in its frames, or, without frames, its CPU's. */
static void link_sources(struct reader *self, SnapshotWriter *writer, const guint *devices,
                         guint buffer, const struct queue *queue, const GByteArray *bytes,
                         gboolean is_raw)
{
	gboolean ids[128] = { FALSE };

	if (!is_raw)
		import_ids_in_frames(bytes->data, bytes->len, ids);
	for (guint i = 0; i < self->cpus->len; i++) {
		const struct cpu *cpu = &g_array_index(self->cpus, struct cpu, i);

		if (is_raw ? cpu->number == (guint64)queue->cpu : ids[cpu->trace_id])
			snapshot_writer_link_buffer(writer, devices[i], buffer);
	}
}

static gboolean write_all(struct reader *self, SnapshotWriter *writer, GError **error)
{
	g_autofree guint *devices = g_new(guint, self->cpus->len);

	for (guint i = 0; i < self->cpus->len; i++)
		devices[i] = add_device(writer, &g_array_index(self->cpus, struct cpu, i));
	for (guint i = 0; i < self->queues->len; i++) {
		const struct queue *queue = &g_array_index(self->queues, struct queue, i);
		gboolean is_raw;
		g_autoptr(GByteArray) bytes = assemble(self, queue, &is_raw);
		g_autofree char *name = g_strdup_printf("AUX_%u", queue->index);
		g_autofree char *file = g_strdup_printf("aux%u.bin", queue->index);
		guint buffer;

		if (bytes->len == 0)
			continue;
		if (!is_raw && bytes->len % FRAME_BYTES != 0) {
			g_ptr_array_add(self->result->notes,
			                g_strdup_printf("AUX buffer %u: %u bytes at its end are no "
			                                "whole frame and were dropped",
			                                queue->index, bytes->len % FRAME_BYTES));
			g_byte_array_set_size(bytes, bytes->len - bytes->len % FRAME_BYTES);
		}
		buffer = snapshot_writer_buffer(writer, name, file,
		                                is_raw ? SNAPSHOT_FORMAT_SOURCE_DATA
		                                       : SNAPSHOT_FORMAT_CORESIGHT);
		link_sources(self, writer, devices, buffer, queue, bytes, is_raw);
		snapshot_writer_file(writer, file, bytes->data, bytes->len);
		self->result->n_buffers++;
		self->result->trace_bytes += bytes->len;
	}
	self->result->n_sources = self->cpus->len;
	snapshot_writer_rates(writer, self->timestamp_hz, 0);
	snapshot_writer_property(writer, "imported_from", "perf.data");
	return snapshot_writer_finish(writer, error);
}

static void queue_clear(gpointer data)
{
	g_array_unref(((struct queue *)data)->chunks);
}

static gboolean import_mapped(struct reader *self, const char *out_dir, GError **error)
{
	g_autoptr(SnapshotWriter) writer = NULL;

	if (!read_file(self, error))
		return FALSE;
	if (self->cpus->len == 0 || self->queues->len == 0)
		return unsupported(
			self, error,
			"no CoreSight trace in it (AUXTRACE_INFO and AUXTRACE records): was "
			"it recorded with -e cs_etm//?");
	for (guint i = 0; self->metadata_version == 2 && i < self->cpus->len; i++) {
		const struct cpu *cpu = &g_array_index(self->cpus, struct cpu, i);

		if (!cpu->has_hw_id)
			g_ptr_array_add(self->result->notes,
			                g_strdup_printf("CPU %" G_GUINT64_FORMAT
			                                " has no AUX_OUTPUT_HW_ID record: trace ID "
			                                "0x%02X of the metadata is used",
			                                cpu->number, cpu->trace_id));
	}
	writer = snapshot_writer_new(out_dir, error);
	return writer != NULL && write_all(self, writer, error);
}

static void reader_init(struct reader *self, const char *path, const guint8 *bytes, gsize len_bytes,
                        struct import_result *result)
{
	*result = (struct import_result) { .notes = g_ptr_array_new_with_free_func(g_free) };
	*self = (struct reader) {
		.path = path, .bytes = bytes, .len_bytes = len_bytes, .result = result
	};
	self->cpus = g_array_new(FALSE, TRUE, sizeof(struct cpu));
	self->queues = g_array_new(FALSE, TRUE, sizeof(struct queue));
	g_array_set_clear_func(self->queues, queue_clear);
	self->pieces = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
	                                     (GDestroyNotify)g_array_unref);
}

static void reader_deinit(struct reader *self)
{
	g_array_unref(self->cpus);
	g_array_unref(self->queues);
	g_hash_table_unref(self->pieces);
}

gboolean import_perf_inspect(const guint8 *bytes, gsize len_bytes, const char *name,
                             struct import_result *result, GError **error)
{
	struct reader reader;
	gboolean ok;

	reader_init(&reader, name, bytes, len_bytes, result);
	ok = read_file(&reader, error);
	result->n_sources = reader.cpus->len;
	for (guint i = 0; ok && i < reader.queues->len; i++) {
		gboolean is_raw;
		g_autoptr(GByteArray) trace =
			assemble(&reader, &g_array_index(reader.queues, struct queue, i), &is_raw);

		result->n_buffers++;
		result->trace_bytes += trace->len;
	}
	reader_deinit(&reader);
	return ok;
}

gboolean import_perf(const char *path, const char *out_dir, guint64 timestamp_hz,
                     struct import_result *result, GError **error)
{
	g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
	struct reader reader;
	gboolean ok;

	if (file == NULL) {
		*result =
			(struct import_result) { .notes = g_ptr_array_new_with_free_func(g_free) };
		return FALSE;
	}
	reader_init(&reader, path, (const guint8 *)g_mapped_file_get_contents(file),
	            g_mapped_file_get_length(file), result);
	reader.timestamp_hz = timestamp_hz;
	ok = import_mapped(&reader, out_dir, error);
	reader_deinit(&reader);
	return ok;
}
