#include "tests/capture/snapshot-copy.h"

static char *file_name_of(struct snapshot_writer *writer, const struct snapshot_dump *dump)
{
	g_autoptr(GBytes) bytes = snapshot_dump_map(dump, NULL);
	char *copied;

	if (bytes == NULL)
		return NULL;
	copied = g_strdup_printf("%p-%s.bin", (const void *)dump, dump->name);
	snapshot_writer_file(writer, copied, g_bytes_get_data(bytes, NULL),
	                     g_bytes_get_size(bytes));
	return copied;
}

static void copy_device(struct snapshot_writer *writer, const struct snapshot_device *device)
{
	const guint handle =
		snapshot_writer_device(writer, device->device_class, device->name, device->type);

	for (guint i = 0; i < device->n_regs; i++)
		snapshot_writer_reg(writer, handle, device->regs[i].name, device->regs[i].value);
	for (guint i = 0; i < device->n_dumps; i++) {
		const struct snapshot_dump *dump = &device->dumps[i];
		g_autofree char *file = file_name_of(writer, dump);

		if (file != NULL)
			snapshot_writer_dump(writer, handle, file, dump->address, 0, dump->length,
			                     dump->space);
	}
}

void snapshot_copy(struct snapshot_writer *writer, const struct snapshot *snapshot)
{
	for (guint i = 0; i < snapshot->n_devices; i++)
		copy_device(writer, &snapshot->devices[i]);
	for (guint i = 0; i < snapshot->n_buffers; i++) {
		const struct snapshot_buffer *buffer = &snapshot->buffers[i];
		GMappedFile *map = snapshot_buffer_map(buffer, NULL);

		snapshot_writer_buffer(writer, buffer->name, buffer->file, buffer->format);
		snapshot_writer_file(writer, buffer->file, g_mapped_file_get_contents(map),
		                     g_mapped_file_get_length(map));
		g_mapped_file_unref(map);
	}
	for (guint i = 0; i < snapshot->n_sources; i++) {
		const struct snapshot_source *source = &snapshot->sources[i];
		const guint handle = (guint)(source->device - snapshot->devices);

		for (guint j = 0; j < source->n_buffers; j++)
			snapshot_writer_link_buffer(writer, handle, source->buffers[j]);
		if (source->core >= 0)
			snapshot_writer_link_core(
				writer, (guint)(snapshot->cores[source->core] - snapshot->devices),
				handle);
	}
	for (guint i = 0; i < snapshot->n_clusters; i++) {
		const struct snapshot_cluster *cluster = &snapshot->clusters[i];
		g_autofree guint *cores = g_new0(guint, cluster->n_cores + 1);

		for (guint j = 0; j < cluster->n_cores; j++)
			cores[j] = (guint)(snapshot->cores[cluster->cores[j]] - snapshot->devices);
		snapshot_writer_cluster(writer, cluster->name, cores, cluster->n_cores);
	}
	snapshot_writer_rates(writer, snapshot->timestamp_hz, snapshot->core_hz);
	snapshot_writer_time(writer, snapshot->time);
}
