#include "cli/table.h"

struct table {
	struct table_column *columns;
	guint n_columns;
	GPtrArray *cells; /* char *, row by row */
	GArray *gaps;     /* guint: number of cells before which an empty line goes */
};

struct table *table_new(const struct table_column *columns, guint n_columns)
{
	struct table *self = g_new0(struct table, 1);

	self->columns = g_memdup2(columns, n_columns * sizeof *columns);
	self->n_columns = n_columns;
	self->cells = g_ptr_array_new_with_free_func(g_free);
	self->gaps = g_array_new(FALSE, FALSE, sizeof(guint));
	return self;
}

void table_free(struct table *self)
{
	if (self == NULL)
		return;
	g_free(self->columns);
	g_ptr_array_unref(self->cells);
	g_array_unref(self->gaps);
	g_free(self);
}

void table_add(struct table *self, char *cell)
{
	g_ptr_array_add(self->cells, cell != NULL ? cell : g_strdup(""));
}

void table_gap(struct table *self)
{
	g_array_append_val(self->gaps, self->cells->len);
}

static glong column_width(const struct table *self, guint column)
{
	glong width = g_utf8_strlen(self->columns[column].title, -1);

	for (guint i = column; i < self->cells->len; i += self->n_columns)
		width = MAX(width, g_utf8_strlen(g_ptr_array_index(self->cells, i), -1));
	return width;
}

static void append_blanks(GString *line, glong n)
{
	for (glong i = 0; i < n; i++)
		g_string_append_c(line, ' ');
}

static void append_cell(GString *line, const struct table_column *column, glong width,
                        const char *text)
{
	const glong room = width - g_utf8_strlen(text, -1);

	if (column->number)
		append_blanks(line, room);
	g_string_append(line, text);
	if (!column->number)
		append_blanks(line, room);
	append_blanks(line, 2);
}

static void print_line(GString *line)
{
	while (line->len > 0 && line->str[line->len - 1] == ' ')
		g_string_truncate(line, line->len - 1);
	g_print("%s\n", line->str);
	g_string_truncate(line, 0);
}

static void print_titles(const struct table *self, const glong *widths, guint indent, GString *line)
{
	append_blanks(line, indent);
	for (guint i = 0; i < self->n_columns; i++) {
		if (!self->columns[i].hidden)
			append_cell(line, &self->columns[i], widths[i], self->columns[i].title);
	}
	print_line(line);
	append_blanks(line, indent);
	for (guint i = 0; i < self->n_columns; i++) {
		for (glong j = 0; !self->columns[i].hidden && j < widths[i]; j++)
			g_string_append_c(line, '-');
		if (!self->columns[i].hidden)
			append_blanks(line, 2);
	}
	print_line(line);
}

void table_print(const struct table *self, guint indent)
{
	g_autofree glong *widths = g_new0(glong, self->n_columns);
	GString *line = g_string_new(NULL);
	guint gap = 0;

	for (guint i = 0; i < self->n_columns; i++)
		widths[i] = column_width(self, i);
	print_titles(self, widths, indent, line);
	for (guint at = 0; at + self->n_columns <= self->cells->len; at += self->n_columns) {
		while (gap < self->gaps->len && g_array_index(self->gaps, guint, gap) <= at) {
			print_line(line);
			gap++;
		}
		append_blanks(line, indent);
		for (guint i = 0; i < self->n_columns; i++) {
			if (!self->columns[i].hidden)
				append_cell(line, &self->columns[i], widths[i],
				            g_ptr_array_index(self->cells, at + i));
		}
		print_line(line);
	}
	g_string_free(line, TRUE);
}
