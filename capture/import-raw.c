#include "capture/import.h"

#include "capture/snapshot-writer.h"

#include <string.h>

GQuark import_error_quark(void)
{
	return g_quark_from_static_string("hvscope-import-error");
}

void import_result_clear(struct import_result *result)
{
	g_clear_pointer(&result->notes, g_ptr_array_unref);
}

/* An even byte of a frame with bit 0 set is an ID (IHI 0029, D4.2). */
void import_ids_in_frames(const guint8 *frames, gsize len_bytes, gboolean ids[128])
{
	for (gsize at = 0; at + 16 <= len_bytes; at += 16) {
		for (guint i = 0; i < 15; i += 2) {
			if ((frames[at + i] & 1) != 0)
				ids[frames[at + i] >> 1] = TRUE;
		}
	}
}

static gboolean check(const struct import_raw *raw, gsize len_bytes, GError **error)
{
	if (len_bytes == 0) {
		g_set_error(error, IMPORT_ERROR, IMPORT_ERROR_READ, "%s is empty", raw->path);
		return FALSE;
	}
	if (raw->sources->len == 0) {
		g_set_error(error, IMPORT_ERROR, IMPORT_ERROR_VALUE,
		            "%s: no trace source was described, so nothing could be decoded",
		            raw->path);
		return FALSE;
	}
	if (raw->format == SNAPSHOT_FORMAT_CORESIGHT && len_bytes % 16 != 0) {
		g_set_error(
			error, IMPORT_ERROR, IMPORT_ERROR_MALFORMED,
			"%s: %" G_GSIZE_FORMAT " bytes are not whole frames of 16; is it a trace "
			"port's recording (--format tpiu) or one source's bytes (--format source)?",
			raw->path, len_bytes);
		return FALSE;
	}
	if (raw->format == SNAPSHOT_FORMAT_SOURCE_DATA && raw->sources->len != 1) {
		g_set_error(error, IMPORT_ERROR, IMPORT_ERROR_VALUE,
		            "%s: without frames there is one source, %u were described", raw->path,
		            raw->sources->len);
		return FALSE;
	}
	return TRUE;
}

static void add_source(SnapshotWriter *writer, guint index, const struct import_source *source,
                       guint buffer)
{
	g_autofree char *name = g_strdup_printf("%s_%u", source->type, index);
	guint device =
		snapshot_writer_device(writer, SNAPSHOT_CLASS_TRACE_SOURCE, name, source->type);

	for (guint i = 0; i < source->registers->len; i++) {
		const struct import_register *reg =
			&g_array_index(source->registers, struct import_register, i);

		snapshot_writer_reg(writer, device, reg->name, reg->value);
	}
	snapshot_writer_link_buffer(writer, device, buffer);
	if (source->core >= 0) {
		g_autofree char *core = g_strdup_printf("cpu_%d", source->core);

		snapshot_writer_link_core(writer,
		                          snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, core,
		                                                 source->core_type),
		                          device);
	}
}

gboolean import_raw(const struct import_raw *raw, const char *out_dir, struct import_result *result,
                    GError **error)
{
	g_autoptr(GMappedFile) file = g_mapped_file_new(raw->path, FALSE, error);
	g_autoptr(SnapshotWriter) writer = NULL;
	guint buffer;

	*result = (struct import_result) { .notes = g_ptr_array_new_with_free_func(g_free) };
	if (file == NULL || !check(raw, g_mapped_file_get_length(file), error))
		return FALSE;
	writer = snapshot_writer_new(out_dir, error);
	if (writer == NULL)
		return FALSE;
	buffer = snapshot_writer_buffer(writer, "BUFFER_0", "trace.bin", raw->format);
	for (guint i = 0; i < raw->sources->len; i++)
		add_source(writer, i, &g_array_index(raw->sources, struct import_source, i),
		           buffer);
	snapshot_writer_rates(writer, raw->timestamp_hz, 0);
	snapshot_writer_file(writer, "trace.bin", g_mapped_file_get_contents(file),
	                     g_mapped_file_get_length(file));
	result->n_sources = raw->sources->len;
	result->n_buffers = 1;
	result->trace_bytes = g_mapped_file_get_length(file);
	return snapshot_writer_finish(writer, error);
}
