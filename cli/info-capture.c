#include "cli/info.h"

#include "base/system-file.h"
#include "capture/snapshot.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/table.h"
#include "cli/trace-settings.h"

static guint64 total_bytes(const struct snapshot *snapshot)
{
	guint64 total = 0;

	for (guint i = 0; i < snapshot->n_buffers; i++)
		total += snapshot->buffers[i].size_bytes;
	return total;
}

/* The source of a core, or NULL. */
static const struct snapshot_source *source_of(const struct snapshot *snapshot, guint core)
{
	for (guint i = 0; i < snapshot->n_sources; i++) {
		if (snapshot->sources[i].core == (gint)core)
			return &snapshot->sources[i];
	}
	return NULL;
}

/* "0x10", or NULL. */
static char *trace_id_text(const struct snapshot_source *source)
{
	guint8 id;

	if (source == NULL || !snapshot_source_trace_id(source, &id))
		return NULL;
	return g_strdup_printf("0x%02x", id);
}

static char *protocol_text(const struct snapshot_source *source)
{
	if (source == NULL)
		return g_strdup("-");
	if (source->protocol == SNAPSHOT_PROTOCOL_UNKNOWN)
		return format_text(source->device->type);
	return g_strdup(snapshot_protocol_name(source->protocol));
}

static void print_time(const struct snapshot *snapshot)
{
	if (snapshot->has_timestamp_hz) {
		g_autofree char *hz = format_frequency(snapshot->timestamp_hz);

		g_print("Timestamps tick at %s", hz);
	} else {
		g_print("The rate of the timestamps is not stated");
	}
	if (snapshot->has_core_hz) {
		g_autofree char *hz = format_frequency(snapshot->core_hz);

		g_print(", cores run at %s", hz);
	}
	g_print(".\n");
	if (snapshot->time == SNAPSHOT_TIME_MODELLED)
		g_print("Time is modelled: the clock is an emulator's. Judge by cycles.\n");
}

static void print_cores(const struct snapshot *snapshot)
{
	static const struct table_column columns[] = { { "Core", TRUE }, { "Name" },
		                                       { "Type" },       { "Source" },
		                                       { "Protocol" },   { "Trace ID" } };
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

	for (guint i = 0; i < snapshot->n_cores; i++) {
		const struct snapshot_source *source = source_of(snapshot, i);
		char *id = trace_id_text(source);

		table_add(table, g_strdup_printf("%u", i));
		table_add(table, format_text(snapshot->cores[i]->name));
		table_add(table, format_text(snapshot->cores[i]->type));
		table_add(table, format_text(source != NULL ? source->device->name : NULL));
		table_add(table, protocol_text(source));
		table_add(table, id != NULL ? id : g_strdup("-"));
	}
	g_print("\nCores\n\n");
	table_print(table, 2);
}

static void print_buffers(const struct snapshot *snapshot)
{
	static const struct table_column columns[] = {
		{ "Buffer" }, { "Format" }, { "Size", TRUE }, { "Bytes", TRUE }, { "Sources" }
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

	for (guint i = 0; i < snapshot->n_buffers; i++) {
		const struct snapshot_buffer *buffer = &snapshot->buffers[i];
		GString *sources = g_string_new(NULL);
		char *text;

		for (guint j = 0; j < buffer->n_sources; j++)
			g_string_append_printf(sources, "%s%s", j > 0 ? ", " : "",
			                       snapshot->sources[buffer->sources[j]].device->name);
		text = g_string_free(sources, FALSE);
		table_add(table, format_text(buffer->name));
		table_add(table, g_strdup(snapshot_format_name(buffer->format)));
		table_add(table, format_bytes(buffer->size_bytes));
		table_add(table, format_count(buffer->size_bytes));
		table_add(table, format_text(text));
		g_free(text);
	}
	g_print("\nTrace\n\n");
	table_print(table, 2);
}

static void print_registers(const struct snapshot_device *device)
{
	static const struct table_column columns[] = { { "Register" }, { "Value", TRUE } };
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

	if (device->n_regs == 0)
		return;
	for (guint i = 0; i < device->n_regs; i++) {
		table_add(table, format_text(device->regs[i].name));
		table_add(table,
		          g_strdup_printf("0x%08" G_GINT64_MODIFIER "x", device->regs[i].value));
	}
	g_print("\n");
	table_print(table, 4);
}

/* Whether two sources differ in nothing but their names, IDs and cores. */
static gboolean source_alike(const struct snapshot_source *a, const struct snapshot_source *b)
{
	g_autoptr(GArray) x = trace_settings_of(a);
	g_autoptr(GArray) y = trace_settings_of(b);

	if (a->protocol != b->protocol || x->len != y->len ||
	    g_strcmp0(a->device->type, b->device->type) != 0 ||
	    (a->n_buffers == 0) != (b->n_buffers == 0))
		return FALSE;
	for (guint i = 0; i < x->len; i++) {
		const struct trace_setting *left = &g_array_index(x, struct trace_setting, i);
		const struct trace_setting *right = &g_array_index(y, struct trace_setting, i);

		if (!g_str_equal(left->name, right->name) ||
		    !g_str_equal(left->words, right->words))
			return FALSE;
	}
	return TRUE;
}

/* The names of the sources that read like number `first`, and of none before it. */
static char *alike_names(const struct snapshot *snapshot, guint first)
{
	GString *names = g_string_new(NULL);

	for (guint i = first; i < snapshot->n_sources; i++) {
		if (source_alike(&snapshot->sources[first], &snapshot->sources[i]))
			g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "",
			                       snapshot->sources[i].device->name);
	}
	return g_string_free(names, FALSE);
}

static gboolean printed_before(const struct snapshot *snapshot, guint at)
{
	for (guint i = 0; i < at; i++) {
		if (source_alike(&snapshot->sources[i], &snapshot->sources[at]))
			return TRUE;
	}
	return FALSE;
}

static void print_source(const struct snapshot_source *source, const char *names,
                         gboolean registers)
{
	g_autoptr(GArray) settings = trace_settings_of(source);
	g_autofree char *safe = format_text(names);
	g_autofree char *protocol = protocol_text(source);
	g_autofree char *id = source->core < 0 ? trace_id_text(source) : NULL;

	g_print("\n%s: %s", safe, protocol);
	if (id != NULL)
		g_print(", trace ID %s", id);
	g_print("%s\n", source->n_buffers == 0 ? ", in no buffer" : "");
	for (guint i = 0; i < settings->len; i++) {
		const struct trace_setting *setting =
			&g_array_index(settings, struct trace_setting, i);

		g_print("  %-16s %s\n", setting->name, setting->words);
	}
	if (settings->len == 0 && !registers && source->device->n_regs > 0)
		g_print("  its registers have no words here; --registers shows them\n");
	if (registers)
		print_registers(source->device);
}

/* Sources that are set alike are described once, unless their registers are wanted. */
static void print_sources(const struct snapshot *snapshot, gboolean registers)
{
	for (guint i = 0; i < snapshot->n_sources; i++) {
		const struct snapshot_source *source = &snapshot->sources[i];

		if (registers) {
			print_source(source, source->device->name, TRUE);
		} else if (!printed_before(snapshot, i)) {
			g_autofree char *names = alike_names(snapshot, i);

			print_source(source, names, FALSE);
		}
	}
}

/* The names files that decode will take, with what each holds. */
static void print_names(const struct snapshot *snapshot)
{
	g_auto(GStrv) paths = system_file_find_names(snapshot->dir);

	for (guint i = 0; paths[i] != NULL; i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(system_file) file = system_file_load(paths[i], &error);
		g_autofree char *base = g_path_get_basename(paths[i]);
		g_autofree char *name = format_text(base);
		g_autofree char *fault = error != NULL ? format_text(error->message) : NULL;
		const struct system_look *look =
			file != NULL && file->looks->len > 0
				? &g_array_index(file->looks, struct system_look, 0)
				: NULL;
		g_autofree char *target = format_text(
			look != NULL && look->target != NULL ? look->target : "an unknown target");
		guint n_tasks = 0;

		for (guint k = 0; file != NULL && k < file->machines->len; k++)
			n_tasks += ((struct system_machine *)file->machines->pdata[k])->tasks->len;
		g_print("%s", i == 0 ? "\n" : "");
		if (fault != NULL)
			g_print("Names: %s cannot be used: %s\n", name, fault);
		else
			g_print("Names: %s, %u tasks of %u machines, seen in %s\n", name, n_tasks,
			        file->machines->len, target);
	}
}

static void print_text(const struct snapshot *snapshot, gboolean registers)
{
	g_autofree char *dir = format_text(snapshot->dir);
	g_autofree char *size = format_bytes(total_bytes(snapshot));

	g_print("%s: a capture of %u core%s, %s of trace\n", dir, snapshot->n_cores,
	        snapshot->n_cores == 1 ? "" : "s", size);
	if (snapshot->description != NULL) {
		g_autofree char *description = format_text(snapshot->description);

		g_print("%s\n", description);
	}
	print_time(snapshot);
	print_cores(snapshot);
	print_buffers(snapshot);
	print_sources(snapshot, registers);
	print_names(snapshot);
	for (guint i = 0; snapshot->notes[i] != NULL; i++) {
		g_autofree char *note = format_text(snapshot->notes[i]);

		g_print("%sNote: %s\n", i == 0 ? "\n" : "", note);
	}
	g_print("\nWindow and quality are known after decoding: hvscope decode %s -o NAME.hvs\n",
	        dir);
}

static void json_registers(JsonBuilder *builder, const struct snapshot_device *device)
{
	json_builder_set_member_name(builder, "registers");
	json_builder_begin_object(builder);
	for (guint i = 0; i < device->n_regs; i++) {
		g_autofree char *name = g_utf8_make_valid(device->regs[i].name, -1);
		g_autofree char *value =
			g_strdup_printf("0x%" G_GINT64_MODIFIER "x", device->regs[i].value);

		json_add_text(builder, name, value);
	}
	json_builder_end_object(builder);
}

static void json_sources(JsonBuilder *builder, const struct snapshot *snapshot)
{
	json_add_array(builder, "sources");
	for (guint i = 0; i < snapshot->n_sources; i++) {
		const struct snapshot_source *source = &snapshot->sources[i];
		g_autoptr(GArray) settings = trace_settings_of(source);
		g_autofree char *protocol = protocol_text(source);
		guint8 id = 0;

		json_builder_begin_object(builder);
		json_add_text(builder, "name", source->device->name);
		json_add_text(builder, "type", source->device->type);
		json_add_text(builder, "protocol", protocol);
		json_add_value(builder, "core", source->core);
		json_add_value(builder, "trace_id",
		               snapshot_source_trace_id(source, &id) ? (gint64)id : -1);
		json_builder_set_member_name(builder, "settings");
		json_builder_begin_object(builder);
		for (guint j = 0; j < settings->len; j++) {
			const struct trace_setting *setting =
				&g_array_index(settings, struct trace_setting, j);

			json_add_text(builder, setting->name, setting->words);
		}
		json_builder_end_object(builder);
		json_registers(builder, source->device);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void json_buffers(JsonBuilder *builder, const struct snapshot *snapshot)
{
	json_add_array(builder, "buffers");
	for (guint i = 0; i < snapshot->n_buffers; i++) {
		const struct snapshot_buffer *buffer = &snapshot->buffers[i];

		json_builder_begin_object(builder);
		json_add_text(builder, "name", buffer->name);
		json_add_text(builder, "file", buffer->file);
		json_add_text(builder, "format", snapshot_format_name(buffer->format));
		json_add_int(builder, "bytes", (gint64)buffer->size_bytes);
		json_add_array(builder, "sources");
		for (guint j = 0; j < buffer->n_sources; j++) {
			g_autofree char *name = g_utf8_make_valid(
				snapshot->sources[buffer->sources[j]].device->name, -1);

			json_builder_add_string_value(builder, name);
		}
		json_builder_end_array(builder);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void json_cores(JsonBuilder *builder, const struct snapshot *snapshot)
{
	json_add_array(builder, "cores");
	for (guint i = 0; i < snapshot->n_cores; i++) {
		const struct snapshot_source *source = source_of(snapshot, i);
		g_autofree char *protocol = source != NULL ? protocol_text(source) : NULL;
		guint8 id = 0;

		json_builder_begin_object(builder);
		json_add_int(builder, "core", i);
		json_add_text(builder, "name", snapshot->cores[i]->name);
		json_add_text(builder, "type", snapshot->cores[i]->type);
		json_add_text(builder, "source", source != NULL ? source->device->name : NULL);
		json_add_text(builder, "protocol", protocol);
		json_add_value(builder, "trace_id",
		               source != NULL && snapshot_source_trace_id(source, &id) ? (gint64)id
		                                                                       : -1);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void print_json(const struct snapshot *snapshot)
{
	g_auto(GStrv) names = system_file_find_names(snapshot->dir);
	g_autoptr(JsonBuilder) builder = json_builder_new();

	json_builder_begin_object(builder);
	json_add_text(builder, "kind", "capture");
	json_add_text(builder, "path", snapshot->dir);
	json_add_text(builder, "description", snapshot->description);
	json_add_int(builder, "trace_bytes", (gint64)total_bytes(snapshot));
	json_add_value(builder, "timestamp_hz",
	               snapshot->has_timestamp_hz ? (gint64)snapshot->timestamp_hz : -1);
	json_add_value(builder, "core_hz", snapshot->has_core_hz ? (gint64)snapshot->core_hz : -1);
	json_add_text(builder, "time",
	              snapshot->time == SNAPSHOT_TIME_UNSTATED
	                      ? NULL
	                      : snapshot_time_name(snapshot->time));
	json_cores(builder, snapshot);
	json_buffers(builder, snapshot);
	json_sources(builder, snapshot);
	json_add_array(builder, "names");
	for (guint i = 0; names[i] != NULL; i++)
		json_builder_add_string_value(builder, names[i]);
	json_builder_end_array(builder);
	json_add_array(builder, "notes");
	for (guint i = 0; snapshot->notes[i] != NULL; i++) {
		g_autofree char *note = g_utf8_make_valid(snapshot->notes[i], -1);

		json_builder_add_string_value(builder, note);
	}
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	json_print(builder);
}

int info_capture(const char *path, gboolean json, gboolean registers)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(path, &error);

	if (snapshot == NULL)
		return verb_fail("info", error);
	if (json)
		print_json(snapshot);
	else
		print_text(snapshot, registers);
	return EXIT_CODE_DONE;
}
