#include "capture/perf-file.h"

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

	SAMPLE_TID = 1 << 1,
	SAMPLE_TIME = 1 << 2,
	SAMPLE_ID = 1 << 6,
	SAMPLE_CPU = 1 << 7,
	SAMPLE_STREAM_ID = 1 << 9,
	SAMPLE_IDENTIFIER = 1 << 16,
	ATTR_SAMPLE_ID_ALL_BIT = 18,

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

static const struct perf_kind kinds[] = {
	{ MAGIC_ETM3, "ETM3", names_etm3, G_N_ELEMENTS(names_etm3) },
	{ MAGIC_ETM4, "ETM4", names_etm4, G_N_ELEMENTS(names_etm4) },
	{ MAGIC_ETE, "ETE", names_ete, G_N_ELEMENTS(names_ete) },
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

static gboolean malformed(const struct perf_file *self, guint64 at, GError **error,
                          const char *expected)
{
	g_set_error(error, IMPORT_ERROR, IMPORT_ERROR_MALFORMED,
	            "%s: byte %" G_GUINT64_FORMAT ": expected %s", self->path, at, expected);
	return FALSE;
}

static gboolean unsupported(const struct perf_file *self, GError **error, const char *what)
{
	g_set_error(error, IMPORT_ERROR, IMPORT_ERROR_UNSUPPORTED, "%s: %s", self->path, what);
	return FALSE;
}

/* The attribute of the trace event says what stands behind each record. */
static void read_attr(struct perf_file *self, const guint8 *attr, gboolean first)
{
	if (!first && u32_at(attr) != self->pmu_type)
		return;
	self->sample_type = u64_at(attr + 24);
	self->has_sample_id = (u64_at(attr + 40) >> ATTR_SAMPLE_ID_ALL_BIT & 1) != 0;
}

static gboolean read_attrs(struct perf_file *self, guint64 attr_bytes, guint64 offset, guint64 len,
                           GError **error)
{
	if (attr_bytes < 64 || offset > self->len_bytes || len > self->len_bytes - offset)
		return malformed(self, 16, error, "an attribute section inside the file");
	for (guint64 i = 0; i < len / attr_bytes; i++)
		read_attr(self, self->bytes + offset + i * attr_bytes, i == 0);
	return TRUE;
}

/* The CPU in the sample_id at the end of a record, or -1. */
static gint64 cpu_of_record(const struct perf_file *self, const guint8 *record, guint size)
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

static gboolean read_cpu(struct perf_file *self, const guint8 *words, guint64 n_words,
                         guint64 *used, GError **error)
{
	struct perf_cpu cpu = { 0 };
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

static gboolean read_info(struct perf_file *self, const guint8 *record, guint size, GError **error)
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

static struct perf_queue *queue_of(struct perf_file *self, guint32 index, gint32 cpu)
{
	struct perf_queue queue = { .index = index, .cpu = cpu };

	for (guint i = 0; i < self->queues->len; i++) {
		struct perf_queue *known = &g_array_index(self->queues, struct perf_queue, i);

		if (known->index == index)
			return known;
	}
	if (self->queues->len >= MAX_QUEUES)
		return NULL;
	queue.chunks = g_array_new(FALSE, FALSE, sizeof(struct perf_chunk));
	g_array_append_val(self->queues, queue);
	return &g_array_index(self->queues, struct perf_queue, self->queues->len - 1);
}

/* *payload: bytes that stand behind the record itself. */
static gboolean read_auxtrace(struct perf_file *self, const guint8 *record, guint size,
                              guint64 *payload, GError **error)
{
	guint64 at = (guint64)(record - self->bytes);
	struct perf_chunk chunk;
	struct perf_queue *queue;

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

static gboolean read_aux(struct perf_file *self, const guint8 *record, guint size, GError **error)
{
	struct perf_piece piece;
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
		pieces = g_array_new(FALSE, FALSE, sizeof(struct perf_piece));
		g_hash_table_insert(self->pieces, cpu, pieces);
	} else {
		g_free(cpu);
	}
	g_array_append_val(pieces, piece);
	return TRUE;
}

static void read_hw_id(struct perf_file *self, const guint8 *record, guint size)
{
	gint64 number = cpu_of_record(self, record, size);

	if (size < 16 || number < 0)
		return;
	for (guint i = 0; i < self->cpus->len; i++) {
		struct perf_cpu *cpu = &g_array_index(self->cpus, struct perf_cpu, i);

		if (cpu->number != (guint64)number)
			continue;
		cpu->has_hw_id = TRUE;
		cpu->trace_id = (guint8)(u64_at(record + 8) & 0x7F);
	}
}

static gboolean read_record(struct perf_file *self, const guint8 *record, guint type, guint size,
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

static gboolean read_records(struct perf_file *self, guint64 at, guint64 end, GError **error)
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
static gboolean read_passes(struct perf_file *self, guint64 at, guint64 end, GError **error)
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

gboolean perf_file_read(struct perf_file *self, GError **error)
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

static void queue_clear(gpointer data)
{
	g_array_unref(((struct perf_queue *)data)->chunks);
}

void perf_file_init(struct perf_file *self, const char *path, const guint8 *bytes, gsize len_bytes)
{
	*self = (struct perf_file) { .path = path, .bytes = bytes, .len_bytes = len_bytes };
	self->cpus = g_array_new(FALSE, TRUE, sizeof(struct perf_cpu));
	self->queues = g_array_new(FALSE, TRUE, sizeof(struct perf_queue));
	g_array_set_clear_func(self->queues, queue_clear);
	self->pieces = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
	                                     (GDestroyNotify)g_array_unref);
}

void perf_file_deinit(struct perf_file *self)
{
	g_array_unref(self->cpus);
	g_array_unref(self->queues);
	g_hash_table_unref(self->pieces);
}
