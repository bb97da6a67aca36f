/* perf.data, as tools/perf/Documentation/perf.data-file-format.txt and util/cs-etm.h of the Linux
 * sources describe it: what perf-file.h read becomes a capture directory. */
#include "capture/import.h"

#include "capture/perf-file.h"
#include "capture/snapshot-writer.h"

enum {
	FRAME_BYTES = 16,
};

/* One import under way. */
struct import {
	struct perf_file file;
	guint64 timestamp_hz;
	struct import_result *result;
};

static guint add_device(SnapshotWriter *writer, const struct perf_cpu *cpu)
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
static void link_sources(struct import *self, SnapshotWriter *writer, const guint *devices,
                         guint buffer, const struct perf_queue *queue, const GByteArray *bytes,
                         gboolean is_raw)
{
	gboolean ids[128] = { FALSE };

	if (!is_raw)
		import_ids_in_frames(bytes->data, bytes->len, ids);
	for (guint i = 0; i < self->file.cpus->len; i++) {
		const struct perf_cpu *cpu = &g_array_index(self->file.cpus, struct perf_cpu, i);

		if (is_raw ? cpu->number == (guint64)queue->cpu : ids[cpu->trace_id])
			snapshot_writer_link_buffer(writer, devices[i], buffer);
	}
}

static gboolean write_all(struct import *self, SnapshotWriter *writer, GError **error)
{
	g_autofree guint *devices = g_new(guint, self->file.cpus->len);

	for (guint i = 0; i < self->file.cpus->len; i++)
		devices[i] =
			add_device(writer, &g_array_index(self->file.cpus, struct perf_cpu, i));
	for (guint i = 0; i < self->file.queues->len; i++) {
		const struct perf_queue *queue =
			&g_array_index(self->file.queues, struct perf_queue, i);
		gboolean is_raw;
		g_autoptr(GByteArray) bytes =
			perf_queue_assemble(&self->file, queue, self->result, &is_raw);
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
	self->result->n_sources = self->file.cpus->len;
	snapshot_writer_rates(writer, self->timestamp_hz, 0);
	snapshot_writer_property(writer, "imported_from", "perf.data");
	return snapshot_writer_finish(writer, error);
}

static gboolean import_mapped(struct import *self, const char *out_dir, GError **error)
{
	g_autoptr(SnapshotWriter) writer = NULL;

	if (!perf_file_read(&self->file, error))
		return FALSE;
	if (self->file.cpus->len == 0 || self->file.queues->len == 0) {
		g_set_error(
			error, IMPORT_ERROR, IMPORT_ERROR_UNSUPPORTED,
			"%s: no CoreSight trace in it (AUXTRACE_INFO and AUXTRACE records): was "
			"it recorded with -e cs_etm//?",
			self->file.path);
		return FALSE;
	}
	for (guint i = 0; self->file.metadata_version == 2 && i < self->file.cpus->len; i++) {
		const struct perf_cpu *cpu = &g_array_index(self->file.cpus, struct perf_cpu, i);

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

gboolean import_perf_inspect(const guint8 *bytes, gsize len_bytes, const char *name,
                             struct import_result *result, GError **error)
{
	struct perf_file file;
	gboolean ok;

	*result = (struct import_result) { .notes = g_ptr_array_new_with_free_func(g_free) };
	perf_file_init(&file, name, bytes, len_bytes);
	ok = perf_file_read(&file, error);
	result->n_sources = file.cpus->len;
	for (guint i = 0; ok && i < file.queues->len; i++) {
		const struct perf_queue *queue = &g_array_index(file.queues, struct perf_queue, i);
		gboolean is_raw;
		g_autoptr(GByteArray) trace = perf_queue_assemble(&file, queue, result, &is_raw);

		result->n_buffers++;
		result->trace_bytes += trace->len;
	}
	perf_file_deinit(&file);
	return ok;
}

gboolean import_perf(const char *path, const char *out_dir, guint64 timestamp_hz,
                     struct import_result *result, GError **error)
{
	g_autoptr(GMappedFile) mapped = g_mapped_file_new(path, FALSE, error);
	struct import import = { .timestamp_hz = timestamp_hz, .result = result };
	gboolean ok;

	*result = (struct import_result) { .notes = g_ptr_array_new_with_free_func(g_free) };
	if (mapped == NULL)
		return FALSE;
	perf_file_init(&import.file, path, (const guint8 *)g_mapped_file_get_contents(mapped),
	               g_mapped_file_get_length(mapped));
	ok = import_mapped(&import, out_dir, error);
	perf_file_deinit(&import.file);
	return ok;
}
