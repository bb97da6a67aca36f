#include "cli/report.h"

#include "cli/format.h"
#include "cli/json.h"
#include "cli/table.h"

#include <string.h>

/* What the printing of one account needs. */
struct view {
	const recording_reader *reader;
	const struct account *account;
	const struct names *names;
	gboolean has_cycles;
	gboolean has_halted;
	gboolean by_cycles; /* the time is modelled: cycles are the judge */
};

static const struct {
	const char *name;
	const char *title;
} groupings[] = {
	[ACCOUNT_BY_CORE] = { "core", "By core" },
	[ACCOUNT_BY_DOMAIN] = { "domain", "By domain" },
	[ACCOUNT_BY_TASK] = { "task", "By task" },
	[ACCOUNT_BY_EL] = { "el", "By exception level" },
};

enum {
	TASKS_SHOWN = 15
}; /* in the whole report; --by task shows them all */

static char *el_name(const struct account_group *group)
{
	if (group->el == OWNER_NO_VALUE)
		return g_strdup("unknown");
	return g_strdup_printf("EL%d", group->el);
}

/* The first cells of a group's row: what the group is. */
static void add_labels(struct table *table, const struct view *view, enum account_by by,
                       const struct account_group *group, const struct account_group *before)
{
	switch (by) {
	case ACCOUNT_BY_CORE: {
		g_autofree char *name = names_core(view->account->cores[group->core].core);
		const gboolean again = before != NULL && before->core == group->core;

		if (!again && before != NULL)
			table_gap(table);
		table_add(table, again ? NULL : format_text(name));
		table_add(table, g_strdup(owner_class_name(group->owner_class)));
		return;
	}
	case ACCOUNT_BY_EL:
		table_add(table, el_name(group));
		table_add(table, g_strdup(owner_class_name(group->owner_class)));
		return;
	case ACCOUNT_BY_TASK:
		table_add(table, format_text(group->domain));
		table_add(table, format_text(group->task));
		return;
	case ACCOUNT_BY_DOMAIN:
		table_add(table, format_text(group->domain));
		table_add(table, g_strdup(owner_class_name(group->owner_class)));
		return;
	}
}

/* The core's own window and cycles by core, those of all cores else. */
static void add_figures(struct table *table, const struct view *view, enum account_by by,
                        const struct account_group *group, const struct time_unit *unit)
{
	const struct account *account = view->account;
	const gboolean is_core = by == ACCOUNT_BY_CORE;
	const double whole_ns =
		(double)account->window_ns * (is_core ? 1 : (double)account->n_cores);
	const guint64 whole_cycles =
		is_core ? account->cores[group->core].cycles : account->total.cycles;
	const gboolean nobody = group->owner_class == OWNER_LOST ||
	                        group->owner_class == OWNER_UNTRACED ||
	                        group->owner_class == OWNER_UNKNOWN;

	table_add(table, format_time(group->time_ns, unit));
	table_add(table, format_share((double)group->time_ns, whole_ns));
	table_add(table, nobody ? g_strdup("-") : format_count(group->cycles));
	table_add(table, nobody ? g_strdup("-")
	                        : format_share((double)group->cycles, (double)whole_cycles));
	table_add(table, nobody ? g_strdup("-") : format_time(group->halted_ns, unit));
	table_add(table, nobody ? g_strdup("-") : format_count(group->spans));
}

static void print_grouping(const struct view *view, enum account_by by, guint limit)
{
	static const char *const label_titles[][2] = {
		[ACCOUNT_BY_CORE] = { "Core", "Class" },
		[ACCOUNT_BY_DOMAIN] = { "Domain", "Class" },
		[ACCOUNT_BY_TASK] = { "Domain", "Task" },
		[ACCOUNT_BY_EL] = { "EL", "Class" },
	};
	g_autoptr(GArray) groups =
		account_group_by(view->account, view->names, by, view->by_cycles);
	const struct time_unit unit = report_unit(view->reader, view->account->window_ns);
	const struct report_time time = report_time_of(view->reader);
	g_autofree char *time_title = g_strdup_printf("%s (%s)", time.title, unit.name);
	g_autofree char *halted_title = g_strdup_printf("Halted (%s)", unit.name);
	const struct table_column columns[] = {
		{ .title = label_titles[by][0] },
		{ .title = label_titles[by][1] },
		{ .title = time_title, .number = TRUE },
		{ .title = by == ACCOUNT_BY_CORE ? "of core" : "of window", .number = TRUE },
		{ .title = "Cycles", .number = TRUE, .hidden = !view->has_cycles },
		{ .title = "of cycles", .number = TRUE, .hidden = !view->has_cycles },
		{ .title = halted_title, .number = TRUE, .hidden = !view->has_halted },
		{ .title = "Spans", .number = TRUE },
	};
	g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
	const struct account_group *before = NULL;

	if (groups->len == 0)
		return;
	g_print("\n%s", groupings[by].title);
	if (groups->len > limit)
		g_print(" (the largest %u of %u; --by %s shows all)", limit, groups->len,
		        groupings[by].name);
	g_print("\n\n");
	for (guint i = 0; i < MIN(groups->len, limit); i++) {
		const struct account_group *group = &g_array_index(groups, struct account_group, i);

		add_labels(table, view, by, group, before);
		add_figures(table, view, by, group, &unit);
		before = group;
	}
	table_print(table, 2);
}

static void print_text(const struct view *view, const enum account_by *by)
{
	report_print_head(view->reader, view->account);
	if (by != NULL) {
		print_grouping(view, *by, G_MAXUINT);
	} else {
		print_grouping(view, ACCOUNT_BY_CORE, G_MAXUINT);
		print_grouping(view, ACCOUNT_BY_DOMAIN, G_MAXUINT);
		print_grouping(view, ACCOUNT_BY_EL, G_MAXUINT);
		print_grouping(view, ACCOUNT_BY_TASK, TASKS_SHOWN);
	}
	if (view->has_halted)
		g_print("\nHalted time is part of Time: the cycle counter stood still, as it does "
		        "in WFI on most cores.\n");
	report_print_coverage(view->reader, view->account);
}

static void add_sums(JsonBuilder *builder, gint64 time_ns, guint64 cycles, gint64 halted_ns,
                     guint64 spans)
{
	json_add_int(builder, "time_ns", time_ns);
	json_add_int(builder, "cycles", (gint64)cycles);
	json_add_int(builder, "halted_ns", halted_ns);
	json_add_int(builder, "spans", (gint64)spans);
}

static void add_row(JsonBuilder *builder, const struct view *view, const struct account_row *row)
{
	g_autofree char *domain = names_domain(view->names, &row->owner);
	g_autofree char *task = names_task(view->names, &row->owner);

	json_builder_begin_object(builder);
	json_add_int(builder, "core", row->core);
	json_add_text(builder, "class", owner_class_name(row->owner.owner_class));
	json_add_value(builder, "el", row->owner.el);
	json_add_value(builder, "vmid", row->owner.vmid);
	json_add_value(builder, "context_id", row->owner.context_id);
	json_add_text(builder, "domain", domain);
	json_add_text(builder, "task", task);
	add_sums(builder, row->time_ns, row->cycles, row->halted_ns, row->spans);
	json_builder_end_object(builder);
}

static void add_groups(JsonBuilder *builder, const struct view *view, enum account_by by)
{
	g_autoptr(GArray) groups =
		account_group_by(view->account, view->names, by, view->by_cycles);

	json_add_text(builder, "by", groupings[by].name);
	json_add_array(builder, "groups");
	for (guint i = 0; i < groups->len; i++) {
		const struct account_group *group = &g_array_index(groups, struct account_group, i);

		json_builder_begin_object(builder);
		if (by == ACCOUNT_BY_CORE)
			json_add_int(builder, "core", view->account->cores[group->core].core->core);
		if (by == ACCOUNT_BY_EL)
			json_add_value(builder, "el", group->el);
		json_add_text(builder, "class", owner_class_name(group->owner_class));
		if (by == ACCOUNT_BY_DOMAIN || by == ACCOUNT_BY_TASK)
			json_add_text(builder, "domain", group->domain);
		if (by == ACCOUNT_BY_TASK)
			json_add_text(builder, "task", group->task);
		add_sums(builder, group->time_ns, group->cycles, group->halted_ns, group->spans);
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void print_json(const struct view *view, const enum account_by *by)
{
	static const char *const notes[] = { "time", "time_base", "timestamp_hz_source" };
	g_autoptr(JsonBuilder) builder = json_builder_new();
	const struct account *account = view->account;

	json_builder_begin_object(builder);
	json_add_int(builder, "window_ns", account->window_ns);
	json_add_int(builder, "cores", (gint64)account->n_cores);
	json_add_double(builder, "coverage", account->coverage);
	for (gsize i = 0; i < G_N_ELEMENTS(notes); i++)
		json_add_text(builder, notes[i], recording_reader_meta(view->reader, notes[i]));
	json_add_array(builder, "rows");
	for (guint i = 0; i < account->rows->len; i++)
		add_row(builder, view, &g_array_index(account->rows, struct account_row, i));
	json_builder_end_array(builder);
	json_add_int(builder, "lost_ns", account->total.lost_ns);
	json_add_int(builder, "untraced_ns", account->total.untraced_ns);
	json_add_int(builder, "unknown_ns", account->total.unknown_ns);
	if (by != NULL)
		add_groups(builder, view, *by);
	json_builder_end_object(builder);
	json_print(builder);
}

static gboolean by_parse(const char *text, enum account_by *by)
{
	for (guint i = 0; i < G_N_ELEMENTS(groupings); i++) {
		if (strcmp(text, groupings[i].name) == 0) {
			*by = (enum account_by)i;
			return TRUE;
		}
	}
	return FALSE;
}

static void view_init(struct view *view, const recording_reader *reader,
                      const struct account *account, const struct names *names)
{
	const char *time = recording_reader_meta(reader, "time");

	*view = (struct view) { .reader = reader, .account = account, .names = names };
	view->has_cycles = account->total.cycles > 0;
	for (guint i = 0; i < account->rows->len; i++) {
		if (g_array_index(account->rows, struct account_row, i).halted_ns > 0)
			view->has_halted = TRUE;
	}
	view->by_cycles = view->has_cycles && g_strcmp0(time, "modelled") == 0;
}

static int time_run(int argc, char **argv)
{
	gboolean json = FALSE;
	g_autofree char *by_text = NULL;
	const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &json, "print JSON",
		                           NULL },
		                         { "by", 0, 0, G_OPTION_ARG_STRING, &by_text,
		                           "only this grouping: core, domain, task or el", "WHAT" },
		                         G_OPTION_ENTRY_NULL };
	g_autofree char *name = g_strdup(argv[0]);
	g_autoptr(recording_reader) reader = NULL;
	g_autoptr(GError) error = NULL;
	enum account_by by = ACCOUNT_BY_CORE;
	struct account account;
	struct names names;
	struct view view;
	int code = EXIT_CODE_DONE;

	if (!verb_parse(&argc, &argv, "REC.hvs",
	                "Who used the processors: time and cycles per core, class, domain, task "
	                "and exception level.",
	                entries))
		return EXIT_CODE_USAGE;
	if (by_text != NULL && !by_parse(by_text, &by))
		return verb_usage(name, "--by takes core, domain, task or el, not '%s'", by_text);
	reader = report_open(name, argc, argv, &code);
	if (reader == NULL)
		return code;
	if (!account_init(&account, reader, &error))
		return verb_fail(name, error);
	names_init(&names, reader);
	view_init(&view, reader, &account, &names);
	(json ? print_json : print_text)(&view, by_text != NULL ? &by : NULL);
	account_deinit(&account);
	return EXIT_CODE_DONE;
}

const struct verb report_time = { "time", "who used the processors: time and cycles", time_run };
