#include "cli/info.h"

#include "analysis/account.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/table.h"

/* What of meta is worth a line, in words. */
static const struct {
	const char *key;
	const char *words;
} facts[] = {
	{ "capture_path", "capture" },
	{ "capture_identity", "identity" },
	{ "trace_bytes", "bytes of trace" },
	{ "tool_version", "made by hvscope" },
	{ "schema_version", "schema version" },
	{ "time", "time" },
	{ "time_base", "time base" },
	{ "timestamp_hz", "ticks a second" },
	{ "timestamp_hz_source", "tick rate from" },
	{ "window_start_ticks", "starts at tick" },
	{ "core_hz", "core clock, Hz" },
	{ "hypervisor", "hypervisor" },
	{ "scheduler", "scheduler" },
};

static void print_facts(const recording_reader *reader)
{
	g_print("\n");
	for (gsize i = 0; i < G_N_ELEMENTS(facts); i++) {
		const char *value = recording_reader_meta(reader, facts[i].key);

		if (value != NULL) {
			g_autofree char *text = format_text(value);

			g_print("  %-16s %s\n", facts[i].words, text);
		}
	}
}

/* One line a names file. */
static void print_names(const recording_reader *reader)
{
	const char *value = recording_reader_meta(reader, "names_sources");
	g_auto(GStrv) lines = g_strsplit(value != NULL ? value : "", "\n", -1);

	for (guint i = 0; lines[i] != NULL; i++) {
		g_autofree char *text = format_text(lines[i]);

		g_print("  %-16s %s\n", i == 0 ? "names from" : "", text);
	}
}

static guint64 core_spans(const struct account *account, guint core)
{
	guint64 spans = 0;

	for (guint i = 0; i < account->rows->len; i++) {
		const struct account_row *row =
			&g_array_index(account->rows, struct account_row, i);

		if (row->core == core)
			spans += row->spans;
	}
	return spans;
}

static void print_cores(const struct account *account)
{
	static const struct table_column columns[] = {
		{ "Core", TRUE }, { "Name" },        { "Type" },        { "Source" },
		{ "Protocol" },   { "Trace", TRUE }, { "Spans", TRUE }, { "Traced", TRUE },
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

	for (gsize i = 0; i < account->n_cores; i++) {
		const struct account_core *core = &account->cores[i];

		table_add(table, g_strdup_printf("%u", core->core->core));
		table_add(table, format_text(core->core->name));
		table_add(table, format_text(core->core->type));
		table_add(table, format_text(core->core->source));
		table_add(table, format_text(core->core->protocol));
		table_add(table, format_bytes(core->core->trace_bytes));
		table_add(table, format_count(core_spans(account, core->core->core)));
		table_add(table,
		          format_share((double)core->attributed_ns, (double)account->window_ns));
	}
	if (account->n_cores == 0)
		return;
	g_print("\nCores\n\n");
	table_print(table, 2);
}

static void print_machines(const recording_reader *reader)
{
	static const struct table_column columns[] = {
		{ "Machine", TRUE }, { "Name" }, { "Kind" }, { "VMID", TRUE }, { "vCPUs", TRUE }
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
	const struct row_machine *machines;
	gsize n;

	machines = recording_reader_machines(reader, &n);
	if (n == 0)
		return;
	for (gsize i = 0; i < n; i++) {
		table_add(table, g_strdup_printf("%u", machines[i].machine));
		table_add(table, format_text(machines[i].name));
		table_add(table, format_text(machines[i].kind));
		table_add(table, machines[i].vmid == OWNER_NO_VALUE
		                         ? g_strdup("-")
		                         : g_strdup_printf("%" G_GINT64_FORMAT, machines[i].vmid));
		table_add(table, machines[i].vcpus == 0 ? g_strdup("-")
		                                        : g_strdup_printf("%u", machines[i].vcpus));
	}
	g_print("\nMachines\n\n");
	table_print(table, 2);
}

static gboolean print_count(const struct row_quality *row, gpointer data)
{
	gboolean *any = data;
	g_autofree char *source = format_text(row->source);
	g_autofree char *name = format_text(row->name);
	g_autofree char *number = format_count(row->count);

	g_print("%s  %s: %s %s\n", *any ? "" : "\nCounted while decoding\n\n", source, number,
	        name);
	*any = TRUE;
	return TRUE;
}

static gboolean count_message(const struct row_stm *row, gpointer data)
{
	(void)row;
	++*(guint64 *)data;
	return TRUE;
}

static gboolean print_messages(recording_reader *reader, GError **error)
{
	guint64 messages = 0;
	g_autofree char *number = NULL;

	if (!recording_reader_stm(reader, count_message, &messages, error))
		return FALSE;
	number = format_count(messages);
	if (messages > 0)
		g_print("\nSTM messages: %s\n", number);
	return TRUE;
}

static gboolean print_text(recording_reader *reader, const struct account *account, GError **error)
{
	gboolean any = FALSE;

	report_print_head(reader, account);
	print_facts(reader);
	print_names(reader);
	print_cores(account);
	print_machines(reader);
	if (!print_messages(reader, error) ||
	    !recording_reader_quality(reader, print_count, &any, error))
		return FALSE;
	report_print_coverage(reader, account);
	return TRUE;
}

static gboolean json_count(const struct row_quality *row, gpointer data)
{
	JsonBuilder *builder = data;

	json_builder_begin_object(builder);
	json_add_text(builder, "source", row->source);
	json_add_text(builder, "name", row->name);
	json_add_int(builder, "count", (gint64)row->count);
	json_builder_end_object(builder);
	return TRUE;
}

static gboolean print_json(recording_reader *reader, const struct account *account, GError **error)
{
	g_autoptr(JsonBuilder) builder = json_builder_new();
	guint64 messages = 0;

	json_builder_begin_object(builder);
	json_add_text(builder, "kind", "recording");
	json_add_text(builder, "path", recording_reader_path(reader));
	json_add_int(builder, "window_ns", account->window_ns);
	json_add_double(builder, "coverage", account->coverage);
	json_builder_set_member_name(builder, "meta");
	json_builder_begin_object(builder);
	for (gsize i = 0; i < G_N_ELEMENTS(facts); i++)
		json_add_text(builder, facts[i].key, recording_reader_meta(reader, facts[i].key));
	json_builder_end_object(builder);
	json_add_array(builder, "cores");
	for (gsize i = 0; i < account->n_cores; i++) {
		const struct account_core *core = &account->cores[i];

		json_builder_begin_object(builder);
		json_add_int(builder, "core", core->core->core);
		json_add_text(builder, "name", core->core->name);
		json_add_text(builder, "type", core->core->type);
		json_add_text(builder, "source", core->core->source);
		json_add_text(builder, "protocol", core->core->protocol);
		json_add_value(builder, "trace_id", core->core->trace_id);
		json_add_int(builder, "trace_bytes", (gint64)core->core->trace_bytes);
		json_add_int(builder, "traced_ns", core->attributed_ns);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
	if (!recording_reader_stm(reader, count_message, &messages, error))
		return FALSE;
	json_add_int(builder, "stm_messages", (gint64)messages);
	json_add_array(builder, "quality");
	if (!recording_reader_quality(reader, json_count, builder, error))
		return FALSE;
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	json_print(builder);
	return TRUE;
}

int info_recording(const char *path, gboolean json)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_reader) reader = recording_reader_new(path, &error);
	struct account account;
	gboolean done;

	if (reader == NULL || !account_init(&account, reader, &error))
		return verb_fail("info", error);
	done = json ? print_json(reader, &account, &error) : print_text(reader, &account, &error);
	account_deinit(&account);
	return done ? EXIT_CODE_DONE : verb_fail("info", error);
}
