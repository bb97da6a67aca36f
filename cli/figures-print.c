#include "cli/figures-print.h"

#include "cli/format.h"
#include "cli/report.h"
#include "cli/table.h"

#include <math.h>
#include <string.h>

static char *cell_text(const struct figure *figure, enum figure_kind kind,
                       const struct time_unit *unit)
{
	if (!figure->known)
		return g_strdup("-");
	switch (kind) {
	case FIGURE_TEXT:
		return format_text(figure->text);
	case FIGURE_COUNT:
		return format_count((guint64)figure->value);
	case FIGURE_TIME:
		return format_time((gint64)figure->value, unit);
	case FIGURE_SHARE:
		return format_share(figure->value, 1);
	case FIGURE_RATE:
		break;
	}
	return g_strdup_printf("%.1f", figure->value);
}

static gint64 largest_time(const struct figures *figures, guint column)
{
	double largest = 0;

	for (guint row = 0; row < figures_rows(figures); row++) {
		const struct figure *figure = figures_at(figures, row, column);

		if (figure->known)
			largest = MAX(largest, figure->value);
	}
	return (gint64)largest;
}

void figures_print(const struct figures *figures, const recording_reader *reader, guint limit)
{
	const guint n = figures->n_columns;
	const guint rows = figures_rows(figures);
	g_autofree struct table_column *columns = g_new0(struct table_column, n);
	g_autofree struct time_unit *units = g_new0(struct time_unit, n);
	g_autoptr(GPtrArray) titles = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(Table) table = NULL;

	g_print("\n%s", figures->title);
	if (rows == 0) {
		g_print(": none\n");
		return;
	}
	if (rows > limit)
		g_print(" (the first %u of %u; --json and --csv have all)", limit, rows);
	g_print("\n\n");
	for (guint i = 0; i < n; i++) {
		const struct figure_column *column = &figures->columns[i];
		char *title = g_strdup(column->title);

		if (column->kind == FIGURE_TIME) {
			units[i] = report_unit(reader, largest_time(figures, i));
			g_free(title);
			title = g_strdup_printf("%s (%s)", column->title, units[i].name);
		}
		g_ptr_array_add(titles, title);
		columns[i] = (struct table_column) { .title = title,
			                             .number = column->kind != FIGURE_TEXT };
	}
	table = table_new(columns, n);
	for (guint row = 0; row < MIN(rows, limit); row++) {
		for (guint i = 0; i < n; i++)
			table_add(table, cell_text(figures_at(figures, row, i),
			                           figures->columns[i].kind, &units[i]));
	}
	table_print(table, 2);
}

static void add_member(JsonBuilder *builder, const struct figure_column *column,
                       const struct figure *figure)
{
	if (!figure->known || column->kind == FIGURE_TEXT)
		json_add_text(builder, column->name, figure->known ? figure->text : NULL);
	else if (column->kind == FIGURE_COUNT ||
	         (column->kind == FIGURE_TIME && figure->value == floor(figure->value)))
		json_add_int(builder, column->name, (gint64)figure->value);
	else
		json_add_double(builder, column->name, figure->value);
}

void figures_print_json(const struct figures *figures, JsonBuilder *builder, const char *key)
{
	json_add_array(builder, key);
	for (guint row = 0; row < figures_rows(figures); row++) {
		json_builder_begin_object(builder);
		for (guint i = 0; i < figures->n_columns; i++)
			add_member(builder, &figures->columns[i], figures_at(figures, row, i));
		json_builder_end_object(builder);
	}
	json_builder_end_array(builder);
}

static void print_csv_text(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	if (strpbrk(valid, ",\"\r\n") == NULL) {
		g_print("%s", valid);
		return;
	}
	g_print("\"");
	for (const char *at = valid; *at != '\0'; at++)
		g_print(*at == '"' ? "\"\"" : "%c", *at);
	g_print("\"");
}

static void print_csv_cell(const struct figure *figure, enum figure_kind kind)
{
	char number[G_ASCII_DTOSTR_BUF_SIZE];

	if (!figure->known)
		return;
	if (kind == FIGURE_TEXT)
		print_csv_text(figure->text);
	else if (figure->value == floor(figure->value) && fabs(figure->value) < 9e15)
		g_print("%" G_GINT64_FORMAT, (gint64)figure->value);
	else
		g_print("%s", g_ascii_dtostr(number, sizeof number, figure->value));
}

void figures_print_csv(const struct figures *figures)
{
	for (guint i = 0; i < figures->n_columns; i++)
		g_print("%s%s", i > 0 ? "," : "", figures->columns[i].name);
	g_print("\n");
	for (guint row = 0; row < figures_rows(figures); row++) {
		for (guint i = 0; i < figures->n_columns; i++) {
			if (i > 0)
				g_print(",");
			print_csv_cell(figures_at(figures, row, i), figures->columns[i].kind);
		}
		g_print("\n");
	}
}
