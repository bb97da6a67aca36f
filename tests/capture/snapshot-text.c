#include "tests/capture/snapshot-text.h"

#include <inttypes.h>

static void append_source(GString *text, const struct snapshot *snapshot,
                          const struct snapshot_source *source)
{
	guint8 id;

	g_string_append_printf(text, "source %s %s \"%s\"", source->device->name,
	                       snapshot_protocol_name(source->protocol), source->device->type);
	if (snapshot_source_trace_id(source, &id))
		g_string_append_printf(text, " id 0x%02x", id);
	if (source->core >= 0)
		g_string_append_printf(text, " core %d %s", source->core,
		                       snapshot->cores[source->core]->name);
	for (guint i = 0; i < source->n_buffers; i++)
		g_string_append_printf(text, " in %s", snapshot->buffers[source->buffers[i]].name);
	g_string_append_printf(text, " regs %u\n", source->device->n_regs);
}

static void append_buffer(GString *text, const struct snapshot *snapshot,
                          const struct snapshot_buffer *buffer)
{
	g_string_append_printf(text, "buffer %s %s %s %" PRIu64 " bytes from", buffer->name,
	                       buffer->file, snapshot_format_name(buffer->format),
	                       buffer->size_bytes);
	for (guint i = 0; i < buffer->n_sources; i++)
		g_string_append_printf(text, " %s",
		                       snapshot->sources[buffer->sources[i]].device->name);
	g_string_append_c(text, '\n');
}

static void append_cluster(GString *text, const struct snapshot *snapshot,
                           const struct snapshot_cluster *cluster)
{
	g_string_append_printf(text, "cluster %s:", cluster->name);
	for (guint i = 0; i < cluster->n_cores; i++)
		g_string_append_printf(text, " %s", snapshot->cores[cluster->cores[i]]->name);
	g_string_append_c(text, '\n');
}

char *snapshot_text(const struct snapshot *snapshot)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < snapshot->n_cores; i++)
		g_string_append_printf(text, "core %u %s %s regs %u dumps %u\n", i,
		                       snapshot->cores[i]->name, snapshot->cores[i]->type,
		                       snapshot->cores[i]->n_regs, snapshot->cores[i]->n_dumps);
	for (guint i = 0; i < snapshot->n_sources; i++)
		append_source(text, snapshot, &snapshot->sources[i]);
	for (guint i = 0; i < snapshot->n_buffers; i++)
		append_buffer(text, snapshot, &snapshot->buffers[i]);
	for (guint i = 0; i < snapshot->n_clusters; i++)
		append_cluster(text, snapshot, &snapshot->clusters[i]);
	if (snapshot->has_timestamp_hz)
		g_string_append_printf(text, "timestamp_hz %" PRIu64 "\n", snapshot->timestamp_hz);
	if (snapshot->has_core_hz)
		g_string_append_printf(text, "core_hz %" PRIu64 "\n", snapshot->core_hz);
	g_string_append_printf(text, "time %s\n", snapshot_time_name(snapshot->time));
	for (guint i = 0; i < snapshot->n_properties; i++)
		g_string_append_printf(text, "property %s=%s\n", snapshot->properties[i].key,
		                       snapshot->properties[i].value);
	for (guint i = 0; snapshot->notes[i] != NULL; i++)
		g_string_append_printf(text, "note %s\n", snapshot->notes[i]);
	return g_string_free(text, FALSE);
}
