#include "cli/verb.h"

#include "analysis/compare.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/table.h"

enum {
	ROWS_SHOWN = 25
};

struct compare_options {
	gboolean json, all;
	char **fail_if;
};

static char *value_text(const struct compared *row, double value)
{
	return row->kind == FIGURE_TIME ? format_duration((gint64)value)
	                                : g_strdup_printf("%.4g", value);
}

static char *change_text(const struct compared *row)
{
	if (row->a <= 0)
		return g_strdup("-");
	return g_strdup_printf("%+.1f%%", 100 * (row->b / row->a - 1));
}

static char *confidence_text(const struct compared *row)
{
	if (row->z == 0)
		return g_strdup("-");
	return g_strdup_printf("%.1f sigma", row->z < 0 ? -row->z : row->z);
}

static void print_text(const GArray *compared, const struct compare_options *options)
{
	const struct table_column columns[] = {
		{ .title = "Metric" },
		{ .title = "A", .number = TRUE },
		{ .title = "B", .number = TRUE },
		{ .title = "Change", .number = TRUE },
		{ .title = "Confidence", .number = TRUE },
		{ .title = "" },
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
	const guint shown = options->all ? compared->len : MIN(compared->len, ROWS_SHOWN);
	guint flagged = 0;

	for (guint i = 0; i < compared->len; i++) {
		const struct compared *row = &g_array_index(compared, struct compared, i);

		flagged += row->flagged != FALSE;
		if (i >= shown)
			continue;
		table_add(table, format_text(row->name));
		table_add(table, value_text(row, row->a));
		table_add(table, value_text(row, row->b));
		table_add(table, change_text(row));
		table_add(table, confidence_text(row));
		table_add(table, g_strdup(row->flagged ? "differs" : ""));
	}
	table_print(table, 0);
	if (shown < compared->len)
		g_print("(%u of %u metrics; --all shows the rest)\n", shown, compared->len);
	g_print("\n%u metric%s differ%s by more than the spread within the recordings explains.\n",
	        flagged, flagged == 1 ? "" : "s", flagged == 1 ? "s" : "");
}

static void print_json(const GArray *compared, const struct schedule_rows *a,
                       const struct schedule_rows *b)
{
	g_autoptr(JsonBuilder) builder = json_builder_new();

	json_builder_begin_object(builder);
	json_add_int(builder, "window_a_ns", a->range_ns);
	json_add_int(builder, "window_b_ns", b->range_ns);
	json_add_array(builder, "rows");
	for (guint i = 0; i < compared->len; i++) {
		const struct compared *row = &g_array_index(compared, struct compared, i);

		json_builder_begin_object(builder);
		json_add_text(builder, "metric", row->name);
		json_add_double(builder, "a", row->a);
		json_add_double(builder, "b", row->b);
		json_add_int(builder, "count_a", (gint64)row->count_a);
		json_add_int(builder, "count_b", (gint64)row->count_b);
		json_add_double(builder, "z", row->z);
		json_add_double(builder, "p", row->p);
		json_add_bool(builder, "differs", row->flagged);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	json_print(builder);
}

static int check_gates(const GArray *compared, char **conditions)
{
	int code = EXIT_CODE_DONE;

	for (guint i = 0; conditions != NULL && conditions[i] != NULL; i++) {
		g_autoptr(GError) error = NULL;
		gboolean fails = FALSE;

		if (!compare_gate(compared, conditions[i], &fails, &error))
			return verb_fail("compare", error);
		if (fails) {
			g_printerr("hvscope compare: %s\n", conditions[i]);
			code = EXIT_CODE_GATE;
		}
	}
	return code;
}

static int compare(const char *path_a, const char *path_b, const struct compare_options *options)
{
	const struct schedule_filter filter = { .vcpu = OWNER_NO_VALUE, .to_ns = G_MAXINT64 };
	g_autoptr(GError) error = NULL;
	g_autoptr(recording_reader) reader_a = recording_reader_new(path_a, &error);
	g_autoptr(recording_reader) reader_b = NULL;
	g_autoptr(GArray) compared = NULL;
	struct schedule_rows a, b;

	if (reader_a != NULL)
		reader_b = recording_reader_new(path_b, &error);
	if (reader_b == NULL || !schedule_rows_init(&a, reader_a, &filter, &error))
		return verb_fail("compare", error);
	if (!schedule_rows_init(&b, reader_b, &filter, &error)) {
		schedule_rows_deinit(&a);
		return verb_fail("compare", error);
	}
	compared = compare_rows(&a, &b);
	if (options->json)
		print_json(compared, &a, &b);
	else
		print_text(compared, options);
	schedule_rows_deinit(&a);
	schedule_rows_deinit(&b);
	return check_gates(compared, options->fail_if);
}

static int compare_run(int argc, char **argv)
{
	struct compare_options options = { 0 };
	const GOptionEntry entries[] = {
		{ "json", 0, 0, G_OPTION_ARG_NONE, &options.json, "print JSON", NULL },
		{ "all", 0, 0, G_OPTION_ARG_NONE, &options.all, "print every metric", NULL },
		{ "fail-if", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.fail_if,
		  "exit with 3 where this holds, as in 'exits.p99 > 1.2x'; may be repeated",
		  "CONDITION" },
		G_OPTION_ENTRY_NULL
	};
	int code;

	if (!verb_parse(&argc, &argv, "A.hvs B.hvs",
	                "The same metrics of two recordings side by side, the most notable "
	                "difference first.",
	                entries))
		return EXIT_CODE_USAGE;
	if (argc != 3)
		code = verb_usage("compare", "takes two recordings");
	else
		code = compare(argv[1], argv[2], &options);
	g_strfreev(options.fail_if);
	return code;
}

const struct verb verb_compare = { "compare", "two recordings side by side, or as a gate",
	                           compare_run };
